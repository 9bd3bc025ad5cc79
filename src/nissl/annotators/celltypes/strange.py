"""Whether a unit belongs to none of the known classes.

The distance of a unit from all training units, with their spread as its measure, goes into a
logistic regression that may bend where left-out units of known classes become rare. It is fitted
on classes that were left out in turn: there the answer is known. Classes that look like others
(one kind of interneuron among the rest) stay hidden from it, and it says so by small
probabilities; what looks like nothing known is told. How many units of a recording are of no
known class is an assumption, `SHARE`, and stands in the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Weights = tuple[float, float, float]

SHARE = 0.2
"""Assumed share of units of no known class."""

SHRINKAGE = 0.2
BEND, LIMIT = 0.9, 0.95
"""Quantiles of the distances of left-out units of known classes: where the slope may change, and
from where on no class is claimed."""

UNFITTED: Weights = (-1.4, 0.5, 4.0)
"""Intercept, slope and further slope beyond the bend, where no class could be left out."""

_TAIL = 0.5  # bend of the log distance, and half of its limit, until they are measured


@dataclass(frozen=True, eq=False)
class Strange:
    """Probability that a unit is of none of the known classes.

    Parameters
    ----------
    centre : ndarray, shape (n_parts, n_inputs), float64
    precision : ndarray, shape (n_parts, n_inputs, n_inputs), float64
        Inverse covariance of the training units, drawn towards its diagonal. A model that was
        taught again has a part for each time; the nearest counts.
    usual : ndarray, shape (n_parts,), float64
        Log distance in the middle of the training units.
    bend, limit : float
        Beyond it, at `BEND` and at `LIMIT`.
    weights : tuple of float
        Intercept, slope on the log distance beyond `usual`, further slope beyond `bend`.
    """

    centre: Values
    precision: Values
    usual: Values
    bend: float
    limit: float
    weights: Weights = UNFITTED

    def distance(self, inputs: Values) -> Values:
        """Log of the mean squared distance per input, beyond the usual, shape (n_units,)."""
        away = inputs - self.centre[:, None]
        square = np.einsum("knd,kde,kne->kn", away, self.precision, away) / inputs.shape[1]
        return np.asarray((np.log(np.maximum(square, 1e-9)) - self.usual[:, None]).min(axis=0))

    def beside(self, other: Strange) -> Strange:
        """The same with the parts of another, by which units are known that lie near them."""
        return replace(
            self,
            centre=np.concatenate([self.centre, other.centre]),
            precision=np.concatenate([self.precision, other.precision]),
            usual=np.concatenate([self.usual, other.usual]),
        )

    def beyond(self, inputs: Values) -> npt.NDArray[np.bool_]:
        """Units that lie further out than nineteen in twenty of new units of known classes."""
        return np.asarray(self.distance(inputs) > self.limit)

    def apply(self, inputs: Values) -> Values:
        """Probability of "none of them", shape (n_units,)."""
        return self.told(self.distance(inputs))

    def told(self, distance: Values) -> Values:
        """Probability by distance."""
        score = _design(distance, self.bend) @ np.asarray(self.weights)
        return np.asarray(1 / (1 + np.exp(-np.clip(score, -30, 30))))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "centre": self.centre.tolist(),
            "precision": self.precision.tolist(),
            "usual": self.usual.tolist(),
            "bend": self.bend,
            "limit": self.limit,
            "weights": list(self.weights),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Strange:
        """Inverse of `to_json`."""
        a, b, c = (float(v) for v in value["weights"])
        return cls(
            np.asarray(value["centre"], np.float64),
            np.asarray(value["precision"], np.float64),
            np.asarray(value["usual"], np.float64),
            float(value["bend"]),
            float(value["limit"]),
            (a, b, c),
        )


def fit_strange(inputs: Values, weight: Values) -> Strange:
    """Centre and spread of weighted training units; what their distance means is not yet fitted.

    Parameters
    ----------
    inputs : ndarray, shape (n_units, n_inputs), float64
    weight : ndarray, shape (n_units,), float64
    """
    share = weight / weight.sum()
    centre = share @ inputs
    centred = inputs - centre
    covariance = (centred * share[:, None]).T @ centred
    middle = float(np.mean(np.diag(covariance))) or 1.0
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance))
    precision = np.linalg.inv(shrunk + 0.02 * middle * np.eye(len(centre)))
    raw = Strange(centre[None], precision[None], np.zeros(1), _TAIL, 2 * _TAIL)
    return replace(raw, usual=np.asarray([np.median(raw.distance(inputs))]))


def fitted(
    strange: Strange, distance: Values, absent: npt.NDArray[np.bool_], weight: Values
) -> Strange:
    """The same with weights for a share `SHARE` of units of absent classes.

    Parameters
    ----------
    strange : Strange
    distance : ndarray, shape (n,), float64
        Of units that their own measures have not seen.
    absent : ndarray, shape (n,), bool
        Whether their class was left out.
    weight : ndarray, shape (n,), float64
    """
    from scipy.optimize import minimize

    if absent.all():
        return strange
    bend, limit = (float(np.quantile(distance[~absent], level)) for level in (BEND, LIMIT))
    if not absent.any():
        return replace(strange, bend=bend, limit=limit)
    w = weight.astype(np.float64).copy()
    for value, share in ((True, SHARE), (False, 1 - SHARE)):
        w[absent == value] *= share / w[absent == value].sum()
    design, n = _design(distance, bend), float(len(w))

    def loss(theta: Values) -> float:
        score = design @ theta
        told = np.logaddexp(0, score) - absent * score
        return float(n * (w @ told) + 0.05 * (theta[1:] ** 2).sum())

    bounds = ((None, None), (0, None), (0, None))
    found = minimize(loss, np.asarray(UNFITTED), method="L-BFGS-B", bounds=bounds)
    a, b, c = (float(v) for v in found.x)
    return replace(strange, bend=bend, limit=limit, weights=(a, b, c))


def _design(distance: Values, bend: float) -> Values:
    return np.stack([np.ones_like(distance), distance, np.maximum(distance - bend, 0.0)], axis=1)
