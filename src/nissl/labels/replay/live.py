"""One reviewer's replay of one set, kept current edit by edit.

`replay` computes the reviewed set from nothing; review needs the state after every key
press. `Live` applies an edit to a working copy at once, takes back plain decisions item by
item, and replays from the base only where structure (merge, split, swap, add) is undone.
Its state is always that of `replay` on the same edits; a test holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import BadEditError, NisslError
from nissl.labels.edits import Edit, EditKind
from nissl.labels.labelset import LabelSet
from nissl.labels.replay import journal
from nissl.labels.replay.actions import apply
from nissl.labels.replay.draft import Draft, Facts, Rows, start
from nissl.labels.replay.reviewed import Question, Remark
from nissl.labels.replay.steps import Step

_STRUCTURE = {EditKind.MERGE, EditKind.SPLIT, EditKind.SWAP, EditKind.ADD, EditKind.LINK}


class Live:
    """A reviewer's decisions on a set, as they stand now.

    Parameters
    ----------
    labels : LabelSet
        The base.
    reviewer : str
    edits : iterable of Edit
        All made on `labels` so far by anybody, in the order of the journal.
    """

    def __init__(self, labels: LabelSet, reviewer: str, edits: Iterable[Edit] = ()) -> None:
        self.labels = labels
        self.reviewer = reviewer
        self.questions: list[Question] = []
        self._known: dict[UUID, Edit] = {}
        self._own: list[Edit] = []
        self._standing: list[Edit] = []
        self._reserved: dict[UUID, journal.Reserved] = {}
        self._next = (_above(labels.items), _above(labels.column("id")))
        self._pending: tuple[Edit, ...] = ()
        self._draft: Draft | None = None
        self._steps: list[Step] = []  # of the last edits that stand, as far as they have one
        self.extend(edits)

    def extend(self, edits: Iterable[Edit]) -> None:
        """Take in edits that are on record now, by anybody, in the order of the journal.

        Edits that were tried before (see `attempt`) and come back alone cost nothing.
        """
        fresh = [edit for edit in edits if edit.uuid not in self._known]
        if not fresh:
            return
        expected = fresh == list(self._pending)
        tried = bool(self._pending)
        if not expected:
            self._drop()
        self._pending = ()
        for edit in fresh:
            self._known[edit.uuid] = edit
            if not expected:
                self._reserve(edit)
        own = [edit for edit in fresh if edit.reviewer == self.reviewer]
        self._own += own
        if not expected and (own or tried):
            self._rebuild()

    def attempt(self, edits: Sequence[Edit]) -> None:
        """Apply the reviewer's new edits before they are on record.

        Follow it by `extend` with what the journal then holds, or by `forget`.

        Raises
        ------
        BadEditError
            One of them does not apply to what stands now; nothing is changed.
        """
        fresh = tuple(edit for edit in edits if edit.uuid not in self._known)
        self._pending = fresh
        try:
            for edit in fresh:
                if edit.base != self.labels.digest or edit.reviewer != self.reviewer:
                    raise BadEditError(
                        f"an edit by {self.reviewer} on the set {self.labels.digest[:12]}",
                        f"one by {edit.reviewer} on {edit.base[:12]}",
                        "Reload the page.",
                    )
                self._reserve(edit)
                self._apply(edit, fresh)
        except BadEditError:
            self.forget()
            raise
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            # a payload of values that no column takes
            self.forget()
            got = error.got if isinstance(error, NisslError) else f"{error}"[:200]
            raise BadEditError(
                f"a payload of values that fit {self.labels.kind.value}", got, "Check the client."
            ) from error

    def forget(self) -> None:
        """Take back what was tried and is not on record."""
        self._drop()
        self._rebuild()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All known edits of the reviewer, undone ones too, in the order of the journal."""
        return tuple(self._own)

    @property
    def standing(self) -> tuple[Edit, ...]:
        """The reviewer's edits that are not undone."""
        return tuple(self._standing)

    @property
    def notes(self) -> tuple[Remark, ...]:
        """Notes as they stand."""
        return tuple(self.draft.notes)

    @property
    def flags(self) -> tuple[Remark, ...]:
        """Flags as they stand."""
        return tuple(self.draft.flags)

    @property
    def draft(self) -> Draft:
        """The working copy; read it, never change it."""
        if self._draft is None:
            self._rebuild()
        return self._draft  # type: ignore[return-value]

    @property
    def items(self) -> npt.NDArray[np.int64]:
        """Items that have rows now, increasing."""
        draft = self.draft
        gone = [item for item, rows in draft.rows.items() if rows.size == 0]
        made = [item for item, rows in draft.rows.items() if rows.size]
        kept = self.labels.items[~np.isin(self.labels.items, gone)] if gone else self.labels.items
        return np.union1d(kept, np.asarray(made, np.int64)) if made else kept

    def state(self, item: int) -> str:
        """One of `STATES`."""
        facts = self.draft.facts.get(item)
        return "untouched" if facts is None else facts.state

    def label(self, item: int) -> int:
        """Code of an item's class now; that of its first row."""
        return int(self.draft.label[self.rows(item)[0]])

    def rows(self, item: int) -> Rows:
        """Positions of an item's rows in `table`; `BadEditError` when it has none."""
        return self.draft.rows_of(item)

    def said(self, rows: Rows) -> npt.NDArray[np.int8]:
        """What the reviewer said of single points, as codes of `STATES`."""
        return self.draft.said(rows)

    @property
    def table(self) -> pa.Table:
        """Rows of the base and those added; for places ask `draft.values`, which knows moves."""
        return self.draft.table

    @property
    def decided(self) -> dict[int, Facts]:
        """What the reviewer decided, by item."""
        return self.draft.facts

    def _drop(self) -> None:
        """Give back the ids of what was tried."""
        for edit in self._pending:
            self._reserved.pop(edit.uuid, None)
        self._pending = ()
        self._next = (_above(self.labels.items), _above(self.labels.column("id")))
        for reserved in self._reserved.values():
            self._next = _after(self._next, reserved)

    def _reserve(self, edit: Edit) -> None:
        n_items, n_rows = journal.created(self.labels.kind, edit)
        if n_items or n_rows:
            item, row = self._next
            kept = journal.Reserved(
                tuple(range(item, item + n_items)), tuple(range(row, row + n_rows))
            )
            self._reserved[edit.uuid] = kept
            self._next = _after(self._next, kept)

    def _apply(self, edit: Edit, pending: Sequence[Edit]) -> None:
        draft = self.draft
        if edit.kind is EditKind.UNDO:
            place = pending.index(edit)
            own = [*self._own, *pending[: place + 1]]
            target = journal.undo_target(edit)
            if target is None or not any(target in (e.uuid, e.group) for e in own[:-1]):
                raise BadEditError(
                    "an earlier edit or group of yours to take back",
                    f"{edit.payload.get('target')!r:.60}",
                    "Reload the page.",
                )
            self._retake(journal.active(own)[0])
            return
        if edit.kind is EditKind.ADD:
            draft.grow(edit)
        step = Step.before(draft, edit)
        apply(draft, edit)
        self._standing.append(edit)
        if step is not None:
            self._steps.append(step)

    def _retake(self, standing: list[Edit]) -> None:
        """Change what stands, from the present list to this one."""
        if self._stepped_back(standing):
            return
        self._steps = []
        before, after = {e.uuid for e in self._standing}, {e.uuid for e in standing}
        both = list({e.uuid: e for e in (*self._standing, *standing)}.values())
        changed = [e for e in both if (e.uuid in before) != (e.uuid in after)]
        items, touching = _together(changed, both)
        if any(not e.items or e.kind in _STRUCTURE for e in (*touching, *changed)):
            self._play(standing)
            return
        draft = self.draft
        for item in items:
            draft.restore(item)
        draft.notes = [note for note in draft.notes if note.item not in items]
        draft.flags = [flag for flag in draft.flags if flag.item not in items]
        self.questions = [q for q in self.questions if not items.intersection(q.items)]
        for edit in standing:
            if items.intersection(edit.items):
                self.questions += _played(draft, edit)
        self._standing = standing

    def _stepped_back(self, standing: list[Edit]) -> bool:
        """Whether only the last edits go, and each has a step; they are taken back then."""
        n = len(self._standing) - len(standing)
        if not 0 < n <= len(self._steps):
            return False
        gone = [edit.uuid for edit in self._standing[len(standing) :]]
        kept = zip(self._standing, standing, strict=False)
        same = all(a.uuid == b.uuid for a, b in kept)
        if not same or gone != [step.edit for step in self._steps[-n:]]:
            return False
        for _ in range(n):
            self._steps.pop().take_back(self.draft)
        self._standing = standing
        return True

    def _rebuild(self) -> None:
        standing, questions = journal.active(self._own)
        self._play(standing)
        self.questions = questions + self.questions

    def _play(self, standing: list[Edit]) -> None:
        self._steps = []
        self._draft, faults = start(self.labels, standing, self._reserved)
        self.questions = []
        for edit in standing:
            if edit.uuid in faults:
                self.questions.append(Question(faults[edit.uuid], edit.items, edit))
            else:
                self.questions += _played(self._draft, edit)
        self._standing = standing


def _together(changed: Iterable[Edit], among: Sequence[Edit]) -> tuple[set[int], list[Edit]]:
    """Items that these edits, and edits that share an item with them, are about."""
    items = {item for edit in changed for item in edit.items}
    while True:
        touching = [edit for edit in among if items.intersection(edit.items)]
        wider = items.union(*(edit.items for edit in touching))
        if wider == items:
            return items, touching
        items = wider


def _played(draft: Draft, edit: Edit) -> list[Question]:
    try:
        apply(draft, edit)
    except BadEditError as error:
        return [Question(str(error).splitlines()[0], edit.items, edit)]
    return []


def _above(ids: npt.NDArray[np.int64]) -> int:
    return int(ids.max()) + 1 if ids.size else 0


def _after(counts: tuple[int, int], reserved: journal.Reserved) -> tuple[int, int]:
    item, row = counts
    return item + len(reserved.items), row + len(reserved.rows)
