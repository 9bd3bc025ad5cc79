"""Tables of tracks: a row for each neuron in each volume, as CSV or TSV.

Columns are found by name: the volume (frame, volume, t, t_idx), the neuron (neuron, track, item,
id, name, worldline_id), x, y and, in volumes, z, all in voxels from 0; a confidence is kept. Rows
without a place say that the neuron was not seen. Only people's files are read here: what nissl
exports as csv is a folder.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import numpy as np

from nissl.annotators.tracks.positions import Positions
from nissl.errors import CorruptSourceError
from nissl.io.files import read_text
from nissl.io.points import FoundPoints, PointFile
from nissl.labels import Author

FRAME = ("frame", "volume", "t", "t_idx")
NEURON = ("neuron", "track", "item", "id", "name", "worldline_id")
SUFFIXES = (".csv", ".tsv")
_HEAD = 4096


def columns_of(head: str, path: Path) -> dict[str, str] | None:
    """Columns of a header line by what they say; None where some are missing."""
    names = [name.strip() for name in head.split(_separator(path))]
    lower = {name.lower(): name for name in names}
    found = {}
    for what, known in (("frame", FRAME), ("neuron", NEURON), ("x", ("x",)), ("y", ("y",))):
        name = next((lower[k] for k in known if k in lower), None)
        if name is None:
            return None
        found[what] = name
    return found | {what: lower[what] for what in ("z", "confidence") if what in lower}


def is_track_table(path: Path) -> bool:
    """Whether a file is a table with columns for volume, neuron, x and y."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    return bool(head) and columns_of(head.splitlines()[0], path) is not None


def find_tracks(path: Path, reviewer: str | None) -> tuple[FoundPoints, ...]:
    """Places of a table, by a person.

    Raises
    ------
    CorruptSourceError
        Something that is no number, or a neuron that is twice in one volume; its line is told.
    """
    text = read_text(path).removeprefix("\ufeff")
    columns = columns_of(text.splitlines()[0], path)
    if columns is None:
        raise CorruptSourceError(
            "columns for volume, neuron, x and y", text.splitlines()[0][:200], f"Mend {path}."
        )
    rows = list(csv.DictReader(StringIO(text), delimiter=_separator(path)))
    numbers = {
        what: [_number(row, columns[what], line, path) for line, row in enumerate(rows, 2)]
        for what in columns
        if what != "neuron"
    }
    called = [str(row[columns["neuron"]] or "").strip() for row in rows]
    for line, (name, frame) in enumerate(zip(called, numbers["frame"], strict=True), 2):
        if not name or not np.isfinite(frame) or frame < 0 or frame != int(frame):
            raise CorruptSourceError(
                "a neuron and a whole number of a volume from 0 on",
                f"{name!r} and {frame:g} in line {line}",
                f"Mend {path}.",
            )
    numbered = all(name.isdecimal() for name in called)
    names = sorted(set(called), key=int) if numbered else sorted(set(called))
    items = np.asarray([int(n) for n in names] if numbered else range(len(names)), np.int64)
    frames = np.unique(np.asarray(numbers["frame"], np.int64))
    xyz = np.full((frames.size, items.size, 3), np.nan)
    sure = np.full((frames.size, items.size), np.nan)
    place = {name: k for k, name in enumerate(names)}
    row_of = {int(frame): k for k, frame in enumerate(frames)}
    line_of: dict[tuple[int, int], int] = {}
    for line, name in enumerate(called, 2):
        k = line - 2
        at = row_of[int(numbers["frame"][k])], place[name]
        if at in line_of:
            raise CorruptSourceError(
                f"neuron {name!r} once in volume {frames[at[0]]}",
                f"lines {line_of[at]} and {line}",
                "Remove one of the two, or give one of them another identity.",
            )
        line_of[at] = line
        xyz[at] = [numbers["x"][k], numbers["y"][k], numbers["z"][k] if "z" in numbers else 0.0]
        if "confidence" in numbers:
            sure[at] = numbers["confidence"][k]
    notes = () if "z" in columns else ("There is no z; all neurons were put into plane 0.",)
    return (
        FoundPoints(
            Positions.build(frames, xyz, items=items, confidence=sure),
            Author("person", reviewer or "annotator"),
            names=() if numbered else tuple(names),
            notes=notes,
        ),
    )


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _number(row: Mapping[str, str | None], column: str, line: int, path: Path) -> float:
    value = (row.get(column) or "").strip()
    if not value or value.lower() in ("nan", "na", "n/a"):
        return float("nan")
    try:
        return float(value)
    except ValueError:
        raise CorruptSourceError(
            f"a number as {column}", f"{value!r:.60} in line {line}", f"Mend {path}."
        ) from None


TRACK_TABLE = PointFile("track-table", is_track_table, find_tracks)

__all__ = ["TRACK_TABLE", "columns_of", "find_tracks", "is_track_table"]
