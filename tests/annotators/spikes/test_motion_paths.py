"""Movements over time: a rest first, within their range, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.motion_paths import (
    DRIFTS,
    JUMP_UM,
    PATH_HZ,
    jump_path,
    path_um,
    shares,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(8.0, 300.0))
def test_jumps_are_three_to_and_fro_of_the_sizes_asked_for(seed, duration_s):
    path = jump_path(np.random.default_rng(seed), duration_s)
    steps = np.diff(path)
    steps = steps[steps != 0]
    assert path[0] == 0
    assert len(path) == int(np.ceil(duration_s * PATH_HZ))
    assert len(steps) == 3
    assert np.all((np.abs(steps) >= JUMP_UM[0]) & (np.abs(steps) <= JUMP_UM[1]))
    assert np.array_equal(np.sign(steps), np.sign(steps[0]) * np.asarray([1, -1, 1]))


@pytest.mark.parametrize("drift", DRIFTS)
def test_paths_begin_with_a_rest_and_keep_to_their_range(drift):
    path = path_um(drift, 60.0, np.random.default_rng(3), 20.0)
    again = path_um(drift, 60.0, np.random.default_rng(3), 20.0)
    assert np.array_equal(path, again)
    assert np.all(path[: int(11 * PATH_HZ)] == 0)
    if drift == "jumps":
        steps = np.abs(np.diff(path))
        assert steps.max() <= 20.0
        assert steps[steps > 0].min() >= 10.0
    else:
        assert np.ptp(path) == pytest.approx(20.0, abs=1.0)
        assert np.abs(path).max() <= 10.0 + 1e-6
    steady = np.abs(np.diff(path)).max()
    assert steady < 0.5 if drift in ("rigid", "nonrigid") else steady > 5.0


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_path_of_no_size_stands_still(drift):
    assert np.all(path_um(drift, 20.0, np.random.default_rng(0), 0.0) == 0)


def test_one_end_moves_half_as_far_where_the_drift_is_not_rigid():
    depth = np.asarray([-5.0, 0.0, 50.0, 100.0, 105.0])
    assert np.allclose(shares("nonrigid", depth, (0.0, 100.0)), [0.5, 0.5, 0.75, 1.0, 1.0])
    assert np.all(shares("rigid", depth, (0.0, 100.0)) == 1)
    assert np.all(np.isfinite(shares("nonrigid", depth, (0.0, 0.0))))
