"""What networks read: volumes on a working grid, of one brightness.

Planes that are finer than a network needs are averaged down; z is kept, for planes lie far
apart. Background goes to 0 and the brightest neurons to about 1; a square root keeps dim neurons
visible beside bright ones. Places on the working grid are ``x, y, z`` with centres at integers,
as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MOST_VOXELS = 96 * 192
"""Of a plane of the working grid; a larger plane is averaged down."""


@dataclass(frozen=True)
class Grid:
    """The working grid of volumes of one shape.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) of the volumes.
    factor : int
        Voxels along y and along x that one voxel of the grid stands for.
    """

    shape: tuple[int, int, int]
    factor: int = 1

    @classmethod
    def of(cls, shape: tuple[int, int, int]) -> Grid:
        """Return the finest grid that is small enough."""
        factor = 1
        while (shape[1] // factor) * (shape[2] // factor) > MOST_VOXELS:
            factor += 1
        return cls(shape, factor)

    @property
    def size(self) -> tuple[int, int, int]:
        """(z, y, x) of the grid; what is left over at the far ends is cut off."""
        z, y, x = self.shape
        return z, y // self.factor, x // self.factor

    def read(self, volume: npt.NDArray[Any]) -> Floats:
        """Return a volume on the grid, with one brightness.

        Parameters
        ----------
        volume : ndarray, shape (n_channels, z, y, x)

        Returns
        -------
        ndarray, shape (n_channels, *size), float32
        """
        z, y, x = self.size
        f = self.factor
        cut = np.asarray(volume, np.float32)[:, :, : y * f, : x * f]
        if f > 1:
            cut = cut.reshape(len(cut), z, y, f, x, f).mean(axis=(3, 5))
        return np.stack([_of_one_brightness(channel) for channel in cut])

    def to_grid(self, xyz: npt.NDArray[Any]) -> Floats:
        """Return places (..., 3) of the volume as places of the grid."""
        return np.asarray((xyz + self._half) / self._step - self._half, np.float32)

    def from_grid(self, xyz: npt.NDArray[Any]) -> Floats:
        """Inverse of `to_grid`."""
        return np.asarray((xyz + self._half) * self._step - self._half, np.float32)

    @property
    def _step(self) -> Floats:
        return np.array([self.factor, self.factor, 1], np.float32)

    @property
    def _half(self) -> Floats:
        return np.array([0.5, 0.5, 0.0], np.float32)


def _of_one_brightness(channel: Floats) -> Floats:
    finite = np.nan_to_num(channel, nan=0.0, posinf=0.0, neginf=0.0)
    ground, top = np.quantile(finite[:, ::2, ::2], (0.5, 0.998))
    scaled = np.clip((finite - ground) / max(float(top - ground), 1e-6), 0.0, 2.0)
    return np.asarray(np.sqrt(scaled), np.float32)


__all__ = ["MOST_VOXELS", "Grid"]
