"""SPANS and EVENTS as a BIDS derivative: a table of events for each recording and task.

One dataset takes in all recordings of a study: ``sub-<id>[_ses-<id>]_task-<task>_desc-nissl_
events.tsv`` in the folder of its modality, a JSON sidecar that describes every column and class
(with HED-SCORE tags) and keeps vocabulary, provenance and clock, and the dataset's description.
Subjects and sessions are those of the project, which are pseudonyms.

Read back, an untouched table gives the same label set, to the digest. Where somebody has
changed the table, the table counts: the labels are then a person's, made from the old set.
Tables of events that nissl did not write are read as they are, one set for each scorer.
It cannot hold item tables, CLASSES of the items and further events.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nissl.clock import Clock
from nissl.data import ChannelTable
from nissl.data.recording import UNKNOWN
from nissl.errors import BadArgumentError, CorruptSourceError, ExportError, SourceNotFoundError
from nissl.io.bids.describe import (
    DATASET,
    README,
    as_json,
    describe_dataset,
    describe_table,
    facts_of,
    is_dataset,
)
from nissl.io.bids.names import Entities, entities_in, entities_of, events_files
from nissl.io.bids.table import (
    Columns,
    from_columns,
    read_columns,
    to_columns,
    to_marks,
    write_columns,
)
from nissl.io.contracts import Imported
from nissl.io.files import corrupt
from nissl.io.manifest import checked, restore_set
from nissl.io.mark_format import (
    HELD,
    IMPORTED,
    MarkFormat,
    Sheet,
    first_bytes,
    from_zero,
)
from nissl.io.spikes import channels_of, clock_of
from nissl.io.targets import new_folder
from nissl.io.verifying import readable, report, set_differences
from nissl.labels import Author, Kind, LabelSet
from nissl.labels.atomic import atomic_write, make_folder, store_error
from nissl.tasks import Dossier

_MOST_RUNS = 99


@dataclass(frozen=True)
class Bids:
    """Exporter and importer of BIDS tables of events.

    Parameters
    ----------
    suffix : str
        Empty: the path of an export is a dataset, which takes in one recording after the other.
    """

    name: str = "bids"
    suffix: str = ""
    reading: tuple[str, ...] = ()

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a recording's labels into the dataset at `path`, which is made where absent."""
        if options:
            raise BadArgumentError("no further options", f"{sorted(options)}", "Leave them out.")
        root = Path(path)
        content = _Content.of(dossier)
        try:
            there = root.is_dir() and any(root.iterdir())
        except OSError as error:
            raise store_error(error, root) from error
        if there and is_dataset(root):
            _extend(root, dossier, content, overwrite)
            return root
        with new_folder(root, overwrite=overwrite or (root.is_dir() and not there)) as folder:
            _extend(folder, dossier, content, overwrite=False)
            (folder / "README").write_text(README, encoding="utf-8")
        return root

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read the recording's table back and compare the set whole."""
        root = Path(path)
        with readable(root):
            table = _place(root, dossier).at(root, ".tsv")
            back = _own(table, read_columns(table))
            if back is None:
                raise CorruptSourceError("the set that was written", "another", "Export again.")
        report(set_differences("annotations", dossier.labels, back), table)

    def matches(self, path: Path) -> bool:
        """Whether `path` is a table of events, or a derivative of nissl with one."""
        target = Path(path)
        try:
            if target.is_dir():
                return is_dataset(target) and any(target.rglob("*_events.tsv"))
            head = first_bytes(target, 200).split(b"\n")[0].decode("utf-8").split("\t")
        except (OSError, ValueError, CorruptSourceError):
            return False
        return target.name.endswith("events.tsv") and "onset" in [h.strip() for h in head]

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read a table, or the tables of the one recording in a dataset."""
        tables = _tables(Path(path))
        columns = read_columns(tables[0])
        first = _own(tables[0], columns)
        if first is None:
            return _plain(tables[0], reviewer=reviewer, source=source, rate_hz=rate_hz)
        facts = checked(facts_of(tables[0]), tables[0].name)
        others = [own for t in tables[1:] if (own := _own(t, read_columns(t))) is not None]
        return Imported(
            labels=(first, *others),
            what_is_missing=("A BIDS table names no raw file; traces cannot be shown.",),
            format=self.name,
            fingerprint=str(facts["source"]["fingerprint"]),
            subject=str(facts["source"]["subject"].get("id", UNKNOWN)),
            session=str(facts["source"]["session"].get("id", UNKNOWN)),
            facts={"clock": facts["clock"], "channels": _channel_facts(facts["channels"])},
        )

    def untouched(self, path: Path) -> LabelSet | None:
        """Set that nissl wrote to a table which nobody has changed since; None for others."""
        table = _tables(Path(path))[0]
        return _own(table, read_columns(table))

    def clock(self, clock: Clock) -> Clock:
        """Clock of a recording in the seconds of BIDS, which count from the first sample."""
        return from_zero(clock)

    def sheet(self, path: Path, *, reviewer: str | None = None, **options: Any) -> Sheet:
        """Read one table in seconds, whoever wrote it; see `MarkFormat.sheet`."""
        return _MARKS.sheet(_tables(Path(path))[0], reviewer=reviewer, **options)


@dataclass(frozen=True)
class _Content:
    """What is written, made before anything is."""

    entities: Entities
    table: bytes
    sidecar: bytes

    @classmethod
    def of(cls, dossier: Dossier) -> _Content:
        if dossier.labels.kind not in HELD:
            raise ExportError(
                "spans or events",
                f"labels of the kind {dossier.labels.kind.value}",
                "BIDS events have times; csv and parquet hold every kind.",
            )
        clock, known = from_zero(clock_of(dossier)), channels_of(dossier)
        ids = () if known is None else known.ids
        columns = to_columns(
            dossier.labels,
            clock,
            ids,
            proposed=None if dossier.proposed is None else dossier.proposed.author,
            decided_by=dossier.decided_by,
        )
        _check_text(columns)
        sidecar = describe_table(dossier, columns, clock, ids)
        return cls(entities_of(dossier), write_columns(columns), as_json(sidecar))


def _check_text(columns: Columns) -> None:
    odd = [v for v in {*columns["trial_type"], *columns["channel"]} if "\0" in v or "\r" in v]
    if odd:
        raise ExportError("names that a table can hold", repr(odd[0]), "Export as parquet.")


def _extend(root: Path, dossier: Dossier, content: _Content, overwrite: bool) -> None:
    """Add a recording's files to a dataset; the table comes last, for it is what counts."""
    entities = _place(root, dossier)
    table, sidecar = entities.at(root, ".tsv"), entities.at(root, ".json")
    if table.exists() and not overwrite:
        raise BadArgumentError(
            "a recording and task that are not in the dataset yet",
            f"an existing file {table}",
            "Choose another path, or pass --overwrite (overwrite=True).",
        )
    make_folder(table.parent)
    new = [path for path in (table, sidecar) if not path.exists()]
    try:
        for path, text in (
            (sidecar, content.sidecar),
            (root / DATASET, as_json(describe_dataset(root, dossier))),
            (table, content.table),
        ):
            with atomic_write(path) as file:
                file.write(text)
    except BaseException:
        for path in new:
            with suppress(OSError):
                path.unlink()
        raise


def _place(root: Path, dossier: Dossier) -> Entities:
    """Entities under which a recording stands in a dataset: its own, or the first free run."""
    source = str(dossier.source.get("fingerprint") or dossier.labels.provenance.source)
    entities = entities_of(dossier)
    for _ in range(_MOST_RUNS):
        table = entities.at(root, ".tsv")
        facts = facts_of(table) if table.exists() else None
        if facts is None or facts.get("source", {}).get("fingerprint") == source:
            return entities
        entities = entities.next_run()
    raise ExportError(f"at most {_MOST_RUNS} recordings of a session", "more", "Name sessions.")


def _tables(path: Path) -> list[Path]:
    """Tables of one recording; an error that lists them where a dataset holds several."""
    if not path.exists():
        raise SourceNotFoundError("a table of events", f"nothing at {path}", "Check the path.")
    if path.is_file():
        return [path]
    found = events_files(path)
    recordings = {
        tuple(entities_in(f.stem).get(k, "") for k in ("sub", "ses", "run")) for f in found
    }
    if len(recordings) > 1:
        raise BadArgumentError(
            "the events of one recording",
            f"{len(recordings)} recordings in {path}: {', '.join(f.name for f in found[:3])}, ...",
            "Name a file; several can be added at once: nissl add study/ out/sub-*/*/*_events.tsv",
        )
    return found


def _own(table: Path, columns: Columns) -> LabelSet | None:
    """Set that nissl wrote; None where the table is no longer, or never was, its own."""
    stated = facts_of(table)
    if stated is None:
        return None
    facts = checked(stated, table.name)
    with corrupt(table, "the facts of an export"):
        described = facts["labels"]
        clock, ids = Clock.from_json(facts["clock"]), facts["channels"]
        kind, names = Kind(described["kind"]), described["vocabulary"]["names"]
    try:
        labels = restore_set(described, from_columns(columns, kind, names, clock, ids))
    except (CorruptSourceError, KeyError, ValueError, OverflowError):
        return None  # changed by hand: read as anybody's table
    return labels if labels.digest == described["digest"] else None


def _channel_facts(ids: list[str]) -> Mapping[str, Any]:
    return ChannelTable.plain([str(i) for i in ids], kind="eeg").to_json()


def _read_marks(path: Path) -> Sheet:
    columns = read_columns(path)
    marks, notes = to_marks(columns, path)
    stated = facts_of(path)
    if stated is None:
        return Sheet(marks, notes=tuple(notes))
    facts = checked(stated, path.name)
    with corrupt(path, "the facts of an export"):
        own = facts["labels"]["provenance"]
        author, task = Author(**own["author"]), str(own["task"])
        names = tuple(facts["labels"]["vocabulary"]["names"])
        untouched = _own(path, columns) is not None
    who = author if untouched else IMPORTED
    every = tuple(
        replace(m, author=who, task=task, classes=names if set(m.labels) <= set(names) else ())
        for m in marks
    )
    if not untouched:
        notes = ["The table was changed after nissl wrote it; its rows are taken as a person's."]
    return Sheet(every, notes=tuple(notes))


def _no_writer(sheet: Sheet, path: Path) -> None:
    raise ExportError("a dataset", f"one file {path}", "Export with the format bids.")


_MARKS = MarkFormat("bids", "", _no_writer, _read_marks, lambda path: False)


def _plain(
    table: Path, *, reviewer: str | None, source: str | None, rate_hz: float | None
) -> Imported:
    """Imported labels of a table that is not, or no longer, nissl's own."""
    facts = facts_of(table)
    changed: dict[str, Any] = {}
    if facts is not None and source is None:
        with corrupt(table, "the facts of an export"):
            changed = {
                "source": str(facts["source"]["fingerprint"]),
                "rate_hz": Clock.from_json(facts["clock"]).rate_hz,
            }
    found = _MARKS.read(
        table, reviewer=reviewer, **{"source": source, "rate_hz": rate_hz} | changed
    )
    stated = entities_in(table.stem)
    parent = () if facts is None else (str(facts["labels"]["digest"]),)
    labels = tuple(
        replace(each, provenance=replace(each.provenance, made_from=parent))
        for each in found.labels
    )
    return replace(
        found,
        labels=labels,
        format="bids",
        subject=stated.get("sub", UNKNOWN),
        session=stated.get("ses", UNKNOWN),
    )


BIDS = Bids()
