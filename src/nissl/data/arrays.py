"""Sample readers over arrays in containers: npz members, Zarr arrays, HDF5 data sets.

Each opens its container when samples are first asked for, once per process, and travels to
worker processes as a path.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError


@lru_cache(maxsize=4)
def _npz_member(path: str, key: str, mtime_ns: int) -> npt.NDArray[Any]:
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive[key])


@dataclass(frozen=True)
class NpzReader:
    """An array of an npz archive, which is unpacked whole when first read.

    Parameters
    ----------
    path, key : str
    sample_type : str
    channels_first : bool
        The stored shape is (n_channels, n_samples).
    """

    path: str
    key: str
    sample_type: str
    channels_first: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return np.dtype(self.sample_type)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        try:
            array = _npz_member(self.path, self.key, Path(self.path).stat().st_mtime_ns)
        except Exception as error:
            raise damaged(self.path, error) from error
        samples = array.reshape(-1, 1) if array.ndim == 1 else array
        samples = samples.T if self.channels_first else samples
        return np.ascontiguousarray(samples[start:stop][:, channels])

    def to_json(self) -> dict[str, Any]:
        """Plain values; the path is absolute."""
        return {**vars(self), "path": str(Path(self.path).absolute())}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> NpzReader:
        """Inverse of `to_json`."""
        return cls(**value)


@lru_cache(maxsize=64)
def zarr_array(path: str, name: str) -> Any:
    """Return an array of a store by name, "" for the store itself; opened once per process."""
    import zarr

    opened = zarr.open(path, mode="r")
    return opened[name] if name else opened


@dataclass(frozen=True)
class ZarrReader:
    """Zarr arrays of shape (n_samples, n_channels), one after the other.

    Parameters
    ----------
    path : str
        Folder of the array or of the group.
    names : tuple of str
        Arrays within the group; "" is the root.
    lengths : tuple of int
        Samples of each.
    sample_type : str
    channels_first : bool
    """

    path: str
    names: tuple[str, ...]
    lengths: tuple[int, ...]
    sample_type: str
    channels_first: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return np.dtype(self.sample_type)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        pieces, first = [], 0
        for name, length in zip(self.names, self.lengths, strict=True):
            a, b = max(start, first) - first, min(stop, first + length) - first
            if a < b:
                pieces.append(self._piece(name, a, b, channels))
            first += length
        if not pieces:
            return np.empty((stop - start, len(channels)), dtype=self.dtype)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _piece(
        self, name: str, start: int, stop: int, channels: npt.NDArray[np.intp]
    ) -> npt.NDArray[Any]:
        try:
            array = zarr_array(self.path, name)
            if array.ndim == 1:
                return np.asarray(array[start:stop])[:, None][:, channels]
            if self.channels_first:
                return np.asarray(array[:, start:stop])[channels].T
            return np.asarray(array[start:stop])[:, channels]
        except Exception as error:
            raise damaged(self.path, error) from error

    def to_json(self) -> dict[str, Any]:
        """Plain values; the path is absolute."""
        return {
            **vars(self),
            "path": str(Path(self.path).absolute()),
            "names": list(self.names),
            "lengths": list(self.lengths),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ZarrReader:
        """Inverse of `to_json`."""
        lists = {"names": tuple(value["names"]), "lengths": tuple(value["lengths"])}
        return cls(**{**value, **lists})


HDF5_LOCK = threading.Lock()
"""Held while an HDF5 file is open: the library is one for the whole process."""


@dataclass(frozen=True)
class Hdf5Reader:
    """A data set of an HDF5 file, shape (n_samples, n_channels) or (n_samples,).

    The file is opened for each read: a handle kept open is shared by forked processes, which
    HDF5 does not survive.

    Parameters
    ----------
    path, dataset : str
    sample_type : str
    """

    path: str
    dataset: str
    sample_type: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return np.dtype(self.sample_type)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        import h5py

        if stop <= start or not len(channels):
            return np.empty((stop - start, len(channels)), dtype=self.dtype)
        low, high = int(np.min(channels)), int(np.max(channels)) + 1
        try:
            with HDF5_LOCK, h5py.File(self.path, "r") as file:
                data = file[self.dataset]
                samples = data[start:stop] if data.ndim == 1 else data[start:stop, low:high]
        except Exception as error:
            raise damaged(self.path, error) from error
        columns = np.asarray(samples).reshape(stop - start, high - low)
        return np.ascontiguousarray(columns[:, np.asarray(channels) - low])

    def to_json(self) -> dict[str, Any]:
        """Plain values; the path is absolute."""
        return {**vars(self), "path": str(Path(self.path).absolute())}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Hdf5Reader:
        """Inverse of `to_json`."""
        return cls(**value)


def damaged(path: str, error: Exception) -> CorruptSourceError:
    """Error for samples that could not be read."""
    said = " ".join(str(error).split())[:200]
    return CorruptSourceError(
        f"readable samples in {Path(path).name}",
        f"{type(error).__name__}{f' ({said})' if said else ''}",
        "The file is damaged or has changed since it was opened; restore it from the original.",
    )
