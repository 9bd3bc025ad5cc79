"""After a re-run: what was said of single points, carried to those at the same place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from nissl.errors import BadEditError
from nissl.labels.edits import Edit, EditKind
from nissl.labels.labelset import LabelSet
from nissl.labels.replay import journal
from nissl.labels.replay.actions import apply, named_rows
from nissl.labels.replay.draft import Draft, Rows, start

SAME_VOXELS = 1.0
"""A point that a re-run put farther away than this is another claim, which nobody has seen."""


class CarriedPoints:
    """Each reviewer's edits played on both sets, as far as they are carried.

    Parameters
    ----------
    old, new : LabelSet
        POINTS.
    standing : iterable of Edit
        On the old set.
    reserved : mapping of UUID to Reserved
        Ids of what the old edits make.
    """

    def __init__(
        self,
        old: LabelSet,
        new: LabelSet,
        standing: Iterable[Edit],
        reserved: Mapping[UUID, journal.Reserved],
    ) -> None:
        self.reserved: dict[UUID, journal.Reserved] = {}
        own = journal.by_reviewer(standing)
        self._old = {name: start(old, edits, reserved)[0] for name, edits in own.items()}
        self._new = {name: start(new, (), self.reserved)[0] for name in own}

    def play(self, edit: Edit, said: Edit | None) -> None:
        """Play an edit where it was made, and what it became; what does not apply is asked."""
        _played(self._old[edit.reviewer], edit)
        if said is not None:
            draft = self._new[edit.reviewer]
            if said.kind is EditKind.ADD:
                draft.grow(said)
            _played(draft, said)

    def payload(self, edit: Edit, items: Mapping[int, int]) -> tuple[dict[str, Any], str | None]:
        """Rows of the new set that the edit speaks of; and what is lost, in words.

        Parameters
        ----------
        edit : Edit
            Of single points.
        items : mapping of int to int
            Item of the old set to item of the new.
        """
        old, new = self._old[edit.reviewer], self._new[edit.reviewer]
        payload = {k: v for k, v in edit.payload.items() if k not in ("frames", "rows")}
        try:
            rows = named_rows(old, edit)
        except BadEditError as error:
            return payload | {"rows": []}, str(error).splitlines()[0]
        frames = np.unique(old.values("frame", rows)).tolist()
        there = new.rows_at(frames, sorted(items.values()))
        known = dict(zip(_names(new, there), there.tolist(), strict=True))
        pairs = [
            (row, known[items[item], frame, keypoint])
            for row, (item, frame, keypoint) in zip(rows.tolist(), _names(old, rows), strict=True)
            if item in items and (items[item], frame, keypoint) in known
        ]
        left, right = (np.asarray([pair[k] for pair in pairs], np.intp) for k in (0, 1))
        near = right[_distance(_places(old, left), _places(new, right)) <= SAME_VOXELS]
        lost = rows.size - near.size
        reason = f"{lost} of the {rows.size} points it names are elsewhere in the new labels"
        return payload | {"rows": new.values("id", near).tolist()}, reason if lost else None


def _played(draft: Draft, edit: Edit) -> None:
    try:
        apply(draft, edit)
    except BadEditError:
        return  # replay makes a question of it


def _names(draft: Draft, rows: Rows) -> list[tuple[int, int, int]]:
    """Track, frame and keypoint of rows; no two visible points have the same."""
    columns = [draft.item[rows], draft.values("frame", rows), draft.values("keypoint", rows)]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _places(draft: Draft, rows: Rows) -> npt.NDArray[np.float64]:
    """x, y, z and whether to be seen, shape (n, 4); places without z are in plane 0."""
    found = [np.asarray(draft.values(name, rows), np.float64) for name in ("x", "y", "z")]
    found.append(np.asarray(draft.values("visible", rows), np.float64))
    return np.stack([np.nan_to_num(found[0]), np.nan_to_num(found[1]), np.nan_to_num(found[2]),
                     found[3]], axis=1)  # fmt: skip


def _distance(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Voxels between points; infinite where one is to be seen and the other is not."""
    apart = np.linalg.norm(a[:, :3] - b[:, :3], axis=1)
    hidden = (a[:, 3] == 0) & (b[:, 3] == 0)
    return np.where(a[:, 3] != b[:, 3], np.inf, np.where(hidden, 0.0, apart))


__all__ = ["SAME_VOXELS", "CarriedPoints"]
