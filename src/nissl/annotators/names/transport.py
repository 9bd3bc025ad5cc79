"""Soft assignment of points to names, each name at most once, with room for neither.

Optimal transport with entropy (Cuturi 2013, Sinkhorn distances, NIPS 26) with one more row and
column that take what does not fit, as in softassign with outliers (Gold, Rangarajan, Lu, Pappu
and Mjolsness 1998, Pattern Recognition 31:1019-1031). Each point's best score is 1 before
exponentials are taken, and a stranger's is never nothing, so no logarithms are needed inside.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_NEVER = 1e-12


def assigned(
    score: Floats, stranger: Floats, absent: Floats, n_iterations: int = 60
) -> tuple[Floats, float]:
    """Probability of each name for each point.

    Parameters
    ----------
    score : ndarray, shape (n_points, n_names), log units
        Log-density of the point if it has that name, and the name's log-odds to be seen.
    stranger : ndarray, shape (n_points,), log units
        Log-density of the point if it has none of the names.
    absent : ndarray, shape (n_names,), log units
        Log-probability of the name to be seen nowhere, on the scale of `score`.
    n_iterations : int

    Returns
    -------
    probability : ndarray, shape (n_points, n_names)
        Rows sum to at most 1, the rest being that of a stranger; columns to about 1 at most.
    value : float
        What the assignment maximises: expected score plus entropy.
    """
    top = np.maximum(score.max(axis=1), stranger)
    kernel = np.exp(score - top[:, None])
    outside, nowhere = np.exp(stranger - top), np.exp(absent)
    point = np.ones(len(kernel))
    name = np.ones(kernel.shape[1])
    for _ in range(n_iterations):
        name = 1 / (point @ kernel + nowhere)
        point = 1 / (kernel @ name + outside)
    p = point[:, None] * kernel * name
    # Value of the dual problem, which needs no converged columns.
    value = (nowhere * name).sum() - np.log(point).sum() + top.sum() - np.log(name).sum()
    return p, float(value)


def best(probability: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """One-to-one choice of the names that are right most often: points, and their names.

    Parameters
    ----------
    probability : ndarray, shape (n_points, n_names)
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-np.log(probability + _NEVER))
    return rows.astype(np.int64), columns.astype(np.int64)
