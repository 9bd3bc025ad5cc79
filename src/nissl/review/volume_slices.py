"""Planes and projections of volumes in grey steps; volumes are read lazily, the last ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Movie
from nissl.errors import BadArgumentError

Voxels = npt.NDArray[Any]
Steps = npt.NDArray[np.uint8]

BUDGET_BYTES = 256 << 20
"""Memory for volumes that were looked at, and for those ahead."""
_LOOKED_AT = 5
"""Volumes from which the range of grey is taken."""
_LOW, _HIGH = 1.0, 99.9
MOST_LEVEL = 6


@dataclass(frozen=True)
class Cuts:
    """Three planes through a place, or three projections; the right hand of each is x, x and z.

    Parameters
    ----------
    xy : ndarray, shape (n_channels, y, x)
    xz : ndarray, shape (n_channels, z, x)
    yz : ndarray, shape (n_channels, y, z)
    """

    xy: Voxels
    xz: Voxels
    yz: Voxels

    def map(self, change: Callable[[Voxels], Voxels]) -> Cuts:
        """The three with a change made to each."""
        return Cuts(change(self.xy), change(self.xz), change(self.yz))


def planes(volume: Voxels, place: Sequence[int]) -> Cuts:
    """Planes of a volume, shape (c, z, y, x), through a voxel ``(z, y, x)``; the nearest inside."""
    z, y, x = (min(max(at, 0), n - 1) for at, n in zip(place, volume.shape[1:], strict=True))
    return Cuts(volume[:, z], volume[:, :, y], volume[:, :, :, x].transpose(0, 2, 1))


def projections(volume: Voxels) -> Cuts:
    """Maxima of a volume, shape (c, z, y, x), along z, y and x."""
    return Cuts(volume.max(axis=1), volume.max(axis=2), volume.max(axis=3).transpose(0, 2, 1))


def coarser(cuts: Cuts, level: int) -> Cuts:
    """Means over 2 ** `level` pixels along x and y; z, of which there is little, is left."""
    step = 2**level
    if step == 1:
        return cuts
    return Cuts(
        _pooled(_pooled(cuts.xy, 1, step), 2, step),
        _pooled(cuts.xz, 2, step),
        _pooled(cuts.yz, 1, step),
    )


def _pooled(image: Voxels, axis: int, step: int) -> Voxels:
    starts = np.arange(0, image.shape[axis], step)
    total = np.add.reduceat(image.astype(np.float32), starts, axis=axis)
    counts = np.diff(np.append(starts, image.shape[axis])).astype(np.float32)
    shape = [1, 1, 1]
    shape[axis] = counts.size
    return np.asarray(total / counts.reshape(shape))


def in_grey(image: Voxels, ranges: Sequence[tuple[float, float]]) -> Steps:
    """Channels in 255 steps from 1, each over its own range; what is beyond is at its end."""
    out = np.empty(image.shape, np.uint8)
    for channel, (low, high) in enumerate(ranges):
        part = (image[channel].astype(np.float32) - low) * (254 / max(high - low, 1e-12))
        out[channel] = 1 + np.clip(np.nan_to_num(part), 0, 254)
    return out


class VolumeStore:
    """Volumes of a movie's channels, the last ones in memory; safe to use from several threads.

    Parameters
    ----------
    channels : sequence of Movie
        Of one shape and number of volumes.
    budget_bytes : int
        Of the volumes that are kept; one is kept in any case.
    """

    def __init__(self, channels: Sequence[Movie], budget_bytes: int = BUDGET_BYTES) -> None:
        self.channels = tuple(channels)
        self._budget = budget_bytes
        self._kept: OrderedDict[int, Voxels] = OrderedDict()
        self._flat: OrderedDict[int, Cuts] = OrderedDict()
        self._lock = threading.Lock()
        self._ranges: tuple[tuple[float, float], ...] | None = None

    @property
    def n_frames(self) -> int:
        """Number of volumes."""
        return self.channels[0].n_frames

    def volume(self, frame: int) -> Voxels:
        """One volume, shape (n_channels, z, y, x), as stored."""
        if not 0 <= frame < self.n_frames:
            raise BadArgumentError(
                f"a volume below {self.n_frames}", str(frame), "Reload the page."
            )
        with self._lock:
            if frame in self._kept:
                self._kept.move_to_end(frame)
                return self._kept[frame]
        read = np.stack([movie.read(frame, frame + 1)[0] for movie in self.channels])
        with self._lock:
            self._kept[frame] = read
            most = max(self._budget // max(read.nbytes, 1), 1)
            while len(self._kept) > most:
                self._kept.popitem(last=False)
        return read

    def flat(self, frame: int) -> Cuts:
        """The three projections of a volume."""
        with self._lock:
            if frame in self._flat:
                return self._flat[frame]
        found = projections(self.volume(frame))
        with self._lock:
            self._flat[frame] = found
            while len(self._flat) > max(len(self._kept), 1):
                self._flat.popitem(last=False)
        return found

    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Least and greatest grey of each channel, the same for all volumes of the movie."""
        if self._ranges is None:
            chosen = np.unique(np.linspace(0, self.n_frames - 1, _LOOKED_AT).astype(int))
            some = [self.volume(int(frame)) for frame in chosen]
            self._ranges = tuple(_range(np.stack([v[c] for v in some]))
                                 for c in range(len(self.channels)))  # fmt: skip
        return self._ranges


def _range(values: Voxels) -> tuple[float, float]:
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    if not known.size:
        return 0.0, 1.0
    low, high = (float(q) for q in np.percentile(known, [_LOW, _HIGH]))
    return low, high if high > low else low + 1


__all__ = ["Cuts", "VolumeStore", "coarser", "in_grey", "planes", "projections"]
