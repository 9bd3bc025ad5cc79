"""Small valid Blackrock files: .nsX and .nev of file specification 2.3."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

RESOLUTION_HZ = 30_000
_TIME_ORIGIN = struct.pack("<8H", 2024, 5, 1, 6, 7, 8, 9, 0)  # 6 May 2024, a Monday


def write_blackrock_nsx(
    path: Path,
    blocks: Sequence[tuple[int, npt.NDArray[np.int16]]],
    *,
    rate_hz: int = 30_000,
    labels: Sequence[str] | None = None,
    comment: str = "",
) -> Path:
    """Write an .nsX file and return its path.

    Parameters
    ----------
    path : Path
        Ending in ".ns1" to ".ns6".
    blocks : sequence of (int, ndarray of shape (n_samples, n_channels), int16)
        Time stamp (in 1/30,000 s) and samples of each piece between pauses.
    rate_hz : int
        A divisor of 30,000.
    labels : sequence of str, optional
        "ainp1" and so on are analogue inputs, in mV; the others electrodes, 0.25 uV per step
        (see `analog_gain_uv`).
    comment : str
        Operator's comment in the header.
    """
    n_channels = blocks[0][1].shape[1]
    names = [f"elec{i + 1}" for i in range(n_channels)] if labels is None else list(labels)
    size = 314 + 66 * n_channels
    head = struct.pack("<8s2BI16s256s", b"NEURALCD", 2, 3, size, b"test", comment.encode())
    head += struct.pack("<II", RESOLUTION_HZ // rate_hz, RESOLUTION_HZ)
    head += _TIME_ORIGIN + struct.pack("<I", n_channels)
    with path.open("wb") as file:
        file.write(head)
        for index, name in enumerate(names):
            file.write(_nsx_channel(index + 1, name))
        for stamp, samples in blocks:
            file.write(struct.pack("<BII", 1, stamp, len(samples)))
            file.write(samples.astype("<i2").tobytes())
    return path


def write_blackrock_nev(
    path: Path, events: Sequence[tuple[int, int]], *, comment: str = ""
) -> Path:
    """Write an .nev file with digital input events and return its path.

    Parameters
    ----------
    path : Path
        Ending in ".nev".
    events : sequence of (int, int)
        Time stamp (in 1/30,000 s) and the word of the digital port from then on.
    comment : str
        Operator's comment in the header.
    """
    packet = 12
    head = struct.pack("<8s2BHII", b"NEURALEV", 2, 3, 1, 336, packet)
    head += struct.pack("<II", RESOLUTION_HZ, RESOLUTION_HZ) + _TIME_ORIGIN
    head += struct.pack("<32s256sI", b"test", comment.encode(), 0)
    rows = [struct.pack("<IHBBHH", stamp, 0, 1, 0, word, 0) for stamp, word in events]
    path.write_bytes(head + b"".join(rows))
    return path


def _nsx_channel(number: int, label: str) -> bytes:
    unit, most = (b"mV", 5000) if label.startswith("ainp") else (b"uV", 8191)
    steps = 32764
    return struct.pack(
        "<2sH16sBBhhhh16sIIHIIH",
        *(b"CC", number, label.encode(), 1, number),
        *(-steps, steps, -most, most, unit),
        *(300, 4, 1, 7_500_000, 3, 1),
    )


def analog_gain_uv(label: str) -> float:
    """Microvolts per step of a channel that `write_blackrock_nsx` writes."""
    most_uv = 5000e3 if label.startswith("ainp") else 8191.0
    return 2 * most_uv / (2 * 32764)
