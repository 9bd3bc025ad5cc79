"""Pairs of spikes of one train, counted by lag: once, for all autocorrelograms.

Lags to 1 s are counted exactly, to 63.5 ms in ticks of 0.01 ms and throughout in bins of 1 ms;
those of 1 to 10 s in bins of 50 ms by Fourier transform. Nothing is subsampled.

Spike times lie on the grid of the recording's samples, so that counts in narrow bins depend on
how many grid points fall into each. Every short lag is therefore spread over a triangle of
0.1 ms half width (what a jitter of each spike by up to 0.05 ms would do on average) before it
is read, and a train means the same at 20 and at 30 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import LAG_EDGES_S, LOG_EDGES_S, N_DECILES

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

TICK_S = 1e-5
SPREAD_TICKS = 10
FINE_MS, NEAR_MS = 63.5, 1000.5
FAR_S, FAR_BIN_S = 10.0, 0.05
NARROW_MS, N_NARROW = 0.5, 100

_PER_MS = round(1e-3 / TICK_S)
N_TICKS = round(FINE_MS * _PER_MS)
N_MS = round(NEAR_MS + 0.5)
_N_NEAR = N_TICKS + (N_MS - int(FINE_MS + 0.5))
_LOG_NEAR = 75
_DENSE = 0.2
_PAIRS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Lags:
    """Counts of pairs by lag and by decile of the instantaneous rate.

    A pair counts for the deciles of both of its spikes, so that each is there twice.

    Parameters
    ----------
    n_spikes : int
    duration_s : float
    by_tick : ndarray, shape (10, 6350), int64
        Lags of 0, 0.01, .. ms.
    by_ms : ndarray, shape (10, 1001), int64
        Lags in bins of 1 ms centred on 0, 1, .. 1000 ms.
    far : ndarray, shape (201,), float64
        Pairs, each once, with lags of 0, 50, .. ms to 10 s; a pair between two bins is shared
        by them.
    """

    n_spikes: int
    duration_s: float
    by_tick: Ints
    by_ms: Ints
    far: Values


def count_lags(spikes_s: Values, duration_s: float, decile: npt.NDArray[np.intp]) -> Lags:
    """Count the pairs of a train.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64
        Seconds, increasing.
    duration_s : float
    decile : ndarray of int, shape (n_spikes,)
        Which tenth of the instantaneous rates each spike belongs to.

    Returns
    -------
    Lags
    """
    last = (spikes_s[-1] - spikes_s[0]) / TICK_S
    dtype = np.int32 if last < 2**31 - 1 else np.int64
    tick = np.rint((spikes_s - spikes_s[0]) / TICK_S).astype(dtype)
    return Lags(
        tick.size, duration_s, _by_tick(tick, decile), _by_ms(tick, decile), _far(tick * TICK_S)
    )


def narrow_counts(lags: Lags) -> Values:
    """Pairs in bins of 0.5 ms centred on 0.5 to 50 ms, shape (100,)."""
    return np.asarray(_narrow_bins() @ _near(lags))


def log_counts(lags: Lags) -> Values:
    """Pairs in the bins of `axes.LOG_EDGES_S`, shape (100,)."""
    edges = LOG_EDGES_S[_LOG_NEAR:] / FAR_BIN_S
    total = np.concatenate([[0.0], np.cumsum(lags.far)])
    far = np.diff(np.interp(edges, np.arange(total.size) - 0.5, total))
    return np.concatenate([_log_bins() @ _near(lags), far])


def decile_counts(lags: Lags) -> Values:
    """Pairs, twice each, in the bins of `axes.LAG_EDGES_S` by decile, shape (10, 50)."""
    near = np.concatenate([lags.by_tick, lags.by_ms[:, N_MS - (_N_NEAR - N_TICKS) :]], axis=1)
    return np.asarray((_decile_bins() @ near.T).T)


def counts_by_ms(lags: Lags) -> Values:
    """Pairs in bins of 1 ms centred on 0, 1, .. 1000 ms, shape (1001,)."""
    return np.asarray(lags.by_ms.sum(axis=0) / 2)


def log_intervals(interval_s: Values) -> Values:
    """Intervals in the bins of `axes.LOG_EDGES_S`, shape (100,)."""
    split = LOG_EDGES_S[_LOG_NEAR]
    tick = np.rint(interval_s[interval_s < split] / TICK_S).astype(np.int64)
    coarse = N_TICKS + (tick - N_TICKS) // _PER_MS
    near = np.bincount(np.where(tick < N_TICKS, tick, coarse), minlength=_N_NEAR)
    late = interval_s[(interval_s >= split) & (interval_s < LOG_EDGES_S[-1])]
    bins = np.searchsorted(LOG_EDGES_S[_LOG_NEAR + 1 :], late, side="right")
    n_far = LOG_EDGES_S.size - 1 - _LOG_NEAR
    return np.concatenate([_log_bins() @ near, np.bincount(bins, minlength=n_far)[:n_far]])


def _near(lags: Lags) -> Values:
    """Pairs, each once, by tick and beyond that by millisecond."""
    coarse = lags.by_ms[:, N_MS - (_N_NEAR - N_TICKS) :]
    return np.concatenate([lags.by_tick.sum(axis=0), coarse.sum(axis=0)]) / 2


def _by_tick(tick: npt.NDArray[np.integer[Any]], decile: npt.NDArray[np.intp]) -> Ints:
    row = (decile * N_TICKS).astype(np.int32)
    none = np.zeros_like(row)
    counts = _count(tick, [(row, none), (none, row)], 1, N_TICKS, N_DECILES * N_TICKS)
    return counts.reshape(N_DECILES, N_TICKS)


def _by_ms(tick: npt.NDArray[np.integer[Any]], decile: npt.NDArray[np.intp]) -> Ints:
    row = (decile * N_MS).astype(np.int32)
    counts = _count(tick, [(row * N_DECILES, row)], _PER_MS, N_MS, N_DECILES**2 * N_MS)
    by_both = counts.reshape(N_DECILES, N_DECILES, N_MS)
    return np.asarray(by_both.sum(axis=0) + by_both.sum(axis=1))


def _count(
    tick: npt.NDArray[np.integer[Any]],
    given: Sequence[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]],
    width: int,
    n_bins: int,
    size: int,
) -> Ints:
    """Pairs by what is given of the earlier and of the later spike plus the bin of their lag.

    Bins are centred on multiples of the width. Spikes are compared with their first, second, ..
    successor until none is in reach: whole arrays at a time while many are, the few that are
    left by index.
    """
    reach = n_bins * width - width // 2
    counts: Ints | None = None
    waiting: list[npt.NDArray[np.int32]] = [np.empty(0, np.int32)]
    n_waiting = 0
    for step in range(1, tick.size):
        lag = (tick[step:] - tick[:-step]).astype(np.int32, copy=False)
        inside = lag < reach
        n_inside = int(np.count_nonzero(inside))
        if not n_inside:
            break
        if n_inside > _DENSE * lag.size:
            bins = (lag + width // 2) // width
            waiting += [(bins + a[:-step] + b[step:])[inside] for a, b in given]
        else:
            rows = np.flatnonzero(inside)
            bins = (lag[rows] + width // 2) // width
            waiting += [bins + a[rows] + b[rows + step] for a, b in given]
        n_waiting += n_inside
        if n_waiting > _PAIRS_AT_ONCE:
            part = np.bincount(np.concatenate(waiting), minlength=size)
            counts = part if counts is None else counts + part
            waiting, n_waiting = [np.empty(0, np.int32)], 0
    part = np.bincount(np.concatenate(waiting), minlength=size)
    return part if counts is None else counts + part


@cache
def _narrow_bins() -> Any:
    return _bins((np.arange(N_NARROW + 1) + 0.5) * NARROW_MS / 1000)


@cache
def _log_bins() -> Any:
    return _bins(LOG_EDGES_S[: _LOG_NEAR + 1])


@cache
def _decile_bins() -> Any:
    return _bins(LAG_EDGES_S)


def _bins(edges_s: npt.NDArray[np.floating[Any]]) -> Any:
    """Share of each count, by tick and then by millisecond, that falls into each bin; sparse."""
    from scipy.sparse import csr_array

    edges = edges_s[:, None] / TICK_S
    u = np.clip((edges - np.arange(N_TICKS)) / SPREAD_TICKS, -1.0, 1.0)
    below_tick = np.where(u < 0, 0.5 * (1 + u) ** 2, 1 - 0.5 * (1 - u) ** 2)
    start = N_TICKS + _PER_MS * np.arange(_N_NEAR - N_TICKS)
    below_ms = np.clip((edges - start) / _PER_MS, 0.0, 1.0)
    return csr_array(np.diff(np.concatenate([below_tick, below_ms], axis=1), axis=0))


def _far(times_s: Values) -> Values:
    from scipy.fft import irfft, next_fast_len, rfft

    n_lags = round(FAR_S / FAR_BIN_S)
    train = np.bincount((times_s / FAR_BIN_S).astype(np.int64)).astype(np.float64)
    size = next_fast_len(train.size + n_lags + 1, real=True)
    spectrum = rfft(train, size)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(np.maximum(np.rint(irfft(power, size)[: n_lags + 1]), 0.0))


__all__ = [
    "Lags",
    "count_lags",
    "counts_by_ms",
    "decile_counts",
    "log_counts",
    "log_intervals",
    "narrow_counts",
]
