"""Adding recordings, imported work and tables of labels to a project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nissl.annotators.clock_checks import clock_findings
from nissl.annotators.eeg_checks import source_findings
from nissl.annotators.movie_checks import movie_findings
from nissl.data import Recording
from nissl.data.read import matching_reader, read
from nissl.errors import BadArgumentError, CorruptSourceError, InputError, UnknownFormatError
from nissl.io import find_importer
from nissl.io.annotations import NO_CLAIMS, Claims, recording_annotations
from nissl.io.contracts import Imported
from nissl.io.lines import recording_lines
from nissl.io.registries import ANNOTATIONS, MASKS, REGIONS
from nissl.labels import LabelSet
from nissl.labels.remap import Target, remap
from nissl.project.deriving import keep_derived
from nissl.project.source import (
    Source,
    describe_labels,
    describe_streams,
    is_recording,
    line_of,
    read_options,
    stored_options,
)
from nissl.store import SourceRow, Store
from nissl.store.images import keep_images
from nissl.sync import frame_times
from nissl.tasks import Finding

_CHEAP_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Prepared:
    """A path that was read as far as adding it needs; nothing is written yet.

    Parameters
    ----------
    path : Path
        Absolute.
    options : mapping
        As they were given.
    recording : Recording, optional
    imported : Imported, optional
        At least one of the two is there.
    lines : tuple of LabelSet
        Digital lines of the recording.
    claims : Claims
        Annotations that stand in its file.
    findings : tuple of Finding
        What is doubtful about the recording itself.
    """

    path: Path
    options: Mapping[str, Any]
    recording: Recording | None
    imported: Imported | None
    lines: tuple[LabelSet, ...] = ()
    claims: Claims = NO_CLAIMS
    findings: tuple[Finding, ...] = ()


def prepare(path: Path, *, reviewer: str | None = None, **options: Any) -> Prepared:
    """Read a path before anything of it is kept, so that a bad one leaves nothing behind."""
    importer = find_importer(path)
    recording: Recording | None = None
    # files of annotations and regions hold no samples, whatever reader their ending has
    annotations = importer is not None and importer.name in (*ANNOTATIONS, *REGIONS, *MASKS)
    named = options.get("format") is not None
    if importer is None or named or (not annotations and matching_reader(path) is not None):
        try:
            recording = read(path, **options)
        except UnknownFormatError:
            if importer is None:
                raise
    imported = None
    if importer is not None:
        count = _counting(recording) | {k: options[k] for k in ("rate_hz",) if options.get(k)}
        imported = importer.read(path, reviewer=reviewer, **count)
    lines = _lines(recording)
    claims, findings = _claims(recording)
    return Prepared(path.absolute(), options, recording, imported, lines, claims, findings)


def _lines(recording: Recording | None) -> tuple[LabelSet, ...]:
    """Digital lines as labels, where their edges are known or cheap to find.

    The sync bit of a large probe file costs a pass over it; `sync` makes it when asked.
    """
    if recording is None:
        return ()
    cost = sum(line.bytes_to_read for line in recording.lines)
    return recording_lines(recording) if cost <= _CHEAP_BYTES else ()


def _claims(recording: Recording | None) -> tuple[Claims, tuple[Finding, ...]]:
    """Annotations in the file of a recording as labels, and findings about the recording."""
    if recording is None:
        return NO_CLAIMS, ()
    findings = [*source_findings(recording), *movie_findings(recording)]
    if recording.annotations.bytes_to_read > _CHEAP_BYTES:
        sentence = "Its annotations would cost a pass over a large file and were not read."
        return NO_CLAIMS, (*findings, Finding("annotations", "warning", sentence))
    try:
        return recording_annotations(recording), tuple(findings)
    except InputError as error:
        sentence = f"Its annotations were left out. {error}"
        return NO_CLAIMS, (*findings, Finding("annotations", "error", sentence))


def _counting(recording: Recording | None) -> dict[str, Any]:
    """Whose samples labels in the file of a recording count."""
    return {} if recording is None else {"source": recording.fingerprint}


def add(store: Store, prepared: Prepared) -> Source:
    """Keep what was read as a source; see `nissl.project.Project.add`.

    A file may be both a recording and imported work (NWB with units): it becomes one source
    with label sets. Content that is there already gives the source that holds it; a subject or
    session that is given is then set, and a path that is gone is replaced.
    """
    row = _row(prepared)
    known = next((r for r in store.sources() if r.fingerprint == row.fingerprint), None)
    if known is None:
        kept = store.add_source(row)
    else:
        kept = store.update_source(row.fingerprint, **_changes(store, known, row, prepared))
    for labels in prepared.lines:
        keep(store, labels)
    _keep_claims(store, prepared.claims)
    if prepared.imported is not None:
        _keep_imported(Source(kept, store), prepared.imported)
    return Source(kept, store)


def _changes(store: Store, known: SourceRow, row: SourceRow, prepared: Prepared) -> dict[str, Any]:
    """What adding known content again changes about its source."""
    changes: dict[str, Any] = {}
    gone = not store.locate(known).exists()
    raw, raw_before = is_recording(row), is_recording(known)
    if (raw and not raw_before) or (gone and raw == raw_before):
        changes |= {k: getattr(row, k) for k in ("path", "format", "options", "streams")}
    for field in ("subject", "session"):
        given = prepared.options.get(field)
        if given is not None:
            changes[field] = {**getattr(known, field), "id": given}
    return changes


def keep(store: Store, labels: LabelSet, *, items: str | None = None) -> str:
    """Keep a label set that no run made; a set that is there already is left alone."""
    digest = store.put_labels(labels)
    if all(row.digest != digest for row in store.label_sets(source=labels.provenance.source)):
        store.record_labels(digest, items=items)
    return digest


def _keep_claims(store: Store, claims: Claims) -> None:
    """Keep label sets; the findings about them all stand with the first."""
    for index, labels in enumerate(claims.labels):
        digest = keep(store, labels)
        if index == 0:
            store.record_findings(digest, [f.to_json() for f in claims.findings])


def _keep_imported(source: Source, imported: Imported) -> None:
    store = source.store
    tables = {table.of: table for table in imported.items}
    notes = [
        Finding("missing", "note", sentence).to_json() for sentence in imported.what_is_missing
    ]
    for index, labels in enumerate(imported.labels):
        table = tables.get(labels.digest)
        digest = keep(store, labels, items=store.put_items(table) if table else None)
        if index == 0 and notes:
            store.record_findings(digest, notes)
    for labels in imported.events.values():
        keep(store, labels)
    keep_images(store, imported.labels[0].digest, imported.images)
    for signal in imported.signals.values():
        about = {"labels": imported.labels[0].digest, "source": source.fingerprint}
        keep_derived(store, source, signal, about)


def _row(prepared: Prepared) -> SourceRow:
    recording, imported, options = prepared.recording, prepared.imported, prepared.options
    if recording is not None:
        fingerprint, format_ = recording.fingerprint, recording.format
        subject, session = asdict(recording.subject), asdict(recording.session)
        streams: Mapping[str, Any] = describe_streams(recording, prepared.findings)
    elif imported is not None:
        fingerprint, format_ = imported.fingerprint, imported.format
        subject = {"id": options.get("subject") or imported.subject}
        session = {"id": options.get("session") or imported.session}
        streams = describe_labels(imported.labels[0], imported.facts)
    else:  # `read` raises for paths that nobody knows
        raise UnknownFormatError(
            "a recording or a folder of labels", str(prepared.path), "nissl add --help"
        )
    return SourceRow(
        fingerprint=fingerprint,
        name=_name(prepared.path),
        path=str(prepared.path),
        format=format_,
        options=stored_options(options, prepared.path),
        subject=subject,
        session=session,
        streams=streams,
    )


def _name(path: Path) -> str:
    """Short name of a path; the store makes it unique."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-") or "source"


def add_table(
    store: Store,
    source: Source,
    path: Path,
    *,
    name: str | None = None,
    author: str | None = None,
    stream: str | None = None,
    frames: Frames | None = None,
) -> LabelSet:
    """Import a table of intervals or events; see `nissl.project.Project.add_labels`.

    Parameters
    ----------
    frames : Frames, optional
        The table counts frames of a camera or microscope, whose frame pulses are a line of
        this source; its rows are carried to the stream's samples through them.
    """
    from nissl.io.trials import read_table

    chosen = source.stream(stream)
    clock = source.recording[chosen].clock
    about: dict[str, Any] = {"task": name or "trials", "author": author or "imported"}
    doubts: list[Finding] = []
    if frames is None:
        labels = read_table(path, clock=clock, source=source.fingerprint, stream=chosen, **about)
    else:
        pulses_s = line_of(source, frames.line).rising_s
        times = frame_times(pulses_s, n_frames=frames.n_frames, numbers=frames.numbers)
        table = read_table(path, clock=times.clock, stream="frames", **about)
        clock_map = times.clock_map(a=frames.line, b=source.name)
        goal = Target(clock, source.fingerprint, chosen)
        labels = remap(table, times.clock, goal, clock_map=clock_map)
        doubts = clock_findings(clock_map, times.limit_s, frames=times)
    store.record_findings(keep(store, labels), [f.to_json() for f in doubts])
    return labels


@dataclass(frozen=True)
class Frames:
    """How the frames of a file relate to the frame pulses that a source recorded.

    Parameters
    ----------
    line : str
        Line of the source that carries one pulse per exposure.
    n_frames : int, optional
        Frames in the file; enough when none was dropped.
    numbers : tuple of int, optional
        The camera's own number of each frame in the file; it jumps where frames were dropped.
    """

    line: str
    n_frames: int | None = None
    numbers: tuple[int, ...] | None = None


def relocate(store: Store, source: Source, path: Path) -> None:
    """Note that a recording is at another path now.

    Raises
    ------
    CorruptSourceError
        The content there is another one.
    """
    if not source.is_recording:
        raise BadArgumentError(
            "a source that is a recording", f"imported labels ({source.row.format})", "Add again."
        )
    there = path.absolute()
    options = read_options(source.row, there)
    if not Path(options.get("probe") or there).exists():  # it stayed where it was
        options = read_options(source.row, source.path)
    found = read(there, **options).fingerprint
    if found != source.fingerprint:
        raise CorruptSourceError(
            f"the content of {source.name!r} ({source.fingerprint[:12]})",
            f"other content ({found[:12]}) at {path}",
            "Give the path of the same recording.",
        )
    changes = {"path": str(there), "options": stored_options(options, there)}
    store.update_source(source.fingerprint, **changes)
