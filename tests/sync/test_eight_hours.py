"""Eight hours of two devices and a camera; the numbers stand in docs/manual/clocks.md."""

import numpy as np
import pytest

from nissl.sync import ClockMap, frame_times, match_pulses
from nissl.testing.sessions import jittered_train, wandering_clock

HOURS_S = 8 * 3600.0
NOISE_S = 20e-6


@pytest.fixture(scope="module")
def board():
    """The board's clock: 20 ppm off, wandering by 2 ppm in two hours."""
    rng = np.random.default_rng(11)
    return wandering_clock(HOURS_S, rng, offset_s=1234.5, drift_ppm=20, wander_ppm=2)


def lose(times, rng, part):
    keep = rng.random(times.size) >= part
    keep[[0, -1]] = True
    return np.flatnonzero(keep)


def test_two_devices_for_eight_hours(board):
    rng = np.random.default_rng(12)
    train = jittered_train(HOURS_S, rng)
    in_a, in_b = lose(train, rng, 0.01), lose(train, rng, 0.01)
    a = train[in_a] + rng.normal(0, NOISE_S, in_a.size)
    b = board(train[in_b]) + rng.normal(0, NOISE_S, in_b.size)
    match = match_pulses(a, b)
    np.testing.assert_array_equal(in_a[match.pairs[:, 0]], in_b[match.pairs[:, 1]])
    assert match.n_pairs == np.intersect1d(in_a, in_b).size
    clock_map = match.clock_map()
    residuals = clock_map.residuals()
    assert residuals.drift_ppm == pytest.approx(20, abs=3)
    assert residuals.left_out.median_s < 30e-6
    assert residuals.left_out.p99_s < 100e-6
    assert residuals.left_out.max_s < 200e-6
    assert clock_map.verdict(0.5e-3).ok
    # one straight line through eight hours would be wrong by milliseconds
    assert 1e-3 < residuals.affine.max_s < 20e-3
    times = rng.uniform(0, HOURS_S, 100_000)
    assert np.abs(clock_map(times) - board(times)).max() < 150e-6


def test_a_camera_for_eight_hours(board):
    rng = np.random.default_rng(13)
    exposures = np.arange(10.0, HOURS_S - 10, (1 - 45e-6) / 30.0)
    kept, seen = lose(exposures, rng, 0.001), lose(exposures, rng, 0.01)
    pulses = board(exposures[seen]) + rng.normal(0, NOISE_S, seen.size)
    frames = frame_times(pulses, numbers=kept)
    assert frames.dropped.size == exposures.size - kept.size > 700
    assert not np.isin(frames.dropped, kept).any()
    assert frames.lost.size == exposures.size - seen.size
    assert np.abs(frames.times_s - board(exposures[kept])).max() < 150e-6
    clock_map = frames.clock_map(b="board")
    assert clock_map.verdict(frames.limit_s).ok
    assert clock_map.residuals().left_out.max_s < 200e-6
    carried = clock_map(frames.clock.to_seconds(np.arange(0, kept.size, 97)))
    assert np.abs(carried - board(exposures[kept[::97]])).max() < 150e-6


def test_a_regular_train_for_eight_hours_from_a_rough_offset(board):
    rng = np.random.default_rng(14)
    train = np.arange(2.0, HOURS_S)
    in_a, in_b = lose(train, rng, 0.01), lose(train, rng, 0.01)
    a = train[in_a]
    b = board(train[in_b]) + rng.normal(0, NOISE_S, in_b.size)
    match = match_pulses(a, b, near=ClockMap.offset(0.0, 1234.2), within_s=0.4)
    np.testing.assert_array_equal(in_a[match.pairs[:, 0]], in_b[match.pairs[:, 1]])
    assert match.n_pairs == np.intersect1d(in_a, in_b).size
