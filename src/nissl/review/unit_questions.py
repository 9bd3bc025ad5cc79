"""Questions about units that might be one neuron, or two; the same doubt is the same question."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from nissl.annotators.spikes.similarity import Likeness, Templates, likely_merges
from nissl.labels import ItemTable, LabelSet
from nissl.store import QuestionRow, Store

LEAST_MERGE = 0.5
"""Probability from which two units are named as likely one."""
LEAST_SPLIT = 0.3
"""Probability from which a unit is asked about as likely two."""
MOST = 50
"""The likeliest are asked."""
POLICIES = ("merge", "split")


def merges_of(
    labels: LabelSet, items: ItemTable, rate_hz: float, *, least: float = LEAST_MERGE
) -> list[Likeness]:
    """Pairs of units that are likely one neuron, the likeliest first.

    Parameters
    ----------
    labels : LabelSet
        EVENTS.
    items : ItemTable
        Of its units; without templates no pair is named.
    rate_hz : float
    least : float
    """
    sample = labels.column("sample")
    templates = Templates.of(items, among=labels.items)
    return likely_merges(templates, lambda item: sample[labels.rows_of(item)], rate_hz, least=least)


def merge_questions(key: str, pairs: Sequence[Likeness], *, most: int = MOST) -> list[QuestionRow]:
    """Likely merges as questions for `Store.ask`.

    Parameters
    ----------
    key : str
        Digest of the units' label set.
    pairs : sequence of Likeness
        The likeliest first.
    most : int
    """
    rows = []
    for one in pairs[:most]:
        reason = (
            f"Units {one.a} and {one.b} may be one neuron. {one.sentence} "
            f"In simulations such a pair is one with a probability of {one.score:.0%}. "
            f"Merge them, or say what unit {one.a} is by itself."
        )
        name = uuid5(NAMESPACE_OID, f"merge {key} {one.a} {one.b}")
        body = {"reason": reason, "beside": one.b}
        rows.append(QuestionRow(name, key, one.a, "merge", score=one.score, body=body))
    return rows


def split_questions(
    key: str, items: ItemTable | None, *, least: float = LEAST_SPLIT, most: int = MOST
) -> list[QuestionRow]:
    """Likely splits as questions for `Store.ask`; none where no sorter told a probability.

    Parameters
    ----------
    key : str
        Digest of the units' label set.
    items : ItemTable, optional
    least : float
    most : int
    """
    if items is None or "split_probability" not in items.table.column_names:
        return []
    p = np.nan_to_num(items.table.column("split_probability").to_numpy(), nan=0.0)
    order = [row for row in np.argsort(-p, kind="stable").tolist() if p[row] >= least]
    rows = []
    for row in order[:most]:
        item = int(items.items[row])
        reason = (
            f"Unit {item} may hold two neurons. To the sorter its spikes, freed of all others, "
            "make two heaps rather than one. In simulations where one unit in ten is a mixture "
            f"such a unit is one with a probability of {p[row]:.0%}. Look at the sorter's own "
            "cut and split it, or say what it is."
        )
        name = uuid5(NAMESPACE_OID, f"split {key} {item}")
        body = {"reason": reason}
        rows.append(QuestionRow(name, key, item, "split", score=float(p[row]), body=body))
    return rows


def ask(store: Store, key: str, rows: Sequence[QuestionRow]) -> int:
    """Put questions about a label set into the queue; returns how many were not there yet."""
    known = {row.uuid for each in POLICIES for row in store.questions(labels=key, policy=each)}
    store.ask(rows)
    return sum(row.uuid not in known for row in rows)


def ask_doubts(store: Store, key: str, labels: LabelSet, items: ItemTable | None) -> int:
    """Ask about the merges and splits that a sorter was in doubt of itself.

    Nothing is asked of units whose sorter told no doubts; likely merges of these are asked when
    a person wants them (`UnitDesk.likely_merges`).

    Parameters
    ----------
    store : Store
    key : str
        Digest of the label set, which is on record.
    labels : LabelSet
        EVENTS.
    items : ItemTable, optional

    Returns
    -------
    int
        Questions that were not there yet.
    """
    if items is None or not doubted(items):
        return 0
    pairs = merges_of(labels, items, float(items.context["rate_hz"]))
    return ask(store, key, [*merge_questions(key, pairs), *split_questions(key, items)])


def doubted(items: ItemTable) -> bool:
    """Whether the units' sorter told how probable splits are."""
    if "split_probability" not in items.table.column_names:
        return False
    column = items.table.column("split_probability")
    return bool(np.any(np.isfinite(column.to_numpy())))
