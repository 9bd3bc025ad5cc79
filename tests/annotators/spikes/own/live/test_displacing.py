"""Templates of displaced tissue are those that displaced samples would have given."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.live.displacing import displaced, displacing, last_displacement
from nissl.annotators.spikes.own.motion.estimate import Motion
from nissl.annotators.spikes.own.motion.resting import Rest
from nissl.annotators.spikes.own.preprocessing.filtering import design
from nissl.annotators.spikes.own.preprocessing.front import Front
from nissl.annotators.spikes.own.preprocessing.whitening import Whitening
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 30_000.0
N = 16
PLACE = np.stack([np.tile([0.0, 20.0], N // 2), 20.0 * (np.arange(N) // 2)], axis=1)
WINDOWS = Windows.at(RATE_HZ / 2)


def whitening():
    """Of noise that neighbours share."""
    near = np.exp(-np.linalg.norm(PLACE[:, None] - PLACE, axis=2) / 40)
    return np.linalg.inv(np.linalg.cholesky(near + 0.3 * np.eye(N))).astype(np.float32)


def waves(depth_um):
    """White waveform of a source at a depth, shape (n_long, N)."""
    far = np.linalg.norm(PLACE - np.asarray([10.0, depth_um]), axis=1)
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    shape = -np.exp(-0.5 * (t / 2.0) ** 2)
    return (200 * shape[:, None] * np.exp(-0.5 * (far / 35) ** 2) @ whitening().T).astype(
        np.float32
    )


@pytest.mark.parametrize("moved_um", [-16.0, -5.0, 7.0, 15.0])
def test_displaced_templates_are_those_of_a_source_further_along(moved_um):
    basis = np.eye(WINDOWS.scored, dtype=np.float32)
    rest = Templates(waves(70.0)[None], basis, np.ones(1), WINDOWS)
    moved = np.full(N, moved_um)
    got = displaced(rest, whitening(), PLACE, moved).waveforms[0]
    true = waves(70.0 + moved_um)
    size = np.linalg.norm(true)
    assert np.linalg.norm(got - true) < 0.1 * size
    assert np.linalg.norm(waves(70.0) - true) > 2.5 * np.linalg.norm(got - true)
    assert displaced(rest, whitening(), PLACE, np.zeros(N)) is rest


def test_nothing_is_done_where_nothing_moved():
    np.testing.assert_array_equal(displacing(whitening(), PLACE, np.zeros(N)), np.eye(N))


def test_the_last_displacement_is_that_at_the_end():
    time = np.asarray([0.5, 1.5, 2.5, 3.5])
    motion = Motion(time, np.asarray([70.0]), np.asarray([[0.0], [-4.0], [2.0], [5.0]]))
    white = Whitening(np.ones(1, np.float32), whitening(), np.ones(N))
    still = Front(tuple(range(N)), design(RATE_HZ), white, 0)
    np.testing.assert_array_equal(last_displacement(still, 120_000), np.zeros(N))
    moving = Front(still.columns, still.band, white, 0, Rest(motion, PLACE, RATE_HZ))
    np.testing.assert_allclose(last_displacement(moving, 120_000), 5.0, atol=0.5)
    np.testing.assert_allclose(last_displacement(moving, 45_000), -3.5, atol=0.6)
