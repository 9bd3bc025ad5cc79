"""Questions in the journal: what people are asked, by which policy, with what probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from nissl.store import schema
from nissl.store.journal import Journal
from nissl.store.plain import dumps, loads
from nissl.store.rows import parsing, text

_T = schema.questions


@dataclass(frozen=True)
class QuestionRow:
    """Something a person is asked.

    Parameters
    ----------
    uuid : UUID
    labels : str
        Digest of the label set whose item it is about.
    item : int or None
        None where it is about the set as a whole.
    policy : str
        What chose it: a policy's name, or "audit", "gold", "second", "rerun", "merge",
        "split", "recheck".
    score : float or None
        As the policy ranked it.
    body : dict
        JSON values. A policy logs the `probability` with which it chose the item.
    asked_s : float
        Unix time, seconds.
    answered_by : UUID or None
        The edit that answered it first.
    """

    uuid: UUID
    labels: str
    item: int | None
    policy: str
    score: float | None = None
    body: dict[str, Any] = field(default_factory=dict)
    asked_s: float = 0.0
    answered_by: UUID | None = None


def ask(journal: Journal, rows: Sequence[QuestionRow], *, now_s: float) -> list[UUID]:
    """Record questions in one transaction; one that is known stays as it is."""
    with journal.writing() as connection:
        wanted = [str(row.uuid) for row in rows]
        known: set[str] = set()
        for start in range(0, len(wanted), 500):  # databases limit the variables of a statement
            part = wanted[start : start + 500]
            found = journal.select(connection, _T, _T.c.uuid.in_(part))
            known |= {str(row["uuid"]) for row in found}
        position = journal.next_position(connection, _T)
        fresh: list[dict[str, Any]] = []
        for row in rows:
            if str(row.uuid) not in known:
                known.add(str(row.uuid))
                fresh.append(_plain(journal, row, position + len(fresh), now_s))
        if fresh:
            connection.execute(sa.insert(_T), fresh)
    return [row.uuid for row in rows]


def questions(
    journal: Journal,
    *,
    labels: str | None = None,
    policy: str | None = None,
    unanswered: bool = False,
) -> list[QuestionRow]:
    """Questions on record, oldest first."""
    where = [] if labels is None else [_T.c.labels == labels]
    where += [] if policy is None else [_T.c.policy == policy]
    where += [_T.c.answered_by.is_(None)] if unanswered else []
    with journal.reading() as connection:
        rows = journal.select(connection, _T, *where)
    with parsing(journal.where):
        return [
            QuestionRow(
                uuid=UUID(text(row["uuid"])),
                labels=text(row["labels"]),
                item=None if row["item"] is None else int(row["item"]),
                policy=text(row["policy"]),
                score=None if row["score"] is None else float(row["score"]),
                body=loads(row["body"], dict, journal.where),
                asked_s=float(row["asked_s"]),
                answered_by=UUID(row["answered_by"]) if row["answered_by"] else None,
            )
            for row in rows
        ]


def answer(journal: Journal, connection: sa.Connection, question: UUID, edit: UUID) -> None:
    """Note, within a writing transaction, which edit answered a question first."""
    connection.execute(
        sa.update(_T)
        .where(_T.c.project_id == journal.project_id, _T.c.uuid == str(question))
        .where(_T.c.answered_by.is_(None))
        .values(answered_by=str(edit))
    )


def _plain(journal: Journal, row: QuestionRow, position: int, now_s: float) -> dict[str, Any]:
    return {
        "project_id": journal.project_id,
        "position": position,
        "uuid": str(row.uuid),
        "labels": row.labels,
        "item": row.item,
        "policy": row.policy,
        "score": row.score,
        "body": dumps(dict(row.body), "a question"),
        "asked_s": row.asked_s or now_s,
        "answered_by": str(row.answered_by) if row.answered_by else None,
    }
