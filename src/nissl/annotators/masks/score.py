"""How well masks agree with truth: Dice of each neuron in each volume, and identity.

Dice is twice the voxels that two masks share over the sum of their sizes (Dice 1945, Ecology
26:297). Only volumes in which the truth has a neuron count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.masks.masks import parts_of
from nissl.annotators.tracks.vocabulary import NEURON
from nissl.errors import BadLabelsError
from nissl.labels import ItemTable, Kind, LabelSet

Ints = npt.NDArray[np.int64]
RIGHT = 0.5
"""Dice from which a mask counts as that neuron's."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Regions of a set: volume, neuron and voxels of each; see `Masks`, without a shape."""

    frame: Ints
    item: Ints
    voxels: tuple[Ints, ...]


@dataclass(frozen=True, eq=False)
class Agreement:
    """What became of each true mask, and of each proposed one.

    Parameters
    ----------
    frame, item : ndarray, shape (n_true,)
    dice : ndarray, shape (n_true,)
        With the mask of the same neuron; 0 where there is none.
    best : ndarray, shape (n_true,), int64
        Neuron of the proposed mask of the largest Dice; -1 where none shares a voxel.
    proposed : ndarray, shape (n_proposed,)
        Dice of each proposed mask, in volumes of the truth, with the same neuron's true one.
    """

    frame: Ints
    item: Ints
    dice: npt.NDArray[np.float64]
    best: Ints
    proposed: npt.NDArray[np.float64]

    def metrics(self) -> dict[str, float]:
        """Means; NaN where nothing can be divided."""
        met = self.best >= 0
        return {
            "dice": _mean(self.dice),
            "right": _mean(self.dice >= RIGHT),
            "found": _mean(met),
            "identity": _mean((self.best == self.item)[met]),
            "precision": _mean(self.proposed >= RIGHT),
        }


def rows_of(labels: LabelSet) -> Rows:
    """Neurons of a REGIONS set with frames."""
    if labels.kind is not Kind.REGIONS or labels.table.column("frame").null_count:
        raise BadLabelsError(
            "REGIONS with a frame each", labels.kind.value, "Give masks of volumes."
        )
    table = labels.table.filter(pa.array(labels.column("label") == NEURON))
    frame, item = (table.column(name).to_numpy() for name in ("frame", "item"))
    return Rows(frame, item, tuple(parts_of(table)))


def compared(proposal: Rows, truth: Rows) -> Agreement:
    """Compare masks, volume by volume of the truth."""
    dice = np.zeros(truth.frame.size)
    best = np.full(truth.frame.size, -1, np.int64)
    said = np.full(proposal.frame.size, np.nan)
    for frame in np.unique(truth.frame).tolist():
        ours, theirs = (np.flatnonzero(rows.frame == frame) for rows in (truth, proposal))
        said[theirs] = 0.0
        if not theirs.size:
            continue
        table = _dice([truth.voxels[k] for k in ours], [proposal.voxels[k] for k in theirs])
        met = table.max(axis=1) > 0
        best[ours[met]] = proposal.item[theirs[table.argmax(axis=1)[met]]]
        same = truth.item[ours][:, None] == proposal.item[theirs][None]
        dice[ours] = np.where(same, table, 0).max(axis=1)
        said[theirs] = np.where(same, table, 0).max(axis=0)
    return Agreement(truth.frame, truth.item, dice, best, said[np.isfinite(said)])


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Score masks in the volumes that the truth speaks of.

    Returns
    -------
    mapping
        `dice`: mean over true neurons and volumes, 0 where the neuron was not proposed;
        `right`: share with a Dice of at least 0.5; `found`: share that any mask touches, and
        `identity`: of these, those whose largest Dice is with the mask of the same neuron;
        `precision`: share of proposed masks that are right.
    """
    return compared(rows_of(proposal), rows_of(truth)).metrics()


def match(
    old: LabelSet,
    new: LabelSet,
    old_items: ItemTable | None = None,
    new_items: ItemTable | None = None,
) -> dict[int, int]:
    """Neurons of two runs that mostly have the same voxels, one to one: {old: new}."""
    from scipy.optimize import linear_sum_assignment

    del old_items, new_items
    a, b = rows_of(old), rows_of(new)
    mine, theirs = np.unique(a.item), np.unique(b.item)
    shared = np.zeros((mine.size, theirs.size))
    for frame in np.intersect1d(a.frame, b.frame).tolist():
        left, right = (np.flatnonzero(rows.frame == frame) for rows in (a, b))
        table = _dice([a.voxels[k] for k in left], [b.voxels[k] for k in right])
        place = np.searchsorted(mine, a.item[left]), np.searchsorted(theirs, b.item[right])
        shared[np.ix_(*place)] += table >= RIGHT
    counts = [np.unique(rows.item, return_counts=True)[1] for rows in (a, b)]
    left, right = linear_sum_assignment(shared, maximize=True)
    fewer = np.minimum(counts[0][left], counts[1][right])
    kept = 2 * shared[left, right] > fewer
    return dict(zip(mine[left[kept]].tolist(), theirs[right[kept]].tolist(), strict=True))


def _dice(a: list[Ints], b: list[Ints]) -> npt.NDArray[np.float64]:
    """Dice of all pairs of masks of one volume, which do not overlap within a set."""
    sizes = [np.array([each.size for each in part]) for part in (a, b)]
    left, right = (np.concatenate(part) for part in (a, b))
    _, at, there = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    owner = [np.repeat(np.arange(size.size), size) for size in sizes]
    pairs = owner[0][at] * len(b) + owner[1][there]
    both = np.bincount(pairs, minlength=len(a) * len(b)).reshape(len(a), len(b))
    return np.asarray(2 * both / (sizes[0][:, None] + sizes[1][None]))


def _mean(values: npt.NDArray[Any]) -> float:
    return float(np.mean(values)) if values.size else float("nan")


__all__ = ["RIGHT", "Agreement", "Rows", "compared", "match", "rows_of", "score"]
