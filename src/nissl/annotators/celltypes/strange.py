"""Whether a unit belongs to none of the known classes.

The distance of a unit from the nearest class, with the spread within classes as its measure, and
how undecided the classifier is, go into a logistic regression. It is fitted on classes that were
left out in turn: there the answer is known. How many units of a new recording are of no known
class is an assumption, `SHARE`, and stands in the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

SHARE = 0.2
"""Assumed share of units of no known class."""

SHRINKAGE = 0.2
UNFITTED = (-1.4, 2.0, 0.0)
"""Intercept, and slopes on distance and doubt, where no class could be left out."""


@dataclass(frozen=True, eq=False)
class Strange:
    """Probability that a unit is of none of the known classes.

    Parameters
    ----------
    means : ndarray, shape (n_classes, n_inputs), float64
    precision : ndarray, shape (n_inputs, n_inputs), float64
        Inverse of the pooled covariance within classes, drawn towards its diagonal.
    usual : float
        Median of log distance among the training units.
    weights : tuple of float
        Intercept, slope on the log distance beyond `usual`, slope on doubt (1 - largest
        probability).
    """

    means: Values
    precision: Values
    usual: float
    weights: tuple[float, float, float] = UNFITTED

    def distance(self, inputs: Values) -> Values:
        """Log of the mean squared distance from the nearest class, beyond the usual."""
        return log_distance(inputs, self.means, self.precision) - self.usual

    def apply(self, inputs: Values, probabilities: Values) -> Values:
        """Probability of "none of them", shape (n_units,)."""
        a, b, c = self.weights
        score = a + b * self.distance(inputs) + c * (1 - probabilities.max(axis=1))
        return np.asarray(1 / (1 + np.exp(-np.clip(score, -30, 30))))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "means": self.means.tolist(),
            "precision": self.precision.tolist(),
            "usual": self.usual,
            "weights": list(self.weights),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Strange:
        """Inverse of `to_json`."""
        a, b, c = (float(v) for v in value["weights"])
        return cls(
            np.asarray(value["means"], np.float64),
            np.asarray(value["precision"], np.float64),
            float(value["usual"]),
            (a, b, c),
        )


def fit_strange(
    inputs: Values, label: npt.NDArray[np.int64], weight: Values, n_classes: int
) -> Strange:
    """Means and pooled spread of classes; a class without examples has no mean.

    Parameters
    ----------
    inputs : ndarray, shape (n_units, n_inputs), float64
    label : ndarray, shape (n_units,), int64
    weight : ndarray, shape (n_units,), float64
    n_classes : int
    """
    present = [c for c in range(n_classes) if np.any(label == c)]
    means = np.full((n_classes, inputs.shape[1]), np.nan)
    for c in present:
        means[c] = np.average(inputs[label == c], axis=0, weights=weight[label == c])
    centred = inputs - means[label]
    covariance = (centred * weight[:, None]).T @ centred / weight.sum()
    diagonal = np.diag(covariance) + 0.05 * np.mean(np.diag(covariance)) + 1e-6
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(diagonal)
    precision = np.linalg.inv(shrunk + np.diag(np.full(len(diagonal), 1e-6)))
    log = log_distance(inputs, means, precision)
    return Strange(means, precision, float(np.median(log)))


def fitted(
    distance: Values, doubt: Values, absent: npt.NDArray[np.bool_], weight: Values
) -> tuple[float, float, float]:
    """Weights of the logistic regression, for a share `SHARE` of absent classes.

    Parameters
    ----------
    distance, doubt : ndarray, shape (n,), float64
        Of units that neither classifier nor means have seen.
    absent : ndarray, shape (n,), bool
        Whether their class was left out.
    weight : ndarray, shape (n,), float64
    """
    from scipy.optimize import minimize

    w = weight.astype(np.float64).copy()
    for value, share in ((True, SHARE), (False, 1 - SHARE)):
        w[absent == value] *= share / max(w[absent == value].sum(), 1e-12)
    design = np.stack([np.ones_like(distance), distance, doubt], axis=1)
    n = float(len(w))

    def loss(theta: Values) -> float:
        score = design @ theta
        fit = np.logaddexp(0, score) - absent * score
        return float(n * (w @ fit) + 0.5 * (theta[1:] ** 2).sum())

    found = minimize(loss, np.asarray(UNFITTED), method="L-BFGS-B", bounds=((None, None), (0, None), (0, None)))
    return float(found.x[0]), float(found.x[1]), float(found.x[2])


def log_distance(inputs: Values, means: Values, precision: Values) -> Values:
    """Log of the mean squared distance per input from the nearest class, shape (n_units,)."""
    present = means[np.isfinite(means).all(axis=1)]
    away = inputs[:, None] - present
    square = np.einsum("ncd,de,nce->nc", away, precision, away) / inputs.shape[1]
    return np.asarray(np.log(np.maximum(square.min(axis=1), 1e-9)))
