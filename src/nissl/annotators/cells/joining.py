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
    window_score : ndarray, shape (n_cells,), float32
        How much what lit up looks like a cell in its windows; NaN where nothing lit up.
    """

    cells: Footprints
    shape_score: npt.NDArray[np.float32]
    activity_score: npt.NDArray[np.float32]
    window_score: npt.NDArray[np.float32]

    @property
    def plausible(self) -> npt.NDArray[np.bool_]:
        """Cells with enough evidence, (n_cells,).

        Of both kinds; or of shape, `PLAUSIBLE_SHAPE`; or of activity, in whose windows a network
        saw a cell (when it counts as one was chosen on simulated movies); or of much activity,
        `PLAUSIBLE_ENERGY`, that no network has seen. A first sorting for whoever reviews; it is
        no probability.
        """
        shape, energy = np.nan_to_num(self.shape_score), np.nan_to_num(self.activity_score)
        both = np.isfinite(self.shape_score) & np.isfinite(self.activity_score)
        unseen = np.isnan(self.window_score) & (energy >= PLAUSIBLE_ENERGY)
        seen = np.nan_to_num(self.window_score) > 0
        return np.asarray(both | (shape >= PLAUSIBLE_SHAPE) | seen | unseen, bool)


def union(shapes: Footprints, active: Footprints) -> Footprints:
    """Cells of both lists, those found twice once; see `joined`."""
    return joined(shapes, active).cells


def joined(
    shapes: Footprints, active: Footprints, window_score: npt.NDArray[np.float32] | None = None
) -> Joined:
    """Cells of both lists; those found twice once, of origin "both".

    Two cells are the same when they share `SAME_IOU` of their union or one holds `SAME_PART` of
    the other; each takes the partner it shares most with, one to one. A cell found twice keeps
    the pixels of its shape, which people outline by, weighted as its activity lit them; pixels
    that never lit up keep the least of its weights. Its score is that of its shape.

    Parameters
    ----------
    shapes, active : Footprints
        On the same field.
    window_score : ndarray, shape (n_active,), float32, optional
        How much each of `active` looks like a cell in its windows. Those that share `SAME_IOU` of
        their union with another, or with a cell of `shapes`, are then taken for it, the one of
        the higher score.

    Returns
    -------
    Joined
        The cells of `shapes` in their order, then what only activity showed.
    """
    partner = partners(shapes, active)
    weights, origin = list(shapes.weights), list(shapes.origin)
    energy, seen = np.full((2, len(shapes)), np.nan, np.float32)
    judged = np.full(len(active), np.nan, np.float32) if window_score is None else window_score
    for k, other in partner.items():
        weights[k] = lit(shapes.pixels[k], active.pixels[other], active.weights[other])
        origin[k] = "both"
        energy[k], seen[k] = active.score[other], judged[other]
    left = sorted(set(range(len(active))) - set(partner.values()))
    if window_score is not None:
        left = _once(shapes, active, left, judged)
    alone = np.array(left, np.int64)
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
        cells,
        np.concatenate([shapes.score, unseen]),
        np.concatenate([energy, rest.score]),
        np.concatenate([seen, judged[alone]]),
    )


def _once(
    shapes: Footprints, active: Footprints, rows: list[int], score: npt.NDArray[np.float32]
) -> list[int]:
    """Rows of `active` that are no cell of `shapes` nor of a row of higher score, increasing."""
    if not rows:
        return rows
    order = sorted(rows, key=lambda k: (-float(score[k]), -float(active.score[k]), k))
    own = active.take(np.array(order, np.int64))
    twice = np.zeros(len(order), bool)
    for others in (shapes, own):
        if not len(others):
            continue
        shared, size, theirs = overlaps(own, others)
        row, column = shared.coords
        same = shared.data / (size[row] + theirs[column] - shared.data) >= SAME_IOU
        if others is not own:
            twice[row[same]] = True
            continue
        for k, other in sorted(zip(row[same].tolist(), column[same].tolist(), strict=True)):
            twice[k] |= other < k and not twice[other]
    return sorted(k for k, gone in zip(order, twice.tolist(), strict=True) if not gone)


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


def lit(
    pixels: npt.NDArray[np.int64], lit: npt.NDArray[np.int64], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Weights on some pixels of a footprint on others; the least where it has none."""
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
