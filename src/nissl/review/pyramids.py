"""Pyramids of a project's recordings: kept as files, made in the background.

A tile (see `nissl.data.pyramid`) is one file, there whole or not at all. Tiles are derived:
the folder may be deleted at any time, and a tile that does not read or does not fit its
signal counts as not made and is made anew. One thread makes the tiles of all recordings that
are looked at, those near what is on the screen first, and rests as long as it works.

File of a tile: ``NISSLPYR``, the length of the header as uint32, the header (JSON), then the
levels one after the other, each C-order (n_channels, n_bins, 2) in little-endian order.
"""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.data.files import read_into
from nissl.data.pyramid import Ladder, make_tile
from nissl.errors import NisslError
from nissl.labels.atomic import atomic_write, make_folder

MAGIC = b"NISSLPYR"
_HEADER_BYTES = 4096
_KEPT_VALUES = 1 << 17
_KEPT_BYTES = 1 << 26
_ABANDONED_S = 3600


class Tiles:
    """The tiles of one stream in one folder. Threads may share it.

    Parameters
    ----------
    folder : Path
        Made when the first tile is written.
    signal : Signal
    ladder : Ladder
    """

    def __init__(self, folder: Path, signal: Signal, ladder: Ladder | None = None) -> None:
        self.folder = folder
        self.signal = signal
        self.ladder = ladder or Ladder()
        self.n_tiles = self.ladder.n_tiles(signal.n_samples)
        self._sweep()
        self._made = {t for t in range(self.n_tiles) if self.path(t).exists()}
        self._sound: set[tuple[int, int]] = set()
        self._kept: dict[tuple[int, int], npt.NDArray[Any]] = {}
        self._kept_bytes = 0

    def _sweep(self) -> None:
        """Remove what a process that was killed left half-written an hour ago or earlier."""
        for path in self.folder.glob(".*.partial"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the ranges: that of the samples, little-endian."""
        return self.signal.dtype.newbyteorder("<")

    @property
    def n_made(self) -> int:
        """Tiles that are there."""
        return len(self._made)

    def path(self, tile: int) -> Path:
        """File of a tile."""
        return self.folder / f"{tile:06d}.tile"

    def has(self, tile: int) -> bool:
        """Whether a tile is there."""
        return tile in self._made

    def missing(self, near: int = 0) -> int | None:
        """Tile that is not there and lies nearest to `near`; None where all are there."""
        left = [t for t in range(self.n_tiles) if t not in self._made]
        return min(left, key=lambda t: (abs(t - near), t)) if left else None

    def make(self, tile: int) -> None:
        """Make a tile, unless another process did meanwhile.

        Raises
        ------
        CorruptSourceError
            The recording cannot be read.
        DiskFullError, ReadOnlyError, StoreError
            The tile cannot be written.
        """
        if not self.path(tile).exists():
            make_folder(self.folder)
            levels = [
                np.ascontiguousarray(level, dtype=self.dtype)
                for level in make_tile(self.signal, self.ladder, tile)
            ]
            header = self._facts(tile) | {"crc32": [zlib.crc32(level.data) for level in levels]}
            with atomic_write(self.path(tile)) as file:
                file.write(_sealed(header))
                for level in levels:
                    file.write(level.data)
        self._made.add(tile)

    def read(
        self, tile: int, level: int, channels: npt.NDArray[np.intp]
    ) -> npt.NDArray[Any] | None:
        """All bins of a level of a tile for some channels.

        Returns
        -------
        ndarray, shape (n_channels, n_bins, 2), stored units; None where the tile is not
        there or does not read, and has to be made (again)
        """
        if tile not in self._made:
            return None
        kept = self._kept.get((tile, level))
        if kept is None:
            kept = self._load(tile, level, channels)
        return None if kept is None else kept[channels]

    def _load(
        self, tile: int, level: int, channels: npt.NDArray[np.intp]
    ) -> npt.NDArray[Any] | None:
        """A level with at least the channels that are asked for filled in; checked once."""
        n_bins = self.ladder.n_bins(tile, self.signal.n_samples)
        shape = (self.signal.n_channels, n_bins[level], 2)
        row_bytes = n_bins[level] * 2 * self.dtype.itemsize
        try:
            offset, crc = self._place(tile, level)
            out = np.empty(shape, dtype=self.dtype)
            if (tile, level) in self._sound and channels.size:
                low, high = int(channels.min()), int(channels.max()) + 1
                read_into(str(self.path(tile)), offset + low * row_bytes, out[low:high])
                return out
            read_into(str(self.path(tile)), offset, out)
            if zlib.crc32(out.data) != crc:
                raise ValueError("another checksum")
        except (NisslError, OSError, ValueError, KeyError, TypeError):
            with suppress(OSError):
                self.path(tile).unlink()
            self._made.discard(tile)
            return None
        self._sound.add((tile, level))
        if out.size <= _KEPT_VALUES and self._kept_bytes + out.nbytes <= _KEPT_BYTES:
            self._kept[tile, level] = out
            self._kept_bytes += out.nbytes
        return out

    def _place(self, tile: int, level: int) -> tuple[int, int]:
        """Where a level begins in its file, in bytes, and its checksum."""
        with open(self.path(tile), "rb") as file:
            head = file.read(_HEADER_BYTES)
        header = _opened(head)
        if any(header[name] != value for name, value in self._facts(tile).items()):
            raise ValueError("another signal")
        n_bins = self.ladder.n_bins(tile, self.signal.n_samples)
        before = sum(n_bins[:level]) * self.signal.n_channels * 2 * self.dtype.itemsize
        return _HEADER_BYTES + before, int(header["crc32"][level])

    def _facts(self, tile: int) -> dict[str, Any]:
        return {
            "format": 1,
            "tile": tile,
            "dtype": self.dtype.str,
            "n_channels": self.signal.n_channels,
            "n_samples": self.signal.n_samples,
            "ladder": [self.ladder.base, self.ladder.factor, self.ladder.n_levels],
        }


class Pyramids:
    """Pyramids of all recordings of a project that are looked at.

    Parameters
    ----------
    folder : Path
        Where tiles are kept: `pyramids` in the project's scratch folder.
    rest : float
        Seconds of rest per second of work, so that answers never wait for the background.
    """

    def __init__(self, folder: Path, *, rest: float = 1.0) -> None:
        self.folder = folder
        self._rest = rest
        self._tiles: dict[Path, Tiles] = {}
        self._wanted: dict[Path, int] = {}  # the last one asked for is the last in it
        self._faults: dict[Path, str] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def of(self, fingerprint: str, signal: Signal, ladder: Ladder | None = None) -> Tiles:
        """Tiles of a stream of the recording with a fingerprint."""
        stream = sha256(signal.name.encode()).hexdigest()[:12]
        plain = "".join(c for c in signal.name if c.isascii() and c.isalnum())[:24]
        folder = self.folder / f"{fingerprint[:32]}-{plain or 'stream'}-{stream}"
        with self._changed:
            if folder not in self._tiles:
                self._tiles[folder] = Tiles(folder, signal, ladder)
            return self._tiles[folder]

    def want(self, tiles: Tiles, sample: int) -> None:
        """Have the tiles of a stream made, beginning near a sample; returns at once."""
        with self._changed:
            if self._closed or tiles.folder in self._faults or tiles.missing() is None:
                return
            self._wanted.pop(tiles.folder, None)
            self._wanted[tiles.folder] = sample // tiles.ladder.tile_samples
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="pyramids", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def fault(self, tiles: Tiles) -> str | None:
        """Why the tiles of a stream are no longer made, None where nothing is in the way."""
        return self._faults.get(tiles.folder)

    def wait(self, tiles: Tiles, *, timeout_s: float = 60.0) -> bool:
        """Wait until all tiles of a stream are there; False where they are not by then."""
        with self._changed:
            return self._changed.wait_for(
                lambda: tiles.missing() is None or self._closed, timeout_s
            )

    def close(self) -> None:
        """Stop making tiles; what is made stays."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=10)

    def _work(self) -> None:
        with suppress(OSError, AttributeError):  # not every system has priorities of threads
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while (found := self._next()) is not None:
            tiles, tile = found
            began = time.monotonic()
            try:
                tiles.make(tile)
            except Exception as error:  # the thread must outlive a recording that fails
                self._faults[tiles.folder] = str(error).splitlines()[0] if str(error) else "?"
            with self._changed:
                self._changed.notify_all()
                self._changed.wait_for(
                    lambda: self._closed, self._rest * (time.monotonic() - began)
                )

    def _next(self) -> tuple[Tiles, int] | None:
        """Return what to make next, waiting for it; None when closed."""
        with self._changed:
            while not self._closed:
                for folder in reversed(self._wanted):
                    tiles = self._tiles[folder]
                    tile = tiles.missing(self._wanted[folder])
                    if tile is not None and folder not in self._faults:
                        return tiles, tile
                self._wanted.clear()
                self._changed.wait()
            return None


def _sealed(header: dict[str, Any]) -> bytes:
    text = json.dumps(header).encode()
    head = MAGIC + len(text).to_bytes(4, "little") + text
    return head.ljust(_HEADER_BYTES, b"\0")


def _opened(head: bytes) -> dict[str, Any]:
    if not head.startswith(MAGIC):
        raise ValueError("no tile")
    length = int.from_bytes(head[8:12], "little")
    value = json.loads(head[12 : 12 + length])
    if not isinstance(value, dict):
        raise ValueError("no header")
    return value
