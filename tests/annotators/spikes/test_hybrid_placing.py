"""Hybrids that move and overlap: nothing else changes, and the truth is where the units are."""

import numpy as np
import pytest

from nissl.annotators.spikes.background import Background
from nissl.annotators.spikes.groundtruth import grid_um
from nissl.annotators.spikes.hybrid import build_hybrid
from nissl.annotators.spikes.hybrid_options import HybridOptions
from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.annotators.spikes.motion_paths import PATH_HZ, path_um
from nissl.errors import BadArgumentError

RATE_HZ = 30_000
POSITION_UM = grid_um(32)
SECONDS = 12.0


def make_unit(k, sharp=1.5):
    rng = np.random.default_rng(k)
    t_ms = (np.arange(50) - 25) / 20.0
    shape = np.exp(-((t_ms / 0.15) ** 2)) - 0.4 * np.exp(-(((t_ms - 0.4) / 0.25) ** 2))
    fall = np.exp(-np.abs(np.arange(8) - 2) / sharp)
    times = np.cumsum(0.003 + rng.exponential(0.06, 2000))
    return HybridUnit(f"a/u{k}", "a", -80 * shape[:, None] * fall, 20_000.0, times)


@pytest.fixture(scope="module")
def background():
    noise = np.random.default_rng(1).standard_normal((90_000, 4)) * 30
    return Background(noise.astype(np.float32), 15_000.0, grid_um(4), "made-up noise")


def build(background, n=3, position=POSITION_UM, seed=105, **options):
    units = [make_unit(k) for k in range(n)]
    made = HybridOptions(noise_uv=2.0, **options)
    return build_hybrid(units, background, position, seed=seed, duration_s=SECONDS, options=made)


@pytest.fixture(scope="module")
def still(background):
    return build(background)


@pytest.fixture(scope="module")
def jumping(background):
    return build(background, drift="jumps")


def jumps_of(seed=105, size_um=100.0):
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[3])
    return path_um("jumps", SECONDS, rng, size_um)


@pytest.mark.parametrize("drift", ["nonrigid", "jumps"])
def test_a_movement_of_nothing_changes_no_byte(background, still, drift):
    made = build(background, drift=drift, drift_um=0.0)
    assert made.recording.fingerprint == still.recording.fingerprint
    for name in ("item", "sample", "amplitude", "channel"):
        assert np.array_equal(made.truth.column(name), still.truth.column(name))


def test_a_still_hybrid_declares_what_it_did_before(still):
    assert not {"drift", "drift_um", "overlaps"} & set(still.declaration.parameters)
    assert not any("motion" in s for s in still.declaration.made)


def test_trains_are_the_same_and_the_samples_are_not(background, still):
    moved = build(background, drift="rigid", drift_um=20.0)
    assert moved.recording.fingerprint != still.recording.fingerprint
    for name in ("item", "sample"):
        assert np.array_equal(moved.truth.column(name), still.truth.column(name))


def test_spikes_are_largest_where_the_unit_has_jumped_to(jumping):
    path, y = jumps_of(), POSITION_UM[:, 1]
    samples, truth = jumping.recording.signal.read(), jumping.truth
    assert np.ptp(path) >= 50.0
    for item in truth.items.tolist():
        at = truth.column("sample")[truth.rows_of(item)]
        where = path[(at * PATH_HZ / RATE_HZ).astype(int)]
        place = jumping.declaration.units[item]["place_um"]
        for level in np.unique(path):
            mean = samples[at[where == level]].mean(axis=0)
            best = int(np.argmin(mean))
            assert abs(y[best] - (place[1] + level)) <= 15.0
            assert mean[best] < -40.0


def test_amplitudes_and_channels_of_the_truth_are_those_in_the_traces(jumping):
    samples, truth = jumping.recording.signal.read(), jumping.truth
    at, channel = truth.column("sample"), truth.column("channel")
    assert len(np.unique(channel)) > len(truth.items)
    item, amplitude = truth.column("item"), truth.column("amplitude")
    error = samples[at, channel] - amplitude
    for k in truth.items.tolist():
        assert np.median(np.abs(error[item == k])) < 4.0  # the noise is 2 uV
        peak = np.abs(amplitude[item == k])
        assert peak.min() > 50.0


def test_slow_drift_moves_the_centre_of_a_units_waveform_little_by_little(background):
    made = build(background, drift="rigid", drift_um=30.0)
    rng = np.random.default_rng(np.random.SeedSequence(105).spawn(5)[3])
    path = path_um("rigid", SECONDS, rng, 30.0)
    samples, truth, y = made.recording.signal.read(), made.truth, POSITION_UM[:, 1]
    for item in truth.items.tolist():
        at = truth.column("sample")[truth.rows_of(item)]
        where = path[(at * PATH_HZ / RATE_HZ).astype(int)]
        weight = np.maximum(-samples[at] - 6.0, 0.0) ** 2
        centre = (weight @ y) / weight.sum(axis=1)
        slope = np.polyfit(where, centre, 1)[0]
        assert 0.7 < slope < 1.3


def test_units_stay_beside_the_probe_and_too_short_a_probe_is_refused(background):
    made = build(background, n=8, drift="jumps", seed=106)
    path = jumps_of(106)
    depth = np.asarray([unit["place_um"][1] for unit in made.declaration.units])
    assert depth.min() + path.min() >= -5.0
    assert depth.max() + path.max() <= POSITION_UM[:, 1].max() + 5.0
    with pytest.raises(BadArgumentError, match="longer probe"):
        build(background, position=grid_um(8), drift="jumps", surrogate=True)


def test_the_movement_is_declared_and_that_the_background_stays(jumping):
    (said,) = [s for s in jumping.declaration.made if s.startswith("motion")]
    assert "50 to 100 um" in said
    assert "background stays still" in said
    assert jumping.declaration.parameters["drift"] == "jumps"


def near_share(truth, a, b, window=31):
    first, second = (truth.column("sample")[truth.rows_of(k)] for k in (a, b))
    return np.mean([np.abs(first - s).min() <= window for s in second.tolist()])


def test_of_neighbouring_pairs_one_fires_with_the_other(background, still):
    made = build(background, n=2, overlaps=0.4)
    few = int(still.truth.rows_of(1).size < still.truth.rows_of(0).size)
    assert near_share(made.truth, 1 - few, few) >= 0.35
    assert near_share(still.truth, 1 - few, few) < 0.15
    samples = made.truth.column("sample")
    for k in (0, 1):
        assert np.diff(samples[made.truth.rows_of(k)]).min() >= 29
    assert any(s.startswith("overlaps: in each pair") for s in made.declaration.made)
    assert not any(s.startswith("correlation") for s in made.declaration.made)
    counts = [made.truth.rows_of(k).size for k in (0, 1)]
    assert counts[1 - few] == still.truth.rows_of(1 - few).size
    assert counts[few] >= 0.9 * still.truth.rows_of(few).size
