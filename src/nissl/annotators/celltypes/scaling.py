"""Features on one scale: each by its rank among the training units, as a normal score.

Ranks are the same in any unit and bound what a single odd value can do (the normal scores of van
der Waerden 1952). What is missing stands in the middle, at 0, and so speaks for no class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

N_KNOTS = 33
LIMIT = 2.5


@dataclass(frozen=True, eq=False)
class Scaling:
    """Normal scores by interpolation between quantiles.

    Parameters
    ----------
    names : tuple of str
    knots : ndarray, shape (n_features, 33), float64
        Quantiles of each feature in the training units, increasing.
    """

    names: tuple[str, ...]
    knots: Values

    def apply(self, values: Values) -> Values:
        """Scores within +-2.5; 0 where a value is missing.

        Parameters
        ----------
        values : ndarray, shape (n_items, n_features), float64
        """
        from scipy.special import ndtri

        levels = np.linspace(0, 1, self.knots.shape[1])
        out = np.zeros(values.shape)
        for k, knots in enumerate(self.knots):
            known = np.isfinite(values[:, k])
            if not np.isfinite(knots).all() or knots[-1] <= knots[0]:
                continue
            own = values[known, k]
            rank = (np.interp(own, knots, levels) + _from_above(own, knots, levels)) / 2
            out[known, k] = np.clip(ndtri(np.clip(rank, 1e-6, 1 - 1e-6)), -LIMIT, LIMIT)
        return out

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        rows = [[None if not np.isfinite(v) else float(v) for v in row] for row in self.knots]
        return {"names": list(self.names), "knots": rows}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Scaling:
        """Inverse of `to_json`."""
        rows = [[np.nan if v is None else float(v) for v in row] for row in value["knots"]]
        return cls(tuple(str(n) for n in value["names"]), np.asarray(rows, np.float64))


def fit_scaling(values: Values, names: tuple[str, ...], weight: Values) -> Scaling:
    """Quantiles of features over weighted units.

    Parameters
    ----------
    values : ndarray, shape (n_items, n_features), float64
        NaN where missing.
    names : tuple of str
    weight : ndarray, shape (n_items,), float64
        How much each unit counts.
    """
    levels = np.linspace(0, 1, N_KNOTS)
    knots = np.full((len(names), N_KNOTS), np.nan)
    for k in range(len(names)):
        known = np.isfinite(values[:, k]) & (weight > 0)
        if known.sum() < 2:
            continue
        order = np.argsort(values[known, k], kind="stable")
        own, share = values[known, k][order], np.cumsum(weight[known][order])
        middle = (share - weight[known][order] / 2) / share[-1]
        knots[k] = np.interp(levels, middle, own)
    return Scaling(names, knots)


def _from_above(values: Values, knots: Values, levels: Values) -> Values:
    """Rank of values from the other side, so that ties get the middle of their ranks."""
    return np.asarray(1 - np.interp(-values, -knots[::-1], 1 - levels[::-1]))
