"""Hypnodensity: how likely each class is along a recording whose spans follow each other.

The probabilities of a proposal, averaged over the columns of a picture of the whole recording
(after Stephansen et al. 2018, Nat Commun 9:5229, who named the stacked probabilities of sleep
stages so). It is of the proposal and not of what people decided, so a blind reader gets none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.labels import Kind, LabelSet

MOST_COLUMNS = 4000


def hypnodensity(labels: LabelSet, n_samples: int, n_columns: int) -> npt.NDArray[np.float32]:
    """Mean probability of each class in equal columns of a recording.

    Parameters
    ----------
    labels : LabelSet
        SPANS that do not overlap, such as one per epoch.
    n_samples : int
        Of the recording; column k covers the samples from ``k * n_samples / n_columns`` on.
    n_columns : int
        1 to `MOST_COLUMNS`.

    Returns
    -------
    ndarray, shape (n_classes, n_columns), float32
        0 to 1; columns sum to the part of them that carries probabilities.

    Raises
    ------
    BadArgumentError
        Labels of another kind, spans that overlap, or an impossible number of columns.
    """
    if labels.kind is not Kind.SPANS or not 1 <= n_columns <= MOST_COLUMNS or n_samples < 1:
        raise BadArgumentError(
            f"spans of a recording and 1 to {MOST_COLUMNS} columns",
            f"{labels.kind.value}, {n_samples} samples, {n_columns} columns",
            "Ask for the spans of a recording, in fewer columns.",
        )
    order = np.argsort(labels.column("start"), kind="stable")
    start, stop = (labels.column(name)[order].astype(np.float64) for name in ("start", "stop"))
    if np.any(start[1:] < stop[:-1]):
        raise BadArgumentError(
            "spans that follow each other", "spans that overlap", "Only lanes show these."
        )
    chance = np.nan_to_num(_probabilities(labels)[order])
    edges = np.linspace(0, n_samples, n_columns + 1)
    knots = np.column_stack([start, stop]).ravel()
    out = np.zeros((len(labels.vocabulary), n_columns), np.float32)
    for code in range(len(out) if start.size else 0):
        area = np.cumsum(chance[:, code] * (stop - start))
        under = np.column_stack([np.r_[0.0, area[:-1]], area]).ravel()
        out[code] = np.diff(np.interp(edges, knots, under, left=0.0)) * (n_columns / n_samples)
    return np.clip(out, 0, 1)


def _probabilities(labels: LabelSet) -> npt.NDArray[Any]:
    """Shape (n_rows, n_classes); NaN where a row has none."""
    column = labels.table.column("probabilities").combine_chunks()
    out = np.full((labels.n_rows, len(labels.vocabulary)), np.nan)
    there = np.flatnonzero(np.asarray(column.is_valid()))
    if there.size:
        out[there] = np.asarray(column.drop_null().flatten()).reshape(there.size, -1)
    return out


__all__ = ["MOST_COLUMNS", "hypnodensity"]
