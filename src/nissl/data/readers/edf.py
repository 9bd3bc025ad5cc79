"""EDF, EDF+ (continuous or not), BDF and BDF+: signals by their rate, with annotations.

Signals of one rate are one stream: "signal" where all have the same, else "256Hz", "1Hz", ...
Voltages are given in uV, whatever their unit in the file. What is no voltage keeps its unit:
`gain_uv` of such a channel is in that unit per step, and ``metadata["units"]`` of the stream
names it ({"SaO2": "%"}). Gaps of a discontinuous file are gaps of the clock, whose second 0 is
the start that the header states (``metadata["start"]``, local time without a zone). Two signals
of one name are "NAME" and "NAME #2". The 16 trigger bits of the "Status" signal of a BDF file are
the lines "status.0" to "status.15".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nissl.data.channels import ChannelTable
from nissl.data.edf.annotations import file_annotations
from nissl.data.edf.clock import clock_of, gap_notes, runs
from nissl.data.edf.header import EdfHeader, SignalHeader, looks_like, patient_code, read_header
from nissl.data.edf.samples import EdfReader
from nissl.data.electrodes import Electrode, electrodes, stream_kind
from nissl.data.lines import Line, ScannedLine, WordScan
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import Session, Subject
from nissl.data.signal import Signal
from nissl.errors import CorruptSourceError

_SUFFIXES = (".edf", ".bdf")
_VOLTS = {"v": 1e6, "mv": 1e3, "uv": 1.0, "microv": 1.0, "nv": 1e-3}
_ELECTRIC = frozenset({"eeg", "eog", "emg", "ecg", "seeg", "ecog", "lfp"})


class EdfFileReader:
    """Reads ``.edf`` and ``.bdf``; ``.rec`` where it begins like one."""

    name = "edf"
    takes: frozenset[str] = frozenset()

    def matches(self, path: Path) -> bool:
        """Whether the suffix, and for .rec the first bytes, are those of the format."""
        if not path.is_file():
            return False
        if path.suffix.lower() in _SUFFIXES:
            return True
        if path.suffix.lower() != ".rec":
            return False
        with path.open("rb") as file:
            return looks_like(file.read(8))

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open a file; of a discontinuous one the times of all data records are read."""
        head = read_header(path)
        if not head.samples:
            raise _no_signals(head, path)
        names = unique_names([s.label for s in head.samples])
        found = electrodes(names)
        cut, clock_notes = runs(head)
        notes = [*head.notes, *clock_notes, *gap_notes(cut, head.record_s)]
        streams = []
        groups = sorted({s.n_per_record for s in head.samples}, reverse=True)
        for n_per_record in groups:
            some = [i for i, s in enumerate(head.samples) if s.n_per_record == n_per_record]
            clock = clock_of(cut, n_per_record, head.record_s)
            name = "signal" if len(groups) == 1 else _rate_name(clock.rate_hz)
            table, units, said = _channels(head, some, names, found)
            notes += said
            metadata = {"start": head.start.isoformat()} if head.start else {}
            facts = {**metadata, **({"units": units} if units else {})}
            streams.append(Signal(name, _reader(head, some), table, clock, facts))
        code = patient_code(path) if options.keep_identifiers and head.plus else None
        return Opened(
            tuple(streams),
            (path,),
            subject=Subject(id=code) if code else Subject(),
            session=Session(day=head.start.date().isoformat() if head.start else None),
            lines=tuple(_lines(head, streams)),
            annotations=file_annotations(head),
            notes=tuple(notes),
        )


def unique_names(labels: Sequence[str]) -> list[str]:
    """Names of channels: labels, numbered from the second of one name on ("C3 #2")."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for index, label in enumerate(labels):
        plain = label or f"channel {index + 1}"
        seen[plain] += 1
        name = plain if seen[plain] == 1 else f"{plain} #{seen[plain]}"
        while name in names:
            seen[plain] += 1
            name = f"{plain} #{seen[plain]}"
        names.append(name)
    return names


def to_uv(unit: str) -> float | None:
    """Microvolts in one unit of a voltage; None for what is no voltage ("MV" is none)."""
    plain = unit.replace("Â", "").replace("µ", "u").replace("μ", "u")
    if plain.startswith("M") and not plain.lower().startswith("micro"):
        return None
    return _VOLTS.get(plain.lower().removesuffix("olt").removesuffix("olts"))


def _channels(
    head: EdfHeader, some: Sequence[int], names: Sequence[str], found: Sequence[Electrode]
) -> tuple[ChannelTable, dict[str, str], list[str]]:
    """Channel table of some signals, units that are no uV, and notes."""
    gains, offsets, units, unstated = [], [], {}, []
    for i in some:
        signal = head.samples[i]
        factor = to_uv(signal.unit)
        if not signal.unit and found[i].type in _ELECTRIC:
            unstated.append(names[i])
        elif factor is None:
            units[names[i]] = signal.unit
        factor = 1.0 if factor is None else factor
        gains.append(signal.gain * factor)
        offsets.append(signal.shift * factor)
    table = ChannelTable.plain(
        [names[i] for i in some],
        gain_uv=gains,
        offset_uv=offsets,
        kind=stream_kind([found[i] for i in some]),
    )
    said = f"No unit is stated for {', '.join(unstated)}; taken as uV."
    return table, units, [said] if unstated else []


def _lines(head: EdfHeader, streams: Sequence[Signal]) -> list[Line]:
    """Trigger bits of a BDF file, which are looked for when first asked for."""
    for signal in streams if head.sample_bytes == 3 else ():
        if "Status" in signal.channels.ids:
            words = signal.take(["Status"]).reader
            scan = WordScan(words, signal.clock, head.sample_bytes)
            return [ScannedLine(f"status.{bit}", scan, bit) for bit in range(16)]
    return []


def _reader(head: EdfHeader, some: Sequence[int]) -> EdfReader:
    signals: list[SignalHeader] = [head.samples[i] for i in some]
    return EdfReader(
        path=head.path,
        offset=head.header_bytes,
        record_bytes=head.record_bytes,
        sample_bytes=head.sample_bytes,
        n_per_record=signals[0].n_per_record,
        places=tuple(signal.offset for signal in signals),
    )


def _rate_name(rate_hz: float) -> str:
    short = f"{rate_hz:g}Hz"
    return short if float(short[:-2]) == rate_hz else f"{rate_hz!r}Hz"


def _no_signals(head: EdfHeader, path: Path) -> CorruptSourceError:
    if head.texts:
        return CorruptSourceError(
            f"signals in {path.name}",
            "annotations alone (a hypnogram, a list of events)",
            f"Import it to the recording it belongs to: nissl import PROJECT SOURCE {path.name}",
        )
    return CorruptSourceError(
        f"signals with a calibration in {path.name}",
        "none",
        "The header is damaged; restore the file from the original.",
    )


READER = EdfFileReader()
