"""Bringing a journal to the schema that this nissl knows, in one transaction.

A migration is a file ``NNNN_name.sql``. Lines ``-- [sqlite]``, ``-- [postgresql]`` and
``-- [all]`` begin a part for one database or both. Migrations that were released are never
changed; a new one is added.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from nissl.errors import ProjectTooNewError
from nissl.store.faults import damaged, read_only

_PART = re.compile(r"^-- \[(all|sqlite|postgresql)\]$")


@dataclass(frozen=True)
class Migration:
    """One step of the schema.

    Parameters
    ----------
    number : int
        Counts from 1 without gaps.
    name : str
    sql : str
    """

    number: int
    name: str
    sql: str

    def statements(self, dialect: str) -> list[str]:
        """SQL statements for "sqlite" or "postgresql"; the latter as one script."""
        part, lines = "all", []
        for line in self.sql.splitlines():
            heading = _PART.match(line)
            part = heading.group(1) if heading else part
            if not heading and part in ("all", dialect):
                lines.append(line)
        return _split(lines) if dialect == "sqlite" else ["\n".join(lines)]


@cache
def migrations(folder: Path = Path(__file__).parent / "migrations") -> tuple[Migration, ...]:
    """All migrations of a folder, in order."""
    found = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        number, _, name = path.stem.partition("_")
        found.append(Migration(int(number), name, path.read_text(encoding="utf-8")))
    return tuple(found)


def migrate(
    connection: sa.Connection,
    where: Path | str,
    *,
    create: bool,
    writable: bool = True,
    steps: Sequence[Migration] | None = None,
) -> int:
    """Run the missing migrations within the caller's transaction, which must hold the lock.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    where : Path or str
        What error messages call the journal.
    create : bool
        Whether a journal without any schema is a new one; else it is a damaged one.
    writable : bool
        Whether the schema may be changed.
    steps : sequence of Migration, optional
        By default all that nissl has.

    Returns
    -------
    int
        How many were run.

    Raises
    ------
    ProjectTooNewError
        The journal has a migration that this nissl does not know.
    CorruptProjectError, ReadOnlyError
    """
    steps = migrations() if steps is None else steps
    version = _version(connection, where, create=create)
    newest = steps[-1].number
    if version > newest:
        raise ProjectTooNewError(
            f"a journal of schema {newest} or older at {where}",
            f"schema {version}",
            "Update nissl: pip install --upgrade nissl",
        )
    missing = [step for step in steps if step.number > version]
    if missing and not writable:
        raise read_only(where, f"schema {version}, which must first be brought to {newest}")
    for step in missing:
        for statement in step.statements(connection.dialect.name):
            _run(connection, statement)
        connection.execute(
            sa.text("INSERT INTO schema_versions VALUES (:number, :name, :applied_s)"),
            {"number": step.number, "name": step.name, "applied_s": time.time()},
        )
    return len(missing)


def _version(connection: sa.Connection, where: Path | str, *, create: bool) -> int:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE name = 'schema_versions'"
    else:
        query = "SELECT to_regclass('nissl.schema_versions')::text"
    if connection.execute(sa.text(query)).scalar() is None:
        if not create:
            raise damaged(where, "a database without the tables of a journal")
        return 0
    version = connection.execute(sa.text("SELECT max(number) FROM schema_versions")).scalar()
    if not isinstance(version, int) or version < 1:
        raise damaged(where, f"the schema version {version!r}")
    return version


def _run(connection: sa.Connection, statement: str) -> None:
    # the driver's own cursor: SQLAlchemy would prepare the script, which takes one statement only
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def _split(lines: Sequence[str]) -> list[str]:
    statements, pending = [], ""
    for line in lines:
        if not pending and (not line.strip() or line.startswith("--")):
            continue
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
