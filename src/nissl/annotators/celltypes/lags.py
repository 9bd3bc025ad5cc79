"""Pairs of spikes of one train, counted by lag: once, for all autocorrelograms.

Lags to 1 s are counted exactly, in ticks of 0.01 ms; those of 1 to 10 s in bins of 20 ms by
Fourier transform. Nothing is subsampled.

Spike times lie on the grid of the recording's samples, so that counts in narrow bins depend on
how many grid points fall into each. Counts up to `FINE_S` are therefore smoothed with a
triangle of 0.1 ms half width (what a jitter of each spike by up to 0.05 ms would do on average)
before they are read, and a train means the same at 20 and at 30 kHz.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import LAG_EDGES_S, LOG_EDGES_S, N_DECILES

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

TICK_S = 1e-5
NEAR_S, FAR_S, FAR_BIN_S = 1.0, 10.0, 0.02
FINE_S = 10.0**-1.2
"""Edge of both logarithmic axes (63 ms) below which lags are smoothed."""

SMOOTH_TICKS = 10
_PAIRS_AT_ONCE = 1_000_000
_N_NEAR = round(NEAR_S / TICK_S)
_N_FINE = round(FINE_S / TICK_S)


@dataclass(frozen=True)
class Lags:
    """Counts of pairs by lag.

    Parameters
    ----------
    n_spikes : int
    duration_s : float
    near : ndarray, shape (100000,), int64
        Pairs with lags of 0, 1, .. ticks, to 1 s.
    far : ndarray, shape (501,), float64
        Pairs with lags of 0, 20, .. ms to 10 s; a pair between two bins is shared by them.
    cells : ndarray, shape (10, n_cells), int64, optional
        Pairs of each decile of rate, seen from either of their spikes: first by tick, to
        `FINE_S`, then by bin of `axes.LAG_EDGES_S`.
    """

    n_spikes: int
    duration_s: float
    near: Ints
    far: Values
    cells: Ints | None = None


def count_lags(
    spikes_s: Values, duration_s: float, decile: npt.NDArray[np.intp] | None = None
) -> Lags:
    """Count the pairs of a train.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64
        Seconds, increasing.
    duration_s : float
    decile : ndarray of int, shape (n_spikes,), optional
        Which tenth of the instantaneous rates each spike belongs to.

    Returns
    -------
    Lags
    """
    tick = np.rint((spikes_s - spikes_s[0]) / TICK_S).astype(np.int64)
    near = np.zeros(_N_NEAR, np.int64)
    n_cells, cell_of = _cells()
    cells = None if decile is None else np.zeros(N_DECILES * n_cells, np.int64)
    for first, later in _pairs(tick):
        lag = tick[later] - tick[first]
        near += np.bincount(lag, minlength=_N_NEAR)
        if decile is not None and cells is not None:
            cell = cell_of[lag]
            for spike in (first, later):
                cells += np.bincount(decile[spike] * n_cells + cell, minlength=cells.size)
    by_decile = None if cells is None else cells.reshape(N_DECILES, n_cells)
    return Lags(tick.size, duration_s, near, _far(tick * TICK_S), by_decile)


def smoothed_below(counts: Ints, edges_s: npt.NDArray[np.floating[Any]]) -> Values:
    """Pairs per bin from counts per tick, smoothed over the grid of samples.

    Parameters
    ----------
    counts : ndarray, shape (..., n_ticks), int64
        Of lags from 0 on.
    edges_s : ndarray, shape (n_edges,), float64
        Edges of bins, seconds, within the counted lags.

    Returns
    -------
    ndarray, shape (..., n_edges - 1), float64
    """
    total = np.concatenate([np.zeros((*counts.shape[:-1], 1)), np.cumsum(counts, axis=-1)], axis=-1)
    at = edges_s / TICK_S + 0.5
    half = SMOOTH_TICKS
    # the smoothed cumulative count is the mean of the raw one under the triangle
    offsets = np.arange(-half + 1, half)
    weights = (half - np.abs(offsets)) / half**2
    read = np.zeros((*counts.shape[:-1], at.size))
    for offset, weight in zip(offsets.tolist(), weights.tolist(), strict=True):
        where = np.clip(at + offset, 0, total.shape[-1] - 1)
        low = np.minimum(where.astype(np.int64), total.shape[-1] - 2)
        part = where - low
        read += weight * (total[..., low] * (1 - part) + total[..., low + 1] * part)
    return np.asarray(np.diff(read, axis=-1))


def log_counts(lags: Lags) -> Values:
    """Pairs per bin of `axes.LOG_EDGES_S`, shape (100,), float64."""
    fine = LOG_EDGES_S <= FINE_S * 1.0001
    near = (LOG_EDGES_S >= FINE_S * 0.9999) & (LOG_EDGES_S <= NEAR_S * 1.0001)
    far = LOG_EDGES_S >= NEAR_S * 0.9999
    ticks = np.concatenate([[0], np.cumsum(lags.near)])
    at_near = ticks[np.minimum(np.rint(LOG_EDGES_S[near] / TICK_S).astype(np.int64), _N_NEAR)]
    at_far = np.interp(
        LOG_EDGES_S[far] / FAR_BIN_S,
        np.arange(lags.far.size + 1) - 0.5,
        np.concatenate([[0], np.cumsum(lags.far)]),
    )
    return np.concatenate(
        [
            smoothed_below(lags.near[: _N_FINE + 2 * SMOOTH_TICKS], LOG_EDGES_S[fine]),
            np.diff(at_near),
            np.diff(at_far),
        ]
    )


def decile_counts(lags: Lags) -> Values:
    """Pairs per decile and bin of `axes.LAG_EDGES_S`, shape (10, 50), float64."""
    if lags.cells is None:
        return np.full((N_DECILES, LAG_EDGES_S.size - 1), np.nan)
    fine = LAG_EDGES_S <= FINE_S * 1.0001
    n_fine = _N_FINE + 2 * SMOOTH_TICKS
    return np.concatenate(
        [smoothed_below(lags.cells[:, :n_fine], LAG_EDGES_S[fine]), _coarse(lags.cells, n_fine)],
        axis=1,
    )


def _coarse(cells: Ints, n_fine: int) -> Values:
    """Bins beyond `FINE_S`; the first begins within the fine ticks."""
    coarse = cells[:, n_fine:].astype(np.float64)
    coarse[:, 0] += cells[:, _N_FINE + 1 : n_fine].sum(axis=1)
    return coarse


def _cells() -> tuple[int, Ints]:
    """Number of cells, and the cell of each lag in ticks."""
    n_fine = _N_FINE + 2 * SMOOTH_TICKS
    edges = LAG_EDGES_S[LAG_EDGES_S > FINE_S * 1.0001] / TICK_S
    lag = np.arange(_N_NEAR)
    cell = np.where(lag < n_fine, lag, n_fine + np.searchsorted(edges, lag, side="right"))
    return n_fine + edges.size, np.minimum(cell, n_fine + edges.size - 1)


def _pairs(tick: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Indices of earlier and later spikes less than `NEAR_S` apart, in portions."""
    n = tick.size
    reach = np.searchsorted(tick, tick + _N_NEAR, side="left") - np.arange(n) - 1
    total = np.cumsum(reach)
    if not n or total[-1] == 0:
        return
    cuts = np.searchsorted(total, np.arange(_PAIRS_AT_ONCE, total[-1], _PAIRS_AT_ONCE)) + 1
    edges = np.unique([0, *cuts.tolist(), n]).tolist()
    for start, stop in pairwise(edges):
        own = reach[start:stop]
        first = np.repeat(np.arange(start, stop), own)
        begin = np.repeat(np.cumsum(own) - own, own)
        yield first, first + 1 + np.arange(first.size) - begin


def _far(times_s: Values) -> Values:
    from scipy.fft import irfft, next_fast_len, rfft

    n_lags = round(FAR_S / FAR_BIN_S)
    train = np.bincount((times_s / FAR_BIN_S).astype(np.int64)).astype(np.float64)
    size = next_fast_len(train.size + n_lags + 1, real=True)
    power = np.abs(rfft(train, size)) ** 2
    return np.asarray(np.maximum(np.rint(irfft(power, size)[: n_lags + 1]), 0.0))


__all__ = ["Lags", "count_lags", "decile_counts", "log_counts", "smoothed_below"]
