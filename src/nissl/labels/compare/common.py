"""Parts that several kinds share: matching of pairs, ratios, classes by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.labels.labelset import LabelSet

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Any:
    """Quotient that is NaN, without a warning, where the whole is zero."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole == 0, np.nan, part / whole)


def detection(hits: Floats, misses: Floats, false: Floats) -> dict[str, Any]:
    """Precision, recall and F1 of counts, each of shape (...)."""
    return {
        "precision": ratio(hits, hits + false),
        "recall": ratio(hits, hits + misses),
        "f1": ratio(2 * hits, 2 * hits + false + misses),
    }


def agreement(confusion: Floats, present: Bools | None = None) -> dict[str, Any]:
    """Accuracy, balanced accuracy, macro-F1 and Cohen's kappa of confusion matrices.

    Balanced accuracy is the mean recall over the classes of the reference; macro-F1 the mean
    over the classes of either set; kappa is Cohen 1960, Educ. Psychol. Meas. 20, 37-46.

    Parameters
    ----------
    confusion : ndarray, shape (..., n_classes, n_classes)
        Reference along the rows.
    present : ndarray of bool, shape (n_classes,), optional
        Classes that macro-F1 may count.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    of_a, of_b = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = confusion.sum(axis=(-2, -1))
    f1 = ratio(2 * hits, of_a + of_b)
    if present is not None:
        f1 = np.where(present, f1, np.nan)
    seen = ratio(hits.sum(axis=-1), total)
    chance = ratio((of_a * of_b).sum(axis=-1), total**2)
    return {
        "accuracy": seen,
        "balanced_accuracy": mean_of_known(ratio(hits, of_a)),
        "macro_f1": mean_of_known(f1),
        "kappa": ratio(seen - chance, 1 - chance),
    }


def mean_of_known(values: Floats) -> Any:
    """Mean along the last axis without NaNs; NaN where there is nothing else."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))


def mutual_best(left: Ints, right: Ints, score: Floats) -> Ints:
    """One-to-one pairs, the best scores first.

    Parameters
    ----------
    left, right : ndarray of int, shape (n_pairs,)
        Candidate pairs.
    score : ndarray, shape (n_pairs,)

    Returns
    -------
    ndarray of int
        Indices of the chosen pairs, increasing: what taking the best pair left, again and
        again, gives. Ties go to the pair that stands first.
    """
    order = np.argsort(-score, kind="stable")
    chosen = []
    while order.size:
        first_left = np.zeros(order.size, dtype=bool)
        first_right = np.zeros(order.size, dtype=bool)
        first_left[np.unique(left[order], return_index=True)[1]] = True
        first_right[np.unique(right[order], return_index=True)[1]] = True
        taken = order[first_left & first_right]
        chosen.append(taken)
        free = ~np.isin(left[order], left[taken]) & ~np.isin(right[order], right[taken])
        order = order[free]
    return np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))


def class_codes(a: LabelSet, b: LabelSet) -> tuple[tuple[str, ...], Ints, Ints]:
    """Names of the classes of both sets, and each row's index into them."""
    extra = tuple(n for n in b.vocabulary.names if n not in a.vocabulary.names)
    names = (*a.vocabulary.names, *extra)
    place = np.asarray([names.index(n) for n in b.vocabulary.names])
    return names, a.column("label").astype(np.int64), place[b.column("label")].astype(np.int64)


def overlapping(start: Ints, stop: Ints, other_start: Ints, other_stop: Ints) -> tuple[Ints, Ints]:
    """Index pairs of intervals that overlap; the other set sorted by start.

    Returns
    -------
    left, right : ndarray of int64, shape (n_pairs,)
        Indices into the first and the other set, in order.
    """
    reach = np.maximum.accumulate(other_stop) if other_stop.size else other_stop
    low = np.searchsorted(reach, start, side="right")
    high = np.searchsorted(other_start, stop, side="left")
    left, right = ranges(low, np.maximum(high, low))
    hit = other_stop[right] > start[left]
    return left[hit], right[hit]


def ranges(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """All pairs (i, j) with ``low[i] <= j < high[i]``."""
    lengths = (high - low).astype(np.int64)
    left = np.repeat(np.arange(low.size), lengths)
    before = np.cumsum(lengths) - lengths
    right = np.arange(left.size) - np.repeat(before - low, lengths)
    return left, right


def pairs_table(a: npt.ArrayLike, b: npt.ArrayLike, score: npt.ArrayLike) -> pa.Table:
    """Table of matched items."""
    return pa.table(
        {
            "a": pa.array(np.asarray(a, dtype=np.int64)),
            "b": pa.array(np.asarray(b, dtype=np.int64)),
            "score": pa.array(np.asarray(score, dtype=np.float64)),
        }
    )
