"""Whether there are spikes at all, and how far they moved."""

import itertools

import numpy as np
import pytest

from nissl.annotators.spikes.detecting import require_spikes, troughs
from nissl.annotators.spikes.drift import Drift, estimate_drift, register
from nissl.annotators.spikes.preprocess import apply_plan, make_plan
from nissl.annotators.spikes.sampling import look_intervals
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.errors import BadSamplesError

RATE = 30_000.0


def filtered(x):
    signal = Signal.from_array(x.astype(np.float32), RATE)
    return apply_plan(signal, make_plan(signal, {"bad_channels": "keep"}, 0)), signal.clock


def test_noise_alone_is_refused_and_a_few_spikes_are_not():
    x = np.random.default_rng(0).standard_normal((round(12 * RATE), 4)) * 10
    with pytest.raises(BadSamplesError, match="spikes"):
        require_spikes(*filtered(x), 0)
    for start in np.linspace(1000, len(x) - 1000, 40).astype(int):
        x[start : start + 12, 2] -= 300 * np.hanning(12)
    require_spikes(*filtered(x), 0)


def test_rare_spikes_outside_the_looks_are_found():
    """Spikes in one tenth of a second only: the looks miss them, the whole shows them."""
    x = np.random.default_rng(0).standard_normal((round(30 * RATE), 2)) * 10
    looked = look_intervals(Clock.regular(RATE, len(x)), 0)
    gap = max(itertools.pairwise(looked), key=lambda p: p[1][0] - p[0][1])
    first = gap[0][1] + 300
    for k in range(30):
        start = first + 100 * k
        x[start : start + 12, 1] -= 300 * np.hanning(12)
    assert first + 3100 < gap[1][0]
    require_spikes(*filtered(x), 0)


def test_constant_samples_hold_no_spikes():
    with pytest.raises(BadSamplesError):
        require_spikes(*filtered(np.full((60_000, 2), 5.0)), 0)


def test_troughs_are_the_deepest_of_their_crossing():
    x = np.zeros((1000, 2), np.float32)
    x[100:104, 0] = [-6, -9, -7, -6]
    x[109, 1] = -12
    x[500, 1] = -8
    x[700, 0] = -4
    assert troughs(x, np.ones(2), RATE).tolist() == [109, 500]


def test_looks_are_in_order_inside_and_across_no_gap():
    clock = Clock.from_segments(1000.0, [5000, 700, 9000], [0.0, 20.0, 40.0])
    looked = look_intervals(clock, 3)
    assert looked == look_intervals(clock, 3)
    assert all(0 <= a < b <= clock.n_samples for a, b in looked)
    assert all(len(list(clock.split(a, b))) == 1 for a, b in looked)
    short = look_intervals(Clock.regular(1000.0, 3000), 0)
    assert short[0][0] == 0
    assert short[-1][1] == 3000


def test_shifted_maps_are_registered_to_a_fraction_of_a_bin():
    depth = np.arange(150)[:, None]
    centres = np.random.default_rng(0).uniform(30, 120, 12)
    weight = np.random.default_rng(1).uniform(0.2, 1, (12, 8))
    true_um = 14 * np.sin(np.linspace(0, 6, 12))
    maps = []
    for shift in true_um:
        bumps = np.exp(-0.5 * ((depth - centres - shift / 2) / 3) ** 2) @ weight
        maps.append(bumps / np.linalg.norm(bumps))
    found = register(np.asarray(maps))
    assert np.abs(found - (true_um - np.median(true_um))).max() < 1.0


def test_drift_is_not_guessed_without_geometry_or_on_few_channels():
    x = np.random.default_rng(0).standard_normal((60_000, 20)).astype(np.float32)
    signal = Signal.from_array(x, RATE)
    recording = apply_plan(signal, make_plan(signal, {}, 0))
    assert estimate_drift(signal, recording, list(range(20)), 0) is None
    place = np.stack([np.zeros(4), 40.0 * np.arange(4)], axis=1)
    few = Signal.from_array(x[:, :4], RATE, channels=ChannelTable.plain(4, position_um=place))
    assert estimate_drift(few, apply_plan(few, make_plan(few, {}, 0)), [0, 1, 2, 3], 0) is None


@pytest.mark.parametrize(("drift", "low", "high"), [(None, 0, 4), ("rigid", 12, 32)])
def test_drift_of_simulated_recordings(drift, low, high):
    from nissl.annotators.spikes.simulate import simulate

    recording, _ = simulate(3, n_channels=16, duration_s=40, n_units=12, drift=drift)
    signal = recording.signal
    filtered_ = apply_plan(signal, make_plan(signal, {}, 0))
    found = estimate_drift(signal, filtered_, list(range(16)), 0)
    assert isinstance(found, Drift)
    assert low <= found.range_um <= high
    assert len(found.to_json()["displacement_um"]) == found.time_s.size
