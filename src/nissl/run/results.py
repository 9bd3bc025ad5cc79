"""Finished chunks on disk: what makes a run resumable.

One npz file per chunk (a zip of npy arrays, no pickle), written under another name and moved
into place, so that a name is only ever complete. The zip's checksums tell damage; a damaged
file counts as unfinished. A manifest holds the plan: files of another plan are discarded.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from nissl.errors import BadArgumentError, DiskFullError, MethodFailedError, ReadOnlyError
from nissl.labels.digest import digest_json
from nissl.run.chunks import Chunk

_DATE = (1980, 1, 1, 0, 0, 0)  # equal arrays give equal files
Arrays = dict[str, npt.NDArray[Any]]


def stage_key(name: str, definition: Mapping[str, Any]) -> str:
    """Name of a stage's folder: its name and a digest of all that defines what it computes.

    Parameters
    ----------
    name : str
        Letters, digits, ``-``, ``_`` and ``.``.
    definition : mapping
        JSON values: fingerprint of the source, stream, parameters, version.
    """
    return f"{name}-{digest_json(dict(definition))[:20]}"


class ChunkFiles:
    """Results of one stage, by chunk.

    Parameters
    ----------
    workdir : Path
        The job's scratch folder.
    key : str
        Name of the stage's folder in it (see `stage_key`).
    plan : sequence of Chunk
    function : callable
        What is applied; a different one, or a different plan, discards what is there.
    """

    def __init__(
        self, workdir: Path, key: str, *, plan: Sequence[Chunk], function: Callable[..., Any]
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", key):
            raise BadArgumentError(
                "a key of letters, digits, '-', '_' and '.'", repr(key), "Use nissl.run.stage_key."
            )
        self.folder = Path(workdir).resolve() / key
        manifest = {
            "format": 1,
            "function": f"{function.__module__}:{getattr(function, '__qualname__', function)}",
            "n_chunks": len(plan),
            "plan": digest_json([list(astuple(chunk)) for chunk in plan]),
        }
        with _disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._adopt(manifest)

    def _adopt(self, manifest: dict[str, Any]) -> None:
        path = self.folder / "manifest.json"
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = None
        for part in self.folder.glob("*.part"):
            if not psutil.pid_exists(int(part.name.split(".")[-2])):  # its writer was killed
                part.unlink(missing_ok=True)
        if known == manifest:
            return
        for stale in self.folder.glob("*.npz"):
            stale.unlink(missing_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        part.replace(path)

    def path(self, chunk: Chunk) -> Path:
        """File of a chunk's result."""
        return self.folder / f"{chunk.index:08d}.npz"

    def has(self, chunk: Chunk) -> bool:
        """Whether there is a file; `load` tells whether it is sound."""
        return self.path(chunk).exists()

    def load(self, chunk: Chunk) -> Arrays | None:
        """Arrays of a finished chunk; None, and the file removed, when it is damaged."""
        return _sound(self.path(chunk))

    def made(self, chunk: Chunk, make: Callable[[], Arrays]) -> Arrays:
        """Arrays of a chunk, which `make` computes where it is not finished yet."""
        return _read_or_made(self.path(chunk), make)


def kept_arrays(workdir: Path, key: str, make: Callable[[], Arrays]) -> Arrays:
    """Arrays of a stage that is not cut into chunks: made once, then read from its file.

    Parameters
    ----------
    workdir : Path
        The job's scratch folder.
    key : str
        Name of the file in it (see `stage_key`).
    make : callable
        Computes the arrays; nothing is written where it fails.
    """
    with _disk_errors(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
    return _read_or_made(workdir / f"{key}.npz", make)


def _read_or_made(path: Path, make: Callable[[], Arrays]) -> Arrays:
    found = _sound(path)
    if found is None:
        write_arrays(path, make())
        found = read_arrays(path)  # the same memory layout, whichever run made them
    return found


def _sound(path: Path) -> Arrays | None:
    try:
        return read_arrays(path)
    except MemoryError:
        raise
    except Exception:  # a flipped byte can make zipfile raise nearly anything
        path.unlink(missing_ok=True)
        return None


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays to an npz file, all or nothing.

    Raises
    ------
    MethodFailedError
        A value is not an array, or an array of Python objects.
    DiskFullError, ReadOnlyError
        Nothing half-written is left.
    """
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.hasobject:
            raise MethodFailedError(
                "a stage that returns arrays of numbers or fixed-length strings",
                f"{name!r} of {getattr(array, 'dtype', type(array).__name__)}",
                "Return numpy arrays without Python objects.",
            )
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with _disk_errors(path), zipfile.ZipFile(part, "w") as archive:
            for name in sorted(arrays):
                info = zipfile.ZipInfo(f"{name}.npy", _DATE)
                with archive.open(info, "w", force_zip64=True) as member:
                    np.lib.format.write_array(
                        member, np.asanyarray(arrays[name]), allow_pickle=False
                    )
        with _disk_errors(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_arrays(path: Path) -> Arrays:
    """Arrays of an npz file; every byte is checked against the zip's CRC-32."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()  # before a damaged header can ask for a huge array
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} does not match its checksum")
        out: Arrays = {}
        for name in archive.namelist():
            with archive.open(name) as member:
                out[name.removesuffix(".npy")] = np.lib.format.read_array(
                    member, allow_pickle=False
                )
                if member.read(1):
                    raise zipfile.BadZipFile(f"{name} is longer than its array")
        return out


@contextlib.contextmanager
def _disk_errors(path: Path) -> Any:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"room on the disk of {path.parent}",
                "a full disk",
                "Free some space and run the same command again; finished chunks are kept.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ReadOnlyError(
                f"a folder that can be written at {path.parent}",
                error.strerror or str(error),
                "Change its permissions, or use another project folder.",
            ) from error
        raise
