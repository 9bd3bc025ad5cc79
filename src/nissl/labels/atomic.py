"""Writing a file so that it is there whole or not at all.

The bytes go to a temporary name in the same folder, are forced to the disk, and the name is
changed in one step; then the folder itself is forced to the disk. A crash at any moment
leaves the old file or the new one, and at most a hidden ``.*.partial`` beside it.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from nissl.errors import DiskFullError, ReadOnlyError, StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that appears under `path` only when the block ends without an error.

    Parameters
    ----------
    path : path-like
        An existing file of that name is replaced. Its folder must exist.

    Yields
    ------
    BinaryIO
        Write to it; do not close it.

    Raises
    ------
    DiskFullError
        No room on the disk, or a quota or file-size limit is reached.
    ReadOnlyError
        The folder may not be written.
    StoreError
        Any other failure of the file system.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    try:
        try:
            with open(partial, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        fsync_folder(target.parent)
    except StoreError:
        raise
    except OSError as error:
        raise store_error(error, target) from error


def write_bytes(path: str | os.PathLike[str], content: bytes | memoryview) -> None:
    """Write a whole file by `atomic_write`."""
    with atomic_write(path) as file:
        file.write(content)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and those above it, unless they are there.

    Raises
    ------
    DiskFullError, ReadOnlyError, StoreError
        The file system refuses; a file is in the way.
    """
    target = Path(path)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise store_error(error, target) from error
    return target


def fsync_folder(folder: str | os.PathLike[str]) -> None:
    """Force a folder's entries to the disk, where the system can."""
    if os.name == "nt":  # Windows opens no folders; its renames are journalled
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refusal(error: OSError) -> StoreError | None:
    """Return our error where the disk is full or read-only, None where it is something else."""
    if error.errno not in _FULL | _READ_ONLY:
        return None
    return store_error(error, error.filename or "a temporary file")


def store_error(error: OSError, path: str | os.PathLike[str]) -> StoreError:
    """Return the store's error for a failure of the file system at `path`."""
    got = error.strerror or str(error)
    if error.errno in _FULL:
        return DiskFullError(
            f"room to write {path}", got, "Free some space, then repeat the command."
        )
    if error.errno in _READ_ONLY:
        return ReadOnlyError(
            f"a writable folder {Path(path).parent}", got, "Change its permissions, or copy it."
        )
    return StoreError(f"to write {path}", got, "Check that the folder exists and the disk is well.")
