"""Volumes of a deforming worm, made as they are read, with all that is true of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.simulate.activity import activity, flicker
from nissl.annotators.tracks.simulate.anatomy import Anatomy, anatomy
from nissl.annotators.tracks.simulate.body import deformed, motion
from nissl.annotators.tracks.simulate.scene import Worm
from nissl.annotators.tracks.volumes import Volumes
from nissl.clock import Clock
from nissl.data import Movie, Recording, Subject
from nissl.errors import BadArgumentError
from nissl.labels import Author, LabelSet, Provenance
from nissl.labels.digest import digest_json

Floats = npt.NDArray[np.float32]
RED, GREEN = 0, 1
CHANNELS = ("red", "green")


@dataclass(frozen=True, eq=False)
class Stage:
    """All of a movie but its voxels.

    Parameters
    ----------
    anatomy : Anatomy
    xyz : ndarray, shape (n_frames, n, 3), float32, voxels
        Of all that shines, neurons first.
    light : ndarray, shape (2, n_frames, n), float32
        Photons at the brightest voxel, by channel.
    activity : ndarray, shape (n_frames, n_neurons), float32
        dF/F.
    posture : ndarray, shape (n_frames, k), float32
        Columns are `body.POSTURE`.
    """

    anatomy: Anatomy
    xyz: Floats
    light: Floats
    activity: Floats
    posture: Floats

    def sigma(self, worm: Worm, frame: int) -> Floats:
        """Blur of all that shines in a volume, smeared along its motion, (n, 3), voxels."""
        step = np.asarray(worm.spacing_um[::-1], np.float32)
        before, after = max(frame - 1, 0), min(frame + 1, len(self.xyz) - 1)
        speed = (self.xyz[after] - self.xyz[before]) / max(after - before, 1)
        still = self.anatomy.sigma[:, [0, 0, 1]] / step
        # a box of some width has a standard deviation of its width by root 12
        return np.asarray(np.hypot(still, speed * worm.exposure / np.sqrt(12)), np.float32)


@lru_cache(maxsize=4)
def stage_of(worm: Worm) -> Stage:
    """Stage of a worm, kept by each process that reads from it."""
    rngs = [np.random.default_rng([worm.seed, part]) for part in range(4)]
    body = anatomy(worm, rngs[0])
    moved = motion(worm, rngs[1])
    xyz_um = _swept(worm, deformed(body.xyz, body.half_um, moved))
    traces = activity(worm, rngs[2])
    step = np.asarray(worm.spacing_um[::-1])
    middle = (np.asarray(worm.shape[::-1]) - 1) / 2
    return Stage(
        body,
        (xyz_um / step + middle).astype(np.float32),
        _light(worm, body, xyz_um[..., 2], traces, flicker(moved.posture, worm, rngs[3])),
        traces,
        moved.posture.astype(np.float32),
    )


def _swept(worm: Worm, xyz_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Places at the time at which their plane is seen; they count from the middle of a volume."""
    if worm.n_frames < 2:
        return xyz_um
    when = np.clip(xyz_um[..., 2:] / worm.view_um[2], -0.5, 0.5) * worm.scan
    return np.asarray(xyz_um + np.gradient(xyz_um, axis=0) * when)


def _light(
    worm: Worm,
    body: Anatomy,
    z_um: npt.NDArray[np.float64],
    traces: Floats,
    shared: npt.NDArray[np.float64],
) -> Floats:
    """Photons of all that shines, (2, n_frames, n): bleached, dimmed by depth and by motion."""
    n = body.n_neurons
    seconds = np.arange(worm.n_frames)[:, None] / worm.rate_hz
    factor = np.exp(-np.clip(z_um + worm.view_um[2] / 2, 0, None) / worm.depth_um)
    factor *= np.exp(worm.view_um[2] / 2 / worm.depth_um)  # a typical neuron lies in the middle
    factor[:, :n] *= shared
    out = np.empty((2, *z_um.shape))
    for channel, lost in ((RED, worm.bleach_red), (GREEN, worm.bleach_green)):
        left = np.maximum(1 - lost, 1e-6) ** (seconds / 1000)
        out[channel] = worm.photons * factor * left * body.light[channel]
    out[GREEN, :, :n] *= 1 + traces
    out[GREEN] += worm.crosstalk * out[RED]
    return out.astype(np.float32)


@dataclass(frozen=True)
class WormReader:
    """One channel's volumes, made when they are read; as cheap to send as its settings.

    Parameters
    ----------
    worm : Worm
    channel : int
        0 is red, 1 is green.
    """

    worm: Worm
    channel: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return np.dtype(self.worm.dtype)

    def read(self, start: int, stop: int, rows: tuple[int, int]) -> npt.NDArray[Any]:
        """Voxels of volumes [start, stop), rows [y0, y1), shape (t, z, y1 - y0, x)."""
        from nissl.annotators.tracks.simulate.rendering import rendered

        worm, stage = self.worm, stage_of(self.worm)
        height = rows[1] - rows[0]
        out = np.empty((stop - start, worm.shape[0], height, worm.shape[2]), self.dtype)
        for k, frame in enumerate(range(start, stop)):
            seed = (worm.seed, 9, self.channel, frame)
            sigma = stage.sigma(worm, frame)
            # what is smeared over more voxels is dimmer in each
            step = np.asarray(worm.spacing_um[::-1])
            still = stage.anatomy.sigma[:, [0, 0, 1]] / step
            light = stage.light[self.channel, frame] * np.prod(still / sigma, axis=1)
            volume = rendered(worm, stage.xyz[frame], sigma, light.astype(np.float32), seed)
            out[k] = volume[:, slice(*rows)]
        return out


@dataclass(frozen=True, eq=False)
class Simulated:
    """A movie of volumes and its truth.

    Parameters
    ----------
    volumes : Volumes
        Red, which shows where neurons are, and green, which shows what they do.
    positions : Positions
        Of all neurons in all volumes, voxels; NaN out of view.
    worm : Worm
    """

    volumes: Volumes
    positions: Positions
    worm: Worm

    @property
    def activity(self) -> Floats:
        """dF/F, (n_frames, n_neurons); a silent neuron's is 0."""
        return stage_of(self.worm).activity

    @property
    def silent(self) -> npt.NDArray[np.bool_]:
        """Neurons without any activity, (n_neurons,)."""
        return np.asarray(~self.activity.any(axis=0))

    @property
    def posture(self) -> Floats:
        """Of every volume, (n_frames, k); columns are `body.POSTURE`."""
        return stage_of(self.worm).posture

    @property
    def brightness(self) -> Floats:
        """Of neurons at rest by channel, (2, n_neurons); 1 is a typical one in red."""
        body = stage_of(self.worm).anatomy
        return np.asarray(body.light[:, : body.n_neurons], np.float32)

    @property
    def radius_um(self) -> Floats:
        """Of nuclei, (n_neurons,)."""
        body = stage_of(self.worm).anatomy
        return np.asarray(body.radius[: body.n_neurons], np.float32)

    def masks(self, frame: int) -> npt.NDArray[np.int32]:
        """Which neuron each voxel of a volume belongs to, (z, y, x): its item + 1, 0 for none.

        A voxel within several nuclei is the one's whose middle is nearest, in radii.
        """
        if not 0 <= frame < self.worm.n_frames:
            raise BadArgumentError(
                f"a volume from 0 to {self.worm.n_frames - 1}", f"{frame}", "Volumes count from 0."
            )
        out = np.zeros(self.worm.shape, np.int32)
        nearest = np.full(self.worm.shape, np.inf, np.float32)
        step = np.asarray(self.worm.spacing_um[::-1])
        for item in np.flatnonzero(self.positions.seen[frame]):
            centre = self.positions.xyz[frame, item]
            # a nucleus thinner than planes are apart still has its middle voxel
            reach = np.maximum(self.radius_um[item] / step, 0.51)
            low = np.maximum(np.ceil(centre - reach), 0).astype(np.int64)
            high = np.minimum(np.floor(centre + reach) + 1, self.worm.shape[::-1]).astype(np.int64)
            spans = zip(low, high, centre, reach, strict=True)
            axes = [(np.arange(a, b) - c) / r for a, b, c, r in spans]
            far = axes[2][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[0] ** 2
            where = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
            closer = (far <= 1) & (far < nearest[where])
            out[where][closer] = item + 1
            nearest[where][closer] = far[closer]
        return out


def simulated(worm: Worm) -> Simulated:
    """Volumes of a worm, made as they are read, and their truth."""
    clock = Clock.regular(worm.rate_hz, worm.n_frames)
    facts = {"simulated": True}
    movies = tuple(
        Movie(name, WormReader(worm, channel), worm.shape, clock, worm.spacing_um, facts)
        for channel, name in enumerate(CHANNELS)
    )
    xyz = stage_of(worm).xyz[:, : worm.n_neurons]
    edges = np.asarray(worm.shape[::-1]) - 0.5
    inside = np.asarray(((xyz >= -0.5) & (xyz < edges)).all(axis=2))
    truth = Positions.build(np.arange(worm.n_frames), np.where(inside[..., None], xyz, np.nan))
    return Simulated(Volumes(movies), truth, worm)


def simulate_worm(
    rng: np.random.Generator, *, positions_um: npt.ArrayLike | None = None, **settings: Any
) -> Simulated:
    """Volumes of a worm whose seed is drawn.

    Parameters
    ----------
    rng : numpy.random.Generator
    positions_um : array_like, shape (n, 3), optional
        Neurons of a straight worm, x along the body with the nose at greater x, um; of an atlas,
        say. With fewer `n_neurons` that many of them are drawn; all are taken without it.
    **settings
        Of `Worm`: ``n_neurons=80, n_frames=500, shape=(16, 80, 128)``.
    """
    seed = int(rng.integers(2**62))
    if positions_um is not None:
        places = np.asarray(positions_um, np.float64)
        if places.ndim != 2 or places.shape[1] != 3 or not np.isfinite(places).all():
            raise BadArgumentError(
                "places of shape (n_neurons, 3), all finite",
                f"shape {places.shape}",
                "Give x, y, z of every neuron; leave those out that the atlas lacks.",
            )
        kept = int(settings.get("n_neurons", len(places)))
        if kept < len(places):
            places = places[np.sort(rng.permutation(len(places))[:kept])]
        settings |= {
            "n_neurons": len(places),
            "positions_um": tuple((float(x), float(y), float(z)) for x, y, z in places),
        }
    return simulated(Worm(seed=seed, **settings))


def simulate(seed: int, **settings: Any) -> tuple[Recording, LabelSet]:
    """Return a recording of two channels of volumes, and where each neuron is, as POINTS.

    Parameters
    ----------
    seed : int
    **settings
        Of `Worm`.
    """
    made = simulated(Worm(seed=seed, **settings))
    worm = vars(made.worm).copy()
    source = digest_json({"simulated": worm})
    recording = Recording(
        path=None,
        format="simulated",
        streams={},
        movies={movie.name: movie for movie in made.volumes.channels},
        subject=Subject(id=f"simulated-{seed}"),
        fingerprint=source,
    )
    author = Author("model", "tracks/simulate", "1")
    made_by = Provenance("tracks", source, author, stream="red", parameters=worm, seed=seed)
    return recording, made.positions.to_labels(made_by)


__all__ = [
    "CHANNELS",
    "Simulated",
    "Stage",
    "WormReader",
    "simulate",
    "simulate_worm",
    "simulated",
    "stage_of",
]
