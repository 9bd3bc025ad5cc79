"""How well cells that were found agree with others: matched one to one, as many as can be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints

IOU = 0.5
Pairs = list[tuple[int, int]]


def overlap(a: Footprints, b: Footprints) -> npt.NDArray[np.float64]:
    """Intersection over union of each pair, (n_a, n_b); weights do not count."""
    if not len(a) or not len(b):
        return np.zeros((len(a), len(b)))
    left, right = a.matrix(), b.matrix()
    for each in (left, right):
        each.data[:] = 1
    common: npt.NDArray[np.float64] = (left @ right.T).toarray().astype(np.float64)
    size_a, size_b = (np.array([p.size for p in each.pixels]) for each in (a, b))
    out: npt.NDArray[np.float64] = common / (size_a[:, None] + size_b[None] - common)
    return out


def nearness(a: Footprints, b: Footprints) -> npt.NDArray[np.float64]:
    """Minus the distance of the centres of each pair, voxels, (n_a, n_b)."""
    left, right = (each.centres() for each in (a, b))
    out: npt.NDArray[np.float64] = -np.sqrt(((left[:, None] - right[None]) ** 2).sum(-1))
    return out


def matched(score: npt.NDArray[np.float64], least: float) -> Pairs:
    """Pairs, one to one, whose scores reach `least`: as many as can be, then of highest scores.

    Parameters
    ----------
    score : ndarray, shape (n_a, n_b)
    least : float
    """
    from scipy.optimize import linear_sum_assignment

    if not score.size:
        return []
    good = score >= least
    rows, columns = linear_sum_assignment(np.where(good, -1e6 - score, 0))
    return [(r, c) for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if good[r, c]]


def f_score(n_matched: int, n_found: int, n_true: int) -> dict[str, float]:
    """Precision, recall and F1; 1 where there is nothing to find and nothing was found."""
    if n_found + n_true == 0:
        return {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    return {
        "precision": n_matched / n_found if n_found else 0.0,
        "recall": n_matched / n_true if n_true else 0.0,
        "f1": 2 * n_matched / (n_found + n_true),
    }


def agreement(
    found: Footprints,
    true: Footprints,
    *,
    least: float = IOU,
    doubtful: npt.NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Precision, recall and F1 at an intersection over union.

    Parameters
    ----------
    found, true : Footprints
    least : float
    doubtful : ndarray of bool, shape (z, y, x) or (y, x), optional
        Where nobody knows; what was found half in there and matches nothing does not count.
    """
    pairs = matched(overlap(found, true), least)
    counted = np.ones(len(found), bool)
    if doubtful is not None:
        unsure = doubtful.ravel()
        counted = np.array([unsure[pixels].mean() < 0.5 for pixels in found.pixels], bool)
        counted[[row for row, _ in pairs]] = True
    return f_score(len(pairs), int(counted.sum()), len(true))


__all__ = ["IOU", "agreement", "f_score", "matched", "nearness", "overlap"]
