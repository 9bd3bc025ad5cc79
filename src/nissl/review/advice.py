"""Advice on stopping for a task of a project: what `stopping` asks for, from the journal.

What the method said *before* each answer stands in the set that the answer was given on, so
every answered question is a test of it. Audit items are left out: they are drawn among what
would be accepted without review, and tell nothing about the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from nissl.labels import Edit, EditKind
from nissl.review.auditing import chosen_budget
from nissl.review.desk import CLASSES_OF, UNLABELLED, Desk, Proposals
from nissl.review.policies import POLICIES, usable
from nissl.review.policies.learned import stop_probability
from nissl.review.pooling import Ref, pool_of
from nissl.review.progress import CLASS_DECISIONS, everybody, standing
from nissl.review.room import Room
from nissl.review.stopping import UPDATES, Asked, StopAdvice, advise, change_ahead, remaining
from nissl.store import LabelRow

_SAYS_WRONG = (EditKind.REJECT, EditKind.REMOVE, EditKind.UNSURE)


@dataclass(frozen=True)
class Advice:
    """Whether to stop reviewing a task.

    Parameters
    ----------
    task : str
    by_numbers : StopAdvice
        From the error that is left and what more decisions would change.
    learned : float or None
        How strongly the learned policy would stop, 0 to 1; None where it lacks votes or features.
    """

    task: str
    by_numbers: StopAdvice
    learned: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"task": self.task, "learned": self.learned, **self.by_numbers.to_json()}


def advice(room: Room, task: str, reader: str) -> Advice | None:
    """Advice for a task as the journal stands.

    Parameters
    ----------
    room : Room
    task : str
        Task of the desks ("spikes", "sleep").
    reader : str
        Whose times the learned policy counts with.

    Returns
    -------
    Advice or None
        None where every item is decided, or the method says no confidence of any that is left.
    """
    desks = [desk for desk in room.desks if desk.row.task == task]
    left = [(desk, place) for desk in desks for place in _open(room, desk).tolist()]
    confidence = np.array([desk.proposals.confidence[place] for desk, place in left])
    if not confidence.size:
        return None
    past = _history(room, desks)
    n_labels = sum(desk.item_ids.size for desk in desks)
    change = change_ahead(1 - confidence, n_labels, _updates(room, desks, past))
    found = remaining(confidence, _asked(room, past))
    told = advise(found, change, budget=chosen_budget(room.store, task))
    return Advice(task, told, _learned(room, left, reader))


def _open(room: Room, desk: Desk) -> npt.NDArray[np.intp]:
    """Places of items that nobody decided on and that the method is sure of to some degree."""
    by = everybody(room, desk)
    known = np.isfinite(desk.proposals.confidence)
    return np.flatnonzero(known & ~np.isin(desk.item_ids, list(by)))


def _learned(room: Room, left: Sequence[Ref], reader: str) -> float | None:
    pool = pool_of(room, left, reader)
    return stop_probability(pool) if "learned" in usable(pool) else None


def _asked(room: Room, past: Sequence[Sequence[Desk]]) -> Asked:
    """Answers to a policy's questions that stand, beside what was proposed when they were given."""
    every = room.edits()
    stands = {edit.uuid: edit for own in standing(every).values() for edit in own}
    claims = {desk.bases[-1]: desk for sets in past for desk in sets}
    rows: list[tuple[float, bool, float]] = []
    for row in room.store.questions():
        edit = stands.get(row.answered_by) if isinstance(row.answered_by, UUID) else None
        chance = row.body.get("probability")
        if edit is None or chance is None or row.policy not in POLICIES.names():
            continue
        if edit.base in claims and row.item is not None:
            rows += _tested(claims[edit.base], row.item, edit, float(chance))
    columns = np.array(rows, np.float64).reshape(-1, 3)
    return Asked(columns[:, 0], columns[:, 1] > 0, columns[:, 2])


def _tested(
    desk: Desk, item: int, edit: Edit, chance: float
) -> Iterator[tuple[float, bool, float]]:
    said = desk.proposals
    place = int(np.searchsorted(said.items, item))
    if place >= said.items.size or said.items[place] != item or said.label[place] < 0:
        return
    proposed = desk.vocabulary.names[said.label[place]]
    confidence = float(said.confidence[place])
    if not np.isfinite(confidence) or edit.of_rows:
        return
    if edit.kind is EditKind.RELABEL:
        yield confidence, edit.payload.get("label") != proposed, chance
    elif edit.kind is EditKind.ACCEPT or edit.kind in _SAYS_WRONG:
        yield confidence, edit.kind in _SAYS_WRONG, chance


def _history(room: Room, desks: Sequence[Desk]) -> list[list[Desk]]:
    """Each desk with every set of classes that a method proposed for it, oldest first."""
    beside: dict[str, list[LabelRow]] = {}
    for row in room.store.label_sets():
        if row.author.kind == "model" and row.author.name != UNLABELLED:
            for target in row.targets:
                beside.setdefault(target, []).append(row)
    return [
        [desk]
        if desk.classes_row is None
        else [
            replace(desk, classes_row=row)
            for row in beside.get(desk.key, ())
            if row.task == CLASSES_OF.get(desk.row.task)
        ]
        for desk in desks
    ]


def _updates(
    room: Room, desks: Sequence[Desk], past: Sequence[Sequence[Desk]]
) -> list[tuple[int, float]]:
    """The last updates of the model: decisions before each, and the share of labels it changed.

    Putting a model into use proposes anew at every desk, so the newest sets of all desks belong
    together, and so on backwards.
    """
    n_labels = sum(desk.item_ids.size for desk in desks)
    found = []
    for back in range(UPDATES, 0, -1):
        made, changed = 0, 0
        for desk, sets in zip(desks, past, strict=True):
            if len(sets) > back:
                before, after = sets[-back - 1], sets[-back]
                made += _between(room, sets, before, after)
                changed += _changed(before.proposals, after.proposals, _open(room, desk))
        if made:
            found.append((made, changed / n_labels))
    return found


def _changed(before: Proposals, after: Proposals, places: npt.NDArray[np.intp]) -> int:
    return int(np.count_nonzero(before.label[places] != after.label[places]))


def _between(room: Room, sets: Sequence[Desk], before: Desk, after: Desk) -> int:
    """Decisions made at a desk from one set of proposals to the next; carried ones are no new."""
    start, stop = (d.classes_row.created_s if d.classes_row else 0.0 for d in (before, after))
    return sum(
        edit.kind in CLASS_DECISIONS and edit.parent is None and start < edit.when_s <= stop
        for base in {base for one in sets for base in one.bases}
        for edit in room.edits(base=base)
    )


__all__ = ["Advice", "advice"]
