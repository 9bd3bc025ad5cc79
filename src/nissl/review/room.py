"""Room: an open project under review, as the server and scripts hold it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from nissl.data import Recording
from nissl.errors import BadEditError, MissingInputError
from nissl.labels import Edit, Kind
from nissl.review.decided import benches
from nissl.review.desk import CLASSES_OF, Desk, find_desks
from nissl.review.loop import carry
from nissl.review.names import reader_name
from nissl.review.reading import Reading
from nissl.review.stack import Step, stacks
from nissl.review.superseded import translated
from nissl.store import LabelRow, SourceRow, Store

T = TypeVar("T")


class Room:
    """Desks and readings of a project; safe to use from several threads.

    Everything here can be computed from the store again: killing the process loses nothing.

    Parameters
    ----------
    store : Store
    raw : callable
        ``(SourceRow) -> Recording``, as `Desk` takes it.
    """

    def __init__(self, store: Store, raw: Callable[[SourceRow], Recording]) -> None:
        self.store = store
        self.raw = raw
        self._desks: dict[str, Desk] = {}
        self._listed: list[Desk] = []
        self._journal: list[Edit] = []
        self._by_base: dict[str, list[Edit]] = {}
        self._by_reader: dict[str, list[Edit]] = {}
        self._positions: dict[UUID, int] = {}
        self._position = 0
        self._readings: dict[tuple[str, str], Reading] = {}
        self._made: dict[str, tuple[Hashable, Any]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.RLock()
        self.refresh()

    def refresh(self) -> list[Desk]:
        """Look at the project again: new runs, moved heads, edits by other processes."""
        found = find_desks(self.store, self.raw)
        with self._lock:
            known = {desk.key: desk for desk in self._listed}
            anew = [d for d in found if d.key in known and d.bases != known[d.key].bases]
            self._listed = [_kept(known.get(desk.key), desk) for desk in found]
            for desk in self._listed:
                if self._desks.get(desk.key) is not desk:
                    self._desks[desk.key] = desk
                    self._forget_readings(desk.key)
        for desk in anew:
            self._carry_classes(desk)
        self.sync()
        return self.desks

    @property
    def desks(self) -> list[Desk]:
        """All desks, in the order of the sources."""
        with self._lock:
            return list(self._listed)

    @property
    def position(self) -> int:
        """Position in the journal up to which the room knows it."""
        return self._position

    @property
    def readers(self) -> list[str]:
        """Everybody who decided something, in order of their first decision."""
        with self._lock:
            return list(self._by_reader)

    def desk(self, key: str) -> Desk:
        """Desk of a base, or of its set of classes; those of earlier runs too.

        Raises
        ------
        MissingInputError
            The project has no such label set (any more).
        """
        with self._lock:
            for desk in self._desks.values():
                if key in desk.bases:
                    return desk
        self.refresh()
        with self._lock:
            for desk in self._desks.values():
                if key in desk.bases:
                    return desk
            return self._desks.setdefault(key, self._earlier(key))

    def edits(self, *, base: str | None = None, reader: str | None = None) -> list[Edit]:
        """Edits on a set, or by a reader, or all, in the order of the journal."""
        with self._lock:
            if base is not None:
                found = self._by_base.get(base, [])
                return [e for e in found if e.reviewer == reader] if reader else list(found)
            return list(self._by_reader.get(reader, []) if reader else self._journal)

    def latest(self, n: int) -> list[Edit]:
        """The newest edits by anybody, at most `n`, in the order of the journal."""
        with self._lock:
            return self._journal[-n:]

    def position_of(self, edit: UUID) -> int:
        """Position of an edit in the journal."""
        return self._positions[edit]

    def sync(self) -> int:
        """Read what others have appended; returns the position of the newest edit."""
        with self._lock:
            for position, edit in self.store.edits_after(self._position):
                self._position = position
                self._positions[edit.uuid] = position
                self._journal.append(edit)
                self._by_base.setdefault(edit.base, []).append(edit)
                self._by_reader.setdefault(edit.reviewer, []).append(edit)
            return self._position

    @contextmanager
    def reading(self, key: str, reader: str) -> Any:
        """A reader's reading of a desk, up to date and locked while the block runs."""
        desk = self.desk(key)
        with self._desk_lock(desk.key):
            self.sync()
            yield self._reading(desk, reader_name(reader))

    def decide(
        self, edits: Sequence[Edit], *, question: UUID | None = None
    ) -> tuple[list[UUID], int]:
        """Check edits against what stands, append them, all or none, and take them in.

        They are on disk when this returns. Edits that are known already are acknowledged again.

        Parameters
        ----------
        edits : sequence of Edit
            Of one reader, at one desk.
        question : UUID, optional
            The question that they answer.

        Returns
        -------
        uuids : list of UUID
        position : int
            Of the journal's newest edit.

        Raises
        ------
        BadEditError
            They do not apply to what stands now; nothing was recorded.
        MissingInputError
            The label set is gone.
        """
        edits, told = list(edits), [edit.uuid for edit in edits]
        if not edits:
            return [], self._position
        reader = reader_name(edits[0].reviewer)
        desk, edits = self._in_use(self.desk(edits[0].base), edits)
        strangers = {e.base for e in edits} - set(desk.bases)
        if strangers or any(e.reviewer != reader for e in edits):
            raise BadEditError(
                f"edits of one reader at the desk {desk.key[:12]}",
                f"readers {sorted({e.reviewer for e in edits})}, sets of other desks {strangers}",
                "Send them one desk and one reader at a time.",
            )
        with self._desk_lock(desk.key):
            self.sync()
            reading = self._reading(desk, reader)
            fresh = [edit for edit in edits if edit.uuid not in self._positions]
            reading.attempt(fresh)
            try:
                self.store.append(edits, answering=question)
            except BaseException:
                reading.forget()
                raise
            position = self.sync()
            self._update(reading)
        return told, position

    def remembered(self, name: str, version: Hashable, make: Callable[[], T]) -> T:
        """What `make` gave for this version of something, without making it again."""
        with self._lock:
            known = self._made.get(name)
        if known is None or known[0] != version:
            known = (version, make())
            with self._lock:
                self._made[name] = known
        return known[1]

    def stacks(self, reader: str) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """What a reader can undo and redo, the next step last."""
        self.sync()
        return stacks(self.edits(reader=reader))

    def _in_use(self, desk: Desk, edits: list[Edit]) -> tuple[Desk, list[Edit]]:
        """The desk with the classes proposed now, and edits on earlier ones said about these."""
        with self._lock:
            now = self._desks.get(desk.key, desk)
        if now is desk or desk.classes is None or now.classes is None:
            return desk, edits
        with self._lock:
            held = {e.uuid: e for base in now.bases for e in self._by_base.get(base, [])}
        fresh = [e for e in edits if e.uuid not in self._positions]
        known = [held[e.uuid] for e in edits if e.uuid in held]  # as they were recorded then
        early = [e for e in edits if e.uuid in self._positions and e.uuid not in held]
        if early and not fresh and not known:
            return desk, edits
        return now, [*known, *translated(fresh, desk.classes, now.classes)]

    def _carry_classes(self, desk: Desk) -> None:
        """Bring decisions that another process recorded on earlier classes to those in use."""
        task = CLASSES_OF.get(desk.row.task)
        if desk.classes is None or task is None or not self.store.writable:
            return
        for bench in benches(self.store, task):
            if bench.base.digest == desk.key:
                self.store.append(carry(self.store, bench, desk.classes)[0])

    def _reading(self, desk: Desk, reader: str) -> Reading:
        known = self._readings.get((desk.key, reader))
        if known is None:
            known = self._readings[desk.key, reader] = Reading(desk, reader)
        self._update(known)
        return known

    def _update(self, reading: Reading) -> None:
        with self._lock:
            edits = {base: self._by_base.get(base, []) for base in reading.desk.bases}
            reading.extend(edits)

    def _forget_readings(self, key: str) -> None:
        for known in [k for k in self._readings if k[0] == key]:
            del self._readings[known]

    def _desk_lock(self, key: str) -> threading.RLock:
        with self._lock:
            return self._locks.setdefault(key, threading.RLock())

    def _earlier(self, key: str) -> Desk:
        """Desk of a set that is not the current one of its source and task."""
        rows = self.store.label_sets()
        row = next((row for row in rows if row.digest == key), None)
        if row is None:
            raise MissingInputError(
                f"the label set {key[:12]!r}, which the decision is about",
                "none in this project",
                "It was removed or belongs to another project; reload the page.",
            )
        base, classes = _pair(row, rows)
        return Desk(base, classes, self.store.source(base.source), self.store, self.raw)


def _pair(row: LabelRow, rows: list[LabelRow]) -> tuple[LabelRow, LabelRow | None]:
    if row.kind != Kind.CLASSES:
        beside = [r for r in rows if row.digest in r.targets and r.task == CLASSES_OF.get(row.task)]
        return row, beside[-1] if beside else None
    base = next((r for r in rows if r.digest in row.targets and r.task in CLASSES_OF), None)
    return (row, None) if base is None else (base, row)


def _kept(known: Desk | None, found: Desk) -> Desk:
    """The desk as known where nothing about it changed, so that what it has read is kept."""
    same = known is not None and (known.row, known.classes_row, known.source) == (
        found.row,
        found.classes_row,
        found.source,
    )
    return known if known is not None and same else found
