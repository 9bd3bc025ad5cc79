"""Immutable content under its digest: label sets, item tables, arrays.

A file is written under a temporary name, forced to the disk, then renamed; reading proves that
it holds what its name says.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from nissl.errors import (
    BadArgumentError,
    CorruptProjectError,
    MissingInputError,
    NisslError,
    StoreError,
)
from nissl.labels import ItemTable, LabelSet
from nissl.labels.atomic import fsync_folder, store_error
from nissl.labels.digest import digest_array
from nissl.labels.serialise import read_items, read_labels, write_items, write_labels
from nissl.store.faults import damaged, translated

T = TypeVar("T", LabelSet, ItemTable)
FOLDERS = ("labels", "arrays", "models", "reports", "work")
STALE_S = 24 * 3600.0
"""Age at which what a killed process left half-written is swept away, seconds."""


class Objects:
    """The content-addressed folders of a project.

    Parameters
    ----------
    root : Path
        The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def make_folders(self) -> None:
        """Make the folders of a project where they are missing; git, for one, drops empty ones."""
        missing = [self.root / name for name in FOLDERS if not (self.root / name).is_dir()]
        with translated(self.root):
            for folder in missing:
                folder.mkdir(exist_ok=True)
            if missing:
                fsync_folder(self.root)

    def put_labels(self, labels: LabelSet) -> str:
        """Keep a label set; on disk when this returns."""
        path = self.labels_path(labels.digest)
        if not self._holds(path, labels.digest, self.get_labels):
            write_labels(labels, path)
        return labels.digest

    def get_labels(self, digest: str) -> LabelSet:
        """Label set of a digest."""
        path = self._existing(self.labels_path(digest), "label set")
        return _same(read_labels(path), digest, path)

    def put_items(self, items: ItemTable) -> str:
        """Keep an item table with its arrays; on disk when this returns."""
        path = self.items_path(items.digest)
        if not self._holds(path, items.digest, self.get_items):
            write_items(items, path)
        return items.digest

    def get_items(self, digest: str) -> ItemTable:
        """Item table of a digest."""
        path = self._existing(self.items_path(digest), "item table")
        return _same(read_items(path), digest, path)

    def put_array(self, array: npt.NDArray[Any]) -> str:
        """Keep an array of numbers as Zarr; on disk when this returns."""
        if array.dtype.kind not in "biufc":
            raise BadArgumentError(
                "an array of numbers", f"dtype {array.dtype}", "Convert it, or keep a table."
            )
        digest = digest_array(array)
        path = self.array_path(digest)
        if not self._holds(path, digest, self.get_array):
            _write_zarr(array, path)
        return digest

    def get_array(self, digest: str) -> npt.NDArray[Any]:
        """Array of a digest, read-only."""
        path = self._existing(self.array_path(digest), "array")
        array = _read_zarr(path)
        if digest_array(array) != digest:
            raise damaged(path, "values with another digest")
        array.setflags(write=False)
        return array

    def labels_path(self, digest: str) -> Path:
        """File of a label set."""
        return self.root / "labels" / f"{checked(digest)}.parquet"

    def items_path(self, digest: str) -> Path:
        """File of an item table."""
        return self.root / "labels" / f"{checked(digest)}.items.parquet"

    def array_path(self, digest: str) -> Path:
        """Folder of an array."""
        return self.root / "arrays" / f"{checked(digest)}.zarr"

    def sweep(self, now_s: float | None = None) -> int:
        """Remove what killed processes left half-written a day ago or more; returns how many."""
        removed = 0
        limit = (time.time() if now_s is None else now_s) - STALE_S
        for folder in ("labels", "arrays", "models"):
            for path in (self.root / folder).glob(".*.partial"):
                with suppress(OSError):
                    if path.stat().st_mtime < limit:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()
                        removed += 1
        return removed

    def _existing(self, path: Path, what: str) -> Path:
        if not path.exists():
            raise MissingInputError(
                f"the {what} {path.name}",
                "no such file in the project",
                "Check the digest; `nissl show` lists what the project has.",
            )
        return path

    def _holds(self, path: Path, digest: str, read: Any) -> bool:
        """Whether the content is there and sound; a damaged file is to be written anew."""
        if not path.exists():
            return False
        try:
            read(digest)
        except CorruptProjectError:
            if path.is_dir():
                aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
                with translated(path):
                    os.rename(path, aside)
            return False
        # another process may have renamed it a moment ago and not yet forced the folder to disk
        with translated(path), suppress(PermissionError):
            fsync_folder(path.parent)
        return True


def checked(digest: str) -> str:
    """Return a digest; `BadArgumentError` when it is not 64 hexadecimal digits."""
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise BadArgumentError(
            "a digest of 64 hexadecimal digits", repr(digest)[:100], "Give it in full."
        )
    return digest


def _same(found: T, digest: str, path: Path) -> T:
    if found.digest != digest:
        raise damaged(path, f"content with the digest {found.digest[:12]}")
    return found


def _write_zarr(array: npt.NDArray[Any], path: Path) -> None:
    import numcodecs
    import zarr

    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    little = little.reshape(array.shape)  # ascontiguousarray gives scalars one axis
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        try:
            partial.mkdir()
            stored = zarr.open_array(
                zarr.DirectoryStore(str(partial)),
                mode="w",
                shape=little.shape,
                dtype=little.dtype,
                compressor=numcodecs.Zstd(level=3, checksum=True),
                fill_value=0,
                write_empty_chunks=True,
            )
            stored[...] = little
            fsync_tree(partial)
            try:
                os.rename(partial, path)
            except OSError:
                if not path.exists():  # else another process was first, with the same content
                    raise
            fsync_folder(path.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise error if isinstance(error, StoreError) else store_error(error, path) from error


def _read_zarr(path: Path) -> npt.NDArray[Any]:
    import zarr

    try:
        stored = zarr.open_array(zarr.DirectoryStore(str(path)), mode="r")
        # a missing chunk would read as zeros; of a scalar zarr does not count the only one
        whole = stored.ndim == 0 or stored.nchunks == stored.nchunks_initialized
        if stored.dtype.kind not in "biufc" or not whole:
            raise damaged(path, "an array with missing chunks or of another type")
        return np.array(stored[...])
    except NisslError:
        raise
    except (
        OSError,
        RuntimeError,
        MemoryError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
    ) as error:
        raise damaged(path, f"{type(error).__name__}: {str(error)[:100]}") from error


def fsync_tree(folder: Path) -> None:
    """Force every file and folder below a folder to the disk."""
    for base, _, names in os.walk(folder):
        for name in names:
            with open(Path(base) / name, "rb") as file:
                os.fsync(file.fileno())
        fsync_folder(base)
