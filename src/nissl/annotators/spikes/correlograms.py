"""Cross-correlograms of spike trains, and what their middle says of a common neuron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.acg import HALF_MS, autocorrelogram

Ints = npt.NDArray[np.int64]

REFRACTORY_MS = 1.5
CENSORED_MS = 0.2
"""Closer pairs are one spike found twice, or two that no sorter tells apart; they say nothing."""

SHOULDER_MS = (10.0, 50.0)
_PAIRS_AT_ONCE = 2_000_000
_PRIOR = 1.0  # a pair seen where one is expected, from before any is looked at


def lag_counts(a: Ints, b: Ints, width: float, n_half: int) -> Ints:
    """Count pairs of spikes by the lag from one of `a` to one of `b`.

    Parameters
    ----------
    a, b : ndarray, shape (n,), int64, samples
        Increasing.
    width : float
        Width of a bin, samples. Bin k to either side holds lags of
        ``[(k - 0.5) * width, (k + 0.5) * width)`` in size, so that exchanging the trains
        mirrors the counts.
    n_half : int
        Bins to either side.

    Returns
    -------
    ndarray, shape (2 * n_half + 1,), int64
    """
    counts = np.zeros(2 * n_half + 1, np.int64)
    reach = int(np.ceil((n_half + 0.5) * width)) - 1  # the outer edge is not in the last bin
    low = np.searchsorted(b, a - reach, side="left")
    high = np.searchsorted(b, a + reach, side="right")
    length = high - low
    total = np.cumsum(length)
    if not total.size or total[-1] == 0:
        return counts
    cuts = np.searchsorted(total, np.arange(_PAIRS_AT_ONCE, total[-1], _PAIRS_AT_ONCE)) + 1
    edges = np.unique([0, *cuts.tolist(), total.size])
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        own = length[start:stop]
        first = np.repeat(low[start:stop] - (np.cumsum(own) - own), own)
        lag = b[first + np.arange(own.sum())] - np.repeat(a[start:stop], own)
        by_lag = np.bincount(lag + reach, minlength=2 * reach + 1)
        lags = np.arange(-reach, reach + 1)
        side = np.floor(np.abs(lags) / width + 0.5).astype(np.int64)
        counts += np.bincount(
            np.sign(lags) * side + n_half, weights=by_lag, minlength=counts.size
        ).astype(np.int64)
    return counts


def crosscorrelogram(
    a: Ints, b: Ints, rate_hz: float, *, half_ms: int = HALF_MS, bin_ms: float = 1.0
) -> npt.NDArray[np.float32]:
    """Firing rate of `b` around the spikes of `a`.

    Parameters
    ----------
    a, b : ndarray, shape (n,), int64, samples
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
        Positive lags: `b` after `a`. Of a train with itself see `autocorrelogram`.
    """
    counts = lag_counts(a, b, bin_ms * rate_hz / 1000, round(half_ms / bin_ms))
    return (counts / max(len(a), 1) / (bin_ms / 1000)).astype(np.float32)


def correlogram(
    a: Ints, b: Ints | None, rate_hz: float, *, half_ms: int = HALF_MS, bin_ms: float = 1.0
) -> npt.NDArray[np.float32]:
    """Cross-correlogram of two trains; the auto-correlogram of the first without a second."""
    if b is None:
        return autocorrelogram(a, rate_hz, half_ms=half_ms, bin_ms=bin_ms)
    return crosscorrelogram(a, b, rate_hz, half_ms=half_ms, bin_ms=bin_ms)


@dataclass(frozen=True)
class Refractory:
    """Whether two trains keep out of each other's refractory period.

    Parameters
    ----------
    observed : int
        Pairs of spikes closer than `REFRACTORY_MS`.
    expected : float
        Such pairs if the two fired independently at the rates that they have within 10 to
        50 ms of each other.
    probability : float
        That the true ratio of the two is below one half, see `refractory`.
    """

    observed: int
    expected: float
    probability: float


def refractory(a: Ints, b: Ints, rate_hz: float) -> Refractory:
    """Weigh the missing of short intervals between two trains.

    Parameters
    ----------
    a, b : ndarray, shape (n,), int64, samples
        Increasing.
    rate_hz : float

    Returns
    -------
    Refractory

    Notes
    -----
    The middle of the correlogram over its shoulders, as in Kilosort's merging (Pachitariu et
    al. 2024, Nature Methods 21:914-921), judged as a ratio of Poisson counts: with a Gamma
    prior of mean 1 (one pair) its posterior is a Gamma distribution, and `probability` is that
    below one half. Where no pairs are to be expected it is that of the prior, 0.39.
    """
    from scipy.special import gammainc

    near = _within(a, b, REFRACTORY_MS, rate_hz) - _within(a, b, CENSORED_MS, rate_hz)
    shoulder = _within(a, b, SHOULDER_MS[1], rate_hz) - _within(a, b, SHOULDER_MS[0], rate_hz)
    share = (REFRACTORY_MS - CENSORED_MS) / (SHOULDER_MS[1] - SHOULDER_MS[0])
    expected = shoulder * share
    probability = gammainc(near + _PRIOR, 0.5 * (expected + _PRIOR))
    return Refractory(int(near), float(expected), float(probability))


def _within(a: Ints, b: Ints, reach_ms: float, rate_hz: float) -> int:
    """Pairs at most so far apart."""
    reach = round(reach_ms * rate_hz / 1000)
    high = np.searchsorted(b, a + reach, side="right")
    return int(np.sum(high - np.searchsorted(b, a - reach, side="left")))
