"""Matching pursuit in the domain of scores.

The gain of a spike of unit u with score s is the logarithm of how much more probable the samples
are with it than without, amplitudes distributed normally around 1 (precision `PRIOR`):

    gain = (s + PRIOR)^2 / (2 (norm + PRIOR)) - PRIOR / 2 - log(1 / expected spikes per sample)

The spikes with the largest gains are taken, what they explain is subtracted from all scores
through the templates' correlograms at tenths of a sample, and so on until no gain is positive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.devices import CPU
from nissl.annotators.spikes.own.matching.scoring import scores_of
from nissl.annotators.spikes.own.templates.projection import N_PHASES
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

PRIOR = 50.0
RIVAL_MS = 2.1
MAX_PASSES = 60
LEAST_AMPLITUDE, MOST_AMPLITUDE = 0.45, 1.6
"""Less is what an imperfect template leaves of a large spike, more is another unit."""


@dataclass(frozen=True, eq=False)
class Matched:
    """Spikes.

    Parameters
    ----------
    at : ndarray, shape (n,), int64
        Samples of the peaks, within the white samples.
    shift : ndarray, shape (n,), float32
        Parts of a sample by which each came later, -0.5 to 0.5.
    unit : ndarray, shape (n,), int64
    amplitude : ndarray, shape (n,), float32
        In templates.
    gain : ndarray, shape (n,), float32
    rival : ndarray, shape (n,), int64
        The unit that would have explained it best, were this one not there; -1 none.
    rival_gain : ndarray, shape (n,), float32
        0 where there is none.
    """

    at: Ints
    shift: Samples
    unit: Ints
    amplitude: Samples
    gain: Samples
    rival: Ints
    rival_gain: Samples

    def __len__(self) -> int:
        return self.at.size

    def taken(self, which: npt.NDArray[np.bool_] | Ints) -> Matched:
        """Some of them."""
        return Matched(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def of_units(self, which: npt.NDArray[np.bool_]) -> Matched:
        """Those of some units, by their new numbers; rivals that are gone become -1."""
        number = np.append(np.where(which, np.cumsum(which) - 1, -1), -1)
        own = self.taken(which[self.unit])
        return replace(own, unit=number[own.unit], rival=number[own.rival])

    def joined(self, other: Matched) -> Matched:
        """These, then those."""
        names = self.__dataclass_fields__
        return Matched(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def moved(self, by: int) -> Matched:
        """The same, so many samples later."""
        return replace(self, at=self.at + by)


def costs(templates: Templates, rate_hz: float) -> Samples:
    """What a spike of each unit must gain: log of samples per expected spike."""
    return np.log(rate_hz / np.clip(templates.rate_hz, 0.05, 200.0)).astype(np.float32)


def pursue(
    z: Samples,
    templates: Templates,
    rate_hz: float,
    least: float = LEAST_AMPLITUDE,
    device: str = CPU,
) -> Matched:
    """Find the spikes of all units in white samples.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    templates : Templates
    rate_hz : float
        Of the white samples.
    least : float
        Least amplitude of a spike, in templates.
    device : str
        From `devices.chosen`; all but "cpu" go through PyTorch (`pursuit_on`).

    Returns
    -------
    Matched
        In order of samples, ties by unit.
    """
    windows = templates.windows
    if not len(templates) or len(z) < windows.scored:
        return no_spikes()
    if device != CPU:  # imported only here, as is PyTorch
        from nissl.annotators.spikes.own.matching.pursuit_on import pursue_on

        return pursue_on(z, templates, rate_hz, least, device)
    scores = scores_of(z, templates)
    found = pursue_scores(scores, templates, rate_hz, np.zeros(scores.shape, np.uint8), least)
    return found.moved(windows.before)


def pursue_scores(
    scores: Samples,
    templates: Templates,
    rate_hz: float,
    barred: npt.NDArray[np.uint8],
    least: float = LEAST_AMPLITUDE,
) -> Matched:
    """Find the spikes of all units in their scores.

    Parameters
    ----------
    scores : ndarray, shape (n_units, n), float32
        From `scores_of`; what spikes explain is taken out of them, in place.
    templates : Templates
    rate_hz : float
        Of the white samples.
    barred : ndarray, shape (n_units, n), uint8
        Where a unit may not spike; more is added, in place.
    least : float
        Least amplitude of a spike, in templates.

    Returns
    -------
    Matched
        `at` counts columns of the scores: where the scored window begins.
    """
    start, columns = templates.pairs
    found = _pursue(
        scores,
        barred,
        templates.norms,
        costs(templates, rate_hz),
        templates.overlaps,
        start,
        columns,
        templates.echoes,
        templates.own,
        templates.reach,
        rivals_of(rate_hz),
        templates.windows.refractory,
        np.float32(PRIOR),
        np.float32(least),
    )
    at, unit, shift, amplitude, gain, rival, rival_gain = found
    if not at.size:
        return no_spikes()
    order = np.lexsort((unit, at))
    return Matched(
        at[order],
        shift[order],
        unit[order],
        amplitude[order],
        gain[order],
        rival[order],
        rival_gain[order],
    )


def rivals_of(rate_hz: float) -> int:
    """Samples within which spikes of units that overlap compete."""
    return max(1, round(RIVAL_MS * rate_hz / 1000))


def no_spikes() -> Matched:
    """None at all."""
    i, f = np.empty(0, np.int64), np.empty(0, np.float32)
    return Matched(i, f, i, f, f, i, f)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sub_sample(own: Samples, left: float, middle: float, right: float) -> tuple[float, float]:
    """Shift at which the unit's own scores look like these, and the score at the peak itself."""
    bend = 2 * middle - left - right
    seen = 0.5 * (right - left) / bend if bend > 1e-6 else 0.0
    n = own.shape[0]
    before = -9.0
    for p in range(n):
        b = 2 * own[p, 1] - own[p, 0] - own[p, 2]
        v = 0.5 * (own[p, 2] - own[p, 0]) / b if b > 1e-6 else (-9.0 if p < n // 2 else 9.0)
        if v >= seen:
            if p == 0:
                return -0.5, middle * own[n // 2, 1] / own[0, 1]
            part = (seen - before) / max(v - before, 1e-6)
            part = min(max(part, 0.0), 1.0)
            height = own[p - 1, 1] + part * (own[p, 1] - own[p - 1, 1])
            return (p - 1 + part) / (n - 1) - 0.5, middle * own[n // 2, 1] / height
        before = v
    return 0.5, middle * own[n // 2, 1] / own[n - 1, 1]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def take_out(
    scores: Samples,
    low: int,
    high: int,
    lag0: int,
    shift: float,
    amplitude: float,
    start: int,
    stop: int,
    columns: npt.NDArray[np.int32],
    echoes: Samples,
) -> None:
    """Take a spike out of scores, in place, from column `low` to `high`.

    Parameters
    ----------
    scores : ndarray, shape (n_units, n), float32
    low, high : int
    lag0 : int
        Column that the first lag of `echoes` is of.
    shift, amplitude : float
    start, stop : int
        The unit's own pairs.
    columns, echoes : ndarray
        Of `Templates`.
    """
    if high <= low:  # a slice that ends before it begins might count from the end
        return
    place = (shift + 0.5) * N_PHASES
    p = min(int(place), N_PHASES - 1)
    part = np.float32(place - p)
    a0, a1 = np.float32(amplitude * (1 - part)), np.float32(amplitude * part)
    a, b = low - lag0, high - lag0
    for q in range(start, stop):
        row = scores[columns[q], low:high]
        e0, e1 = echoes[q, p, a:b], echoes[q, p + 1, a:b]
        for t in range(row.size):
            row[t] -= a0 * e0[t] + a1 * e1[t]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _any_from(values: Samples, least: float) -> bool:
    """Whether any value reaches the least, without a branch for each."""
    n = 0
    for t in range(values.size):
        n += values[t] >= least
    return n > 0


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _candidates(
    scores: Samples,
    norms: Samples,
    cost: Samples,
    own: Samples,
    barred: npt.NDArray[np.uint8],
    prior: float,
    floor: float,
    dirty: npt.NDArray[np.uint8],
) -> tuple[Ints, Ints, Samples, Samples, Samples]:
    n_units, n = scores.shape
    size = 256
    at, unit = np.empty(size, np.int64), np.empty(size, np.int64)
    shift, peak, gain = (
        np.empty(size, np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
    )
    count = 0
    n_blocks = dirty.shape[1]
    for u in range(n_units):
        total = norms[u] + prior
        # the least score, half a sample off its peak, that can gain anything
        low = np.sqrt(2 * total * (cost[u] + prior / 2)) - prior
        least = low * min(own[u, 0, 1], own[u, -1, 1]) / own[u, own.shape[1] // 2, 1] * 0.95
        least = max(least, floor * norms[u])
        row, surely = scores[u], np.float32(least * (1 - 1e-6))
        for block in range(n_blocks):
            if dirty[u, block] == 0 or not _any_from(row[block * 64 : block * 64 + 64], surely):
                continue
            for t in range(max(block * 64, 1), min(block * 64 + 64, n - 1)):
                s = row[t]
                if s < least or row[t - 1] > s or row[t + 1] >= s or barred[u, t]:
                    continue
                late, s = _sub_sample(own[u], row[t - 1], s, row[t + 1])
                g = (s + prior) ** 2 / (2 * total) - prior / 2 - cost[u]
                if g <= 0:
                    continue
                if count == size:
                    size *= 2
                    at, unit = (
                        np.append(at, np.empty(count, np.int64)),
                        np.append(unit, np.empty(count, np.int64)),
                    )
                    shift = np.append(shift, np.empty(count, np.float32))
                    peak = np.append(peak, np.empty(count, np.float32))
                    gain = np.append(gain, np.empty(count, np.float32))
                at[count], unit[count], shift[count] = t, u, late
                peak[count], gain[count] = s, g
                count += 1
    return at[:count], unit[:count], shift[:count], peak[:count], gain[:count]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pursue(  # noqa: C901
    scores: Samples,
    barred: npt.NDArray[np.uint8],
    norms: Samples,
    cost: Samples,
    overlaps: npt.NDArray[np.bool_],
    start: npt.NDArray[np.int32],
    columns: npt.NDArray[np.int32],
    echoes: Samples,
    own: Samples,
    reach: int,
    rivals: int,
    refractory: int,
    prior: float,
    floor: float,
) -> tuple[Ints, Ints, Samples, Samples, Samples, Ints, Samples]:
    n_units, n = scores.shape
    n_lags = echoes.shape[2]
    n_blocks = (n + 63) // 64
    dirty = np.ones((n_units, n_blocks), np.uint8)
    size, count = 1024, 0
    f_at, f_unit, f_rival = (
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
    )
    f_real = np.empty((size, 4), np.float32)
    # candidates that are kept from pass to pass
    at, unit = np.empty(0, np.int64), np.empty(0, np.int64)
    shift, peak, gain = np.empty(0, np.float32), np.empty(0, np.float32), np.empty(0, np.float32)
    for _ in range(MAX_PASSES):
        kept = np.empty(at.size, np.bool_)
        for i in range(at.size):
            kept[i] = dirty[unit[i], at[i] // 64] == 0
        fresh = _candidates(scores, norms, cost, own, barred, prior, floor, dirty)
        at = np.concatenate((at[kept], fresh[0]))
        unit = np.concatenate((unit[kept], fresh[1]))
        shift = np.concatenate((shift[kept], fresh[2]))
        peak = np.concatenate((peak[kept], fresh[3]))
        gain = np.concatenate((gain[kept], fresh[4]))
        dirty[:] = 0
        if at.size == 0:
            break
        order = np.argsort(at, kind="mergesort")
        at, unit, shift = at[order], unit[order], shift[order]
        peak, gain = peak[order], gain[order]
        first = 0
        for i in range(at.size):
            while at[first] < at[i] - rivals:
                first += 1
            u = unit[i]
            best = True
            rival, rival_gain = -1, np.float32(0)
            j = first
            while j < at.size and at[j] <= at[i] + rivals:
                if j != i and overlaps[u, unit[j]]:
                    if gain[j] > gain[i] or (gain[j] == gain[i] and j < i):
                        best = False
                        break
                    if unit[j] != u and abs(at[j] - at[i]) * 4 <= rivals and gain[j] > rival_gain:
                        rival, rival_gain = unit[j], gain[j]
                j += 1
            if not best:
                continue
            total = norms[u] + prior
            a = (peak[i] + prior) / total
            a = min(max(a, LEAST_AMPLITUDE), MOST_AMPLITUDE)
            if count == size:
                size *= 2
                f_at = np.append(f_at, np.empty(count, np.int64))
                f_unit = np.append(f_unit, np.empty(count, np.int64))
                f_rival = np.append(f_rival, np.empty(count, np.int64))
                f_real = np.concatenate((f_real, np.empty((count, 4), np.float32)))
            f_at[count], f_unit[count], f_rival[count] = at[i], u, rival
            f_real[count, 0], f_real[count, 1] = shift[i], peak[i] / norms[u]
            f_real[count, 2], f_real[count, 3] = gain[i], rival_gain
            count += 1
            for t in range(max(at[i] - refractory, 0), min(at[i] + refractory + 1, n)):
                barred[u, t] = 1
            lag0 = at[i] - reach
            low, high = max(lag0, 0), min(lag0 + n_lags, n)
            take_out(scores, low, high, lag0, shift[i], a, start[u], start[u + 1], columns, echoes)
            for q in range(start[u], start[u + 1]):
                v = columns[q]
                for block in range(max(low - 1, 0) // 64, min(high, n - 1) // 64 + 1):
                    dirty[v, block] = 1
    return (
        f_at[:count],
        f_unit[:count],
        f_real[:count, 0].copy(),
        f_real[:count, 1].copy(),
        f_real[:count, 2].copy(),
        f_rival[:count],
        f_real[:count, 3].copy(),
    )
