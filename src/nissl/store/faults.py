"""Where failures of databases and file systems become errors of nissl. Nowhere else."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from nissl.errors import (
    BadArgumentError,
    CorruptProjectError,
    DiskFullError,
    NisslError,
    ReadOnlyError,
    StoreError,
)
from nissl.labels.atomic import store_error

_RESTORE = "Restore the project from a copy or snapshot; nissl changes nothing in a damaged one."
_CORRUPT = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,  # a table or column is not what the schema version says
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_TOOBIG,
}
_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


@contextmanager
def translated(where: Path | str) -> Iterator[None]:
    """Raise what fails in the block as an error of nissl that names `where`.

    Parameters
    ----------
    where : Path or str
        The journal's file, or the database's address without its password.

    Raises
    ------
    DiskFullError, ReadOnlyError, CorruptProjectError, BadArgumentError, StoreError
    """
    try:
        yield
    except NisslError:
        raise
    except DBAPIError as error:
        origin = error.orig
        raise _of(origin if origin is not None else error, where) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _of(error, where) from error
    except OSError as error:
        raise store_error(error, where) from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise BadArgumentError(
            "text in Unicode and integers of 64 bits", str(error), "Mend the value."
        ) from error


def damaged(where: Path | str, got: str) -> CorruptProjectError:
    """Return the error of a file or row that is not as nissl wrote it."""
    return CorruptProjectError(f"{where} as nissl wrote it", got, _RESTORE)


def _of(error: BaseException, where: Path | str) -> StoreError:
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, where)
    if hasattr(error, "sqlstate"):
        return _of_postgresql(error, where)
    return damaged(where, _first_line(error))


def _of_sqlite(error: sqlite3.Error, where: Path | str) -> StoreError:
    # extended result codes keep the primary code in the low byte
    extended = getattr(error, "sqlite_errorcode", None)
    code = extended & 0xFF if extended is not None else None
    text = _first_line(error)
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(where)):
        return DiskFullError(f"room to write {where}", text, "Free some space, then repeat.")
    if code in _READ_ONLY:
        return read_only(where, text)
    if code in _BUSY:
        return StoreError(
            f"{where} to be free within half a minute",
            text,
            "Another program holds it; close that one, then repeat.",
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(
            f"to open {where}", text, "Check that the file is there and may be read and written."
        )
    if code in _CORRUPT or (code is None and isinstance(error, sqlite3.OperationalError)):
        return damaged(where, text)
    return StoreError(f"to use {where}", text, "Check the disk; `nissl doctor` may tell more.")


def _of_postgresql(error: BaseException, where: Path | str) -> StoreError:
    state = str(getattr(error, "sqlstate", None) or "")
    text = _first_line(error)
    if state.startswith("53"):  # insufficient resources: disk full, out of memory
        return DiskFullError(f"room in the database {where}", text, "Free some space there.")
    if state in ("25006", "42501"):
        return ReadOnlyError(
            f"to write to the database {where}", text, "Ask its owner for the right to write."
        )
    if state.startswith(("42", "22", "23", "XX")):
        return damaged(where, text)
    return StoreError(
        f"to reach the database {where}",
        text or type(error).__name__,
        "Check NISSL_DATABASE and that the server runs, then repeat.",
    )


def read_only(where: Path | str, got: str) -> ReadOnlyError:
    """Return the error of a project that may be read but not written."""
    return ReadOnlyError(
        f"to write {where}", got, "Change its permissions, or copy the project and use the copy."
    )


def _is_full(where: Path | str) -> bool:
    if not hasattr(os, "statvfs"):
        return False
    try:
        return os.statvfs(Path(where).parent).f_bavail == 0
    except OSError:
        return False


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
