"""The samples of a stream as a raw file, so that what was said of them can be reviewed.

Frames of float32 (uV) and a JSON file beside them, as `nissl.data.readers.raw` opens them, with
a segment for every gap. Samples are handed to the system at once; `sync` forces them to the disk.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from nissl.labels.atomic import make_folder, refusal, write_bytes
from nissl.labels.digest import canonical_json
from nissl.live.contract import StreamInfo
from nissl.live.sources import Chunk


class Recorder:
    """Writes a stream to a file.

    Parameters
    ----------
    path : Path
        A new file, named ``.raw``.
    info : StreamInfo
    """

    def __init__(self, path: Path, info: StreamInfo) -> None:
        make_folder(path.parent)
        self.path, self.info = path, info
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._segments: list[tuple[int, float]] = [(0, 0.0)]
        self._describe()

    def add(self, chunk: Chunk) -> None:
        """Write one more chunk."""
        if chunk.lost_s is not None and chunk.first_sample > 0:
            first, t0_s = self._segments[-1]
            end_s = t0_s + (chunk.first_sample - first) / self.info.rate_hz
            self._segments.append((chunk.first_sample, end_s + chunk.lost_s))
            self._describe()
        data = np.ascontiguousarray(chunk.samples, "<f4").tobytes()
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            known = refusal(error)
            raise error if known is None else known from error

    def sync(self) -> None:
        """Force what was added to the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _describe(self) -> None:
        facts = {
            "rate_hz": self.info.rate_hz,
            "n_channels": self.info.n_channels,
            "dtype": "float32",
            "gain_uv": 1.0,
            "kind": self.info.channels.kind,
            "channel_ids": list(self.info.channels.ids),
            "segments": [list(each) for each in self._segments],
        }
        write_bytes(self.path.with_name(self.path.name + ".json"), canonical_json(facts))


def mended(path: Path, n_channels: int) -> Path:
    """The file after a crash: a frame that was cut off is taken away."""
    size = 4 * n_channels
    if path.stat().st_size % size:
        os.truncate(path, path.stat().st_size // size * size)
    return path


__all__ = ["Recorder", "mended"]
