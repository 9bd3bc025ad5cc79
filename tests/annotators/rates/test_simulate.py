import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from nissl.annotators.rates import simulate as sim
from nissl.annotators.rates.indicators import CELL_TYPES, INDICATORS, Kinetics, draw
from nissl.errors import BadArgumentError

LINEAR = Kinetics(rise_s=0.02, decay_s=0.5, amplitude=0.2, hill=1.0, half=1e9, rest=0.0)


def kernel(t, cell):
    """A spike's calcium by its definition, on a grid fine enough to find the peak."""
    grid = np.linspace(0, cell.decay_s * 3, 200_000)

    def raw(x):
        y = np.maximum(x, 0.0)
        return -np.expm1(-y / cell.rise_s) * np.exp(-y / cell.decay_s)

    return raw(t) / raw(grid).max()


@given(
    st.lists(st.floats(-2, 4), max_size=30),
    st.floats(5, 500),
    st.floats(0.002, 0.1),
    st.floats(0.11, 1.5),
)
@settings(max_examples=60, deadline=None)
def test_calcium_is_the_sum_of_kernels_at_exact_times(spikes, rate_hz, rise_s, decay_s):
    cell = Kinetics(rise_s, decay_s, 0.1, 1.0, 10.0, 0.5)
    spikes_s = np.sort(np.array(spikes, float))
    n = int(3 * rate_hz)
    middle = (np.arange(n) + 0.5) / rate_hz
    expected = sum((kernel(middle - s, cell) for s in spikes_s), np.zeros(n))
    np.testing.assert_allclose(sim.calcium(spikes_s, cell, rate_hz, n), expected, atol=1e-6)


@pytest.mark.parametrize("name", INDICATORS)
def test_one_spike_from_rest_gives_the_stated_amplitude(name):
    cell = draw(INDICATORS[name], np.random.default_rng(0))
    trace = sim.fluorescence(np.array([0.1]), cell, 2000.0, 4000)
    assert trace.max() == pytest.approx(cell.amplitude, rel=1e-3)
    assert np.all(trace[: int(0.1 * 2000) - 1] == 0)


def test_a_frame_is_the_mean_of_what_it_covers():
    spikes_s = np.array([0.31, 0.95, 1.0])
    fine = sim.fluorescence(spikes_s, LINEAR, 3000.0, 9000)
    coarse = sim.fluorescence(spikes_s, LINEAR, 5.0, 15)
    np.testing.assert_allclose(coarse, fine.reshape(15, 600).mean(axis=1), atol=5e-3)


@pytest.mark.parametrize("rate_hz", [3.0, 7.5, 30.0, 158.0])
@pytest.mark.parametrize("level", [0.5, 2.0, 6.0])
def test_noise_is_of_the_stated_level_at_any_rate(rate_hz, level):
    x = sim.photons(np.zeros(60_000), level, rate_hz, np.random.default_rng(1))
    # photons are whole, so a median of few of them is coarse: the standard deviation is not
    measured = 100 * sim.PER_SD * x.std() / np.sqrt(rate_hz)
    assert measured == pytest.approx(level, rel=0.03)


def test_shot_noise_grows_with_the_light():
    rng = np.random.default_rng(2)
    dark, bright = (sim.photons(np.full(20_000, f), 1.0, 30.0, rng).std() for f in (0.0, 3.0))
    assert bright / dark == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("name", CELL_TYPES)
def test_spikes_keep_to_the_refractory_period_and_the_rates(name):
    rng = np.random.default_rng(3)
    cell = CELL_TYPES[name]
    trains = [sim.spike_train(cell, 60.0, rng) for _ in range(60)]
    for train in trains:
        assert np.all((train >= 0) & (train < 60))
        assert np.all(np.diff(train) >= cell.refractory_s * (1 - 1e-9))
    rates = np.array([train.size / 60 for train in trains])
    low, high = cell.rate_hz
    assert low < np.median(rates) < high / (1 - max(cell.burst))


def test_batches_are_of_the_asked_form_and_counts_are_the_spikes():
    made = sim.batch(7.5, (0.5, 8.0), 20, 256, np.random.default_rng(4))
    assert made.dff.shape == made.counts.shape == (20, 256)
    assert made.dff.dtype == made.counts.dtype == np.float32
    assert np.all(np.isfinite(made.dff))
    assert [len(s) for s in made.spikes_s] == made.counts.sum(axis=1).astype(int).tolist()
    assert made.noise_level.min() >= 0.5
    assert made.noise_level.max() <= 8.0


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    one, two, other = (sim.simulate(seed, duration_s=20.0, n_cells=3) for seed in (7, 7, 8))
    assert one[0].fingerprint == two[0].fingerprint != other[0].fingerprint
    assert one[1].digest == two[1].digest


def test_a_recording_holds_its_cells_and_the_truth_counts_their_frames():
    recording, truth = sim.simulate(9, n_cells=4, duration_s=60.0, rate_hz=15.0)
    signal = recording["fluorescence"]
    assert signal.channels.kind == "fluorescence"
    assert signal.channels.ids == ("0", "1", "2", "3")
    assert signal.n_samples == 900
    assert set(truth.column("item").tolist()) <= {0, 1, 2, 3}
    assert truth.column("sample").max() < 900


def test_without_nuisance_and_noise_a_trace_is_its_fluorescence():
    made = sim.batch(30.0, 0.0, 1, 300, np.random.default_rng(5), nuisance=sim.CLEAN)
    again = sim.fluorescence(made.spikes_s[0], made.kinetics[0], 30.0, 300)
    # spikes of before the first frame still glow; they have gone after five decays
    late = int(min(290, 5 * made.kinetics[0].decay_s * 30))
    np.testing.assert_allclose(made.dff[0, late:], again[late:], atol=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate_hz": 0.0},
        {"rate_hz": np.nan},
        {"noise_level": -1.0},
        {"noise_level": (3.0, 1.0)},
        {"n_traces": 0},
        {"indicators": ("GCaMP9",)},
        {"cell_types": ()},
    ],
)
def test_sizes_that_make_no_sense_are_refused(wrong):
    size = {"rate_hz": 30.0, "noise_level": 1.0, "n_traces": 2, "n_frames": 10} | wrong
    with pytest.raises(BadArgumentError):
        sim.batch(**size, rng=np.random.default_rng(0))
