"""Evidence in cross-correlograms that one unit excites or inhibits another.

A synapse shows as a narrow peak or trough a few milliseconds after the spikes of the first
unit. The null hypothesis is that the second unit's rate around these spikes changes slowly
only: counts are Poisson around the correlogram convolved with a partially hollow Gaussian
(Stark and Abeles 2009, J Neurosci Methods 179:90-100; 0.4-ms bins, 10 ms, 60 % hollow, as in
CellExplorer and English et al. 2017, Neuron 96:505-520). A pair is called connected when

- the most unlikely of the bins centred on 0.8 to 4 ms for a peak, or of the runs of four of
  them (1.6 ms) for a trough, has a p value that stays below `alpha` after Bonferroni's
  correction for all that was looked at: peaks and troughs, bins, and all ordered pairs;
- it differs from what mirrors it at negative lags (binomial test, 0.001): common input, and
  one neuron split in two, look alike to both sides.

A correlogram is evidence, not proof: common input at just this delay passes, and reciprocal
pairs of one sign are missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.trains import once
from nissl.annotators.celltypes.unit import Unit
from nissl.errors import BadArgumentError

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

BIN_MS, HALF_MS = 0.4, 40.0
GAUSSIAN_MS, HOLLOW = 10.0, 0.6
WINDOW_MS = (0.8, 4.0)
TROUGH_BINS = 4
OUTLYING_SD = 4.0
ALPHA, MIRROR_ALPHA = 0.01, 0.001
MIN_EXPECTED = 20.0
"""Pairs of spikes in the window that must be expected for a pair of units to be judged."""

_TICK_S = 1e-5
_BIN = round(BIN_MS / 1000 / _TICK_S)
_HALF = round(HALF_MS / BIN_MS)
_WIDTH = 2 * _HALF + 1
_CELLS_AT_ONCE, _PAIRS_AT_ONCE = 20_000_000, 2_000_000
_FIRST, _LAST = round(WINDOW_MS[0] / BIN_MS), round(WINDOW_MS[1] / BIN_MS)


@dataclass(frozen=True)
class Connection:
    """One pair of units that seems connected.

    Parameters
    ----------
    first, second : int
        Index of the unit that acts, and of the one that is acted on.
    sign : int
        1 excitation, -1 inhibition.
    lag_ms : float
        Middle of the bin or run that is least likely.
    observed : int
        Pairs of spikes in it.
    expected : float
        The same under the null hypothesis.
    p : float
        Corrected for all comparisons.
    strength : float
        Spikes of the second gained or lost per spike of the first, at 0.8 to 4 ms.
    """

    first: int
    second: int
    sign: int
    lag_ms: float
    observed: int
    expected: float
    p: float
    strength: float


@dataclass(frozen=True, eq=False)
class Connections:
    """What was found among the units of a recording.

    Parameters
    ----------
    found : tuple of Connection
    judged : ndarray, shape (n_units, n_units), bool
        Ordered pairs with enough spikes.
    """

    found: tuple[Connection, ...]
    judged: npt.NDArray[np.bool_]

    def outgoing(self) -> Values:
        """How many others each unit seems to excite and to inhibit.

        Returns
        -------
        ndarray, shape (n_units, 2), float64
            NaN for units of which no pair could be judged.
        """
        counts = np.zeros((len(self.judged), 2))
        for each in self.found:
            counts[each.first, 0 if each.sign > 0 else 1] += 1
        counts[~np.any(self.judged, axis=1)] = np.nan
        return counts


def find_connections(units: Sequence[Unit], *, alpha: float = ALPHA) -> Connections:
    """Test all ordered pairs of units that were recorded together.

    Parameters
    ----------
    units : sequence of Unit
        Of one recording; those without spikes are not judged.
    alpha : float
        Probability that anything at all is found where nothing is connected.

    Returns
    -------
    Connections

    Notes
    -----
    Time grows with the number of pairs of spikes within 40 ms: a hundred units of 10 Hz for 20
    minutes take a few seconds.
    """
    if not 0 < alpha < 1:
        raise BadArgumentError(
            "alpha between 0 and 1", f"{alpha}", "Give the probability of a false finding."
        )
    trains = [_ticks(unit) for unit in units]
    n = len(trains)
    judged = np.zeros((n, n), np.bool_)
    candidates: list[Connection] = []
    for rows, counts in correlograms(trains):
        expected = expected_counts(counts)
        window = expected[:, :, _HALF + _FIRST : _HALF + _LAST + 1].sum(axis=2)
        judged[rows] = window >= MIN_EXPECTED
        judged[rows, rows] = False
        first, second = np.nonzero(judged[rows])
        spikes = np.array([trains[k].size for k in rows.tolist()])
        for sign in (1, -1):
            tested = _test(counts[first, second], expected[first, second], sign)
            for pair in np.flatnonzero(tested.p < alpha).tolist():
                gained = (counts - expected)[first[pair], second[pair]]
                candidates.append(
                    Connection(
                        int(rows[first[pair]]),
                        int(second[pair]),
                        sign,
                        float(tested.lag_ms[pair]),
                        int(tested.observed[pair]),
                        float(tested.expected[pair]),
                        float(tested.p[pair]),
                        float(gained[_HALF + _FIRST : _HALF + _LAST + 1].sum())
                        / float(spikes[first[pair]]),
                    )
                )
    n_tests = 2 * int(judged.sum())
    found = [_corrected(each, n_tests) for each in candidates]
    return Connections(tuple(each for each in found if each.p < alpha), judged)


def correlograms(trains: Sequence[Ints]) -> Iterator[tuple[Ints, Ints]]:
    """Cross-correlograms of all pairs, some first units at a time.

    Parameters
    ----------
    trains : sequence of ndarray, int64
        Spike times in ticks of 0.01 ms, increasing.

    Yields
    ------
    rows : ndarray of int64
        Indices of the first units.
    counts : ndarray, shape (n_rows, n_units, 201), int64
        Spikes of the second by lag to those of the first, in bins of 0.4 ms; the middle one is
        centred on 0.
    """
    n = len(trains)
    if not n:
        return
    unit = np.repeat(np.arange(n), [t.size for t in trains])
    tick = np.concatenate(trains)
    order = np.argsort(tick, kind="stable")
    tick, unit = tick[order], unit[order]
    block = max(_CELLS_AT_ONCE // (n * _WIDTH), 1)
    reach = _HALF * _BIN + _BIN // 2
    for start in range(0, n, block):
        rows = np.arange(start, min(start + block, n))
        own = np.flatnonzero((unit >= rows[0]) & (unit <= rows[-1]))
        counts = np.zeros(rows.size * n * _WIDTH, np.int64)
        low = np.searchsorted(tick, tick[own] - reach, side="left")
        length = np.searchsorted(tick, tick[own] + reach, side="left") - low
        for part in _portions(length):
            size = length[part]
            first = np.repeat(own[part], size)
            begin = np.repeat(np.cumsum(size) - size, size)
            second = np.repeat(low[part], size) + np.arange(first.size) - begin
            bins = (tick[second] - tick[first] + reach) // _BIN
            key = ((unit[first] - rows[0]) * n + unit[second]) * _WIDTH + bins
            counts += np.bincount(key, minlength=counts.size)
        yield rows, counts.reshape(rows.size, n, _WIDTH)


def expected_counts(counts: npt.NDArray[np.generic]) -> Values:
    """Counts under the null hypothesis: convolved with the partially hollow Gaussian.

    Parameters
    ----------
    counts : ndarray, shape (..., 201)

    Returns
    -------
    ndarray, shape (..., 201), float64
        Mirrored at the ends.

    Notes
    -----
    Bins more than four standard deviations off are replaced by what is expected there, and the
    convolution is done again: a strong peak would otherwise make a trough of what surrounds it.
    """
    from scipy.ndimage import convolve1d

    reach = round(3 * GAUSSIAN_MS / BIN_MS)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * BIN_MS / GAUSSIAN_MS) ** 2)
    kernel[reach] *= 1 - HOLLOW
    kernel /= kernel.sum()
    plain = counts.astype(np.float64)
    expected = convolve1d(plain, kernel, axis=-1, mode="mirror")
    odd = np.abs(plain - expected) > OUTLYING_SD * np.sqrt(expected)
    mended = np.where(odd, expected, plain)
    return np.asarray(convolve1d(mended, kernel, axis=-1, mode="mirror"))


@dataclass(frozen=True, eq=False)
class _Tested:
    """Least likely bin or run of each pair; `p` is corrected for the bins only."""

    p: Values
    lag_ms: Values
    observed: Ints
    expected: Values


def _test(counts: Ints, expected: Values, sign: int) -> _Tested:
    from scipy.special import betainc

    width = 1 if sign > 0 else TROUGH_BINS
    middle = np.arange(_FIRST, _LAST + 2 - width)
    seen = _runs(counts[:, _HALF + _FIRST : _HALF + _LAST + 1], width)
    null = _runs(expected[:, _HALF + _FIRST : _HALF + _LAST + 1], width)
    mirrored = _runs(counts[:, _HALF - _LAST : _HALF - _FIRST + 1][:, ::-1], width)
    p = _tail(seen, null, sign)
    best = np.argmin(p, axis=1)
    rows = np.arange(len(p))
    own, other = seen[rows, best], mirrored[rows, best]
    rare, common = (other, own) if sign > 0 else (own, other)
    # binomial probability of `rare` or fewer of both, of even odds
    alike = betainc(np.maximum(common, 1), rare + 1, 0.5)
    alike[rare >= common] = 1.0
    corrected = np.minimum(p[rows, best] * middle.size, 1.0)
    return _Tested(
        np.where(alike < MIRROR_ALPHA, corrected, 1.0),
        (middle[best] + 0.5 * (width - 1)) * BIN_MS,
        own.astype(np.int64),
        null[rows, best],
    )


def _tail(seen: Values, null: Values, sign: int) -> Values:
    """Poisson probability of so many or more (or fewer), half of the count itself included."""
    from scipy.special import gammaln, pdtr, pdtrc

    null = np.maximum(null, 1e-9)
    here = np.exp(seen * np.log(null) - null - gammaln(seen + 1))
    if sign > 0:
        return np.asarray(pdtrc(seen, null) + 0.5 * here)
    return np.asarray(np.where(seen > 0, pdtr(seen - 1, null), 0.0) + 0.5 * here)


def _runs(values: npt.NDArray[np.generic], width: int) -> Values:
    """Sums over runs of bins."""
    runs = np.lib.stride_tricks.sliding_window_view(values.astype(np.float64), width, axis=1)
    return np.asarray(runs.sum(axis=2))


def _corrected(each: Connection, n_tests: int) -> Connection:
    return replace(each, p=min(each.p * n_tests, 1.0))


def _ticks(unit: Unit) -> Ints:
    if unit.spikes_s is None:
        return np.empty(0, np.int64)
    return np.rint(once(unit.spikes_s) / _TICK_S).astype(np.int64)


def _portions(length: Ints) -> Iterator[slice]:
    total = np.cumsum(length)
    if not total.size or total[-1] == 0:
        return
    cuts = np.searchsorted(total, np.arange(_PAIRS_AT_ONCE, total[-1], _PAIRS_AT_ONCE)) + 1
    edges = np.unique([0, *cuts.tolist(), total.size]).tolist()
    for start, stop in pairwise(edges):
        yield slice(start, stop)


__all__ = [
    "Connection",
    "Connections",
    "correlograms",
    "expected_counts",
    "find_connections",
]
