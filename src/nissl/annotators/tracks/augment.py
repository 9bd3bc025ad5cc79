"""Changes of annotated volumes under which every neuron stays the one it is.

Volume and places move together: voxel ``p`` of the changed volume is read at ``A p + t + d(p)``
of the given one, where ``d`` is a sum of a few cosines along each axis, and a place ``q`` goes to
the ``p`` that is read there. Needs PyTorch, whose sampling of volumes is fast on any processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.nets.backend import pytorch
from nissl.nets.training import IGNORED

QUANTUM = 64
"""Parts of a voxel in which places are handed to a network in training."""

Floats = npt.NDArray[np.float64]


def coded(xyz: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Places as whole numbers of `QUANTUM` parts of a voxel.

    Parameters
    ----------
    xyz : ndarray, shape (..., n_neurons, 3), voxels
    shape : tuple of int
        (z, y, x); what lies outside, or is NaN, is `IGNORED`.
    """
    top = np.asarray(shape[::-1], float)
    inside = np.all((xyz >= -0.5) & (xyz <= top - 0.5), axis=-1, keepdims=True)
    parts = np.rint(np.clip(np.nan_to_num(xyz), 0, top - 1) * QUANTUM)
    return np.asarray(np.where(inside, parts, IGNORED), np.int64)


def decoded(code: npt.NDArray[Any]) -> Floats:
    """Inverse of `coded`; NaN where ignored."""
    return np.asarray(np.where(code == IGNORED, np.nan, code / QUANTUM))


@dataclass(frozen=True)
class Augment:
    """How strongly volumes are changed; each amount is drawn anew for each volume.

    Parameters
    ----------
    rotate_deg : float
        Standard deviation of the rotation in the plane.
    scale, shear : float
        Standard deviations of the parts of the affine map.
    shift : float
        Standard deviation of the shift, a part of the size of the volume.
    bend : float
        Standard deviation of the smooth displacement, a part of the length of the plane; 0 for
        affine maps alone.
    modes : int
        Cosines along x of that displacement; half as many along y, two along z.
    gain : float
        Standard deviation of the logarithm of brightness, also of its exponent.
    shade : float
        The same of brightness that varies smoothly over the volume.
    blur : float
        Largest standard deviation of a blur in the plane, voxels.
    noise : float
        Largest standard deviation of noise, where the brightest neurons are about 1.
    cut : float
        Probability that a box of up to a third of each side goes dark.
    """

    rotate_deg: float = 10.0
    scale: float = 0.08
    shear: float = 0.08
    shift: float = 0.04
    bend: float = 0.0
    modes: int = 5
    gain: float = 0.2
    shade: float = 0.2
    blur: float = 0.8
    noise: float = 0.06
    cut: float = 0.3

    def __call__(
        self, x: npt.NDArray[Any], y: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Change volumes (n, c, z, y, x) with coded places (n, n_neurons, 3)."""
        shape = x.shape[2:]
        made = [self._one(volume, decoded(code), rng) for volume, code in zip(x, y, strict=True)]
        return (
            np.stack([volume for volume, _ in made]),
            np.stack([coded(xyz, shape) for _, xyz in made]),
        )

    def _one(
        self, volume: npt.NDArray[Any], xyz: Floats, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], Floats]:
        warp = self.warp(volume.shape[1:], rng)
        return self._lit(warp.volume(volume), rng), warp.places(xyz)

    def warp(self, shape: tuple[int, ...], rng: np.random.Generator) -> Warp:
        """Draw a deformation of volumes of a shape (z, y, x)."""
        size = np.asarray(shape[::-1], float)
        turn = np.deg2rad(self.rotate_deg) * rng.standard_normal()
        linear = np.eye(3)
        linear[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        linear = linear @ np.diag(np.exp(self.scale * rng.standard_normal(3)))
        linear[0, 1] += self.shear * rng.standard_normal()
        linear[2, :2] += 0.5 * self.shear * rng.standard_normal(2) * size[2] / size[:2]
        linear[:2, 2] += 0.5 * self.shear * rng.standard_normal(2) * size[:2] / size[2] * 0.1
        offset = self.shift * size * rng.standard_normal(3)
        count = (2, max(2, self.modes // 2 + 1), self.modes)
        order = sum(np.meshgrid(*(np.arange(n) ** 2.0 for n in count), indexing="ij"))
        reach = self.bend * size[0] * np.array([0.5, 1.0, 0.0])
        reach[2] = self.bend * size[2]
        modes = rng.standard_normal((3, *count)) / (1.0 + np.asarray(order))
        modes[:, 0, 0, 0] = 0.0  # a shift; drawn already
        return Warp(
            tuple(int(n) for n in shape), linear, offset, modes * reach[:, None, None, None]
        )

    def _lit(
        self, volume: npt.NDArray[np.float32], rng: np.random.Generator
    ) -> npt.NDArray[np.float32]:
        from scipy.ndimage import gaussian_filter

        out = volume
        sigma = self.blur * rng.random()
        if sigma > 0.3:
            out = gaussian_filter(out, (0, 0, sigma, sigma), truncate=2.5)
        gain, power = np.exp(self.gain * rng.standard_normal(2))
        shade = _cosines(volume.shape[1:], self.shade * rng.standard_normal((1, 2, 2, 3)))[0]
        out = np.clip(out, 0, None) ** power * (gain * np.exp(shade))
        if rng.random() < self.cut:
            ends = []
            for n in volume.shape[1:]:
                length = max(1, int(n * rng.uniform(0.1, 0.35)))
                start = int(rng.integers(0, n - length + 1))
                ends.append(slice(start, start + length))
            out[(slice(None), *ends)] = 0.0
        out = out + self.noise * rng.random() * rng.standard_normal(out.shape, np.float32)
        return np.asarray(out, np.float32)


@dataclass(frozen=True, eq=False)
class Warp:
    """One deformation; see the head of this module.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x).
    linear : ndarray, shape (3, 3)
        About the centre of the volume, x y z.
    offset : ndarray, shape (3,)
    modes : ndarray, shape (3, n_z, n_y, n_x)
        Amplitudes of the cosines of the displacement along x, y and z.
    """

    shape: tuple[int, ...]
    linear: Floats
    offset: Floats
    modes: npt.NDArray[Any]

    @property
    def _centre(self) -> Floats:
        return np.asarray((np.asarray(self.shape[::-1], float) - 1) / 2)

    def volume(self, volume: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Deform a volume, (c, z, y, x)."""
        torch = pytorch()
        bent = _cosines(self.shape, self.modes)
        axes = [np.arange(n) - (n - 1) / 2 for n in self.shape]
        z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
        at = [
            self.linear[k, 0] * x
            + self.linear[k, 1] * y
            + self.linear[k, 2] * z
            + self.offset[k]
            + bent[k]
            for k in range(3)
        ]
        half = np.maximum((np.asarray(self.shape[::-1], float) - 1) / 2, 0.5)
        grid = np.stack([a / h for a, h in zip(at, half, strict=True)], axis=-1)
        with torch.no_grad():
            read = torch.nn.functional.grid_sample(
                torch.as_tensor(np.ascontiguousarray(volume, np.float32))[None],
                torch.as_tensor(grid.astype(np.float32))[None],
                align_corners=True,
            )
        return np.asarray(read[0].numpy(), np.float32)

    def places(self, xyz: Floats) -> Floats:
        """Where places of the given volume, (n, 3) voxels, lie in the deformed one."""
        target = xyz - self._centre - self.offset
        back = np.linalg.inv(self.linear)
        place = target @ back.T
        rounds = 12 if self.modes.any() else 0  # contracts, for the displacement varies slowly
        for _ in range(rounds):
            place = (target - self._displacement(place + self._centre)) @ back.T
        return np.asarray(place + self._centre)

    def _displacement(self, xyz: Floats) -> Floats:
        bases = []
        for axis, n, count in zip((2, 1, 0), self.shape, self.modes.shape[1:], strict=True):
            bases.append(_basis((xyz[:, axis] + 0.5) / n, count))
        moved = np.einsum("nz,ny,nx,kzyx->nk", *bases, self.modes, optimize=True)
        return np.asarray(moved)


def _basis(u: Floats, count: int) -> Floats:
    return np.asarray(np.cos(np.pi * np.arange(count) * u[:, None]))


def _cosines(shape: tuple[int, ...], modes: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Sum of cosines at each voxel, (k, z, y, x), of amplitudes (k, n_z, n_y, n_x)."""
    out = np.asarray(modes, np.float32)
    for axis, n in enumerate(shape):
        basis = _basis((np.arange(n) + 0.5) / n, modes.shape[1 + axis]).astype(np.float32)
        out = np.tensordot(out, basis, axes=([1], [1]))  # the axis goes to the end: z, y, x
    return out


__all__ = ["QUANTUM", "Augment", "Warp", "coded", "decoded"]
