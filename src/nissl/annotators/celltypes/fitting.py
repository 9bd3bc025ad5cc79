"""From labelled units to a model: members, calibration, thresholds, strangers.

Every class counts alike, and within a class every animal by the root of its number of units. What
the model may claim is measured on animals that were left out. A class of which one animal alone
is known is absent when that animal is left out: such units must become "unknown", and they teach
what strangers look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.encoder import Encoders
from nissl.annotators.celltypes.exemplars import Exemplar, exemplars_of
from nissl.annotators.celltypes.inputs import PLAIN, Frame, fit_frame, numbers
from nissl.annotators.celltypes.member import Member, blank, taught, widened
from nissl.annotators.celltypes.model import BUDGETS, Model, from_files, to_files
from nissl.annotators.celltypes.strange import Strange, fit_strange, fitted
from nissl.annotators.celltypes.vocabulary import vocabulary
from nissl.errors import MissingInputError
from nissl.labels import FeatureTable
from nissl.nets.softmax import softmax
from nissl.tasks import Examples
from nissl.trust.calibration import Calibration, fit
from nissl.trust.novelty import MIN_GROUPS, Novelty, fit_novelty

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

MEMBERS = 8
MIN_EXAMPLES = 10
MIN_PER_CLASS = 3
"""Labelled units below which a class is not learnt: of one or two nobody can tell what is usual."""
MOST_FOLDS = 20
SHOWN = 30
"""Left-out units that a threshold must rest on."""
CALIBRATION_PRIOR = 30
"""Left-out units that would have to speak against a temperature of 1 to move it half of the way."""


@dataclass(frozen=True, eq=False)
class Unseen:
    """What models say of units of left-out animals.

    Parameters
    ----------
    probabilities : ndarray, shape (n_units, n_classes), float64
        Of the known classes, not calibrated; 0 for a class that was absent from training.
    distance : ndarray, shape (n_units,), float64
        Log distance from the nearest class beyond the usual.
    absent : ndarray, shape (n_units,), bool
        Whether the unit's own class was absent from training.
    """

    probabilities: Values
    distance: Values
    absent: npt.NDArray[np.bool_]


def grown(
    examples: Examples, encoders: Encoders, *, seed: int = 0, before: Model | None = None
) -> Model:
    """Model of labelled units.

    Parameters
    ----------
    examples : Examples
        With `classes`, the last of which is "unknown"; units of that class are not used.
    encoders : mapping of str to Encoder
    seed : int
    before : Model, optional
        What is known already. Its inputs are kept, the classes that both know start from it,
        and classes that only it knows stay as they are.

    Raises
    ------
    MissingInputError
        Fewer than ten labelled units, or no two classes with three.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # small products, which several threads only slow down
        return _grown(examples, encoders, seed, before)


def _grown(examples: Examples, encoders: Encoders, seed: int, before: Model | None) -> Model:
    names, table, label, given = _usable(examples, before)
    n_classes = len(names)
    weight = balanced(label, table.subject, given)
    frame = before.frame if before is not None else fit_frame(table, weight, encoders)
    inputs = frame.inputs(table)
    start = _start(frame, names, before, seed)
    present = tuple(bool(np.any(label == c)) for c in range(n_classes))
    if before is not None:
        kept = dict(zip(before.vocabulary.names, before.present, strict=False))
        present = tuple(
            own or kept.get(name, False) for own, name in zip(present, names, strict=True)
        )
    members = _members(inputs, label, weight, table.subject, start, seed)
    unseen = left_out(inputs, label, given, table.subject, start, seed)
    groups = len(set(table.subject))
    told = ~unseen.absent
    calibration = Calibration("identity", sum(present))
    if told.sum() >= SHOWN:
        calibration = _calibrated(unseen, label, weight, present)
    strange = fit_strange(inputs, weight)
    if before is not None:
        strange = before.strange.beside(strange)
    strange = _strangers(strange, inputs, label, given, table.subject, unseen, weight)
    probabilities = _known(unseen.probabilities, calibration, present)
    confidence = probabilities * (1 - strange.told(unseen.distance))[:, None]
    within = unseen.distance <= strange.limit
    thresholds = _thresholds(confidence[within], label[within], unseen.absent[within])
    projection = _projection(members, inputs)
    seen_as = f"{len(label)} units of {groups} animals, each animal left out"
    if groups < 2:
        seen_as = f"{len(label)} units of one animal, left out at random: flatters"
    model = Model(
        vocabulary=vocabulary(names),
        present=present,
        frame=frame,
        members=members,
        calibration=calibration,
        strange=strange,
        thresholds=thresholds,
        exemplars=_exemplars(table, label, names, inputs @ projection, before),
        calibrated_on=seen_as,
        projection=projection,
    )
    return from_files(to_files(model))  # what is kept is what is used, to the last bit


def seen(table: FeatureTable) -> Novelty | None:
    """What recordings of the training animals were like; None of fewer than three animals."""
    if len(set(table.subject)) < MIN_GROUPS:
        return None
    return fit_novelty(
        numbers(table, PLAIN),
        table.subject,
        names=PLAIN,
        rng=np.random.default_rng(2),
        kind="mahalanobis",  # the other kind keeps examples
    )


def balanced(label: Codes, subject: tuple[str, ...], given: Values) -> Values:
    """Weights under which classes count alike and animals by the root of their units; mean 1.

    Parameters
    ----------
    label : ndarray, shape (n_units,), int64
    subject : tuple of str, length n_units
    given : ndarray, shape (n_units,), float64
        How much each unit counts within its class and animal.
    """
    animals = np.asarray(subject)
    out = np.zeros(len(label))
    for code in np.unique(label):
        for animal in np.unique(animals[label == code]):
            rows = (label == code) & (animals == animal)
            total = given[rows].sum()
            out[rows] = given[rows] / total * np.sqrt(rows.sum()) if total > 0 else 0.0
        out[label == code] /= max(out[label == code].sum(), 1e-12)
    return np.asarray(out / out.mean())


def left_out(
    inputs: Values,
    label: Codes,
    given: Values,
    subject: tuple[str, ...],
    start: tuple[Member, ...],
    seed: int,
) -> Unseen:
    """Probabilities and distances of every unit by models of the other animals.

    Parameters
    ----------
    inputs : ndarray, shape (n_units, n_inputs), float64
    label : ndarray, shape (n_units,), int64
    given : ndarray, shape (n_units,), float64
    subject : tuple of str, length n_units
    start : tuple of Member
        What is known before.
    seed : int
    """
    fold, n_classes = _folds(subject, seed), len(start[0].head.intercepts)
    p = np.zeros((len(label), n_classes))
    distance, absent = np.zeros(len(label)), np.zeros(len(label), bool)
    for k in np.unique(fold):
        out, rest = fold == k, fold != k
        there = np.asarray([c for c in range(n_classes) if np.any(label[rest] == c)])
        absent[out] = ~np.isin(label[out], there)
        if there.size < 2:
            absent[out] = True
            p[out] = 1 / n_classes
            continue
        animals = tuple(np.asarray(subject)[rest].tolist())
        weight = balanced(label[rest], animals, given[rest])
        pair = [taught(member, inputs[rest], label[rest], weight) for member in start[:2]]
        told = [softmax(member.scores(inputs[out])[:, there])[0] for member in pair]
        p[np.ix_(out, there)] = np.mean(told, axis=0)
        distance[out] = fit_strange(inputs[rest], weight).distance(inputs[out])
    return Unseen(p, distance, absent)


def _usable(
    examples: Examples, before: Model | None
) -> tuple[tuple[str, ...], FeatureTable, Codes, Values]:
    """Names, table, codes and weights of what can be learnt."""
    names = examples.classes[:-1]
    counts = np.bincount(examples.label, minlength=len(examples.classes))[: len(names)]
    old = () if before is None else before.vocabulary.names[:-1]
    enough = [
        n for n, count in zip(names, counts, strict=True) if count >= MIN_PER_CLASS or n in old
    ]
    kept = np.isin(examples.label, [names.index(name) for name in enough])
    wanted = 1 if before is not None else 2
    learnt = [n for n in enough if counts[names.index(n)]]
    if kept.sum() < MIN_EXAMPLES or len(learnt) < wanted:
        told = {name: int(c) for name, c in zip(names, counts, strict=True)}
        raise MissingInputError(
            f"at least {MIN_EXAMPLES} labelled units, {MIN_PER_CLASS} or more of each of "
            f"{wanted} or more classes",
            str(told),
            "Decide on more units (nissl review), tag some, or bring a library.",
        )
    part = examples.take(kept)
    final = (*old, *(name for name in enough if name not in old))
    codes = np.asarray([final.index(names[code]) for code in part.label.tolist()], np.int64)
    return final, part.features, codes, part.weight


def _start(
    frame: Frame, names: tuple[str, ...], before: Model | None, seed: int
) -> tuple[Member, ...]:
    """Members before they learn: linear ones and kernel ones in turn, or those of a model."""
    if before is not None:
        old = before.vocabulary.names[:-1]
        places = [old.index(name) if name in old else None for name in names]
        return tuple(widened(member, places) for member in before.members)
    every = np.arange(frame.size)
    named = frame.scaling.names
    plain = np.asarray([k for k in every if k >= len(named) or named[k] in PLAIN], np.int64)
    return tuple(
        blank("random", every, len(names), np.random.default_rng([seed, 5, k]))
        if k % 2
        else blank("linear", plain, len(names), np.random.default_rng(0))
        for k in range(MEMBERS)
    )


def _members(
    inputs: Values,
    label: Codes,
    weight: Values,
    subject: tuple[str, ...],
    start: tuple[Member, ...],
    seed: int,
) -> tuple[Member, ...]:
    """Members, each with other weights of the animals (the Bayesian bootstrap of Rubin 1981)."""
    animals = np.asarray(subject)
    out = []
    for k, member in enumerate(start):
        rng = np.random.default_rng([seed, k])
        own = weight.copy()
        for animal in np.unique(animals):
            own[animals == animal] *= rng.exponential()
        for code in np.unique(label):
            rows = label == code
            own[rows] *= weight[rows].sum() / max(own[rows].sum(), 1e-12)
        out.append(taught(member, inputs, label, own))
    return tuple(out)


def _folds(subject: tuple[str, ...], seed: int) -> Codes:
    codes = np.unique(np.asarray(subject), return_inverse=True)[1]
    n = int(codes.max()) + 1
    rng = np.random.default_rng([seed, 3])
    if n >= 2:
        return np.asarray(rng.permutation(n)[codes] % MOST_FOLDS, np.int64)
    return np.asarray(rng.permutation(codes.size) % 5, np.int64)


def _calibrated(
    unseen: Unseen, label: Codes, weight: Values, present: tuple[bool, ...]
) -> Calibration:
    """Temperature from left-out units, drawn towards 1 as `CALIBRATION_PRIOR` more would."""
    cut = np.flatnonzero(present)
    rows = ~unseen.absent & np.isin(label, cut)
    p = np.maximum(unseen.probabilities[np.ix_(rows, cut)], 1e-6)
    p /= p.sum(axis=1, keepdims=True)
    codes = np.searchsorted(cut, label[rows])
    found = fit(p, codes, "temperature", weights=weight[rows]).parameters[0][0]
    n = float(weight[rows].sum() ** 2 / (weight[rows] ** 2).sum())
    return Calibration("temperature", cut.size, ((float(found ** (n / (n + CALIBRATION_PRIOR))),),))


def _known(p: Values, calibration: Calibration, present: tuple[bool, ...]) -> Values:
    cut = np.asarray(present)
    own = np.maximum(p[:, cut], 1e-9)
    out = np.zeros_like(p)
    out[:, cut] = calibration.apply(own / own.sum(axis=1, keepdims=True))
    return out


def _strangers(
    strange: Strange,
    inputs: Values,
    label: Codes,
    given: Values,
    subject: tuple[str, ...],
    unseen: Unseen,
    weight: Values,
) -> Strange:
    """Fit what a distance means, from classes left out in turn."""
    distance, absent, weights = [unseen.distance], [unseen.absent], [weight]
    for code in np.unique(label):
        rest, out = label != code, label == code
        if not rest.any():
            continue
        animals = tuple(np.asarray(subject)[rest].tolist())
        own = fit_strange(inputs[rest], balanced(label[rest], animals, given[rest]))
        distance.append(own.distance(inputs[out]))
        absent.append(np.ones(int(out.sum()), bool))
        weights.append(weight[out])
    return fitted(
        strange, np.concatenate(distance), np.concatenate(absent), np.concatenate(weights)
    )


def _thresholds(
    confidence: Values, label: Codes, absent: npt.NDArray[np.bool_]
) -> Mapping[float, float]:
    """Lowest confidence from which on left-out units keep each budget."""
    top = confidence.max(axis=1)
    wrong = (confidence.argmax(axis=1) != label) | absent
    order = np.argsort(-top, kind="stable")
    rate = np.cumsum(wrong[order]) / (np.arange(len(order)) + 1)
    out = {}
    for budget in BUDGETS:
        fine = np.flatnonzero((rate <= budget) & (np.arange(len(rate)) + 1 >= SHOWN))
        out[budget] = float(top[order][fine[-1]]) if fine.size else float("inf")
    return out


def _projection(members: tuple[Member, ...], inputs: Values) -> Values:
    """Two directions along which the linear members tell most units apart."""
    slopes = [member.slopes(inputs[:1])[0] for member in members if member.frequencies is None]
    coefficients = np.mean(slopes, axis=0)
    centred = coefficients - coefficients.mean(axis=0)
    scores = (inputs - inputs.mean(axis=0)) @ centred.T
    _, _, rows = np.linalg.svd(scores, full_matrices=False)
    out = centred.T @ rows[:2].T
    if out.shape[1] < 2:
        out = np.hstack([out, np.zeros((out.shape[0], 2 - out.shape[1]))])
    spread = (inputs @ out).std(axis=0)
    return np.asarray(out / np.where(spread > 1e-12, spread, 1.0))


def _exemplars(
    table: FeatureTable,
    label: Codes,
    names: tuple[str, ...],
    place: Values,
    before: Model | None,
) -> tuple[Exemplar, ...]:
    own = exemplars_of(table, label, names, place)
    if before is None:
        return own
    known = {each.name for each in own}
    return (*own, *(each for each in before.exemplars if each.name not in known))


__all__ = ["MIN_EXAMPLES", "MIN_PER_CLASS", "Frame", "Unseen", "balanced", "grown", "left_out"]
