"""Known displacements are found from the depths of peaks; still tissue stays still."""

from collections.abc import Callable

import numpy as np
import pytest

from nissl.annotators.spikes.own.motion.estimate import Motion, estimate_motion
from nissl.annotators.spikes.own.motion.path import posterior

SPAN_UM = 300.0
DURATION_S = 100.0
PROBE = (0.0, SPAN_UM)

Displacement = Callable[[np.ndarray, np.ndarray], np.ndarray]


def peaks(displacement: Displacement, seed: int = 0, n: int = 12_000, rates=None):
    """Peaks of 24 units: times, depths, log amplitudes, and the units' depths."""
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0, SPAN_UM, 24)
    size = rng.uniform(1.8, 3.5, 24)
    chance = rng.gamma(2.0, 1.0, 24)
    unit = rng.choice(24, n, p=chance / chance.sum())
    time = np.sort(rng.uniform(0, DURATION_S, n))
    if rates is not None:
        kept = rng.random(n) < rates(time, unit)
        time, unit = time[kept], unit[kept]
    seen = depth[unit] + displacement(time, depth[unit]) + rng.normal(0, 2.0, time.size)
    return time, seen, size[unit] + rng.normal(0, 0.12, time.size), depth


def estimated(time, seen, size, **options) -> Motion:
    found = estimate_motion(time, seen, size, probe_um=PROBE, duration_s=DURATION_S, **options)
    assert found is not None
    return found


def errors(found: Motion, displacement: Displacement, depth: np.ndarray) -> np.ndarray:
    """What is left of each unit's movement, shape (n_times, n_units), median 0."""
    time = np.linspace(0.5, DURATION_S - 0.5, 400)[:, None]
    true = displacement(time, depth[None])
    left = found.at(time, depth[None] + true) - true
    return left - np.median(left, axis=0)


def still(t, y):
    return np.zeros(np.broadcast_shapes(np.shape(t), np.shape(y)))


def slow(t, y):
    return 15 * np.sin(t / 12) + 0 * y


def stretching(t, y):
    return 15 * np.sin(t / 12) * (1 - 0.5 * y / SPAN_UM)


def jumping(t, y):
    return np.where(t < 41.3, 0.0, 70.0) - np.where(t < 77.7, 0.0, 50.0) + 0 * y


@pytest.mark.parametrize("seed", [0, 1])
def test_slow_rigid_movement_is_found(seed: int):
    time, seen, size, depth = peaks(slow, seed)
    found = estimated(time, seen, size)
    assert found.is_rigid
    assert np.median(np.abs(errors(found, slow, depth))) < 0.5
    assert found.range_um == pytest.approx(30, abs=2)


@pytest.mark.parametrize("seed", [0, 1])
def test_depths_that_move_differently_are_told_apart(seed: int):
    time, seen, size, depth = peaks(stretching, seed)
    found = estimated(time, seen, size)
    assert not found.is_rigid
    left = np.median(np.abs(errors(found, stretching, depth)))
    rigid = estimated(time, seen, size, rigid=True)
    assert left < 0.7
    assert left < 0.5 * np.median(np.abs(errors(rigid, stretching, depth)))


def test_jumps_are_followed_at_once():
    time, seen, size, depth = peaks(jumping)
    left = np.abs(errors(estimated(time, seen, size), jumping, depth)).max(axis=1)
    at = np.linspace(0.5, DURATION_S - 0.5, 400)
    settled = (np.abs(at - 41.3) > 1) & (np.abs(at - 77.7) > 1)
    assert left[settled].max() < 2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_still_tissue_stays_still(seed: int):
    time, seen, size, _ = peaks(still, seed)
    found = estimated(time, seen, size)
    assert found.is_rigid
    assert found.range_um < 1


def test_units_that_come_and_go_are_not_movement():
    def rates(time, unit):
        return np.where((unit % 3 == 0) & (time > 50) | (unit % 3 == 1) & (time < 60), 0.03, 1.0)

    time, seen, size, _ = peaks(still, 5, rates=rates)
    assert estimated(time, seen, size).range_um < 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bursts_of_neighbours_are_not_movement(seed: int):
    def rates(time, unit):
        return np.where(np.sin(time / (5 + unit) + 2.4 * unit + seed) > 0.3, 1.0, 0.02)

    time, seen, size, _ = peaks(still, seed, n=25_000, rates=rates)
    assert estimated(time, seen, size).range_um < 1


def test_where_the_probe_begins_changes_nothing():
    time, seen, size, _ = peaks(slow)
    one = estimated(time, seen, size)
    other = estimate_motion(
        time, seen + 1000, size, probe_um=(1000.0, 1000 + SPAN_UM), duration_s=DURATION_S
    )
    assert other is not None
    assert np.allclose(one.displacement_um, other.displacement_um, atol=0.05)
    assert np.allclose(one.depth_um + 1000, other.depth_um)


def test_a_probe_turned_over_reverses_the_movement():
    time, seen, size, _ = peaks(slow)
    one = estimated(time, seen, size)
    other = estimated(time, SPAN_UM - seen, size)
    assert np.abs(one.displacement_um + other.displacement_um).max() < 0.5


def test_order_of_the_peaks_changes_nothing():
    time, seen, size, _ = peaks(stretching, n=6_000)
    mixed = np.random.default_rng(1).permutation(time.size)
    one, other = estimated(time, seen, size), estimated(time[mixed], seen[mixed], size[mixed])
    assert np.allclose(one.displacement_um, other.displacement_um)


@pytest.mark.parametrize(
    "probe_um", [None, (0.0, 75.0)], ids=["no geometry", "shorter than 100 um"]
)
def test_without_a_long_probe_there_is_no_estimate(probe_um):
    time, seen, size, _ = peaks(slow)
    found = estimate_motion(time, seen, size, probe_um=probe_um, duration_s=DURATION_S)
    assert found is None


def test_too_few_peaks_give_no_estimate():
    time, seen, size, _ = peaks(slow, n=200)
    assert estimate_motion(time, seen, size, probe_um=PROBE, duration_s=DURATION_S) is None


def test_peaks_of_unknown_depth_are_left_out():
    time, seen, size, _ = peaks(slow)
    seen = np.where(np.arange(seen.size) % 7 == 0, np.nan, seen)
    assert np.isfinite(estimated(time, seen, size).displacement_um).all()


def test_displacement_is_interpolated_and_held_beyond_the_ends():
    moved = np.array([[0.0, 10.0], [4.0, 30.0]])
    motion = Motion(np.array([1.0, 2.0]), np.array([0.0, 100.0]), moved)
    assert np.allclose(motion.at([1.0, 1.5, 9.0, 0.0], [0.0, 50.0, 999.0, -5.0]), [0, 11, 30, 0])
    assert motion.at(np.zeros((3, 1)), np.zeros((1, 2))).shape == (3, 2)
    rigid = Motion(np.array([1.0, 2.0]), np.array([50.0]), moved[:, :1])
    assert np.allclose(rigid.at([1.0, 1.5], 7.0), [0, 2])


def test_a_path_counted_from_another_origin_is_the_same():
    rng = np.random.default_rng(0)
    state = np.arange(-40, 41, 1.0)
    place = np.cumsum(rng.integers(-1, 2, 60)).astype(float)
    surface = -0.5 * ((state - place[:, None]) / 2) ** 2
    one, _ = posterior(surface, state, np.zeros(60), 1.0)
    origin = np.repeat([0.0, 5.0, -3.0], 20)
    other, _ = posterior(
        -0.5 * ((state + origin[:, None] - place[:, None]) / 2) ** 2, state, origin, 1.0
    )
    assert np.abs(one - other).max() < 1e-6
    assert np.abs(one - place).mean() < 1
