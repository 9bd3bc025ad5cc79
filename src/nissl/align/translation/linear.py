"""Ridge regression of a reduced rank: an explicit map from columns to columns.

Izenman (1975, J. Multivar. Anal. 5:248-264).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Bools, Floats

PART = 0.01
PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""In hundredths (`PART`) of the mean sum of squares of a column."""
RANKS = (1, 2, 4, 8, 16)

Setting = tuple[float, int]
"""Penalty and rank."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear map.

    Parameters
    ----------
    weights : ndarray, shape (n_columns, n_y)
    offset : ndarray, shape (n_y,)
    penalty : float
    rank : int
    """

    weights: Floats
    offset: Floats
    penalty: float
    rank: int

    def predict(self, x: Floats) -> Floats:
        """What the columns say, shape (n, n_y)."""
        return np.asarray(x @ self.weights + self.offset, float)


def fit(x: Floats, y: Floats, penalty: float, rank: int) -> Linear:
    """Fit a map.

    Parameters
    ----------
    x : ndarray, shape (n, n_columns)
    y : ndarray, shape (n, n_y)
    penalty : float
        In parts of the mean sum of squares of a column; see `PART`.
    rank : int
        Of the map from deviations to deviations.
    """
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    known = x - mean_x
    gram = known.T @ known
    damping = penalty * PART * np.trace(gram) / len(gram) + 1e-9
    weights = np.linalg.solve(gram + damping * np.eye(len(gram)), known.T @ (y - mean_y))
    if rank < min(weights.shape):
        axes = np.linalg.svd(known @ weights, full_matrices=False)[2][:rank]
        weights = weights @ axes.T @ axes
    offset = np.asarray(mean_y - mean_x @ weights, float)
    return Linear(np.asarray(weights, float), offset, penalty, rank)


def settings(n_y: int) -> list[Setting]:
    """What is chosen among for a target of so many columns."""
    ranks = [r for r in RANKS if r < n_y] + [n_y]
    return [(p, r) for p in PENALTIES for r in ranks]


def chosen(x: Floats, y: Floats, left: Bools, among: Sequence[Setting]) -> Setting:
    """The setting that predicts rows left out best from the others.

    Parameters
    ----------
    x, y : ndarray, shapes (n, n_columns) and (n, n_y)
    left : ndarray of bool, shape (n,)
    among : sequence of (penalty, rank)
    """
    if len(among) == 1:
        return among[0]
    errors = []
    for each in among:
        rule = fit(x[~left], y[~left], *each)
        errors.append(float(((y[left] - rule.predict(x[left])) ** 2).sum()))
    return among[int(np.argmin(errors))]
