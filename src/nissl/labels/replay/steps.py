"""How the last decisions on single points are taken back without playing all others again.

A volume that is found right speaks of every track in it, so that by items alone each decision
would hang together with all others. What such a decision changed is few rows; they are noted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from nissl.errors import BadEditError
from nissl.labels.edits import Edit, EditKind
from nissl.labels.kinds import Kind
from nissl.labels.replay.actions import carried_rows, named_rows, one_row
from nissl.labels.replay.draft import Draft, Facts, Rows


@dataclass(frozen=True, eq=False)
class Step:
    """What stood before an edit, where that edit changes it.

    Parameters
    ----------
    edit : UUID
    rows : ndarray of int
        Positions of the points it speaks of.
    said, item : ndarray
        Claims on them.
    facts : dict of int to Facts or None
        Of the items whose facts it changes.
    moved : dict of str to dict
        Changed places of the points, by column and position; those not in it had none.
    """

    edit: UUID
    rows: Rows
    said: npt.NDArray[np.int8]
    item: npt.NDArray[np.int64]
    facts: dict[int, Facts | None]
    moved: dict[str, dict[int, Any]]

    @classmethod
    def before(cls, draft: Draft, edit: Edit) -> Step | None:
        """What to note before an edit is applied; None where it is not of single points."""
        moves = edit.kind is EditKind.MOVE
        if draft.labels.kind is not Kind.POINTS or not (moves or edit.of_rows):
            return None
        try:
            if not moves:
                rows = named_rows(draft, edit)
            elif edit.by_method:
                rows = carried_rows(draft, edit)
            else:
                rows = np.asarray([one_row(draft, edit)[1]])
        except BadEditError:
            return None
        facts = {i: draft.facts.get(i) for i in (edit.items if moves else ())}
        held = {
            name: {row: changes[row] for row in rows.tolist() if row in changes}
            for name, changes in draft.moved.items()
            if moves
        }
        return cls(
            edit.uuid,
            rows,
            draft.claims.said[rows].copy(),
            draft.claims.item[rows].copy(),
            {i: None if f is None else replace(f) for i, f in facts.items()},
            held,
        )

    def take_back(self, draft: Draft) -> None:
        """Make the draft what it was before the edit."""
        draft.claims.said[self.rows] = self.said
        draft.claims.item[self.rows] = self.item
        for item, facts in self.facts.items():
            if facts is None:
                draft.facts.pop(item, None)
            else:
                draft.facts[item] = facts
        if not self.facts:  # it moved nothing
            return
        for name, changes in draft.moved.items():
            for row in self.rows.tolist():
                changes.pop(row, None)
            changes.update(self.moved.get(name, {}))


__all__ = ["Step"]
