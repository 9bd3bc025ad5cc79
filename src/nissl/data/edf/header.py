"""The header of an EDF or BDF file, checked against itself and against the file's size."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from pathlib import Path

from nissl.errors import BadMetadataError, CorruptSourceError

FIXED_BYTES = 256
_FIELDS = (
    ("label", 16),
    ("transducer", 80),
    ("unit", 8),
    ("physical_min", 8),
    ("physical_max", 8),
    ("digital_min", 8),
    ("digital_max", 8),
    ("prefilter", 80),
    ("n_per_record", 8),
    ("reserved", 32),
)
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_INTEGER = re.compile(r"[+-]?\d{1,8}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class SignalHeader:
    """One signal of the file.

    Parameters
    ----------
    label, unit : str
    physical_min, physical_max : float
        In `unit`, at `digital_min` and `digital_max`; they may be swapped (inverted).
    digital_min, digital_max : int
    n_per_record : int
        Samples in a data record.
    offset : int
        Bytes before them in a data record.
    prefilter : str
        Filters of the amplifier.
    """

    label: str
    unit: str
    physical_min: float
    physical_max: float
    digital_min: int
    digital_max: int
    n_per_record: int
    offset: int
    prefilter: str

    @property
    def is_annotations(self) -> bool:
        """Whether it carries text instead of samples."""
        return self.label in _ANNOTATIONS

    @property
    def calibrated(self) -> bool:
        """Whether digital values mean something."""
        return self.physical_min != self.physical_max and self.digital_min < self.digital_max

    @property
    def gain(self) -> float:
        """Units per digital step."""
        span = self.digital_max - self.digital_min
        return (self.physical_max - self.physical_min) / span

    @property
    def shift(self) -> float:
        """Units at the digital value 0."""
        return self.physical_min - self.digital_min * self.gain


@dataclass(frozen=True)
class EdfHeader:
    """What a header says, in agreement with the size of its file.

    Parameters
    ----------
    path : str
    sample_bytes : {2, 3}
        EDF or BDF.
    plus : {"", "C", "D"}
        EDF+ continuous or discontinuous; "" for the plain formats.
    start : datetime, optional
        Local date and time of the start; None where the file does not say.
    n_records : int
    record_s : float
        Duration of a data record; 0 in files of annotations alone.
    signals : tuple of SignalHeader
    notes : tuple of str
        What is odd and was understood all the same, one sentence each.
    """

    path: str
    sample_bytes: int
    plus: str
    start: datetime.datetime | None
    n_records: int
    record_s: float
    signals: tuple[SignalHeader, ...]
    notes: tuple[str, ...] = ()

    @property
    def header_bytes(self) -> int:
        """Bytes before the first data record."""
        return FIXED_BYTES * (len(self.signals) + 1)

    @property
    def record_bytes(self) -> int:
        """Bytes of a data record."""
        return sum(signal.n_per_record for signal in self.signals) * self.sample_bytes

    @property
    def samples(self) -> tuple[SignalHeader, ...]:
        """Signals that carry samples which mean something."""
        return tuple(s for s in self.signals if not s.is_annotations and s.calibrated)

    @property
    def texts(self) -> tuple[SignalHeader, ...]:
        """Signals that carry annotations."""
        return tuple(s for s in self.signals if s.is_annotations)


def read_header(path: Path) -> EdfHeader:
    """Read and check the header of a file.

    Raises
    ------
    CorruptSourceError
        No such header; truncated; it contradicts itself or the size of the file.
    BadMetadataError
        A duration, count or calibration that cannot be.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(FIXED_BYTES)
        sample_bytes = _sample_bytes(fixed, path)
        n_signals = _integer(fixed[252:256], "number of signals", path)
        if not 1 <= n_signals <= 9999:
            raise _bad("1 to 9999 signals", f"{n_signals}", path)
        header_bytes = _integer(fixed[184:192], "size of the header", path)
        if header_bytes != FIXED_BYTES * (n_signals + 1):
            raise CorruptSourceError(
                f"a header of {FIXED_BYTES * (n_signals + 1)} bytes for {n_signals} signals",
                f"{header_bytes} in the header of {path.name}",
                "The header is damaged; restore the file from the original.",
            )
        block = file.read(header_bytes - FIXED_BYTES)
    if len(block) < header_bytes - FIXED_BYTES:
        raise CorruptSourceError(
            f"a header of {header_bytes} bytes",
            f"a file of {size}",
            f"{path.name} is truncated; restore it from the original.",
        )
    reading = _Reading(path)
    signals = reading.signals(block, n_signals, sample_bytes)
    start = reading.start(fixed[168:176], fixed[176:184])
    record_s = reading.duration(fixed[244:252], signals)
    stated = _integer(fixed[236:244], "number of data records", path)
    record_bytes = sum(s.n_per_record for s in signals) * sample_bytes
    n_records = reading.n_records(stated, size - header_bytes, record_bytes)
    plus = {"+C": "C", "+D": "D"}.get(_text(fixed[195:197]), "")
    return EdfHeader(
        path=str(path),
        sample_bytes=sample_bytes,
        plus=plus if _text(fixed[192:195]) in ("EDF", "BDF") else "",
        start=start,
        n_records=n_records,
        record_s=record_s,
        signals=signals,
        notes=tuple(reading.notes),
    )


def patient_code(path: Path) -> str | None:
    """Code of the patient in an EDF+ header, for those who ask to keep it; None where hidden."""
    with path.open("rb") as file:
        words = _text(file.read(88)[8:]).split()
    return words[0] if len(words) >= 4 and words[0] != "X" else None


def looks_like(head: bytes) -> bool:
    """Whether the first bytes of a file are those of EDF or BDF."""
    return head.startswith((b"0       ", b"\xffBIOSEMI"))


class _Reading:
    """The parts of one header, and what is odd about them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []

    def signals(self, block: bytes, n: int, sample_bytes: int) -> tuple[SignalHeader, ...]:
        """Signals of the second part of the header."""
        columns: dict[str, list[bytes]] = {}
        at = 0
        for name, width in _FIELDS:
            columns[name] = [block[at + i * width : at + (i + 1) * width] for i in range(n)]
            at += n * width
        offset, out = 0, []
        for i in range(n):
            signal = self._signal({k: v[i] for k, v in columns.items()}, i, offset, sample_bytes)
            offset += signal.n_per_record * sample_bytes
            out.append(signal)
        return tuple(out)

    def _signal(
        self, raw: dict[str, bytes], index: int, offset: int, sample_bytes: int
    ) -> SignalHeader:
        label = _text(raw["label"])
        what = f"of signal {index + 1} ({label})"
        n_per_record = _integer(raw["n_per_record"], f"samples per record {what}", self.path)
        if n_per_record < 1:
            raise _bad(f"at least 1 sample per data record {what}", f"{n_per_record}", self.path)
        if label in _ANNOTATIONS:
            return SignalHeader(label, "", -1, 1, -32768, 32767, n_per_record, offset, "")
        digital_min = _integer(raw["digital_min"], f"digital minimum {what}", self.path)
        digital_max = _integer(raw["digital_max"], f"digital maximum {what}", self.path)
        most = 1 << (8 * sample_bytes - 1)
        if digital_min < -most or digital_max > most - 1 or digital_min > digital_max:
            raise _bad(
                f"digital limits within {-most}..{most - 1}, ascending, {what}",
                f"{digital_min}..{digital_max}",
                self.path,
            )
        signal = SignalHeader(
            label=label,
            unit=_text(raw["unit"]),
            physical_min=self._number(raw["physical_min"], f"physical minimum {what}"),
            physical_max=self._number(raw["physical_max"], f"physical maximum {what}"),
            digital_min=digital_min,
            digital_max=digital_max,
            n_per_record=n_per_record,
            offset=offset,
            prefilter=_text(raw["prefilter"]),
        )
        if not signal.calibrated:
            self.notes.append(
                f"Signal {label!r} has no calibration (its limits are equal) and is left out."
            )
        return signal

    def _number(self, raw: bytes, what: str) -> float:
        text = _text(raw)
        if "," in text:
            self.notes.append(f"The {what} is written with a comma: {text!r}.")
            text = text.replace(",", ".")
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(value):
            raise _bad(f"a number as {what}", repr(text), self.path)
        return value

    def start(self, date: bytes, time: bytes) -> datetime.datetime | None:
        """Start of the recording; two-digit years are 1985 to 2084."""
        found = re.fullmatch(
            r"(\d\d)[.\-/](\d\d)[.\-/](\d\d) (\d\d)[.:](\d\d)[.:](\d\d)",
            f"{_text(date)} {_text(time)}",
        )
        if found is not None:
            day, month, year, hour, minute, second = map(int, found.groups())
            try:
                century = 1900 if year >= 85 else 2000
                return datetime.datetime(century + year, month, day, hour, minute, second)
            except ValueError:
                pass
        self.notes.append("The header states no valid date and time of the start.")
        return None

    def duration(self, raw: bytes, signals: tuple[SignalHeader, ...]) -> float:
        """Seconds of a data record."""
        seconds = self._number(raw, "duration of a data record")
        only_text = all(signal.is_annotations for signal in signals)
        if seconds > 0 or (seconds == 0 and only_text):
            return seconds
        raise BadMetadataError(
            f"data records of more than 0 s in {self.path.name}",
            f"{seconds:g} s",
            "The header is wrong; write the right duration into bytes 244 to 251 of a copy.",
        )

    def n_records(self, stated: int, data_bytes: int, record_bytes: int) -> int:
        """Data records in the file, which must agree with the header unless it says -1."""
        whole, rest = divmod(max(0, data_bytes), record_bytes)
        if stated == -1 and whole:
            self.notes.append(
                f"The header leaves the number of data records open (the recording was not "
                f"closed); the file holds {whole}"
                + (f" and {rest} bytes of one more, which is left out." if rest else ".")
            )
            return whole
        if stated == whole and whole and not rest:
            return whole
        said = f"{whole} data records" + (f" and {rest} bytes more" if rest else "")
        if whole == 0 and stated in (-1, 0):
            raise CorruptSourceError(
                f"data records in {self.path.name}", said, "The recording holds nothing."
            )
        raise CorruptSourceError(
            f"{stated} data records of {record_bytes} bytes, as the header of "
            f"{self.path.name} says",
            said,
            "Restore it from the original; to read what is there, write -1 into bytes 236 to "
            "243 of a copy.",
        )


def _sample_bytes(fixed: bytes, path: Path) -> int:
    if len(fixed) < FIXED_BYTES or not looks_like(fixed):
        raise CorruptSourceError(
            "the header of an EDF or BDF file",
            f"{fixed[:8]!r} at the start of {path.name}",
            "The file is damaged or no EDF; restore it from the original.",
        )
    return 3 if fixed[0] == 0xFF else 2


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").replace("\x00", " ").strip()


def _integer(raw: bytes, what: str, path: Path) -> int:
    text = _text(raw)
    text = text[:-2] if text.endswith(".0") else text
    if not _INTEGER.fullmatch(text):
        raise _bad(f"a whole number as {what}", repr(text), path)
    return int(text)


def _bad(expected: str, got: str, path: Path) -> BadMetadataError:
    return BadMetadataError(
        f"{expected} in {path.name}", got, "The header is damaged; restore it from the original."
    )
