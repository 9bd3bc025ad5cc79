import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from nissl.annotators.rates import bleaching, matched, spike_or_noise
from nissl.annotators.rates import simulate_voltage as sim
from nissl.annotators.rates import voltage as voltage_
from nissl.annotators.rates.simulate import frames_of
from nissl.annotators.rates.train_voltage import examples, fit_calibration, paired
from nissl.errors import BadArgumentError


def cell(seed, *, rate_hz=1000.0, snr=6.0, polarity=1, duration_s=20.0, **manner):
    made = sim.voltage(
        rate_hz,
        int(duration_s * rate_hz),
        snr,
        polarity,
        np.random.default_rng(seed),
        sim.Manner(**{"firing_hz": (3.0, 10.0), **manner}),
    )
    return made, frames_of(made.spikes_s, rate_hz, made.fluorescence.size)


@pytest.mark.parametrize("polarity", [1, -1])
@pytest.mark.parametrize(
    ("rate_hz", "snr", "recall", "precision"),
    [(400.0, 8.0, 0.8, 0.85), (1000.0, 6.0, 0.8, 0.9), (2000.0, 6.0, 0.85, 0.9)],
)
def test_spikes_are_found_within_a_frame(polarity, rate_hz, snr, recall, precision):
    n_true = n_found = hits = 0
    for seed in range(4):
        made, true = cell(seed, rate_hz=rate_hz, snr=snr, polarity=polarity)
        taken = voltage_.take_apart(made.fluorescence, rate_hz, polarity)
        hit, _ = paired(true, taken.frame, taken.confidence)
        n_true, n_found, hits = n_true + true.size, n_found + taken.frame.size, hits + hit.sum()
    assert hits / n_true > recall
    assert hits / n_found > precision


def slow_wave(x, rng):
    return x + 20 * np.abs(np.diff(x)).mean() * np.sin(np.arange(x.size) / 500)


def dropped_frames(x, rng):
    x[rng.integers(0, x.size, 20)] = 0
    return x


def mains(x, rng):
    return x + 2 * np.abs(np.diff(x)).mean() * np.sin(2 * np.pi * 0.06 * np.arange(x.size))


@pytest.mark.parametrize("spoil", [slow_wave, dropped_frames, mains])
@pytest.mark.parametrize("polarity", [1, -1])
def test_what_else_happens_to_the_light_hides_no_spikes(spoil, polarity):
    made, true = cell(11, snr=7.0, polarity=polarity, motion_per_min=(0, 0))
    trace = spoil(made.fluorescence.astype(float), np.random.default_rng(0))
    assert voltage_.polarity_of([trace], 1000.0)[0] == polarity
    taken = voltage_.take_apart(trace, 1000.0, polarity)
    hit, right = paired(true, taken.frame, taken.confidence)
    assert hit.mean() > 0.8
    assert right.mean() > 0.85


@pytest.mark.parametrize("polarity", [1, -1])
def test_subthreshold_voltage_and_bleaching_are_told_apart(polarity):
    made, _ = cell(3, snr=8.0, polarity=polarity, subthreshold=(0.3, 0.3))
    taken = voltage_.take_apart(made.fluorescence, 1000.0, polarity)
    assert np.corrcoef(taken.subthreshold, made.subthreshold)[0, 1] > 0.85
    relative = taken.baseline / taken.baseline[0]
    np.testing.assert_allclose(relative, made.bleaching, atol=0.03)
    assert np.all(np.diff(taken.baseline) <= 1e-9)


@pytest.mark.parametrize("polarity", [1, -1])
def test_polarity_is_told_from_the_data(polarity):
    traces = [cell(seed, snr=5.0, polarity=polarity)[0].fluorescence for seed in range(3)]
    told, evidence = voltage_.polarity_of(traces, 1000.0)
    assert told == polarity
    assert evidence > voltage_.TOLD


def test_polarity_of_noise_is_not_told():
    rng = np.random.default_rng(0)
    noise = [1000 + 10 * rng.standard_normal(20_000) for _ in range(5)]
    assert voltage_.polarity_of(noise, 1000.0)[1] < voltage_.TOLD
    assert voltage_.take_apart(noise[0], 1000.0, 1).frame.size <= 1


def test_darkening_is_brightening_upside_down():
    made, _ = cell(5, polarity=1)
    x = bleaching.relative(made.fluorescence, 1000.0).dff
    up, down = (voltage_.take_apart(sign * x, 1000.0, sign) for sign in (1, -1))
    assert up.frame.size > 10
    common = np.intersect1d(up.frame, down.frame)
    assert common.size > 0.9 * max(up.frame.size, down.frame.size)


def test_the_unit_of_fluorescence_does_not_matter():
    made, _ = cell(6)
    one = voltage_.take_apart(made.fluorescence, 1000.0, 1)
    other = voltage_.take_apart(made.fluorescence.astype(float) * 64, 1000.0, 1)
    np.testing.assert_array_equal(one.frame, other.frame)
    np.testing.assert_allclose(one.height, other.height, rtol=1e-6)
    np.testing.assert_allclose(64 * one.baseline, other.baseline, rtol=1e-6)


def test_the_ratio_of_signal_and_noise_and_heights_are_those_of_the_simulation():
    made, _ = cell(7, snr=8.0, bleaching=(0.05, 0.06), amplitude=(0.1, 0.1), burst=(0.02, 0.03))
    taken = voltage_.take_apart(made.fluorescence, 1000.0, 1)
    assert taken.snr == pytest.approx(8.0, rel=0.25)
    assert np.median(taken.height) == pytest.approx(0.08, rel=0.35)


def test_confidence_is_how_often_it_is_a_spike():
    said, spike = examples(60, seed=999, duration_s=10.0)
    p = spike_or_noise.calibrated(said)
    told = p > 0.02
    for low, high in ((0.02, 0.3), (0.3, 0.7), (0.7, 0.97), (0.97, 1.0)):
        here = told & (p >= low) & (p < high)
        assert abs(p[here].mean() - spike[here].mean()) < 0.12


def test_calibration_can_be_fitted_anew():
    said, true = fit_calibration(n_traces=10, seed=1)
    assert np.all(np.diff(said) > 0)
    assert np.all(np.diff(true) >= 0)
    assert 0 < true[0] < true[-1] < 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_calibration_keeps_the_order(a, b):
    low, high = spike_or_noise.calibrated(np.sort([a, b]))
    assert 0 <= low <= high < 1


@given(st.floats(0.1, 0.8), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_bleaching_is_fitted_through_spikes_and_noise(lost, seed):
    rng = np.random.default_rng(seed)
    t = np.arange(20_000) / 20_000
    curve = 500 * (1 - lost * (1 - np.exp(-t / 0.3)))
    noisy = curve * (1 + 0.02 * rng.standard_normal(t.size) + 0.2 * (rng.random(t.size) < 0.02))
    np.testing.assert_allclose(bleaching.bleaching(noisy, 1000.0), curve, rtol=0.03)


def test_the_filter_is_highest_at_the_peak_and_its_noise_is_one():
    rng = np.random.default_rng(8)
    template = matched.first_template(1000.0)
    x = rng.standard_normal(50_000)
    at = np.arange(100, 49_900, 400)
    before, _ = matched.reach(1000.0)
    for k in at:
        x[k - before : k - before + template.size] += 8 * template
    score, response, left = matched.filtered(x, template, 1000.0)
    assert left is score or np.array_equal(left, score)
    assert np.median(np.abs([np.argmax(score[k - 3 : k + 4]) - 3 for k in at])) == 0
    quiet = np.abs((np.arange(x.size) - 100 + 200) % 400 - 200) > 60
    assert score[quiet].std() == pytest.approx(1.0, rel=0.1)
    assert np.argmax(response) == response.size // 2
    assert score[at].mean() == pytest.approx(8 * response.max(), rel=0.1)


@given(st.lists(st.integers(0, 60), max_size=12), st.lists(st.integers(0, 60), max_size=12))
def test_pairs_are_near_and_of_one_each(true, found):
    true, found = np.unique(true).astype(int), np.unique(found).astype(int)
    hit, right = paired(true, found, np.ones(found.size))
    assert hit.sum() == right.sum()
    near = [np.abs(found - t).min(initial=99) <= 1 for t in true]
    assert np.all(np.array(near, bool)[hit])


def test_a_simulated_recording_is_the_same_for_the_same_seed():
    one, two = (sim.simulate_voltage(3, n_cells=2, duration_s=2.0) for _ in range(2))
    assert one[0].fingerprint == two[0].fingerprint
    assert one[1].digest == two[1].digest
    assert one[0]["fluorescence"].channels.kind == "fluorescence"


@pytest.mark.parametrize(
    ("trace", "rate_hz"),
    [
        (np.ones(100), 30.0),
        (np.ones(10), 1000.0),
        (np.full(1000, np.nan), 1000.0),
        (np.r_[np.ones(1000), np.inf], 1000.0),
        (np.ones((100, 2)), 1000.0),
        (np.random.default_rng(0).standard_normal(1000) - 50, 1000.0),
    ],
)
def test_traces_without_voltage_are_refused(trace, rate_hz):
    with pytest.raises(BadArgumentError):
        voltage_.take_apart(trace, rate_hz, 1)


def test_a_constant_and_a_gappy_trace_pass():
    assert voltage_.take_apart(np.full(5000, 100.0), 1000.0, 1).frame.size == 0
    made, true = cell(9, snr=8.0)
    trace = made.fluorescence.copy()
    trace[5000:5400] = np.nan
    taken = voltage_.take_apart(trace, 1000.0, 1)
    assert paired(true, taken.frame, taken.confidence)[0].mean() > 0.7


@pytest.mark.parametrize(
    "wrong", [{"rate_hz": 100.0}, {"snr": 0.0}, {"polarity": 0}, {"n_frames": 1}]
)
def test_simulations_that_make_no_sense_are_refused(wrong):
    size = {"rate_hz": 1000.0, "n_frames": 100, "snr": 5.0, "polarity": 1} | wrong
    with pytest.raises(BadArgumentError):
        sim.voltage(**size, rng=np.random.default_rng(0))
