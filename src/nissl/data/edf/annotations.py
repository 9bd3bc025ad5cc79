"""Time-stamped annotations of EDF+ and BDF+ files, and the times of their data records.

The first list of each data record keeps the time of the record; it is no annotation. The end
"@@NAME" of a text names the channel it speaks of, as other programs write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from nissl.data.annotations import Annotation, Annotations
from nissl.data.edf.header import EdfHeader, SignalHeader
from nissl.data.files import BLOCK_BYTES, read_rows
from nissl.errors import CorruptSourceError

_TIMES = re.compile(rb"([+-]\d{1,12}(?:\.\d{0,12})?)(?:\x15(\d{1,12}(?:\.\d{0,12})?)?)?\x14")

List = tuple[float, float, tuple[str, ...]]
"""Onset and duration in seconds, and texts; the first text of a time-keeping list is ""."""


def file_annotations(header: EdfHeader) -> Annotations:
    """All annotations of a file, not read yet."""
    size = header.n_records * sum(s.n_per_record for s in header.texts) * header.sample_bytes
    return Annotations(partial(read_annotations, header), size)


def read_annotations(header: EdfHeader) -> tuple[Annotation, ...]:
    """Read every annotation of a file, in order of onset.

    Raises
    ------
    CorruptSourceError
        A list that does not read; its data record is named.
    """
    found = []
    for index, signal in enumerate(header.texts):
        for record, row in enumerate(_rows(header, signal, 0, header.n_records)):
            for place, (onset_s, duration_s, texts) in enumerate(_lists(row, record, header)):
                keeps_time = index == 0 and place == 0 and texts[:1] == ("",)
                for text in texts[1:] if keeps_time else texts:
                    if text:
                        remark, _, channel = text.partition("@@")
                        found.append(Annotation(onset_s, duration_s, remark, channel))
    return tuple(sorted(found, key=lambda each: each.onset_s))


def record_onset_s(header: EdfHeader, record: int) -> float | None:
    """Time of a data record in seconds after the start; None where the file keeps none."""
    onsets = record_onsets(header, record, record + 1)
    return None if onsets is None else float(onsets[0])


def record_onsets(header: EdfHeader, first: int, last: int) -> npt.NDArray[np.float64] | None:
    """Times of data records, shape (last - first,), seconds; None where one keeps none."""
    if not header.texts:
        return None
    onsets = np.empty(last - first)
    for k, row in enumerate(_rows(header, header.texts[0], first, last)):
        lists = _lists(row[: row.find(b"\x00") + 1] or row, first + k, header)
        if not lists or lists[0][2][:1] != ("",):
            return None
        onsets[k] = lists[0][0]
    return onsets


def _rows(header: EdfHeader, signal: SignalHeader, first: int, last: int) -> Iterator[bytes]:
    """Bytes of one signal in each data record."""
    row_bytes = signal.n_per_record * header.sample_bytes
    step = max(1, BLOCK_BYTES // row_bytes)
    for a in range(first, last, step):
        rows = np.empty((min(a + step, last) - a, row_bytes), dtype=np.uint8)
        offset = header.header_bytes + a * header.record_bytes + signal.offset
        read_rows(header.path, offset, header.record_bytes, rows)
        for row in rows:
            yield row.tobytes()


def _lists(row: bytes, record: int, header: EdfHeader) -> list[List]:
    """Time-stamped annotation lists of one signal in one data record."""
    out: list[List] = []
    for part in row.split(b"\x00"):
        if not part:
            continue
        match = _TIMES.match(part)
        if match is None or not part.endswith(b"\x14"):
            raise CorruptSourceError(
                f"annotations in data record {record + 1} that follow the EDF+ format",
                repr(part[:40]),
                f"The annotations are damaged in {header.path}; restore it from the original.",
            )
        onset, duration = match.groups()
        texts = part[match.end() : -1].split(b"\x14")
        out.append((float(onset), float(duration or 0), tuple(_text(t) for t in texts)))
    return out


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return " ".join(text.split())
