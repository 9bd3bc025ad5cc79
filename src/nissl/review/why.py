"""Why a model says what it says of an item, in the reader's own terms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import MissingInputError
from nissl.labels import FeatureTable, Kind
from nissl.review.decided import Bench, benches
from nissl.review.desk import CLASSES_OF, Desk
from nissl.review.loop import learner_of
from nissl.store import Store
from nissl.tasks import ANNOTATORS, TASKS, Finding, Learner
from nissl.trust.attribution import nearest

N_REASONS = 5
N_EXAMPLES = 3
MOST_KEPT_BYTES = 128 * 2**20
"""Features of sets that are kept in memory."""


@dataclass(frozen=True)
class Reason:
    """What one feature contributes.

    Parameters
    ----------
    feature, unit : str
        A column of the features, or a modality: columns that are samples of one curve.
    value : float or None
        None where it could not be computed; that may count, too. None for a curve.
    towards : str
        The class that it speaks for (or against the proposed one).
    weight : float
        Contribution to the proposed class over the mean of the others, in natural log odds.
    sentence : str
    """

    feature: str
    unit: str
    value: float | None
    towards: str
    weight: float
    sentence: str


@dataclass(frozen=True)
class Example:
    """An item that people decided on and that is like this one."""

    source: str
    item: int
    label: str
    distance: float


@dataclass(frozen=True)
class Relative:
    """A labelled unit of a library that is like this one.

    Parameters
    ----------
    name : str
        Which one, as its library tells: laboratory, animal, unit.
    label : str
    evidence : str
        How its class is known ("optotagging", say); "" where it is not told.
    distance : float
    """

    name: str
    label: str
    evidence: str
    distance: float


@dataclass(frozen=True)
class Why:
    """Why an item has its proposed class.

    Parameters
    ----------
    item : int
    proposed : str
        The likeliest class; of an open vocabulary the likeliest of those that claim something.
    confidence : float
    reasons : tuple of Reason
        The strongest first.
    accepted, rejected : tuple of Example
        Nearest decided items of the proposed class, and of any other.
    findings : tuple of Finding
        What checks found about the item.
    unlike : str
        Where it lies outside what the model has seen, in plain words; "" where it does not.
    model : str
        Digest of the weights.
    library : tuple of Relative
        Nearest labelled units that the model brings with it.
    saliency : mapping of str to (list of float or None)
        For each modality of the learner what every sample of the curve contributes to the
        proposed class over the mean of the others; None where nothing does.
    """

    item: int
    proposed: str
    confidence: float
    reasons: tuple[Reason, ...]
    accepted: tuple[Example, ...]
    rejected: tuple[Example, ...]
    findings: tuple[Finding, ...]
    unlike: str
    model: str
    library: tuple[Relative, ...] = ()
    saliency: Mapping[str, list[float] | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "item": self.item,
            "proposed": self.proposed,
            "confidence": self.confidence,
            "reasons": [vars(reason).copy() for reason in self.reasons],
            "accepted": [vars(example).copy() for example in self.accepted],
            "rejected": [vars(example).copy() for example in self.rejected],
            "findings": [finding.to_json() for finding in self.findings],
            "unlike": self.unlike,
            "model": self.model,
            "library": [vars(relative).copy() for relative in self.library],
            "saliency": dict(self.saliency),
        }


def why_at(desk: Desk, item: int) -> Why:
    """Why an item of a desk has its proposed class.

    Parameters
    ----------
    desk : Desk
        Of units with classes, or of a set of classes itself.
    item : int

    Raises
    ------
    MissingInputError
        The desk's task has no method that can say, or there is no such item.
    """
    task = CLASSES_OF.get(desk.row.task, desk.row.task)
    if not _can_say(task):
        raise MissingInputError(
            "a task whose method learns from decisions and can say why",
            repr(desk.row.task),
            "The reason in the queue is all that is known.",
        )
    if desk.kind is not Kind.CLASSES:
        return why(desk.store, task, desk.key, item)
    columns = (desk.labels.column(name).tolist() for name in ("item", "target"))
    target = dict(zip(*columns, strict=True)).get(item)
    if target is None or not desk.row.targets:
        raise MissingInputError(f"an item of {desk.key[:12]}", str(item), "Reload the page.")
    told = why(desk.store, task, desk.row.targets[0], target)
    own = tuple(_findings(desk.store, desk.key, item))
    return replace(told, item=item, findings=(*told.findings, *own))


def _can_say(task: str) -> bool:
    methods = TASKS.get(task).methods if task in TASKS else ()
    return any(isinstance(ANNOTATORS.get(name), Learner) for name in methods)


def why(store: Store, task: str, base: str, item: int) -> Why:
    """Why the model in use classifies an item as it does.

    Parameters
    ----------
    store : Store
    task : str
        Of the kind CLASSES.
    base : str
        Digest of the set whose item it is.
    item : int

    Raises
    ------
    MissingInputError
        No such set or item, or a task that has no learner.
    """
    learner = learner_of(store, task)
    found = list(benches(store, task))
    bench = next((each for each in found if each.base.digest == base), None)
    if bench is None:
        raise MissingInputError(
            f"the current set {base[:12]!r} of a source", "none", "Reload the page."
        )
    table, places = _features(bench, learner)
    if item not in table.items:  # a merge or split made it
        table = bench.features(learner)
        places = _places(learner, table)
    rows = np.flatnonzero(table.items == item)
    if not rows.size:
        raise MissingInputError(f"an item of {base[:12]}", str(item), "Reload the page.")
    row = int(rows[0])
    n_open = 1 if TASKS.get(task).open_vocabulary else 0  # its last class claims nothing
    names = learner.vocabulary.names[: len(learner.vocabulary) - n_open]
    one = _row(table, row)
    p = learner.predict(one).probabilities[0, : len(names)]
    proposed = names[int(p.argmax())]
    accepted, rejected = examples(
        found, learner, places[row], proposed, but=(bench.source.name, item)
    )
    margin, given = _margin(learner, one, p)
    return Why(
        item=item,
        proposed=proposed,
        confidence=float(p.max()),
        reasons=reasons(learner, one, margin, given, names, proposed),
        accepted=accepted,
        rejected=rejected,
        findings=tuple(_findings(store, base, item)),
        unlike=learner.unlike(one)[1][0],
        model=learner.weights,
        library=_relatives(learner, one),
        saliency={
            name: [float(v) for v in margin[columns]] if np.any(margin[columns]) else None
            for name, columns in _modalities(learner, one).items()
        },
    )


def _margin(
    learner: Learner, one: FeatureTable, p: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What each column adds to the likeliest class over the mean of the others, and to each."""
    given = learner.contributions(one)[0][:, : p.size]
    best = int(p.argmax())
    others = np.delete(given, best, axis=1)
    return given[:, best] - (others.mean(axis=1) if others.size else 0.0), given


def _modalities(learner: Learner, table: FeatureTable) -> dict[str, npt.NDArray[np.intp]]:
    """Places of the columns that are samples of one curve, by the name of the curve.

    A learner that has curves tells their columns as `modalities`, names by modality.
    """
    known = {name: k for k, name in enumerate(table.names)}
    told: Mapping[str, Sequence[str]] = getattr(learner, "modalities", {})
    return {
        name: np.asarray([known[column] for column in columns], np.intp)
        for name, columns in told.items()
        if all(column in known for column in columns)
    }


def _relatives(learner: Learner, one: FeatureTable) -> tuple[Relative, ...]:
    """Nearest labelled units of the library that a learner may bring with it.

    Such a learner has ``relatives(features, n)``: (name, class, evidence, distance) of each.
    """
    asked = getattr(learner, "relatives", None)
    return () if asked is None else tuple(Relative(*each) for each in asked(one, N_EXAMPLES))


def _findings(store: Store, base: str, item: int) -> list[Finding]:
    return [Finding.from_json(f) for f in store.findings(base) if f.get("item") == item]


def reasons(
    learner: Learner,
    one: FeatureTable,
    margin: npt.NDArray[np.float64],
    given: npt.NDArray[np.float64],
    names: Sequence[str],
    proposed: str,
) -> tuple[Reason, ...]:
    """Strongest contributions to the proposed class against the mean of the others.

    Samples of one curve count together.

    Parameters
    ----------
    learner : Learner
    one : FeatureTable
        One row.
    margin : ndarray, shape (n_features,), float64
        Natural log odds for the proposed class.
    given : ndarray, shape (n_features, n_classes), float64
        For each class.
    names : sequence of str
        Classes.
    proposed : str
    """
    curves = _modalities(learner, one)
    own = np.setdiff1d(np.arange(len(one.names)), np.concatenate([*curves.values(), []]))
    parts: list[tuple[str, npt.NDArray[np.intp]]] = [
        (one.names[k], np.asarray([k], np.intp)) for k in own.astype(int).tolist()
    ]
    parts += list(curves.items())
    weight = np.asarray([margin[columns].sum() for _, columns in parts])
    words = learner.says
    out = []
    for k in np.argsort(-np.abs(weight), kind="stable")[:N_REASONS].tolist():
        if weight[k] == 0:
            continue
        name, columns = parts[k]
        speaks_for = names[int(given[columns].sum(axis=0).argmax())]
        towards = proposed if weight[k] > 0 else speaks_for
        if towards == proposed and weight[k] < 0:
            towards = f"not {proposed}"
        if name in curves:
            unit, value = "", None
            said = words.get(name, f"shape of the {name.replace('_', ' ')}")
        else:
            raw, unit = float(one.values[0, columns[0]]), one.units[columns[0]]
            value = None if math.isnan(raw) else raw
            said = _said(words.get(name, name + " {:.3g}"), name, raw)
        out.append(
            Reason(name, unit, value, towards, float(weight[k]), f"{said}: towards {towards}")
        )
    return tuple(out)


def examples(
    found: Sequence[Bench],
    learner: Learner,
    values: npt.NDArray[np.float64],
    proposed: str,
    *,
    but: tuple[str, int] | None = None,
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Nearest decided items of the proposed class, and of any other class.

    Left out is the item itself, `but`: its source's name and its number.

    Distances are root mean squares over the features that both have, each in units of its
    spread over the decided items; where curves are among the features, over the learner's own
    scale (`Learner.embedded`), in which `values` are then given.
    """
    where: list[tuple[str, int, str]] = []
    rows: list[npt.NDArray[np.float64]] = []
    for bench in found:
        known = bench.decided()
        if not known:
            continue
        table, places = _features(bench, learner)
        for k, unit in enumerate(table.items.tolist()):
            if unit in known and (bench.source.name, unit) != but:
                where.append((bench.source.name, unit, known[unit]))
                rows.append(places[k])
    if not rows:
        return (), ()
    known_values = np.stack(rows)
    centre, scale = (0.0, 1.0) if _has_curves(learner) else _frame(known_values)
    near = nearest(
        (values - centre) / scale,
        (known_values - centre) / scale,
        [proposed] * len(rows),
        ["accepted" if label == proposed else "changed" for _, _, label in where],
        n=N_EXAMPLES,
    )

    def told(
        picked: npt.NDArray[np.int64], distance: npt.NDArray[np.float64]
    ) -> tuple[Example, ...]:
        pairs = zip(picked.tolist(), distance.tolist(), strict=True)
        out = []
        for k, apart in pairs:
            source, item, label = where[k]
            out.append(Example(source, item, label, apart))
        return tuple(out)

    return told(near.accepted, near.accepted_distance), told(near.rejected, near.rejected_distance)


def _frame(
    values: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Median and spread of each column; 0 and 1 where a column says nothing."""
    known = np.any(np.isfinite(values), axis=0)
    filled = np.where(known, values, 0.0)
    low, centre, high = np.nanpercentile(filled, [25, 50, 75], axis=0)
    scale = (high - low) / 1.349
    return centre, np.where(scale > 0, scale, 1.0)


def _said(words: str, name: str, value: float) -> str:
    if math.isnan(value):
        return f"{name.replace('_', ' ')} could not be computed"
    return words.format(value)


def _row(table: FeatureTable, row: int) -> FeatureTable:
    return FeatureTable(
        items=table.items[row : row + 1],
        names=table.names,
        values=table.values[row : row + 1],
        units=table.units,
        subject=table.subject[row : row + 1],
        session=table.session[row : row + 1],
    )


def _has_curves(learner: Learner) -> bool:
    return bool(getattr(learner, "modalities", {}))


def _places(learner: Learner, table: FeatureTable) -> npt.NDArray[np.float64]:
    """Where items lie when they are compared, (n_items, d)."""
    return learner.embedded(table) if _has_curves(learner) else table.values


Known = tuple[FeatureTable, npt.NDArray[np.float64]]


def _features(bench: Bench, learner: Learner) -> Known:
    """Features of the items as they were proposed, and where they lie.

    They are kept, for why is asked item by item.
    """
    key = (learner.name, learner.weights, bench.base.digest, bench.base.items)
    with _lock:
        if key not in _kept:
            table = bench.proposed_features(learner)
            fresh = (table, _places(learner, table))
            while _kept and sum(map(_bytes, _kept.values())) + _bytes(fresh) > MOST_KEPT_BYTES:
                _kept.pop(next(iter(_kept)))
            _kept[key] = fresh
        return _kept[key]


def _bytes(known: Known) -> int:
    return known[0].values.nbytes + known[1].nbytes


_lock = Lock()
_kept: dict[tuple[str, str, str, str | None], Known] = {}


__all__ = ["Example", "Reason", "Relative", "Why", "why", "why_at"]
