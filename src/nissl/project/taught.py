"""What people said of tracks so far, as one set: what methods that learn from people are given.

People's own sets count whole, as they were edited since; of a machine's proposal only the points
that somebody placed, moved or found right. What was decided later stands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.replay import decided_rows, majority, replay
from nissl.project.adding import keep
from nissl.project.source import Source
from nissl.store import LabelRow, Store
from nissl.tasks import ANNOTATORS

GATHERED = "gathered"
"""Parameter of sets that are made here."""


def taught_points(store: Store, source: Source, task: str, base: str | None) -> str | None:
    """Digest of people's points of a source, made and kept where there are decisions to add.

    Parameters
    ----------
    store : Store
    source : Source
    task : str
        Whose sets are POINTS.
    base : str or None
        Digest of the set that a person made; None where there is none.

    Returns
    -------
    str or None
        `base` where nobody decided on anything since.
    """
    base = _original(store, base)
    rows = [
        row
        for row in store.label_sets(source=source.fingerprint, task=task)
        if row.kind == Kind.POINTS.value and store.edits(base=row.digest)
    ]
    if base is None:
        # a proposal from nothing has identities of its own: only the newest is gone on with
        machines = [row for row in rows if row.author.kind != "person"]
        chosen = machines[-1:]
    else:
        chosen = [row for row in rows if row.digest == base or _keeps_identity(row)]
    if not chosen:
        return base
    parts = [] if base is None or base in {row.digest for row in chosen} else [_whole(store, base)]
    parts += [_decided(store, row) for row in chosen]
    table = _latest([part for part in parts if part.num_rows])
    if table is None:
        return base
    first = store.get_labels(base or chosen[0].digest)
    people = sorted({edit.reviewer for row in chosen for edit in store.edits(base=row.digest)})
    own = [first.provenance.author.name] if first.provenance.author.kind == "person" else []
    made = Provenance(
        task=task,
        source=source.fingerprint,
        stream=first.provenance.stream,
        author=Author("person", ", ".join(dict.fromkeys([*own, *people]))),
        parameters={GATHERED: True},
        made_from=tuple(dict.fromkeys([*([base] if base else []), *(r.digest for r in chosen)])),
    )
    columns = {name: table.column(name) for name in table.column_names if name != "id"}
    columns["confidence"] = np.full(table.num_rows, np.nan, np.float32)
    labels = LabelSet.build(Kind.POINTS, columns, first.vocabulary, made)
    every = store.label_sets(source=source.fingerprint, task=task)
    row = next(row for row in every if row.digest == first.digest)
    return keep(store, labels, items=_items(store, row, labels))


def _original(store: Store, base: str | None) -> str | None:
    """The set that a gathered one began with, so that what is undone is not learnt from again."""
    while base is not None and not store.edits(base=base):
        made = store.get_labels(base).provenance
        if not made.parameters.get(GATHERED):
            return base
        parent = made.made_from[0]
        person = store.get_labels(parent).provenance.author.kind == "person"
        base = parent if person else None
    return base


def _keeps_identity(row: LabelRow) -> bool:
    """Whether a set's tracks are those of the people that its method learnt from."""
    name = row.author.name
    return name in ANNOTATORS and bool(getattr(ANNOTATORS.get(name), "from_people", False))


def _whole(store: Store, digest: str) -> pa.Table:
    return store.get_labels(digest).table


def _decided(store: Store, row: LabelRow) -> pa.Table:
    """Rows of a set that people stand for: all of a person's, those decided on of a machine's."""
    labels = store.get_labels(row.digest)
    reviewed = replay(labels, store.edits(base=row.digest), resolve=majority)
    if row.author.kind == "person":
        return reviewed.labels.table
    return reviewed.labels.table.filter(pa.array(decided_rows(reviewed)))


def _latest(parts: Sequence[pa.Table]) -> pa.Table | None:
    """Rows of all parts; of several of one neuron in one volume the last."""
    if not parts:
        return None
    columns = [name for name in parts[0].column_names if name != "probabilities"]
    together = pa.concat_tables([part.select(columns) for part in parts])
    keys = np.stack([together.column("frame").to_numpy(), together.column("item").to_numpy()], 1)
    _, last = np.unique(keys[::-1], axis=0, return_index=True)
    return together.take(pa.array(np.sort(len(keys) - 1 - last)))


def _items(store: Store, row: LabelRow, labels: LabelSet) -> str | None:
    """Names of the tracks, where the first set had some."""
    table = None if row.items is None else store.get_items(row.items)
    if table is None or "name" not in table.table.column_names:
        return None
    names = dict(zip(table.items.tolist(), table.table.column("name").to_pylist(), strict=True))
    columns = {
        "item": pa.array(labels.items, pa.int64()),
        "name": pa.array([names.get(item) for item in labels.items.tolist()], pa.string()),
    }
    return store.put_items(ItemTable(labels.digest, pa.table(columns)))
