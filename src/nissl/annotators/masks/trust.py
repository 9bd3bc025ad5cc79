"""How sure a proposed mask is right: a logistic regression on volumes that were left out.

A network says of each voxel how probable its class is, and is surer than right. What it said of
annotated volumes that it had not seen tells how far to believe it: by the mean probability of
the mask's voxels and by how unusual its size is. The regression is ridged towards the share of
masks that were right (Platt 1999, Advances in Large Margin Classifiers), for few were left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RIDGE = 1.0
"""Price of slopes, in examples, on facts of unit spread."""
LEAST = 30
"""Masks that must have been left out, and `FEW` of them right and as many wrong."""
FEW = 3


@dataclass(frozen=True, eq=False)
class Trust:
    """The regression.

    Parameters
    ----------
    weight : ndarray, shape (3,)
        Of a constant and of the two facts.
    """

    weight: Floats

    def __call__(
        self, probability: npt.NDArray[np.floating], size: npt.NDArray[np.floating]
    ) -> Floats:
        """Probability that masks are right.

        Parameters
        ----------
        probability : ndarray, shape (n,)
            Mean over voxels, by the network.
        size : ndarray, shape (n,)
            Voxels against the neuron's usual number of them.
        """
        return np.asarray(_sigmoid(_facts(probability, size) @ self.weight))


def learnt(
    probability: npt.NDArray[np.floating],
    size: npt.NDArray[np.floating],
    right: npt.NDArray[np.bool_],
) -> Trust | None:
    """Fit it on masks of volumes that were left out; None where these are too few."""
    n_right = int(right.sum())
    if right.size < LEAST or min(n_right, right.size - n_right) < FEW:
        return None
    facts, y = _facts(probability, size), right.astype(np.float64)
    ridge = np.diag([1e-6, RIDGE, RIDGE])
    weight = np.zeros(3)
    weight[0] = np.log(n_right / (right.size - n_right))
    for _ in range(50):
        p = _sigmoid(facts @ weight)
        slope = facts.T @ (p - y) + ridge @ weight
        curve = (facts * (p * (1 - p))[:, None]).T @ facts + ridge
        step = np.linalg.solve(curve, slope)
        weight = weight - step
        if np.abs(step).max() < 1e-8:
            break
    return Trust(weight)


def _facts(probability: npt.NDArray[np.floating], size: npt.NDArray[np.floating]) -> Floats:
    p = np.clip(np.nan_to_num(np.asarray(probability, np.float64)), 1e-4, 1 - 1e-4)
    unusual = np.abs(np.log(np.maximum(np.asarray(size, np.float64), 1e-3)))
    return np.stack([np.ones(p.size), np.log(p / (1 - p)), np.minimum(unusual, 3.0)], axis=1)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))


__all__ = ["Trust", "learnt"]
