"""Intan RHD and RHS, in all three file layouts, through neo and SpikeInterface.

Give the ``.rhd`` or ``.rhs`` file (``info.rhd`` of a folder with one file per signal or per
channel), or the folder. A folder of files that Intan's software split by time (of one name,
before its date and time) is one recording; their time stamps tell whether samples are missing
between two of them. Streams are "amplifier", "auxiliary", "supply",
"adc", "adc_out", "dc" and "stim"; the digital inputs and outputs become lines under Intan's own
names. The three notes of the header are not read out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nissl.data.chain import chain
from nissl.data.lines import Line, ScannedLine, WordScan
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import UNKNOWN, Session
from nissl.data.signal import ColumnsReader, Signal
from nissl.errors import BadArgumentError, BadMetadataError, CorruptSourceError

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
_STARTED = re.compile(r"_\d{6}_\d{6}$")
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
        headers = _headers(path)
        bases = sorted({_STARTED.sub("", header.stem) for header in headers})
        if len(bases) > 1:
            raise BadArgumentError(
                f"one recording in {path.name}", f"{bases}", "Give the files one by one."
            )
        opened = [_streams(header) for header in headers]
        names = list(opened[0][0])
        if any(list(streams) != names for streams, _ in opened):
            raise BadMetadataError(
                f"the streams {names} in every file of {path.name}",
                f"{[list(streams) for streams, _ in opened]}",
                "Give the files one by one.",
            )
        joined = {
            name: chain([streams[name] for streams, _ in opened], [t0 for _, t0 in opened])
            for name in names
        }
        lines = [line for name in _DIGITAL if name in joined for line in _lines(joined.pop(name))]
        files = [file for header in headers for file in _data_files(header)]
        for signal in joined.values():
            _check_whole(headers[0], files, signal)
        session = Session(id=_session_id(headers[0]), day=_day(headers[0]))
        return Opened(tuple(joined.values()), tuple(files), tuple(lines), session=session)


def _streams(header: Path) -> tuple[dict[str, Signal], float]:
    """Streams of one file, the digital ones under Intan's names, and its start in seconds."""
    from neo.rawio import IntanRawIO
    from spikeinterface.extractors import read_intan

    from nissl.data.spikeinterface import from_spikeinterface

    raw: Any = IntanRawIO(filename=str(header))
    raw.parse_header()
    streams = {}
    for stream in [str(name) for name in raw.header["signal_streams"]["name"]]:
        name, kind = _STREAMS.get(stream, (stream, "aux"))
        recording = read_intan(header, stream_name=stream)
        streams[name] = from_spikeinterface(recording, name, kind=kind)
    if raw.file_format != "header-attached":
        return streams, 0.0
    rate_hz = max(signal.rate_hz for signal in streams.values())
    return streams, int(raw._raw_data["timestamp"][0].reshape(-1)[0]) / rate_hz


def _headers(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() in SUFFIXES else []
    found = [p for s in SUFFIXES for p in path.glob(f"*{s}")] if path.is_dir() else []
    return sorted(found, key=lambda p: p.name)


def _data_files(header: Path) -> list[Path]:
    if header.stem != "info":
        return [header]
    return [header, *sorted(header.parent.glob("*.dat"))]


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
