"""Labels that are probably wrong, ranked by how probably and selected for precision.

What is judged are out-of-sample probabilities: a model that has seen an item's label cannot doubt
it, and one that has seen the same animal knows too much, so `cross_validated` leaves whole groups
out. The second opinion is confident learning (Northcutt, Jiang and Chuang 2021, J. Artif. Intell.
Res. 70, 1373-1411) by cleanlab, which is under Apache-2.0 from version 2.9 on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, EvaluationError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
FitPredict = Callable[[Floats, Ints, Floats], Floats]
"""From training features, training codes and test features to (n_test, k) probabilities."""

_POWERS = np.geomspace(0.05, 10.0, 30)
_ITERATIONS = 40
_MIN_RIGHT = 0.6
_PRIOR_RIGHT, _PRIOR_WRONG = 5.0, 0.2
"""Labels seen beforehand: without evidence labels are right."""


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Every label with the probability that it is wrong.

    Parameters
    ----------
    order : ndarray, shape (n,), int64
        Positions, the most doubtful label first.
    probability : ndarray, shape (n,), float64
        Probability that the label is wrong, by position; an estimate of the same model that
        doubts, to rank and to choose by.
    suggested : ndarray, shape (n,), int64
        The most probable other class, by position.
    selected : ndarray, shape (n,), bool
        Labels worth a second look at the wanted precision, by position.
    noise : ndarray, shape (k, k), float64
        Estimated probability of a label (column) given the true class (row). What a model could
        not know counts in part as noise.
    expected_precision : float
        Mean probability among the selected; NaN where none is.
    """

    order: Ints
    probability: Floats
    suggested: Ints
    selected: Bools
    noise: Floats
    expected_precision: float

    @property
    def rate(self) -> float:
        """Estimated share of wrong labels among all."""
        return float(self.probability.mean())

    def to_json(self) -> dict[str, Any]:
        """Plain values of the selected labels, the most doubtful first."""
        chosen = self.order[self.selected[self.order]]
        return {
            "items": chosen.tolist(),
            "probability": self.probability[chosen].tolist(),
            "suggested": self.suggested[chosen].tolist(),
            "noise": self.noise.tolist(),
            "expected_precision": None
            if np.isnan(self.expected_precision)
            else self.expected_precision,
        }


def find_label_errors(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, *, precision: float = 0.7
) -> LabelErrors:
    """Rank labels by the probability that they are wrong, and select those worth a look.

    Labels are taken to turn each true class into others at fixed rates, and the model's
    probabilities to be too sharp or too flat by one power (a temperature); both are fitted to
    the given labels (maximum a posteriori, the rates by expectation maximisation). Bayes' rule
    then gives the probability that a label is wrong. Labels are selected from the top while
    their mean probability stays at `precision` or above, and only where cleanlab's pruning by
    noise rates (confident learning) finds them too: two opinions that fail differently. A model
    that contradicts 40 % of a class knows too little to accuse, and nothing is selected.

    Parameters
    ----------
    labels : array-like of int, shape (n,)
        Class codes as given.
    probabilities : array-like, shape (n, k)
        Out-of-sample class probabilities; rows sum to 1 (see `cross_validated`).
    precision : float
        Wanted share of true errors among the selected, 0 to 1.

    Returns
    -------
    LabelErrors

    Raises
    ------
    BadArgumentError
        Shapes or codes that do not fit, probabilities that are none.
    """
    given, proba = _checked(labels, probabilities, precision)
    n = given.size
    proba, noise = _fitted(given, proba)
    rows = np.arange(n)
    joint = proba * noise[:, given].T
    wrong = np.clip(1 - joint[rows, given] / joint.sum(axis=1), 0.0, 1.0)
    others = proba.copy()
    others[rows, given] = -1.0
    order = np.argsort(-wrong, kind="stable")
    running = np.cumsum(wrong[order]) / np.arange(1, n + 1)
    selected = np.zeros(n, dtype=bool)
    selected[order[running >= precision]] = True
    selected &= _pruned(given, proba) & (np.diag(noise).min() >= _MIN_RIGHT)
    mean = float(wrong[selected].mean()) if selected.any() else float("nan")
    suggested = others.argmax(axis=1).astype(np.int64)
    return LabelErrors(order.astype(np.int64), wrong, suggested, selected, noise, mean)


def cross_validated(
    fit_predict: FitPredict,
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: Sequence[Any] | npt.NDArray[Any],
    *,
    n_classes: int,
    rng: np.random.Generator,
    n_folds: int = 10,
) -> Floats:
    """Out-of-sample probabilities, whole groups left out.

    Parameters
    ----------
    fit_predict : callable
        From training features (m, d), training codes (m,) and test features (t, d) to
        probabilities (t, n_classes).
    features : array-like, shape (n, d)
    labels : array-like of int, shape (n,)
    groups : sequence of length n
        Subject of each item.
    n_classes : int
    rng : numpy.random.Generator
        Deals the groups out to the folds.
    n_folds : int
        At most one per group.

    Returns
    -------
    ndarray, shape (n, n_classes), float64

    Raises
    ------
    EvaluationError
        There is only one group.
    """
    x = np.asarray(features, dtype=np.float64)
    y = np.asarray(labels, dtype=np.int64)
    _, codes = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(codes.max(initial=-1)) + 1
    if n_groups < 2 or not len(x) == y.size == codes.size:
        raise EvaluationError(
            "items of two groups (subjects) or more, each with features and a label",
            f"{n_groups} groups, {len(x)} rows, {y.size} labels",
            "Label items of another subject first.",
        )
    fold = rng.permutation(np.arange(n_groups) % min(n_folds, n_groups))[codes]
    out = np.empty((y.size, n_classes))
    for number in np.unique(fold).tolist():
        test = fold == number
        out[test] = fit_predict(x[~test], y[~test], x[test])
    return out


def _fitted(given: Ints, proba: Floats) -> tuple[Floats, Floats]:
    """Probabilities (n, k) raised to the best power, and rates of labels given classes (k, k)."""
    log = np.log(np.clip(proba, 1e-12, 1.0))
    log -= log.max(axis=1, keepdims=True)
    prior = np.where(np.eye(proba.shape[1]) == 1, _PRIOR_RIGHT, _PRIOR_WRONG)
    best, found = -np.inf, (proba, prior)
    for power in _POWERS.tolist():
        raised = np.exp(power * log)
        raised /= raised.sum(axis=1, keepdims=True)
        noise = _rates(given, raised, prior)
        fits = np.einsum("nk,kn->n", raised, noise[:, given])
        worth = float(np.log(fits).sum() + (prior * np.log(noise)).sum())
        if worth > best:
            best, found = worth, (raised, noise)
    return found


def _rates(given: Ints, proba: Floats, prior: Floats) -> Floats:
    k = len(prior)
    label = np.eye(k)[given]
    noise = prior / prior.sum(axis=1, keepdims=True)
    for _ in range(_ITERATIONS):
        true = proba * noise[:, given].T
        true /= np.maximum(true.sum(axis=1, keepdims=True), 1e-300)
        counts = true.T @ label + prior
        noise = counts / counts.sum(axis=1, keepdims=True)
    return np.asarray(noise)


def _pruned(given: Ints, proba: Floats) -> Bools:
    from cleanlab.filter import find_label_issues

    found = find_label_issues(given, proba, filter_by="prune_by_noise_rate", n_jobs=1)
    return np.asarray(found, dtype=bool)


def _checked(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, precision: float
) -> tuple[Ints, Floats]:
    given = np.asarray(labels, dtype=np.int64)
    proba = np.asarray(probabilities, dtype=np.float64)
    if proba.ndim != 2 or given.shape != (len(proba),) or proba.shape[1] < 2 or not given.size:
        raise BadArgumentError(
            "codes of shape (n,) and probabilities of shape (n, k)",
            f"{given.shape} and {proba.shape}",
            "Mend the shapes.",
        )
    if not 0 <= given.min() <= given.max() < proba.shape[1] or not 0 < precision <= 1:
        raise BadArgumentError(
            f"codes 0 to {proba.shape[1] - 1} and a precision between 0 and 1",
            f"codes {given.min()} to {given.max()}, precision {precision}",
            "Mend the arguments.",
        )
    if np.any(proba < 0) or not np.allclose(proba.sum(axis=1), 1, atol=1e-4):
        raise BadArgumentError(
            "probabilities whose rows sum to 1", "others", "Normalise them first."
        )
    return given, proba
