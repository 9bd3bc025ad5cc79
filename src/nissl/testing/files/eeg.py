"""Small BrainVision, EEGLAB and GDF files, written without the libraries that read them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Marks = Sequence[tuple[int, str]]
"""Samples and texts of markers."""


def write_brainvision(
    path: Path,
    samples: npt.NDArray[np.int16],
    names: Sequence[str],
    rate_hz: float,
    *,
    step_uv: float = 0.5,
    marks: Marks = (),
    segments: Sequence[tuple[int, str]] = ((0, "20200301223000000000"),),
) -> Path:
    """Write a .vhdr, .eeg and .vmrk and return the path of the first.

    Parameters
    ----------
    path : Path
        Ending in ".vhdr".
    samples : ndarray, shape (n_samples, n_channels), int16
    names : sequence of str
    rate_hz : float
    step_uv : float
        uV per step.
    marks : sequence of (sample, text)
        Stimuli.
    segments : sequence of (sample, time stamp)
        Starts of segments; the stamp may be "".
    """
    head = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={path.with_suffix('.eeg').name}",
        f"MarkerFile={path.with_suffix('.vmrk').name}",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(names)}",
        f"SamplingInterval={1e6 / rate_hz:g}",
        "",
        "[Binary Infos]",
        "BinaryFormat=INT_16",
        "",
        "[Channel Infos]",
        *(f"Ch{i + 1}={name},,{step_uv:g},µV" for i, name in enumerate(names)),
    ]
    path.write_text("\n".join(head) + "\n", encoding="utf-8")
    lines = [f"New Segment,,{at + 1},1,0{',' + stamp if stamp else ''}" for at, stamp in segments]
    lines += [f"Stimulus,{text},{at + 1},1,0" for at, text in marks]
    marker = ["Brain Vision Data Exchange Marker File, Version 1.0", "", "[Common Infos]"]
    marker += ["Codepage=UTF-8", f"DataFile={path.with_suffix('.eeg').name}", "", "[Marker Infos]"]
    marker += [f"Mk{i + 1}={line}" for i, line in enumerate(lines)]
    path.with_suffix(".vmrk").write_text("\n".join(marker) + "\n", encoding="utf-8")
    samples.astype("<i2").tofile(path.with_suffix(".eeg"))
    return path


def write_eeglab(
    path: Path,
    samples_uv: npt.NDArray[np.float32],
    names: Sequence[str],
    rate_hz: float,
    *,
    marks: Marks = (),
    cuts: Sequence[tuple[float, float]] = (),
    inside: bool = False,
) -> Path:
    """Write a .set, with a .fdt beside it unless the samples are to stand inside.

    Parameters
    ----------
    path : Path
        Ending in ".set".
    samples_uv : ndarray, shape (n_samples, n_channels), float32, uV
    names : sequence of str
    rate_hz : float
    marks : sequence of (sample, text)
    cuts : sequence of (sample, samples)
        Boundaries: where a piece was cut out, and how long it was.
    inside : bool
    """
    from scipy.io import savemat

    n_samples, n_channels = samples_uv.shape
    places = np.zeros(n_channels, dtype=[("labels", "O"), ("X", "O"), ("Y", "O"), ("Z", "O")])
    for i, name in enumerate(names):
        places[i] = (name, np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0)))
    told = [(text, at + 1.0, 0.0) for at, text in marks]
    told += [("boundary", at + 1.0, float(length)) for at, length in cuts]
    events = np.zeros(len(told), dtype=[("type", "O"), ("latency", "O"), ("duration", "O")])
    events[:] = told
    planes = samples_uv.T.astype("<f4")
    facts = {
        "setname": "x",
        "nbchan": float(n_channels),
        "pnts": float(n_samples),
        "trials": 1.0,
        "srate": float(rate_hz),
        "xmin": 0.0,
        "xmax": (n_samples - 1) / rate_hz,
        "chanlocs": places,
        "event": events,
        "data": planes if inside else path.with_suffix(".fdt").name,
    }
    savemat(path, {"EEG": facts}, appendmat=False)
    if not inside:
        planes.T.tofile(path.with_suffix(".fdt"))
    return path


def write_gdf(
    path: Path,
    samples: npt.NDArray[np.int16],
    names: Sequence[str],
    rate_hz: int,
    *,
    marks: Sequence[tuple[int, int]] = (),
    step_uv: float = 0.5,
) -> Path:
    """Write a file of version 1.25 with data records of one second.

    Parameters
    ----------
    path : Path
        Ending in ".gdf".
    samples : ndarray, shape (n_seconds * rate_hz, n_channels), int16
    names : sequence of str
    rate_hz : int
    marks : sequence of (sample, code)
    step_uv : float
        uV per step.
    """
    n, n_channels = len(names), samples.shape[1]
    n_records = len(samples) // rate_hz
    head = b"GDF 1.25" + b"X X".ljust(80) + b"X".ljust(80) + b"2020030122300000"
    head += struct.pack("<q", 256 * (n + 1)) + bytes(24 + 20)
    head += struct.pack("<qIII", n_records, 1, 1, n)
    head += b"".join(name.encode().ljust(16) for name in names) + b" " * (80 * n)
    head += b"uV      " * n
    for values, form in (
        (-32768 * step_uv, "<d"),
        (32767 * step_uv, "<d"),
        (-32768, "<q"),
        (32767, "<q"),
    ):
        head += struct.pack(form, values) * n
    head += b" " * (80 * n) + struct.pack("<i", rate_hz) * n + struct.pack("<i", 3) * n
    head += b" " * (32 * n)
    records = samples[: n_records * rate_hz].reshape(n_records, rate_hz, n_channels)
    table = struct.pack("<B", 1) + int(rate_hz).to_bytes(3, "little")
    table += struct.pack("<I", len(marks))
    table += b"".join(struct.pack("<I", at + 1) for at, _ in marks)
    table += b"".join(struct.pack("<H", code) for _, code in marks)
    path.write_bytes(head + records.transpose(0, 2, 1).astype("<i2").tobytes() + table)
    return path
