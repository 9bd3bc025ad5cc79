"""Noise of a fluorescence trace, in the unit in which recordings are compared."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt


def noise_level(dff: npt.NDArray[Any], rate_hz: float) -> npt.NDArray[np.float32]:
    """Standardised noise of traces, % per sqrt(Hz).

    The median absolute difference of neighbouring frames, divided by the square root of the
    frame rate: transients are rare among the differences, and recordings of different rates
    compare (Rupprecht et al., Nat Neurosci 24, 2021). White noise of standard deviation s has
    a level of 95.4 s / sqrt(rate).

    Parameters
    ----------
    dff : ndarray, shape (n_frames,) or (n_frames, n_cells)
        dF/F as a fraction; NaN are left out.
    rate_hz : float

    Returns
    -------
    ndarray, shape () or (n_cells,), float32
        NaN where fewer than two frames are known.
    """
    steps = np.abs(np.diff(np.asarray(dff, np.float32), axis=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing but NaN is an answer here
        level = np.nanmedian(steps, axis=0)
    return np.asarray(100.0 * level / np.sqrt(rate_hz), np.float32)


def noise_deviation(traces: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Standard deviation of the white part of traces, along their first axis, float32.

    From the differences of neighbouring frames, so that neither slow changes nor rare
    transients count; for a Gaussian the median absolute difference is 0.954 deviations.
    """
    steps = np.abs(np.diff(traces, axis=0))
    if not len(steps):
        return np.full(traces.shape[1:], np.nan, np.float32)
    return np.asarray(np.median(steps, axis=0) / 0.9539, np.float32)
