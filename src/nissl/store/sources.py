"""Source rows: adding, finding, changing."""

from __future__ import annotations

import difflib
import os
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nissl.errors import BadArgumentError, MissingInputError
from nissl.store import schema
from nissl.store.journal import Journal
from nissl.store.plain import dumps, loads
from nissl.store.rows import SourceRow, source_row

_T = schema.sources
_JSON = ("options", "subject", "session", "streams")
SHORTEST_PREFIX = 4
"""Fewest characters of a fingerprint that name a source."""


def stored_path(path: str | Path, project: Path) -> str:
    """Return a path as the journal keeps it.

    Relative where the file lies in the project folder or in the folder around it, so that the
    two can be moved together; absolute otherwise. A relative path is taken as already stored.
    """
    given = Path(path)
    if not given.is_absolute():
        return Path(os.path.normpath(given)).as_posix()
    whole = Path(os.path.normpath(given))
    around = project.parent
    if around != around.parent and whole.is_relative_to(around):
        return Path(os.path.relpath(whole, project)).as_posix()
    return str(whole)


def located(path: str, project: Path) -> Path:
    """Inverse of `stored_path`: an absolute path."""
    return Path(os.path.normpath(project / path))


def all_sources(journal: Journal) -> list[SourceRow]:
    """All rows, in the order they were added."""
    with journal.reading() as connection:
        return [source_row(row, journal.where) for row in journal.select(connection, _T)]


def add(journal: Journal, row: SourceRow, project: Path) -> SourceRow:
    """Add a row; returns it as it was stored.

    A fingerprint that is already there changes nothing and its row is returned. A name that
    another source has gets the next free suffix ("-2", "-3", ...).
    """
    if not row.fingerprint or not row.name:
        raise BadArgumentError(
            "a source with a fingerprint and a name",
            f"fingerprint {row.fingerprint!r}, name {row.name!r}",
            "Give both.",
        )
    with journal.writing() as connection:
        known = journal.select(connection, _T, _T.c.fingerprint == row.fingerprint)
        if known:
            return source_row(known[0], journal.where)
        taken = {r["name"] for r in journal.select(connection, _T)}
        row = replace(row, name=_free(row.name, taken), path=stored_path(row.path, project))
        journal.insert(connection, _T, _values(row))
    return row


def find(journal: Journal, key: str, project: Path) -> SourceRow:
    """Row by name, fingerprint or its beginning, or path.

    Raises
    ------
    MissingInputError
        None fits.
    BadArgumentError
        Several do.
    """
    rows = all_sources(journal)
    whole = {str(Path(key).absolute()), str(located(key, project))}
    for fits in (
        [r for r in rows if key in (r.name, r.fingerprint)],
        [r for r in rows if r.path == key or str(located(r.path, project)) in whole],
        [r for r in rows if len(key) >= SHORTEST_PREFIX and r.fingerprint.startswith(key)],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise BadArgumentError(
                "a name, path or fingerprint of one source",
                f"{key!r}, which fits {[r.name for r in fits]}",
                "Give more of it.",
            )
    close = difflib.get_close_matches(key, [r.name for r in rows], n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise MissingInputError(
        f"one of the sources {[r.name for r in rows][:20]}",
        repr(key),
        f"{hint}Add it: nissl add {project} PATH",
    )


def update(
    journal: Journal, fingerprint: str, project: Path, changes: dict[str, Any], *, now_s: float
) -> SourceRow:
    """Change fields of a row; what it said before is kept in `source_changes`."""
    allowed = {f.name for f in fields(SourceRow)} - {"fingerprint", "added_s"}
    if not set(changes) <= allowed:
        raise BadArgumentError(
            f"fields among {sorted(allowed)}",
            f"{sorted(set(changes) - allowed)}",
            "The fingerprint is the source; add another one instead.",
        )
    with journal.writing() as connection:
        rows = [source_row(r, journal.where) for r in journal.select(connection, _T)]
        before = next((r for r in rows if r.fingerprint == fingerprint), None)
        if before is None:
            raise MissingInputError(
                f"a source with the fingerprint {fingerprint[:12]!r}",
                "none",
                f"Add it: nissl add {project} PATH",
            )
        after = replace(before, **changes)
        after = replace(after, path=stored_path(after.path, project))
        if not after.name or any(r.name == after.name for r in rows if r is not before):
            raise BadArgumentError(
                "a name that no other source has", repr(after.name), "Choose another name."
            )
        old, new = _json(before), _json(after)
        changed = sorted(k for k in new if old[k] != new[k])
        if changed:
            where = (_T.c.project_id == journal.project_id, _T.c.fingerprint == fingerprint)
            connection.execute(sa.update(_T).where(*where).values(**_values(after)))
            journal.insert(
                connection,
                schema.source_changes,
                {
                    "fingerprint": fingerprint,
                    "before": dumps({k: old[k] for k in changed}, "a source"),
                    "after": dumps({k: new[k] for k in changed}, "a source"),
                    "changed_s": now_s,
                },
            )
    return after


def history(journal: Journal, fingerprint: str) -> list[dict[str, Any]]:
    """Changes of a row, oldest first: the changed fields before and after, and when."""
    t = schema.source_changes
    with journal.reading() as connection:
        rows = journal.select(connection, t, t.c.fingerprint == fingerprint)
    return [
        {
            "before": loads(row["before"], dict, journal.where),
            "after": loads(row["after"], dict, journal.where),
            "changed_s": row["changed_s"],
        }
        for row in rows
    ]


def _values(row: SourceRow) -> dict[str, Any]:
    values = {k: v for k, v in vars(row).items() if k != "hashed"}
    values |= {k: dumps(dict(values[k]), f"a source's {k}") for k in _JSON}
    mtime_ns, size = row.hashed
    return values | {"hashed_mtime_ns": int(mtime_ns), "hashed_size": int(size)}


def _json(row: SourceRow) -> dict[str, Any]:
    return asdict(replace(row, hashed=(int(row.hashed[0]), int(row.hashed[1]))))


def _free(name: str, taken: set[str]) -> str:
    free, n = name, 1
    while free in taken:
        n += 1
        free = f"{name}-{n}"
    return free
