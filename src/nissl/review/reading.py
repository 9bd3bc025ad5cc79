"""Reading: one reader's decisions on one desk, live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nissl.errors import BadEditError
from nissl.labels import Edit
from nissl.labels.replay import Live
from nissl.review.desk import Desk


class Reading:
    """What a reader made of a desk's items, kept current as the journal grows.

    Not thread-safe; the `Room` holds a lock per desk.

    Parameters
    ----------
    desk : Desk
    reader : str
    """

    def __init__(self, desk: Desk, reader: str) -> None:
        self.desk = desk
        self.reader = reader
        self.base = Live(desk.labels, reader)
        self.classes = None if desk.classes is None else Live(desk.classes, reader)
        self._seen = dict.fromkeys(desk.bases, 0)
        self._rows: dict[int, int] | None = None

    def extend(self, edits: Mapping[str, Sequence[Edit]]) -> None:
        """Take in all edits on record, by base; those seen before are skipped."""
        self._rows = None
        for live in self._lives():
            digest = live.labels.digest
            known = edits.get(digest, ())
            live.extend(known[self._seen[digest] :])
            self._seen[digest] = len(known)

    def attempt(self, edits: Iterable[Edit]) -> None:
        """Apply the reader's new edits before they are on record; all or none.

        Raises
        ------
        BadEditError
            One of them does not apply to what stands now.
        """
        edits = list(edits)
        self._rows = None
        try:
            for live in self._lives():
                mine = [edit for edit in edits if edit.base == live.labels.digest]
                if mine:
                    live.attempt(mine)
        except BadEditError:
            self.forget()
            raise

    def forget(self) -> None:
        """Take back what was tried and is not on record."""
        self._rows = None
        for live in self._lives():
            live.forget()

    @property
    def items(self) -> npt.NDArray[np.int64]:
        """Items that there are now, increasing."""
        return self.base.items

    def class_items(self) -> dict[int, int]:
        """For each item that has a row of class, the item of that row."""
        if self._rows is not None or self.classes is None:
            return self._rows or {}
        found = dict(self._proposed_rows)
        draft = self.classes.draft
        for item, facts in draft.facts.items():
            rows = draft.rows.get(item)
            if facts.added and rows is not None and rows.size and draft.alive[rows[0]]:
                found[int(draft.values("target", rows)[0])] = item
        self._rows = found
        return found

    def state(self, item: int) -> str:
        """What became of an item: one of `STATES`; of a unit, what became of its class."""
        if self.classes is None:
            return self.base.state(item)
        row = self.class_items().get(item)
        stands = "untouched" if row is None else self.classes.state(row)
        return "accepted" if stands == "added" else stands

    def states(self) -> dict[int, str]:
        """State of every item that there is now, and of those removed."""
        if self.classes is None:
            told = {int(item): self.base.state(int(item)) for item in self.items}
            removed = {i: f.state for i, f in self.base.decided.items() if f.state == "removed"}
            return told | removed
        rows = self.class_items()
        classes = self.classes
        removed = {i: f.state for i, f in self.base.decided.items() if f.state == "removed"}
        told = {}
        for item in self.items.tolist():
            state = classes.state(rows[item]) if item in rows else "untouched"
            told[item] = "accepted" if state == "added" else state
        return told | removed

    def label(self, item: int) -> str | None:
        """Name of an item's class now; None where it has none."""
        names = self.desk.vocabulary.names
        if self.classes is None:
            return names[self.base.label(item)]
        row = self.class_items().get(item)
        if row is None or not self.classes.draft.alive[self.classes.rows(row)].any():
            return None
        if self.desk.proposals_are_empty and self.classes.state(row) == "untouched":
            return None
        return names[self.classes.label(row)]

    @property
    def structured(self) -> bool:
        """Whether items were merged, split, added or removed."""
        return bool(self.base.draft.rows)

    @cached_property
    def _proposed_rows(self) -> dict[int, int]:
        classes = self.desk.classes
        if classes is None:
            return {}
        targets, items = classes.column("target"), classes.column("item")
        return dict(zip(targets.tolist(), items.tolist(), strict=True))

    def _lives(self) -> tuple[Live, ...]:
        return (self.base,) if self.classes is None else (self.base, self.classes)
