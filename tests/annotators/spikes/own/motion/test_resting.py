"""Samples go back to rest block by block, the same wherever a stretch begins."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.spikes.own.motion.estimate import Motion
from nissl.annotators.spikes.own.motion.resting import BLOCK_S, Rest

RATE_HZ = 1000.0
POSITION = np.stack([np.zeros(12), np.arange(12) * 20.0], axis=1)
TIME = (np.arange(40) + 0.5) * BLOCK_S


def rest_of(path, depth=(100.0,)):
    moved = np.asarray(path, dtype=np.float64).reshape(len(path), -1)
    return Rest(Motion(TIME[: len(path)], np.asarray(depth), moved), POSITION, RATE_HZ)


GLIDING = rest_of(np.linspace(0, 20, 40))


@given(st.integers(0, 9000), st.integers(1, 500), st.integers(1, 3))
def test_runs_cover_a_stretch_and_depend_on_the_sample_alone(start, n, step):
    runs = GLIDING.runs(start, n, step)
    assert [runs[0][0], runs[-1][1]] == [0, n]
    assert all(a[1] == b[0] for a, b in pairwise(runs))
    for first, stop, moved in runs:
        for at in (first, stop - 1):
            block = (start + at * step) // round(BLOCK_S * RATE_HZ)
            np.testing.assert_array_equal(moved, GLIDING.displacement(np.asarray([block]))[0])


def test_blocks_that_are_displaced_alike_share_a_run():
    still_then_moved = rest_of([0.0] * 20 + [30.0] * 20)
    runs = still_then_moved.runs(0, 10_000, 1)
    assert [r[:2] for r in runs] == [(0, 5000), (5000, 10_000)]
    assert runs[0][2].tolist() == [0.0] * 12
    assert runs[1][2].tolist() == [30.0] * 12


def test_a_jump_is_not_smeared_and_a_glide_is_followed():
    jumping = Rest(
        Motion(np.asarray([4.0, 12.0]), np.asarray([0.0]), np.asarray([[0.0], [80.0]])),
        POSITION,
        RATE_HZ,
    )
    seen = np.unique(jumping.displacement(np.arange(64)))
    assert seen.tolist() == [0.0, 80.0]
    gliding = Rest(
        Motion(np.asarray([4.0, 12.0]), np.asarray([0.0]), np.asarray([[0.0], [5.0]])),
        POSITION,
        RATE_HZ,
    )
    assert np.unique(gliding.displacement(np.arange(64))).size == 11


def test_each_channel_moves_as_its_depth():
    both = rest_of([[0.0, 22.0]] * 4, depth=(0.0, 220.0))
    moved = both.displacement(np.asarray([1]))[0]
    assert moved == pytest.approx(np.arange(12) * 2.0, abs=0.26)


def test_what_moves_out_of_view_is_not_seen():
    jumping = rest_of([0.0] * 4 + [100.0] * 4)
    seen = jumping.seen(jumping.displacement(np.asarray([0, 6])))
    assert seen[0].all()
    # tissue moved up by 100 um: what lies at the top at rest is beyond the probe now
    assert seen[1].tolist() == [True] * 7 + [False] * 5
