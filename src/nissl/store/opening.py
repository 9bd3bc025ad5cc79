"""Finding or making the parts of a project: its manifest and its journal."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID, uuid4

from nissl.errors import CorruptProjectError, NisslError, ProjectNotFoundError, StoreError
from nissl.store.faults import damaged, read_only, translated
from nissl.store.journal import Journal, postgresql_journal, sqlite_journal
from nissl.store.manifest import FILE, Manifest, read_manifest, write_manifest
from nissl.store.objects import Objects

JOURNAL = "journal.db"


def open_parts(path: Path, *, create: bool, database: str | None) -> tuple[Manifest, Journal]:
    """Open the project at an absolute path, or make it.

    The journal is made first and project.toml last, so a folder with a project.toml is always
    a whole project, and a creation that was killed is taken up where it stopped.
    """
    address = os.environ.get("NISSL_DATABASE", "") if database is None else database
    address = "" if address == "sqlite" else address
    manifest = _manifest(path, create=create)
    if manifest is None:
        return _make(path, address)
    _same_kind(path, manifest, address)
    if address:
        return manifest, _shared(path, manifest, address)
    return manifest, _embedded(path, manifest)


def _manifest(path: Path, *, create: bool) -> Manifest | None:
    if path.exists() and not path.is_dir():
        raise ProjectNotFoundError(
            f"a project folder at {path}", "a file", "Name the folder that holds project.toml."
        )
    manifest = read_manifest(path) if path.is_dir() else None
    if manifest is None and not create:
        raise ProjectNotFoundError(
            f"a project at {path}",
            f"a folder without {FILE}" if path.is_dir() else "no such folder",
            f"Make one by adding a recording: nissl add {path} RECORDING",
        )
    return manifest


def _make(path: Path, address: str) -> tuple[Manifest, Journal]:
    with translated(path):
        path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK):
        raise read_only(path, "a folder without the right to write")
    Objects(path).make_folders()
    identity, name = str(uuid4()), path.name or "project"
    name = name.encode("utf-8", "replace").decode()
    if address:
        journal = postgresql_journal(address, schema_too=True)
    else:
        journal = sqlite_journal(path / JOURNAL, create=True)
    try:
        identity, name = journal.enrol(name, identity)
        kind = "postgresql" if address else "sqlite"
        manifest = write_manifest(path, Manifest(_uuid(path, identity), name, kind))
        _same_kind(path, manifest, address)
        journal.expect(str(manifest.id))
    except BaseException:
        journal.close()
        raise
    return manifest, journal


def _uuid(path: Path, identity: str) -> UUID:
    try:
        return UUID(identity)
    except ValueError:
        raise damaged(path / JOURNAL, f"the project id {identity!r:.50}") from None


def _same_kind(path: Path, manifest: Manifest, address: str) -> None:
    if manifest.journal == "postgresql" and not address:
        raise StoreError(
            f"the address of the database that keeps the journal of {path}",
            "none",
            "Set NISSL_DATABASE=postgresql://user@host/name, as where the project was made.",
        )
    if manifest.journal == "sqlite" and address:
        raise StoreError(
            f"a project whose journal is in PostgreSQL at {path}",
            "one with its journal in the folder",
            "Unset NISSL_DATABASE to open it.",
        )


def _embedded(path: Path, manifest: Manifest) -> Journal:
    file = path / JOURNAL
    if not file.is_file() or file.stat().st_size == 0:
        raise damaged(file, "no journal" if not file.is_file() else "an empty file")
    writable = os.access(path, os.W_OK) and os.access(file, os.W_OK)
    return _expecting(sqlite_journal(file, create=False, writable=writable), manifest)


def _shared(path: Path, manifest: Manifest, address: str) -> Journal:
    journal = postgresql_journal(address, schema_too=False)
    try:
        return _expecting(journal, manifest)
    except CorruptProjectError as error:
        raise CorruptProjectError(
            f"the project {manifest.name!r} ({manifest.id}) of {path} in {journal.where}",
            error.got,
            "Check that NISSL_DATABASE is the database in which the project was made.",
        ) from None


def _expecting(journal: Journal, manifest: Manifest) -> Journal:
    try:
        journal.expect(str(manifest.id))
    except (NisslError, KeyboardInterrupt):
        journal.close()
        raise
    return journal
