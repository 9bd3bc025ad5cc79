"""Content fingerprints of sources.

A fingerprint is SHA-256 over the sizes and sampled content of the data files and over the
metadata that change what the samples mean: rate, times, dtype, gain, channel order, probe
positions, names of the streams. Neither path nor modification time goes into it. Of each file
the head, the tail and `N_BLOCKS` evenly spaced blocks are read, so that 100 GB take no longer
than 100 MB; a changed byte between the blocks is seen by `full_hash` alone
(``nissl verify --full``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nissl.data.movie import Movie
from nissl.data.signal import Signal
from nissl.errors import CorruptSourceError, SourceNotFoundError

BLOCK_BYTES = 1 << 16
N_BLOCKS = 64
MOST_FILES = 256
"""Folders with more files (Zarr chunks) have all sizes hashed, and this many contents."""

_READ_BYTES = 1 << 22


def fingerprint(files: Sequence[Path], root: Path, streams: Iterable[Signal | Movie]) -> str:
    """Fingerprint of opened streams and the files behind them.

    Parameters
    ----------
    files : sequence of Path
        Data files; headers are represented by what the streams say.
    root : Path
        Folder that file names are taken relative to; a single file has no name.
    streams : iterable of Signal or Movie

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return fingerprint_files(files, root, [_facts(each) for each in streams])


def fingerprint_path(path: Path, metadata: Any = None) -> str:
    """Fingerprint of a file, or of a folder with all its files.

    Parameters
    ----------
    path : Path
    metadata : JSON value
        What else changes the meaning of the content.

    Raises
    ------
    SourceNotFoundError, CorruptSourceError
        No such path; unreadable.
    """
    return fingerprint_files(_files_below(path), path, metadata)


def fingerprint_files(files: Sequence[Path], root: Path, metadata: Any) -> str:
    """Fingerprint of files and JSON metadata; see `fingerprint`."""
    digest = hashlib.sha256(b"nissl fingerprint 1\n")
    digest.update(json.dumps(metadata, sort_keys=True, separators=(",", ":")).encode())
    named = _named(files, root)
    sizes = [(name, _size(path)) for name, path in named]
    digest.update(json.dumps(sizes).encode())
    for index in _evenly(len(named), MOST_FILES):
        _sample(named[index][1], sizes[index][1], digest)
    return digest.hexdigest()


def full_hash(path: str | Path) -> str:
    """SHA-256 over every byte of a file, or of all files of a folder with their names.

    Raises
    ------
    SourceNotFoundError, CorruptSourceError
        No such path; unreadable.
    """
    root = Path(path)
    digest = hashlib.sha256(b"nissl full hash 1\n")
    for name, file in _named(_files_below(root), root):
        size = _size(file)
        digest.update(json.dumps([name, size]).encode())
        with _opened(file) as handle:
            while block := handle.read(_READ_BYTES):
                digest.update(block)
    return digest.hexdigest()


def _facts(signal: Signal | Movie) -> Mapping[str, Any]:
    if isinstance(signal, Movie):
        return {
            "name": signal.name,
            "dtype": signal.dtype.str,
            "clock": signal.clock.to_json(),
            "shape": list(signal.shape),
            "spacing_um": signal.spacing_um,
        }
    return {
        "name": signal.name,
        "dtype": signal.dtype.str,
        "clock": signal.clock.to_json(),
        "channels": signal.channels.to_json(),
    }


def _named(files: Sequence[Path], root: Path) -> list[tuple[str, Path]]:
    """Files by their names relative to the root, sorted; a lone file goes without a name."""
    if len(files) == 1:
        return [("", files[0])]
    base = root if root.is_dir() else root.parent
    names = {path.absolute().relative_to(base.absolute()).as_posix(): path for path in files}
    return sorted(names.items())


def _files_below(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceNotFoundError(f"a file or folder at {path}", "nothing there", "Check the path.")
    return sorted(p for p in path.rglob("*") if p.is_file())


def _evenly(n: int, most: int) -> list[int]:
    if n <= most:
        return list(range(n))
    return sorted({round(i) for i in np.linspace(0, n - 1, most).tolist()})


def _sample(path: Path, size: int, digest: Any) -> None:
    with _opened(path) as file:
        if size <= (N_BLOCKS + 2) * BLOCK_BYTES:
            digest.update(file.read(size))
            return
        last = size - BLOCK_BYTES
        inner = [last * (i + 1) // (N_BLOCKS + 1) for i in range(N_BLOCKS)]
        for offset in (0, *inner, last):
            file.seek(offset)
            digest.update(file.read(BLOCK_BYTES))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _opened(path: Path) -> Any:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CorruptSourceError:
    return CorruptSourceError(
        f"a readable file at {path}",
        error.strerror or repr(error),
        "Check that it is still there and that you may read it.",
    )
