"""The units of a project whose cell type is known, as a library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from nissl.annotators.celltypes.features import featurise
from nissl.annotators.celltypes.library import EVIDENCE, FACTS, Library
from nissl.annotators.celltypes.merging import stacked
from nissl.annotators.celltypes.vocabulary import UNKNOWN, canonical
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import FeatureTable, ItemTable
from nissl.labels.replay import Rule
from nissl.review.decided import Bench, Decision, benches
from nissl.store import SourceRow, Store
from nissl.tasks import TASKS, Examples

TASK = "celltypes"
EXPERT = "expert"
_OWN = ("name", "licence", "sources")


def library_of(
    store: Store,
    *,
    name: str,
    licence: str,
    everything: bool = False,
    resolve: Rule | None = None,
    card: Mapping[str, Any] | None = None,
) -> Library:
    """Units that an experiment or people gave a cell type, with their features.

    Parameters
    ----------
    store : Store
    name : str
    licence : str
        An SPDX expression, or the words of the terms.
    everything : bool
        Whether units of unknown type are taken too, to learn encoders from.
    resolve : callable, optional
        How readers who disagree are combined; `majority` by default.
    card : mapping, optional
        Further entries of its card ("description", "citation", "classes", ...).

    Raises
    ------
    MissingInputError
        No unit has a type.
    BadArgumentError
        No name or licence, or entries of the card that are made here.
    """
    further = dict(card or {})
    taken = sorted(set(further) & set(_OWN))
    if taken:
        raise BadArgumentError("other entries of the card", str(taken), "They are made here.")
    parts = [
        part
        for bench in benches(store, TASK)
        if (part := _part(bench, everything=everything, resolve=resolve))
    ]
    if not any(label for part in parts for label in part["label"]):
        raise MissingInputError(
            "units whose cell type is known",
            "none",
            f"Tag them (nissl tag {store.path} SOURCE ...), or decide in review.",
        )
    facts = (*FACTS, "unit", "evidence as stated")
    return Library(
        stacked([part["table"] for part in parts]),
        tuple(label for part in parts for label in part["label"]),
        tuple(text for part in parts for text in part["evidence"]),
        {fact: tuple(v for part in parts for v in part[fact]) for fact in facts},
        further
        | {
            "name": name,
            "licence": licence,
            "sources": [part["source"] | {"licence": licence} for part in parts],
        },
    )


def _part(bench: Bench, *, everything: bool, resolve: Rule | None) -> dict[str, Any] | None:
    """Columns of the units of one source; None where none is taken."""
    decisions = bench.decisions(resolve)
    labels, items = bench.as_left(resolve)
    subject = str(bench.source.subject.get("id") or "unknown")
    table = featurise(labels, items, subject=subject, session=bench.source.name)
    named = {u: canonical(d.name) for u, d in decisions.items()}
    known = [unit for unit, name in named.items() if name != UNKNOWN]
    rows = np.arange(len(table.items)) if everything else np.isin(table.items, known)
    taken = _rows(table, rows)
    units = taken.items.tolist()
    if not units:
        return None
    stated = {u: _stated(bench, d, u) if u in known else "" for u, d in decisions.items()}
    evidence = [_kind(stated.get(unit, "")) for unit in units]
    facts = {fact: _fact(bench.source, items, fact, units) for fact in FACTS}
    return {
        "table": taken,
        "label": [named[unit] if unit in known else "" for unit in units],
        "evidence": evidence,
        **facts,
        "unit": [str(unit) for unit in units],
        "evidence as stated": [stated.get(unit, "") for unit in units],
        "source": {
            "name": bench.source.name,
            "subject": subject,
            "units": len(units),
            "evidence": dict(Counter(text for text in evidence if text)),
            "spikes": bench.base.digest,
            "made_by": sorted({decisions[u].row.author.name for u in units if u in known}),
        },
    }


def _rows(table: FeatureTable, rows: Any) -> FeatureTable:
    n = len(table.items)
    return Examples(table, np.zeros(n, np.int64), np.ones(n)).take(rows).features


def _stated(bench: Bench, decision: Decision, unit: int) -> str:
    """Words for what a decision rests on."""
    author = decision.row.author
    if author.kind != "person" and author.name in TASKS.get(TASK).evidence:
        return author.name.partition("/")[2] if decision.state != "changed" else EXPERT
    if author.kind == "person" and decision.state in ("untouched", "accepted"):
        given = bench.store.get_labels(decision.row.digest).provenance.parameters
        return str(given.get("evidence", {}).get(str(unit), EXPERT))
    return EXPERT


def _kind(stated: str) -> str:
    """The strongest of `EVIDENCE` among some words; an expert's word for others."""
    if not stated:
        return ""
    words = [word.strip().lower() for word in stated.split(";")]
    return next((kind for kind in EVIDENCE if kind and kind in words), EXPERT)


def _fact(source: SourceRow, items: ItemTable | None, name: str, units: list[int]) -> list[str]:
    """A fact of each unit: of its own where it is a column, else of its recording."""
    facts = {**source.session, **source.subject}
    general = str(facts.get(name) or "")
    if items is None or name not in items.table.column_names:
        return [general] * len(units)
    own = dict(zip(items.items.tolist(), items.table.column(name).to_pylist(), strict=True))
    return [general if own.get(unit) is None else str(own[unit]) for unit in units]


__all__ = ["library_of"]
