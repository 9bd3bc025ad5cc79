"""The working copy on which one reviewer's edits are played."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import BadEditError
from nissl.labels.edits import Edit, EditKind
from nissl.labels.kinds import optional_columns
from nissl.labels.labelset import LabelSet
from nissl.labels.replay.journal import TRACKS, Reserved
from nissl.labels.replay.pointwise import Claims, rows_in
from nissl.labels.replay.reviewed import Link, Remark
from nissl.labels.rows import check_rows, in_order, table_of

Rows = npt.NDArray[np.intp]


@dataclass
class Facts:
    """What happened to an item."""

    changed: bool = False
    added: bool = False
    decision: str = "untouched"
    reviewer: str = ""

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.decision == "unsure":
            return "unsure"
        if self.added:
            return "added"
        return "changed" if self.changed else self.decision


@dataclass
class Draft:
    """Rows that can be given to other items, relabelled, moved, added and removed.

    Every row has a position: those of the base first, as in its table, then the rows that
    edits add, dead until the edit that adds them is played.
    """

    labels: LabelSet
    reserved: Mapping[UUID, Reserved]
    table: pa.Table
    position: dict[int, int]  # of added rows, by id
    item: npt.NDArray[np.int64]
    label: npt.NDArray[np.int32]
    alive: npt.NDArray[np.bool_]
    claims: Claims = field(default_factory=Claims)  # on single points of tracks
    facts: dict[int, Facts] = field(default_factory=dict)
    rows: dict[int, Rows] = field(default_factory=dict)  # of items that are not as in the base
    gone: dict[int, str] = field(default_factory=dict)
    moved: dict[str, dict[int, Any]] = field(default_factory=dict)
    fused: dict[int, int] = field(default_factory=dict)  # rows whose pixels went into another
    notes: list[Remark] = field(default_factory=list)
    flags: list[Remark] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def rows_of(self, item: int) -> Rows:
        """Positions of an item's rows; `BadEditError` when there are none."""
        found = self.rows[item] if item in self.rows else self.labels.rows_of(item)
        if found.size == 0:
            raise BadEditError(
                "an item of the set as it was when the edit was made",
                f"item {item}, which {self.gone.get(item, 'was never in it')}",
                "Decide again on what stands there now.",
            )
        return found

    def set_rows(self, item: int, rows: Rows) -> None:
        """Give an item exactly these rows."""
        self.rows[item] = rows
        self.item[rows] = item

    def fact(self, item: int, edit: Edit) -> Facts:
        """The facts of an item, now decided on by the edit's reviewer."""
        facts = self.facts.setdefault(item, Facts())
        facts.reviewer = edit.reviewer
        return facts

    def values(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """Current values of a number column at these rows; null integers are -1."""
        column = self.table.column(name).take(pa.array(rows))
        column = column.fill_null(-1) if pa.types.is_integer(column.type) else column
        values = np.array(column.to_numpy())
        moved = self.moved.get(name)
        if moved:
            known = np.fromiter(moved, np.intp, len(moved))
            for index in np.flatnonzero(np.isin(rows, known)).tolist():
                values[index] = moved[int(rows[index])]
        return values

    def move(self, row: int, changes: Mapping[str, Any]) -> None:
        """Give one row new values in some columns."""
        for name, value in changes.items():
            self.moved.setdefault(name, {})[row] = value

    def grow(self, edit: Edit) -> None:
        """Append the rows that an ADD will play, still dead; `ValueError` where they do not fit."""
        table = _new_rows(self.labels, edit, self.reserved.get(edit.uuid, Reserved()))
        n = self.alive.size
        ids = table.column("id").to_pylist()
        self.position |= {row: n + index for index, row in enumerate(ids)}
        self.table = pa.concat_tables([self.table, table])
        self.item = np.concatenate([self.item, table.column("item").to_numpy()])
        self.label = np.concatenate([self.label, table.column("label").to_numpy()])
        self.alive = np.concatenate([self.alive, np.zeros(len(ids), dtype=bool)])
        self.claims.grow(len(ids))

    def restore(self, item: int) -> None:
        """Make an item of the base what it is there; only where no structure was changed."""
        rows = self.labels.rows_of(item)
        self.label[rows] = self.labels.column("label")[rows]
        self.alive[rows] = True
        self.claims.forget(rows)
        self.facts.pop(item, None)
        self.rows.pop(item, None)
        self.gone.pop(item, None)
        for changes in self.moved.values():
            own = rows.tolist()
            if len(changes) < len(own):  # a track has many rows, few of them moved
                moved = np.fromiter(changes, np.intp, len(changes))
                moved = moved[moved < self.labels.n_rows]
                own = moved[self.labels.column("item")[moved] == item].tolist()
            for row in own:
                changes.pop(row, None)

    def rows_at(self, frames: Sequence[int], items: Sequence[int]) -> Rows:
        """Positions of the points of some tracks in some frames."""
        added = self.table.column("frame").slice(self.labels.n_rows).to_numpy()
        rows = rows_in(self.labels, added, frames)
        return rows[self.alive[rows] & np.isin(self.item[rows], items)]

    def said(self, rows: Rows) -> npt.NDArray[np.int8]:
        """What the reviewer said of points, as codes of `pointwise`."""
        return self.claims.of(rows, self.item[rows])

    def carry_remarks(self, item: int, images: Iterable[int]) -> None:
        """Let an item's notes, flags and links follow it to what became of it."""
        images = tuple(images)
        self.notes = _carried(self.notes, item, images)
        self.flags = _carried(self.flags, item, images)
        self.links = [
            new
            for old in self.links
            for new in ([replace(old, item=i) for i in images] if old.item == item else [old])
        ]

    def images(self, item: int) -> tuple[int, ...] | None:
        """Items that the rows of an item of the base belong to now."""
        if item not in self.rows:
            return (item,)
        rows = self._now(item)
        found = np.unique(self.item[rows][self.alive[rows]])
        return tuple(found.tolist()) or None

    def homes(self, item: int) -> tuple[int, ...]:
        """As `images`, with the items that its rows belonged to when they were removed."""
        return tuple(np.unique(self.item[self._now(item)]).tolist())

    def _now(self, item: int) -> Rows:
        """The rows that have the pixels of an item of the base now, removed ones too."""
        rows = self.labels.rows_of(item)
        if self.fused:
            rows = np.asarray([self._standing(row) for row in rows.tolist()], np.intp)
        return rows

    def _standing(self, row: int) -> int:
        """The row that has a row's pixels now."""
        while row in self.fused:
            row = self.fused[row]
        return row

    def columns_at(self, rows: Rows) -> pa.Table:
        """Rows at these positions, with every change made."""
        table = self.table.take(pa.array(rows))
        table = _with(table, "item", pa.array(self.item[rows]))
        table = _with(table, "label", pa.array(self.label[rows]))
        for name, changes in self.moved.items():
            hit = np.flatnonzero(np.isin(rows, list(changes)))
            old = table.column(name)
            new = pa.array([changes[r] for r in rows[hit].tolist()], old.type)
            where = np.arange(rows.size)
            where[hit] = rows.size + np.arange(hit.size)
            pieces = pa.chunked_array([*old.chunks, new], old.type)
            table = _with(table, name, pieces.take(pa.array(where)))
        return table


def _carried(remarks: list[Remark], item: int, images: tuple[int, ...]) -> list[Remark]:
    return [
        new
        for old in remarks
        for new in ([replace(old, item=i) for i in images] if old.item == item else [old])
    ]


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(index), values)


def start(
    labels: LabelSet, edits: Iterable[Edit], reserved: Mapping[UUID, Reserved]
) -> tuple[Draft, dict[UUID, str]]:
    """Working copy of a base, with the rows that these edits may add, still dead.

    Returns
    -------
    Draft
    dict of UUID to str
        Why the rows of an edit cannot be used.
    """
    pieces: list[pa.Table] = [labels.table]
    faults: dict[UUID, str] = {}
    position: dict[int, int] = {}
    n = labels.n_rows
    for edit in edits:
        if edit.kind is not EditKind.ADD:
            continue
        try:
            table = _new_rows(labels, edit, reserved.get(edit.uuid, Reserved()))
        except ValueError as error:  # BadEditError and BadLabelsError among them
            faults[edit.uuid] = str(error).splitlines()[0]
            continue
        ids = table.column("id").to_pylist()
        position |= {row: n + index for index, row in enumerate(ids)}
        pieces.append(table)
        n += table.num_rows
    whole = pa.concat_tables(pieces).combine_chunks() if len(pieces) > 1 else labels.table
    draft = Draft(
        labels=labels,
        reserved=reserved,
        table=whole,
        position=position,
        item=np.array(whole.column("item").to_numpy()),
        label=np.array(whole.column("label").to_numpy()),
        alive=np.arange(n) < labels.n_rows,
        claims=Claims.none(labels.kind, n),
    )
    return draft, faults


def _new_rows(labels: LabelSet, edit: Edit, reserved: Reserved) -> pa.Table:
    rows = edit.payload.get("rows") or ()
    if not reserved.rows or not all(isinstance(row, Mapping) for row in rows):
        raise BadEditError(
            "a payload {'rows': [{column: value}, ...]}", f"{edit.payload!r:.200}", "Give rows."
        )
    optional = optional_columns(labels.kind, labels.table.column_names)
    names = sorted({name for row in rows for name in row} - {"id", "item", *optional})
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in names}
    columns |= {name: [row.get(name, math.nan) for row in rows] for name in optional}
    if "label" in columns:
        first = labels.vocabulary.names[0]
        named = [first if name is None else str(name) for name in columns["label"]]
        columns["label"] = [labels.vocabulary.code(name) for name in named]
    if "confidence" in columns:
        columns["confidence"] = [math.nan if c is None else c for c in columns["confidence"]]
    columns["id"] = list(reserved.rows)
    if labels.kind in TRACKS:
        item = edit.items[0] if edit.items else reserved.items[0]
        columns["item"] = [item] * len(rows)
    else:
        columns["item"] = list(reserved.items)
    table = in_order(labels.kind, table_of(labels.kind, columns, len(labels.vocabulary)))
    check_rows(labels.kind, table, len(labels.vocabulary))
    return table
