"""Matching two pulse trains on different clocks, by their intervals, without guessing.

1. *Seeds.* Runs of consecutive intervals that occur once in either train and agree between
   them are the same pulses. A regular train has no such runs: a whole period more or less fits
   as well, and it is refused unless `near` says roughly where to look.
2. *Vote.* Seeds must agree on one offset within the drift that is possible; a second offset
   with a twentieth of the votes (at least three) makes the trains ambiguous.
3. *Growth.* From the seeds outward, every pulse is predicted by the map through the pulses
   matched so far and paired with the only pulse within the tolerance.

A run is told from chance by intervals that are no whole multiple of the train's usual
interval, so a square wave with a few pauses of odd length is matched by its pauses; lost
pulses alone (double and triple intervals) never serve as landmarks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import AmbiguousClockError, BadArgumentError
from nissl.sync.clockmap import ClockMap, Times
from nissl.sync.pulses import Indices, PulseMatch, checked_times, sort_out

_RUNS = (6, 12, 24)  # lengths of runs tried, in intervals
_QUERIES = 20_000  # runs of a looked up at most; more add nothing but time
_NEAR_PULSES = 30  # pulses that seed a match from an approximate map
_AGAINST = 0.05  # part of the votes for another offset that is no chance: a restart, a repeat
_REGULAR = 0.5  # part of the intervals at multiples of one period that makes a train regular


@dataclass(frozen=True)
class _Limits:
    """What two clocks may do to an interval."""

    tolerance_s: float
    drift: float  # seconds per second

    def scaled(self, intervals: Times) -> Times:
        """Intervals on a scale on which two that may be the same differ by at most one."""
        return np.asarray(np.log1p(self.drift * intervals / (2 * self.tolerance_s)) / self.drift)


def match_pulses(
    a_s: npt.ArrayLike,
    b_s: npt.ArrayLike,
    *,
    near: ClockMap | None = None,
    within_s: float | None = None,
    tolerance_s: float = 1e-3,
    max_drift_ppm: float = 200.0,
) -> PulseMatch:
    """Match the pulses that two devices saw of one train.

    Parameters
    ----------
    a_s, b_s : array-like, shape (n,), seconds
        Rising edges on the clock of each device. Either may have lost pulses, have glitches,
        and begin or end earlier than the other.
    near : ClockMap, optional
        Approximate map from a to b: `ClockMap.offset` for "both were started together", or
        the map through barcodes. Needed for regular trains. It is trusted around its first
        knot and followed from there.
    within_s : float, optional
        How far off `near` may be, seconds; needed with it, and shorter than half the
        shortest regular interval.
    tolerance_s : float
        Jitter of an edge (line, sampling, interrupt), seconds.
    max_drift_ppm : float
        Largest difference of the two rates, parts per million.

    Raises
    ------
    AmbiguousClockError
        Regular trains without `near`, trains that fit in several ways, and trains that do
        not fit at all.
    BadMetadataError
        Times that are not finite or do not increase.
    BadArgumentError
        A tolerance or drift that is not above zero.
    """
    a, b = checked_times(a_s, "a"), checked_times(b_s, "b")
    if not (tolerance_s > 0 and max_drift_ppm > 0):
        raise BadArgumentError(
            "tolerance_s and max_drift_ppm above 0",
            f"{tolerance_s} s and {max_drift_ppm} ppm",
            "No two devices agree exactly; the defaults fit most rigs.",
        )
    limits = _Limits(tolerance_s, max_drift_ppm * 1e-6)
    if min(a.size, b.size) < 2:
        raise AmbiguousClockError(
            "at least two pulses on both devices",
            f"{a.size} and {b.size}",
            "Check the sync line; with a single pulse use ClockMap.offset.",
        )
    if near is not None:
        seeds = _seeds_near(a, b, near, within_s, limits)
    else:
        seeds = _seeds_by_intervals(a, b, limits)
    pairs, ambiguous = _grow(a, b, seeds, limits)
    match = sort_out(a, b, pairs, ambiguous, tolerance_s)
    _check_fit(match)
    return match


def _seeds_by_intervals(a: Times, b: Times, limits: _Limits) -> Indices:
    period = _period(a, b, limits)
    for length in _RUNS:
        length = min(length, a.size - 1, b.size - 1)
        hits = _common_runs(a, b, length, limits, period)
        groups = _agreeing(a, b, hits, limits)
        best = next(groups, hits[:0])
        second = next(groups, hits[:0])
        votes = _apart(best, length)
        if votes < (1 if period is None else 3) or length < 3:
            continue
        against = _apart(second, length)
        if 2 * against >= votes or against >= max(3, _AGAINST * votes):
            raise AmbiguousClockError(
                "pulse trains that fit each other in one way",
                f"{votes} runs of pulses for one offset and {against} for another",
                "A device may have restarted: match the parts one by one, or give near= and "
                "within_s=.",
            )
        return _run_pairs(best, length)
    what = (
        "trains with no run of intervals in common that occurs once in each"
        if period is None
        else f"regular trains (every {period:g} s), which also fit a whole period apart"
    )
    raise AmbiguousClockError(
        "intervals that tell one pulse from another",
        what,
        "Give near= and within_s= (for example from barcodes or a common start), or use a "
        "jittered sync train.",
    )


def _period(a: Times, b: Times, limits: _Limits) -> float | None:
    """Usual interval of the trains when both are regular, else None."""
    medians = []
    for times in (a, b):
        steps = np.diff(times)
        period = float(np.median(steps))
        if np.mean(_is_multiple(steps, period, limits)) < _REGULAR:
            return None
        medians.append(period)
    return medians[0]


def _is_multiple(steps: Times, period: float, limits: _Limits) -> npt.NDArray[np.bool_]:
    # the period is measured on the same clock, so only its wander (a few ppm) counts here
    whole = np.maximum(np.rint(steps / period), 1)
    return np.asarray(np.abs(steps - whole * period) <= 2 * limits.tolerance_s + 5e-6 * steps)


def _common_runs(a: Times, b: Times, length: int, limits: _Limits, period: float | None) -> Indices:
    """First pulses ``(i, j)`` of runs that occur once in each train and agree, (n, 2)."""
    steps_a, steps_b = np.diff(a), np.diff(b)
    runs_a, runs_b = (
        np.lib.stride_tricks.sliding_window_view(limits.scaled(s), length)
        for s in (steps_a, steps_b)
    )
    starts = np.arange(runs_a.shape[0])
    if period is not None:
        odd = ~_is_multiple(steps_a, period, limits)
        starts = starts[np.lib.stride_tricks.sliding_window_view(odd, length).any(axis=1)]
    if starts.size > _QUERIES:
        starts = starts[np.linspace(0, starts.size - 1, _QUERIES).astype(np.int64)]
    if starts.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    from scipy.spatial import cKDTree

    tree_a, tree_b = cKDTree(runs_a), cKDTree(runs_b)
    starts = starts[_alone(tree_a, runs_a[starts])]
    if starts.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    distance, found = tree_b.query(runs_a[starts], p=np.inf, distance_upper_bound=1.0)
    hit = np.isfinite(distance)
    starts, found = starts[hit], found[hit]
    alone = _alone(tree_b, runs_b[found]) if found.size else np.zeros(0, dtype=bool)
    return np.stack([starts[alone], found[alone]], axis=1).astype(np.int64)


def _alone(tree: Any, runs: Times) -> npt.NDArray[np.bool_]:
    """Whether nothing else in the tree could be mistaken for each of its runs."""
    if tree.n < 2:
        return np.ones(runs.shape[0], dtype=bool)
    distance, _ = tree.query(runs, k=2, p=np.inf, distance_upper_bound=2.0)
    return np.asarray(~np.isfinite(distance[:, 1]))


def _agreeing(a: Times, b: Times, hits: Indices, limits: _Limits) -> Iterator[Indices]:
    """Groups of hits that one offset and a possible drift explain, largest first."""
    while hits.shape[0]:
        at, offset = a[hits[:, 0]], b[hits[:, 1]] - a[hits[:, 0]]
        tries = np.unique(np.linspace(0, at.size - 1, min(at.size, 200)).astype(np.int64))
        best = np.zeros(at.size, dtype=bool)
        for k in tries:
            inside = np.abs(offset - offset[k]) <= limits.tolerance_s + limits.drift * np.abs(
                at - at[k]
            )
            if inside.sum() > best.sum():
                best = inside
        yield _increasing(hits[best])
        hits = hits[~best]


def _increasing(hits: Indices) -> Indices:
    """Hits whose pulses of b follow one another as those of a do."""
    hits = hits[np.argsort(hits[:, 0], kind="stable")]
    keep = (hits[:, 1] > np.concatenate([[-1], np.maximum.accumulate(hits[:, 1])[:-1]])) & (
        hits[:, 1] < np.concatenate([np.minimum.accumulate(hits[::-1, 1])[::-1][1:], [2**62]])
    )
    return hits[keep]


def _apart(hits: Indices, length: int) -> int:
    """Hits that share no pulse with one another: independent votes."""
    count, last = 0, -1
    for i in hits[:, 0].tolist():
        if i > last:
            count, last = count + 1, i + length
    return count


def _run_pairs(hits: Indices, length: int) -> Indices:
    steps = np.arange(length + 1)
    pairs = (hits[:, None, :] + steps[None, :, None]).reshape(-1, 2)
    return _one_to_one(np.unique(pairs, axis=0))


def _one_to_one(pairs: Indices) -> Indices:
    """Pairs whose pulses are in no other pair and that stand in order."""
    for side in (0, 1):
        counts = np.bincount(pairs[:, side])
        pairs = pairs[counts[pairs[:, side]] == 1]
    return _increasing(pairs)


def _seeds_near(
    a: Times, b: Times, near: ClockMap, within_s: float | None, limits: _Limits
) -> Indices:
    shortest = min(float(np.percentile(np.diff(t), 5)) for t in (a, b))
    if within_s is None or not 0 < 2 * within_s < shortest:
        raise AmbiguousClockError(
            f"within_s above 0 and below {shortest / 2:g} s, half the train's shortest interval",
            repr(within_s),
            "Give a better approximate map: a wider one would fit a whole period off as well.",
        )
    expected = near(a)
    common = np.flatnonzero((expected > b[0] - within_s) & (expected < b[-1] + within_s))
    order = np.argsort(np.abs(a[common] - near.knots_a_s[0]), kind="stable")[:_NEAR_PULSES]
    chosen = np.sort(common[order])
    pairs, _ = _pair(expected[chosen], b, within_s)
    pairs = np.stack([chosen[pairs[:, 0]], pairs[:, 1]], axis=1)
    offset = b[pairs[:, 1]] - near(a[pairs[:, 0]])
    middle = np.median(offset) if offset.size else 0.0
    pairs = pairs[
        np.abs(offset - middle) <= 2 * limits.tolerance_s + _span(a, pairs) * limits.drift
    ]
    if pairs.shape[0] < 2:
        raise AmbiguousClockError(
            f"at least two pulses within {within_s:g} s of where near= expects them",
            f"{pairs.shape[0]}",
            "Check the approximate map (b's seconds at a's seconds), or leave it out.",
        )
    return pairs


def _span(a: Times, pairs: Indices) -> float:
    return float(np.ptp(a[pairs[:, 0]])) if pairs.shape[0] else 0.0


def _pair(expected: Times, b: Times, gate_s: float) -> tuple[Indices, tuple[Indices, Indices]]:
    """Pairs with the only pulse of b within the gate, and indices with several candidates."""
    first = np.searchsorted(b, expected - gate_s)
    stop = np.searchsorted(b, expected + gate_s, side="right")
    one = np.flatnonzero(stop - first == 1)
    pairs = np.stack([one, first[one]], axis=1).astype(np.int64)
    kept = _one_to_one(pairs)
    in_pair = np.zeros(expected.size, dtype=bool)
    in_pair[kept[:, 0]] = True
    unsure = np.flatnonzero((stop > first) & ~in_pair)
    claimed = [np.arange(first[k], stop[k]) for k in unsure.tolist()]
    disputed = np.unique(np.concatenate(claimed)) if claimed else np.empty(0, np.int64)
    clash = np.isin(kept[:, 1], disputed)
    ambiguous_a = np.union1d(unsure, kept[clash, 0]).astype(np.int64)
    return kept[~clash], (ambiguous_a, disputed.astype(np.int64))


def _grow(
    a: Times, b: Times, seeds: Indices, limits: _Limits
) -> tuple[Indices, tuple[Indices, Indices]]:
    """Extend seeds over both trains; each turn reaches as far as the map predicts well."""
    pairs = seeds
    ambiguous = (np.empty(0, np.int64), np.empty(0, np.int64))
    for _ in range(a.size):
        clock_map = ClockMap.through(a[pairs[:, 0]], b[pairs[:, 1]])
        found, ambiguous = _pair(clock_map(a), b, limits.tolerance_s)
        found = _near_enough(a, found, pairs)
        if found.shape[0] < 2 or np.array_equal(found, pairs):
            break
        pairs = found
    return pairs, ambiguous


def _near_enough(a: Times, found: Indices, known: Indices) -> Indices:
    """Pairs whose prediction rests on matched pulses not too far away.

    The slope of a stretch of pulses predicts about ten times its length within the
    tolerance; further out a regular train would be paired with the wrong period.
    """
    x = a[known[:, 0]]
    reach = 10 * max(min(60.0, float(np.ptp(x))), float(np.median(np.diff(x))))
    times = a[found[:, 0]]
    after = np.clip(np.searchsorted(x, times), 0, x.size - 1)
    before = np.maximum(after - 1, 0)
    near = np.minimum(np.abs(times - x[after]), np.abs(times - x[before]))
    return found[near <= reach]


def _check_fit(match: PulseMatch) -> None:
    common_a = match.n_pairs + match.missing_b.size + match.extra_a.size
    common_b = match.n_pairs + match.missing_a.size + match.extra_b.size
    share = match.n_pairs / max(min(common_a, common_b), 1)
    if match.n_pairs < 2 or share < 0.5:
        raise AmbiguousClockError(
            "at least half of the pulses in common time to match",
            f"{match.n_pairs} of {min(common_a, common_b)}",
            "Check that both lines carry the same train, and tolerance_s and max_drift_ppm.",
        )
