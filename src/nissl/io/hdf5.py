"""Writing HDF5 files of any size that survive a full disk.

When HDF5 itself runs out of disk it keeps a handle that it can neither flush nor close, and a
later close of any other file may crash the process. So it writes through a file of Python's that
remembers the first error, takes everything after it, and tells when HDF5 has let go.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class _Patient(io.RawIOBase):
    """A file whose first error waits until it is asked for."""

    def __init__(self, path: Path) -> None:
        self.file = open(path, "w+b", buffering=0)  # noqa: SIM115 (closed by its owner)
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all, or remember why not."""
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        try:
            while self.error is None and rest.nbytes:
                rest = rest[self.file.write(rest) or 0 :]
        except OSError as error:
            self.error = error
        return size

    def readinto(self, buffer: Any) -> int:
        """Read what is there; zeros where nothing could be written."""
        view = memoryview(buffer).cast("B")
        n = self.file.readinto(view) or 0
        view[n:] = bytes(view.nbytes - n)
        return view.nbytes

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere."""
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """Where it is."""
        return self.file.tell()

    def truncate(self, size: int | None = None) -> int:
        """Set the size, or remember why not."""
        try:
            return self.file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self.error is not None:
            raise self.error


class Writing:
    """An open HDF5 file, and the file below it.

    Parameters
    ----------
    file : h5py.File
    below : _Patient
    """

    def __init__(self, file: Any, below: _Patient) -> None:
        self.file = file
        self._below = below

    def check(self) -> None:
        """Raise `OSError` where the disk has failed so far; call it now and then in a loop."""
        self._below.check()


@contextmanager
def new_hdf5(path: Path) -> Iterator[Writing]:
    """Open a new file to write; errors of the disk are raised when it is closed.

    Raises
    ------
    OSError
        The disk is full or failed.
    """
    import h5py

    below = _Patient(path)
    try:
        with h5py.File(below, "w") as file:
            yield Writing(file, below)
        below.check()
    finally:
        below.file.close()
