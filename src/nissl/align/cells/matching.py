"""The same cell on another day: a probability for each pair, and one partner at most for each cell.

Evidence of a pair is the distance of the two centres, the correlation of the two footprints and
the ratio of their sizes, after the fields are registered. Pairs of near cells are a mixture of
the same neuron seen twice and of different neurons (Sheintuch et al. 2017, Cell Rep. 21,
1102-1115). What different neurons look like need not be guessed: near cells of one and the same
day are different, and so are cells that lie near each other when one day is moved aside, of
which there are as many as chance lays. The evidence of one neuron, and its share, is what
expectation and maximisation find beside those two; in fields that have nothing in common it finds
next to nothing. A cell may have no partner; the probabilities of its
partners and of having none sum to 1. Activity may be given as further evidence
(`nissl.align.cells.activity`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.assignment import one_to_one, with_rivals
from nissl.align.cells.activity import log_ratio, normal_scores
from nissl.align.cells.fields import Registration
from nissl.align.mixture import FLOOR, posterior, told_more
from nissl.annotators.cells.footprints import Footprints
from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

REACH = 2.5
"""Radii of a usual cell within which two centres are near."""
MIN_CELLS = 10
ALIKE = 0.25
"""Correlation of two registered pictures from which on they show one field."""
_COPIES = 12
_OVER = 0.4
"""Correlation of footprints that lie over each other."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Near pairs and their evidence.

    Parameters
    ----------
    a, b : ndarray, shape (n_pairs,), int64
        Rows of the first and of the second set.
    distance : ndarray, shape (n_pairs,), float64
        Of the centres, pixels.
    overlap : ndarray, shape (n_pairs,), float64
        Cosine of the weights, 0 to 1.
    size : ndarray, shape (n_pairs,), float64
        Absolute log ratio of the numbers of pixels.
    """

    a: Rows
    b: Rows
    distance: Values
    overlap: Values
    size: Values

    def __len__(self) -> int:
        return self.a.size

    @property
    def evidence(self) -> Values:
        """Shape (n_pairs, 3), on scales on which each cluster is about normal."""
        return np.stack(
            [
                np.log(self.distance + 0.5),
                np.arctanh(np.clip(self.overlap, 0, 0.999)) ** 0.5,
                np.sqrt(self.size),
            ],
            axis=1,
        )


@dataclass(frozen=True, eq=False)
class Matches:
    """What is known of the partners of the cells of two days.

    Parameters
    ----------
    pairs : Pairs
        Near pairs.
    same : ndarray, shape (n_pairs,), float64
        Probability that both are one neuron, rivals considered.
    chosen : ndarray, shape (n_matches,), int64
        Rows of `pairs` that the one-to-one assignment takes; each more likely one neuron than not.
    absent_a, absent_b : ndarray, shape (n_cells,), float64
        Probability that a cell has no partner; NaN for cells outside the other day's field.
    share : float
        Of near pairs that are one neuron.
    """

    pairs: Pairs
    same: Values
    chosen: Rows
    absent_a: Values
    absent_b: Values
    share: float


def warp(registration: Registration, shape: tuple[int, int]) -> Any:
    """Matrix that takes flat pictures of the second day, of a shape, to the first day's grid.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_pixels of the first, n_pixels of the second)
        Bilinear; rows of places beyond the edge are empty.
    """
    from scipy.sparse import csr_array

    places = registration.places.reshape(2, -1)
    height, width = shape
    low = np.floor(places).astype(np.int64)
    part = places - low
    rows, columns, values = [], [], []
    for dy in (0, 1):
        for dx in (0, 1):
            y, x = low[0] + dy, low[1] + dx
            weight = np.abs(1 - dy - part[0]) * np.abs(1 - dx - part[1])
            inside = np.flatnonzero((y >= 0) & (y < height) & (x >= 0) & (x < width) & (weight > 0))
            rows.append(inside)
            columns.append(y[inside] * width + x[inside])
            values.append(weight[inside])
    size = (places.shape[1], height * width)
    return csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=size
    )


def moved(cells: Footprints, registration: Registration) -> tuple[Footprints, Rows]:
    """Cells of the second day on the first day's grid.

    Returns
    -------
    cells : Footprints
        Those that half or more of lies within it.
    rows : ndarray, int64
        Which they are.

    Raises
    ------
    BadArgumentError
        Of cells of several planes.
    """
    if cells.shape[0] != 1:
        raise BadArgumentError(
            "cells of one plane", f"{cells.shape[0]} planes", "Align the planes one by one."
        )
    _, height, width = registration.displacement.shape
    taken = cells.matrix().astype(np.float64) @ warp(registration, cells.shape[1:]).T
    taken = taken.tocsr()
    taken.sort_indices()
    pixels, weights, rows = [], [], []
    for row in range(len(cells)):
        a, b = taken.indptr[row], taken.indptr[row + 1]
        kept = taken.data[a:b] > 0.05 * float(cells.weights[row].max())
        if taken.data[a:b].sum() >= 0.5 * float(cells.weights[row].sum()) and kept.any():
            pixels.append(taken.indices[a:b][kept])
            weights.append(taken.data[a:b][kept])
            rows.append(row)
    found = Footprints.build((1, height, width), pixels, weights)
    return found, np.asarray(rows, np.int64)


def near_pairs(a: Footprints, b: Footprints, reach_px: float, *, within: bool = False) -> Pairs:
    """Pairs whose centres are within reach; of one and the same set, each pair once.

    Parameters
    ----------
    a, b : Footprints
        On one grid.
    reach_px : float
        Pixels between centres, at most.
    within : bool
        Whether `a` and `b` are one set.
    """
    from scipy.spatial import cKDTree

    centres = [cells.centres() for cells in (a, b)]
    trees = [cKDTree(c) for c in centres]
    found = trees[0].sparse_distance_matrix(trees[1], reach_px, output_type="coo_matrix")
    left, right = found.row.astype(np.int64), found.col.astype(np.int64)
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    if within:
        once = left < right
        left, right = left[once], right[once]
    distance = np.hypot(*(centres[0][left] - centres[1][right])[:, 1:].T)
    unit = [_unit_rows(cells) for cells in (a, b)]
    overlap = np.asarray(unit[0][left].multiply(unit[1][right]).sum(axis=1)).ravel()
    sizes = [np.asarray([p.size for p in cells.pixels], np.float64) for cells in (a, b)]
    ratio = np.abs(np.log(sizes[0][left] / sizes[1][right]))
    return Pairs(left, right, distance, overlap, ratio)


def _unit_rows(cells: Footprints) -> Any:
    from scipy.sparse import diags_array

    matrix = cells.matrix().astype(np.float64).tocsr()
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (diags_array(1 / np.maximum(length, FLOOR)) @ matrix).tocsr()


def aligned(
    a: Footprints,
    b: Footprints,
    registration: Registration,
    *,
    activity: tuple[Values, Values] | None = None,
    rounds: int = 4,
) -> tuple[Matches, Registration]:
    """Partners of the cells of two days, and the registration that they refine.

    What is left between the centres of likely partners, smooth over many of them, moves the
    field further, and partners are sought anew.

    Parameters
    ----------
    a, b : Footprints
        Of one plane each.
    registration : Registration
    activity : tuple of ndarray, optional
        See `match`.
    rounds : int
    """
    for _ in range(rounds):
        step = _left(a, b, registration, match(a, b, registration, activity))
        registration = replace(registration, displacement=registration.displacement + step)
        if np.abs(step).max() < 0.1:
            break
    return match(a, b, registration, activity), registration


def _left(a: Footprints, b: Footprints, registration: Registration, found: Matches) -> Values:
    """What is left between the centres of likely partners, smooth, (2, height, width)."""
    from scipy.ndimage import zoom

    _, height, width = registration.displacement.shape
    here, there = a.centres()[found.pairs.a, 1:], b.centres()[found.pairs.b, 1:]
    y, x = np.rint(here).astype(int).T
    gap = there - registration.places[:, y, x].T
    rows, columns = (np.linspace(0, n - 1, 12) for n in (height, width))
    knots = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    wide = max(height, width) / 10
    away = ((knots[:, None] - here[None]) ** 2).sum(axis=2)
    weight = np.exp(-0.5 * away / wide**2) * found.same
    smooth = weight @ gap / (weight.sum(axis=1) + 2.0)[:, None]  # few partners move little
    grid = smooth.reshape(12, 12, 2)
    parts = [zoom(grid[..., k], (height / 12, width / 12), order=1) for k in (0, 1)]
    return np.stack(parts)


def match(
    a: Footprints,
    b: Footprints,
    registration: Registration,
    activity: tuple[Values, Values] | None = None,
) -> Matches:
    """Partners of the cells of two days under a registration.

    Parameters
    ----------
    a, b : Footprints
        Of one plane each.
    registration : Registration
        From places of the first day to places of the second. Where its pictures do not resemble
        each other, and no more cells lie over each other than chance lays, none is the same.
    activity : tuple of ndarray, shape (n_cells, n_facts), float64, optional
        Facts of the traces of both days, NaN where unknown; see `nissl.align.activity.facts_of`.

    Raises
    ------
    BadArgumentError
        Fewer than ten cells on a day, for then nothing can be learnt of how days differ.
    """
    there, rows = moved(b, registration)
    if min(len(a), len(there)) < MIN_CELLS:
        raise BadArgumentError(
            f"at least {MIN_CELLS} cells on each day, in the field that both share",
            f"{len(a)} and {len(there)}",
            "Match few cells by eye.",
        )
    reach = REACH * _radius(a, there)
    pairs = near_pairs(a, there, reach)
    beside = [near_pairs(cells, cells, reach, within=True) for cells in (a, there)]
    chance, per_copy = by_chance(a, there, reach)
    p = np.zeros(len(pairs))
    if registration.correlation >= ALIKE or _more_than_luck(pairs.evidence, chance, per_copy):
        few = min(len(a), len(there))
        alone = np.concatenate([each.evidence for each in beside])
        p = posterior(pairs.evidence, alone, chance, per_copy, few)
        if activity is not None:
            lively = normal_scores(activity[0]), normal_scores(activity[1])[rows]
            neighbours = (beside[0].a, beside[0].b), (beside[1].a, beside[1].b)
            p = told_more(p, log_ratio(lively, (pairs.a, pairs.b), p, neighbours))
    same = with_rivals((pairs.a, pairs.b), p, len(a), len(there))
    chosen = one_to_one((pairs.a, pairs.b), same, len(a), len(there))
    absent_a = np.asarray(1 - np.bincount(pairs.a, same, minlength=len(a)), np.float64)
    absent_there = 1 - np.bincount(pairs.b, same, minlength=len(there))
    absent_a[~_inside(a, registration, b.shape)] = np.nan
    absent_b = np.full(len(b), np.nan)
    absent_b[rows] = absent_there
    whole = Pairs(pairs.a, rows[pairs.b], pairs.distance, pairs.overlap, pairs.size)
    return Matches(whole, same, chosen, absent_a, absent_b, float(p.mean()) if len(p) else 0.0)


def _radius(*sets: Footprints) -> float:
    return float(np.sqrt(np.median([p.size for cells in sets for p in cells.pixels]) / np.pi))


def _inside(cells: Footprints, registration: Registration, shape: tuple[int, int, int]) -> Any:
    """Whether the centre of each cell of the first day lies in the second day's field."""
    y, x = np.rint(cells.centres()[:, 1:]).astype(int).T
    place = registration.places[:, y, x]
    limits = np.asarray(shape[1:])[:, None] - 1
    return np.all((place >= 0) & (place <= limits), axis=0)


def by_chance(a: Footprints, b: Footprints, reach_px: float) -> tuple[Values, float]:
    """Evidence of near pairs when the second day is moved aside, and how many a copy has.

    Parameters
    ----------
    a, b : Footprints
        On one grid.
    reach_px : float
        Pixels between centres, at most.

    Returns
    -------
    evidence : ndarray, shape (n_pairs, 3)
        Of all copies together, as `Pairs.evidence`.
    n : float
        Near pairs of one copy.
    """
    evidence, seen, n = [np.zeros((0, 3))], 0, 0.0
    for k in range(_COPIES):
        angle, length = 2 * np.pi * k / _COPIES, (3 + k % 3) * reach_px
        step = np.rint(length * np.array([np.sin(angle), np.cos(angle)])).astype(np.int64)
        copy = _shifted(b, step)
        if len(copy):
            evidence.append(near_pairs(a, copy, reach_px).evidence)
            seen, n = seen + len(evidence[-1]), n + len(copy) / len(b)
    return np.concatenate(evidence), seen / max(n, 1.0)


def _shifted(cells: Footprints, step: npt.NDArray[np.int64]) -> Footprints:
    """Cells moved by whole pixels; those that leave the field are dropped."""
    _, height, width = cells.shape
    kept, pixels = [], []
    for row, own in enumerate(cells.pixels):
        y, x = np.divmod(own, width)
        y, x = y + step[0], x + step[1]
        if y.min() >= 0 and x.min() >= 0 and y.max() < height and x.max() < width:
            kept.append(row)
            pixels.append(y * width + x)
    return Footprints.build(cells.shape, pixels, [cells.weights[k] for k in kept])


def _more_than_luck(evidence: Values, chance: Values, per_copy: float) -> bool:
    """Whether more cells lie over each other than chance lays, by four deviations."""
    if not len(chance) or not len(evidence):
        return True
    least = np.arctanh(_OVER) ** 0.5
    lucky = float(np.mean(chance[:, 1] >= least)) * per_copy
    return bool(np.sum(evidence[:, 1] >= least) > lucky + 4 * np.sqrt(lucky + 1))


__all__ = ["Matches", "Pairs", "aligned", "match", "moved", "near_pairs", "warp"]
