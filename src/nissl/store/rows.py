"""Rows of the journal as frozen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nissl.errors import NisslError
from nissl.labels import Author
from nissl.store.faults import damaged
from nissl.store.plain import loads


@dataclass(frozen=True)
class SourceRow:
    """A recording, or a folder of work done elsewhere.

    Parameters
    ----------
    fingerprint : str
        Content fingerprint; never changes.
    name : str
        Short, unique in the project.
    path : str
        Relative to the project folder where the two lie together, with forward slashes;
        absolute otherwise. `Store.locate` gives the real path.
    format : str
        Name of the reader.
    options : mapping
        JSON options that the reader needs again.
    subject, session : mapping
        JSON facts; {} where unknown.
    streams : mapping
        JSON description of each stream, which holds when the raw file is gone.
    added_s : float
        Unix time, seconds; 0 lets the store fill it in.
    hashed : tuple of int
        Modification time (ns) and size (bytes) of the file when it was last hashed; they only
        decide when to hash again.
    full_hash : str
        SHA-256 of the whole file, where somebody asked for it; "" otherwise.
    """

    fingerprint: str
    name: str
    path: str
    format: str
    options: Mapping[str, Any] = field(default_factory=dict)
    subject: Mapping[str, Any] = field(default_factory=dict)
    session: Mapping[str, Any] = field(default_factory=dict)
    streams: Mapping[str, Any] = field(default_factory=dict)
    added_s: float = 0.0
    hashed: tuple[int, int] = (0, 0)
    full_hash: str = ""


@dataclass(frozen=True)
class LabelRow:
    """A finished label set, without its rows.

    Parameters
    ----------
    digest, kind, task, source, stream : str
        As in the set's provenance.
    author : Author
    items : str, optional
        Digest of its newest item table.
    targets : tuple of str
        Digests of the sets whose items it speaks of.
    run : str, optional
        Job hash of the newest run that gave it.
    created_s : float
        Unix time at which it was first recorded, seconds.
    n_rows, n_items : int
    """

    digest: str
    kind: str
    task: str
    source: str
    stream: str
    author: Author
    items: str | None
    targets: tuple[str, ...]
    run: str | None
    created_s: float
    n_rows: int
    n_items: int


@dataclass(frozen=True)
class RunRow:
    """A job that was started.

    Parameters
    ----------
    job_hash : str
    job : mapping
        JSON values, all that the hash covers.
    state : {"running", "finished", "failed"}
        "running" also where the process was killed.
    attempts : int
        How often it was started.
    outputs : tuple of str
        Digests of what it made.
    log : mapping
        JSON values that the report tells.
    error : str
        Why it failed; "" where it did not.
    started_s : float
        Unix time of the last start, seconds.
    ended_s : float, optional
    """

    job_hash: str
    job: Mapping[str, Any]
    state: str
    attempts: int
    outputs: tuple[str, ...]
    log: Mapping[str, Any]
    error: str
    started_s: float
    ended_s: float | None


@dataclass(frozen=True)
class HeadMove:
    """Who declared which labels to count, and when (Unix seconds)."""

    source: str
    task: str
    digest: str
    by: str
    moved_s: float


@contextmanager
def parsing(where: Path | str) -> Iterator[None]:
    """Raise `CorruptProjectError` where a row does not hold what its column should."""
    try:
        yield
    except NisslError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise damaged(where, f"a row that does not parse ({error})") from None


def source_row(row: sa.RowMapping, where: Path | str) -> SourceRow:
    """Parse a row of the table `sources`."""
    with parsing(where):
        return SourceRow(
            fingerprint=text(row["fingerprint"]),
            name=text(row["name"]),
            path=text(row["path"]),
            format=text(row["format"]),
            options=loads(row["options"], dict, where),
            subject=loads(row["subject"], dict, where),
            session=loads(row["session"], dict, where),
            streams=loads(row["streams"], dict, where),
            added_s=float(row["added_s"]),
            hashed=(int(row["hashed_mtime_ns"]), int(row["hashed_size"])),
            full_hash=text(row["full_hash"]),
        )


def run_row(row: sa.RowMapping, where: Path | str) -> RunRow:
    """Parse a row of the table `runs`."""
    with parsing(where):
        return RunRow(
            job_hash=text(row["job_hash"]),
            job=loads(row["job"], dict, where),
            state=text(row["state"]),
            attempts=int(row["attempts"]),
            outputs=tuple(loads(row["outputs"], list, where)),
            log=loads(row["log"], dict, where),
            error=text(row["error"]),
            started_s=float(row["started_s"]),
            ended_s=None if row["ended_s"] is None else float(row["ended_s"]),
        )


def label_row(
    row: sa.RowMapping, *, items: str | None, run: str | None, where: Path | str
) -> LabelRow:
    """Parse a row of the table `label_sets`."""
    with parsing(where):
        return LabelRow(
            digest=text(row["digest"]),
            kind=text(row["kind"]),
            task=text(row["task"]),
            source=text(row["source"]),
            stream=text(row["stream"]),
            author=Author(**loads(row["author"], dict, where)),
            items=items,
            targets=tuple(loads(row["targets"], list, where)),
            run=run,
            created_s=float(row["created_s"]),
            n_rows=int(row["n_rows"]),
            n_items=int(row["n_items"]),
        )


def text(value: Any) -> str:
    """Return a value that must be text; a damaged database may hold anything."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.50} instead of text")
    return value
