"""Label sets on record, their item tables, heads and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import LabelSet
from nissl.store import schema
from nissl.store.faults import damaged
from nissl.store.journal import Journal
from nissl.store.plain import dumps, loads
from nissl.store.rows import HeadMove, LabelRow, label_row, parsing, text


def facts(labels: LabelSet) -> dict[str, Any]:
    """Columns of a row of `label_sets`, without the time."""
    provenance = labels.provenance
    return {
        "digest": labels.digest,
        "kind": labels.kind.value,
        "task": provenance.task,
        "source": provenance.source,
        "stream": provenance.stream,
        "author": dumps(vars(provenance.author), "an author"),
        "targets": dumps(list(provenance.targets), "targets"),
        "n_rows": int(labels.n_rows),
        "n_items": int(labels.items.size),
    }


def record(
    journal: Journal,
    values: Mapping[str, Any],
    *,
    items: str | None,
    run: str | None,
    now_s: float,
) -> None:
    """Put a label set on record; again, it only adds what is new of `items` and `run`."""
    digest = values["digest"]
    with journal.writing() as connection:
        t = schema.label_sets
        if not journal.select(connection, t, t.c.digest == digest):
            journal.insert(connection, t, {**values, "created_s": now_s})
        for table, column, value in (
            (schema.items, "digest", items),
            (schema.label_runs, "job_hash", run),
        ):
            known = journal.select(connection, table, table.c.labels == digest)
            if value is not None and (not known or known[-1][column] != value):
                row = {"labels": digest, column: value, "recorded_s": now_s}
                journal.insert(connection, table, row)


def label_sets(journal: Journal, **wanted: str | None) -> list[LabelRow]:
    """Label sets on record that fit all of source, task, kind and target; oldest first."""
    t = schema.label_sets
    target = wanted.pop("target", None)
    where = [t.c[name] == value for name, value in wanted.items() if value is not None]
    with journal.reading() as connection:
        rows = journal.select(connection, t, *where)
        items = {r["labels"]: r["digest"] for r in journal.select(connection, schema.items)}
        runs = {r["labels"]: r["job_hash"] for r in journal.select(connection, schema.label_runs)}
    found = [
        label_row(
            row, items=items.get(row["digest"]), run=runs.get(row["digest"]), where=journal.where
        )
        for row in rows
    ]
    return [row for row in found if target is None or target in row.targets]


def set_head(
    journal: Journal, source: str, task: str, digest: str, *, by: str, now_s: float
) -> None:
    """Declare the labels that count for a source and task; every move is kept.

    Raises
    ------
    MissingInputError
        The set is not on record.
    BadArgumentError
        It is of another task, or nobody is named.
    """
    if not by:
        raise BadArgumentError("who moves the head", "an empty name", "Say who decides.")
    t = schema.label_sets
    with journal.writing() as connection:
        rows = journal.select(connection, t, t.c.digest == digest)
        if not rows:
            raise MissingInputError(
                f"a recorded label set with the digest {digest[:12]!r}",
                "none",
                "`nissl show` lists the label sets of a project.",
            )
        if rows[0]["task"] != task:
            raise BadArgumentError(
                f"a label set of the task {task!r}",
                f"one of the task {rows[0]['task']!r}",
                "Move the head of that task, or name another label set.",
            )
        move = {"source": source, "task": task, "digest": digest, "moved_by": by, "moved_s": now_s}
        journal.insert(connection, schema.heads, move)


def head_moves(journal: Journal, source: str, task: str) -> list[HeadMove]:
    """Every move of a head, oldest first."""
    t = schema.heads
    with journal.reading() as connection:
        rows = journal.select(connection, t, t.c.source == source, t.c.task == task)
    with parsing(journal.where):
        return [
            HeadMove(
                source=text(row["source"]),
                task=text(row["task"]),
                digest=text(row["digest"]),
                by=text(row["moved_by"]),
                moved_s=float(row["moved_s"]),
            )
            for row in rows
        ]


def record_findings(
    journal: Journal, labels: str, findings: Sequence[Mapping[str, Any]], *, now_s: float
) -> None:
    """Record what a check of a label set found; it takes the place of earlier checks."""
    rows = [
        {
            "ordinal": n,
            "severity": str(finding.get("severity", "")),
            "item": None if finding.get("item") is None else int(finding["item"]),
            "body": dumps(dict(finding), "a finding"),
        }
        for n, finding in enumerate(findings)
    ]
    with journal.writing() as connection:
        position = journal.insert(connection, schema.checks, {"labels": labels, "checked_s": now_s})
        where = {"project_id": journal.project_id, "check_position": position}
        if rows:
            connection.execute(sa.insert(schema.findings), [where | row for row in rows])


def findings(journal: Journal, labels: str) -> list[dict[str, Any]]:
    """Findings of the last check of a label set, in the order given."""
    t = schema.findings
    with journal.reading() as connection:
        checks = journal.select(connection, schema.checks, schema.checks.c.labels == labels)
        if not checks:
            return []
        query = sa.select(t.c.body).where(
            t.c.project_id == journal.project_id,
            t.c.check_position == checks[-1]["position"],
        )
        bodies = connection.execute(query.order_by(t.c.ordinal)).scalars().all()
    return [loads(body, dict, journal.where) for body in bodies]


def known_digests(journal: Journal) -> list[tuple[str, str]]:
    """("labels" or "items", digest) of everything on record."""
    with journal.reading() as connection:
        sets = journal.select(connection, schema.label_sets)
        tables = journal.select(connection, schema.items)
    pairs = [("labels", r["digest"]) for r in sets] + [("items", r["digest"]) for r in tables]
    for _, digest in pairs:
        if not isinstance(digest, str):
            raise damaged(journal.where, f"the digest {digest!r:.50}")
    return list(dict.fromkeys(pairs))
