"""A volume of one channel from what shines, where, and how brightly; compiled.

Nuclei and grains are Gaussians in space: a nucleus of a micrometre is hardly larger than the blur
of the microscope. Noise depends on the seed, the volume, and the channel alone, so that any block
of frames and rows has the same bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.simulate.scene import Worm
from nissl.run.compiled import compiled

REACH = 3.5
"""Standard deviations after which a Gaussian is cut off."""


def rendered(
    worm: Worm,
    xyz: npt.NDArray[np.float32],
    sigma: npt.NDArray[np.float32],
    light: npt.NDArray[np.float32],
    seed: tuple[int, ...],
) -> npt.NDArray[Any]:
    """Counts of one volume, shape (z, y, x), of `Worm.dtype`.

    Parameters
    ----------
    xyz, sigma : ndarray, shape (n, 3), float32, voxels
    light : ndarray, shape (n,), float32
        Photons at the brightest voxel of each.
    seed : tuple of int
        Of this volume's noise.
    """
    field = np.zeros(worm.shape, np.float32)
    _add(field, xyz, sigma, light)
    field *= illumination(worm.shape, worm.vignette)
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
    noise = rng.standard_normal((2, *worm.shape), np.float32)
    most = float(np.iinfo(worm.dtype).max)
    out = np.empty(worm.shape, worm.dtype)
    _count(out, field, noise, worm.counts_per_photon, worm.offset, worm.read_noise, most)
    return out


def illumination(shape: tuple[int, int, int], vignette: float) -> npt.NDArray[np.float32]:
    """Light over the view, 1 in the middle and `1 - vignette` in the corners, (1, y, x)."""
    y, x = (np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in shape[1:])
    return np.asarray(1 - vignette * (y[:, None] ** 2 + x**2) / 2, np.float32)[None]


@compiled
def _add(field: Any, xyz: Any, sigma: Any, light: Any) -> None:
    """Add Gaussians to a volume."""
    nx = field.shape[2]
    line = np.empty(nx, np.float32)
    for k in range(light.size):
        if not light[k] > 0:
            continue
        low, high = np.empty(3, np.int64), np.empty(3, np.int64)
        for axis in range(3):
            size = field.shape[2 - axis]
            reach = np.float32(REACH) * sigma[k, axis]
            low[axis] = min(max(int(np.ceil(xyz[k, axis] - reach)), 0), size)
            high[axis] = max(min(int(np.floor(xyz[k, axis] + reach)) + 1, size), 0)
        for x in range(low[0], high[0]):
            far = (np.float32(x) - xyz[k, 0]) / sigma[k, 0]
            line[x] = np.exp(np.float32(-0.5) * far * far)
        for z in range(low[2], high[2]):
            far = (np.float32(z) - xyz[k, 2]) / sigma[k, 2]
            by_z = light[k] * np.exp(np.float32(-0.5) * far * far)
            for y in range(low[1], high[1]):
                far = (np.float32(y) - xyz[k, 1]) / sigma[k, 1]
                by_y = by_z * np.exp(np.float32(-0.5) * far * far)
                for x in range(low[0], high[0]):
                    field[z, y, x] += by_y * line[x]


@compiled
def _count(
    out: Any, field: Any, noise: Any, gain: float, offset: float, read: float, most: float
) -> None:
    """Counts of photons with shot noise (see `cells.simulate.rendering`) and read noise."""
    flat, photons, normal = out.reshape(-1), field.reshape(-1), noise.reshape(2, -1)
    half = np.float32(0.5)
    for k in range(flat.size):
        root = max(np.sqrt(photons[k]) + half * normal[0, k], np.float32(0.0))
        seen = root * root - np.float32(0.25) + read * normal[1, k]
        flat[k] = int(min(max(offset + gain * seen + half, 0.0), most))


__all__ = ["illumination", "rendered"]
