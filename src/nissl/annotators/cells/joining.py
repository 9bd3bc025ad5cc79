"""One list of cells from several finders, with what each of them saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints

SAME_IOU = 0.3
SAME_PART = 0.6
SAME_TRACE = 0.8
TOUCHING = 0.2
PLAUSIBLE_SHAPE, PLAUSIBLE_ENERGY = 0.4, 6.0


def overlaps(a: Footprints, b: Footprints) -> tuple[Any, npt.NDArray[Any], npt.NDArray[Any]]:
    """Pixels that pairs of cells share, (n_a, n_b) sparse COO, and the pixels of each."""
    from scipy.sparse import coo_array

    first, second = a.matrix(), b.matrix()
    first.data = np.ones_like(first.data)
    second.data = np.ones_like(second.data)
    sizes = [np.array([p.size for p in cells.pixels], np.float64) for cells in (a, b)]
    return coo_array(first @ second.T), sizes[0], sizes[1]


@dataclass(frozen=True, eq=False)
class Joined:
    """Cells of two lists, with what each list thought of them.

    Parameters
    ----------
    cells : Footprints
    shape_score, activity_score : ndarray, shape (n_cells,), float32
        Scores in either list; NaN for cells that it does not have.
    """

    cells: Footprints
    shape_score: npt.NDArray[np.float32]
    activity_score: npt.NDArray[np.float32]

    @property
    def plausible(self) -> npt.NDArray[np.bool_]:
        """Cells with enough evidence, (n_cells,): of both kinds, or much of one.

        A first sorting for whoever reviews, chosen on simulated movies; it is no probability.
        """
        shape, energy = np.nan_to_num(self.shape_score), np.nan_to_num(self.activity_score)
        both = np.isfinite(self.shape_score) & np.isfinite(self.activity_score)
        return np.asarray(both | (shape >= PLAUSIBLE_SHAPE) | (energy >= PLAUSIBLE_ENERGY), bool)


def union(shapes: Footprints, active: Footprints) -> Footprints:
    """Cells of both lists, those found twice once; see `joined`."""
    return joined(shapes, active).cells


def joined(shapes: Footprints, active: Footprints) -> Joined:
    """Cells of both lists; those found twice once, of origin "both".

    Two cells are the same when they share `SAME_IOU` of their union or one holds `SAME_PART` of
    the other; each takes the partner it shares most with, one to one. A cell found twice keeps
    the pixels of its shape, which people outline by, weighted as its activity lit them; pixels
    that never lit up keep the least of its weights. Its score is that of its shape.

    Parameters
    ----------
    shapes, active : Footprints
        On the same field.

    Returns
    -------
    Joined
        The cells of `shapes` in their order, then what only activity showed.
    """
    partner = partners(shapes, active)
    weights, origin = list(shapes.weights), list(shapes.origin)
    energy = np.full(len(shapes), np.nan, np.float32)
    for k, other in partner.items():
        weights[k] = _lit(shapes.pixels[k], active.pixels[other], active.weights[other])
        origin[k] = "both"
        energy[k] = active.score[other]
    used = set(partner.values())
    alone = np.array([k for k in range(len(active)) if k not in used], np.int64)
    rest = active.take(alone)
    cells = Footprints.build(
        shapes.shape,
        [*shapes.pixels, *rest.pixels],
        [*weights, *rest.weights],
        score=np.concatenate([shapes.score, rest.score]),
        origin=[*origin, *rest.origin],
    )
    unseen = np.full(len(rest), np.nan, np.float32)
    return Joined(
        cells, np.concatenate([shapes.score, unseen]), np.concatenate([energy, rest.score])
    )


def partners(a: Footprints, b: Footprints) -> dict[int, int]:
    """Which cell of `b` each cell of `a` is, for those that have one."""
    if not len(a) or not len(b):
        return {}
    shared, size_a, size_b = overlaps(a, b)
    rows, columns = shared.coords
    common = shared.data
    iou = common / (size_a[rows] + size_b[columns] - common)
    part = common / np.minimum(size_a[rows], size_b[columns])
    same = (iou >= SAME_IOU) | (part >= SAME_PART)
    order = np.lexsort((columns[same], rows[same], -iou[same]))
    chosen: dict[int, int] = {}
    used: set[int] = set()
    pairs = zip(rows[same][order].tolist(), columns[same][order].tolist(), strict=True)
    for row, column in pairs:
        if row not in chosen and column not in used:
            chosen[row] = column
            used.add(column)
    return chosen


def _lit(
    pixels: npt.NDArray[np.int64], lit: npt.NDArray[np.int64], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Weights on some pixels of a footprint on others."""
    at = np.searchsorted(lit, pixels)
    at = np.minimum(at, lit.size - 1)
    return np.where(lit[at] == pixels, weights[at], weights.min()).astype(np.float32)


def merged_duplicates(
    cells: Footprints, traces: npt.NDArray[Any]
) -> tuple[Footprints, npt.NDArray[np.int64]]:
    """Cells without those that are parts of one another: overlapping, and with one trace.

    Parameters
    ----------
    cells : Footprints
    traces : ndarray, shape (n_cells, n_times)

    Returns
    -------
    cells : Footprints
        The stronger of each pair has the pixels of both.
    rows : ndarray, shape (n_kept,), int64
        Where each was in the list that was given.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n = len(cells)
    if n < 2:
        return cells, np.arange(n)
    shared, size, _ = overlaps(cells, cells)
    left, right = shared.coords
    part = shared.data / np.minimum(size[left], size[right])
    close = (left < right) & (part > TOUCHING)
    left, right = left[close], right[close]
    x = traces - traces.mean(axis=1, keepdims=True)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    alike = np.einsum("kt,kt->k", x[left], x[right]) > SAME_TRACE
    pairs = csr_array((np.ones(int(alike.sum())), (left[alike], right[alike])), shape=(n, n))
    count, group = connected_components(pairs, directed=False)
    first = np.full(count, n)
    np.minimum.at(first, group, np.arange(n))
    pixels, weights, strongest = [], [], []
    for g in np.argsort(first, kind="stable").tolist():
        members = np.flatnonzero(group == g)
        best = int(members[np.argmax(cells.score[members])])
        strongest.append(best)
        everything = np.concatenate([cells.pixels[k] for k in members])
        heavy = np.concatenate([cells.weights[k] for k in members])
        places, back = np.unique(everything, return_inverse=True)
        top = np.zeros(places.size, np.float32)
        np.maximum.at(top, back, heavy)
        pixels.append(places)
        weights.append(top)
    rows = np.array(strongest, np.int64)
    kept = cells.take(rows)
    merged = Footprints.build(cells.shape, pixels, weights, score=kept.score, origin=kept.origin)
    return merged, rows
