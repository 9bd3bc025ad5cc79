"""Autocorrelograms of spike trains."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HALF_MS = 50


def later_spikes(
    sample: npt.NDArray[np.int64], width: float, n_bins: int, *, offset: float = 0.0
) -> npt.NDArray[np.int64]:
    """Count pairs of spikes by the time from one to a later one.

    Parameters
    ----------
    sample : ndarray, shape (n_spikes,), int64
        Increasing.
    width : float
        Width of a bin, samples.
    n_bins : int
    offset : float
        Bin k holds differences in ``[(k - offset) * width, (k + 1 - offset) * width)``.

    Returns
    -------
    ndarray, shape (n_bins,), int64
    """
    counts = np.zeros(n_bins, np.int64)
    times = np.asarray(sample, dtype=np.int64)
    first = np.arange(times.size)
    for lag in range(1, times.size):
        # a spike whose lag-th successor is out of reach has no later one within it either
        first = first[first + lag < times.size]
        apart = times[first + lag] - times[first]
        bins = np.floor(apart / width + offset).astype(np.int64)
        inside = bins < n_bins
        first = first[inside]
        if not first.size:
            break
        counts += np.bincount(bins[inside], minlength=n_bins)
    return counts


def autocorrelogram(
    sample: npt.NDArray[np.int64], rate_hz: float, *, half_ms: int = HALF_MS, bin_ms: float = 1.0
) -> npt.NDArray[np.float32]:
    """Firing rate of a unit around its own spikes.

    Parameters
    ----------
    sample : ndarray, shape (n_spikes,), int64
        Increasing.
    rate_hz : float
        Samples per second.
    half_ms : int
        Reach to either side, milliseconds.
    bin_ms : float
        Width of a bin, milliseconds; bins are centred on multiples of it.

    Returns
    -------
    ndarray, shape (2 * half_ms / bin_ms + 1,), float32, Hz
        Symmetric; the central bin is set to 0.
    """
    n_half = round(half_ms / bin_ms)
    counts = later_spikes(sample, bin_ms * rate_hz / 1000, n_half + 1, offset=0.5)
    per_spike = counts / max(len(sample), 1) / (bin_ms / 1000)
    per_spike[0] = 0.0
    return np.concatenate([per_spike[:0:-1], per_spike]).astype(np.float32)
