"""Exporter and importer of one file of annotations, made of a format's own functions.

A format writes and reads a `Sheet`; what labels are in it, whose they are, on which samples,
and whether what was written says what was meant, is the same for all of them and stands here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.data import ChannelTable
from nissl.errors import BadArgumentError, ExportError, SourceNotFoundError
from nissl.io.contracts import Imported
from nissl.io.marks import Marks, marks_of
from nissl.io.placing import Place, labels_of
from nissl.io.rates import MICROSECONDS_HZ, positive_rate
from nissl.io.spikes import channels_of, clock_of
from nissl.io.targets import new_file
from nissl.io.verifying import readable, report
from nissl.labels import Author, Kind, LabelSet
from nissl.labels.digest import digest_array, digest_json
from nissl.tasks import Dossier, Finding

IMPORTED = Author("person", "imported")
"""Author where a file does not name one."""
_ALONE = "Without its recording; to put it on one: nissl import PROJECT SOURCE FILE."
HELD = (Kind.SPANS, Kind.EVENTS)


@dataclass(frozen=True)
class Sheet:
    """What one file of annotations holds.

    Parameters
    ----------
    marks : tuple of Marks
        One for each author.
    begin_s, end_s : float, optional
        When the recording begins and ends. All times count from the first sample, which is
        then at second 0, or from the start that the format states.
    start : datetime, optional
        When the recording began, by the wall clock there, without a time zone.
    notes : tuple of str
        A sentence for each thing that the file does not hold or that is uncertain.
    """

    marks: tuple[Marks, ...]
    begin_s: float = 0.0
    end_s: float | None = None
    start: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def only(self) -> Marks:
        """The marks of the one author there is."""
        if len(self.marks) != 1:
            raise ExportError("one author", f"{len(self.marks)}", "Export each author's set.")
        return self.marks[0]


@dataclass(frozen=True)
class MarkFormat:
    """Exporter and importer of one file of annotations.

    Parameters
    ----------
    name : str
    suffix : str
        Ending of the files it writes.
    writer : callable
        ``(sheet, path)``: write a file; raise `ExportError` for what it cannot hold.
    reader : callable
        ``(path, **options) -> Sheet``.
    recogniser : callable
        ``(path) -> bool``; cheap, never raises for existing paths.
    holds : callable, optional
        ``(marks) -> marks``: the part that the format can hold, where it is not all.
    reading : tuple of str
        Names of the reader's options.
    from_start : bool
        Whether times count from a start that a file states to the second, which a recording may
        begin a fraction of a second after; otherwise they count from the first sample.
    """

    name: str
    suffix: str
    writer: Callable[[Sheet, Path], None]
    reader: Callable[..., Sheet]
    recogniser: Callable[[Path], bool]
    holds: Callable[[Marks], Marks] | None = None
    reading: tuple[str, ...] = ()
    from_start: bool = False

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a file; the option `start` (ISO date and time) says when the recording began."""
        start = options.pop("start", None)
        if options:
            raise BadArgumentError("the option start", f"{sorted(options)}", "Leave them out.")
        sheet = self._sheet(dossier, start)
        with new_file(path, overwrite=overwrite) as partial:
            self.writer(sheet, partial)
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read the file back and compare what it holds, sample by sample."""
        with readable(Path(path)):
            back = self.reader(Path(path))
        clock = self.clock(clock_of(dossier))
        wanted = _rows(self._sheet(dossier, None).marks, clock)
        got = _rows(back.marks, clock)
        if wanted != got:
            report(_differences(wanted, got), Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` looks like this format."""
        try:
            return self.recogniser(Path(path))
        except (OSError, UnicodeDecodeError, ValueError):
            return False

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
        **options: Any,
    ) -> Imported:
        """Read a file whose recording is not at hand; samples count microseconds or `rate_hz`."""
        sheet = self.sheet(path, reviewer=reviewer, **options)
        rate = MICROSECONDS_HZ if rate_hz is None else positive_rate(rate_hz, Path(path))
        place = _own_place(sheet, rate, source)
        sets, findings = place_sheet(sheet, place, about={"format": self.name})
        return Imported(
            labels=tuple(sets),
            what_is_missing=(_ALONE, *sheet.notes, *(f.sentence for f in findings)),
            format=self.name,
            fingerprint=place.source,
            facts={
                "rate_hz": rate,
                "clock": place.clock.to_json(),
                "channels": ChannelTable.plain(place.channel_ids, kind="eeg").to_json(),
            },
        )

    def sheet(self, path: Path, *, reviewer: str | None = None, **options: Any) -> Sheet:
        """Read a file as it is, in seconds; `reviewer` is its author where it names none."""
        target = Path(path)
        if not target.exists():
            raise SourceNotFoundError("a file of annotations", f"nothing at {target}", "Check it.")
        unknown = sorted(set(options) - set(self.reading))
        if unknown:
            raise BadArgumentError(
                f"options of {self.name} among {list(self.reading)}", f"{unknown}", "Leave it out."
            )
        sheet = self.reader(target, **options)
        if reviewer is None:
            return sheet
        named = Author("person", reviewer)
        return replace(
            sheet,
            marks=tuple(
                replace(m, author=named) if m.author == IMPORTED else m for m in sheet.marks
            ),
        )

    def clock(self, clock: Clock) -> Clock:
        """Clock of a recording in the seconds of this format."""
        begin = clock.segments[0].t0_s
        return clock if self.from_start and 0 <= begin < 1 else from_zero(clock)

    def _sheet(self, dossier: Dossier, start: str | None) -> Sheet:
        sheet = sheet_of(dossier, self.clock(clock_of(dossier)), start=start)
        if self.holds is None:
            return sheet
        return replace(sheet, marks=tuple(self.holds(m) for m in sheet.marks))


def sheet_of(dossier: Dossier, clock: Clock, *, start: str | None = None) -> Sheet:
    """Labels of a dossier in the seconds of a clock, by name.

    Raises
    ------
    ExportError
        They are no spans or events.
    """
    if dossier.labels.kind not in HELD:
        raise ExportError(
            "spans or events",
            f"labels of the kind {dossier.labels.kind.value}",
            "Annotation files hold times; csv and parquet hold every kind.",
        )
    table = channels_of(dossier)
    marks = marks_of(dossier.labels, clock, () if table is None else table.ids)
    begin, end = clock.segments[0].t0_s, clock.segments[-1].end_s
    return Sheet((marks,), begin, end, _start(dossier, start))


def from_zero(clock: Clock) -> Clock:
    """Return the clock whose second 0 is the first sample, from which all these files count."""
    begin = clock.segments[0].t0_s
    return Clock(tuple(replace(s, t0_s=s.t0_s - begin) for s in clock.segments))


def place_sheet(
    sheet: Sheet, place: Place, *, task: str = "", about: Mapping[str, Any] | None = None
) -> tuple[list[LabelSet], list[Finding]]:
    """Label sets of a sheet, the one with most rows first, and what is to be told of them."""
    sets: list[LabelSet] = []
    findings: list[Finding] = []
    for marks in sheet.marks:
        made, told = labels_of(marks, place, task=task, about=about)
        sets += made
        findings += told
    return sorted(sets, key=lambda labels: -labels.n_rows), findings


def _start(dossier: Dossier, given: str | None) -> datetime | None:
    """When the recording began, as given or as its header states it."""
    recording, stream = dossier.recording, dossier.stream
    text = given
    if given is None and recording is not None and stream in recording.streams:
        text = recording[stream].metadata.get("start")
    if not text:
        return None
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=None)
    except ValueError:
        if given is None:
            return None
        raise BadArgumentError(
            "start as an ISO date and time", repr(given), "Write it as 2026-03-01T22:30:00."
        ) from None


def _own_place(sheet: Sheet, rate_hz: float, source: str | None) -> Place:
    """Clock that begins at second 0 and holds all marks, and the channels that they name."""
    ends = [sheet.end_s or 0.0]
    for marks in sheet.marks:
        times = np.concatenate([marks.start_s, marks.stop_s])
        ends += times[np.isfinite(times)].tolist()
    n = int(np.ceil(max(ends) * rate_hz - 1e-6)) + (0 if sheet.end_s else 1)
    clock = Clock.regular(rate_hz, max(n, 1))
    named = {name for marks in sheet.marks for names in marks.channels for name in names}
    ids = tuple(sorted(named))
    if named and all(name.isdecimal() for name in named):  # channels that have no names
        ids = tuple(str(k) for k in range(max(map(int, named)) + 1))
    return Place(clock, source or _fingerprint(sheet, rate_hz), "signal", ids)


def _fingerprint(sheet: Sheet, rate_hz: float) -> str:
    """Fingerprint of annotations whose recording is not known."""
    parts = [
        [digest_array(m.start_s), digest_array(m.stop_s), list(m.labels), vars(m.author).copy()]
        for m in sheet.marks
    ]
    return digest_json({"annotations": parts, "rate_hz": rate_hz})


Row = tuple[int, int, str, str]


def _rows(marks: Sequence[Marks], clock: Clock) -> list[Row]:
    """Start, stop (or -1), class and channel of every row on a clock, in order."""
    rows: list[Row] = []
    for each in marks:
        first = clock.to_samples(each.start_s).tolist()
        ends = np.nan_to_num(each.stop_s) - 1 / clock.rate_hz  # the last sample's own segment
        last = (clock.to_samples(ends) + 1).tolist()
        for k, (a, b) in enumerate(zip(first, last, strict=True)):
            stop = b if np.isfinite(each.stop_s[k]) else -1
            rows += [(a, stop, each.labels[k], c) for c in each.channels[k] or ("",)]
    return sorted(rows)


def _differences(wanted: Sequence[Row], got: Sequence[Row]) -> list[str]:
    if len(wanted) != len(got):
        return [f"annotations: {len(got)} rows instead of {len(wanted)}"]
    pairs = zip(wanted, got, strict=True)
    return [f"annotations: {b} instead of {a}" for a, b in pairs if a != b]


def seconds_text(value: float) -> str:
    """Decimal number of seconds to the nanosecond, without an exponent."""
    number = float(value)
    if 1e-4 <= abs(number) < 1e9:  # Python writes these without an exponent, and much sooner
        return repr(round(number * 1e9) / 1e9).removesuffix(".0")
    return np.format_float_positional(np.round(number, 9) + 0.0, unique=True, trim="-")


def first_bytes(path: str | os.PathLike[str], n: int = 4096) -> bytes:
    """Beginning of a file; b"" where it is a folder."""
    target = Path(path)
    if not target.is_file():
        return b""
    with open(target, "rb") as file:
        return file.read(n)
