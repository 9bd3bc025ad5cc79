"""Ensembles of gradient-boosted trees, kept as LightGBM's text.

Ke et al. 2017, LightGBM (NeurIPS 30). A member is a chain of steps whose raw scores, each times
its scale, add up: what was learnt first, then what was learnt on top of it. A step asks in two
stages: is it noise or a neuron, and, of neurons, is it one or several? Its raw scores are these
two log odds. (Models of earlier versions have one booster over the three classes in each step,
and three raw scores; they go on as they are.) Every member leaves out a part of the sessions, so
that members disagree where sessions do. One thread and fixed seeds: the same examples give the
same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation.augmenting import variations
from nissl.annotators.curation.features import MIXED
from nissl.annotators.trees import Shape, boosted, raw_scores, shares

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

MAX_MEMBERS = 5


@dataclass(frozen=True)
class Stage:
    """One step of a member.

    Parameters
    ----------
    texts : tuple of str
        LightGBM's text: of a booster for noise against neuron and of one for several neurons
        against one; or of one booster over the classes. "" stands for log odds of 0.
    scale : float
        What its raw scores are multiplied by.
    """

    texts: tuple[str, ...]
    scale: float = 1.0


Member = tuple[Stage, ...]


GOOD, MUA, NOISE = range(3)
N_CLASSES = 3


FIRST = Shape(rounds=300, rate=0.06, leaves=4, min_leaf=15, l2=5.0)
"""For thousands of examples, from nothing; leaves count examples as often as they are varied."""
NOISE_MASS = 1.5
"""How much noise weighs against each of the other classes while the first stage is learnt."""
ONE_STAGE = Shape(rounds=100, rate=0.06, leaves=8, min_leaf=20, l2=5.0)
"""The same for one booster over the classes, as models of earlier versions were grown."""


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


def grow(
    values: Values,
    label: Codes,
    weight: Values,
    sessions: Sequence[str],
    seed: int,
    *,
    names: Sequence[str] = (),
) -> tuple[Member, ...]:
    """Members grown from nothing in two stages, each on its own variations of the examples.

    Classes have the same total weight, but for noise in the first stage: see `NOISE_MASS`.

    Parameters
    ----------
    values : ndarray, shape (n, n_features), float64
        NaN where missing.
    label : ndarray, shape (n,), int64
    weight : ndarray, shape (n,), float64
    sessions : sequence of str, length n
    seed : int
    names : sequence of str
        Of the features: which go missing together, and which may only speak one way.
    """
    members = []
    for k, keep in enumerate(_folds(sessions, seed)):
        rng = np.random.default_rng([seed, k])
        varied = variations(values[keep], names, rng)
        copies = len(varied) // int(keep.sum())
        own, mass = np.tile(label[keep], copies), np.tile(weight[keep], copies)
        shape = replace(FIRST, min_leaf=FIRST.min_leaf * copies)
        texts = _two(varied, own, mass, shape, seed + k, names=names, even=True)
        members.append((Stage(texts),))
    return tuple(members)


def grow_one_stage(
    values: Values, label: Codes, weight: Values, sessions: Sequence[str], seed: int
) -> tuple[Member, ...]:
    """Members of one booster over the three classes; see `grow`."""
    mass = balanced(label, weight)
    return tuple(
        (Stage((boosted(values[keep], label[keep], mass[keep], ONE_STAGE, N_CLASSES, seed + k),)),)
        for k, keep in enumerate(_folds(sessions, seed))
    )


def balanced(label: Codes, weight: Values) -> Values:
    """Weights with which every class has the same total, mean 1."""
    total = np.bincount(label, weights=weight, minlength=N_CLASSES)
    out = weight / np.where(total > 0, total, 1.0)[label]
    return np.asarray(out * (len(label) / max(float(out.sum()), 1e-300)))


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
) -> tuple[str, ...]:
    """Boosters grown on top of raw scores.

    Parameters
    ----------
    known : ndarray, shape (n, 2 or n_classes), float64
        Raw scores so far of the examples, before `step.kept` is applied.
    values, label, weight
        As for `grow`.
    seed : int
    step : Step
    """
    least = step.shape.min_leaf if len(label) >= _ENOUGH else min(step.shape.min_leaf, _FEW_LEAF)
    shape = replace(step.shape, min_leaf=least)
    start = step.kept * known
    if known.shape[1] == 2:
        return _two(values, label, weight, shape, seed, start=start)
    return (boosted(values, label, weight, shape, known.shape[1], seed, start=start),)


def raw(member: Member, values: Values) -> Values:
    """Raw scores of a member, shape (n, 2), or (n, n_classes) of one stage."""
    return np.asarray(
        np.sum([stage.scale * scores(stage.texts, values) for stage in member], axis=0),
        dtype=np.float64,
    )


def scores(texts: tuple[str, ...], values: Values) -> Values:
    """Raw scores of one step, shape (n, 2), or (n, n_classes) of one stage."""
    columns = [raw_scores(text, values) if text else np.zeros(len(values)) for text in texts]
    if len(columns) == 1:
        return np.asarray(columns[0], dtype=np.float64)
    return np.stack(columns, axis=1).astype(np.float64)


def probabilities(scores: Values) -> Values:
    """Probabilities of the classes, from log odds of two stages or by softmax over the last axis.

    Parameters
    ----------
    scores : ndarray, shape (..., 2 or n_classes), float64
    """
    if scores.shape[-1] == 2:
        noise, mixed = (1 / (1 + np.exp(-np.clip(scores[..., k], -500, 500))) for k in range(2))
        return np.stack([(1 - noise) * (1 - mixed), (1 - noise) * mixed, noise], axis=-1)
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def by_class(scores: Values) -> Values:
    """Scores of each class, linear in the raw ones.

    Of two stages, noise less the mean of the others is the log odds of noise against neuron, and
    mua less good those of several neurons against one.

    Parameters
    ----------
    scores : ndarray, shape (..., 2 or n_classes), float64

    Returns
    -------
    ndarray, shape (..., n_classes), float64
    """
    if scores.shape[-1] != 2:
        return scores
    half, mixed = scores[..., 0] / 2, scores[..., 1] / 2
    return np.stack([-half - mixed, -half + mixed, half], axis=-1)


def contributions(members: Sequence[Member], values: Values) -> Values:
    """Exact tree SHAP values of the mean member (Lundberg et al. 2020, Nat. Mach. Intell. 2).

    Returns
    -------
    ndarray, shape (n, n_features + 1, n_classes), float64
        In scores of classes, see `by_class`; the last row along the second axis is what holds for
        all items. The sum over that axis is the score.
    """
    total = np.zeros(0)
    for member in members:
        for stage in member:
            parts = np.concatenate([shares(text, values) for text in stage.texts], axis=1)
            parts = parts * (stage.scale / len(members))
            total = parts if not total.size else total + parts
    return by_class(np.swapaxes(total, 1, 2))


def _folds(sessions: Sequence[str], seed: int) -> list[npt.NDArray[np.bool_]]:
    """Which examples each member keeps: all but a share of the sessions (of a few, of items)."""
    codes = np.unique(np.asarray(sessions), return_inverse=True)[1]
    n = int(codes.max()) + 1
    if n < 3:  # too few to leave one out
        codes, n = np.random.default_rng(seed).integers(0, MAX_MEMBERS, codes.size), MAX_MEMBERS
    part = codes % min(n, MAX_MEMBERS)
    return [part != k for k in range(min(n, MAX_MEMBERS))]


def _two(
    values: Values,
    label: Codes,
    weight: Values,
    shape: Shape,
    seed: int,
    *,
    start: Values | None = None,
    names: Sequence[str] = (),
    even: bool = False,
) -> tuple[str, str]:
    """Boosters of noise against neuron and of several neurons against one; "" without any."""
    neuron = label != NOISE
    first, second = weight, weight[neuron]
    if even:
        first, second = balanced(label, weight), balanced(label[neuron], second)
        first = np.where(neuron, first, NOISE_MASS * first)
    noise = boosted(
        values,
        (~neuron).astype(np.int64),
        first,
        shape,
        2,
        seed,
        start=None if start is None else start[:, 0],
    )
    if not neuron.any():
        return noise, ""
    mixed = boosted(
        values[neuron],
        (label[neuron] == MUA).astype(np.int64),
        second,
        shape,
        2,
        seed,
        start=None if start is None else start[neuron, 1],
        rising=[MIXED.get(name, 0) for name in names],
    )
    return noise, mixed
