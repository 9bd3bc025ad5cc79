"""Folders that SpikeInterface saved (``recording.save(folder=...)``, binary format).

They are read without SpikeInterface, which would unpickle the folder's property files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nissl.data.files import FilePart, FramesReader, whole_frames
from nissl.data.readers import Opened, ReadOptions
from nissl.data.readers.si_common import PROPERTIES, channel_table, clock_of_segments
from nissl.data.signal import Signal
from nissl.errors import BadMetadataError


class SpikeInterfaceFolderReader:
    """Reads folders with a binary.json."""

    name = "spikeinterface"
    takes = frozenset({"gain_uv"})

    def matches(self, path: Path) -> bool:
        """Whether the folder holds a binary.json."""
        return path.is_dir() and (path / "binary.json").is_file()

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open the recording as one stream, named "signal"."""
        facts = json.loads((path / "binary.json").read_bytes())["kwargs"]
        if facts.get("time_axis", 0) != 0:
            raise BadMetadataError(
                "samples stored frame by frame (time_axis 0)",
                f"time_axis {facts['time_axis']}",
                "Save the recording again with SpikeInterface.",
            )
        dtype = np.dtype(facts["dtype"])
        n_channels = int(facts.get("num_channels") or facts["num_chan"])
        offset = int(facts.get("file_offset") or 0)
        files = [path / name for name in facts["file_paths"]]
        lengths = [whole_frames(f, n_channels * dtype.itemsize, offset=offset) for f in files]
        properties = {
            **{key: facts[key] for key in PROPERTIES if facts.get(key) is not None},
            **{key: values for key in PROPERTIES if (values := _property(path, key)) is not None},
        }
        table, metadata = channel_table(
            facts.get("channel_ids") or range(n_channels), properties, _probe(path), options
        )
        starts = facts.get("t_starts") or [None] * len(files)
        times = _times(path, facts.get("file_timestamps_paths"), len(files))
        clock = clock_of_segments(float(facts["sampling_frequency"]), lengths, starts, times)
        parts = tuple(FilePart(str(f), offset, n) for f, n in zip(files, lengths, strict=True))
        reader = FramesReader(parts, dtype.str, n_channels)
        return Opened((Signal("signal", reader, table, clock, metadata),), tuple(files))


def _property(folder: Path, name: str) -> Any:
    path = folder / "properties" / f"{name}.npy"
    return np.load(path, allow_pickle=False) if path.is_file() else None


def _probe(folder: Path) -> Any:
    for name in ("probegroup.json", "probe.json"):
        if (folder / name).is_file():
            return json.loads((folder / name).read_bytes())
    return None


def _times(folder: Path, names: Any, n_segments: int) -> list[Any]:
    """Time vectors: raw float64 since SpikeInterface 0.105, npy files before."""
    if names:
        return [np.fromfile(folder / name, dtype=np.float64) for name in names]
    old = [folder / f"times_cached_seg{index}.npy" for index in range(n_segments)]
    return [np.load(path, allow_pickle=False) if path.is_file() else None for path in old]


READER = SpikeInterfaceFolderReader()
