"""Tables that views show: a desk's items as they stand for one reader."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nissl.review.desk import Desk
from nissl.review.reading import Reading

CLAIMS = ("unlike",)
"""Facts that are the machine's word on an item."""


def item_rows(reading: Reading, facts: pa.Table | None, *, blind: bool = False) -> pa.Table:
    """One row per item that there is now: facts, what is proposed, what stands.

    Parameters
    ----------
    reading : Reading
    facts : pyarrow.Table or None
        Facts of items with a column `item`; of any items, those not there are left out.
    blind : bool
        Whether what the machine says is left out: of facts, those in `CLAIMS` of items that
        nobody has decided on.

    Returns
    -------
    pyarrow.Table
        Columns `item`, `state`, `label` (null where none), `proposed`, `confidence`,
        `class_item`, and those of `facts`.
    """
    desk = reading.desk
    items = reading.items
    states, rows = reading.states(), reading.class_items()
    proposed, confidence = proposals_of(desk, items)
    state = [states.get(int(i), "untouched") for i in items]
    label = [
        None if blind and s == "untouched" else reading.label(int(i))
        for i, s in zip(items.tolist(), state, strict=True)
    ]
    table = pa.table(
        {
            "item": pa.array(items, pa.int64()),
            "state": pa.array(state, pa.string()),
            "label": pa.array(label, pa.string()),
            "proposed": pa.array([None if blind else p for p in proposed], pa.string()),
            "confidence": pa.array([None if blind else c for c in confidence], pa.float64()),
            "class_item": pa.array([rows.get(int(i)) for i in items], pa.int64()),
        }
    )
    if facts is None:
        return table
    place = {item: row for row, item in enumerate(facts.column("item").to_pylist())}
    rows_of = [place.get(int(i)) for i in items]
    take = pa.array(rows_of, pa.int64())
    seen = pa.array(
        [None if blind and s == "untouched" else r for r, s in zip(rows_of, state, strict=True)],
        pa.int64(),
    )
    for name in facts.column_names:
        if name not in table.column_names:
            told = facts.column(name).take(seen if name in CLAIMS else take)
            table = table.append_column(facts.schema.field(name), told)
    return table


def proposals_of(desk: Desk, items: Any) -> tuple[list[str | None], list[float | None]]:
    """Class and confidence that the machine proposes for items; None where it does not."""
    said, names = desk.proposals, desk.vocabulary.names
    place = np.searchsorted(said.items, items)
    proposed: list[str | None] = []
    confidence: list[float | None] = []
    for at, item in zip(place.tolist(), items.tolist(), strict=True):
        known = at < said.items.size and said.items[at] == item
        code = int(said.label[at]) if known else -1
        sure = float(said.confidence[at]) if known else float("nan")
        proposed.append(names[code] if code >= 0 else None)
        confidence.append(sure if np.isfinite(sure) else None)
    return proposed, confidence
