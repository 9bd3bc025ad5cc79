"""Recordings as acquisition systems write them: a raw int16 file with a probe file beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nissl.data import Recording, Signal
from nissl.errors import BadMetadataError


def save_raw(recording: Recording, folder: Path, *, stem: str = "recording") -> Path:
    """Write a recording as acquisition systems do: raw int16 and a probe file.

    Parameters
    ----------
    recording : Recording
        With a single stream.
    folder : Path
        Created when absent; receives `<stem>.bin`, `<stem>.probe.json` (probeinterface) and
        `<stem>.json` (rate, gain, declaration).
    stem : str

    Returns
    -------
    Path
        The raw file; `raw_options` gives the options with which `nissl.read` opens it.
    """
    signal = recording.signal
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.bin"
    with open(path, "wb") as file:
        for start, stop in signal.blocks(int(signal.rate_hz) * 5):
            block = np.ascontiguousarray(signal.read_raw(start, stop), dtype="<i2")
            file.write(block.data)
    describe_raw(signal, path)
    return path


def describe_raw(signal: Signal, path: Path) -> None:
    """Write the probe file and the header file beside a raw file of a signal's samples."""
    from probeinterface import Probe, ProbeGroup
    from probeinterface.io import write_probeinterface

    if signal.channels.probe is None:
        raise BadMetadataError(
            "a channel table with a probe", "none", "Build it with `probe_table`."
        )
    group = ProbeGroup()
    group.add_probe(Probe.from_dict(dict(signal.channels.probe)))
    write_probeinterface(path.with_suffix(".probe.json"), group)
    header = {
        "rate_hz": signal.rate_hz,
        "n_channels": signal.n_channels,
        "dtype": "int16",
        "gain_uv": float(signal.channels.gain_uv[0]),
        "declaration": signal.metadata.get("declaration", {}),
    }
    path.with_suffix(".json").write_text(json.dumps(header, indent=1), encoding="utf-8")


def raw_options(path: Path) -> dict[str, Any]:
    """Options with which `nissl.read` opens a raw file written by `save_raw`."""
    header = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    chosen = {name: header[name] for name in ("rate_hz", "n_channels", "dtype", "gain_uv")}
    return chosen | {"probe": path.with_suffix(".probe.json")}
