"""Calibration: confidences that mean what they say.

A model that says 0.9 should be right nine times in ten. Four maps from a model's probabilities
to calibrated ones, each fitted on labelled items that the model was not trained on:

``identity``
    The probabilities as they are.
``temperature``
    Logits divided by one number; the order of the classes never changes (Guo, Pleiss, Sun and
    Weinberger 2017, On calibration of modern neural networks, ICML, section 4.2).
``beta``
    Per class a sigmoid of ``a ln p - b ln(1 - p) + c`` with a, b >= 0 (Kull, Silva Filho and
    Flach 2017, Beta calibration, AISTATS, section 3).
``isotonic``
    Per class a monotone map by pooling adjacent violators (Zadrozny and Elkan 2002, Transforming
    classifier scores into accurate multiclass probability estimates, KDD).

Beta and isotonic are fitted for each class against the rest and renormalised, as Zadrozny and
Elkan do. Which map serves is chosen by log-loss on groups (subjects) that were left out, never
inside one: items of one subject are alike, and a map that is chosen on them looks better than it
is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.checked import (
    Floats,
    Integers,
    Names,
    checked_probabilities,
    checked_weights,
    group_codes,
)

KINDS = ("identity", "temperature", "beta", "isotonic")

_SMALL = 1e-6  # what 0 counts as in a loss, in beta's logarithms and after a map
_TINY = 1e-12  # what 0 counts as in logits, where a larger floor would make sure answers equal
_INVERSE_TEMPERATURES = (0.02, 50.0)
_RIDGE = 1e-2  # pull of beta's (a, b, c) towards (1, 1, 0), in items; keeps separable data finite
_MAX_FOLDS = 10


@dataclass(frozen=True)
class Calibration:
    """A map from a model's probabilities to calibrated ones.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    n_classes : int
    parameters : tuple of tuples of float
        identity: none. temperature: ``((T,),)``. beta: ``(a, b, c)`` per class. isotonic: for
        each class two tuples, the knots and their values, linear between and flat outside.
    """

    kind: str
    n_classes: int
    parameters: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        sizes = tuple(len(row) for row in self.parameters)
        right = {
            "identity": sizes == (),
            "temperature": sizes == (1,) and self.parameters[0][0] > 0,
            "beta": sizes == (3,) * self.n_classes,
            "isotonic": len(sizes) == 2 * self.n_classes
            and min(sizes) > 0
            and sizes[::2] == sizes[1::2],
        }[self.kind]
        if not right or not all(np.isfinite(row).all() for row in self.parameters):
            raise BadArgumentError(
                f"finite parameters of a {self.kind} calibration of {self.n_classes} classes",
                f"rows of {sizes}",
                "The model's file is damaged or of another version: take the model before it.",
            )

    def apply(self, probabilities: npt.ArrayLike) -> Floats:
        """Calibrated probabilities.

        Parameters
        ----------
        probabilities : array-like, shape (n_items, n_classes)
            Rows of NaN (no answer) stay NaN.

        Returns
        -------
        ndarray, shape (n_items, n_classes), float64
            Rows sum to 1.

        Raises
        ------
        BadArgumentError
            Not probabilities, or of another number of classes.
        """
        p = checked_probabilities(probabilities, missing=True)
        if p.shape[1] != self.n_classes:
            raise BadArgumentError(
                f"{self.n_classes} classes", str(p.shape[1]), "Use the model's own vocabulary."
            )
        if self.kind == "identity":
            return p
        if self.kind == "temperature":
            return _softmax(_logits(p) / self.parameters[0][0])
        columns = [self._one_class(p[:, index], index) for index in range(self.n_classes)]
        raw = np.maximum(np.stack(columns, axis=1), _SMALL)
        return np.asarray(raw / raw.sum(axis=1, keepdims=True))

    def _one_class(self, p: Floats, index: int) -> Floats:
        if self.kind == "beta":
            a, b, c = self.parameters[index]
            return _sigmoid(_beta_features(p) @ np.array([a, b]) + c)
        knots, values = self.parameters[2 * index], self.parameters[2 * index + 1]
        return np.interp(p, knots, values)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal calibration."""
        return {
            "kind": self.kind,
            "n_classes": self.n_classes,
            "parameters": [list(row) for row in self.parameters],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Inverse of `to_json`; anything malformed raises `BadArgumentError`."""
        try:
            rows = tuple(tuple(float(x) for x in row) for row in value["parameters"])
            return cls(str(value["kind"]), int(value["n_classes"]), rows)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, BadArgumentError):
                raise
            raise BadArgumentError(
                "kind, n_classes and parameters of a calibration",
                f"{type(error).__name__}: {error}",
                "The model's file is damaged: take the model before it.",
            ) from None


def fit(
    probabilities: npt.ArrayLike,
    truth: npt.ArrayLike,
    kind: str,
    *,
    weights: npt.ArrayLike | None = None,
) -> Calibration:
    """Fit one kind of calibration.

    Parameters
    ----------
    probabilities : array-like, shape (n_items, n_classes)
        Of items that the model was not trained on.
    truth : array-like of int, shape (n_items,)
        Class index of each item.
    kind : str
        One of `KINDS`.
    weights : array-like, shape (n_items,), optional
        Inverse probability of each item to have been asked, where items were chosen.

    Returns
    -------
    Calibration

    Raises
    ------
    BadArgumentError
        Unknown kind, no items, or arrays that do not fit each other.
    """
    _check_kind(kind)
    p = checked_probabilities(probabilities)
    y = _checked_truth(truth, p)
    w = checked_weights(weights, len(p))
    if kind == "identity":
        return Calibration(kind, p.shape[1])
    if kind == "temperature":
        return Calibration(kind, p.shape[1], ((_temperature(p, y, w),),))
    one_class = _beta if kind == "beta" else _isotonic
    rows = [row for k in range(p.shape[1]) for row in one_class(p[:, k], y == k, w)]
    return Calibration(kind, p.shape[1], tuple(rows))


def choose(
    probabilities: npt.ArrayLike,
    truth: npt.ArrayLike,
    groups: Names,
    *,
    rng: np.random.Generator,
    kinds: Sequence[str] = KINDS,
    weights: npt.ArrayLike | None = None,
) -> tuple[Calibration, dict[str, float]]:
    """Fit the kind that serves best on groups that were left out.

    Parameters
    ----------
    probabilities : array-like, shape (n_items, n_classes)
        Of items that the model was not trained on.
    truth : array-like of int, shape (n_items,)
    groups : sequence of length n_items
        Subject of each item. Up to ten groups are left out one by one, more in ten folds.
    rng : numpy.random.Generator
        Deals groups into folds.
    kinds : sequence of str
        Candidates, simplest first: a tie goes to the earlier.
    weights : array-like, shape (n_items,), optional

    Returns
    -------
    Calibration
        The best kind, fitted on all items.
    dict
        Mean log-loss (nats) of each kind on the groups left out.

    Raises
    ------
    EvaluationError
        Fewer than two groups.
    BadArgumentError
        Unknown kinds, or arrays that do not fit each other.
    """
    p = checked_probabilities(probabilities)
    y = _checked_truth(truth, p)
    w = checked_weights(weights, len(p))
    for kind in kinds:
        _check_kind(kind)
    fold = _folds(groups, len(p), rng)
    scores = {}
    for kind in kinds:
        losses = np.empty(len(p))
        for index in range(fold.max() + 1):
            out = fold == index
            fitted = fit(p[~out], y[~out], kind, weights=w[~out])
            losses[out] = log_losses(fitted.apply(p[out]), y[out])
        scores[kind] = float(np.average(losses, weights=w))
    best = min(scores, key=scores.__getitem__)
    return fit(p, y, best, weights=w), scores


def log_losses(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> Floats:
    """Log-loss of each item in nats; a probability of 0 counts as one in a million.

    Parameters
    ----------
    probabilities : array-like, shape (n_items, n_classes)
    truth : array-like of int, shape (n_items,)

    Returns
    -------
    ndarray, shape (n_items,), float64
    """
    p = checked_probabilities(probabilities)
    y = _checked_truth(truth, p)
    return np.asarray(-_logs(p)[np.arange(len(p)), y])


def _folds(groups: Names, n: int, rng: np.random.Generator) -> Integers:
    codes, sizes = group_codes(groups, n)
    if sizes.size < 2:
        raise EvaluationError(
            "items of at least two groups (subjects) to choose a calibration",
            f"{sizes.size} group",
            "Label a second subject, or name the subjects of the sources; until then fit one kind "
            "and say that it was not tested.",
        )
    if sizes.size <= _MAX_FOLDS:
        return codes
    fold_of_group = np.empty(sizes.size, dtype=np.intp)
    fold_of_group[rng.permutation(sizes.size)] = np.arange(sizes.size) % _MAX_FOLDS
    return fold_of_group[codes]


def _temperature(p: Floats, y: Integers, w: Floats) -> float:
    from scipy.optimize import minimize_scalar

    logits = _logits(p)
    rows = np.arange(len(p))

    def loss(log_inverse: float) -> float:  # quasi-convex: the loss is convex in 1/T
        scaled = _log_softmax(logits * np.exp(log_inverse))
        return float(-np.average(scaled[rows, y], weights=w))

    low, high = np.log(_INVERSE_TEMPERATURES)
    best = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(-best.x))


def _beta(p: Floats, hit: npt.NDArray[np.bool_], w: Floats) -> list[tuple[float, ...]]:
    from scipy.optimize import minimize

    features = np.column_stack([_beta_features(p), np.ones(len(p))])
    identity = np.array([1.0, 1.0, 0.0])
    sign = np.where(hit, 1.0, -1.0)

    def loss(theta: Floats) -> tuple[float, Floats]:
        margin = sign * (features @ theta)
        slope = -w * sign * _sigmoid(-margin)
        away = theta - identity
        value = float(np.sum(w * np.logaddexp(0, -margin)) + 0.5 * _RIDGE * away @ away)
        return value, features.T @ slope + _RIDGE * away

    found = minimize(
        loss, identity, jac=True, method="L-BFGS-B", bounds=[(0, None), (0, None), (None, None)]
    )
    return [tuple(float(x) for x in found.x)]


def _isotonic(p: Floats, hit: npt.NDArray[np.bool_], w: Floats) -> list[tuple[float, ...]]:
    """Knots and values; two items at the base rate, one at either end, keep 0 and 1 away."""
    from sklearn.isotonic import IsotonicRegression

    base = (np.sum(w * hit) + 0.5) / (np.sum(w) + 1)
    fitted = IsotonicRegression().fit(
        np.concatenate([[0.0], p, [1.0]]),
        np.concatenate([[base], hit, [base]]),
        np.concatenate([[1.0], w, [1.0]]),
    )
    knots, values = fitted.X_thresholds_, fitted.y_thresholds_
    return [tuple(map(float, knots)), tuple(map(float, values))]


def _checked_truth(truth: npt.ArrayLike, p: Floats) -> Integers:
    y = np.asarray(truth)
    whole = y.shape == (len(p),) and len(p) > 0 and np.issubdtype(y.dtype, np.integer)
    if not whole or y.min() < 0 or y.max() >= p.shape[1]:
        raise BadArgumentError(
            f"a class index from 0 to {p.shape[1] - 1} for each of {len(p)} (at least 1) items",
            f"{y.dtype} of shape {y.shape}",
            "Give the position of each item's class in the vocabulary.",
        )
    return y.astype(np.intp)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise BadArgumentError(f"one of {', '.join(KINDS)}", repr(kind), "Name a known kind.")


def _logits(p: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(p, _TINY)))


def _logs(p: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(p, _SMALL)))


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _softmax(logits: Floats) -> Floats:
    return np.asarray(np.exp(_log_softmax(logits)))


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _beta_features(p: Floats) -> Floats:
    """``(ln p, -ln(1 - p))``, shape (n_items, 2)."""
    return np.column_stack([np.log(np.maximum(p, _SMALL)), -np.log(np.maximum(1 - p, _SMALL))])
