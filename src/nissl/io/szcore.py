"""Seizures as SzCORE keeps them: one BIDS-like table for each recording.

The columns are those of the framework (Dan et al. 2024, Epilepsia, "SzCORE") and its library
epilepsy2bids: onset, duration, eventType, confidence, channels, dateTime, recordingDuration.
Types of events are "sz", the ILAE types below it ("sz_foc_ia", ...) and "bckg"; the class
"seizure" is written as "sz" and read from it.

It holds seizures: rows of other classes and instants are left out of an export, and a recording
without any is one row of background. Read, background claims nothing. The author is not kept,
nor probabilities and row ids. Where nobody knows when the recording began, 1970-01-01 stands.
"""

from __future__ import annotations

import csv
import re
from datetime import datetime
from pathlib import Path

import numpy as np

from nissl.errors import BadMetadataError, ExportError
from nissl.io.files import corrupt, read_table
from nissl.io.mark_format import IMPORTED, MarkFormat, Sheet, first_bytes, seconds_text
from nissl.io.marks import Marks, check_times

COLUMNS = (
    "onset",
    "duration",
    "eventType",
    "confidence",
    "channels",
    "dateTime",
    "recordingDuration",
)
BACKGROUND = "bckg"
_SEIZURE = "seizure"
_TYPE = re.compile(r"sz(_(foc|gen|uo)(_[A-Za-z0-9]+)*)?")
_CLOCK = "%Y-%m-%d %H:%M:%S"
_UNKNOWN = datetime(1970, 1, 1)
_MISSING = "n/a"


def event_type(name: str) -> str | None:
    """SzCORE's type for a class; None where it is no kind of seizure."""
    if name.strip().lower() in (_SEIZURE, "seiz", "sz"):
        return "sz"
    return name if _TYPE.fullmatch(name) else None


def _holds(marks: Marks) -> Marks:
    """Lasting seizures only, under the names that they are read back with."""
    kept = [event_type(label) is not None for label in marks.labels]
    if not any(event_type(name) for name in marks.classes or marks.labels):
        raise ExportError(
            "a class of seizures ('seizure', 'sz', 'sz_foc_ia', ...)",
            f"the classes {sorted(set(marks.classes or marks.labels))}",
            "SzCORE holds seizures; export as bids, which holds every event.",
        )
    rows = np.asarray(kept, bool) & np.isfinite(marks.stop_s)
    part = marks.take(rows, classes=())
    return part.take(np.ones(len(part), bool), labels=tuple(_named(v) for v in part.labels))


def _named(label: str) -> str:
    kind = event_type(label) or label
    return _SEIZURE if kind == "sz" else kind


def _write(sheet: Sheet, path: Path) -> None:
    marks = sheet.only
    if sheet.end_s is None:
        raise ExportError("how long the recording lasts", "unknown", "Add the recording.")
    total = seconds_text(sheet.end_s)
    always = [(sheet.start or _UNKNOWN).strftime(_CLOCK), total]
    rows = []
    for k, label in enumerate(marks.labels):
        confidence = float(marks.confidence[k])
        channels = ",".join(marks.channels[k])
        if any("," in name for name in marks.channels[k]):
            raise ExportError("channel names without commas", channels, "Rename the channels.")
        stated = repr(round(confidence, 7)) if np.isfinite(confidence) else _MISSING
        row = [seconds_text(marks.start_s[k]), seconds_text(marks.stop_s[k] - marks.start_s[k])]
        rows.append([*row, event_type(label), stated, channels or _MISSING])
    rows = rows or [["0", total, BACKGROUND, _MISSING, _MISSING]]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([*row, *always] for row in rows)


def _read(path: Path) -> Sheet:
    table = read_table(path)
    lacking = [name for name in COLUMNS[:3] if name not in table]
    if lacking:
        raise BadMetadataError(
            f"the columns {list(COLUMNS)}",
            f"{list(table)}, without {lacking}",
            "Give a table of SzCORE; other tables of events are imported as BIDS.",
        )
    with corrupt(path, "numbers of seconds"):
        onset = np.asarray([float(v) for v in table["onset"]], np.float64)
        duration = np.asarray([float(v) for v in table["duration"]], np.float64)
        n = onset.size
        confidence = [_number(v) for v in table.get("confidence", [_MISSING] * n)]
        lengths = {_number(v) for v in table.get("recordingDuration", [])}
    check_times(onset, onset + duration)
    kinds = [v.rstrip(":") for v in table["eventType"]]
    channels = tuple(
        () if v in (_MISSING, "", "all") else tuple(c.strip() for c in v.split(","))
        for v in table.get("channels", [_MISSING] * n)
    )
    names = tuple(_named(kind) for kind in kinds)
    every = Marks(onset, onset + duration, names, channels, IMPORTED, np.asarray(confidence))
    marked = np.asarray([kind != BACKGROUND for kind in kinds], bool)
    marks = every.take(marked, classes=() if marked.any() else (_SEIZURE,))
    notes = ["SzCORE does not say who marked the seizures; give it with --author (or --reviewer)."]
    if marked.any() and not marked.all():
        notes.append(f"{int((~marked).sum())} rows of background were read over.")
    known = {v for v in lengths if np.isfinite(v)}
    end = known.pop() if len(known) == 1 else None
    return Sheet((marks,), 0.0, end, _start(table), tuple(notes))


def _number(text: str) -> float:
    return float("nan") if text in (_MISSING, "") else float(text)


def _start(table: dict[str, list[str]]) -> datetime | None:
    for text in table.get("dateTime", [])[:1]:
        try:
            began = datetime.fromisoformat(text).replace(tzinfo=None)
        except ValueError:
            return None
        return None if began == _UNKNOWN else began
    return None


def _looks_like(path: Path) -> bool:
    if path.suffix != ".tsv":
        return False
    head = first_bytes(path, 400).split(b"\n")[0].decode("utf-8", "replace").strip().split("\t")
    return head[:3] == list(COLUMNS[:3])


SZCORE = MarkFormat("szcore", "_szcore.tsv", _write, _read, _looks_like, holds=_holds)
