"""Finding the pulses of a light and the spans of a drug: a line, a label set, or a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError, SourceNotFoundError
from nissl.io.files import read_table
from nissl.labels import Kind, LabelSet, Vocabulary
from nissl.labels.remap import join_pieces
from nissl.project.adding import keep
from nissl.project.source import Source
from nissl.project.syncing import session_events
from nissl.store import Store
from nissl.sync.intervals import span_seconds
from nissl.tasks import TASKS

TASK = "stimulation"
TABLES = (".csv", ".tsv")


@dataclass(frozen=True, eq=False)
class Times:
    """A label set that holds pulses or spans.

    Parameters
    ----------
    labels : LabelSet
        EVENTS or SPANS in samples of the spikes' stream.
    name : str, optional
        The class meant; all of the set by default.
    kept : tuple of str
        Digests of the sets of the project that they come from.
    """

    labels: LabelSet
    name: str | None
    kept: tuple[str, ...]


def time_set(store: Store, source: Source, stream: str, clock: Clock, name: str | Path) -> Times:
    """Pulses or spans by the name of a line or class, or the path of a table of seconds.

    Parameters
    ----------
    store : Store
    source : Source
    stream : str
        Stream of the spikes.
    clock : Clock
        Its clock.
    name : str or Path
        SPANS of this name are taken before EVENTS, for they tell how long. A path ends in
        .csv or .tsv; the table is imported.

    Raises
    ------
    BadArgumentError
        Nothing of that name.
    SourceNotFoundError
        No such file.
    """
    path = Path(name)
    if path.suffix.lower() in TABLES:
        return _of_table(store, source, stream, clock, path)
    wanted = str(name)
    for kind in (Kind.SPANS, Kind.EVENTS):
        own = _named(store, source, clock, kind, wanted)
        if own is not None:
            return own
    events = session_events(store, source, stream)
    if wanted not in events:
        raise BadArgumentError(
            f"one of the events of {source.name!r}: {sorted(events) or 'none'}",
            repr(wanted),
            f"Name a line, or a table onset,duration in seconds (.csv); import one with: "
            f"nissl import {store.path} {source.name} TABLE",
        )
    moved = events[wanted]  # from another device, through its clock map
    return Times(moved, None, moved.provenance.made_from)


def find_spans(times: Times, clock: Clock) -> npt.NDArray[np.float64]:
    """Spans of a set, shape (n_spans, 2), seconds.

    Raises
    ------
    BadLabelsError
        Events, which do not last.
    """
    if times.labels.kind is not Kind.SPANS:
        raise BadLabelsError(
            "spans (onset and duration)", times.labels.kind.value, "Give times that last."
        )
    labels = times.labels
    if times.name is not None:
        code = labels.vocabulary.code(times.name)
        rows = np.flatnonzero(labels.column("label") == code)
        labels = replace(labels, table=labels.table.take(rows))
    _, start, stop = join_pieces(labels)
    begin, end = span_seconds(clock, start, stop)
    return np.stack([begin, end], axis=1)


def _named(store: Store, source: Source, clock: Clock, kind: Kind, name: str) -> Times | None:
    """Newest set of a kind with rows of this class on the clock of the spikes."""
    for row in reversed(store.label_sets(source=source.fingerprint, kind=kind.value)):
        facts = source.row.streams.get(row.stream)
        if row.task in TASKS.names() or not facts or Clock.from_json(facts["clock"]) != clock:
            continue
        labels = store.get_labels(row.digest)
        names = labels.vocabulary.names
        if name in names and np.any(labels.column("label") == names.index(name)):
            return Times(labels, name, (row.digest,))
    return None


def _of_table(store: Store, source: Source, stream: str, clock: Clock, path: Path) -> Times:
    if not path.is_file():
        raise SourceNotFoundError(
            "a table of onsets and durations in seconds", f"no file {path}", "Check the path."
        )
    from nissl.io.trial_tables import Columns  # brings pandas
    from nissl.io.trials import read_table as read_times

    header = list(read_table(path))
    columns = None
    if "onset" in header:
        duration = "duration" if "duration" in header else None
        columns = Columns("onset", duration=duration)
    labels = read_times(
        path,
        clock=clock,
        source=source.fingerprint,
        stream=stream,
        task=TASK,
        columns=columns,
    )
    if len(labels.vocabulary) == 1:
        labels = replace(labels, vocabulary=Vocabulary((path.stem,)))
    return Times(labels, None, (keep(store, labels),))
