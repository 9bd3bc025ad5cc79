"""Doubts about what is decided: labels that look wrong, and items that fit no known class.

Neither changes anything: a person looks again, or a new class is proposed to people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import numpy as np
import numpy.typing as npt

from nissl.errors import MissingInputError
from nissl.review.decided import benches, gather
from nissl.review.desk import CLASSES_OF, Desk
from nissl.review.judging import out_of_fold, split
from nissl.review.loop import learner_of
from nissl.review.pooling import kept_with
from nissl.review.room import Room
from nissl.store import QuestionRow, Store
from nissl.tasks import Examples
from nissl.trust.label_errors import find_label_errors
from nissl.trust.new_classes import propose_classes

RECHECK = "recheck"
"""Policy of questions about what somebody has decided already."""
NEEDED = 30
"""Decided items of a task below which no decision is doubted."""

Ref = tuple[str, int]
"""Key of a desk, and an item of it."""


@dataclass(frozen=True)
class Suspect:
    """A decision that looks wrong.

    Parameters
    ----------
    desk : str
        Key of the desk.
    item : int
    source : str
        Name of the recording.
    given, suggested : str
        The class that people gave, and the most probable other one.
    probability : float
        That the given class is wrong, as `nissl.trust.label_errors.find_label_errors` says.
    """

    desk: str
    item: int
    source: str
    given: str
    suggested: str
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return vars(self).copy()


@dataclass(frozen=True)
class NewClass:
    """A cluster of items outside the model's experience.

    Parameters
    ----------
    items, exemplars : tuple of Ref
        All of it, and up to five from its middle.
    animals : tuple of str
        Subjects with two of its items or more.
    stability : float
        Mean Jaccard index over bootstrap resamples, 0 to 1.
    offered : bool
        Whether it may be a class of its own.
    reason : str
        In plain words: why it is offered, or why not.
    """

    items: tuple[Ref, ...]
    exemplars: tuple[Ref, ...]
    animals: tuple[str, ...]
    stability: float
    offered: bool
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        places = {
            name: [{"desk": desk, "item": item} for desk, item in refs]
            for name, refs in (("items", self.items), ("exemplars", self.exemplars))
        }
        return vars(self) | places | {"animals": list(self.animals)}


def suspects(room: Room, task: str, *, rng: np.random.Generator) -> list[Suspect]:
    """Decisions on a task that look wrong, the most doubtful first.

    Judged are probabilities by models that have not seen the item's animal, or its session
    where there is one animal. What was asked again and answered is settled.

    Parameters
    ----------
    room : Room
    task : str
        One of the kind CLASSES with a method that learns.
    rng : numpy.random.Generator
        Deals the groups out, and seeds the models.

    Raises
    ------
    MissingInputError
        Fewer than `NEEDED` items are decided.
    BadArgumentError
        The task has no method that learns.
    """
    learner = learner_of(room.store, task, "")
    try:
        examples: Examples | None = gather(room.store, task, learner)
    except MissingInputError:
        examples = None
    n = 0 if examples is None else len(examples)
    if examples is None or n < NEEDED:
        raise MissingInputError(
            f"at least {NEEDED} decided items of the task {task!r}",
            str(n),
            f"Decide on {NEEDED - n} more; a model must learn from them before it can doubt any.",
        )
    _, fold = split(examples, rng)
    unseen = out_of_fold(learner, examples, fold, int(rng.integers(2**31 - 1)))
    found = find_label_errors(examples.label, unseen / unseen.sum(axis=1, keepdims=True))
    desks = {bench.source.name: bench.base.digest for bench in benches(room.store, task)}
    names, features = examples.classes or learner.vocabulary.names, examples.features
    every = [
        Suspect(
            desk=desks[features.session[row]],
            item=int(features.items[row]),
            source=features.session[row],
            given=names[examples.label[row]],
            suggested=names[found.suggested[row]],
            probability=float(found.probability[row]),
        )
        for row in found.order[found.selected[found.order]].tolist()
    ]
    asked = room.store.questions(policy=RECHECK)
    settled = {row.uuid for row in asked if row.answered_by is not None}
    return [each for each in every if _uuid(room.store, each) not in settled]


def ask_again(
    store: Store, found: Sequence[Suspect], *, model: str = "a model of the other decisions"
) -> int:
    """Ask people to look at suspects again; returns how many were not asked before.

    The questions are on disk when this returns. Any reader may answer.
    """
    known = {row.uuid for row in store.questions(policy=RECHECK)}
    rows = [
        QuestionRow(
            _uuid(store, each),
            each.desk,
            each.item,
            RECHECK,
            each.probability,
            {
                "reason": f"It was decided to be {each.given}; to {model} it is rather "
                f"{each.suggested}."
            },
        )
        for each in found
    ]
    store.ask(rows)
    return len({row.uuid for row in rows} - known)


def new_classes(room: Room, task: str, *, rng: np.random.Generator) -> list[NewClass]:
    """Clusters of novel items over all desks that may be classes of their own.

    Items are novel where the model that proposed their classes said so. Only items that one and
    the same model has proposed are compared, since each has its own scale.

    Parameters
    ----------
    room : Room
    task : str
        One of the kind CLASSES with a method that learns.
    rng : numpy.random.Generator

    Returns
    -------
    list of NewClass
        Per model the offered ones first; those that are refused say why.

    Raises
    ------
    BadArgumentError
        The task has no method that learns.
    """
    learner_of(room.store, task, "")
    by_model: dict[tuple[Any, ...], list[tuple[Desk, npt.NDArray[np.float64]]]] = {}
    for desk in room.desks:
        if CLASSES_OF.get(desk.row.task) != task or desk.classes is None:
            continue
        kept = kept_with(room, desk)
        if kept is not None:
            author, x = desk.classes.provenance.author, kept["features"]
            model = (author.name, author.weights, x.shape[1])
            by_model.setdefault(model, []).append((desk, x))
    return [each for pairs in by_model.values() for each in _clusters(pairs, rng)]


def _clusters(
    pairs: Sequence[tuple[Desk, npt.NDArray[np.float64]]], rng: np.random.Generator
) -> list[NewClass]:
    refs = [(desk.key, item) for desk, _ in pairs for item in desk.item_ids.tolist()]
    novel = [item in desk.unlike for desk, _ in pairs for item in desk.item_ids.tolist()]
    found = propose_classes(
        np.concatenate([x for _, x in pairs]),
        np.asarray(novel, bool),
        _each(pairs, [str(desk.source.subject.get("id") or "unknown") for desk, _ in pairs]),
        rng=rng,
        confounds=_confounds(pairs),
    )
    return [
        NewClass(
            items=tuple(refs[row] for row in each.items.tolist()),
            exemplars=tuple(refs[row] for row in each.exemplars.tolist()),
            animals=tuple(str(name) for name in each.animals),
            stability=each.stability,
            offered=each.offered,
            reason=each.reason,
        )
        for each in found
    ]


def _confounds(
    pairs: Sequence[tuple[Desk, npt.NDArray[np.float64]]],
) -> Mapping[str, npt.NDArray[Any]]:
    """Signal-to-noise ratio, session, and rig where the project knows it."""
    desks = [desk for desk, _ in pairs]
    found = {
        "snr": np.concatenate([_snr(desk) for desk in desks]),
        "session": _each(pairs, [desk.source.name for desk in desks]),
    }
    rigs = [str(desk.source.session.get("rig") or "unknown") for desk in desks]
    return found | ({"rig": _each(pairs, rigs)} if set(rigs) != {"unknown"} else {})


def _each(
    pairs: Sequence[tuple[Desk, npt.NDArray[np.float64]]], values: Sequence[str]
) -> npt.NDArray[Any]:
    """A value of each desk, repeated for its items."""
    return np.repeat(np.asarray(values), [desk.item_ids.size for desk, _ in pairs])


def _snr(desk: Desk) -> npt.NDArray[np.float64]:
    """Signal-to-noise ratio of a desk's items, NaN where it is not known."""
    out = np.full(desk.item_ids.size, np.nan)
    if desk.items is not None and "snr" in desk.items.table.column_names:
        known = dict(
            zip(desk.items.items.tolist(), desk.items.table["snr"].to_pylist(), strict=True)
        )
        given = [known.get(item) for item in desk.item_ids.tolist()]
        out = np.asarray([np.nan if value is None else value for value in given], np.float64)
    return out


def _uuid(store: Store, each: Suspect) -> UUID:
    """The same for the same doubt, so that nothing is asked twice."""
    return uuid5(NAMESPACE_OID, f"{RECHECK}/{store.id}/{each.desk}/{each.item}/{each.given}")


__all__ = ["NEEDED", "RECHECK", "NewClass", "Suspect", "ask_again", "new_classes", "suspects"]
