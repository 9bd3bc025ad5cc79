"""Connections to the journal and their transactions.

SQLite: write-ahead log, ``synchronous=FULL``, one writer at a time by ``BEGIN IMMEDIATE``; on a
network file system a rollback journal. PostgreSQL: writers of one project wait for each other
on the project's row. Both ways positions are given out in the order of commits, so the journal
has a total order and a reader never sees a later record without the earlier ones.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from nissl.errors import BadArgumentError, MissingDependencyError, StoreError
from nissl.store import schema
from nissl.store.faults import damaged, read_only, translated
from nissl.store.filesystem import network_filesystem
from nissl.store.migrate import migrate

WAIT_S = 30.0
"""How long a writer waits for another, seconds."""


class Journal:
    """One project's rows in a database.

    Parameters
    ----------
    make_engine : callable
        Returns a new SQLAlchemy engine; called again in a forked process, because a database
        connection must not be shared between processes.
    where : Path or str
        What error messages call the journal.
    project_id : str
        Empty until `enrol` or `expect` has named the project.
    writable : bool
    """

    def __init__(
        self,
        make_engine: Callable[[], sa.Engine],
        where: Path | str,
        *,
        project_id: str = "",
        writable: bool = True,
    ) -> None:
        self.where = where
        self.project_id = project_id
        self.writable = writable
        self._make_engine = make_engine
        self._engine: sa.Engine | None = make_engine()
        self._pid = os.getpid()
        self._one_writer = threading.Lock()

    @property
    def engine(self) -> sa.Engine:
        """The engine of this process; `StoreError` after `close`."""
        if self._engine is None:
            raise StoreError("an open project", "a closed one", "Open it again.")
        if self._pid != os.getpid():
            self._engine.dispose(close=False)
            self._engine, self._pid = self._make_engine(), os.getpid()
            self._one_writer = threading.Lock()
        return self._engine

    @property
    def dialect(self) -> str:
        """Name of the database's kind: "sqlite" or "postgresql"."""
        return self.engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Transaction that sees one state of the journal."""
        with translated(self.where), self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Transaction of the only writer; durable when the block has ended."""
        if not self.writable:
            raise read_only(self.where, "a project on a medium or with rights to read only")
        engine = self.engine
        with translated(self.where), self._one_writer, engine.connect() as connection:
            connection = connection.execution_options(nissl_writes=True)
            with connection.begin():
                if engine.dialect.name == "postgresql" and self.project_id:
                    connection.execute(
                        sa.text("SELECT 1 FROM projects WHERE project_id = :id FOR UPDATE"),
                        {"id": self.project_id},
                    )
                yield connection

    def enrol(self, name: str, identity: str) -> tuple[str, str]:
        """Make the schema and the project's row; returns the id and name that stand.

        In a project folder's own database another process may have been first; its row stands.
        """
        with self.writing() as connection:
            if self.dialect == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(6076891735)"))
            migrate(connection, self.where, create=True)
            if self.dialect == "sqlite":
                row = connection.execute(
                    sa.select(schema.projects.c.project_id, schema.projects.c.name)
                ).first()
                if row is not None:
                    identity, name = str(row[0]), str(row[1])
            known = schema.projects.c.project_id == identity
            if connection.execute(sa.select(schema.projects.c.name).where(known)).first() is None:
                connection.execute(
                    sa.insert(schema.projects),
                    {"project_id": identity, "name": name, "created_s": time.time()},
                )
        self.project_id = identity
        return identity, name

    def expect(self, identity: str) -> None:
        """Bring the schema up to date and check that the project has its row here.

        Raises
        ------
        CorruptProjectError
            Not a journal, or one without this project.
        ProjectTooNewError
        """
        if not self._is_current():
            with self.writing() if self.writable else self.reading() as connection:
                if self.dialect == "postgresql":
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(6076891735)"))
                migrate(connection, self.where, create=False, writable=self.writable)
        known = schema.projects.c.project_id == identity
        with self.reading() as connection:
            row = connection.execute(sa.select(schema.projects.c.name).where(known)).first()
        if row is None:
            raise damaged(
                self.where,
                f"a journal without the project {identity} that project.toml names",
            )
        self.project_id = identity

    def next_position(self, connection: sa.Connection, table: sa.TableClause) -> int:
        """Position of the next row of a table; only within `writing`."""
        last = connection.execute(
            sa.select(sa.func.max(table.c.position)).where(table.c.project_id == self.project_id)
        ).scalar()
        if last is not None and not isinstance(last, int):
            raise damaged(self.where, f"the position {last!r:.50}")
        return (last or 0) + 1

    def insert(
        self, connection: sa.Connection, table: sa.TableClause, values: dict[str, Any]
    ) -> int:
        """Append a row of this project at the next position, which is returned."""
        position = self.next_position(connection, table)
        connection.execute(
            sa.insert(table), {"project_id": self.project_id, "position": position, **values}
        )
        return position

    def select(
        self, connection: sa.Connection, table: sa.TableClause, *where: Any
    ) -> list[sa.RowMapping]:
        """Rows of this project, by position."""
        query = sa.select(table).where(table.c.project_id == self.project_id, *where)
        return list(connection.execute(query.order_by(table.c.position)).mappings())

    def close(self) -> None:
        """Close all connections; a second time does nothing."""
        if self._engine is not None:
            self._engine.dispose(close=self._pid == os.getpid())
            self._engine = None

    def _is_current(self) -> bool:
        # most opens find nothing to do, and must not wait for a writer to learn that
        with self.reading() as connection:
            try:
                return migrate(connection, self.where, create=False, writable=False) == 0
            except PermissionError:  # our ReadOnlyError: there are steps to run
                return False


def sqlite_journal(path: Path, *, create: bool, writable: bool = True) -> Journal:
    """Journal in a file.

    Parameters
    ----------
    path : Path
        Absolute.
    create : bool
        Whether a missing file is made; else it is an error.
    writable : bool
        False opens the file without ever writing to it.
    """
    network = network_filesystem(path.parent)
    if network and writable:
        warnings.warn(
            f"{path.parent} lies on a network file system ({network}): the journal is kept "
            "without a write-ahead log, which is slower. To write from several machines at once, "
            "use PostgreSQL (NISSL_DATABASE).",
            stacklevel=4,
        )
    uri = path.as_uri() + ("?mode=rwc" if create else "?mode=rw")
    if not writable:
        log = path.with_name(path.name + "-wal")
        held = log.exists() and log.stat().st_size > 0
        # without a log nobody writes; "immutable" then spares SQLite the lock files it cannot make
        uri = path.as_uri() + ("?mode=ro" if held else "?mode=ro&immutable=1")
    mode = "delete" if network else "wal"
    with translated(path):
        if writable:
            _set_mode(uri, mode)
        return Journal(lambda: _sqlite_engine(uri), path, writable=writable)


def connect_sqlite(uri: str) -> sqlite3.Connection:
    """Open a connection with the settings of every connection of nissl."""
    connection = sqlite3.connect(
        uri, uri=True, timeout=WAIT_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _sqlite_engine(uri: str) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: connect_sqlite(uri),
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=60,
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("nissl_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _set_mode(uri: str, mode: str) -> None:
    """Choose write-ahead log or rollback journal; kept in the file, so mostly already so."""
    connection = connect_sqlite(uri)
    try:
        deadline = time.monotonic() + WAIT_S
        while connection.execute("PRAGMA journal_mode").fetchone()[0] != mode:
            try:
                if connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0] == mode:
                    return
            except sqlite3.OperationalError as error:
                # this switch does not wait for locks by itself
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            if time.monotonic() > deadline:
                raise sqlite3.OperationalError(f"the journal mode cannot be set to {mode}")
            time.sleep(0.02)
    finally:
        connection.close()


def postgresql_journal(address: str, *, schema_too: bool) -> Journal:
    """Journal in a PostgreSQL database, in its schema "nissl".

    Parameters
    ----------
    address : str
        ``postgresql://user:password@host:port/database``.
    schema_too : bool
        Whether the schema is made where it is missing.
    """
    try:
        url = sa.make_url(address)
    except sa.exc.ArgumentError:
        raise _bad_address("text that is not an address") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise _bad_address(f"{url.get_backend_name()}://...")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingDependencyError(
            "psycopg, for a journal in PostgreSQL",
            "no such package",
            "Install it: pip install 'nissl[postgresql]'",
        ) from None
    url = url.set(drivername="postgresql+psycopg")
    where = url.set(password=None).render_as_string().replace("+psycopg", "")
    with translated(where):
        return Journal(lambda: _postgresql_engine(url, schema_too=schema_too), where)


def _postgresql_engine(url: sa.URL, *, schema_too: bool) -> sa.Engine:
    engine = sa.create_engine(
        url, pool_size=4, max_overflow=60, pool_pre_ping=True, connect_args={"connect_timeout": 10}
    )

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        if schema_too:
            # two first users may race for it; the loser finds it there
            cursor.execute("SELECT pg_advisory_xact_lock(6076891734)")
            cursor.execute("CREATE SCHEMA IF NOT EXISTS nissl")
        cursor.execute("SET search_path TO nissl")
        cursor.execute("SET synchronous_commit TO on")
        cursor.execute(f"SET lock_timeout TO {int(WAIT_S * 1000)}")
        cursor.close()
        connection.commit()

    return engine


def _bad_address(got: str) -> BadArgumentError:
    return BadArgumentError(
        "a database address postgresql://user@host:port/name, or 'sqlite'",
        got,
        "Mend NISSL_DATABASE, or unset it to keep the journal in the project folder.",
    )
