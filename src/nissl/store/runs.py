"""Runs: which jobs were started, finished or failed, and what they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nissl.errors import MissingInputError
from nissl.store import schema
from nissl.store.journal import Journal
from nissl.store.plain import dumps
from nissl.store.rows import RunRow, run_row

_T = schema.runs


def find(journal: Journal, job_hash: str) -> RunRow | None:
    """Row of a job, None where it was never started."""
    with journal.reading() as connection:
        rows = journal.select(connection, _T, _T.c.job_hash == job_hash)
    return run_row(rows[0], journal.where) if rows else None


def start(journal: Journal, job_hash: str, job: Mapping[str, Any], *, now_s: float) -> None:
    """Note that a job begins; a finished one stays finished."""
    with journal.writing() as connection:
        rows = journal.select(connection, _T, _T.c.job_hash == job_hash)
        if not rows:
            values = {
                "job_hash": job_hash,
                "job": dumps(dict(job), "a job"),
                "state": "running",
                "attempts": 1,
                "outputs": "[]",
                "log": "{}",
                "error": "",
                "started_s": now_s,
                "ended_s": None,
            }
            journal.insert(connection, _T, values)
        elif rows[0]["state"] != "finished":
            attempts = run_row(rows[0], journal.where).attempts + 1
            again = {"state": "running", "attempts": attempts, "error": "", "ended_s": None}
            _set(journal, connection, job_hash, again | {"started_s": now_s})


def finish(
    journal: Journal,
    job_hash: str,
    *,
    outputs: Sequence[str],
    log: Mapping[str, Any],
    now_s: float,
) -> None:
    """Note what a job made; durable when this returns."""
    values = {
        "state": "finished",
        "outputs": dumps(list(outputs), "outputs"),
        "log": dumps(dict(log), "a run's log"),
        "error": "",
        "ended_s": now_s,
    }
    with journal.writing() as connection:
        _started(journal, connection, job_hash)
        _set(journal, connection, job_hash, values)


def fail(journal: Journal, job_hash: str, error: str, *, now_s: float) -> None:
    """Note why a job ended early; a finished one stays finished."""
    with journal.writing() as connection:
        if _started(journal, connection, job_hash) != "finished":
            values = {"state": "failed", "error": error, "ended_s": now_s}
            _set(journal, connection, job_hash, values)


def _started(journal: Journal, connection: sa.Connection, job_hash: str) -> str:
    rows = journal.select(connection, _T, _T.c.job_hash == job_hash)
    if not rows:
        raise MissingInputError(
            f"a run that was started, {job_hash[:12]!r}", "none", "Start it with start_run."
        )
    return str(rows[0]["state"])


def _set(
    journal: Journal, connection: sa.Connection, job_hash: str, values: dict[str, Any]
) -> None:
    where = (_T.c.project_id == journal.project_id, _T.c.job_hash == job_hash)
    connection.execute(sa.update(_T).where(*where).values(**values))
