"""When the data records of an EDF+ file were recorded."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock, Segment
from nissl.data.edf.annotations import record_onset_s, record_onsets
from nissl.data.edf.header import EdfHeader
from nissl.errors import BadMetadataError

HOUR_S = 3600.0
_HOUR_SLACK_S = 5.0


@dataclass(frozen=True)
class Run:
    """Data records without a gap between them.

    Parameters
    ----------
    first, last : int
        Half-open.
    t0_s : float
        Seconds after the start of the recording.
    """

    first: int
    last: int
    t0_s: float


def runs(header: EdfHeader) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """Runs of records, and notes on what is odd.

    EDF and EDF+C are one run; of EDF+C the times of the first and last record are compared.
    Where they contradict the header, and in EDF+D, the time of every record is read. A record
    that is more than half a sample of the fastest signal away from its place starts a new run.

    Raises
    ------
    BadMetadataError
        Records that overlap in time; EDF+D whose records keep no time.
    """
    n = header.n_records
    if not header.plus:
        return (Run(0, n, 0.0),), ()
    tolerance_s = 0.5 * header.record_s / max(s.n_per_record for s in header.samples)
    first = record_onset_s(header, 0)
    notes: list[str] = []
    if header.plus == "C":
        last = record_onset_s(header, n - 1)
        if first is None or last is None:
            return (Run(0, n, first or 0.0),), ("Its data records keep no time.",)
        if abs(last - first - (n - 1) * header.record_s) <= tolerance_s:
            return (Run(0, n, first),), ()
        notes.append("The header says that it is continuous, but its data records are not.")
    onsets = record_onsets(header, 0, n)
    if onsets is None:
        raise BadMetadataError(
            f"the time of every data record of {header.path}, which is discontinuous (EDF+D)",
            "data records without one",
            "The file is damaged or not EDF+D; restore it from the original.",
        )
    return _cut(onsets, header.record_s, tolerance_s), tuple(notes)


def clock_of(cut: tuple[Run, ...], n_per_record: int, record_s: float) -> Clock:
    """Clock of the signals that have `n_per_record` samples in each data record."""
    rate_hz = n_per_record / record_s
    return Clock(
        tuple(Segment(r.first * n_per_record, r.last * n_per_record, r.t0_s, rate_hz) for r in cut)
    )


def gap_notes(cut: tuple[Run, ...], record_s: float) -> tuple[str, ...]:
    """One sentence on the gaps, and one on each that looks like a change of the clock's hour."""
    gaps = [b.t0_s - a.t0_s - (a.last - a.first) * record_s for a, b in itertools.pairwise(cut)]
    if not gaps:
        return ()
    notes = [f"{len(gaps)} gaps, together {sum(gaps):.3f} s; no sample is shifted by them."]
    for run, gap in zip(cut[1:], gaps, strict=True):
        if abs(gap - HOUR_S) <= _HOUR_SLACK_S:
            notes.append(
                f"The gap before {run.t0_s:.0f} s lasts one hour: perhaps no pause but the "
                "change to daylight-saving time; compare it with the notes of the night."
            )
    return tuple(notes)


def _cut(onsets: npt.NDArray[np.float64], record_s: float, tolerance_s: float) -> tuple[Run, ...]:
    out: list[Run] = []
    first = 0
    shifts = onsets - record_s * np.arange(onsets.size)
    for record in range(1, onsets.size + 1):
        if record < onsets.size:
            late_s = shifts[record] - shifts[first]
            if abs(late_s) <= tolerance_s:
                continue
            if late_s < 0:
                raise _backwards(record, float(late_s))
        out.append(Run(first, record, float(onsets[first])))
        first = record
    return tuple(out)


def _backwards(record: int, late_s: float) -> BadMetadataError:
    hour = abs(late_s + HOUR_S) <= _HOUR_SLACK_S
    return BadMetadataError(
        "data records that follow each other in time",
        f"record {record + 1}, which begins {-late_s:.3f} s before the one before it ends",
        "The clock went back by an hour there (end of daylight-saving time); export the "
        "recording again with a clock that does not change."
        if hour
        else "The times in the file are wrong; export the recording again.",
    )
