"""Files of targettrack: an HDF5 group for each volume, with a data set ``frame`` (c, x, y, z).

Red comes first, then green; further channels are numbered. The file states neither how often
volumes were taken nor the size of a voxel: the rate is asked for, and so is the spacing by what
needs it. What people placed (``pointdat``, ``mask``) is read by `nissl.io.targettrack`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.arrays import HDF5_LOCK, damaged
from nissl.data.frame_clock import frame_clock
from nissl.data.movie import Movie, Rows
from nissl.data.readers import Opened, ReadOptions
from nissl.data.readers.hdf5 import SUFFIXES, is_hdf5
from nissl.errors import BadMetadataError, CorruptSourceError

COLOURS = ("red", "green")
FRAME = "frame"


@dataclass(frozen=True)
class TargettrackFrames:
    """Volumes of one channel.

    Parameters
    ----------
    path : str
    sample_type : str
        NumPy type string in this machine's byte order.
    shape : tuple of int
        ``(z, y, x)``.
    channel : int
    """

    path: str
    sample_type: str
    shape: tuple[int, int, int]
    channel: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return np.dtype(self.sample_type)

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Voxels of volumes [start, stop), rows [y0, y1), shape (t, z, y, x)."""
        import h5py

        depth, _, width = self.shape
        out = np.empty((stop - start, depth, rows[1] - rows[0], width), self.dtype)
        try:
            with HDF5_LOCK, h5py.File(self.path, "r") as file:
                for volume, t in zip(out, range(start, stop), strict=True):
                    volume[...] = file[f"{t}/{FRAME}"][self.channel, :, slice(*rows)].T
        except Exception as error:
            raise damaged(self.path, error) from error
        return out


def is_targettrack(path: Path) -> bool:
    """Whether a file is HDF5 whose volumes are groups with a frame each."""
    if not is_hdf5(path):
        return False
    import h5py

    try:
        with HDF5_LOCK, h5py.File(path, "r") as file:
            first = file.get(f"0/{FRAME}")
            return isinstance(first, h5py.Dataset) and first.ndim == 4
    except OSError:
        return False


def n_volumes(file: Any) -> int:
    """Volumes of an open file, numbered from 0 without a gap.

    Raises
    ------
    CorruptSourceError
        One is missing.
    """
    numbered = sorted(int(key) for key in file if key.isdecimal() and FRAME in file[key])
    missing = sorted(set(range(numbered[-1] + 1)) - set(numbered)) if numbered else []
    if missing:
        raise CorruptSourceError(
            f"a frame of every volume from 0 to {numbered[-1]}",
            f"none of volume {missing[0]} ({len(missing)} are missing)",
            "Restore the file, or save its volumes numbered without a gap.",
        )
    return len(numbered)


class TargettrackReader:
    """Reads targettrack's ``.h5``."""

    name = "targettrack"
    takes = frozenset({"rate_hz"})

    def matches(self, path: Path) -> bool:
        """Whether it is an HDF5 file of volumes in groups."""
        return path.suffix.lower() in SUFFIXES and is_targettrack(path)

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open every channel as a movie of volumes."""
        import h5py

        with HDF5_LOCK, h5py.File(path, "r") as file:
            n = n_volumes(file)
            shape = file[f"0/{FRAME}"].shape
            sample_type = file[f"0/{FRAME}"].dtype.newbyteorder("=").str
            for t in range(n):
                here = file[f"{t}/{FRAME}"].shape
                if here != shape:
                    raise BadMetadataError(
                        f"volumes of one shape, (c, x, y, z) = {shape} as the first",
                        f"{here} in volume {t}",
                        "Save volumes of different shapes as files of their own.",
                    )
        clock, _ = frame_clock(path.name, n, given_hz=options.rate_hz)
        n_channels, width, height, depth = (int(k) for k in shape)
        extent = (depth, height, width)
        movies = tuple(
            Movie(
                name=COLOURS[k] if k < len(COLOURS) else f"channel{k}",
                reader=TargettrackFrames(str(path), sample_type, extent, k),
                shape=extent,
                clock=clock,
            )
            for k in range(n_channels)
        )
        return Opened((), (path,), movies=movies)


READER = TargettrackReader()
