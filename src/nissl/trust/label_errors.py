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

_NOISE_RATES = np.append(0.0, np.geomspace(0.002, 0.4, 24))
_POWERS = np.geomspace(0.01, 10.0, 40)
_PRIOR_COUNT = 5.0  # right labels seen beforehand: a model that knows nothing accuses nobody


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
    noise : float
        Estimated share of wrong labels among all. Natural disagreement counts as well; where
        classes overlap so much that a model cannot know them, it is underestimated.
    expected_precision : float
        Mean probability among the selected; NaN where none is.
    """

    order: Ints
    probability: Floats
    suggested: Ints
    selected: Bools
    noise: float
    expected_precision: float

    def to_json(self) -> dict[str, Any]:
        """Plain values of the selected labels, the most doubtful first."""
        chosen = self.order[self.selected[self.order]]
        return {
            "items": chosen.tolist(),
            "probability": self.probability[chosen].tolist(),
            "suggested": self.suggested[chosen].tolist(),
            "noise": self.noise,
            "expected_precision": None
            if np.isnan(self.expected_precision)
            else self.expected_precision,
        }


def find_label_errors(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, *, precision: float = 0.7
) -> LabelErrors:
    """Rank labels by the probability that they are wrong, and select those worth a look.

    A share of the labels is taken to be wrong, any other class being as likely, and the model's
    probabilities to be too sharp or too flat by one power (a temperature); both are fitted to
    the given labels by maximum likelihood. Bayes' rule then gives the probability that a label
    is wrong. Labels are selected from the top while their mean probability stays at `precision`
    or above, and only where cleanlab's pruning by noise rates (confident learning) finds them
    too: two opinions that fail differently.

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
    proba, noise = _sharpened(given, proba)
    rows = np.arange(n)
    right = proba[rows, given] * (1 - noise)
    wrong = (1 - proba[rows, given]) * noise / (proba.shape[1] - 1)
    wrong = wrong / np.maximum(wrong + right, 1e-300)
    others = proba.copy()
    others[rows, given] = -1.0
    order = np.argsort(-wrong, kind="stable")
    running = np.cumsum(wrong[order]) / np.arange(1, n + 1)
    selected = np.zeros(n, dtype=bool)
    selected[order[running >= precision]] = True
    selected &= _pruned(given, proba)
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


def _sharpened(given: Ints, proba: Floats) -> tuple[Floats, float]:
    """Probabilities raised to the best power, and the share of wrong labels, (n, k) and 0 to 1."""
    log = np.log(np.clip(proba, 1e-12, 1.0))
    rows, k = np.arange(given.size), proba.shape[1]
    prior = -_PRIOR_COUNT * np.log(1 - _NOISE_RATES) / given.size
    best, found = np.inf, (proba, 0.0)
    for power in _POWERS.tolist():
        raised = np.exp(power * (log - log.max(axis=1, keepdims=True)))
        raised /= raised.sum(axis=1, keepdims=True)
        fits = raised[rows, given][:, None]
        mixed = (1 - _NOISE_RATES) * fits + _NOISE_RATES / (k - 1) * (1 - fits)
        surprise = -np.log(np.maximum(mixed, 1e-300)).mean(axis=0) + prior
        index = int(surprise.argmin())
        if surprise[index] < best:
            best, found = float(surprise[index]), (raised, float(_NOISE_RATES[index]))
    return found


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
