"""Autocorrelograms conditioned on the instantaneous firing rate.

Beau et al. 2025, Cell 188:2218-2234 ("3D-ACG"), after NeuroPyxels: the firing rate around each
spike is the inverse interval, smoothed by a boxcar of 250 ms; spikes are taken by tenths of it.
Here a pair counts for both of its spikes, lags are on `axes.LAG_EDGES_S`, and rates are over
the unit's mean rate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import LAG_EDGES_S, N_DECILES, N_LAGS
from nissl.annotators.celltypes.lags import Lags, decile_counts

Values = npt.NDArray[np.float64]

BOXCAR_S = 0.25
RATE_RANGE_HZ = (1e-4, 1e4)


def instantaneous_rate(spikes_s: Values) -> Values:
    """Firing rate around each spike.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64
        Increasing, three at least.

    Returns
    -------
    ndarray, shape (n_spikes,), float64, Hz
        Each spike spreads evenly between the middles of its two intervals (the inverse of the
        interval as a rate); this is averaged over 125 ms to either side, less at the ends.
    """
    middle = 0.5 * (spikes_s[1:] + spikes_s[:-1])
    count = np.arange(middle.size, dtype=np.float64)
    low = np.clip(spikes_s - BOXCAR_S / 2, middle[0], middle[-1])
    high = np.clip(spikes_s + BOXCAR_S / 2, middle[0], middle[-1])
    spikes = np.interp(high, middle, count) - np.interp(low, middle, count)
    width = high - low
    return np.asarray(spikes / np.where(width > 0, width, np.inf))


def deciles(spikes_s: Values) -> npt.NDArray[np.intp]:
    """Tenth of the instantaneous rates that each spike belongs to, 0 slowest, shape (n_spikes,)."""
    rate = np.clip(instantaneous_rate(spikes_s), *RATE_RANGE_HZ)
    low, high = np.log(RATE_RANGE_HZ)
    # 16 bits, a resolution of 0.03 %, are sorted in one pass
    code = ((np.log(rate) - low) * (65535 / (high - low))).astype(np.uint16)
    rank = np.empty(spikes_s.size, np.intp)
    rank[np.argsort(code, kind="stable")] = np.arange(spikes_s.size)
    return np.asarray(rank * N_DECILES // spikes_s.size)


def acg3(lags: Lags | None) -> Values:
    """Rate at each lag over the mean rate, decile by decile.

    Parameters
    ----------
    lags : Lags, optional
        Of a hundred spikes or more.

    Returns
    -------
    ndarray, shape (10, 50), float64
        1 is the unit's mean rate; NaN without lags, and at lags that the recording is not twice
        as long as.
    """
    if lags is None:
        return np.full((N_DECILES, N_LAGS), np.nan)
    rank = np.arange(lags.n_spikes)
    sizes = np.bincount(rank * N_DECILES // lags.n_spikes, minlength=N_DECILES)
    width, lag = np.diff(LAG_EDGES_S), 0.5 * (LAG_EDGES_S[1:] + LAG_EDGES_S[:-1])
    seen = np.where(lag < lags.duration_s / 2, 1 - lag / lags.duration_s, np.nan)
    rate = decile_counts(lags) / (2 * sizes[:, None] * width * seen)
    return np.asarray(rate * lags.duration_s / lags.n_spikes)


__all__ = ["acg3", "deciles", "instantaneous_rate"]
