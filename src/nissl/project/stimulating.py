"""Finding stimuli: a table of times, or spans of the recording that traces were made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.responses.stimuli import Stimuli
from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError, SourceNotFoundError
from nissl.io.files import read_table
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.remap import join_pieces
from nissl.labels.replay import Rule, replay
from nissl.project.adding import keep
from nissl.project.deriving import lineage
from nissl.project.source import Source
from nissl.project.syncing import session_events
from nissl.store import Store
from nissl.sync.intervals import span_seconds

TASK = "stimuli"
TABLES = (".csv", ".tsv")
NAMED = ("stimulus", "trial_type", "label", "condition")
"""Columns that name the stimulus of a row, the first that is there."""


@dataclass(frozen=True, eq=False)
class Told:
    """Stimuli, and what they came from.

    Parameters
    ----------
    stimuli : Stimuli
        In frames of the traces.
    labels : tuple of str
        Digests of the sets of the project that hold them.
    lost : int
        Stimuli at times that were not recorded, left out.
    """

    stimuli: Stimuli
    labels: tuple[str, ...]
    lost: int


def find_stimuli(
    store: Store,
    source: Source,
    stream: str,
    given: str | Path,
    *,
    duration_s: float | None = None,
    outside: str = "error",
    resolve: Rule | None = None,
) -> Told:
    """Stimuli by the path of a table, or by the name of a set of spans or of one of its classes.

    Parameters
    ----------
    store : Store
    source : Source
        The traces.
    stream : str
        Their stream.
    given : str or Path
        A path ends in .csv or .tsv: a row for each stimulus, with `onset` and `duration` in
        seconds and `stimulus` (or other columns of `nissl.io.trial_tables`).
    duration_s : float, optional
        Of stimuli whose end is not told.
    outside : {"error", "drop"}
        What to do with stimuli at times that were not recorded.
    resolve : callable, optional
        How several readers' decisions on the spans are combined.

    Raises
    ------
    BadArgumentError
        Nothing of that name.
    BadLabelsError
        No stimulus, one without an end, one at a time that was not recorded.
    SourceNotFoundError
        No such file.
    """
    clock = source.clock(stream)
    if duration_s is not None and not duration_s > 0:
        raise BadArgumentError("a duration above 0 s", f"{duration_s!r}", "Give seconds.")
    path = Path(given)
    if path.suffix.lower() in TABLES:
        start_s, stop_s, names = _of_table(path, clock, duration_s)
        stimuli, lost = Stimuli.from_seconds(clock, start_s, stop_s, names, outside=outside)
        return Told(stimuli, (_kept(store, source, stream, stimuli, path, lost),), lost)
    labels, only, own = _named(store, source, stream, str(given), resolve)
    start_s, stop_s, names = _of_labels(labels, own, only, duration_s)
    stimuli, lost = Stimuli.from_seconds(clock, start_s, stop_s, names, outside=outside)
    return Told(stimuli, (labels.digest, *labels.provenance.made_from), lost)


Rows = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[str]]


def _of_table(path: Path, clock: Clock, duration_s: float | None) -> Rows:
    if not path.is_file():
        raise SourceNotFoundError(
            "a table of stimuli: onset, duration, stimulus", f"no file {path}", "Check the path."
        )
    from nissl.io.trial_tables import Columns, read_csv  # brings pandas

    header = list(read_table(path)) if path.suffix.lower() == ".csv" else _header(path)
    columns = None
    if "onset" in header:
        columns = Columns(
            "onset",
            duration="duration" if "duration" in header else None,
            label=next((name for name in NAMED if name in header), None),
        )
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    table = read_csv(path, columns, clock=clock, separator=separator)
    names = list(table.labels)
    if set(names) == {"trial"}:  # nobody named them
        names = [path.stem] * len(names)
    return table.start_s, _ended(table.start_s, table.stop_s, duration_s), names


def _header(path: Path) -> list[str]:
    from nissl.io.files import read_text

    return read_text(path).partition("\n")[0].rstrip("\r").split("\t")


def _ended(
    start_s: npt.NDArray[np.float64], stop_s: npt.NDArray[np.float64], duration_s: float | None
) -> npt.NDArray[np.float64]:
    """Ends of stimuli; those that nobody tells by a duration for all of them."""
    open_ = ~np.isfinite(stop_s)
    if open_.any() and duration_s is None:
        raise BadLabelsError(
            "stimuli that last",
            f"{int(open_.sum())} of {start_s.size} without a duration",
            "Add a column duration (seconds), or state one for all: --duration 2.",
        )
    return np.where(open_, start_s + (duration_s or 0.0), stop_s)


def _of_labels(labels: LabelSet, clock: Clock, only: str | None, duration_s: float | None) -> Rows:
    names = np.asarray(labels.vocabulary.names, dtype=np.str_)
    if labels.kind is Kind.SPANS:
        rows, start, stop = join_pieces(labels)
        start_s, stop_s = span_seconds(clock, start, stop)
    else:
        rows = np.arange(labels.n_rows)
        start_s = clock.to_seconds(labels.column("sample"))
        stop_s = _ended(start_s, np.full(start_s.size, np.nan), duration_s)
    called = names[labels.column("label")[rows]]
    kept = np.ones(called.size, bool) if only is None else called == only
    return start_s[kept], stop_s[kept], called[kept].tolist()


def _named(
    store: Store, source: Source, stream: str, name: str, resolve: Rule | None
) -> tuple[LabelSet, str | None, Clock]:
    """The newest set of this name, or with this class, its clock, and the class meant."""
    known: set[str] = set()
    for each in lineage(store, source):
        rows = [
            r for r in store.label_sets(source=each.fingerprint) if r.stream in each.row.streams
        ]
        times = [r for r in rows if r.kind in (Kind.SPANS.value, Kind.EVENTS.value)]
        times = sorted(times, key=lambda r: r.kind == Kind.SPANS.value)  # spans tell how long
        for row in reversed(times):
            facts = each.row.streams[row.stream].get("clock")
            if not facts:
                continue
            if row.task == name:
                return _as_left(store, row.digest, resolve), None, Clock.from_json(facts)
            known.add(row.task)
        for row in reversed(times):
            facts = each.row.streams[row.stream].get("clock")
            labels = store.get_labels(row.digest)
            if facts and name in labels.vocabulary.names:
                return _as_left(store, row.digest, resolve), name, Clock.from_json(facts)
        streams = [stream] if each is source else list(each.row.streams)
        for one in streams[:1]:
            events = session_events(store, each, one)  # other devices too, by their clock maps
            if name in events:
                return events[name], None, each.clock(one)
            known |= set(events)
    raise BadArgumentError(
        f"a table of stimuli (.csv, .tsv), or spans of {source.name!r} or of what it was made "
        f"from: {sorted(known) or 'none'}",
        repr(name),
        f"Import them: nissl import {store.path} {source.name} TABLE --name stimuli",
    )


def _as_left(store: Store, digest: str, resolve: Rule | None) -> LabelSet:
    return replay(store.get_labels(digest), store.edits(base=digest), resolve=resolve).labels


def _kept(
    store: Store, source: Source, stream: str, stimuli: Stimuli, path: Path, lost: int
) -> str:
    """Digest of stimuli of a table, kept as spans of the traces."""
    provenance = Provenance(
        TASK,
        source.fingerprint,
        Author("person", "imported"),
        stream,
        {"file": path.name, "left_out": lost},
    )
    columns = {"label": stimuli.which, "start": stimuli.start, "stop": stimuli.stop}
    return keep(store, LabelSet.build(Kind.SPANS, columns, stimuli.names, provenance))


__all__ = ["TASK", "Told", "find_stimuli"]
