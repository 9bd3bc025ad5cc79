"""Sample readers over plain binary files.

Convention: files are read with positioned reads, never mapped. A map counts every page it
touched into the process's memory, so that a memory budget would depend on the file's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError

BLOCK_BYTES = 1 << 24
"""Most bytes held besides the result while columns are picked."""


@dataclass(frozen=True)
class FilePart:
    """A run of frames within one file.

    Parameters
    ----------
    path : str
    offset : int
        Bytes before the first frame.
    n_frames : int
    """

    path: str
    offset: int
    n_frames: int


def read_into(path: str, offset: int, out: npt.NDArray[Any]) -> None:
    """Fill a C-contiguous array with the bytes of a file from `offset` on.

    Raises
    ------
    CorruptSourceError
        The file ends early or cannot be read.
    """
    read_rows(path, offset, 0, out.reshape(1, -1).view(np.uint8))


def read_rows(path: str, offset: int, stride: int, out: npt.NDArray[np.uint8]) -> None:
    """Fill rows of bytes, which lie `stride` bytes after each other in a file.

    Parameters
    ----------
    path : str
    offset : int
        Bytes before the first row.
    stride : int
        From the start of one row to that of the next.
    out : ndarray, shape (n_rows, row_bytes), uint8, C-contiguous

    Raises
    ------
    CorruptSourceError
        The file ends early or cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            for row in range(out.shape[0]):
                _fill(file, offset + row * stride, memoryview(out[row].data), path)
    except OSError as error:
        raise CorruptSourceError(
            f"a readable file at {path}",
            error.strerror or repr(error),
            "Check that the file is still there and that you may read it.",
        ) from error


def _fill(file: FileIO, offset: int, view: memoryview, path: str) -> None:
    file.seek(offset)
    done = 0
    while done < len(view):
        n = file.readinto(view[done:])
        if not n:
            raise CorruptSourceError(
                f"{len(view)} bytes at offset {offset} of {Path(path).name}",
                f"{done} bytes before its end",
                "The file was shortened since it was opened; restore it from the original.",
            )
        done += n


@dataclass(frozen=True)
class FramesReader:
    """Samples that lie frame by frame (all channels of one sample, then the next).

    Parameters
    ----------
    parts : tuple of FilePart
        In order; together they are the samples from 0 on.
    sample_type : str
        NumPy type string with byte order ("<i2").
    n_columns : int
        Values in a frame.
    columns : tuple of int, optional
        Columns that are channels of the stream, all by default.
    """

    parts: tuple[FilePart, ...]
    sample_type: str
    n_columns: int
    columns: tuple[int, ...] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return np.dtype(self.sample_type)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.n_columns * self.dtype.itemsize

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        wanted = np.asarray(channels, dtype=np.intp)
        if self.columns is not None:
            wanted = np.asarray(self.columns, dtype=np.intp)[wanted]
        picked = _as_slice(wanted)
        whole = isinstance(picked, slice) and wanted.size == self.n_columns
        out = np.empty((stop - start, wanted.size), dtype=self.dtype)
        step = stop - start if whole else max(1, BLOCK_BYTES // self.frame_bytes)
        first = 0
        for part in self.parts:
            a, b = max(start, first), min(stop, first + part.n_frames)
            for x in range(a, b, max(1, step)):
                y = min(x + step, b)
                offset = part.offset + (x - first) * self.frame_bytes
                target = out[x - start : y - start]
                if whole:
                    read_into(part.path, offset, target)
                else:
                    frames = np.empty((y - x, self.n_columns), dtype=self.dtype)
                    read_into(part.path, offset, frames)
                    if isinstance(picked, slice):
                        target[...] = frames[:, picked]
                    else:  # two to ten times as fast as frames[:, picked]
                        target[...] = np.take(frames, picked, axis=1)
            first += part.n_frames
        return out

    def to_json(self) -> dict[str, Any]:
        """Plain values; paths are absolute."""
        return {
            "parts": [[str(Path(p.path).absolute()), p.offset, p.n_frames] for p in self.parts],
            "sample_type": self.sample_type,
            "n_columns": self.n_columns,
            "columns": None if self.columns is None else list(self.columns),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FramesReader:
        """Inverse of `to_json`."""
        columns = value["columns"]
        return cls(
            parts=tuple(FilePart(p, int(o), int(n)) for p, o, n in value["parts"]),
            sample_type=value["sample_type"],
            n_columns=int(value["n_columns"]),
            columns=None if columns is None else tuple(columns),
        )


@dataclass(frozen=True)
class PlanesReader:
    """Samples that lie channel by channel (all samples of one channel, then the next).

    Parameters
    ----------
    path : str
    offset : int
        Bytes before the first channel.
    sample_type : str
        NumPy type string with byte order.
    n_samples : int
        Samples of each channel.
    """

    path: str
    offset: int
    sample_type: str
    n_samples: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return np.dtype(self.sample_type)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        out = np.empty((len(channels), stop - start), dtype=self.dtype)
        for row, channel in enumerate(channels):
            first = int(channel) * self.n_samples + start
            read_into(self.path, self.offset + first * self.dtype.itemsize, out[row])
        return np.ascontiguousarray(out.T)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the path is absolute."""
        return {**vars(self), "path": str(Path(self.path).absolute())}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PlanesReader:
        """Inverse of `to_json`."""
        return cls(**value)


def _as_slice(columns: npt.NDArray[np.intp]) -> slice | npt.NDArray[np.intp]:
    """Neighbouring columns as a slice, which is copied several times faster."""
    if columns.size and np.array_equal(columns, np.arange(columns.size) + columns[0]):
        return slice(int(columns[0]), int(columns[0]) + columns.size)
    return columns


def whole_frames(path: Path, frame_bytes: int, *, offset: int = 0) -> int:
    """Frames in a file, which must hold at least one and no part of one.

    Parameters
    ----------
    path : Path
    frame_bytes : int
        Channels times bytes per sample.
    offset : int
        Bytes of header.

    Raises
    ------
    CorruptSourceError
        Empty file, or a size that is not a whole number of frames.
    """
    size = path.stat().st_size - offset
    if size <= 0:
        raise CorruptSourceError(
            f"samples in {path.name}",
            "an empty file" if size == -offset else f"{size + offset} bytes, header only",
            "The recording holds nothing; check the copy against the original.",
        )
    n_frames, rest = divmod(size, frame_bytes)
    if rest:
        raise CorruptSourceError(
            f"{path.name} to hold whole frames of {frame_bytes} bytes",
            f"{size} bytes, {rest} too many",
            "The file is truncated, or the number of channels or the dtype is wrong.",
        )
    return n_frames
