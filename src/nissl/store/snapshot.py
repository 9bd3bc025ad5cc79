"""A consistent copy of a project while others write to it.

The journal is copied first, as of one moment; content is immutable and always on disk before
the journal names it, so whatever that moment knows is there to be linked or copied after.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from nissl.errors import BadArgumentError, StoreError
from nissl.labels.atomic import fsync_folder, store_error
from nissl.store import schema
from nissl.store.faults import translated
from nissl.store.journal import Journal, sqlite_journal
from nissl.store.manifest import Manifest, write_manifest
from nissl.store.objects import FOLDERS
from nissl.store.sources import located, stored_path


def snapshot(journal: Journal, project: Path, manifest: Manifest, destination: Path) -> Path:
    """Copy a project; its journal there is SQLite, whatever it is here.

    Scratch of unfinished runs is left out. Raw data are not copied: source paths in the copy
    still lead to where they are.

    Raises
    ------
    BadArgumentError
        The destination exists, or lies in the project.
    DiskFullError, ReadOnlyError, StoreError
        Nothing half-written is left.
    """
    target = Path(os.path.abspath(destination))
    if target.exists() or target == project or project in target.parents:
        raise BadArgumentError(
            "a new folder outside the project", str(destination), "Choose another destination."
        )
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    try:
        partial.mkdir(parents=True)
        _copy_journal(journal, partial / "journal.db", manifest)
        _move_sources(partial / "journal.db", project, target)
        for name in FOLDERS:
            (partial / name).mkdir()
            if name != "work":
                _copy_folder(project / name, partial / name, link=name != "reports")
        write_manifest(partial, Manifest(manifest.id, manifest.name, "sqlite"))
        os.rename(partial, target)
        fsync_folder(target.parent)
    except OSError as error:
        raise error if isinstance(error, StoreError) else store_error(error, target) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _copy_journal(journal: Journal, path: Path, manifest: Manifest) -> None:
    if journal.dialect == "sqlite":
        with journal.reading() as connection, translated(path):
            copy = sqlite3.connect(path)
            try:
                driver = connection.connection.driver_connection
                if driver is not None:
                    driver.backup(copy)
            finally:
                copy.close()
    else:
        copy_journal = sqlite_journal(path, create=True)
        try:
            copy_journal.enrol(manifest.name, str(manifest.id))
            _copy_rows(journal, copy_journal)
        finally:
            copy_journal.close()
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _copy_rows(journal: Journal, other: Journal) -> None:
    with journal.reading() as source, other.writing() as target:
        for table in schema.TABLES[1:]:  # the project's own row was made by enrol
            query = sa.select(table).where(table.c.project_id == journal.project_id)
            rows = [dict(row) for row in source.execute(query).mappings()]
            if rows:
                target.execute(sa.insert(table), rows)


def _move_sources(path: Path, project: Path, target: Path) -> None:
    copy = sqlite_journal(path, create=False)
    t = schema.sources
    try:
        with copy.writing() as connection:
            for row in list(connection.execute(sa.select(t)).mappings()):
                moved = stored_path(located(row["path"], project), target)
                where = (t.c.project_id == row["project_id"], t.c.fingerprint == row["fingerprint"])
                connection.execute(sa.update(t).where(*where).values(path=moved))
    finally:
        copy.close()


def _copy_folder(source: Path, target: Path, *, link: bool) -> None:
    if not source.is_dir():
        return
    for base, folders, names in os.walk(source):
        folders[:] = [name for name in folders if not name.endswith(".partial")]
        there = target / Path(base).relative_to(source)
        there.mkdir(exist_ok=True)
        for name in names:
            if not name.endswith(".partial"):
                _copy_file(Path(base) / name, there / name, link=link)
        fsync_folder(there)


def _copy_file(source: Path, target: Path, *, link: bool) -> None:
    if link:
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # another file system, or one without hard links: copied below
    shutil.copy2(source, target)
    with open(target, "rb") as file:
        os.fsync(file.fileno())
