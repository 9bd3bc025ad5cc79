"""Blackrock .ns1 to .ns6 through neo and SpikeInterface, and the digital inputs of the .nev.

Give any file of a recording, or the folder that holds one recording; all files of the same
stem are opened. Streams are "ns2", "ns5", ...; their analogue inputs become "ns5.ainp". Pauses
are gaps. Bits of the digital port become the lines "digital.0" to "digital.15", as far as they
ever change; bits that are set in the first event count as rising there. Comments, the
operator's included, are not read out.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.lines import Line
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import Session
from nissl.data.signal import Signal
from nissl.errors import BadArgumentError, CorruptSourceError

_SUFFIX = re.compile(r"\.(ns[1-6]|nev)", re.IGNORECASE)
_SMALLEST_GAP_MS = 0.5
_NEV_HEADER = struct.Struct("<8s2BHIII")
_BLOCK_PACKETS = 1 << 16


class BlackrockReader:
    """Reads ``.ns1`` to ``.ns6`` and ``.nev``."""

    name = "blackrock"
    takes: frozenset[str] = frozenset()

    def matches(self, path: Path) -> bool:
        """Whether it is such a file, or a folder that holds some."""
        return bool(_files(path))

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open all files of one stem."""
        files = _files(path)
        stems = sorted({file.stem for file in files})
        if len(stems) > 1:
            raise BadArgumentError(
                "the files of one recording", f"{stems}", "Give one of the files."
            )
        streams = [
            signal for file in files if file.suffix.lower() != ".nev" for signal in _signals(file)
        ]
        lines = [
            line
            for file in files
            if file.suffix.lower() == ".nev"
            for line in _lines(file, streams)
        ]
        if not streams:
            raise CorruptSourceError(
                f"an .nsX file beside {files[0].name}", "none", "Copy all files of the recording."
            )
        session = Session(id=stems[0], day=_day(files[0]))
        return Opened(tuple(streams), tuple(files), tuple(lines), session=session)


def _files(path: Path) -> list[Path]:
    """Files of the recording a path belongs to, in the order of their suffixes."""
    if path.is_file():
        if not _SUFFIX.fullmatch(path.suffix):
            return []
        candidates = [p for p in path.parent.iterdir() if p.stem == path.stem]
    else:
        candidates = list(path.iterdir()) if path.is_dir() else []
    return sorted(p for p in candidates if _SUFFIX.fullmatch(p.suffix) and p.is_file())


def _signals(file: Path) -> list[Signal]:
    from spikeinterface.extractors import read_blackrock

    from nissl.data.spikeinterface import from_spikeinterface

    recording: Any = read_blackrock(file, gap_tolerance_ms=_SMALLEST_GAP_MS)
    name = file.suffix[1:].lower()
    labels = [str(label) for label in recording.get_property("channel_name")]
    neural = "ephys" if name in ("ns5", "ns6") else "lfp"
    inputs = [i for i, label in enumerate(labels) if label.lower().startswith("ainp")]
    electrodes = [i for i in range(len(labels)) if i not in inputs]
    if not inputs:
        return [from_spikeinterface(recording, name, kind=neural)]
    out = []
    for indices, kind, suffix in ((electrodes, neural, ""), (inputs, "aux", ".ainp")):
        if indices:
            some = recording.select_channels(recording.channel_ids[indices])
            out.append(from_spikeinterface(some, name + suffix, kind=kind))
    return out


def _lines(file: Path, streams: list[Signal]) -> list[Line]:
    stamps, words, resolution_hz = read_digital(file)
    if streams:
        clock = max(streams, key=lambda signal: signal.rate_hz).clock
    else:
        clock = Clock.regular(resolution_hz, int(stamps[-1]) + 1 if stamps.size else 0)
    samples = clock.to_samples(stamps / resolution_hz)
    before = np.concatenate([np.zeros(min(1, words.size), words.dtype), words[:-1]])
    lines = []
    for bit in range(16):
        mask = np.uint16(1 << bit)
        changed = ((before ^ words) & mask) != 0
        up = changed & ((words & mask) != 0)
        if np.any(changed):
            edges = samples[up], samples[changed & ~up]
            lines.append(Line(f"digital.{bit}", *edges, clock))
    return lines


def read_digital(
    file: Path,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16], float]:
    """Time stamps, words and the resolution (Hz) of the digital events of an .nev file.

    Raises
    ------
    CorruptSourceError
        Not an .nev file, or one that does not hold whole packets.
    """
    with file.open("rb") as handle:
        head = handle.read(_NEV_HEADER.size)
        if len(head) < _NEV_HEADER.size:
            raise _bad_nev(file, f"{len(head)} bytes")
        magic, major, _, _, offset, packet, resolution = _NEV_HEADER.unpack(head)
        wide = major >= 3
        size = file.stat().st_size - offset
        if magic not in (b"NEURALEV", b"BREVENTS") or not resolution or packet < 10 + 4 * wide:
            raise _bad_nev(file, f"{magic!r} with packets of {packet} bytes")
        if size < 0 or size % packet:
            raise _bad_nev(file, f"{size} bytes of packets of {packet}")
        handle.seek(offset)
        row = np.dtype(
            {
                "names": ["stamp", "id", "word"],
                "formats": ["<u8" if wide else "<u4", "<u2", "<u2"],
                "offsets": [0, 8, 12] if wide else [0, 4, 8],
                "itemsize": packet,
            }
        )
        found = []
        for _ in range(0, size // packet, _BLOCK_PACKETS):
            rows = np.frombuffer(handle.read(packet * _BLOCK_PACKETS), dtype=row)
            found.append(rows[rows["id"] == 0])
    rows = np.concatenate(found) if found else np.empty(0, row)
    return rows["stamp"].astype(np.int64), rows["word"].astype(np.uint16), float(resolution)


def _bad_nev(file: Path, got: str) -> CorruptSourceError:
    return CorruptSourceError(
        f"whole event packets after an NEV header in {file.name}", got, "Copy the file again."
    )


def _day(file: Path) -> str | None:
    """ISO date of the header's time origin."""
    offset = 28 if file.suffix.lower() == ".nev" else 294
    with file.open("rb") as handle:
        head = handle.read(offset + 16)
    if len(head) < offset + 16 or head[:8] == b"NEURALSG":
        return None
    year, month, _, day = struct.unpack_from("<4H", head, offset)
    valid = 1990 <= year <= 2200 and 1 <= month <= 12 and 1 <= day <= 31
    return f"{year:04d}-{month:02d}-{day:02d}" if valid else None


READER = BlackrockReader()
