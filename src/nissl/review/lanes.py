"""Lanes: the spans of every author on one stretch of a recording, side by side.

The first lane is the reader's own: the desk's spans as this reader's decisions have left
them. Below it stand the proposal as it was made, other readers' decisions, and other sets of
spans on the same samples (experts, other methods). In blind mode there is only the reader's
own lane, and in it only what the reader decided, and the place of the span that is asked,
without its class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nissl.labels import Kind, LabelSet
from nissl.labels.replay import Live
from nissl.review.desk import Desk
from nissl.review.reading import Reading
from nissl.review.room import Room

OWN, PROPOSED, READER, OTHER = "own", "proposed", "reader", "other"

SCHEMA = pa.schema(
    [
        pa.field("lane", pa.int32(), nullable=False),
        pa.field("item", pa.int64(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("stop", pa.int64(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("confidence", pa.float32()),
        pa.field("channel", pa.int32()),
        pa.field("author", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
    ]
)
"""Columns of `spans`; `label` is null where a blind reader must not see it."""


@dataclass(frozen=True)
class Lane:
    """One author's spans.

    Parameters
    ----------
    name : str
        The author.
    kind : {"own", "proposed", "reader", "other"}
    labels : str
        Digest of the set they stand in.
    """

    name: str
    kind: str
    labels: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return vars(self).copy()


def lanes(room: Room, key: str, reader: str, *, blind: bool = False) -> list[Lane]:
    """Lanes that a reader may see at a desk; their order is that of `spans`' column `lane`."""
    desk = room.desk(key)
    own = Lane(reader, OWN, desk.key)
    if blind:
        return [own]
    readers = dict.fromkeys(edit.reviewer for edit in room.edits(base=desk.key))
    others = [Lane(name, READER, desk.key) for name in readers if name != reader]
    rows = room.store.label_sets(source=desk.row.source, kind=Kind.SPANS.value)
    beside = [
        Lane(row.author.name, OTHER, row.digest)
        for row in rows
        if row.digest != desk.key and row.stream == desk.row.stream
    ]
    return [own, Lane(desk.row.author.name, PROPOSED, desk.key), *others, *beside]


def spans(
    room: Room,
    key: str,
    reader: str,
    *,
    window: tuple[int, int] | None = None,
    only: frozenset[int] | None = None,
    blind: bool = False,
    asked: int | None = None,
) -> pa.Table:
    """Spans of all lanes that meet a window.

    Parameters
    ----------
    room : Room
    key : str
        Of a desk of spans.
    reader : str
    window : tuple of int, optional
        Samples ``[start, stop)``; the whole recording by default.
    only : frozenset of int, optional
        Lanes wanted, all by default.
    blind : bool
    asked : int, optional
        Item whose place a blind reader is shown.

    Returns
    -------
    pyarrow.Table
        Of `SCHEMA`; rows by lane, then start.
    """
    pieces = []
    for index, lane in enumerate(lanes(room, key, reader, blind=blind)):
        if only is not None and index not in only:
            continue
        if lane.kind in (OWN, READER):
            with room.reading(key, lane.name) as reading:
                table = _decided(reading, own=lane.kind == OWN)
        else:
            table = _claimed(_labels(room, key, lane))
        if blind:
            table = _hidden(table, asked)
        pieces.append(_laned(_within(table, window), index, lane.name))
    return pa.concat_tables(pieces) if pieces else SCHEMA.empty_table()


def _labels(room: Room, key: str, lane: Lane) -> LabelSet:
    desk: Desk = room.desk(key)
    return desk.labels if lane.labels == desk.key else room.store.get_labels(lane.labels)


def _claimed(labels: LabelSet) -> pa.Table:
    """Spans of a set as they are."""
    states = np.full(labels.n_rows, "untouched")
    return _columns(labels.table, labels, states)


def _decided(reading: Reading, *, own: bool) -> pa.Table:
    """Spans as a reader left them; of another reader only those decided on."""
    live: Live = reading.base
    draft = live.draft
    rows = np.flatnonzero(draft.alive)
    items = draft.item[rows]
    decided = draft.facts
    if not own:
        keep = np.isin(items, np.fromiter(decided, np.int64, len(decided)))
        rows, items = rows[keep], items[keep]
    states = np.full(rows.size, "untouched", dtype="<U9")
    where = np.argsort(items, kind="stable")
    known = np.asarray(sorted(decided), dtype=np.int64)
    for item, a, b in zip(
        known.tolist(),
        np.searchsorted(items[where], known, side="left").tolist(),
        np.searchsorted(items[where], known, side="right").tolist(),
        strict=True,
    ):
        states[where[a:b]] = decided[item].state
    return _columns(draft.columns_at(rows), reading.desk.labels, states)


def _columns(table: pa.Table, labels: LabelSet, states: npt.NDArray[Any]) -> pa.Table:
    names = pa.array(labels.vocabulary.names, pa.string())
    confidence = table.column("confidence").to_numpy()
    columns = {
        "lane": pa.array(np.zeros(table.num_rows, np.int32)),
        "item": table.column("item"),
        "start": table.column("start"),
        "stop": table.column("stop"),
        "label": names.take(table.column("label").combine_chunks()),
        "confidence": pa.array(confidence, pa.float32(), mask=np.isnan(confidence)),
        "channel": table.column("channel"),
        "author": pa.array([""] * table.num_rows, pa.string()),
        "state": pa.array(states.tolist(), pa.string()),
    }
    made = pa.table(columns, schema=SCHEMA)
    return made.take(pa.array(np.argsort(made.column("start").to_numpy(), kind="stable")))


def _hidden(table: pa.Table, asked: int | None) -> pa.Table:
    """Only what was decided, and the asked span without what the machine says of it."""
    untouched = np.asarray(table.column("state").to_pylist(), dtype=object) == "untouched"
    item = table.column("item").to_numpy()
    keep = ~untouched | (item == (-1 if asked is None else asked))
    for name, nothing in (("label", pa.string()), ("confidence", pa.float32())):
        values = table.column(name).combine_chunks()
        hidden = pa.array(untouched.astype(bool))
        shown = pc.if_else(hidden, pa.scalar(None, nothing), values)
        table = table.set_column(table.schema.get_field_index(name), SCHEMA.field(name), shown)
    return table.filter(pa.array(keep.astype(bool)))


def _within(table: pa.Table, window: tuple[int, int] | None) -> pa.Table:
    if window is None:
        return table
    start, stop = (table.column(name).to_numpy() for name in ("start", "stop"))
    return table.filter(pa.array((start < window[1]) & (stop > window[0])))


def _laned(table: pa.Table, lane: int, author: str) -> pa.Table:
    n = table.num_rows
    table = table.set_column(0, SCHEMA.field("lane"), pa.array(np.full(n, lane, np.int32)))
    index = table.schema.get_field_index("author")
    return table.set_column(index, SCHEMA.field("author"), pa.array([author] * n, pa.string()))
