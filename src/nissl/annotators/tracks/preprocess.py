"""Preprocessing of volumes, step by step and only where it is asked for.

Each step is a small immutable value: what it estimated, how it changes a volume, and how places
in the changed volume map to the raw one and back. Volumes stay lazy; a volume is changed when it
is read. No method preprocesses by default.

    made = Preprocessed(volumes)
    made = made.then(background(made.volumes))
    made = made.then(upright(made.volumes))
    made = made.then(differences(made.volumes, radius_um=2.0))
    made.volumes[17]                 # (channel, z, y, x), changed
    made.to_raw(17, xyz)             # places found in it, in raw voxels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.annotated import spacing_of
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.volumes import Volumes
from nissl.data.movie import FrameReader, Rows
from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.float64]
Shape = tuple[int, int, int]

LIGHT = 0.95
"""Quantile of a volume above which light tells where the animal is and how it lies."""
DOG_RATIO = 1.6
"""Outer over inner width: the difference is then close to a Laplacian of a Gaussian (Marr and
Hildreth, Proc. R. Soc. Lond. B 1980)."""


class Step(Protocol):
    """A change of volumes that knows the way back.

    Implementers: frozen and cheap to pickle; `volume` is a pure function.
    """

    @property
    def shape(self) -> Shape:
        """(z, y, x) of a changed volume."""

    def volume(self, volume: Floats, channel: int, frame: int) -> Floats:
        """One volume of one channel, (z, y, x), changed."""

    def to_raw(self, frame: int, xyz: Places) -> Places:
        """Places in the changed volume as places in the one before, (n, 3), x y z voxels."""

    def from_raw(self, frame: int, xyz: Places) -> Places:
        """Inverse of `to_raw`."""


@dataclass(frozen=True)
class StepReader:
    """Frames of another reader after a step.

    Parameters
    ----------
    reader : FrameReader
    step : Step
    channel : int
    height : int
        Rows of an unchanged frame.
    """

    reader: FrameReader
    step: Step
    channel: int
    height: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(np.float32)

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1); whole frames are changed."""
        out = np.empty((stop - start, *self.step.shape), np.float32)
        for frame in range(start, stop):
            raw = self.reader.read(frame, frame + 1, (0, self.height))[0]
            out[frame - start] = self.step.volume(raw.astype(np.float32), self.channel, frame)
        return out[:, :, slice(*rows)]


@dataclass(frozen=True)
class Preprocessed:
    """Volumes after some steps, and the way back to raw voxels.

    Parameters
    ----------
    volumes : Volumes
        As they are after the steps; raw where there are none.
    steps : tuple of Step
        In the order in which they were done.
    """

    volumes: Volumes
    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> Preprocessed:
        """With one more step, which was estimated from these volumes."""
        channels = tuple(
            replace(
                movie,
                reader=StepReader(movie.reader, step, k, movie.shape[1]),
                shape=step.shape,
            )
            for k, movie in enumerate(self.volumes.channels)
        )
        return Preprocessed(Volumes(channels), (*self.steps, step))

    def to_raw(self, frame: int, xyz: npt.ArrayLike) -> Places:
        """Places in a preprocessed volume in raw voxels, (n, 3), x y z."""
        places = np.asarray(xyz, np.float64)
        for step in reversed(self.steps):
            places = step.to_raw(frame, places)
        return places

    def from_raw(self, frame: int, xyz: npt.ArrayLike) -> Places:
        """Inverse of `to_raw`: for what was annotated in raw volumes."""
        places = np.asarray(xyz, np.float64)
        for step in self.steps:
            places = step.from_raw(frame, places)
        return places

    def positions_to_raw(self, positions: Positions) -> Positions:
        """Positions found in preprocessed volumes, in raw voxels."""
        return self._mapped(positions, self.to_raw)

    def positions_from_raw(self, positions: Positions) -> Positions:
        """Positions in raw voxels as they are in preprocessed volumes."""
        return self._mapped(positions, self.from_raw)

    @staticmethod
    def _mapped(positions: Positions, way: Any) -> Positions:
        pairs = zip(positions.frames.tolist(), positions.xyz, strict=True)
        moved = [way(frame, xyz).astype(np.float32) for frame, xyz in pairs]
        return replace(positions, xyz=np.stack(moved) if moved else positions.xyz)


@dataclass(frozen=True)
class InPlace:
    """A step that moves nothing.

    Parameters
    ----------
    shape : tuple of int, (z, y, x)
    """

    shape: Shape

    def to_raw(self, frame: int, xyz: Places) -> Places:
        """The same places."""
        del frame
        return xyz

    def from_raw(self, frame: int, xyz: Places) -> Places:
        """The same places."""
        del frame
        return xyz


@dataclass(frozen=True, eq=False)
class Background(InPlace):
    """A level taken off each volume; what is below it becomes 0.

    Parameters
    ----------
    levels : ndarray, shape (n_channels, n_frames), in the movie's unit
    """

    levels: Floats

    def volume(self, volume: Floats, channel: int, frame: int) -> Floats:
        """Light above the background."""
        return np.asarray(np.maximum(volume - self.levels[channel, frame], 0), np.float32)


def background(volumes: Volumes, *, quantile: float = 0.2, window: int = 1) -> Background:
    """Background of each volume and channel: a low quantile, the running median of it in time.

    Parameters
    ----------
    volumes : Volumes
        Each is read once.
    quantile : float, 0 to 1
        Fraction of voxels that are below the background.
    window : int
        Volumes over which the median runs; 1 takes each volume by itself.
    """
    from scipy import ndimage

    if not 0 <= quantile <= 1 or window < 1:
        raise BadArgumentError(
            "a quantile from 0 to 1 and a window of 1 volume or more",
            f"{quantile} and {window}",
            "The defaults are 0.2 and 1.",
        )
    levels = np.empty((len(volumes.channels), volumes.n_frames), np.float32)
    for frame in range(volumes.n_frames):
        levels[:, frame] = np.quantile(volumes[frame], quantile, axis=(1, 2, 3))
    if window > 1:
        levels = ndimage.median_filter(levels, size=(1, window), mode="nearest")
    return Background(volumes.shape, levels)


@dataclass(frozen=True, eq=False)
class Upright:
    """Volumes turned and moved so that the animal lies along x, in the middle.

    It is turned within planes, for planes lie further apart than pixels, and moved by whole
    planes in z.

    Parameters
    ----------
    shape : tuple of int, (z, y, x)
        Of a turned volume.
    angle : ndarray, shape (n_frames,), radians
        From x towards y, of the animal in the raw volume.
    centre : ndarray, shape (n_frames, 3), x y z voxels
        Raw place that comes to lie in the middle; z so that whole planes are moved.
    aspect : float
        Height of a pixel over its width.
    """

    shape: Shape
    angle: npt.NDArray[np.float64]
    centre: Places
    aspect: float = 1.0

    def volume(self, volume: Floats, channel: int, frame: int) -> Floats:
        """The volume turned, by linear interpolation; what was not recorded is its median."""
        from scipy import ndimage

        del channel
        empty = float(np.median(volume))
        turn = self._turn(frame)[::-1, ::-1]  # (y, x)
        middle = self._middle()
        offset = self.centre[frame, 1::-1] - turn @ middle[1::-1]
        out = np.full(self.shape, empty, np.float32)
        shift = round(float(self.centre[frame, 2] - middle[2]))
        for z in range(self.shape[0]):
            if 0 <= z + shift < len(volume):
                out[z] = ndimage.affine_transform(
                    volume[z + shift], turn, offset, self.shape[1:], order=1, cval=empty
                )
        return out

    def to_raw(self, frame: int, xyz: Places) -> Places:
        """Places in a turned volume in the one before."""
        off = np.asarray(xyz, np.float64) - self._middle()
        plane = off[..., :2] @ self._turn(frame).T
        return np.asarray(np.concatenate([plane, off[..., 2:]], axis=-1) + self.centre[frame])

    def from_raw(self, frame: int, xyz: Places) -> Places:
        """Inverse of `to_raw`."""
        off = np.asarray(xyz, np.float64) - self.centre[frame]
        plane = off[..., :2] @ np.linalg.inv(self._turn(frame)).T
        return np.concatenate([plane, off[..., 2:]], axis=-1) + self._middle()

    def _middle(self) -> Places:
        return np.asarray([(n - 1) / 2 for n in self.shape[::-1]], np.float64)

    def _turn(self, frame: int) -> Places:
        """Matrix from turned (x, y) to raw (x, y), both from the middle."""
        c, s = np.cos(self.angle[frame]), np.sin(self.angle[frame])
        return np.asarray([[c, -s * self.aspect], [s / self.aspect, c]])


def upright(volumes: Volumes, *, shape: Shape | None = None, quantile: float = LIGHT) -> Upright:
    """How the animal lies in each volume: middle and main axis of the first channel's light.

    An axis has two ends. It is followed from volume to volume, so that the animal never flips
    while it turns; over the movie, the longer tail of the light is towards larger x. Volumes
    without light, or without a direction, lie as their neighbours in time do.

    Parameters
    ----------
    volumes : Volumes
        Each is read once.
    shape : tuple of int, (z, y, x), optional
        Of turned volumes, larger where the turned animal would not fit; as they are by default.
    quantile : float
        Voxels brighter than this quantile of their volume count.
    """
    spacing = volumes.spacing_um
    aspect = 1.0 if spacing is None else spacing[1] / spacing[2]
    first = Volumes(volumes.channels[:1])
    out = volumes.shape if shape is None else shape
    lie = np.asarray([_lie(first[k][0], aspect, quantile) for k in range(volumes.n_frames)])
    lie = lie.reshape(-1, 5)
    angle = _filled(lie[:, 0], 0.0, period=np.pi)
    middle = (np.asarray(volumes.shape[::-1], np.float64) - 1) / 2
    centre = np.stack([_filled(lie[:, 1 + k], middle[k]) for k in range(3)], axis=1)
    # the tail was measured along the axis as it came, which following may have turned around
    turned = np.cos(angle - np.nan_to_num(lie[:, 0])) < 0
    if np.nansum(np.where(turned, -1, 1) * lie[:, 4]) < 0:
        angle = angle + np.pi
    half = (out[0] - 1) / 2
    centre[:, 2] = np.round(centre[:, 2] - half) + half
    return Upright(out, angle, centre, aspect)


def _lie(volume: Floats, aspect: float, quantile: float) -> tuple[float, ...]:
    """Angle, x, y, z and skewness along the axis of a volume's light; NaN where there is none."""
    weight = np.maximum(volume - np.quantile(volume, quantile), 0).astype(np.float64)
    total = float(weight.sum())
    if not np.isfinite(total) or total <= 0:
        return (np.nan,) * 5
    plane, depth = weight.sum(axis=0), weight.sum(axis=(1, 2))
    z = float(depth @ np.arange(depth.size) / total)
    x = np.arange(plane.shape[1], dtype=np.float64)
    y = np.arange(plane.shape[0], dtype=np.float64)[:, None]
    mean_x, mean_y = float((plane * x).sum() / total), float((plane * y).sum() / total)
    dx, dy = x - mean_x, (y - mean_y) * aspect
    xx, yy, xy = (float((plane * v).sum() / total) for v in (dx * dx, dy * dy, dx * dy))
    if np.hypot(xx - yy, 2 * xy) <= 1e-9 * (xx + yy):
        return (np.nan, mean_x, mean_y, z, np.nan)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    along = dx * np.cos(angle) + dy * np.sin(angle)
    spread = float((plane * along**2).sum() / total) ** 1.5
    tail = float((plane * along**3).sum() / total) / max(spread, 1e-12)
    return (float(angle), mean_x, mean_y, z, tail)


def _filled(values: Places, missing: float, *, period: float | None = None) -> Places:
    """Values with gaps filled from their neighbours in time; angles are followed."""
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return np.full(values.size, missing)
    held = values[known] if period is None else np.unwrap(values[known], period=period)
    return np.interp(np.arange(values.size), known, held)


@dataclass(frozen=True, eq=False)
class Differences(InPlace):
    """Blobs of one size: a narrow Gaussian minus a wide one, below 0 cut off.

    Parameters
    ----------
    sigma : tuple of float, voxels along z, y, x
        Of the narrow one.
    """

    sigma: tuple[float, float, float]

    def volume(self, volume: Floats, channel: int, frame: int) -> Floats:
        """What is brighter than its surroundings, at the size of a neuron."""
        from scipy import ndimage

        del channel, frame
        wide = tuple(DOG_RATIO * s for s in self.sigma)
        narrow = ndimage.gaussian_filter(volume, self.sigma)
        blobs = np.maximum(narrow - ndimage.gaussian_filter(volume, wide), 0)
        return np.asarray(blobs, np.float32)


def differences(
    volumes: Volumes, *, radius_um: float, spacing_um: Sequence[float] | None = None
) -> Differences:
    """Difference of Gaussians for neurons of a radius.

    Parameters
    ----------
    volumes : Volumes
    radius_um : float, um
    spacing_um : sequence of float, along z, y and x, optional
        Where the movie does not say it.

    Raises
    ------
    BadMetadataError
        Nobody says how large a voxel is.
    """
    if not (np.isfinite(radius_um) and radius_um > 0):
        raise BadArgumentError("a radius above 0 um", f"{radius_um}", "A neuron has 1 to 10 um.")
    z, y, x = spacing_of(volumes, spacing_um)
    # a ball of radius r answers most to a Laplacian of Gaussian of width r / sqrt(3)
    sigma = radius_um / np.sqrt(3)
    return Differences(volumes.shape, (sigma / z, sigma / y, sigma / x))


__all__ = [
    "Background",
    "Differences",
    "Preprocessed",
    "Step",
    "StepReader",
    "Upright",
    "background",
    "differences",
    "upright",
]
