"""Writing an export so that it is there whole or not at all.

Files and folders are made under a hidden temporary name beside the target and renamed when
they are complete and on the disk; what was there before is replaced only on request.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nissl.errors import BadArgumentError, NisslError, StoreError
from nissl.labels.atomic import fsync_folder, store_error


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
    # the suffix stays: some writers choose their format by it
    partial = target.with_name(f".{secrets.token_hex(8)}.partial{target.suffix}")
    with _translated(target):
        _check_free(target, overwrite)
        _check_no_folder(target)
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
    """Give an empty folder that becomes `path` when the block ends; see `new_file`.

    A folder that is there is replaced only where it is an export of nissl or empty, so that a
    mistyped path cannot cost anybody's data.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    with _translated(target):
        _check_free(target, overwrite)
        _check_ours(target)
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


def _check_no_folder(target: Path) -> None:
    if target.is_dir():
        raise BadArgumentError(
            "a path for a file", f"the folder {target}", "Choose another path, or one inside it."
        )


def _check_ours(target: Path) -> None:
    marks = (target / "nissl" / "facts.json", target / "facts.json")
    if target.is_dir() and any(target.iterdir()) and not any(m.is_file() for m in marks):
        raise BadArgumentError(
            "an empty folder or an export of nissl to replace",
            f"the folder {target} with other files",
            "Choose another path.",
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
    """Recognise a full disk also where a library hides the error number in its words.

    NumPy says "30 requested and 7 written", HDF5 "errno = 28".
    """
    if isinstance(error, OSError) and error.errno is not None:
        return store_error(error, target)
    number = re.search(r"errno = (\d+)", str(error))
    if number:
        code = int(number.group(1))
        return store_error(OSError(code, os.strerror(code)), target)
    if re.search(r"\d+ requested and \d+ written", str(error)):
        return store_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), target)
    return store_error(error, target) if isinstance(error, OSError) else None
