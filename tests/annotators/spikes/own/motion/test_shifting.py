"""Kriging takes displaced samples back to rest, and says where it cannot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.spikes.own.motion.shifting import MAX_GAIN, shift_matrix, shift_to_rest
from nissl.errors import BadArgumentError

POSITION = np.stack(np.meshgrid([0.0, 20.0], np.arange(16) * 20.0, indexing="ij"), axis=-1).reshape(
    -1, 2
)


def field(depth_um: np.ndarray, width_um: float = 30.0) -> np.ndarray:
    """Amplitudes on the channels of sources at depths, shape (n, C)."""
    apart = (POSITION[:, 1] - depth_um[:, None]) ** 2 + (POSITION[:, 0] - 8.0) ** 2
    return np.exp(-apart / (2 * width_um**2))


@given(st.floats(-50, 50))
def test_displaced_sources_come_back_to_rest(moved_um: float):
    rest = np.linspace(110, 190, 9)
    shift = shift_to_rest(POSITION, np.full(32, moved_um))
    back = field(rest + moved_um) @ shift.matrix.T
    good = ~shift.unreliable
    miss = np.linalg.norm((back - field(rest))[:, good], axis=1)
    assert np.all(miss < 0.03 * np.linalg.norm(field(rest), axis=1))


def test_half_a_pitch_is_undone_far_better_than_left_alone():
    rest = np.linspace(110, 190, 9)
    back = field(rest + 10) @ shift_matrix(POSITION, np.full(32, 10.0)).T
    left = np.linalg.norm(field(rest + 10) - field(rest))
    assert np.linalg.norm(back - field(rest)) < 0.1 * left


def test_depths_that_move_apart_come_back_together():
    stretch = 0.05
    rest = np.linspace(100, 200, 11)
    shift = shift_to_rest(POSITION, stretch * POSITION[:, 1] / (1 + stretch))
    back = field(rest * (1 + stretch)) @ shift.matrix.T
    assert np.abs(back - field(rest)).max() < 0.05


def test_no_displacement_is_the_identity():
    shift = shift_to_rest(POSITION, np.zeros(32))
    assert np.array_equal(shift.matrix, np.eye(32, dtype=np.float32))
    assert not shift.unreliable.any()


def test_a_whole_pitch_moves_samples_by_one_channel():
    matrix = shift_matrix(POSITION, np.full(32, 20.0))
    inner = np.arange(16)[:-1]
    assert np.allclose(matrix[inner, inner + 1], 1.0, atol=0.03)


@pytest.mark.parametrize(("moved_um", "end"), [(40.0, 300.0), (-40.0, 0.0)])
def test_channels_that_would_need_tissue_beyond_the_probe_are_unreliable(moved_um, end):
    shift = shift_to_rest(POSITION, np.full(32, moved_um))
    assert shift.unreliable[POSITION[:, 1] == end].all()
    assert not shift.unreliable[np.abs(POSITION[:, 1] - 150) < 80].any()


def test_a_jump_beyond_the_probe_gives_nothing_rather_than_nonsense():
    shift = shift_to_rest(POSITION, np.full(32, 2000.0))
    assert shift.unreliable.all()
    assert np.abs(shift.matrix).max() < 1e-6


@given(st.floats(-400, 400), st.floats(5, 60))
def test_noise_never_grows_beyond_the_limit(moved_um: float, pitch_um: float):
    position = np.stack([np.zeros(24), np.arange(24) * pitch_um], axis=1)
    matrix = shift_to_rest(position, np.full(24, moved_um)).matrix
    assert np.isfinite(matrix).all()
    assert np.linalg.norm(matrix, axis=1).max() <= MAX_GAIN * 1.001


@pytest.mark.parametrize("moved", [np.zeros(31), np.full(32, np.nan)])
def test_bad_displacements_are_refused(moved):
    with pytest.raises(BadArgumentError):
        shift_matrix(POSITION, moved)
