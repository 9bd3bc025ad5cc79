"""Intan RHD and RHS, in all three file layouts, through neo and SpikeInterface.

Give the ``.rhd`` or ``.rhs`` file (``info.rhd`` of a folder with one file per signal or per
channel), or a folder that holds one of them. Streams are "amplifier", "auxiliary", "supply",
"adc", "adc_out", "dc" and "stim"; the digital inputs and outputs become lines under Intan's own
names. The three notes of the header are not read out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nissl.data.lines import Line, ScannedLine, WordScan
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import UNKNOWN, Session
from nissl.data.signal import ColumnsReader, Signal
from nissl.errors import BadArgumentError, CorruptSourceError

SUFFIXES = (".rhd", ".rhs")
_STREAMS = {
    "RHD2000 amplifier channel": ("amplifier", "ephys"),
    "RHS2000 amplifier channel": ("amplifier", "ephys"),
    "RHD2000 auxiliary input channel": ("auxiliary", "aux"),
    "RHD2000 supply voltage channel": ("supply", "aux"),
    "USB board ADC input channel": ("adc", "aux"),
    "USB board ADC output channel": ("adc_out", "aux"),
    "DC Amplifier channel": ("dc", "aux"),
    "Stim channel": ("stim", "stimulus"),
}
_DIGITAL = ("USB board digital input channel", "USB board digital output channel")


class IntanReader:
    """Reads ``.rhd`` and ``.rhs``."""

    name = "intan"
    takes: frozenset[str] = frozenset()

    def matches(self, path: Path) -> bool:
        """Whether it is such a file, or a folder that holds some."""
        return bool(_headers(path))

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open every stream of one recording."""
        from spikeinterface.extractors import read_intan

        from nissl.data.spikeinterface import from_spikeinterface

        header = _one(path)
        files = _data_files(header)
        streams: list[Signal] = []
        lines: list[Line] = []
        for stream in _stream_names(header):
            recording = read_intan(header, stream_name=stream)
            if stream in _DIGITAL:
                lines += _lines(from_spikeinterface(recording))
                continue
            name, kind = _STREAMS.get(stream, (stream, "aux"))
            streams.append(from_spikeinterface(recording, name, kind=kind))
        for signal in streams:
            _check_whole(header, files, signal)
        session = Session(id=_session_id(header), day=_day(header))
        return Opened(tuple(streams), tuple(files), tuple(lines), session=session)


def _headers(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() in SUFFIXES else []
    return sorted(p for s in SUFFIXES for p in path.glob(f"*{s}")) if path.is_dir() else []


def _one(path: Path) -> Path:
    headers = _headers(path)
    if len(headers) > 1:
        raise BadArgumentError(
            "one .rhd or .rhs file",
            f"{len(headers)} in {path.name}",
            "Give them one by one; each becomes a source.",
        )
    return headers[0]


def _data_files(header: Path) -> list[Path]:
    if header.stem != "info":
        return [header]
    return [header, *sorted(header.parent.glob("*.dat"))]


def _stream_names(header: Path) -> list[str]:
    from neo.rawio import IntanRawIO

    reader: Any = IntanRawIO(filename=str(header))
    reader.parse_header()
    return [str(name) for name in reader.header["signal_streams"]["name"]]


def _lines(words: Signal) -> list[Line]:
    """One line per digital channel; neo gives each as zeros and ones."""
    return [
        ScannedLine(name, WordScan(ColumnsReader(words.reader, (i,)), words.clock), 0)
        for i, name in enumerate(words.channels.ids)
    ]


def _check_whole(header: Path, files: list[Path], signal: Signal) -> None:
    """A file per signal must hold whole frames; neo would drop the rest in silence."""
    names = {"amplifier": "amplifier.dat", "auxiliary": "auxiliary.dat", "adc": "analogin.dat"}
    path = header.parent / names.get(signal.name, "")
    if path in files and path.stat().st_size != signal.n_samples * signal.n_channels * 2:
        raise CorruptSourceError(
            f"{path.name} to hold whole frames of {2 * signal.n_channels} bytes",
            f"{path.stat().st_size} bytes",
            "The file is truncated; copy it again.",
        )


def _session_id(header: Path) -> str:
    stem = header.parent.name if header.stem == "info" else header.stem
    return stem or UNKNOWN


def _day(header: Path) -> str | None:
    """ISO date from the name that Intan's software gives, "name_yymmdd_hhmmss"."""
    found = re.search(r"_(\d\d)(\d\d)(\d\d)_\d{6}$", _session_id(header))
    return None if found is None else f"20{found[1]}-{found[2]}-{found[3]}"


READER = IntanReader()
