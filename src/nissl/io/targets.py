"""Writing an export so that it is there whole or not at all.

Files and folders are made under a hidden temporary name beside the target and renamed when
they are complete and on the disk; what was there before is replaced only on request.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nissl.errors import BadArgumentError, NisslError, StoreError
from nissl.labels.atomic import fsync_folder, store_error

_LEAST_FREE_BYTES = 64 * 1024


@contextmanager
def new_file(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path whose file becomes `path` when the block ends without an error.

    Raises
    ------
    BadArgumentError
        Something is there and `overwrite` is false.
    DiskFullError, ReadOnlyError, StoreError
        The file system refused; nothing half-written remains.
    """
    target = Path(path)
    _check_free(target, overwrite)
    # the suffix stays: some writers choose their format by it
    partial = target.with_name(f".{secrets.token_hex(8)}.partial{target.suffix}")
    with _translated(target):
        try:
            yield partial
            _fsync_file(partial)
            _replace(partial, target)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        fsync_folder(target.parent)


@contextmanager
def new_folder(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty folder that becomes `path` when the block ends; see `new_file`."""
    target = Path(path)
    _check_free(target, overwrite)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    with _translated(target):
        try:
            partial.mkdir()
            yield partial
            for file in sorted(p for p in partial.rglob("*") if p.is_file()):
                _fsync_file(file)
            _replace(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        fsync_folder(target.parent)


def _check_free(target: Path, overwrite: bool) -> None:
    if not overwrite and (target.exists() or target.is_symlink()):
        raise BadArgumentError(
            "a path where nothing is yet",
            f"an existing {'folder' if target.is_dir() else 'file'} {target}",
            "Choose another path, or pass --overwrite (overwrite=True).",
        )


def _replace(partial: Path, target: Path) -> None:
    if not target.is_dir() or target.is_symlink():
        if partial.is_dir() and target.exists():
            target.unlink()
        os.replace(partial, target)
        return
    aside = target.with_name(f".{target.name}.{secrets.token_hex(8)}.old")
    os.rename(target, aside)
    try:
        os.rename(partial, target)
    except OSError:
        os.rename(aside, target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _fsync_file(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _translated(target: Path) -> Iterator[None]:
    try:
        yield
    except NisslError:
        raise
    except (OSError, RuntimeError) as error:
        known = _as_store_error(error, target)
        if known is None:
            raise
        raise known from error


def _as_store_error(error: OSError | RuntimeError, target: Path) -> StoreError | None:
    """Recognise a full disk also where a library (NumPy, HDF5) hides the error number."""
    if isinstance(error, OSError) and error.errno is not None:
        return store_error(error, target)
    with suppress(OSError):
        if shutil.disk_usage(target.parent).free < _LEAST_FREE_BYTES:
            return store_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), target)
    full = os.strerror(errno.ENOSPC)
    if full in str(error) or f"errno = {errno.ENOSPC}" in str(error):
        return store_error(OSError(errno.ENOSPC, full), target)
    return store_error(error, target) if isinstance(error, OSError) else None
