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

from nissl.labels import Kind, LabelSet
from nissl.labels.replay import STATES
from nissl.review.desk import Desk
from nissl.review.reading import Reading
from nissl.review.room import Room

Columns = dict[str, npt.NDArray[Any]]

OWN, PROPOSED, READER, OTHER = "own", "proposed", "reader", "other"

_FEWEST_EPOCHS = 10
_LEAST_SHARE = 0.9

SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("lane", pa.int32()),
            ("item", pa.float64()),
            ("start", pa.float64()),
            ("stop", pa.float64()),
            ("label", pa.int32()),
            ("confidence", pa.float32()),
            ("channel", pa.int32()),
            ("state", pa.int32()),
        )
    ]
)
"""Columns of `spans`. Items and samples are whole numbers in the only type that browsers count
in, exact up to 2**53; `label` is a code of the lane's classes, -1 where a blind reader must
not see it; `confidence` is NaN and `channel` -1 where there is none; `state` counts `STATES`.
"""


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


def lanes(room: Room, key: str, reader: str, *, blind: bool = False) -> list[Lane]:
    """Lanes that a reader may see at a desk; their order is that of `spans`' column `lane`."""
    desk = room.desk(key)
    own = Lane(reader, OWN, desk.key)
    if blind:
        return [own]
    readers = dict.fromkeys(edit.reviewer for edit in room.edits(base=desk.key))
    others = [Lane(name, READER, desk.key) for name in readers if name != reader]
    rows = room.store.label_sets(source=desk.row.source, kind=Kind.SPANS.value)
    fitting = [row for row in rows if row.stream == desk.row.stream]
    newest = {(row.task, row.author.name): row for row in fitting}
    newest[desk.row.task, desk.row.author.name] = desk.row  # its other sets are superseded
    beside = [
        Lane(row.author.name, OTHER, row.digest)
        for row in fitting
        if row.digest != desk.key and row is newest[row.task, row.author.name]
    ]
    return [own, Lane(desk.row.author.name, PROPOSED, desk.key), *others, *beside]


def epochs(labels: LabelSet) -> tuple[int, int] | None:
    """First sample and length of the epochs that a set of spans consists of, None for others.

    Nine in ten must begin where the one before ends, all but the last of each stretch be equally
    long, and none overlap. A blind reader may know it: it says nothing of any class.
    """
    order = np.argsort(labels.column("start"), kind="stable")
    start, stop = labels.column("start")[order], labels.column("stop")[order]
    if start.size < _FEWEST_EPOCHS:
        return None
    length = int(np.median(stop - start))
    gap = start[1:] - stop[:-1]
    apart = np.mean(gap == 0) < _LEAST_SHARE or np.mean(stop - start == length) < _LEAST_SHARE
    return None if apart or np.any(gap < 0) else (int(start[0]), length)


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
                columns = _decided(reading, own=lane.kind == OWN)
        else:
            labels = labels_of(room, key, lane)
            columns = _columns(labels.table, np.zeros(labels.n_rows, np.int32))
        if blind:
            columns = _hidden(columns, asked)
        if window is not None:
            meets = (columns["start"] < window[1]) & (columns["stop"] > window[0])
            columns = {name: values[meets] for name, values in columns.items()}
        columns["lane"] = np.full(columns["item"].size, index)
        pieces.append(_table(columns))
    return pa.concat_tables(pieces) if pieces else SCHEMA.empty_table()


def labels_of(room: Room, key: str, lane: Lane) -> LabelSet:
    """Return the set that the spans of a lane stand in."""
    desk: Desk = room.desk(key)
    return desk.labels if lane.labels == desk.key else room.store.get_labels(lane.labels)


def _decided(reading: Reading, *, own: bool) -> Columns:
    """Spans as a reader left them; of another reader only those decided on."""
    draft = reading.base.draft
    rows = np.flatnonzero(draft.alive)
    decided = draft.facts
    if not own:
        rows = rows[np.isin(draft.item[rows], np.fromiter(decided, np.int64, len(decided)))]
    items = draft.item[rows]
    order = np.argsort(items, kind="stable")
    known = np.asarray(sorted(decided), dtype=np.int64)
    first, last = (np.searchsorted(items[order], known, side=s) for s in ("left", "right"))
    states = np.zeros(rows.size, np.int32)
    for item, a, b in zip(known.tolist(), first.tolist(), last.tolist(), strict=True):
        states[order[a:b]] = STATES.index(decided[item].state)
    return _columns(draft.columns_at(rows), states)


def _columns(table: pa.Table, states: npt.NDArray[np.int32]) -> Columns:
    """Columns of `SCHEMA` but the lane, by start."""
    names = ("item", "start", "stop", "label", "confidence")
    columns = {name: table.column(name).to_numpy() for name in names}
    columns |= {"channel": table.column("channel").fill_null(-1).to_numpy(), "state": states}
    order = np.argsort(columns["start"], kind="stable")
    return {name: values[order] for name, values in columns.items()}


def _hidden(columns: Columns, asked: int | None) -> Columns:
    """Only what was decided, and the asked span without what the machine says of it."""
    untouched = columns["state"] == STATES.index("untouched")
    keep = ~untouched | (columns["item"] == (-1 if asked is None else asked))
    columns["label"] = np.where(untouched, -1, columns["label"])
    columns["confidence"] = np.where(untouched, np.nan, columns["confidence"])
    return {name: values[keep] for name, values in columns.items()}


def _table(columns: Columns) -> pa.Table:
    arrays = [pa.array(columns[f.name].astype(f.type.to_pandas_dtype())) for f in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
