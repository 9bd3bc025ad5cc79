"""Samples that are taken back to rest get no noise above one SD."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.motion.shifting import shift_matrix
from nissl.annotators.spikes.own.preprocessing.front import no_louder

POSITION_UM = np.stack([np.zeros(16), 20.0 * np.arange(16)], axis=1)


def whitening():
    """Noise that near channels share, and what makes it white."""
    apart = np.abs(POSITION_UM[:, None, 1] - POSITION_UM[None, :, 1])
    noise = np.exp(-apart / 30) + 0.2 * np.eye(16)
    power, directions = np.linalg.eigh(noise)
    return noise, ((directions * power**-0.5) @ directions.T).astype(np.float32)


def loudest(matrix, noise):
    """Largest SD of white noise over directions."""
    return float(np.sqrt(np.linalg.eigvalsh(matrix @ noise @ matrix.T).max()))


@pytest.mark.parametrize("moved_um", [-70.0, -25.0, 10.0, 90.0])
def test_noise_is_nowhere_above_one(moved_um):
    noise, white = whitening()
    rest = shift_matrix(POSITION_UM, np.full(16, moved_um))
    assert loudest(white @ rest, noise) > 1.1
    assert loudest(no_louder(rest, white), noise) == pytest.approx(1, abs=1e-3)


def test_what_is_not_loud_stays_as_it_is():
    _, white = whitening()
    half = 0.5 * np.eye(16, dtype=np.float32)
    assert no_louder(half, white) == pytest.approx(0.5 * white, abs=1e-6)
