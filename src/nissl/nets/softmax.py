"""Multinomial logistic regression around what is known before.

The loss is the weighted negative log-likelihood plus half the squared distance of the
coefficients from prior ones, which are zero for a class that nothing is known about: few examples
move a model a little, many move it as far as they warrant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

STRENGTH = 0.1
"""Weight of the examples against the prior (scikit-learn's ``C``)."""


@dataclass(frozen=True, eq=False)
class Head:
    """A linear classifier.

    Parameters
    ----------
    coefficients : ndarray, shape (n_classes, n_inputs), float64
    intercepts : ndarray, shape (n_classes,), float64
    """

    coefficients: Values
    intercepts: Values

    def scores(self, inputs: Values) -> Values:
        """Raw scores, shape (n_items, n_classes)."""
        return np.asarray(inputs @ self.coefficients.T + self.intercepts)


def fit_head(
    inputs: Values,
    label: Codes,
    weight: Values,
    n_classes: int,
    *,
    before: Head | None = None,
    strength: float = STRENGTH,
) -> Head:
    """Most probable coefficients.

    Parameters
    ----------
    inputs : ndarray, shape (n_items, n_inputs), float64
        On one scale, without NaN.
    label : ndarray, shape (n_items,), int64
    weight : ndarray, shape (n_items,), float64
    n_classes : int
    before : Head, optional
        Prior mean; zero by default.
    strength : float
    """
    from scipy.optimize import minimize

    n, d = inputs.shape
    start = np.zeros((n_classes, d + 1))
    if before is not None:
        start = np.hstack([before.coefficients, before.intercepts[:, None]])
    design = np.hstack([inputs, np.ones((n, 1))])
    hit = np.zeros((n, n_classes))
    hit[np.arange(n), label] = 1.0
    pull = np.full((1, d + 1), 1.0 / strength)
    pull[0, -1] = 1e-3  # intercepts are nearly free

    def loss(flat: Values) -> tuple[float, Values]:
        beta = flat.reshape(n_classes, d + 1)
        p, log_p = softmax(design @ beta.T)
        away = beta - start
        value = -float((weight[:, None] * hit * log_p).sum()) + 0.5 * float((pull * away**2).sum())
        slope = (weight[:, None] * (p - hit)).T @ design + pull * away
        return value, slope.ravel()

    found = minimize(
        loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-10}
    )
    beta = np.asarray(found.x).reshape(n_classes, d + 1)
    return Head(beta[:, :-1].copy(), beta[:, -1].copy())


def softmax(scores: Values) -> tuple[Values, Values]:
    """Probabilities over the last axis, and their logarithms."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.exp(log_p), log_p
