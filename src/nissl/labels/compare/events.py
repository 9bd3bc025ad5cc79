"""EVENTS: units matched by the agreement of their event trains.

Agreement of two units is ``n_match / (n_a + n_b - n_match)``, where events match one to one
within a tolerance; units are matched one to one by the Hungarian method over agreements of
at least `match_score`. Accuracy, precision and recall are SpikeForest's (Magland et al.
2020, eLife 9, e55167), as SpikeInterface computes them (Buccino et al. 2020, eLife 9,
e61834); a tie of events within bursts is never counted twice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import BadArgumentError
from nissl.labels.compare.common import Bools, Floats, Ints, detection, pairs_table, ranges, ratio
from nissl.labels.compare.comparison import Evidence, Scored, Sums
from nissl.labels.labelset import LabelSet

_PAIRS_AT_ONCE = 4_000_000
_LARGEST_MATRIX = 50_000_000


def compare_events(
    a: LabelSet,
    b: LabelSet,
    *,
    tolerance: int = 12,
    match_score: float = 0.5,
    redundant_score: float = 0.2,
    good_score: float = 0.8,
    by_item: bool | None = None,
) -> Scored:
    """Compare event trains.

    Parameters
    ----------
    a, b : LabelSet
        EVENTS on the same sample index.
    tolerance : int
        Samples; events this far apart still match. 12 is 0.4 ms at 30 kHz.
    match_score : float
        Least agreement of matched units.
    redundant_score : float
        An unmatched unit of `b` whose best agreement is below this is a false positive.
    good_score : float
        Accuracy from which a unit counts as well detected.
    by_item : bool, optional
        Whether items are units with trains. By default so unless every item of both sets
        has one event (pulses, onsets); then all events of a set are one train.

    Returns
    -------
    Scored
        Metrics: `accuracy`, `precision`, `recall` (means over true units; 0 for unmatched
        ones), `accuracy_median`, `n_good`, `n_matched`, `n_false_positive`, `n_redundant`,
        `n_overmerged`, `n_missed`. Tables: `other`, one row per unit of `b` with its verdict.
    """
    if tolerance < 0:
        raise BadArgumentError("a tolerance of 0 samples or more", str(tolerance), "Mend it.")
    if by_item is None:
        by_item = not (a.items.size == a.n_rows and b.items.size == b.n_rows)
    if not by_item:
        return _one_train(a, b, tolerance)
    counts = match_counts(a, b, tolerance)
    n_a, n_b = (_sizes(s) for s in (a, b))
    scores = ratio(counts, n_a[:, None] + n_b[None, :] - counts)
    left, right = hungarian(scores, match_score)
    matched = np.full(a.items.size, -1)
    matched[left] = right
    hits = np.where(matched >= 0, counts[np.arange(a.items.size), matched], 0) if n_b.size else 0
    hits = np.broadcast_to(hits, n_a.shape)
    tested = np.where(matched >= 0, n_b[matched], 0) if n_b.size else np.zeros_like(n_a)
    accuracy = hits / np.maximum(n_a + tested - hits, 1)
    precision = hits / np.maximum(tested, 1)
    recall = hits / np.maximum(n_a, 1)
    verdict = _verdicts(scores, right, redundant_score)
    sums = np.column_stack([accuracy, precision, recall, accuracy >= good_score, np.ones(n_a.size)])
    items = pa.table(
        {
            "item": pa.array(a.items),
            "match": pa.array(np.where(matched >= 0, _take(b.items, matched), -1), pa.int64()),
            "n_events": n_a,
            "n_matched": hits.astype(np.int64),
            "accuracy": accuracy,
            "precision": precision,
            "recall": recall,
        }
    )
    other = pa.table(
        {
            "item": pa.array(b.items),
            "n_events": n_b,
            "best_agreement": scores.max(axis=0, initial=0.0),
            "verdict": pa.array(verdict.tolist(), pa.string()),
        }
    )
    extra = {
        "accuracy_median": float(np.median(accuracy)) if n_a.size else float("nan"),
        "n_good": float(np.sum(accuracy >= good_score)),
        "n_matched": float(left.size),
        "n_missed": float(n_a.size - left.size),
        "n_false_positive": float(np.sum(verdict == "false positive")),
        "n_redundant": float(np.sum(verdict == "redundant")),
        "n_overmerged": float(np.sum(np.sum(scores >= redundant_score, axis=0) > 1)),
    }
    evidence = Evidence(sums, _unit_means, np.asarray(a.items))
    matches = pairs_table(a.items[left], b.items[right], scores[left, right])
    return Scored(evidence, items, matches, extra, {"other": other})


def _take(items: Ints, where: Ints) -> Ints:
    return items[where] if items.size else np.full(where.shape, -1)


def _unit_means(sums: Sums) -> dict[str, Floats]:
    names = ("accuracy", "precision", "recall", "fraction_good")
    return {name: ratio(sums[..., k], sums[..., 4]) for k, name in enumerate(names)}


def _sizes(labels: LabelSet) -> Ints:
    return np.asarray(
        np.bincount(
            np.searchsorted(labels.items, labels.column("item")), minlength=labels.items.size
        )
    )


def hungarian(scores: Floats, least: float) -> tuple[Ints, Ints]:
    """Pairs of the one-to-one assignment with the largest sum, over scores of `least` or more."""
    from scipy.optimize import linear_sum_assignment

    scores = np.where(scores >= least, scores, 0.0)
    left, right = linear_sum_assignment(scores, maximize=True)
    keep = scores[left, right] > 0
    return left[keep], right[keep]


def _verdicts(scores: Floats, matched: Ints, redundant_score: float) -> npt.NDArray[np.str_]:
    verdict = np.full(scores.shape[1], "false positive", dtype="<U16")
    best = scores.max(axis=0, initial=0.0)
    verdict[best >= redundant_score] = "redundant"
    if scores.size:
        # the best partner of its true unit, yet below the score of a match
        partner = scores.argmax(axis=0)
        only = scores[partner].argmax(axis=1) == np.arange(scores.shape[1])
        verdict[(best >= redundant_score) & only] = "partial"
    verdict[matched] = "matched"
    return verdict


def match_counts(a: LabelSet, b: LabelSet, tolerance: int) -> Ints:
    """Events that match one to one, for every pair of items.

    Within a pair of items the earliest free event within the tolerance is taken, which
    gives the largest number of matches.

    Returns
    -------
    ndarray, shape (n_items_a, n_items_b), int64
    """
    n_a, n_b = a.items.size, b.items.size
    if n_a * n_b > _LARGEST_MATRIX:
        raise BadArgumentError(
            f"at most {_LARGEST_MATRIX} pairs of items",
            f"{n_a} x {n_b}",
            "Compare single events with by_item=False.",
        )
    times = [s.column("sample") for s in (a, b)]
    units = [np.searchsorted(s.items, s.column("item")) for s in (a, b)]
    crowded = [_crowded(t, u, 2 * tolerance) for t, u in zip(times, units, strict=True)]
    low = np.searchsorted(times[1], times[0] - tolerance, side="left")
    high = np.searchsorted(times[1], times[0] + tolerance, side="right")
    counts = np.zeros(n_a * n_b, dtype=np.int64)
    doubtful = []
    for start, stop in _portions(high - low):
        left, right = ranges(low[start:stop], high[start:stop])
        left += start
        unsure = crowded[0][left] | crowded[1][right]
        sure = units[0][left[~unsure]] * n_b + units[1][right[~unsure]]
        counts += np.bincount(sure, minlength=n_a * n_b)
        doubtful.append((left[unsure], right[unsure]))
    if doubtful:
        left, right = (np.concatenate(x) for x in zip(*doubtful, strict=True))
        chosen = _earliest(left * n_b + units[1][right], right * n_a + units[0][left])
        pairs = units[0][left[chosen]] * n_b + units[1][right[chosen]]
        counts += np.bincount(pairs, minlength=n_a * n_b)
    return counts.reshape(n_a, n_b)


def _portions(lengths: Ints) -> list[tuple[int, int]]:
    total = np.cumsum(lengths)
    if not total.size:
        return []
    marks = np.arange(_PAIRS_AT_ONCE, total[-1], _PAIRS_AT_ONCE)
    cuts = np.unique([0, *(np.searchsorted(total, marks) + 1).tolist(), total.size])
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))


def _crowded(times: Ints, units: Ints, reach: int) -> Bools:
    """Events with another event of their own unit within `reach`."""
    order = np.argsort(units, kind="stable")
    near = (np.diff(times[order]) <= reach) & (np.diff(units[order]) == 0)
    crowded = np.zeros(times.size, dtype=bool)
    crowded[order[1:][near]] = True
    crowded[order[:-1][near]] = True
    return crowded


def _earliest(left: Ints, right: Ints) -> Ints:
    """One-to-one pairs: each left key takes its first free right key, in order of pairs."""
    remaining = np.arange(left.size)
    chosen = [np.empty(0, np.int64)]
    while remaining.size:
        first_left = np.zeros(remaining.size, dtype=bool)
        first_right = np.zeros(remaining.size, dtype=bool)
        first_left[np.unique(left[remaining], return_index=True)[1]] = True
        first_right[np.unique(right[remaining], return_index=True)[1]] = True
        taken = remaining[first_left & first_right]
        chosen.append(taken)
        free = ~np.isin(left[remaining], left[taken]) & ~np.isin(right[remaining], right[taken])
        remaining = remaining[free]
    return np.concatenate(chosen)


def _one_train(a: LabelSet, b: LabelSet, tolerance: int) -> Scored:
    times = [s.column("sample") for s in (a, b)]
    low = np.searchsorted(times[1], times[0] - tolerance, side="left")
    high = np.searchsorted(times[1], times[0] + tolerance, side="right")
    left, right = ranges(low, high)
    chosen = _earliest(left, right)
    left, right = np.sort(left[chosen]), np.sort(right[chosen])
    offset = times[1][right] - times[0][left]
    hit = np.isin(np.arange(a.n_rows), left)
    false = ~np.isin(np.arange(b.n_rows), right)
    sums = np.zeros((a.n_rows + b.n_rows, 3))
    sums[: a.n_rows, 0], sums[: a.n_rows, 1] = hit, ~hit
    sums[a.n_rows :, 2] = false
    sums = sums[np.argsort(np.concatenate(times), kind="stable")]
    extra = {
        "n_a": float(a.n_rows),
        "n_b": float(b.n_rows),
        "offset_median": float(np.median(offset)) if offset.size else float("nan"),
        "jitter": float(np.std(offset)) if offset.size else float("nan"),
    }
    items = pa.table({"item": pa.array(a.column("item")), "hit": hit})
    matches = pairs_table(a.column("item")[left], b.column("item")[right], -np.abs(offset))
    return Scored(Evidence(sums, _train_metrics), items, matches, extra)


def _train_metrics(sums: Sums) -> dict[str, Floats]:
    return detection(sums[..., 0], sums[..., 1], sums[..., 2])
