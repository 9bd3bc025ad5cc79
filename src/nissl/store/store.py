"""Store: one open project folder and its journal."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import numpy.typing as npt
import sqlalchemy as sa

from nissl.errors import BadArgumentError, MissingInputError, NisslError
from nissl.labels import Edit, ItemTable, LabelSet
from nissl.store import asking, claims, decisions, models, runs, settings, sources
from nissl.store.asking import QuestionRow
from nissl.store.faults import damaged, translated
from nissl.store.journal import Journal
from nissl.store.manifest import Manifest
from nissl.store.models import ModelMove, ModelRow
from nissl.store.objects import Objects
from nissl.store.opening import open_parts
from nissl.store.rows import HeadMove, LabelRow, RunRow, SourceRow
from nissl.store.snapshot import snapshot


class Store:
    """Where a project's labels, decisions and runs are kept; open one with `Store.open`.

    What a method has acknowledged by returning is on disk. Several threads and processes may
    use a project at once.

    Parameters
    ----------
    path : Path
        The project's folder, absolute.
    manifest : Manifest
    journal : Journal
    now : callable
        Unix time in seconds, for the records.
    """

    def __init__(
        self, path: Path, manifest: Manifest, journal: Journal, *, now: Callable[[], float]
    ) -> None:
        self.path = path
        self.name = manifest.name
        self.id: UUID = manifest.id
        self._manifest = manifest
        self._journal = journal
        self._objects = Objects(path)
        self._facts: dict[str, dict[str, Any]] = {}
        self._now = now

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        database: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> Self:
        """Open a project folder.

        Parameters
        ----------
        path : str or Path
        create : bool
            Whether a folder without a project becomes one.
        database : str, optional
            ``postgresql://...`` for a shared journal, "sqlite" for one in the folder; by
            default NISSL_DATABASE, else "sqlite".
        now : callable
            Unix time in seconds, for the records.

        Raises
        ------
        ProjectNotFoundError, ProjectTooNewError, CorruptProjectError, ReadOnlyError, \
DiskFullError, StoreError
        """
        with translated(path):
            folder = Path(path).expanduser().resolve()
            manifest, journal = open_parts(folder, create=create, database=database)
        store = cls(folder, manifest, journal, now=now)
        if journal.writable:
            store._objects.make_folders()
            store._objects.sweep()
        return store

    @property
    def writable(self) -> bool:
        """Whether decisions and labels can be recorded."""
        return self._journal.writable

    def close(self) -> None:
        """Close the journal; a second time does nothing."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def put_labels(self, labels: LabelSet) -> str:
        """Keep a label set and return its digest; on disk when this returns."""
        digest = self._objects.put_labels(labels)
        self._facts[digest] = claims.facts(labels)
        return digest

    def get_labels(self, digest: str) -> LabelSet:
        """Label set of a digest, proved to be what was put.

        Raises
        ------
        MissingInputError
            The project never had it.
        CorruptProjectError
            Its file is gone, damaged or another one.
        """
        with self._expected(digest):
            return self._objects.get_labels(digest)

    def put_items(self, items: ItemTable) -> str:
        """Keep an item table and return its digest; on disk when this returns."""
        return self._objects.put_items(items)

    def get_items(self, digest: str) -> ItemTable:
        """Item table of a digest; errors as `get_labels`."""
        with self._expected(digest):
            return self._objects.get_items(digest)

    def put_array(self, array: npt.NDArray[Any]) -> str:
        """Keep an array of numbers and return its digest; on disk when this returns."""
        return self._objects.put_array(array)

    def get_array(self, digest: str) -> npt.NDArray[Any]:
        """Array of a digest, read-only; errors as `get_labels`."""
        return self._objects.get_array(digest)

    def add_source(self, row: SourceRow) -> SourceRow:
        """Add a source; returns its row as stored.

        An absolute path becomes relative to the project where the two lie together. A name
        already taken gets a suffix; a fingerprint already known changes nothing.
        """
        if not row.added_s:
            row = replace(row, added_s=self._now())
        return sources.add(self._journal, row, self.path)

    def sources(self) -> list[SourceRow]:
        """All sources, in the order they were added."""
        return sources.all_sources(self._journal)

    def source(self, key: str) -> SourceRow:
        """Source by name, path, or beginning of its fingerprint.

        Raises
        ------
        MissingInputError, BadArgumentError
            None, or several.
        """
        return sources.find(self._journal, str(key), self.path)

    def update_source(self, fingerprint: str, /, **changes: Any) -> SourceRow:
        """Change fields of a source (path, name, subject, session, ...); the old are kept."""
        return sources.update(self._journal, fingerprint, self.path, changes, now_s=self._now())

    def source_history(self, fingerprint: str) -> list[dict[str, Any]]:
        """Changes of a source, oldest first: before, after (changed fields) and changed_s."""
        return sources.history(self._journal, fingerprint)

    def locate(self, row: SourceRow) -> Path:
        """Absolute path of a source's raw data, whether it is there or not."""
        return sources.located(row.path, self.path)

    def record_labels(
        self, digest: str, *, items: str | None = None, run: str | None = None
    ) -> None:
        """Put a kept label set on record, with its item table and the run that gave it."""
        facts = self._facts.get(digest) or claims.facts(self._objects.get_labels(digest))
        if items is not None and not self._objects.items_path(items).exists():
            raise MissingInputError(
                f"the item table {items[:12]!r}", "no such file", "Keep it first: put_items."
            )
        claims.record(self._journal, facts, items=items, run=run, now_s=self._now())

    def label_sets(
        self,
        *,
        source: str | None = None,
        task: str | None = None,
        kind: str | None = None,
        target: str | None = None,
    ) -> list[LabelRow]:
        """Label sets on record, newest last; `target` is a digest they speak of."""
        return claims.label_sets(self._journal, source=source, task=task, kind=kind, target=target)

    def head(self, source: str, task: str) -> str | None:
        """Digest of the labels that count, None where nobody has said."""
        moves = claims.head_moves(self._journal, source, task)
        return moves[-1].digest if moves else None

    def head_history(self, source: str, task: str) -> list[HeadMove]:
        """Every move of a head, oldest first."""
        return claims.head_moves(self._journal, source, task)

    def set_head(self, source: str, task: str, digest: str, *, by: str) -> None:
        """Declare the labels that count; see `head_history` for who did so before."""
        claims.set_head(self._journal, source, task, digest, by=by, now_s=self._now())

    def record_findings(self, labels_digest: str, findings: Sequence[Mapping[str, Any]]) -> None:
        """Record what a check found, in place of what earlier checks of the set found."""
        claims.record_findings(self._journal, labels_digest, findings, now_s=self._now())

    def findings(self, labels_digest: str) -> list[dict[str, Any]]:
        """Findings of the last check of a label set."""
        return claims.findings(self._journal, labels_digest)

    def run(self, job_hash: str) -> RunRow | None:
        """What is known of a job, None where it was never started."""
        return runs.find(self._journal, job_hash)

    def start_run(self, job_hash: str, job: Mapping[str, Any]) -> None:
        """Note that a job begins; a finished one stays finished."""
        runs.start(self._journal, job_hash, job, now_s=self._now())

    def finish_run(self, job_hash: str, *, outputs: Sequence[str], log: Mapping[str, Any]) -> None:
        """Note what a job made, and remove its scratch folder."""
        runs.finish(self._journal, job_hash, outputs=outputs, log=log, now_s=self._now())
        shutil.rmtree(self._scratch(job_hash), ignore_errors=True)

    def fail_run(self, job_hash: str, error: str) -> None:
        """Note why a job ended early; its scratch folder is kept, to resume from."""
        runs.fail(self._journal, job_hash, error, now_s=self._now())

    def workdir(self, job_hash: str) -> Path:
        """Scratch folder of a job, made when missing, kept until the run finishes."""
        path = self._scratch(job_hash)
        with translated(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def append(self, edits: Sequence[Edit], *, answering: UUID | None = None) -> list[UUID]:
        """Append decisions, all or none; they are on disk when this returns their uuids.

        `answering` names the question that the first of them answers.

        Raises
        ------
        BadEditError
            A uuid that was used before with other content, or an edit JSON cannot hold.
        """
        return decisions.append(self._journal, edits, now_s=self._now(), answering=answering)

    def edits(self, *, base: str | None = None) -> list[Edit]:
        """Decisions on a label set, or all, in the order of the journal."""
        return decisions.edits(self._journal, base=base)

    def edits_after(self, position: int, *, base: str | None = None) -> list[tuple[int, Edit]]:
        """Decisions after a position of the journal, each with its position."""
        return decisions.edits_after(self._journal, position, base=base)

    def last_position(self) -> int:
        """Position of the newest decision; 0 where there is none."""
        return decisions.last_position(self._journal)

    def ask(self, questions: Sequence[QuestionRow]) -> list[UUID]:
        """Record questions; one that is known stays as it is. On disk when this returns."""
        return asking.ask(self._journal, questions, now_s=self._now())

    def questions(
        self, *, labels: str | None = None, policy: str | None = None, unanswered: bool = False
    ) -> list[QuestionRow]:
        """Questions on record, oldest first; all, or those that no edit has answered."""
        return asking.questions(self._journal, labels=labels, policy=policy, unanswered=unanswered)

    def put_model(self, files: Mapping[str, bytes], card: Mapping[str, Any]) -> str:
        """Keep a model and put it on record; returns its digest, on disk when this returns.

        Parameters
        ----------
        files : mapping of str to bytes
            Plain file names; never pickles.
        card : mapping
            JSON values with at least `task`, `name` and `version`.
        """
        digest = models.put(self.path, files, card)
        models.record(self._journal, digest, card, now_s=self._now())
        return digest

    def get_model(self, digest: str) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Files and card of a model, proved to be what was put; errors as `get_labels`."""
        return models.get(self.path, digest)

    def models(self, task: str | None = None) -> list[ModelRow]:
        """Models on record, oldest first."""
        return models.models(self._journal, task)

    def model_head(self, task: str) -> str | None:
        """Digest of the model in use; None for the weights that the method ships."""
        moves = models.moves(self._journal, task)
        return (moves[-1].digest or None) if moves else None

    def model_head_history(self, task: str) -> list[ModelMove]:
        """Every model that was put into use, oldest first; "" stands for shipped weights."""
        return models.moves(self._journal, task)

    def set_model_head(self, task: str, digest: str, *, by: str) -> None:
        """Put a model into use; "" puts the shipped weights back."""
        models.use(self._journal, task, digest, by=by, now_s=self._now())

    def setting(self, name: str) -> dict[str, Any] | None:
        """Newest setting of a name, None where nothing was set."""
        return settings.setting(self._journal, name)

    def setting_position(self, name: str) -> int | None:
        """Position of the newest setting of a name; cheaper than the setting itself."""
        return settings.setting_position(self._journal, name)

    def set_setting(self, name: str, body: Mapping[str, Any]) -> None:
        """Set a setting; what it was before stays on record."""
        settings.set_setting(self._journal, name, body, now_s=self._now())

    def snapshot(self, destination: str | Path) -> Path:
        """Make a consistent copy of the project while others write; returns its folder."""
        return snapshot(self._journal, self.path, self._manifest, Path(destination).expanduser())

    def verify(self) -> list[str]:
        """Read everything on record and return what is wrong, one sentence each.

        An empty list means: the database is sound, every label set and item table on record is
        there and has its digest, and every edit is as it was appended.
        """
        faults = []
        try:
            if self._journal.dialect == "sqlite":
                with self._journal.reading() as connection:
                    report = connection.execute(sa.text("PRAGMA integrity_check")).scalars()
                    faults += [str(line) for line in report if line != "ok"]
            self.edits()
            self.sources()
            self.label_sets()
            known = claims.known_digests(self._journal)
        except NisslError as error:
            return [*faults, str(error).splitlines()[0]]
        for content, digest in known:
            try:
                self.get_labels(digest) if content == "labels" else self.get_items(digest)
            except NisslError as error:
                faults.append(str(error).splitlines()[0])
        return faults

    def _scratch(self, job_hash: str) -> Path:
        if not re.fullmatch(r"[0-9A-Za-z_-]{1,128}", job_hash):
            raise BadArgumentError("a job's hash", repr(job_hash)[:100], "Use JobSpec.hash.")
        return self.path / "work" / job_hash

    def _expected(self, digest: str) -> _Expected:
        return _Expected(self._journal, digest)

    def __repr__(self) -> str:
        return f"Store({self.name!r}, {self.path})"


class _Expected:
    """Turns "never had it" into "lost it" for content that is on record."""

    def __init__(self, journal: Journal, digest: str) -> None:
        self.journal = journal
        self.digest = digest

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: Any
    ) -> None:
        if isinstance(value, MissingInputError):
            known = {digest for _, digest in claims.known_digests(self.journal)}
            if self.digest in known:
                raise damaged(f"content {self.digest[:12]} on record", value.got) from None
