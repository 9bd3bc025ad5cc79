"""After a re-run with other parameters: people's decisions carried to the new labels.

Items are matched (units by spike train and template), edits are said anew about the matched
items, and what no longer fits becomes a question. Uuids of carried edits derive from the old
ones, so carrying twice, or by two processes at once, gives the same journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_OID, UUID, uuid5

import numpy as np

from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.labels.compare import compare
from nissl.labels.replay import Question, rebase
from nissl.review.desk import CLASSES_OF
from nissl.review.progress import standing
from nissl.store import LabelRow, QuestionRow, Store
from nissl.tasks import TASKS, Match


@dataclass(frozen=True)
class Carried:
    """What became of the decisions on an earlier set.

    Parameters
    ----------
    old, new : str
        Digests of the label sets.
    edits : int
        Edits that stand on the new set now.
    questions : int
        What no longer fits and waits in the queue.
    """

    old: str
    new: str
    edits: int
    questions: int


def carry(store: Store, old: str, new: str, match: Match | None = None) -> Carried:
    """Carry all decisions on one set, and on the classes of its items, to another.

    Parameters
    ----------
    store : Store
    old, new : str
        Digests of two sets of one task on one source.
    match : callable, optional
        See `nissl.tasks.Task.match`; by default the task's own.
    """
    rows = {row.digest: row for row in store.label_sets()}
    before, after = store.get_labels(old), store.get_labels(new)
    facts = [_items(store, rows.get(digest)) for digest in (old, new)]
    known = TASKS.get(before.provenance.task).match if _is_task(before) else None
    matching = dict((match or known or _compared)(before, after, facts[0], facts[1]))
    done = _carry_edits(store, before, after, matching, new, _tolerance(before))
    for was in _classes(rows, old):
        for now in _classes(rows, new)[-1:]:
            classes = store.get_labels(was.digest), store.get_labels(now.digest)
            pairs = _class_matching(*classes, matching)
            more = _carry_edits(store, *classes, pairs, new, 0)
            done = (done[0] + more[0], done[1] + more[1])
    return Carried(old, new, *done)


def carry_forward(store: Store, new: str, match: Match | None = None) -> Carried | None:
    """Carry decisions from the newest earlier set of the same source and task that has any.

    Returns
    -------
    Carried or None
        None where no earlier set has decisions, or they were carried before and nothing is new.
    """
    every = store.edits()
    found = _decided_before(store, new, every)
    if found is None:
        return None
    was, stands = found
    known = {edit.parent for edit in every if edit.parent}
    asked = store.questions(labels=new, policy="rerun")
    known |= {UUID(q.body["edit"]) for q in asked if q.body.get("edit")}
    return carry(store, was, new, match) if stands - known else None


def decided_before(store: Store, new: str) -> bool:
    """Whether people decided on an earlier set of the same source and task."""
    return _decided_before(store, new, store.edits()) is not None


def _decided_before(store: Store, new: str, every: Sequence[Edit]) -> tuple[str, set[UUID]] | None:
    """The newest earlier set of the same source and task with decisions that stand, and these."""
    rows = store.label_sets()
    row = next((row for row in rows if row.digest == new), None)
    if row is None:
        return None
    for was in reversed(rows):
        if _about(was) != _about(row) or was.digest == new or was.created_s > row.created_s:
            continue
        about = {was.digest, *(r.digest for r in rows if was.digest in r.targets)}
        stands = {
            edit.uuid
            for base in about
            for own in standing([e for e in every if e.base == base]).values()
            for edit in own
        }
        if stands:
            return was.digest, stands
    return None


def _about(row: LabelRow) -> tuple[object, ...]:
    """Sets that are alike in this are runs of one thing; item 3 of other targets is another."""
    return row.source, row.task, row.kind, row.targets


def _carry_edits(
    store: Store,
    old: LabelSet,
    new: LabelSet,
    matching: dict[int, int],
    desk: str,
    tolerance: int,
) -> tuple[int, int]:
    edits = store.edits(base=old.digest)
    if not edits:
        return 0, 0
    carried = rebase(edits, old, new, matching, tolerance=tolerance)
    store.append(carried.edits)
    rows = [_question(desk, new, old, matching, q) for q in carried.questions]
    store.ask(rows)
    return len(carried.edits), len(rows)


def _question(
    desk: str, new: LabelSet, old: LabelSet, matching: Mapping[int, int], question: Question
) -> QuestionRow:
    """A question on the new desk; about the matched item where there is one."""
    edit = question.edit
    name = f"{desk}/{question.reason}" if edit is None else f"{desk}/{edit.uuid}"
    items = [matching[i] for i in question.items if i in matching]
    item = items[0] if items else None
    if item is not None and new.kind is Kind.CLASSES:
        rows = new.rows_of(item)
        item = int(new.column("target")[rows[0]]) if rows.size else None
    what = "" if edit is None else f"{edit.kind.value} by {edit.reviewer} "
    body = {
        "reason": f"A decision from before the re-run no longer fits: {what}({question.reason}).",
        "edit": None if edit is None else str(edit.uuid),
        "old": old.digest,
        "old_items": list(question.items),
    }
    return QuestionRow(uuid5(NAMESPACE_OID, name), desk, item, "rerun", body=body)


def _is_task(labels: LabelSet) -> bool:
    return labels.provenance.task in TASKS.names()


def _compared(
    old: LabelSet, new: LabelSet, _old_items: ItemTable | None, _new_items: ItemTable | None
) -> Mapping[int, int]:
    return compare(old, new).matching


def _class_matching(old: LabelSet, new: LabelSet, units: Mapping[int, int]) -> dict[int, int]:
    """Items of two sets of classes whose targets are matched."""
    there = dict(zip(new.column("target").tolist(), new.column("item").tolist(), strict=True))
    pairs = zip(old.column("item").tolist(), old.column("target").tolist(), strict=True)
    return {item: there[units[t]] for item, t in pairs if units.get(t) in there}


def _classes(rows: Mapping[str, LabelRow], digest: str) -> list[LabelRow]:
    task = CLASSES_OF.get(rows[digest].task) if digest in rows else None
    return [row for row in rows.values() if digest in row.targets and row.task == task]


def _items(store: Store, row: LabelRow | None) -> ItemTable | None:
    return store.get_items(row.items) if row is not None and row.items else None


def _tolerance(labels: LabelSet) -> int:
    """Rows within half a millisecond at 30 kHz are the same spike; spans within 2 % of one."""
    if labels.kind is Kind.EVENTS:
        return 15
    if labels.kind is Kind.SPANS and labels.n_rows:
        return int(0.02 * np.median(labels.column("stop") - labels.column("start")))
    return 0
