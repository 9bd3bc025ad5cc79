"""Personal calibration: what a few reviewed epochs of a night say about all its epochs.

Log odds of the model are corrected by a linear map of the epoch's place among the night's
epochs, held near zero by a ridge: with few answers only the balance of stages moves, with more
also where the borders lie. It is fitted by maximum a posteriori logistic regression on top of
the model's log probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

RIDGE_BIAS, RIDGE_SLOPE = 1.0, 10.0
"""Inverse prior variances of the correction: of each stage's balance, and of each slope."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A linear correction of log odds.

    Parameters
    ----------
    names : tuple of str, length d
        Features that it reads, on the night's own scale.
    weight : ndarray, shape (d + 1, n_classes), float64
        The last row is the balance.
    """

    names: tuple[str, ...]
    weight: Values

    def apply(self, scores: Values, places: Values) -> Values:
        """Corrected scores, shape (n, n_classes)."""
        return scores + _with_one(places) @ self.weight

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"names": list(self.names), "weight": self.weight.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Correction:
        """Inverse of `to_json`."""
        return cls(tuple(value["names"]), np.asarray(value["weight"], np.float64))


def correction(
    scores: Values, places: Values, label: Codes, weight: Values, names: tuple[str, ...]
) -> Correction:
    """Fit a correction to decided epochs.

    Parameters
    ----------
    scores : ndarray, shape (n, n_classes), float64
        Log probabilities by the model.
    places : ndarray, shape (n, d), float64
        Features `names`; NaN counts as the night's median.
    label : ndarray, shape (n,), int64
    weight : ndarray, shape (n,), float64
        Mean 1.
    names : tuple of str, length d
    """
    from scipy.optimize import minimize

    x = _with_one(places)
    n_classes = scores.shape[1]
    hot = np.eye(n_classes)[label]
    ridge = np.full((x.shape[1], 1), RIDGE_SLOPE)
    ridge[-1] = RIDGE_BIAS

    def loss(flat: Values) -> tuple[float, Values]:
        b = flat.reshape(x.shape[1], n_classes)
        f = scores + x @ b
        f -= f.max(axis=1, keepdims=True)
        log_p = f - np.log(np.exp(f).sum(axis=1, keepdims=True))
        value = -float((weight[:, None] * hot * log_p).sum()) + 0.5 * float((ridge * b**2).sum())
        slope = x.T @ (weight[:, None] * (np.exp(log_p) - hot)) + ridge * b
        return value, slope.ravel()

    found = minimize(loss, np.zeros(x.shape[1] * n_classes), jac=True, method="L-BFGS-B")
    return Correction(names, np.asarray(found.x.reshape(x.shape[1], n_classes)))


def _with_one(places: Values) -> Values:
    return np.column_stack([np.nan_to_num(places), np.ones(len(places))])


__all__ = ["Correction", "correction"]
