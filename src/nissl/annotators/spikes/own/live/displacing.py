"""Templates of displaced tissue.

Templates of tissue that moved are those at rest, and samples of a file are taken back to rest
before they are matched. On a stream samples stay as they come, and templates are displaced: by
kriging, which is done to what comes before the whitening.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.motion.shifting import shift_matrix
from nissl.annotators.spikes.own.preprocessing.front import Front
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise

Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]


def last_displacement(front: Front, n_samples: int) -> Values:
    """How far the tissue stood from rest at the end of a recording.

    Parameters
    ----------
    front : Front
    n_samples : int
        Of the recording.

    Returns
    -------
    ndarray, shape (n_channels,), um
        Along the probe; 0 where it never moved.
    """
    if front.rest is None:
        return np.zeros(len(front.columns))
    last = front.rest.block(n_samples - 1, 1, 1)
    return np.asarray(front.rest.displacement(last)[0], np.float64)


def displacing(whitening: Samples, place_um: Values, moved_um: Values) -> Samples:
    """Matrix that displaces white waveforms: those at rest times it are those displaced.

    Parameters
    ----------
    whitening : ndarray, shape (n_channels, n_channels), float32
    place_um : ndarray, shape (n_channels, 2), um
    moved_um : ndarray, shape (n_channels,), um
        Of the tissue along the probe.

    Returns
    -------
    ndarray, shape (n_channels, n_channels), float32
    """
    if not moved_um.any():
        return np.eye(len(place_um), dtype=np.float32)
    white = whitening.astype(np.float64)
    away = white @ shift_matrix(place_um, -moved_um)
    return np.linalg.solve(white.T, away.T).astype(np.float32)


def displaced(
    templates: Templates, whitening: Samples, place_um: Values, moved_um: Values
) -> Templates:
    """Templates at rest, displaced; arguments as for `displacing`."""
    if not moved_um.any():
        return templates
    waves = templates.waveforms @ displacing(whitening, place_um, moved_um)
    return replace(templates, waveforms=without_noise(waves))
