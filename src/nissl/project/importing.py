"""Files of annotations that people already have: imported to a source, and doubted by a model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nissl.data.edf.clock import HOUR_S
from nissl.errors import (
    BadArgumentError,
    MissingInputError,
    SourceNotFoundError,
    UnknownFormatError,
)
from nissl.io import IMPORTERS, find_importer
from nissl.io.bids import Bids
from nissl.io.mark_format import MarkFormat, Sheet, place_sheet
from nissl.io.placing import Place
from nissl.labels import Kind, LabelSet
from nissl.project.adding import keep
from nissl.project.source import Source
from nissl.review.doubts import Suspect, ask_again
from nissl.review.span_doubts import span_suspects
from nissl.store import Store
from nissl.tasks import Finding

Format = MarkFormat | Bids
RECORDINGS = (".edf", ".bdf")


def annotation_format(path: Path, name: str | None = None) -> Format | None:
    """Format of a file of annotations: the named one, or the one that knows it.

    None where it is another format (or none that is known).
    """
    if name is None and path.suffix.lower() in RECORDINGS:
        name = "edf-annotations"  # also of a file with signals, which a reader knows otherwise
    importer = IMPORTERS.get(name) if name is not None else find_importer(path)
    return importer if isinstance(importer, MarkFormat | Bids) else None


def add_annotations(
    store: Store,
    source: Source,
    path: Path,
    *,
    format: str | None = None,
    name: str | None = None,
    author: str | None = None,
    stream: str | None = None,
    outside: str = "error",
    together: bool = False,
    **reading: Any,
) -> tuple[LabelSet, ...]:
    """Import annotations to a source; see `nissl.project.Project.add_annotations`.

    Parameters
    ----------
    format : str, optional
        Name of the importer; by default found by the file's content.
    name : str, optional
        Task of the labels; by default "sleep" for stages of sleep, "events" for others.
    author : str, optional
        Who made them, where the file does not say.
    stream : str, optional
        Stream whose samples and channels the labels count; the neural one by default.
    outside : {"error", "cut"}
        What to do with annotations that are not wholly within the recording.
    together : bool
        Take both files to begin together, whatever starts they state (dates that were changed
        to hide who was recorded).
    **reading
        Options of the format: `start`, `epoch_s`, `coding`.
    """
    if not path.exists():
        raise SourceNotFoundError("a file of annotations", f"nothing at {path}", "Check the path.")
    found = annotation_format(path, format)
    if found is None:
        raise UnknownFormatError(
            "a file of annotations in a known format",
            f"{path.name}",
            "Name the format: --format edf-annotations, mne, szcore, wonambi, luna, dreams, "
            "hypnogram or bids.",
        )
    whole = found.untouched(path) if isinstance(found, Bids) else None
    if whole is not None and whole.provenance.source == source.fingerprint and not (name or author):
        keep(store, whole)  # what was exported from here comes back as it was
        return (whole,)
    chosen = _stream(source, stream)
    facts = source.row.streams[chosen]
    ids = tuple(str(i) for i in dict(facts.get("channels") or {}).get("ids", ()))
    clock = found.clock(source.clock(chosen))
    place = Place(clock, source.fingerprint, chosen, ids, outside)
    sheet = found.sheet(path, reviewer=author, **reading)
    sheet, doubts = (sheet, []) if together else _by_its_start(sheet, source, chosen)
    about = {"format": found.name} | {k: reading[k] for k in sorted(reading)}
    sets, findings = place_sheet(sheet, place, task=name or "", about=about)
    findings += [Finding("missing", "note", note) for note in sheet.notes if _matters(note, author)]
    findings += doubts
    for index, labels in enumerate(sets):
        digest = keep(store, labels)
        if index == 0 and findings:
            store.record_findings(digest, [f.to_json() for f in findings])
    return tuple(sets)


def _matters(note: str, author: str | None) -> bool:
    """Whether a note says something that was not answered by naming the author."""
    return author is None or "--author" not in note


def _stream(source: Source, name: str | None) -> str:
    """Stream that annotations are put on: as named, the neural one, or the one of most channels.

    All streams of a file share their seconds; only the grid of samples differs.
    """
    try:
        return source.stream(name)
    except BadArgumentError:
        if name is not None or not source.row.streams:
            raise
    streams = source.row.streams
    counts = {k: len(dict(v.get("channels") or {}).get("ids", ())) for k, v in streams.items()}
    return max(counts, key=lambda k: counts[k])


def _by_its_start(sheet: Sheet, source: Source, stream: str) -> tuple[Sheet, list[Finding]]:
    """Sheet on the recording's seconds, where both state when they start; what was done is told.

    Where one of them does not, they are taken to start together.
    """
    if sheet.start is None:
        return sheet, []
    stated = None
    with suppress(SourceNotFoundError):
        recording = source.recording
        stated = recording[stream].metadata.get("start") if stream in recording.streams else None
    if not stated:
        sentence = "The recording states no start; both files are taken to begin together."
        return sheet, [Finding("start", "note", sentence), *_another_day(sheet, source)]
    shift_s = (sheet.start - datetime.fromisoformat(str(stated))).total_seconds()
    if abs(shift_s) < 1:  # files state whole seconds
        return sheet, []
    moved = tuple(
        replace(m, start_s=m.start_s + shift_s, stop_s=m.stop_s + shift_s) for m in sheet.marks
    )
    sentence = (
        f"The annotations start {abs(shift_s):g} s {'after' if shift_s > 0 else 'before'} the "
        "recording, by the starts that both files state, and are placed accordingly."
    )
    if abs(abs(shift_s) - HOUR_S) < 1:
        sentence += " That is one hour: perhaps one of the clocks was changed (daylight saving)."
    finding = Finding("start", "warning", sentence, value=shift_s, limit=0.0, unit="s")
    return replace(sheet, marks=moved), [finding]


def _another_day(sheet: Sheet, source: Source) -> list[Finding]:
    """Finding where a file says another day than the recording; times are never moved."""
    day = source.row.session.get("day")
    if sheet.start is None or not day:
        return []
    try:
        recorded = datetime.fromisoformat(str(day)).date()
    except ValueError:
        return []
    if recorded == sheet.start.date():
        return []
    sentence = (
        f"The annotations say that the recording began on {sheet.start.date()}, the recording "
        f"itself says {recorded}; check that they belong together. No times were moved."
    )
    return [Finding("another_day", "warning", sentence)]


def suspicious_spans(
    store: Store, source: Source, task: str, *, author: str | None = None
) -> tuple[LabelSet, list[Suspect]]:
    """Spans of a person that look wrong to the newest model's proposal.

    See `nissl.project.Project.suspicious_spans`.

    Returns
    -------
    given : LabelSet
        The person's newest set.
    suspects : list of Suspect
    """
    rows = store.label_sets(source=source.fingerprint, task=task)
    spans = [row for row in rows if row.kind == Kind.SPANS]
    persons = [r for r in spans if r.author.kind == "person" and author in (None, r.author.name)]
    if not persons:
        raise MissingInputError(
            f"spans of the task {task!r} by {author or 'a person'} on {source.name!r}",
            "none",
            f"Import them: nissl import {store.path} {source.name} FILE --name {task}",
        )
    given = store.get_labels(persons[-1].digest)
    for row in reversed([row for row in spans if row.author.kind == "model"]):
        model = store.get_labels(row.digest)
        same = model.provenance.stream == given.provenance.stream
        if same and model.table.column("probabilities").null_count < model.n_rows:
            return given, span_suspects(given, model, source=source.name)
    raise MissingInputError(
        f"a proposal of the task {task!r} with probabilities on {source.name!r}",
        "none on the stream of the labels",
        f"Make it: nissl annotate {store.path} --task {task}",
    )


def ask_about(
    store: Store, source: Source, found: tuple[LabelSet, list[Suspect]], *, by: str
) -> int:
    """Ask in review about a person's doubtful spans; returns how many were not asked before.

    What is reviewed is the head: the person's set becomes it.

    Parameters
    ----------
    store : Store
    source : Source
    found : tuple
        What `suspicious_spans` gives.
    by : str
        Who asks.
    """
    given, suspects = found
    task = given.provenance.task
    if suspects and store.head(source.fingerprint, task) != given.digest:
        store.set_head(source.fingerprint, task, given.digest, by=by)
    return ask_again(store, suspects, model="the newest proposal")
