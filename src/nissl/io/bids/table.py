"""The table of events: rows of a label set as `events.tsv`, and back."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.clock import Clock
from nissl.errors import BadMetadataError
from nissl.io.files import corrupt, read_text
from nissl.io.mark_format import IMPORTED, seconds_text
from nissl.io.marks import Marks, check_times
from nissl.io.names import plain_name
from nissl.labels import Author, Kind, LabelSet
from nissl.sync.intervals import span_samples, span_seconds

MISSING = "n/a"
LABELS = ("trial_type", "value", "event_type", "stage")
SCORERS = ("scorer", "rater", "annotator", "reviewer")
CHANNELS = ("channel", "channels")
TRIALS = "trials"
Columns = dict[str, list[str]]


def probability_names(classes: Sequence[str]) -> list[str]:
    """Column of each class's probability; unique."""
    names: list[str] = []
    for k, name in enumerate(classes):
        column = f"probability_{plain_name(name)}"
        names.append(column if column not in names else f"{column}_{k}")
    return names


def to_columns(
    labels: LabelSet,
    clock: Clock,
    ids: Sequence[str],
    *,
    proposed: Author | None = None,
    decided_by: Mapping[int, str] | None = None,
) -> Columns:
    """Columns of text, one row for each row of the set.

    Parameters
    ----------
    labels : LabelSet
        SPANS or EVENTS.
    clock : Clock
        With the first sample at second 0.
    ids : sequence of str
        Names of the channels; their numbers where they are not known.
    proposed : Author, optional
        Who proposed what people decided on, where the set is what became of it: rows that
        nobody decided on are still this author's.
    decided_by : mapping of int to str, optional
        Who decided on an item.
    """
    if labels.kind is Kind.SPANS:
        start, stop = span_seconds(clock, labels.column("start"), labels.column("stop"))
        duration = stop - start
    else:
        start = clock.to_seconds(labels.column("sample"))
        duration = np.zeros(start.size)
    names = labels.vocabulary.names
    n = labels.n_rows
    columns: Columns = {
        "onset": [seconds_text(v) for v in start.tolist()],
        "duration": [seconds_text(v) for v in duration.tolist()],
        "trial_type": [names[c] for c in labels.column("label").tolist()],
        "channel": [
            MISSING if c < 0 else (ids[c] if c < len(ids) else str(c))
            for c in labels.column("channel").tolist()
        ],
        "confidence": [_float(v) for v in labels.column("confidence")],
    }
    columns |= _probabilities(labels)
    columns |= _who(labels, proposed, decided_by or {})
    if labels.kind is Kind.EVENTS and labels.table.column("amplitude").null_count < n:
        values = labels.table.column("amplitude").to_pylist()
        columns["amplitude"] = [MISSING if v is None else _float(np.float32(v)) for v in values]
    row_ids, items = labels.column("id"), labels.column("item")
    if not np.array_equal(items, np.arange(n)) or not np.array_equal(row_ids, items):
        columns["item"] = [str(v) for v in items.tolist()]
        columns["row_id"] = [str(v) for v in row_ids.tolist()]
    return columns


def _who(labels: LabelSet, proposed: Author | None, decided_by: Mapping[int, str]) -> Columns:
    """Person and method behind each row: whoever decided on it, else whoever proposed it."""
    author = proposed or labels.provenance.author
    method = " ".join((author.name, author.version)).strip()
    made = (author.name, MISSING) if author.kind == "person" else (MISSING, method)
    rows = [
        (decided_by[item], MISSING) if item in decided_by else made
        for item in labels.column("item").tolist()
    ]
    return {"scorer": [p for p, _ in rows], "method": [m for _, m in rows]}


def _probabilities(labels: LabelSet) -> Columns:
    column = labels.table.column("probabilities")
    if column.null_count == labels.n_rows:
        return {}
    rows = column.to_pylist()
    names = probability_names(labels.vocabulary.names)
    return {
        name: [MISSING if row is None else _float(np.float32(row[k])) for row in rows]
        for k, name in enumerate(names)
    }


def _float(value: Any) -> str:
    """Shortest text that gives the same 32-bit number again."""
    return str(np.float32(value)) if np.isfinite(value) else MISSING


def from_columns(
    columns: Mapping[str, list[str]],
    kind: Kind,
    classes: Sequence[str],
    clock: Clock,
    ids: Sequence[str],
) -> dict[str, Any]:
    """Inverse of `to_columns`, for `LabelSet.build`."""
    onset = np.asarray([float(v) for v in columns["onset"]], np.float64)
    duration = np.asarray([float(v) for v in columns["duration"]], np.float64)
    code = {name: k for k, name in enumerate(classes)}
    place = {name: k for k, name in enumerate(ids)}
    made: dict[str, Any] = {
        "label": np.asarray([code[v] for v in columns["trial_type"]], np.int32),
        "channel": [
            None if v == MISSING else place[v] if v in place else int(v) for v in columns["channel"]
        ],
        "confidence": _floats(columns["confidence"]),
    }
    if kind is Kind.SPANS:
        made["start"], made["stop"] = span_samples(clock, onset, onset + duration)
    else:
        made["sample"] = clock.to_samples(onset)
    if "amplitude" in columns:
        values = [None if v == MISSING else float(v) for v in columns["amplitude"]]
        made["amplitude"] = pa.array(values, type=pa.float32(), from_pandas=False)
    if "item" in columns:
        made["item"] = [int(v) for v in columns["item"]]
        made["id"] = [int(v) for v in columns["row_id"]]
    names = probability_names(classes)
    if names[0] in columns:
        cells = zip(*(columns[name] for name in names), strict=True)
        rows = [None if MISSING in row else [float(v) for v in row] for row in cells]
        made["probabilities"] = pa.array(rows, type=pa.list_(pa.float32(), len(names)))
    return made


def _floats(cells: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray([np.nan if v == MISSING else float(v) for v in cells], np.float32)


def write_columns(columns: Columns) -> bytes:
    """Bytes of a table with tabs; cells with tabs, quotes or line breaks stand in quotes."""
    text = StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode("utf-8")


def read_columns(path: Path) -> Columns:
    """Columns of a table of events as text.

    Raises
    ------
    CorruptSourceError
        No table of equal rows.
    BadMetadataError
        The columns onset and duration are not both there.
    """
    text = read_text(path)
    with corrupt(path, "rows of equal length below a header"):
        rows = [r for r in csv.reader(StringIO(text, newline=""), delimiter="\t", strict=True) if r]
        if not rows or any(len(row) != len(rows[0]) for row in rows):
            raise ValueError("rows of different length, or none")
        if len(set(rows[0])) != len(rows[0]):
            raise ValueError("columns of the same name")
    header = [name.strip() for name in rows[0]]
    lacking = [name for name in ("onset", "duration") if name not in header]
    if lacking:
        raise BadMetadataError(
            "the columns onset and duration",
            f"{header}, without {lacking}",
            "BIDS asks for both; write n/a where a duration is not known.",
        )
    return {name: [row[k] for row in rows[1:]] for k, name in enumerate(header)}


def to_marks(columns: Mapping[str, list[str]], path: Path) -> tuple[tuple[Marks, ...], list[str]]:
    """Marks of a table that anybody made, one for each author, and what is uncertain of them.

    A row without a duration is an instant. Rows without a scorer or method are "imported";
    where no row has one, the table is of trials, not of anybody's opinion.
    """
    with corrupt(path, "onset and duration in seconds"):
        onset = np.asarray([_seconds(v) for v in columns["onset"]], np.float64)
        duration = np.asarray([_seconds(v) for v in columns["duration"]], np.float64)
    check_times(onset, onset + duration)
    n = onset.size
    notes: list[str] = []
    named = next((name for name in LABELS if name in columns), "")
    labels = [v.strip() or MISSING for v in columns.get(named, ["event"] * n)]
    channels = _channels(columns, n)
    confidence = np.full(n, np.nan)
    if "confidence" in columns:
        try:
            stated = np.asarray([_seconds(v) for v in columns["confidence"]], np.float64)
        except ValueError:
            stated = np.full(n, -1.0)
        if np.any((stated < 0) | (stated > 1)):
            notes.append("The column confidence is not from 0 to 1 and was left aside.")
        else:
            confidence = stated
    authors = _authors(columns, n)
    marks = Marks(onset, onset + duration, tuple(labels), channels, IMPORTED, confidence)
    if set(authors) <= {IMPORTED}:
        notes.append("The table does not say who made it; give it with --author (or --reviewer).")
        marks = replace(marks, others=TRIALS)
    return marks.by_author(authors), notes


def _seconds(cell: str) -> float:
    return float("nan") if cell.strip() in (MISSING, "") else float(cell)


def _channels(columns: Mapping[str, list[str]], n: int) -> tuple[tuple[str, ...], ...]:
    named = next((name for name in CHANNELS if name in columns), "")
    cells = columns.get(named, [MISSING] * n)
    return tuple(
        () if v.strip() in (MISSING, "", "all") else tuple(c.strip() for c in v.split(","))
        for v in cells
    )


def _authors(columns: Mapping[str, list[str]], n: int) -> list[Author]:
    named = next((name for name in SCORERS if name in columns), "")
    persons = columns.get(named, [MISSING] * n)
    methods = columns.get("method", [MISSING] * n)
    return [
        Author("person", p.strip())
        if p.strip() not in (MISSING, "")
        else Author("model", m.strip())
        if m.strip() not in (MISSING, "")
        else IMPORTED
        for p, m in zip(persons, methods, strict=True)
    ]
