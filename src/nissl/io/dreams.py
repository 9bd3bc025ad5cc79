"""Scorings of the DREAMS databases: text with a title and two columns of seconds.

The title names rater, event and channel, ``[vis2_Spindles/C3-A1]``; below it stand onset and
duration. A file holds one class on one channel by one rater, and nothing else; that is what can
be exported. Hypnograms of DREAMS are read by `nissl.io.hypnogram`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nissl.errors import ExportError
from nissl.io.files import corrupt, read_text
from nissl.io.mark_format import IMPORTED, MarkFormat, Sheet, first_bytes, seconds_text
from nissl.io.marks import Marks
from nissl.labels import Author

_TITLE = re.compile(r"\[([^\]_/]*)_([^\]/]+)(?:/([^\]]+))?\]")


def _write(sheet: Sheet, path: Path) -> None:
    marks = sheet.only
    labels, channels = set(marks.labels), set(marks.channels)
    named = sorted(labels)[0] if labels else ""
    channel = next(iter(channels))[0] if channels and channels != {()} else ""
    title = f"[{marks.author.name}_{named}{'/' if channel else ''}{channel}]"
    found = _TITLE.fullmatch(title)
    same = found is not None and found.groups("") == (marks.author.name, named, channel)
    one = len(labels) == 1 and len(channels) == 1 and all(len(c) < 2 for c in channels)
    if not one or not same or marks.author.kind != "person":
        raise ExportError(
            "one class on one channel by one person, with names without brackets, '_' and '/'",
            f"{len(labels)} classes on {len(channels)} sets of channels, {title!r}",
            "Export as bids, which holds them all.",
        )
    if not np.all(np.isfinite(marks.stop_s)):
        raise ExportError("spans", "instants", "Export as bids.")
    rows = zip(marks.start_s.tolist(), (marks.stop_s - marks.start_s).tolist(), strict=True)
    lines = [f"{seconds_text(a)}\t{seconds_text(b)}" for a, b in rows]
    path.write_text("\n".join([title, *lines]) + "\n", encoding="utf-8")


def _read(path: Path) -> Sheet:
    title, *lines = read_text(path).splitlines() or [""]
    with corrupt(path, "a title such as [vis1_Spindles/C3-A1] above onset and duration"):
        found = _TITLE.fullmatch(title.strip())
        if found is None:
            raise ValueError(f"the title {title!r:.60}")
        rows = [line.split() for line in lines if line.strip()]
        if any(len(row) != 2 for row in rows):
            raise ValueError("rows of other than two columns")
        table = np.asarray([[float(v) for v in row] for row in rows], np.float64).reshape(-1, 2)
    rater, label, channel = found.groups()
    n = table.shape[0]
    marks = Marks(
        table[:, 0],
        table[:, 0] + table[:, 1],
        (label,) * n,
        ((channel,) if channel else (),) * n,
        Author("person", rater) if rater else IMPORTED,
        classes=(label,),
    )
    return Sheet((marks,))


def _looks_like(path: Path) -> bool:
    title = first_bytes(path, 200).split(b"\n")[0].decode("utf-8", "replace").strip()
    return path.suffix.lower() == ".txt" and _TITLE.fullmatch(title) is not None


DREAMS = MarkFormat("dreams", "_dreams.txt", _write, _read, _looks_like)
