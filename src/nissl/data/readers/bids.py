"""Recordings in BIDS folders: EEG, MEG or iEEG with the tables beside it.

Give the data file ("sub-01_task-rest_eeg.edf"), or a folder of the data set that holds one
recording. The file is opened by the reader of its format; ``channels.tsv`` gives the types of
its channels and those marked bad (``metadata["bad_channels"]``), ``events.tsv`` the annotations
in place of those in the file. Subject and session are the labels of the path, which are
pseudonyms by BIDS's own rules. Nothing else of the data set is read.

Source: Pernet et al. 2019, Sci Data 6:103 (EEG-BIDS).
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nissl.data.annotations import Annotation, Annotations
from nissl.data.electrodes import electrodes, stream_kind
from nissl.data.readers import Opened, Reader, ReadOptions
from nissl.data.signal import Signal
from nissl.errors import BadArgumentError, BadMetadataError, CorruptSourceError

_NAME = re.compile(
    r"(?P<base>sub-(?P<subject>[A-Za-z0-9+]+)(?:_ses-(?P<session>[A-Za-z0-9+]+))?(?:_[a-z]+-[^_]+)*)"
    r"_(?:eeg|ieeg|meg)(?P<suffix>\.edf|\.bdf|\.vhdr|\.set|\.fif|\.nwb)"
)
_READERS = {".edf": "edf", ".bdf": "edf", ".nwb": "nwb"}
_TABLES = ("channels", "events")
_LARGEST_TABLE_BYTES = 1 << 26


class BidsReader:
    """Reads recordings named after BIDS that have tables beside them, and folders of one."""

    name = "bids"
    takes: frozenset[str] = frozenset()

    def matches(self, path: Path) -> bool:
        """Whether it is such a file, or a folder of a subject, session or data set with some."""
        if path.is_file():
            name = _NAME.fullmatch(path.name)
            return name is not None and any(_table(path, t) is not None for t in _TABLES)
        return path.is_dir() and _is_bids_folder(path) and bool(_recordings(path))

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open the data file and put what the tables say onto it."""
        from nissl.data.readers import READERS

        file = path
        if path.is_dir():
            found = _recordings(path)
            if len(found) > 1:
                shown = [str(f.relative_to(path)) for f in found[:12]]
                raise BadArgumentError(
                    "a folder with one recording",
                    f"{len(found)}: {shown}",
                    "Give one of these files, or each in turn.",
                )
            file = found[0]
        name = _NAME.fullmatch(file.name)
        if name is None:
            raise BadArgumentError(
                "a file named after BIDS (sub-LABEL_..._eeg.SUFFIX)", file.name, "Give its format."
            )
        reader: Reader = READERS.get(_READERS.get(name["suffix"], "mne"))
        opened = reader.open(file, options)
        notes = list(opened.notes)
        rows = _read_table(file, "channels")
        streams = opened.streams
        if rows is not None:
            streams = tuple(_typed(signal, rows) for signal in streams)
            notes += _unmatched(streams, rows)
        annotations = opened.annotations
        if _table(file, "events") is not None:
            annotations = Annotations(partial(_events, file))
        session = name["session"]
        return replace(
            opened,
            streams=streams,
            subject=replace(opened.subject, id=f"sub-{name['subject']}"),
            session=replace(opened.session, id=f"ses-{session}") if session else opened.session,
            annotations=annotations,
            notes=tuple(notes),
        )


def _is_bids_folder(path: Path) -> bool:
    if (path / "dataset_description.json").is_file():
        return True
    parts = path.absolute().parts[-3:]
    return any(re.fullmatch(r"sub-[A-Za-z0-9+]+", part) for part in parts)


def _recordings(folder: Path) -> list[Path]:
    """Data files in a folder of a data set, a subject or a session; derivatives left out."""
    found = []
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        for path in folder.glob(f"{depth}sub-*"):
            inside = path.relative_to(folder).parts
            if path.is_file() and _NAME.fullmatch(path.name) and inside[0] != "derivatives":
                found.append(path)
    return sorted(p for p in found if not re.search(r"_split-(?!0*1_)\d+_", p.name))


def _table(file: Path, what: str) -> Path | None:
    name = _NAME.fullmatch(file.name)
    table = file.parent / f"{name['base']}_{what}.tsv" if name else None
    return table if table is not None and table.is_file() else None


def _read_table(file: Path, what: str) -> list[dict[str, str]] | None:
    """Rows of a table beside a data file, or None where there is none."""
    table = _table(file, what)
    if table is None:
        return None
    if table.stat().st_size > _LARGEST_TABLE_BYTES:
        raise CorruptSourceError(
            f"a table of less than {_LARGEST_TABLE_BYTES} bytes",
            f"{table.name} of {table.stat().st_size}",
            "Check that it is a BIDS table.",
        )
    try:
        with table.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = [{k: v for k, v in row.items() if k is not None and v} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorruptSourceError(
            f"a table of text in {table.name}", f"{error}", "Restore it from the original."
        ) from error
    return rows


def _typed(signal: Signal, rows: list[dict[str, str]]) -> Signal:
    """Signal with the types and bad channels that channels.tsv states."""
    stated = {row.get("name", ""): row for row in rows}
    ids = signal.channels.ids
    before = signal.channels.types or ("",) * len(ids)
    types = tuple(
        "" if kind.lower() == "n/a" else kind
        for kind in (stated.get(i, {}).get("type", b) for i, b in zip(ids, before, strict=True))
    )
    kind = stream_kind(electrodes(ids, types))
    bad = [i for i in ids if stated.get(i, {}).get("status") == "bad"]
    metadata: dict[str, Any] = dict(signal.metadata)
    if bad:
        metadata["bad_channels"] = bad
    table = replace(signal.channels, types=types if any(types) else (), kind=kind)
    return replace(signal, channels=table, metadata=metadata)


def _unmatched(streams: tuple[Signal, ...], rows: list[dict[str, str]]) -> list[str]:
    there = {i for signal in streams for i in signal.channels.ids}
    named = {row.get("name", "") for row in rows}
    notes = []
    for what, names in (
        ("channels.tsv names channels that the file does not have", named - there),
        ("channels.tsv does not name all channels of the file", there - named),
    ):
        if names:
            notes.append(f"{what}: {', '.join(sorted(names)[:12])}.")
    return notes


def _events(file: Path) -> tuple[Annotation, ...]:
    """Annotations of events.tsv."""
    found = []
    for index, row in enumerate(_read_table(file, "events") or []):
        onset_s = _seconds(row.get("onset"), file, index)
        duration_s = _seconds(row.get("duration", "n/a"), file, index)
        if math.isnan(onset_s) or duration_s < 0:
            raise _bad_row(file, index, f"onset {row.get('onset')}, duration {row.get('duration')}")
        texts = (row.get(key) for key in ("trial_type", "value", "event_type", "type"))
        text = next((t for t in texts if t and t != "n/a"), "event")
        channel = row.get("channel", row.get("channels", "n/a"))
        lasting = 0.0 if math.isnan(duration_s) else duration_s
        found.append(Annotation(onset_s, lasting, text, "" if channel == "n/a" else channel))
    return tuple(sorted(found, key=lambda each: each.onset_s))


def _seconds(text: str | None, file: Path, index: int) -> float:
    if text is None or text == "n/a":
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise _bad_row(file, index, repr(text))
    return value


def _bad_row(file: Path, index: int, got: str) -> BadMetadataError:
    return BadMetadataError(
        f"finite seconds in row {index + 1} of the events.tsv of {file.name}",
        got,
        "Mend the row in the table; nissl repairs nothing in silence.",
    )


READER = BidsReader()
