"""Order in a journal: which edits count, and which ids the new items get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from nissl.labels.edits import Edit, EditKind
from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet
from nissl.labels.replay.reviewed import Question

TRACKS = (Kind.EVENTS, Kind.POINTS)
"""Kinds whose items have many rows: rows added together are one item."""


@dataclass(frozen=True)
class Reserved:
    """Ids kept for what an edit creates, whether it is undone or not.

    Ids therefore do not shift when an earlier edit is undone, and two reviewers never
    create the same one.
    """

    items: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()


def unique(edits: Iterable[Edit]) -> tuple[list[Edit], list[Question]]:
    """Drop what was sent twice; other content under a known uuid becomes a question."""
    seen: dict[UUID, Edit] = {}
    questions = []
    for edit in edits:
        first = seen.setdefault(edit.uuid, edit)
        if first is not edit and first.to_json() != edit.to_json():
            questions.append(
                Question("another edit was recorded under the same uuid", edit.items, edit)
            )
    return list(seen.values()), questions


def active(edits: Sequence[Edit]) -> tuple[list[Edit], list[Question]]:
    """Edits of one reviewer that are not undone, in order, without the undos.

    An undo takes back the edits before it whose uuid or group is its target; an undo that is
    itself undone has no effect, so undoing an undo does again what it took back.

    Parameters
    ----------
    edits : sequence of Edit
        All of one reviewer.
    """
    targets = {undo_target(edit) for edit in edits if edit.kind is EditKind.UNDO}
    if not targets:
        return list(edits), []
    first: dict[UUID | None, int] = {}
    for index, edit in enumerate(edits):
        for name in (edit.uuid, edit.group):
            if name in targets:
                first.setdefault(name, index)
    undone: set[UUID | None] = set()
    kept, questions = [], []
    for index in range(len(edits) - 1, -1, -1):
        edit = edits[index]
        if edit.uuid in undone or (edit.group is not None and edit.group in undone):
            continue
        if edit.kind is not EditKind.UNDO:
            kept.append(edit)
            continue
        target = undo_target(edit)
        if target is None or first.get(target, index) >= index:
            reason = "it takes back no earlier edit or group of the same reviewer"
            questions.append(Question(reason, edit.items, edit))
        else:
            undone.add(target)
    return kept[::-1], questions[::-1]


def undo_target(edit: Edit) -> UUID | None:
    """Uuid of the edit or group that an undo names; None where it names none."""
    try:
        return UUID(str(edit.payload["target"]))
    except (KeyError, ValueError):
        return None


def reserve(labels: LabelSet, edits: Iterable[Edit]) -> dict[UUID, Reserved]:
    """Ids for the new items and rows of each edit, above all ids of the base."""
    ids = labels.column("id")
    next_item = int(labels.items[-1]) + 1 if labels.items.size else 0
    next_row = int(ids.max()) + 1 if ids.size else 0
    found: dict[UUID, Reserved] = {}
    for edit in edits:
        n_items, n_rows = created(labels.kind, edit)
        if n_items or n_rows:
            items = tuple(range(next_item, next_item + n_items))
            rows = tuple(range(next_row, next_row + n_rows))
            found[edit.uuid] = Reserved(items, rows)
            next_item, next_row = next_item + n_items, next_row + n_rows
    return found


def created(kind: Kind, edit: Edit) -> tuple[int, int]:
    """How many new items and rows an edit creates."""
    rows = edit.payload.get("rows")
    n = len(rows) if isinstance(rows, Sequence) and not isinstance(rows, str) else 0
    if edit.kind is EditKind.SPLIT:
        return n, 0
    if edit.kind is EditKind.ADD:
        if kind in TRACKS:
            return (0 if edit.items else min(n, 1)), n
        return n, n
    return 0, 0


def by_reviewer(edits: Iterable[Edit]) -> Mapping[str, list[Edit]]:
    """Edits of each reviewer, in order; reviewers in order of their first edit."""
    found: dict[str, list[Edit]] = {}
    for edit in edits:
        found.setdefault(edit.reviewer, []).append(edit)
    return found
