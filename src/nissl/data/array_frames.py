"""Frames in arrays: plain binary files, members of npz archives, HDF5 data sets, Zarr arrays.

Plain ones are read with positioned reads (see `nissl.data.files`), of the others the chunks
that are needed. A compressed npz is unpacked as a stream, forwards, so that a movie larger than
the memory can be read from its beginning to its end.
"""

from __future__ import annotations

import os
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.arrays import HDF5_LOCK, damaged, zarr_array
from nissl.data.files import read_rows
from nissl.data.movie import Rows
from nissl.errors import NisslError

_SKIP_BYTES = 1 << 22


@dataclass(frozen=True)
class PlainFrames:
    """Frames that lie one after the other, row by row, in one file or in one for each plane.

    Parameters
    ----------
    parts : tuple of (str, int)
        Files and bytes before their first frame; with several, each holds one plane.
    sample_type : str
        NumPy type string with byte order.
    shape : tuple of int
        ``(z, y, x)``.
    """

    parts: tuple[tuple[str, int], ...]
    sample_type: str
    shape: tuple[int, int, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(self.sample_type).newbyteorder("=")

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1), shape (t, z, y, x)."""
        stored = np.dtype(self.sample_type)
        n_planes, height, width = self.shape
        here = n_planes // len(self.parts)
        n_rows, row_bytes = rows[1] - rows[0], width * stored.itemsize
        out = np.empty((len(self.parts), stop - start, here, n_rows, width), dtype=stored)
        stride = height * row_bytes
        for (path, offset), target in zip(self.parts, out, strict=True):
            if target.size:
                first = offset + start * here * stride + rows[0] * row_bytes
                images = target.reshape((stop - start) * here, -1).view(np.uint8)
                read_rows(path, first, stride, images)
        frames = out[0] if len(self.parts) == 1 else np.moveaxis(out[:, :, 0], 0, 1)
        return np.ascontiguousarray(frames.astype(self.dtype, copy=False))


@dataclass(frozen=True)
class ArrayFrames:
    """Frames of an HDF5 data set or a Zarr array, whose axes lie in any order.

    Parameters
    ----------
    path : str
    container : str
        "hdf5" or "zarr".
    name : str
        Of the array within it; "" is a Zarr array that is the folder itself.
    sample_type : str
        NumPy type string in this machine's byte order.
    axes : str
        A letter of "tzcyx" for each axis of the array.
    channel : int
        Place along "c", where there is such an axis.
    """

    path: str
    container: str
    name: str
    sample_type: str
    axes: str
    channel: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(self.sample_type)

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1), shape (t, z, y, x)."""
        chosen = {"t": slice(start, stop), "y": slice(*rows), "c": self.channel}
        index = tuple(chosen.get(axis, slice(None)) for axis in self.axes)
        try:
            block = self._block(index)
        except (NisslError, ImportError):
            raise
        except Exception as error:
            raise damaged(self.path, error) from error
        kept = self.axes.replace("c", "")
        for axis in "tz":
            if axis not in kept:
                kept, block = kept + axis, block[..., None]
        frames = block.transpose([kept.index(axis) for axis in "tzyx"])
        return np.ascontiguousarray(frames, dtype=self.dtype)

    def _block(self, index: tuple[Any, ...]) -> npt.NDArray[Any]:
        if self.container == "zarr":
            return np.asarray(zarr_array(self.path, self.name)[index])
        import h5py

        with HDF5_LOCK, h5py.File(self.path, "r") as file:
            return np.asarray(file[self.name][index])


@dataclass(frozen=True)
class NpzFrames:
    """Frames of a compressed member of an npz archive, shape (t, z, y, x) or (t, y, x).

    Reading on from where the last read ended is quick; going back begins anew.

    Parameters
    ----------
    path, member : str
    offset : int
        Bytes of the member before the first frame.
    sample_type : str
    shape : tuple of int
        ``(z, y, x)``.
    """

    path: str
    member: str
    offset: int
    sample_type: str
    shape: tuple[int, int, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(self.sample_type).newbyteorder("=")

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1), shape (t, z, y, x)."""
        stored = np.dtype(self.sample_type)
        frame_bytes = int(np.prod(self.shape)) * stored.itemsize
        n_rows = rows[1] - rows[0]
        out = np.empty((stop - start, self.shape[0], n_rows, self.shape[2]), self.dtype)
        try:
            with _STREAMS_LOCK:
                stream = _stream(self.path, self.member)
                stream.seek(self.offset + start * frame_bytes)
                for frame in out:
                    whole = np.frombuffer(stream.take(frame_bytes), stored).reshape(self.shape)
                    frame[...] = whole[:, slice(*rows)]
        except NisslError:
            raise
        except Exception as error:
            _STREAMS.clear()
            raise damaged(self.path, error) from error
        return out


class _Stream:
    """A member of an archive, read forwards."""

    def __init__(self, path: str, member: str) -> None:
        self.path, self.member = path, member
        self.archive = zipfile.ZipFile(path)
        self.file = self.archive.open(member)
        self.place = 0

    def seek(self, place: int) -> None:
        if place < self.place:
            self.file.close()
            self.file, self.place = self.archive.open(self.member), 0
        while self.place < place:
            self.take(min(_SKIP_BYTES, place - self.place))

    def take(self, n: int) -> bytes:
        data = self.file.read(n)
        self.place += len(data)
        if len(data) != n:
            raise EOFError(f"{n - len(data)} bytes are missing")
        return data


_STREAMS: dict[tuple[int, str, str, int], _Stream] = {}
_STREAMS_LOCK = threading.Lock()
_MOST_STREAMS = 4


def _stream(path: str, member: str) -> _Stream:
    """Stream of this process: forked ones would share its place in the file."""
    key = (os.getpid(), path, member, Path(path).stat().st_mtime_ns)
    if key not in _STREAMS:
        if len(_STREAMS) >= _MOST_STREAMS:
            _STREAMS.clear()
        _STREAMS[key] = _Stream(path, member)
    return _STREAMS[key]
