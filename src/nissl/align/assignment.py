"""One partner at most: pairs weighed against their rivals, and the best assignment.

A pair is two rows, one of each day; a row may have no partner at all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def with_rivals(pairs: tuple[Rows, Rows], p: Values, n_a: int, n_b: int) -> Values:
    """Probabilities when an item has one partner at most: odds against all that share an item.

    Parameters
    ----------
    pairs : tuple of ndarray, shape (n_pairs,), int64
        Rows of the first and of the second day.
    p : ndarray, shape (n_pairs,), float64
        Probability of each pair by itself.
    n_a, n_b : int
        Items of each day.
    """
    odds = np.clip(p, 0, 1 - 1e-6) / np.clip(1 - p, 1e-6, 1)
    of_a = np.bincount(pairs[0], odds, minlength=n_a)
    of_b = np.bincount(pairs[1], odds, minlength=n_b)
    return np.asarray(odds / (1 + of_a[pairs[0]] + of_b[pairs[1]] - odds), np.float64)


def one_to_one(pairs: tuple[Rows, Rows], same: Values, n_a: int, n_b: int) -> Rows:
    """Pairs of the assignment of greatest summed log odds, all above even.

    Parameters
    ----------
    pairs : tuple of ndarray, shape (n_pairs,), int64
        Rows of the first and of the second day.
    same : ndarray, shape (n_pairs,), float64
        Probability of each pair.
    n_a, n_b : int
        Items of each day.

    Returns
    -------
    ndarray, shape (n_chosen,), int64
        Which pairs, increasing.
    """
    from scipy.optimize import linear_sum_assignment

    good = np.flatnonzero(same > 0.5)
    gain = np.zeros((n_a, n_b))
    a, b = pairs
    gain[a[good], b[good]] = np.log(same[good] / np.maximum(1 - same[good], 1e-9))
    rows, columns = linear_sum_assignment(-gain)
    taken = {(i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if gain[i, j] > 0}
    kept = [k for k in good.tolist() if (int(a[k]), int(b[k])) in taken]
    return np.asarray(kept, np.int64)


__all__ = ["one_to_one", "with_rivals"]
