"""Growing the model of `sleep/nissl` from scored nights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.model import Model, columns, softmax
from nissl.annotators.sleep.personal import correction
from nissl.annotators.trees import Shape, boosted, raw_scores
from nissl.tasks import Examples
from nissl.trust.calibration import Calibration, choose

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

SHAPE = Shape(rounds=120, rate=0.08, leaves=12, min_leaf=30, l2=5.0)
FURTHER = Shape(rounds=40, rate=0.05, leaves=6, min_leaf=15, l2=5.0)
SHARE_OF_COLUMNS = 0.1
MEMBERS = 4
ENOUGH_SUBJECTS = 20
"""From which on each member leaves a part of them out, so that members disagree where they do."""
FOLDS = 3
"""Groups of subjects on which the calibration is judged while a model is grown."""
MANY = 1500
"""Decided epochs of at least two subjects from which on trees are grown on top."""
OWN_SCALE = ("|night", "|so far")
"""How names end of numbers on the scale of the whole night, and of the night so far."""
PLACES = 14
"""Numbers that the personal correction reads, at most."""


def grown(
    examples: Examples, classes: Sequence[str], *, seed: int, copies: Examples | None = None
) -> Model:
    """Fit a model from nothing, calibrated on subjects that were left out.

    Parameters
    ----------
    examples : Examples
        Epochs with codes of `classes`.
    classes : sequence of str
    seed : int
    copies : Examples, optional
        Varied copies of the same subjects' epochs (another gain, a derivation missing), learnt
        from but not calibrated on.
    """
    subject = np.asarray(examples.features.subject)
    names = examples.features.names
    fold = _folds(subject, FOLDS)
    members = tuple(
        (_trees(examples, copies, keep, len(classes), seed + k),)
        for k, keep in enumerate(_kept(subject))
    )
    calibration, told = Calibration("identity", len(classes)), "nothing: one subject"
    if np.unique(subject).size >= 2:
        unseen = np.empty((len(examples), len(classes)))
        for k in range(int(fold.max()) + 1):
            others = set(subject[fold != k].tolist())
            text = _trees(examples, copies, others, len(classes), seed + 100 + k)
            own = fold == k
            unseen[own] = softmax(raw_scores(text, examples.features.values[own]))
        rng = np.random.default_rng([seed, 1])
        calibration, _ = choose(unseen, examples.label, subject, rng=rng, weights=examples.weight)
        told = f"{np.unique(subject).size} subjects, each left out"
    return Model(names, tuple(classes), members, calibration, told)


def adapted(model: Model, examples: Examples, *, seed: int) -> Model:
    """The model after decisions on further nights, which stay what they were otherwise.

    Parameters
    ----------
    model : Model
    examples : Examples
        With codes of the model's classes.
    seed : int
    """
    features, label, weight = examples.features, examples.label, examples.weight
    if len(examples) >= MANY and len(set(features.subject)) >= 2:
        values = columns(features, model.features)
        rng = np.random.default_rng(seed)
        members = []
        for k, member in enumerate(model.members):
            rows = np.sort(rng.integers(0, len(label), len(label)))
            start = np.sum([raw_scores(text, values[rows]) for text in member], axis=0)
            text = boosted(
                values[rows],
                label[rows],
                weight[rows],
                FURTHER,
                len(model.classes),
                seed + k,
                start=start,
                columns=SHARE_OF_COLUMNS,
            )
            members.append((*member, text))
        return replace(model, members=tuple(members), correction=None)
    bare = replace(model, correction=None)
    p = bare.probabilities(features, bare.scores(features).mean(axis=0))
    places = _places(model)
    logs = np.log(np.clip(p, 1e-6, 1.0))
    found = correction(logs, columns(features, places), label, weight, places)
    return replace(model, correction=found)


def _places(model: Model) -> tuple[str, ...]:
    """The numbers of an epoch on the night's own scale, without ratios."""
    own = [n for n in model.features if n.endswith(OWN_SCALE) and "/" not in n]
    return tuple(own[:PLACES])


def _kept(subject: npt.NDArray[np.str_]) -> list[set[str]]:
    """Subjects that each member learns from: all where there are few."""
    names = sorted(set(subject.tolist()))
    if len(names) < ENOUGH_SUBJECTS:
        return [set(names)] * MEMBERS
    return [set(names) - set(names[k::MEMBERS]) for k in range(MEMBERS)]


def _folds(subject: npt.NDArray[np.str_], n: int) -> Codes:
    names, codes = np.unique(subject, return_inverse=True)
    return np.asarray(codes % min(n, max(names.size, 1)), np.int64)


def _trees(
    examples: Examples, copies: Examples | None, subjects: set[str], n_classes: int, seed: int
) -> str:
    parts = [examples] if copies is None else [examples, copies]
    keep = [np.isin(np.asarray(p.features.subject), sorted(subjects)) for p in parts]
    values = np.concatenate([p.features.values[k] for p, k in zip(parts, keep, strict=True)])
    label = np.concatenate([p.label[k] for p, k in zip(parts, keep, strict=True)])
    weight = np.concatenate([p.weight[k] for p, k in zip(parts, keep, strict=True)])
    shape = replace(SHAPE, min_leaf=min(SHAPE.min_leaf, max(3, len(label) // 100)))
    return boosted(values, label, weight, shape, n_classes, seed, columns=SHARE_OF_COLUMNS)


__all__ = ["adapted", "grown"]
