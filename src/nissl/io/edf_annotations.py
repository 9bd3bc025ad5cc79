"""EDF+ files that hold annotations only, as sleep laboratories keep hypnograms.

One signal "EDF Annotations" in records of time-stamped annotation lists (TALs), after the
specification of EDF+ (Kemp and Olivan 2003, Clin. Neurophysiol. 114, 1755-1761). Written are
onset, duration, class, and the channel after "@@", as EDFbrowser and MNE do; an annotation on
several channels is written once for each and comes back as several. Sleep stages have the
specification's names ("Sleep stage N2"). Author and task stand in the fields for technician and
equipment, with blanks as underscores. It cannot hold confidence, probabilities or row ids.

Onsets count from the start that the header states, which is the first sample or, in recordings
that begin with a fraction of a second, up to one second before it. Where nobody knows when the
recording began, the header says 1985-01-01, as the specification asks.

Read are the annotations of any EDF+ or BDF+ file (`nissl.data.edf`). Texts of more than 40
characters are somebody's remarks, which may name a person: they come in as "remark".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from nissl import __version__
from nissl.annotators.sleep.stages import STAGES, stage_of
from nissl.data.edf.annotations import read_annotations
from nissl.data.edf.header import looks_like, read_header
from nissl.errors import ExportError
from nissl.io.annotations import TASK, to_marks, without_remarks
from nissl.io.files import corrupt
from nissl.io.mark_format import IMPORTED, MarkFormat, Sheet, first_bytes, seconds_text
from nissl.io.marks import Marks
from nissl.io.names import plain_name
from nissl.labels import Author

LABELS = ("EDF Annotations", "BDF Annotations")
_RECORD_BYTES = 61440
"""The most that the specification recommends for a record."""
_IDENTITY = slice(88, 168)
_OWN = re.compile(r"nissl/[^/]*/(person|model)/(\w*)")
_UNKNOWN = datetime(1985, 1, 1)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAMES = {stage: f"Sleep stage {stage}" for stage in STAGES} | {"unknown": "Sleep stage ?"}


def _write(sheet: Sheet, path: Path) -> None:
    marks = sheet.only
    parts = [part for k in range(len(marks)) for part in _tals(marks, k)]
    keeper = _signed(sheet.begin_s).encode("ascii") + b"\x14\x14\0"
    records = [keeper]
    for part in parts:
        if len(records[-1]) + len(part) > _RECORD_BYTES:
            records.append(keeper)
        records[-1] += part
    size = max(map(len, records))
    size += size % 2
    with open(path, "wb") as file:
        file.write(_header(sheet, marks, len(records), size // 2))
        for record in records:
            file.write(record.ljust(size, b"\0"))


def _tals(marks: Marks, k: int) -> Iterator[bytes]:
    text = _NAMES[marks.labels[k]] if marks.staging else marks.labels[k]
    stamp = _signed(marks.start_s[k])
    if np.isfinite(marks.stop_s[k]):
        stamp += "\x15" + seconds_text(marks.stop_s[k] - marks.start_s[k])
    for channel in marks.channels[k] or ("",):
        words = f"{text}@@{channel}" if channel else text
        odd = " ".join(words.split()) != words or "@@" in text or words.startswith("@@")
        if odd or any(c in words for c in "\0\x14\x15"):
            raise ExportError(
                "names without control characters, double blanks and '@@'",
                repr(words),
                "Rename the class, or export as bids.",
            )
        yield stamp.encode("ascii") + b"\x14" + words.encode("utf-8") + b"\x14\0"


def _signed(seconds: float) -> str:
    text = seconds_text(seconds)
    return text if text.startswith("-") else f"+{text}"


def _header(sheet: Sheet, marks: Marks, n_records: int, n_samples: int) -> bytes:
    start = sheet.start or _UNKNOWN
    day = f"{start.day:02}-{_MONTHS[start.month - 1]}-{start.year}" if sheet.start else "X"
    who = re.sub(r"\s+", "_", marks.author.name)
    if not who.isascii() or not who.isprintable():
        who = "X"
    own = f"nissl/{__version__}/{marks.author.kind}/{plain_name(marks.task or TASK)}"
    room = 80 - len(f"Startdate {day} X  {own}")
    # years from 1985 to 2084 have two digits; "yy" says that the year stands in the identity
    year = f"{start.year % 100:02}" if 1985 <= start.year <= 2084 else "yy"
    fields: Sequence[tuple[object, int]] = [
        ("0", 8),
        ("X X X X", 80),
        (f"Startdate {day} X {who if len(who) <= room else 'X'} {own}"[:80], 80),
        (f"{start:%d.%m.}{year}", 8),
        (f"{start:%H.%M.%S}", 8),
        (512, 8),
        ("EDF+C", 44),
        (n_records, 8),
        (0, 8),
        (1, 4),
        (LABELS[0], 16),
        ("", 80),
        ("", 8),
        (-1, 8),
        (1, 8),
        (-32768, 8),
        (32767, 8),
        ("", 80),
        (n_samples, 8),
        ("", 32),
    ]
    return b"".join(str(value).encode("ascii").ljust(width) for value, width in fields)


def _read(path: Path) -> Sheet:
    header = read_header(path)
    with corrupt(path, "annotations of EDF+"):
        found = read_annotations(header)
        identity = first_bytes(path, 256)[_IDENTITY].decode("latin-1").strip()
    words = identity.split()
    own = _OWN.fullmatch(words[-1]) if len(words) == 5 else None
    notes = list(header.notes)
    texts = [each.text for each in found]
    author, others = IMPORTED, TASK
    if own is not None:
        others = own[2] or TASK
        author = Author(own[1], words[3]) if words[3] != "X" else IMPORTED
        if set(texts) <= set(_NAMES.values()):
            texts = [stage_of(text) or text for text in texts]
    else:
        texts, told = without_remarks(texts)
        notes += [finding.sentence for finding in told]
    if author == IMPORTED:
        notes.append("EDF+ does not say who scored; give it with --author (or --reviewer).")
    known = header.start if header.start != _UNKNOWN or "Startdate X" not in identity else None
    marks = to_marks(found, texts, author, others=others)
    return Sheet((marks,), start=known, notes=tuple(notes))


def _is_annotations_only(path: Path) -> bool:
    """Whether a file is EDF+ with no other signal; recordings have a reader of their own."""
    head = first_bytes(path, 512)
    if not looks_like(head) or len(head) < 512:
        return False
    return head[252:256].strip() == b"1" and head[256:272].decode("latin-1").strip() in LABELS


EDF_ANNOTATIONS = MarkFormat(
    "edf-annotations", "_annotations.edf", _write, _read, _is_annotations_only, from_start=True
)
