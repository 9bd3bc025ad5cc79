"""The readers of a project's task together: agreement, errors, gold items, training, adjudication.

`nissl.review.readers` and its neighbours speak of one label set; here the desks of a task are one
collection of items, numbered through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Kind
from nissl.review.desk import Desk
from nissl.review.double_reading import Disagreement, assign, disagreements, second_questions
from nissl.review.reader_trends import AutomationBias, Drift, automation_bias, drift
from nissl.review.readers import (
    Agreement,
    Answer,
    Errors,
    agreement,
    answers_of,
    extent_agreement,
    first_hand,
    latest,
    reader_errors,
)
from nissl.review.room import Room
from nissl.review.training import Training, first_answers, judge
from nissl.store import QuestionRow
from nissl.trust.intervals import Interval

Ref = tuple[str, int]
"""Key of a desk, and an item of its base."""
LEAST_FOLLOWED = 20
"""Answers with a reference, below which a reader's drift is not looked at."""


@dataclass(frozen=True, eq=False)
class Panel:
    """All answers of a task's readers.

    Parameters
    ----------
    task : str
        Task of the desks ("spikes", "sleep").
    classes : tuple of str
    refs : tuple of Ref
        What the numbers of `answers` and `proposed` stand for.
    answers : tuple of Answer
        In the order of their times; `item` is an index into `refs`.
    proposed : mapping of int to str
        The machine's class of each item that anybody answered.
    subjects : mapping of int to str
    gold : mapping of int to str
        Known classes.
    """

    task: str
    classes: tuple[str, ...]
    refs: tuple[Ref, ...]
    answers: tuple[Answer, ...]
    proposed: Mapping[int, str]
    subjects: Mapping[int, str]
    gold: Mapping[int, str]

    @property
    def readers(self) -> tuple[str, ...]:
        """Who answered first-hand."""
        return tuple(dict.fromkeys(a.reader for a in first_hand(self.answers)))

    @cached_property
    def errors(self) -> Errors | None:
        """Confusion of each reader; None before there are answers in two classes."""
        try:
            return reader_errors(self.answers, classes=self.classes, gold=self.gold)
        except MissingInputError:
            return None

    def agreement(self, rng: np.random.Generator) -> Agreement | None:
        """Agreement on the class, resampled over subjects; None where nothing was read twice."""
        subjects = self.subjects if len(set(self.subjects.values())) > 1 else None
        try:
            return agreement(self.answers, rng=rng, classes=self.classes, groups=subjects)
        except MissingInputError:
            return None

    def disagreements(self) -> tuple[tuple[Ref, Disagreement], ...]:
        """What an adjudicator must settle, the most doubtful first."""
        found = self.errors
        posterior: dict[int, list[float]] = {}
        if found is not None and found.model.identified.all():
            rows = found.model.posterior.tolist()
            posterior = dict(zip(found.items.tolist(), rows, strict=True))
        return tuple(
            (self.refs[each.item], each)
            for each in disagreements(self.answers, posterior=posterior or None)
        )

    def bias(self, rng: np.random.Generator) -> AutomationBias | None:
        """Whether readers follow the machine more when they see it; None before both were seen."""
        try:
            return automation_bias(self.answers, self.proposed, rng=rng, truth=self.gold)
        except (MissingInputError, BadArgumentError):
            return None

    def drifts(self, rng: np.random.Generator) -> tuple[Drift, ...]:
        """Each reader against gold items and the other readers' majority over time."""
        found = []
        for reader in self.readers:
            reference = self._majority_without(reader) | dict(self.gold)
            own = [a for a in first_hand(self.answers) if a.reader == reader]
            if sum(a.item in reference for a in own) >= LEAST_FOLLOWED:
                found.append(drift(own, reader, reference, rng=rng))
        return tuple(found)

    def _majority_without(self, reader: str) -> dict[int, str]:
        said: dict[int, list[str]] = {}
        for (item, name), answer in latest(first_hand(self.answers)).items():
            if name != reader and answer.label is not None:
                said.setdefault(item, []).append(answer.label)
        return {item: labels[0] for item, labels in said.items() if len(set(labels)) == 1}


def gather(room: Room, task: str) -> Panel:
    """Answers of all readers at the desks of a task.

    Parameters
    ----------
    room : Room
    task : str

    Raises
    ------
    BadArgumentError
        No desk has such a task.
    """
    desks = _desks(room, task)
    refs: dict[Ref, int] = {}
    answers: list[Answer] = []
    proposed: dict[int, str] = {}
    subjects: dict[int, str] = {}
    for desk in desks:
        labels = desk.classes if desk.classes is not None else desk.labels
        unit = _units(desk)
        for answer in answers_of(labels, room.edits(base=labels.digest)):
            if answer.item in unit or desk.classes is None:
                ref = (desk.key, unit.get(answer.item, answer.item))
                number = refs.setdefault(ref, len(refs))
                answers.append(replace(answer, item=number))
                subjects[number] = str(desk.facts()["subject"])
        proposed |= _proposed(desk, refs)
    gold = {refs[ref]: label for ref, label in _gold(room, task).items() if ref in refs}
    ordered = tuple(sorted(answers, key=lambda a: a.when_s))
    classes = desks[0].vocabulary.names
    return Panel(task, classes, tuple(refs), ordered, proposed, subjects, gold)


def extents(
    room: Room, task: str, rng: np.random.Generator, *, most: int = 20
) -> list[tuple[str, tuple[str, str], Interval]]:
    """Agreement on what is where, as F1 of every two readers, for the first desks of a task.

    Parameters
    ----------
    room : Room
    task : str
    rng : numpy.random.Generator
    most : int
        Desks to look at.

    Returns
    -------
    list of (str, (str, str), Interval)
        Key of the desk, the two readers, F1.
    """
    found: list[tuple[str, tuple[str, str], Interval]] = []
    for desk in _desks(room, task)[:most]:
        if desk.kind is not Kind.SPANS or len({e.reviewer for e in room.edits(base=desk.key)}) < 2:
            continue
        pairs = extent_agreement(desk.labels, room.edits(base=desk.key), rng=rng)
        for pair, compared in pairs.items():
            if "f1" in compared.intervals:
                found.append((desk.key, pair, compared.intervals["f1"]))
    return found


def ask_second(
    room: Room, task: str, readers: Sequence[str], fraction: float, rng: np.random.Generator
) -> int:
    """Have a random fraction of all items read by two of these readers, each on their own.

    Parameters
    ----------
    room : Room
    task : str
    readers : sequence of str
        At least two.
    fraction : float
        0 to 1.
    rng : numpy.random.Generator

    Returns
    -------
    int
        Questions that were asked.
    """
    asked = 0
    for desk in _desks(room, task):
        dealt = assign(desk.item_ids.tolist(), readers, fraction, rng=rng)
        asked += len(room.store.ask(second_questions(dealt, desk.key)))
    return asked


def training(room: Room, task: str, reader: str) -> tuple[Training, tuple[Ref, ...]]:
    """How far a reader has come on the gold items of a task, and what each answer was about."""
    known = _gold(room, task)
    refs: list[Ref] = []
    gold: dict[int, str] = {}
    counted: list[Answer] = []
    for desk in _desks(room, task):
        labels = desk.classes if desk.classes is not None else desk.labels
        unit = _units(desk)
        items = labels.items.tolist() if any(key == desk.key for key, _ in known) else []
        own = {i: known.get((desk.key, unit.get(i, i))) for i in items}
        right = {item: label for item, label in own.items() if label is not None}
        for answer in first_answers(labels, room.edits(base=labels.digest), reader, right):
            gold[len(refs)] = right[answer.item]
            counted.append(replace(answer, item=len(refs)))
            refs.append((desk.key, unit.get(answer.item, answer.item)))
    return judge(sorted(counted, key=lambda a: a.when_s), reader, gold), tuple(refs)


def choose_gold(room: Room, task: str, by: str) -> int:
    """Take what a reader said, or settled as an adjudicator, as known from now on.

    Returns
    -------
    int
        Items that are gold now; those of an earlier choice are replaced.

    Raises
    ------
    MissingInputError
        The reader has decided nothing in this task.
    """
    panel = gather(room, task)
    own = {a.item: a.label for a in panel.answers if a.reader == by and a.label is not None}
    if not own:
        raise MissingInputError(
            f"decisions of {by!r} in the task {task!r}", "none", "Choose another reader."
        )
    items = [[*panel.refs[item], label] for item, label in own.items()]
    room.store.set_setting(_gold_name(task), {"by": by, "items": items})
    return len(items)


def ask_gold(room: Room, task: str, reader: str, n: int, rng: np.random.Generator) -> int:
    """Put gold items to a reader, hidden among their others; in training they are told after.

    Parameters
    ----------
    room : Room
    task : str
    reader : str
    n : int
        At most so many of those that the reader has not been asked.
    rng : numpy.random.Generator

    Returns
    -------
    int
        Items that are asked now.

    Raises
    ------
    MissingInputError
        No gold items are chosen, or the reader knows all of them.
    """
    known = {panel_ref for panel_ref, _ in _answered_by(room, task, reader)}
    asked = {
        (row.labels, row.item)
        for row in room.store.questions(policy="gold")
        if row.body.get("reader") == reader
    }
    free = [ref for ref in _gold(room, task) if ref not in known and ref not in asked]
    if not free:
        raise MissingInputError(
            f"gold items that {reader!r} has not seen",
            f"none of {len(_gold(room, task))}",
            "Choose a reader whose decisions are taken as known.",
        )
    chosen = [free[i] for i in rng.permutation(len(free))[:n]]
    rows = [
        QuestionRow(
            uuid5(NAMESPACE_OID, f"gold/{room.store.id}/{key}/{item}/{reader}"),
            key,
            item,
            "gold",
            body={"reader": reader, "reason": "Read it on your own."},
        )
        for key, item in chosen
    ]
    return len(room.store.ask(rows))


def _desks(room: Room, task: str) -> list[Desk]:
    found = [desk for desk in room.desks if desk.row.task == task]
    if not found:
        known = sorted({desk.row.task for desk in room.desks})
        raise BadArgumentError(f"a task among {known}", repr(task)[:80], "Choose one of them.")
    return found


def _answered_by(room: Room, task: str, reader: str) -> list[tuple[Ref, str | None]]:
    panel = gather(room, task)
    return [(panel.refs[a.item], a.label) for a in panel.answers if a.reader == reader]


def _units(desk: Desk) -> dict[int, int]:
    """Item of the classes -> the unit it speaks of; empty for desks without classes."""
    if desk.classes is None:
        return {}
    columns = (desk.classes.column(name).tolist() for name in ("item", "target"))
    return dict(zip(*columns, strict=True))


def _proposed(desk: Desk, refs: Mapping[Ref, int]) -> dict[int, str]:
    said, names = desk.proposals, desk.vocabulary.names
    pairs = zip(said.items.tolist(), said.label.tolist(), strict=True)
    return {
        refs[desk.key, item]: names[code]
        for item, code in pairs
        if code >= 0 and (desk.key, item) in refs
    }


def _gold(room: Room, task: str) -> dict[Ref, str]:
    body: Mapping[str, Any] = room.store.setting(_gold_name(task)) or {}
    return {(str(key), int(item)): str(label) for key, item, label in body.get("items", ())}


def _gold_name(task: str) -> str:
    return f"gold:{task}"
