"""Small EDF and BDF files, right ones and, where a test asks for it, wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)


@dataclass(frozen=True)
class EdfSignal:
    """One signal to write.

    Parameters
    ----------
    label : str
    samples : ndarray, shape (n_records * n_per_record,), whole numbers
    n_per_record : int
    unit : str
    physical : tuple of str
        Minimum and maximum, as they are written.
    digital : tuple of str
        Minimum and maximum, as they are written.
    """

    label: str
    samples: npt.NDArray[np.int64]
    n_per_record: int
    unit: str = "uV"
    physical: tuple[str, str] = ("-3276.8", "3276.7")
    digital: tuple[str, str] = ("-32768", "32767")


@dataclass(frozen=True)
class EdfFields:
    """Fields of the header that do not follow from the signals.

    Parameters
    ----------
    patient, recording, date, time : str
    record_s : str
    n_records, header_bytes, n_signals : str, optional
        In place of the right numbers.
    reserved : str, optional
        "EDF+C", "EDF+D"; by default as the times of the records say.
    """

    patient: str = "X X X X"
    recording: str = "Startdate 02-MAR-2002 X X X"
    date: str = "02.03.02"
    time: str = "22.30.00"
    record_s: str = "1"
    n_records: str | None = None
    header_bytes: str | None = None
    n_signals: str | None = None
    reserved: str | None = None


def write_edf(
    path: Path,
    signals: Sequence[EdfSignal],
    *,
    annotations: Sequence[tuple[float, float | None, str]] = (),
    onsets_s: Sequence[float] | None = None,
    fields: EdfFields | None = None,
    bdf: bool = False,
    text_samples: int = 60,
) -> Path:
    """Write a file and return its path.

    Parameters
    ----------
    path : Path
    signals : sequence of EdfSignal
        None for a file of annotations alone.
    annotations : sequence of (onset_s, duration_s or None, text)
        All in the first data records, as many as fit into each.
    onsets_s : sequence of float, optional
        Time of each data record; makes the file EDF+D. Without it, and without annotations,
        the file is plain EDF.
    fields : EdfFields, optional
    bdf : bool
        24 bits.
    text_samples : int
        Samples per data record that hold annotations.
    """
    told = EdfFields() if fields is None else fields
    kind, width = ("BDF", 3) if bdf else ("EDF", 2)
    plus = bool(annotations) or onsets_s is not None or not signals
    n_records = len(signals[0].samples) // signals[0].n_per_record if signals else 1
    heads = [
        (s.label, "", s.unit, *s.physical, *s.digital, "", str(s.n_per_record), "") for s in signals
    ]
    texts: list[bytes] = []
    if plus:
        room = text_samples if signals else max(text_samples, 40 * len(annotations) + 40)
        heads.append(
            (f"{kind} Annotations", "", "", "-1", "1", "-32768", "32767", "", str(room), "")
        )
        record_s = float(told.record_s)
        times = [k * record_s for k in range(n_records)] if onsets_s is None else list(onsets_s)
        texts = _texts(times, annotations, room * width)
    reserved = told.reserved
    if reserved is None:
        reserved = "" if not plus else f"{kind}+{'C' if onsets_s is None else 'D'}"
    head = b"\xffBIOSEMI" if bdf else b"0       "
    head += _padded(told.patient, 80) + _padded(told.recording, 80)
    head += _padded(told.date, 8) + _padded(told.time, 8)
    head += _padded(told.header_bytes or str(256 * (len(heads) + 1)), 8) + _padded(reserved, 44)
    head += _padded(told.n_records or str(n_records), 8) + _padded(told.record_s, 8)
    head += _padded(told.n_signals or str(len(heads)), 4)
    for k, n_bytes in enumerate(WIDTHS):
        head += b"".join(_padded(signal[k], n_bytes) for signal in heads)
    with path.open("wb") as file:
        file.write(head)
        for record in range(n_records):
            for s in signals:
                part = s.samples[record * s.n_per_record : (record + 1) * s.n_per_record]
                raw = part.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
                file.write(raw.tobytes())
            if plus:
                file.write(texts[record])
    return path


def _padded(text: str, n_bytes: int) -> bytes:
    return text.encode("latin-1")[:n_bytes].ljust(n_bytes)


def _texts(
    times: Sequence[float], annotations: Sequence[tuple[float, float | None, str]], room: int
) -> list[bytes]:
    left = list(annotations)
    out = []
    for time in times:
        raw = f"+{time:.6f}".rstrip("0").rstrip(".").encode() + b"\x14\x14\x00"
        while left:
            onset, duration, text = left[0]
            lasting = b"" if duration is None else b"\x15" + f"{duration:g}".encode()
            one = f"{onset:+.6f}".encode() + lasting + b"\x14" + text.encode() + b"\x14\x00"
            if len(raw) + len(one) > room:
                break
            raw += one
            left.pop(0)
        out.append(raw.ljust(room, b"\x00"))
    if left:
        raise ValueError(f"{len(left)} annotations do not fit into the file")
    return out
