"""Ensembles of gradient-boosted trees, kept as LightGBM's text.

Ke et al. 2017, LightGBM (NeurIPS 30). A member is a chain of boosters whose raw scores, each times
its scale, add up: what was learnt first, then what was learnt on top of it. Every member leaves
out a part of the sessions, so that members disagree where sessions do. One thread and fixed seeds:
the same examples give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import MissingDependencyError

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

MAX_MEMBERS = 5


@dataclass(frozen=True)
class Stage:
    """One booster of a member.

    Parameters
    ----------
    text : str
        LightGBM's text.
    scale : float
        What its raw scores are multiplied by.
    """

    text: str
    scale: float = 1.0


Member = tuple[Stage, ...]


@dataclass(frozen=True)
class Shape:
    """How trees are grown."""

    rounds: int
    rate: float
    leaves: int
    min_leaf: int
    l2: float


FIRST = Shape(rounds=100, rate=0.06, leaves=8, min_leaf=20, l2=5.0)
"""For thousands of examples, from nothing."""


@dataclass(frozen=True)
class Step:
    """How a member goes on from what it knows.

    Parameters
    ----------
    kept : float
        What the raw scores so far are multiplied by; at 0 they are forgotten.
    shape : Shape
        Of the trees grown on top.
    """

    kept: float
    shape: Shape


LIGHT = Step(1.0, Shape(rounds=50, rate=0.04, leaves=4, min_leaf=10, l2=5.0))
"""Corrects what is known, for tens to hundreds of examples."""
FURTHER = (
    Step(1.0, Shape(rounds=100, rate=0.06, leaves=4, min_leaf=5, l2=2.0)),
    Step(0.5, Shape(rounds=150, rate=0.08, leaves=4, min_leaf=5, l2=1.0)),
    Step(0.0, Shape(rounds=150, rate=0.08, leaves=4, min_leaf=5, l2=1.0)),
)
"""Leave more and more of what is known, where examples contradict it."""


_ENOUGH, _FEW_LEAF = 50, 5  # fewer examples than that may stand in leaves as small as this


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
        (Stage(_booster(values[keep], label[keep], balanced[keep], FIRST, n_classes, seed + k)),)
        for k, keep in enumerate(_folds(sessions, seed))
    )


def grow_on(
    members: Sequence[Member],
    values: Values,
    label: Codes,
    weight: Values,
    seed: int,
    step: Step = LIGHT,
) -> tuple[Member, ...]:
    """Members that go on learning from more examples; each sees its own bootstrap of them.

    Parameters
    ----------
    members : sequence of Member
    values, label, weight
        As for `grow`.
    seed : int
    step : Step
        How much of what they know they keep, and how far they go; see `adapting.chosen`.
    """
    rng = np.random.default_rng(seed)
    out = []
    for k, member in enumerate(members):
        rows = np.sort(rng.integers(0, len(label), len(label)))
        known = raw(member, values[rows])
        more = on_top(known, values[rows], label[rows], weight[rows], seed + k, step)
        kept = tuple(replace(each, scale=each.scale * step.kept) for each in member)
        out.append((*(kept if step.kept else ()), Stage(more)))
    return tuple(out)


def on_top(
    known: Values, values: Values, label: Codes, weight: Values, seed: int, step: Step
) -> str:
    """Booster grown on top of raw scores.

    Parameters
    ----------
    known : ndarray, shape (n, n_classes), float64
        Raw scores so far of the examples, before `step.kept` is applied.
    values, label, weight
        As for `grow`.
    seed : int
    step : Step
    """
    least = step.shape.min_leaf if len(label) >= _ENOUGH else min(step.shape.min_leaf, _FEW_LEAF)
    shape = replace(step.shape, min_leaf=least)
    start = step.kept * known
    return _booster(values, label, weight, shape, known.shape[1], seed, start=start)


def raw(member: Member, values: Values) -> Values:
    """Raw scores of a member, shape (n, n_classes)."""
    return np.asarray(
        np.sum([stage.scale * scores(stage.text, values) for stage in member], axis=0),
        dtype=np.float64,
    )


def scores(text: str, values: Values) -> Values:
    """Raw scores of one booster, shape (n, n_classes)."""
    booster = require_lightgbm().Booster(model_str=text)
    return np.asarray(booster.predict(values, raw_score=True, num_threads=1), dtype=np.float64)


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
        for stage in member:
            given = lightgbm.Booster(model_str=stage.text).predict(
                values, pred_contrib=True, num_threads=1
            )
            parts = np.asarray(given).reshape(len(values), -1, values.shape[1] + 1)
            parts = parts * (stage.scale / len(members))
            total = parts if not total.size else total + parts
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
        "lambda_l2": shape.l2,
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
