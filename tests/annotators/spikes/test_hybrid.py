"""Hybrids: real units in a background, each true spike where it was put, nothing unsaid."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.background import (
    BAND_HZ,
    Background,
    Surrogate,
    load_locust,
    real_blocks,
)
from nissl.annotators.spikes.footprints import N_PHASES, footprint, sampled_at, tapered
from nissl.annotators.spikes.groundtruth import GAIN_UV, grid_um
from nissl.annotators.spikes.hybrid import HybridOptions, build_hybrid
from nissl.annotators.spikes.hybrid_units import (
    HybridUnit,
    choose,
    load_cellexplorer,
    split_by_animal,
)
from nissl.annotators.spikes.trains import fit_train, without_violations
from nissl.errors import BadArgumentError, BadMetadataError, BadSamplesError, SourceNotFoundError

DATA = Path(os.environ.get("NISSL_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="no real recordings; point NISSL_DATA at the data folder"
)


def make_unit(name="a/u0", animal="a", *, peak_uv=-80.0, rate_hz=20_000.0, n_channels=6, seed=0):
    """A unit with one trough per channel, falling off from channel 2 on."""
    rng = np.random.default_rng(seed)
    t_ms = (np.arange(50) - 25) / rate_hz * 1e3
    shape = np.exp(-((t_ms / 0.15) ** 2)) - 0.4 * np.exp(-(((t_ms - 0.4) / 0.25) ** 2))
    fall = np.exp(-np.abs(np.arange(n_channels) - 2) / 1.5)
    times = np.cumsum(0.002 + rng.exponential(0.08, 4000))
    return HybridUnit(name, animal, peak_uv * shape[:, None] * fall, rate_hz, times, "x")


def make_background(n_channels=4, *, seconds=6.0, rate_hz=15_000.0, seed=1):
    """Coloured noise, correlated between channels, with an offset, in steps not uV."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate_hz)
    white = rng.standard_normal((n + 2, n_channels)) + rng.standard_normal((n + 2, 1))
    samples = 30 * (white[2:] + 0.7 * white[1:-1] + 0.3 * white[:-2]) + 2000
    return Background(
        samples.astype(np.float32), rate_hz, grid_um(n_channels, pitch_um=25.0), "made-up noise"
    )


@pytest.fixture(scope="module")
def library():
    return [make_unit(f"{a}/u{i}", a, seed=10 * i + ord(a)) for a in "abc" for i in range(2)]


@pytest.fixture(scope="module")
def hybrid(library):
    return build_hybrid(library[:3], make_background(), grid_um(8), seed=5, duration_s=8.0)


def mean_at_spikes(made, item, *, before=30, after=40):
    samples, rows = made.recording.signal.read(), made.truth.rows_of(item)
    at = made.truth.column("sample")[rows]
    at = at[(at > before) & (at < len(samples) - after)]
    return np.mean([samples[s - before : s + after] for s in at], axis=0)


def window_of(template, n_before, *, before=30, after=40):
    """The template around its extreme value, zeros where it does not reach."""
    padded = np.pad(template, ((before, after), (0, 0)))
    return padded[n_before : n_before + before + after]


# --- the whole -----------------------------------------------------------------------------


def test_same_seed_same_bytes_other_seed_other_bytes(library, hybrid):
    again = build_hybrid(library[:3], make_background(), grid_um(8), seed=5, duration_s=8.0)
    other = build_hybrid(library[:3], make_background(), grid_um(8), seed=6, duration_s=8.0)
    assert again.recording.fingerprint == hybrid.recording.fingerprint
    assert again.truth.digest == hybrid.truth.digest
    assert again.items.digest == hybrid.items.digest
    assert other.truth.digest != hybrid.truth.digest


def test_templates_stand_in_the_traces_at_the_true_times(hybrid):
    n_before = hybrid.items.context["n_before"]
    for row, item in enumerate(hybrid.truth.items.tolist()):
        mean = mean_at_spikes(hybrid, item)
        channel = int(hybrid.items.table.column("channel")[row].as_py())
        template = hybrid.items.arrays["template"][row]
        assert abs(int(np.argmax(np.abs(mean[:, channel]))) - 30) <= 1
        expected = window_of(template, n_before)
        assert np.corrcoef(mean.ravel(), expected.ravel())[0, 1] > 0.95


def test_real_amplitudes_are_kept_in_microvolts(hybrid):
    # every unit of the library has the same trough on its best channel
    trough_uv = make_unit().amplitude_uv
    assert trough_uv == pytest.approx(78.0, abs=1.0)
    template = hybrid.items.arrays["template"]
    assert np.allclose(template.min(axis=(1, 2)), -trough_uv, rtol=0.01)
    assert np.allclose(hybrid.items.table.column("snr").to_numpy(), trough_uv / 6.0, rtol=0.01)
    assert np.allclose(hybrid.recording.signal.channels.gain_uv, GAIN_UV)


def test_signal_to_noise_ratios_are_as_asked_and_seen_in_the_traces(library):
    options = HybridOptions(snr=(8.0, 8.0), noise_uv=5.0)
    made = build_hybrid(library[:2], make_background(), grid_um(8), seed=1, duration_s=6.0,
                        options=options)  # fmt: skip
    assert np.allclose(made.items.table.column("snr").to_numpy(), 8.0, rtol=1e-3)
    for item in made.truth.items.tolist():
        assert mean_at_spikes(made, item).min() == pytest.approx(-40.0, rel=0.12)


def test_background_has_the_level_asked_for(library):
    for n_channels in (4, 8):  # real, surrogate
        made = build_hybrid(
            library[:1], make_background(), grid_um(n_channels), seed=2, duration_s=8.0,
            options=HybridOptions(noise_uv=9.0),
        )  # fmt: skip
        signal = made.recording.signal
        level = Background(signal.read(), 30_000.0, signal.channels.position_um, "").level()
        assert level == pytest.approx(9.0, rel=0.1)


def test_declares_what_is_real_and_what_is_made(library):
    real = build_hybrid(library[:2], make_background(), grid_um(4), seed=0, duration_s=8.0)
    declared = real.recording.signal.metadata["declaration"]
    assert declared["kind"] == "hybrid"
    assert {s.split(":")[0] for s in declared["real"]} == {"waveforms", "trains", "background"}
    assert any("continued by crossfaded pieces" in s for s in declared["made"])
    assert any("not in the truth" in s for s in declared["real"])
    assert [u["unit"] for u in declared["units"]] == ["a/u0", "a/u1"]
    assert [u["n_spikes"] for u in declared["units"]] == [
        real.truth.rows_of(i).size for i in (0, 1)
    ]
    wide = build_hybrid(library[:1], make_background(), grid_um(128), seed=0, duration_s=1.5)
    assert wide.declaration.kind == "semi-synthetic"
    assert any("synthetic, Gaussian" in s for s in wide.declaration.made)
    assert not any(s.startswith("background") for s in wide.declaration.real)


def test_amplitudes_vary_only_when_asked(library):
    background = make_background()
    options = HybridOptions(amplitude_sd=0.1)
    varied = build_hybrid(library[:1], background, grid_um(4), seed=3, duration_s=8.0,
                          options=options)  # fmt: skip
    constant = build_hybrid(library[:1], background, grid_um(4), seed=3, duration_s=8.0)
    spread = [np.std(m.truth.column("amplitude")) / 80.0 for m in (varied, constant)]
    assert spread[0] == pytest.approx(0.1, abs=0.03)
    assert spread[1] < 0.05  # what is left is where between two samples the spike stands


def test_spikes_at_the_very_edges_are_cut_off_not_lost(library):
    made = build_hybrid(library, make_background(), grid_um(4), seed=4, duration_s=3.0)
    samples = made.truth.column("sample")
    assert samples.min() >= 0
    assert samples.max() < made.recording.signal.n_samples


def test_a_file_holds_what_memory_would(library, tmp_path):
    size = {"seed": 9, "duration_s": 3.0}
    held = build_hybrid(library[:2], make_background(), grid_um(8), **size)
    path = tmp_path / "hybrid.bin"
    written = build_hybrid(library[:2], make_background(), grid_um(8), path=path, **size)
    assert written.recording.fingerprint == held.recording.fingerprint
    assert path.stat().st_size == 3 * 30_000 * 8 * 2
    assert np.array_equal(written.recording.signal.read_raw(), held.recording.signal.read_raw())


def test_bad_input_is_refused(library):
    background = make_background()
    with pytest.raises(BadArgumentError, match="at least one unit"):
        build_hybrid([], background, grid_um(4), seed=0)
    with pytest.raises(BadArgumentError, match="real background of 8"):
        build_hybrid(
            library[:1], background, grid_um(8), seed=0, options=HybridOptions(surrogate=False)
        )
    for wrong in ({"noise_uv": 0.0}, {"snr": (5.0, 3.0)}, {"amplitude_sd": 2.0}):
        with pytest.raises(BadArgumentError):
            HybridOptions(**wrong)
    with pytest.raises(BadSamplesError):
        HybridUnit("x", "a", np.full((20, 4), np.nan), 20_000.0, np.arange(9.0))
    with pytest.raises(BadSamplesError):
        HybridUnit("x", "a", np.zeros((20, 4)), 20_000.0, np.arange(9.0))
    with pytest.raises(BadMetadataError):
        HybridUnit("x", "a", np.eye(20), 20_000.0, np.asarray([2.0, 1.0]))
    with pytest.raises(BadMetadataError):
        Background(np.ones((10, 4)), 15_000.0, grid_um(4), "too short")


# --- footprints ----------------------------------------------------------------------------


def test_waveforms_keep_their_shape_at_another_rate_and_between_samples():
    unit = make_unit(rate_hz=20_000.0)
    made = footprint(unit, np.asarray([0.0, 0.0, 10.0]), grid_um(4), 30_000.0, spatial="measured")
    source = tapered(unit.template_uv, unit.rate_hz)[:, 2]
    for phase in range(N_PHASES):
        shift = (phase - N_PHASES // 2) / N_PHASES
        t_s = (np.arange(made.waveforms_uv.shape[1]) - made.n_before - shift) / 30_000.0
        expected = np.interp(t_s, (np.arange(50) - 25) / 20_000.0, source, left=0, right=0)
        best = made.waveforms_uv[phase, :, 0]
        assert np.max(np.abs(best - expected)) < 5.0  # of 80; linear interpolation errs
        assert int(np.argmin(best)) in (made.n_before - 1, made.n_before, made.n_before + 1)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 19), st.integers(1, 4))
def test_interpolation_is_exact_for_what_is_band_limited(at, harmonic):
    t = np.arange(20)
    window = np.sin(np.pi * t / 20) ** 2
    wave = (window * np.cos(2 * np.pi * harmonic * t / 20))[:, None]
    exact = np.sin(np.pi * at / 20) ** 2 * np.cos(2 * np.pi * harmonic * at / 20)
    assert sampled_at(wave, np.asarray([at]))[0, 0] == pytest.approx(exact, abs=0.02)
    whole = np.asarray([float(round(at))])
    assert sampled_at(wave, whole)[0, 0] == pytest.approx(wave[round(at), 0], abs=1e-9)


def test_amplitudes_fall_with_distance_and_the_nearest_contact_keeps_the_real_one():
    unit = make_unit()
    position = grid_um(16)
    place = np.asarray([20.0, 80.0, 8.0])
    for spatial in ("fitted", "measured"):
        made = footprint(unit, place, position, 30_000.0, spatial=spatial)
        size = np.abs(made.template_uv).max(axis=0)
        order = np.argsort(np.hypot(*(position - place[:2]).T), kind="stable")
        assert np.all(np.diff(size[order]) <= 1e-3)
        assert size[order[0]] == pytest.approx(unit.amplitude_uv, rel=0.01)
    with pytest.raises(BadArgumentError):
        footprint(unit, place, position, 30_000.0, spatial="guessed")


def test_measured_amplitudes_are_those_of_the_real_channels():
    unit = make_unit()
    made = footprint(unit, np.asarray([1.0, 2.0, 5.0]), grid_um(4), 30_000.0, spatial="measured")
    real = np.sort(np.abs(tapered(unit.template_uv, 20_000.0)).max(axis=0))[::-1][:4]
    placed = np.sort(np.abs(made.waveforms_uv).max(axis=(0, 1)))[::-1]
    assert np.allclose(placed, real, rtol=0.02)
    assert made.n_real_channels == 4


def test_tapered_waveforms_begin_and_end_at_zero():
    steps = np.full((50, 2), 30.0, dtype=np.float32)
    out = tapered(steps, 20_000.0)
    assert np.allclose(out[[0, -1]], 0.0)
    assert np.allclose(out[6:-6], 30.0)
    assert np.all(np.diff(out[:7, 0]) >= 0)


# --- trains --------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 5), min_size=3, max_size=60),
    st.floats(0.5, 40),
    st.integers(0, 10),
)
def test_fitted_trains_never_violate_the_refractory_period(raw, duration_s, seed):
    times = np.sort(np.asarray([0.0, *raw, 6.0]))
    out, joined = fit_train(times, duration_s, np.random.default_rng(seed), refractory_s=0.002)
    assert joined == (duration_s > 6.0)
    assert np.all(np.diff(out) >= 0.002 - 1e-12)
    assert out.size == 0 or (out[0] >= 0 and out[-1] < duration_s)
    if joined:  # about as many as its rate asks for
        kept = without_violations(times, 0.002).size
        assert out.size >= kept * int(duration_s / 12.0)


def test_a_train_that_is_long_enough_is_cut_not_changed():
    times = np.cumsum(np.full(2000, 0.05))
    out, joined = fit_train(times, 20.0, np.random.default_rng(0))
    assert not joined
    assert out.size == pytest.approx(400, abs=1)
    assert np.allclose(np.diff(out), 0.05)


def test_hybrid_truth_has_no_refractory_violations_even_where_the_source_has():
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 4.0, 400))  # shorter than the hybrid, full of violations
    unit = HybridUnit("v/u0", "v", make_unit().template_uv, 20_000.0, times)
    assert np.diff(times).min() < 1e-4
    made = build_hybrid([unit], make_background(), grid_um(4), seed=0, duration_s=10.0)
    samples = made.truth.column("sample")
    assert np.diff(samples).min() >= 0.001 * 30_000 - 1
    assert made.declaration.units[0]["joined"] is True
    assert any(s.startswith("joined trains: 1") for s in made.declaration.made)
    with pytest.raises(BadArgumentError):
        fit_train(np.asarray([1.0]), 5.0, rng)


# --- units ---------------------------------------------------------------------------------


def test_split_by_animal_is_disjoint_complete_and_the_same_in_any_order(library):
    more = [*library, make_unit("d/u0", "d"), make_unit("b/u9", "b")]
    tune, report = split_by_animal(more)
    assert not {u.animal for u in tune} & {u.animal for u in report}
    assert {u.name for u in tune} | {u.name for u in report} == {u.name for u in more}
    assert abs(len(tune) - len(report)) <= 2
    assert [[u.name for u in side] for side in split_by_animal(more[::-1])] == [
        [u.name for u in tune],
        [u.name for u in report],
    ]


def test_chosen_units_come_from_as_many_animals_as_can_be(library):
    chosen = choose(library, 3, np.random.default_rng(0))
    assert {u.animal for u in chosen} == set("abc")
    again = choose(library[::-1], 3, np.random.default_rng(0))
    assert [u.name for u in again] == [u.name for u in chosen]
    with pytest.raises(BadMetadataError):
        choose(library, 7, np.random.default_rng(0))


# --- background ----------------------------------------------------------------------------


def test_surrogate_has_the_spectrum_and_covariance_of_the_real_background():
    from scipy.signal import welch

    real = make_background(seconds=20.0)
    model = Surrogate.fit(real)
    rng = np.random.default_rng(0)
    made = np.concatenate(list(model.blocks(real.position_um, 150_000, 15_000.0, rng)))
    assert made.shape == (150_000, 4)
    frequency, power = welch(made, 15_000.0, nperseg=512, axis=0)
    expected = welch(real.samples, 15_000.0, nperseg=512, axis=0)[1]
    inside = (frequency > BAND_HZ[0]) & (frequency < BAND_HZ[1])
    ratio = power[inside].mean(axis=1) / expected[inside].mean(axis=1)
    assert np.all(np.abs(np.log(ratio)) < 0.25)
    # measured at the mean distance of the contacts, so compare the mean over pairs
    pairs = np.triu_indices(4, 1)
    covariance = [np.corrcoef(x.T)[pairs].mean() for x in (made, real.samples)]
    assert covariance[0] == pytest.approx(covariance[1], abs=0.05)
    assert model.level() == pytest.approx(real.level(), rel=0.05)


def test_surrogate_covariance_falls_with_distance():
    model = Surrogate.fit(make_background(seconds=20.0))
    rng = np.random.default_rng(0)
    line = np.stack([np.zeros(5), np.arange(5) * 30.0], axis=1)
    made = np.concatenate(list(model.blocks(line, 60_000, 30_000.0, rng)))
    assert np.all(np.diff(np.corrcoef(made.T)[0]) < 0)


def test_a_short_background_is_continued_without_seams_or_periods():
    real = make_background(seconds=5.0)
    blocks = real_blocks(real, 20 * 15_000, 15_000.0, np.random.default_rng(0))
    made = np.concatenate(list(blocks))
    assert len(made) == 20 * 15_000
    steps = np.abs(np.diff(made, axis=0)).max()
    assert steps <= 1.5 * np.abs(np.diff(real.samples, axis=0)).max()
    whole = made.std(axis=0) / real.samples.std(axis=0)
    assert np.allclose(whole, 1.0, atol=0.05)
    parts = made.reshape(40, -1, 4).std(axis=1)  # the level does not dip where pieces meet
    assert np.all(parts > 0.8 * real.samples.std(axis=0))
    lag = 5 * 15_000
    assert abs(np.corrcoef(made[:-lag, 0], made[lag:, 0])[0, 1]) < 0.5


def test_a_long_background_is_cut_as_it_is():
    real = make_background(seconds=5.0)
    (made,) = real_blocks(real, 30_000, 15_000.0, np.random.default_rng(0))
    assert any(np.array_equal(made[0], row) for row in real.samples[::1])


# --- real data -----------------------------------------------------------------------------


@needs_data
@pytest.mark.data
def test_real_library_is_whole_and_splits_by_animal():
    units = load_cellexplorer(DATA)
    assert len(units) == 42
    assert not any(u.label == "Juxta" for u in units)
    assert len({u.times_s.tobytes() for u in units}) == len(units)  # no cell twice
    assert {u.rate_hz for u in units} == {20_000.0, 30_000.0}
    assert all(20.0 < u.amplitude_uv < 500.0 for u in units)  # uV, not steps or mV
    tune, report = split_by_animal(units)
    assert not {u.animal for u in tune} & {u.animal for u in report}
    assert min(len(tune), len(report)) >= 20


@needs_data
@pytest.mark.data
def test_real_hybrid_on_a_tetrode():
    report = split_by_animal(load_cellexplorer(DATA))[1]
    units = choose(report, 4, np.random.default_rng(0))
    background = load_locust(DATA)
    made = build_hybrid(
        units, background, grid_um(4, pitch_um=25.0), seed=0, duration_s=10.0,
        options=HybridOptions(spatial="measured"),
    )  # fmt: skip
    assert "locust" in " ".join(made.declaration.real)
    n_before = made.items.context["n_before"]
    for row, item in enumerate(made.truth.items.tolist()):
        if made.truth.rows_of(item).size < 20:
            continue
        mean = mean_at_spikes(made, item)
        expected = window_of(made.items.arrays["template"][row], n_before)
        assert np.corrcoef(mean.ravel(), expected.ravel())[0, 1] > 0.9


def test_missing_data_name_the_folder_and_the_remedy(tmp_path):
    for load in (load_cellexplorer, load_locust):
        with pytest.raises(SourceNotFoundError, match="NISSL_DATA"):
            load(tmp_path)
