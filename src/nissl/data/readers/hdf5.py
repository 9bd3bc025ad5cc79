"""HDF5 files with one movie: a data set ``(t, y, x)``, ``(t, z, y, x)`` or with named axes.

The data set is the only one of three dimensions or more, or the one named data, movie, mov,
frames, ... . Its attributes, those of the file, and small data sets beside it are searched for
rate, time stamps, spacing and axes (see `nissl.data.array_movies`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nissl.data.array_frames import ArrayFrames
from nissl.data.array_movies import FACTS, MOVIES, array_movies
from nissl.data.arrays import HDF5_LOCK
from nissl.data.readers import Opened, ReadOptions
from nissl.data.readers.numpy_arrays import SAMPLES
from nissl.errors import BadMetadataError, UnknownFormatError

SUFFIXES = (".h5", ".hdf5", ".hdf")
MOST_FACTS = 1 << 24
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8) == _SIGNATURE


class Hdf5MovieReader:
    """Reads ``.h5``."""

    name = "hdf5"
    takes = frozenset({"rate_hz", "n_channels"})

    def matches(self, path: Path) -> bool:
        """Whether it is an HDF5 file by suffix and signature."""
        return path.suffix.lower() in SUFFIXES and is_hdf5(path)

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open the movie of the file, one for each channel."""
        import h5py

        with HDF5_LOCK, h5py.File(path, "r") as file:
            data = _movie(file, path)
            facts = {**_facts(file), **_facts(data.parent), **_attributes(data)}
            name, shape = data.name, data.shape
            sample_type = data.dtype.newbyteorder("=").str

        def reader(axes: str, channel: int) -> ArrayFrames:
            return ArrayFrames(str(path), "hdf5", name, sample_type, axes, channel)

        movies = array_movies(path.name, shape, facts, options, reader)
        return Opened((), (path,), movies=movies)


def _movie(file: Any, path: Path) -> Any:
    """Return the data set of the movie."""
    import h5py

    found = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 3 and item.dtype.kind in "iuf":
            found.append(item)

    file.visititems(visit)
    if not found:
        raise UnknownFormatError(
            f"a movie in {path.name}: an array of three dimensions or more",
            f"only {sorted(file)[:8]}",
            "Give the file that holds the movie.",
        )
    named = [each for each in found if each.name.rsplit("/", 1)[-1].lower() in (*MOVIES, *SAMPLES)]
    for several in (named, found):
        if len(several) == 1:
            return several[0]
    raise BadMetadataError(
        f"one movie in {path.name}, named one of {list(MOVIES)}",
        f"the arrays {[each.name for each in found][:8]}",
        "Save the movie under the name 'data', or as a file of its own.",
    )


def _attributes(item: Any) -> dict[str, Any]:
    return {str(k).lower(): v for k, v in item.attrs.items() if str(k).lower() in FACTS}


def _facts(group: Any) -> dict[str, Any]:
    """Attributes and small data sets of a group, those that say something."""
    import h5py

    facts = _attributes(group)
    for key, item in group.items():
        small = isinstance(item, h5py.Dataset) and item.size * item.dtype.itemsize <= MOST_FACTS
        if small and key.lower() in FACTS and item.dtype.kind in "iufSO" and item.ndim <= 1:
            value = item[()]
            facts[key.lower()] = np.asarray(value) if item.ndim else value
    return facts


READER = Hdf5MovieReader()
