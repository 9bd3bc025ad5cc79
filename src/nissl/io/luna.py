"""Luna's ``.annot`` files: a row for each annotation with class, channels, start and stop.

Written are six tab-separated columns (class, instance, channel, start, stop, meta) with seconds
since the start of the recording; stages have Luna's names (W N1 N2 N3 R ?). It cannot hold the
author, confidence or probabilities.

Read are rows of six, four or three columns; stops as seconds, "+duration", "..." (until the next
row) or epochs ("e:1" is the first of 30 s, "e:2:20" the second of 20 s). Elapsed times may be
"0+hh:mm:ss"; clock times "hh:mm:ss" need the start of the recording (``start=``).
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np

from nissl.annotators.sleep.stages import stages_among
from nissl.errors import BadArgumentError, BadLabelsError, BadMetadataError, ExportError
from nissl.io.files import corrupt, read_text
from nissl.io.mark_format import IMPORTED, MarkFormat, Sheet, seconds_text
from nissl.io.marks import Marks

_COLUMNS = ("class", "instance", "channel", "start", "stop", "meta")
_FORMS = {6: _COLUMNS, 4: ("class", "instance", "start", "stop"), 3: ("class", "start", "stop")}
_EPOCH = re.compile(r"e:(\d+)(?::([0-9.]+))?(?::([0-9.]+))?")
_ELAPSED = re.compile(r"0\+(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_CLOCK = re.compile(r"(\d\d?)[:.](\d\d)[:.](\d\d(?:\.\d+)?)")
_DAY_S = 86400.0


def _write(sheet: Sheet, path: Path) -> None:
    marks = sheet.only
    staging = marks.staging
    lines = ["\t".join(_COLUMNS)]
    for k, label in enumerate(marks.labels):
        name = "?" if staging and label == "unknown" else label
        channel = ",".join(marks.channels[k]) or "."
        if any("," in c or c == "." for c in marks.channels[k]):
            raise ExportError("channel names without commas", channel, "Rename the channels.")
        stop = marks.stop_s[k] if np.isfinite(marks.stop_s[k]) else marks.start_s[k]
        cells = [name, ".", channel, seconds_text(marks.start_s[k]), seconds_text(stop), "."]
        lines.append("\t".join(cells))
        odd = name.startswith("#") or name != name.strip()
        if odd or len(lines[-1].split("\t")) != 6 or len(lines[-1].splitlines()) != 1:
            raise ExportError(
                "classes without tabs, line breaks, outer blanks or a leading '#'",
                repr(label),
                "Rename the class, or export as bids.",
            )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read(path: Path, start: str | None = None) -> Sheet:
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    rows = [_cells(line) for line in lines if not line.startswith("#")]
    if rows and tuple(rows[0]) in _FORMS.values():
        rows = rows[1:]
    wrong = [k + 1 for k, row in enumerate(rows) if len(row) not in _FORMS]
    if wrong:
        raise BadLabelsError(
            "rows of 6, 4 or 3 columns", f"others: rows {wrong[:10]}", "Mend them in a copy."
        )
    began = _began(start)
    named = [dict(zip(_FORMS[len(row)], row, strict=True)) for row in rows]
    with corrupt(path, "times of Luna"):
        starts = [_start(row["start"], began) for row in named]
        stops = [
            _stop(row, starts[k], starts[k + 1] if k + 1 < len(starts) else np.nan, began)
            for k, row in enumerate(named)
        ]
    stages = stages_among(row["class"] for row in named)
    marks = Marks(
        np.asarray(starts, np.float64),
        np.asarray(stops, np.float64),
        tuple(stages.get(row["class"], row["class"]) for row in named),
        tuple(_channels(row.get("channel", ".")) for row in named),
        IMPORTED,
    )
    return Sheet((marks,), notes=("Luna's files do not say who made the annotations.",))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()


def _channels(cell: str) -> tuple[str, ...]:
    return () if cell == "." else tuple(name.strip() for name in cell.split(","))


def _start(text: str, began: float | None) -> float:
    epoch = _EPOCH.fullmatch(text)
    if epoch:
        return _epoch(epoch)[0]
    return _seconds(text, began)


def _stop(row: dict[str, str], start: float, following: float, began: float | None) -> float:
    text = row["stop"]
    last = _EPOCH.fullmatch(text)
    first = _EPOCH.fullmatch(row["start"])
    if last:
        return _epoch(last)[1]
    if text == "." and first:
        return _epoch(first)[1]
    if text == "...":
        if not np.isfinite(following):
            raise BadMetadataError(
                "a stop of the last row",
                "'...', the end of the recording",
                "Write its stop in seconds in a copy of the file.",
            )
        return following
    if text.startswith("+"):
        return start + float(text[1:])
    stop = _seconds(text, began)
    after_midnight = _CLOCK.fullmatch(text) is not None and stop < start
    return stop + _DAY_S if after_midnight else stop


def _epoch(found: re.Match[str]) -> tuple[float, float]:
    number, length, step = found.groups()
    length_s = float(length) if length else 30.0
    begin = (int(number) - 1) * (float(step) if step else length_s)
    return begin, begin + length_s


def _seconds(text: str, began: float | None) -> float:
    elapsed = _ELAPSED.fullmatch(text)
    if elapsed:
        return _of_day(elapsed)
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return float(text)
    if began is None:
        raise BadMetadataError(
            "when the recording began, for times of day",
            f"{text!r}",
            "Give it: --start 2026-03-01T22:30:00 (start=...).",
        )
    return (_of_day(clock) - began) % _DAY_S  # the first such time after the start


def _of_day(found: re.Match[str]) -> float:
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def _began(start: str | None) -> float | None:
    if start is None:
        return None
    try:
        began = datetime.fromisoformat(start)
    except ValueError:
        raise BadArgumentError(
            "an ISO date and time", repr(start), "Write it as 2026-03-01T22:30:00."
        ) from None
    return began.hour * 3600 + began.minute * 60 + began.second + began.microsecond / 1e6


def _looks_like(path: Path) -> bool:
    return path.suffix.lower() == ".annot" and path.is_file()


LUNA = MarkFormat("luna", ".annot", _write, _read, _looks_like, reading=("start",))
