"""Annotations of MNE: ``.fif``, ``.txt`` and ``.csv``, by the ending of the path.

Written with no origin (`orig_time` None): onsets count from the first sample, so
``raw.set_annotations(mne.read_annotations(path))`` puts them where they were. What each holds:
``.fif`` (the default) author and confidence, but times as 32-bit numbers, which is coarser than
a sample in long recordings, and verification then says so; ``.txt`` exact times, but no author
and only ASCII names without commas (MNE reads no others); ``.csv`` times to the microsecond,
which MNE itself reads back relative to the first annotation, so it is for other programs. None
holds probabilities or row ids.

Files with an origin count from it: nissl takes it for the start of the recording and says so;
a ``.csv`` with dates needs the start of the recording (``start=``), for it has no other zero.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from nissl.errors import BadArgumentError, BadMetadataError, ExportError
from nissl.io.annotations import TASK
from nissl.io.files import corrupt, read_text
from nissl.io.mark_format import IMPORTED, MarkFormat, Sheet, first_bytes, seconds_text
from nissl.io.marks import Marks
from nissl.labels import Author
from nissl.labels.convert.common import package

_HEADER = "# MNE-Annotations"
_EPOCH = datetime(1970, 1, 1)
_NAME = "-annot.fif"
_REFERENCE = re.compile(r"&#(\d{2,7});")
"""How MNE writes what is not Latin-1."""
_FORBIDDEN = (",", "\n", "\r", "#", '"')


def _write(sheet: Sheet, path: Path) -> None:
    marks = sheet.only
    if path.suffix == ".fif":
        _write_fif(marks, path)
    elif path.suffix == ".csv":
        _write_csv(marks, path)
    elif path.suffix == ".txt":
        _write_txt(marks, path)
    else:
        raise BadArgumentError(
            "a path that ends in .fif, .txt or .csv", repr(path.name), "Choose another name."
        )


def _write_fif(marks: Marks, path: Path) -> None:
    mne = package("mne")
    who = "scorer" if marks.author.kind == "person" else "method"
    extras: list[dict[str, Any]] = [{who: marks.author.name} for _ in range(len(marks))]
    if marks.author.version:
        for extra in extras:
            extra["version"] = marks.author.version
    for extra, confidence in zip(extras, marks.confidence.tolist(), strict=True):
        if np.isfinite(confidence):
            extra["confidence"] = confidence
    duration = np.nan_to_num(marks.stop_s - marks.start_s)
    made = mne.Annotations(
        marks.start_s, duration, list(marks.labels), ch_names=list(marks.channels), extras=extras
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of temporary names that do not end in -annot.fif
        made.save(path, overwrite=True, verbose="ERROR")


def _write_txt(marks: Marks, path: Path) -> None:
    for text in {*marks.labels, *(c for names in marks.channels for c in names)}:
        if any(c in text for c in _FORBIDDEN) or text != text.strip() or not text.isascii():
            raise ExportError(
                "ASCII names without commas, '#', quotes and outer blanks",
                repr(text),
                "Export to a path that ends in -annot.fif.",
            )
    named = any(marks.channels)
    lines = [_HEADER, "# onset, duration, description" + (", ch_names" if named else "")]
    for k, (onset, duration) in enumerate(_times(marks)):
        cells = [onset, duration, marks.labels[k]]
        lines.append(",".join(cells + ([_joined(marks.channels[k])] if named else [])))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_csv(marks: Marks, path: Path) -> None:
    if marks.start_s.size and marks.start_s.min() < 0:
        raise ExportError("onsets from 0 s on", f"{marks.start_s.min():g} s", "Export to .txt.")
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["onset", "duration", "description", "ch_names"])
        for k, (_, duration) in enumerate(_times(marks)):
            at = np.datetime64(0, "us") + np.timedelta64(round(marks.start_s[k] * 1e6), "us")
            onset = str(at).replace("T", " ")
            writer.writerow([onset, duration, marks.labels[k], _joined(marks.channels[k])])


def _times(marks: Marks) -> list[tuple[str, str]]:
    lasting = np.nan_to_num(marks.stop_s - marks.start_s)
    pairs = zip(marks.start_s.tolist(), lasting.tolist(), strict=True)
    return [(seconds_text(a), seconds_text(b)) for a, b in pairs]


def _joined(names: Sequence[str]) -> str:
    """Names in one cell, as MNE writes them: colons between, "{COLON}" for those within."""
    return ":".join(name.replace(":", "{COLON}") for name in names)


def _split(cell: str) -> tuple[str, ...]:
    return tuple(n.replace("{COLON}", ":") for n in cell.split(":")) if cell.strip() else ()


def _read(path: Path, start: str | None = None) -> Sheet:
    began = _date(start) if start else None
    if path.suffix == ".csv":
        return _read_csv(path, began)
    if path.suffix == ".txt":
        return _read_txt(path)
    return _read_fif(path)


def _read_fif(path: Path) -> Sheet:
    mne = package("mne")
    with corrupt(path, "annotations of MNE"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mne.read_annotations(path)
        extras = [dict(extra) for extra in found.extras]
    onset = np.asarray(found.onset, np.float64)
    stop = onset + np.asarray(found.duration, np.float64)
    authors = [_author(extra) for extra in extras]
    confidence = np.asarray([float(e.get("confidence") or np.nan) for e in extras], np.float64)
    labels = tuple(_REFERENCE.sub(lambda m: chr(int(m[1])), str(d)) for d in found.description)
    channels = tuple(tuple(names) for names in found.ch_names)
    origin = found.orig_time
    marks = Marks(onset, stop, labels, channels, IMPORTED, confidence, others=TASK)
    each = marks.by_author(authors)
    return _with_origin(each, None if origin is None else origin.replace(tzinfo=None))


def _author(extra: dict[str, Any]) -> Author:
    if extra.get("scorer"):
        return Author("person", str(extra["scorer"]))
    if extra.get("method"):
        return Author("model", str(extra["method"]), str(extra.get("version") or ""))
    return IMPORTED


def _read_txt(path: Path) -> Sheet:
    lines = read_text(path).splitlines()
    head = [line for line in lines if line.startswith("#")]
    origin = next((h.split(":", 1)[1].strip() for h in head if h.startswith("# orig_time")), None)
    titles = next((h for h in head if h.startswith("# onset")), "# onset,duration,description")
    columns = [c.strip() for c in titles[1:].split(",")]
    with corrupt(path, f"rows of {', '.join(columns)}"):
        rows = [line.split(",") for line in lines if line.strip() and not line.startswith("#")]
        if any(len(row) < 3 or len(row) > max(len(columns), 4) for row in rows):
            raise ValueError(f"rows of other than {len(columns)} columns")
        marks = _marks(rows, "ch_names" in columns or len(columns) == 3)
        began = None if origin is None else _date(origin)
    return _with_origin((marks,), began)


def _marks(rows: list[list[str]], named: bool) -> Marks:
    onset = np.asarray([float(row[0]) for row in rows], np.float64)
    duration = np.asarray([float(row[1]) for row in rows], np.float64)
    channels = tuple(_split(row[3].strip()) if named and len(row) > 3 else () for row in rows)
    labels = tuple(row[2].strip() for row in rows)
    return Marks(onset, onset + duration, labels, channels, IMPORTED, others=TASK)


def _read_csv(path: Path, began: datetime | None) -> Sheet:
    text = read_text(path)
    with corrupt(path, "a table with onset, duration and description"):
        rows = [dict(row) for row in csv.DictReader(StringIO(text, newline=""))]
        stamps = [np.datetime64(datetime.fromisoformat(row["onset"]), "us") for row in rows]
        plain = [[row["onset"], row["duration"], row["description"]] for row in rows]
        channels = tuple(_split(row.get("ch_names") or "") for row in rows)
    dated = bool(stamps) and min(stamps) >= np.datetime64("1971-01-01")
    if dated and began is None:
        raise BadMetadataError(
            "when the recording began, for annotations with dates",
            f"dates from {min(stamps)} on",
            "Give it: --start 2026-03-01T22:30:00 (start=...).",
        )
    zero = np.datetime64(began if dated else _EPOCH, "us")
    onset = np.asarray([(s - zero) / np.timedelta64(1, "s") for s in stamps], np.float64)
    with corrupt(path, "durations"):
        duration = np.asarray([float(row[1]) for row in plain], np.float64)
    labels = tuple(row[2] for row in plain)
    marks = Marks(onset, onset + duration, labels, channels, IMPORTED, others=TASK)
    return Sheet((marks,), start=began)


def _with_origin(marks: tuple[Marks, ...], origin: datetime | None) -> Sheet:
    notes: tuple[str, ...] = ()
    if origin is not None:
        notes = (f"Onsets count from {origin}, taken for the start of the recording.",)
    return Sheet(marks, start=origin, notes=notes)


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        raise BadArgumentError(
            "an ISO date and time", repr(text), "Write it as 2026-03-01T22:30:00."
        ) from None


def _looks_like(path: Path) -> bool:
    if path.suffix == ".fif":
        return path.name.endswith((_NAME, "_annot.fif")) and path.is_file()
    head = first_bytes(path, 200)
    if path.suffix == ".txt":
        return head.startswith(_HEADER.encode())
    return path.suffix == ".csv" and head.startswith(b"onset,duration,description")


MNE = MarkFormat("mne", "-annot.fif", _write, _read, _looks_like, reading=("start",))
