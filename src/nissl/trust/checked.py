"""Arrays of confidences and probabilities as this package expects them, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Truths = npt.NDArray[np.bool_]
Names = Sequence[Any] | npt.NDArray[Any]

_ROW_TOLERANCE = 1e-3  # float32 probabilities over a few dozen classes sum to 1 within this


def checked_probabilities(values: npt.ArrayLike, *, missing: bool = False) -> Floats:
    """Probabilities as (n_items, n_classes) float64 whose rows sum to 1 exactly enough.

    Parameters
    ----------
    values : array-like, shape (n_items, n_classes)
    missing : bool
        Whether rows of NaN (a method without an answer) are allowed.

    Raises
    ------
    BadArgumentError
        Not two-dimensional, fewer than two classes, outside 0 to 1, or rows that do not sum to 1.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise BadArgumentError(
            "probabilities of shape (n_items, n_classes) with at least two classes",
            f"shape {array.shape}",
            "Give one column per class; for a yes/no question p and 1 - p.",
        )
    gone = np.isnan(array).any(axis=1)
    rows = array[~gone]
    if gone.any() and not missing:
        raise BadArgumentError(
            "a probability for every item", f"NaN in {gone.sum()} rows", "Leave those items out."
        )
    if rows.size and (rows.min() < 0 or rows.max() > 1 + _ROW_TOLERANCE):
        raise BadArgumentError(
            "probabilities between 0 and 1",
            f"values from {rows.min():.4g} to {rows.max():.4g}",
            "Give probabilities, not scores.",
        )
    sums = rows.sum(axis=1)
    if rows.size and np.abs(sums - 1).max() > _ROW_TOLERANCE:
        raise BadArgumentError(
            "rows that sum to 1",
            f"sums from {sums.min():.4g} to {sums.max():.4g}",
            "Divide each row by its sum, or give the class that is missing.",
        )
    result = array.copy()
    result[~gone] = rows / sums[:, None]
    return result


def checked_pair(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[Floats, Truths]:
    """Confidence (n_items,) in 0 to 1 and whether each item is right (n_items,).

    Raises
    ------
    BadArgumentError
        Different lengths, NaN, confidences outside 0 to 1, or truth other than 0 and 1.
    """
    p = checked_confidence(confidence)
    raw = np.asarray(correct)
    if raw.shape != p.shape:
        raise BadArgumentError(
            f"right or wrong for each of {p.size} items", f"shape {raw.shape}", "Give one per item."
        )
    if not np.isin(raw, (0, 1)).all():
        raise BadArgumentError(
            "right (1) or wrong (0)", "other values", "Leave items without an answer out."
        )
    return p, raw.astype(np.bool_)


def checked_confidence(confidence: npt.ArrayLike) -> Floats:
    """Confidence as (n_items,) float64; `BadArgumentError` unless all lie within 0 to 1."""
    p = np.asarray(confidence, dtype=np.float64)
    if p.ndim != 1:
        raise BadArgumentError("one confidence per item", f"shape {p.shape}", "Give a vector.")
    if p.size and not (np.min(p) >= 0 and np.max(p) <= 1):
        raise BadArgumentError(
            "confidences between 0 and 1",
            "NaN or values outside",
            "Leave items without a confidence out; they can never be accepted by it.",
        )
    return p


def checked_weights(weights: npt.ArrayLike | None, n: int) -> Floats:
    """Weights (n_items,) with mean 1; ones where none are given.

    Raises
    ------
    BadArgumentError
        Not one finite weight above 0 for each item.
    """
    if weights is None:
        return np.ones(n)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not (np.isfinite(w) & (w > 0)).all():
        raise BadArgumentError(
            f"one finite weight above 0 for each of {n} items",
            f"shape {w.shape}",
            "Weights are inverse probabilities of having been asked.",
        )
    return w / w.mean() if n else w


def group_codes(groups: Names, n: int) -> tuple[Integers, Integers]:
    """Index of each item's group, and the number of items of each group, by sorted name.

    Raises
    ------
    BadArgumentError
        Not one group per item.
    """
    if len(groups) != n:
        raise BadArgumentError(
            f"one group for each of {n} items", str(len(groups)), "Give one per item."
        )
    _, codes, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return codes, sizes


def plain(value: float) -> float | None:
    """A number for JSON; None where it is NaN or infinite."""
    return float(value) if np.isfinite(value) else None
