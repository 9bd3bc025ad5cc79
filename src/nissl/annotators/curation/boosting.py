"""Ensembles of gradient-boosted trees, kept as LightGBM's text.

Ke et al. 2017, LightGBM (NeurIPS 30). A member is a chain of boosters whose raw scores add up:
what was learnt first, then what was learnt on top of it. Every member leaves out a part of the
sessions, so that members disagree where sessions do. One thread and fixed seeds: the same
examples give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import MissingDependencyError

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Member = tuple[str, ...]

MAX_MEMBERS = 5


@dataclass(frozen=True)
class Shape:
    """How trees are grown."""

    rounds: int
    rate: float
    leaves: int
    min_leaf: int


FIRST = Shape(rounds=100, rate=0.06, leaves=8, min_leaf=20)
"""For thousands of examples, from nothing."""
NEXT = Shape(rounds=50, rate=0.04, leaves=4, min_leaf=10)
"""On top of what is known, for tens to hundreds."""


def require_lightgbm() -> Any:
    """LightGBM, or `MissingDependencyError` that says what is lacking."""
    try:
        import lightgbm
    except ImportError:
        raise MissingDependencyError(
            "LightGBM, for learning", "no such package", "Install it: pip install lightgbm"
        ) from None
    except OSError as error:
        raise MissingDependencyError(
            "LightGBM with the OpenMP library of the system",
            str(error)[:200],
            "Install it: apt install libgomp1 (Debian, Ubuntu), brew install libomp (macOS).",
        ) from None
    return lightgbm


def grow(
    values: Values, label: Codes, weight: Values, sessions: Sequence[str], n_classes: int, seed: int
) -> tuple[Member, ...]:
    """Members grown from nothing, every class with the same total weight.

    Parameters
    ----------
    values : ndarray, shape (n, n_features), float64
        NaN where missing.
    label : ndarray, shape (n,), int64
    weight : ndarray, shape (n,), float64
    sessions : sequence of str, length n
    n_classes, seed : int
    """
    total = np.bincount(label, weights=weight, minlength=n_classes)
    balanced = weight / np.where(total > 0, total, 1.0)[label]
    balanced *= len(label) / balanced.sum()
    return tuple(
        (_booster(values[keep], label[keep], balanced[keep], FIRST, n_classes, seed + k),)
        for k, keep in enumerate(_folds(sessions, seed))
    )


def grow_on(
    members: Sequence[Member], values: Values, label: Codes, weight: Values, seed: int
) -> tuple[Member, ...]:
    """Members that go on learning from more examples; each sees its own bootstrap of them.

    Parameters
    ----------
    members : sequence of Member
    values, label, weight
        As for `grow`.
    seed : int
    """
    rng = np.random.default_rng(seed)
    out = []
    for k, member in enumerate(members):
        rows = np.sort(rng.integers(0, len(label), len(label)))
        known = raw(member, values[rows])
        shape = NEXT if len(label) >= 50 else Shape(NEXT.rounds, NEXT.rate, NEXT.leaves, 5)
        more = _booster(
            values[rows], label[rows], weight[rows], shape, known.shape[1], seed + k, start=known
        )
        out.append((*member, more))
    return tuple(out)


def raw(member: Member, values: Values) -> Values:
    """Raw scores of a member, shape (n, n_classes)."""
    lightgbm = require_lightgbm()
    scores = [
        lightgbm.Booster(model_str=text).predict(values, raw_score=True, num_threads=1)
        for text in member
    ]
    return np.asarray(np.sum(scores, axis=0), dtype=np.float64)


def probabilities(scores: Values) -> Values:
    """Softmax over the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def contributions(members: Sequence[Member], values: Values) -> Values:
    """Exact tree SHAP values of the mean member (Lundberg et al. 2020, Nat. Mach. Intell. 2).

    Returns
    -------
    ndarray, shape (n, n_features + 1, n_classes), float64
        In raw score; the last row along the second axis is what holds for all items. The sum
        over that axis is the raw score.
    """
    lightgbm = require_lightgbm()
    total = np.zeros(0)
    for member in members:
        for text in member:
            given = lightgbm.Booster(model_str=text).predict(
                values, pred_contrib=True, num_threads=1
            )
            parts = np.asarray(given).reshape(len(values), -1, values.shape[1] + 1)
            total = parts / len(members) if not total.size else total + parts / len(members)
    return np.asarray(np.swapaxes(total, 1, 2))


def _folds(sessions: Sequence[str], seed: int) -> list[npt.NDArray[np.bool_]]:
    """Which examples each member keeps: all but a share of the sessions (of a few, of items)."""
    codes = np.unique(np.asarray(sessions), return_inverse=True)[1]
    n = int(codes.max()) + 1
    if n < 3:  # too few to leave one out
        codes, n = np.random.default_rng(seed).integers(0, MAX_MEMBERS, codes.size), MAX_MEMBERS
    part = codes % min(n, MAX_MEMBERS)
    return [part != k for k in range(min(n, MAX_MEMBERS))]


def _booster(
    values: Values,
    label: Codes,
    weight: Values,
    shape: Shape,
    n_classes: int,
    seed: int,
    *,
    start: Values | None = None,
) -> str:
    lightgbm = require_lightgbm()
    parameters = {
        "objective": "multiclass",
        "num_class": n_classes,
        "learning_rate": shape.rate,
        "num_leaves": shape.leaves,
        "min_data_in_leaf": shape.min_leaf,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "boost_from_average": start is None,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    data = lightgbm.Dataset(
        values,
        label,
        weight=weight,
        init_score=None if start is None else start.ravel(order="F"),
        free_raw_data=True,
    )
    return str(lightgbm.train(parameters, data, shape.rounds).model_to_string())
