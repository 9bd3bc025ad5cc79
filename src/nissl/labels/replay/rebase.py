"""After a re-run: edits carried to the new set, and dependants carried to a reviewed set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid5

import numpy as np
import pyarrow as pa

from nissl.errors import BadArgumentError
from nissl.labels.edits import Edit, EditKind
from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet
from nissl.labels.replay import journal
from nissl.labels.replay.carrying import CarriedPoints
from nissl.labels.replay.reviewed import Question, Reviewed


@dataclass(frozen=True)
class Rebased:
    """Edits of an old set, said anew about a new one.

    Parameters
    ----------
    edits : tuple of Edit
        On the new set, in the old order. Uuids are derived from the old uuid and the new
        set, so carrying them twice gives the same; `parent` is the old edit.
    questions : tuple of Question
        What no longer fits, with the old edit.
    """

    edits: tuple[Edit, ...]
    questions: tuple[Question, ...]


def rebase(
    edits: Iterable[Edit],
    old: LabelSet,
    new: LabelSet,
    matching: Mapping[int, int],
    *,
    tolerance: int = 0,
) -> Rebased:
    """Carry edits from one run's labels to another's.

    Undone edits and their undos are left behind. An edit fits when all its items are
    matched; an acceptance only when the new item also has the class that was accepted. What a
    method moved on somebody's behalf stays behind: the new run says it anew.
    Row ids in payloads (splits, moves of one row) are carried by place: to the row of the
    matched item with the nearest sample, start or frame within `tolerance`. What was said of
    single points is carried to those that the new set has at the same place.

    Parameters
    ----------
    edits : iterable of Edit
        Made on `old`, in the order of the journal.
    old, new : LabelSet
        Of the same kind.
    matching : mapping of int to int
        Item of `old` to item of `new`, for instance `Comparison.matching`; one to one.
    tolerance : int
        Samples or frames.

    Returns
    -------
    Rebased
    """
    if old.kind is not new.kind or len(set(matching.values())) != len(matching):
        raise BadArgumentError(
            "two sets of one kind and a matching of one item to one",
            f"{old.kind.value} and {new.kind.value}, {len(matching)} pairs",
            "Match the items with nissl.labels.compare.",
        )
    known, questions = journal.unique(edits)
    standing: list[Edit] = []
    for own in journal.by_reviewer(known).values():
        kept, doubtful = journal.active(own)
        standing += [edit for edit in kept if not edit.by_method]
        questions += doubtful
    order = {edit.uuid: index for index, edit in enumerate(known)}
    reserved = journal.reserve(old, known)
    carrier = _Carrier(old, new, dict(matching), reserved, tolerance)
    if old.kind is Kind.POINTS and any(edit.of_rows for edit in standing):
        carrier.points = CarriedPoints(old, new, standing, reserved)
    for edit in sorted(standing, key=lambda e: order[e.uuid]):
        reason = carrier.carry(edit)
        if reason:
            questions.append(Question(reason, edit.items, edit))
    return Rebased(tuple(carrier.carried), tuple(questions))


class _Carrier:
    """Carries edits one by one and learns the ids of the items that they create."""

    def __init__(
        self,
        old: LabelSet,
        new: LabelSet,
        matching: dict[int, int],
        reserved: Mapping[UUID, journal.Reserved],
        tolerance: int,
    ) -> None:
        self.old, self.new, self.tolerance = old, new, tolerance
        self.items = matching
        self.reserved = reserved
        self.carried: list[Edit] = []
        self.points: CarriedPoints | None = None

    def carry(self, edit: Edit) -> str | None:
        """Append the edit on the new set; the reason when it, or a part of it, does not fit."""
        n_before = len(self.carried)
        reason = self._carry(edit)
        if self.points is not None:
            said = self.carried[-1] if len(self.carried) > n_before else None
            self.points.play(edit, said)
        return reason

    def _carry(self, edit: Edit) -> str | None:
        lost = [i for i in edit.items if i not in self.items]
        if lost:
            return f"items {lost} have no match in the new labels"
        if edit.kind is EditKind.ACCEPT:
            other = [i for i in edit.items if not self._same_class(i)]
            if other:
                return f"items {other} were accepted as another class than they have now"
        if edit.kind in (EditKind.RELABEL, EditKind.ADJUDICATE):
            label = edit.payload.get("label")
            if label not in self.new.vocabulary.names:
                return f"the class {label!r} is not in the new labels' vocabulary"
        partly: str | None = None
        payload: dict[str, Any] | None
        if self.points is not None and edit.of_rows:
            payload, partly = self.points.payload(edit, self.items)
            if not payload["rows"]:
                return partly
        else:
            payload = self._payload(edit)
        if payload is None:
            return "rows it names have no match in the new labels"
        said = replace(
            edit,
            uuid=uuid5(edit.uuid, self.new.digest),
            base=self.new.digest,
            items=tuple(self.items[i] for i in edit.items),
            payload=payload,
            group=None if edit.group is None else uuid5(edit.group, self.new.digest),
            parent=edit.uuid,
        )
        self._learn(edit, said)
        return partly

    def _learn(self, edit: Edit, said: Edit) -> None:
        self.carried.append(said)
        if edit.kind is EditKind.MERGE:
            self.items[min(edit.items)] = min(said.items)
        before = self.reserved.get(edit.uuid)
        if before is not None:
            after = journal.reserve(self.new, self.carried)[said.uuid]
            self.items |= dict(zip(before.items, after.items, strict=True))
            if self.points is not None:
                self.points.reserved[said.uuid] = after

    def _same_class(self, item: int) -> bool:
        old, new = self.old.rows_of(item), self.new.rows_of(self.items[item])
        if not old.size or not new.size:
            return True  # an item that an edit made
        names = [
            {s.vocabulary.names[c] for c in s.column("label")[rows].tolist()}
            for s, rows in ((self.old, old), (self.new, new))
        ]
        return names[0] == names[1]

    def _payload(self, edit: Edit) -> dict[str, Any] | None:
        payload = dict(edit.payload)
        if edit.kind is EditKind.SPLIT:
            parts = [self._rows(edit.items[0], part) for part in payload.get("rows", [])]
            if not all(parts):
                return None
            payload["rows"] = parts
        if "row" in payload:
            row = self._rows(edit.items[0], [payload["row"]]) if edit.items else []
            if not row:
                return None
            payload["row"] = row[0]
        return payload

    def _rows(self, item: int, ids: list[int]) -> list[int]:
        """Row ids of the new item nearest in place to these rows of the old one."""
        place = {Kind.EVENTS: "sample", Kind.SPANS: "start"}.get(self.old.kind, "frame")
        if place not in self.old.table.column_names:
            return []
        wanted = self.old.column(place)[np.isin(self.old.column("id"), ids)]
        rows = self.new.rows_of(self.items[item])
        there = self.new.column(place)[rows]
        if not there.size or wanted.size != len(set(ids)):
            return []
        right = np.clip(np.searchsorted(there, wanted), 0, there.size - 1)
        left = np.clip(right - 1, 0, None)
        nearer = np.abs(there[left] - wanted) <= np.abs(there[right] - wanted)
        best = np.where(nearer, left, right)
        fits = np.abs(there[best] - wanted) <= self.tolerance
        return [int(i) for i in np.unique(self.new.column("id")[rows[best[fits]]])]


def retarget(
    dependant: LabelSet, reviewed: Reviewed, *, decided: Collection[int] = ()
) -> tuple[LabelSet, tuple[Question, ...]]:
    """Carry classes or links from the items of a base to those of its reviewed set.

    Parameters
    ----------
    dependant : LabelSet
        CLASSES or LINKS whose targets name `reviewed.base`.
    reviewed : Reviewed
    decided : collection of int
        Items of the dependant that a person has decided on: such a claim stays with the item
        it names as long as that is there, whatever was merged into it or split from it, and
        outweighs undecided claims about the same item.

    Returns
    -------
    LabelSet
        Rows whose items have exactly one image, made from the dependant.
    tuple of Question
        One for each row whose item has no image, or several; and for each class that two
        rows now disagree on.
    """
    columns = {Kind.CLASSES: ("target",), Kind.LINKS: ("a", "b")}.get(dependant.kind, ())
    provenance = dependant.provenance
    ends = [
        name
        for name, digest in zip(columns, _targets(dependant, len(columns)), strict=True)
        if digest == reviewed.base.digest
    ]
    if not ends:
        raise BadArgumentError(
            f"classes or links on the set {reviewed.base.digest[:12]}",
            f"{dependant.kind.value} on {[t[:12] for t in provenance.targets]}",
            "Give the set whose items they name.",
        )
    keep = np.ones(dependant.n_rows, dtype=bool)
    said = np.isin(dependant.column("item"), list(decided))
    questions, table = [], dependant.table
    for name in ends:
        values = dependant.column(name).copy()
        stays = said & np.isin(values, reviewed.labels.items)
        for row, item in enumerate(values.tolist()):
            image = (item,) if stays[row] else reviewed.old_to_new.get(item)
            if image is None or len(image) != 1:
                keep[row] = False
                questions.append(Question(_without_image(item, image, dependant, row), (item,)))
            else:
                values[row] = image[0]
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(index), pa.array(values))
    if dependant.kind is Kind.CLASSES:
        questions += _contradictions(table, keep, said)
    moved = replace(
        provenance,
        made_from=(dependant.digest, reviewed.labels.digest),
        targets=tuple(
            reviewed.labels.digest if t == reviewed.base.digest else t for t in provenance.targets
        ),
    )
    kept = table.filter(pa.array(keep))
    return LabelSet(dependant.kind, kept, dependant.vocabulary, moved), tuple(questions)


def _targets(dependant: LabelSet, n: int) -> tuple[str, ...]:
    targets = dependant.provenance.targets
    return targets * n if len(targets) == 1 else (*targets, *[""] * n)[:n]


def _without_image(item: int, image: tuple[int, ...] | None, labels: LabelSet, row: int) -> str:
    name = labels.vocabulary.names[int(labels.column("label")[row])]
    became = "was removed" if image is None else f"became the items {list(image)}"
    return f"item {item} was {name!r} and {became}"


def _contradictions(
    table: pa.Table, keep: np.ndarray[Any, Any], said: np.ndarray[Any, Any]
) -> list[Question]:
    """Drop rows of items that were merged although their classes differ, and ask."""
    targets, codes = (table.column(c).to_numpy() for c in ("target", "label"))
    questions = []
    for target in np.unique(targets[keep]).tolist():
        rows = np.flatnonzero(keep & (targets == target))
        if said[rows].any():
            keep[rows[~said[rows]]] = False
            rows = rows[said[rows]]
        if np.unique(codes[rows]).size > 1:
            keep[rows] = False
            questions.append(Question("items of different classes were merged", (target,)))
        else:
            keep[rows[1:]] = False
    return questions
