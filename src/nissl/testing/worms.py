"""A tracked animal in small: a volumetric movie, and what a method says of its neurons.

Blobs in a body that bends and slides, in two channels; volumes are drawn when they are read, from
places that lie on disk, so that thousands of them cost nothing. Two tracks exchange their neurons
from some volume on, some points are beside their neuron and some are missing; the method doubts
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.tracks.positions import Positions
from nissl.clock import Clock
from nissl.data import Movie, Recording
from nissl.errors import SourceNotFoundError
from nissl.labels import Author, ItemTable, LabelSet, Provenance
from nissl.labels.atomic import make_folder
from nissl.project import Project, open_project
from nissl.project.adding import keep
from nissl.project.source import describe_streams
from nissl.store import SourceRow
from nissl.store.images import keep_images

RATE_HZ = 6.0
SPACING_UM = (2.0, 0.6, 0.6)
RADIUS_UM = 2.4
NAMES = ("AVAL", "AVAR", "AVBL", "AVBR", "RIML", "RIMR", "AIBL", "AIBR", "SMDVL", "SMDVR")
_GROUND, _LIGHT, _NOISE = 120.0, 900.0, 14.0
_OFF_VOXELS = 6.0


@dataclass(frozen=True)
class DrawnVolumes:
    """Volumes drawn from places on disk when they are read.

    Parameters
    ----------
    path : str
        Of an .npy file, (n_frames, n_neurons, 4): x, y, z in voxels and brightness.
    shape : tuple of int
        ``(z, y, x)``.
    seed : int
        Of the noise.
    """

    path: str
    shape: tuple[int, int, int]
    seed: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return np.dtype(np.uint16)

    def read(self, start: int, stop: int, rows: tuple[int, int]) -> npt.NDArray[Any]:
        """Voxels of volumes [start, stop), rows [y0, y1), shape (t, z, y, x)."""
        blobs = np.load(self.path, mmap_mode="r")
        drawn = [self._volume(np.asarray(blobs[t]), t) for t in range(start, stop)]
        return np.stack(drawn)[:, :, rows[0] : rows[1]] if drawn else self._empty(rows)

    def _volume(self, blobs: npt.NDArray[Any], frame: int) -> npt.NDArray[np.uint16]:
        volume = np.full(self.shape, _GROUND, np.float32)
        reach = [int(np.ceil(1.7 * RADIUS_UM / size)) for size in SPACING_UM]
        for x, y, z, light in blobs.tolist():
            if not np.isfinite(x):
                continue
            parts, shape = [], []
            for at, r, n, size in zip((z, y, x), reach, self.shape, SPACING_UM, strict=True):
                low, high = max(round(at) - r, 0), min(round(at) + r + 1, n)
                parts.append(slice(low, max(high, low)))
                shape.append(np.exp(-0.5 * ((np.arange(low, high) - at) * size / RADIUS_UM) ** 2))
            if all(line.size for line in shape):
                dz, dy, dx = (line.astype(np.float32) for line in shape)
                volume[tuple(parts)] += (light * dz)[:, None, None] * (dy[:, None] * dx)
        rng = np.random.default_rng([self.seed, frame])
        volume += _NOISE * rng.standard_normal(self.shape, np.float32)
        return np.clip(volume, 0, 65535).astype(np.uint16)

    def _empty(self, rows: tuple[int, int]) -> npt.NDArray[np.uint16]:
        return np.zeros((0, self.shape[0], rows[1] - rows[0], self.shape[2]), np.uint16)


@dataclass(frozen=True, eq=False)
class TrackedWorm:
    """A project with one desk of tracks.

    Parameters
    ----------
    project : Project
        Open.
    labels : LabelSet
    movies : mapping of str to Movie
    row : SourceRow
        Of the movie.
    truth : Positions
        Where the neurons are; neuron k is the k-th track.
    swap : int
        Volume from which on tracks 0 and 1 have each other's neuron.
    """

    project: Project
    labels: LabelSet
    movies: Mapping[str, Movie]
    row: SourceRow
    truth: Positions
    swap: int

    def raw(self, row: SourceRow) -> Recording:
        """Recording of a source, as a `Room` takes it."""
        if row.fingerprint != self.row.fingerprint:
            raise SourceNotFoundError("the simulated movie", row.name, "Give the row of the movie.")
        return Recording(
            None, "simulated", {}, fingerprint=row.fingerprint, movies=dict(self.movies)
        )


def tracked_worm(
    folder: Path,
    rng: np.random.Generator,
    *,
    n_neurons: int = 24,
    n_frames: int = 60,
    shape: tuple[int, int, int] = (12, 64, 112),
    synthetic: bool = True,
) -> TrackedWorm:
    """Make a movie of two channels, and a project with what a method proposes on it.

    Parameters
    ----------
    folder : Path
    rng : numpy.random.Generator
    n_neurons, n_frames : int
    shape : tuple of int
        ``(z, y, x)`` of a volume.
    synthetic : bool
        Whether the method left pictures of volumes that it made up.
    """
    make_folder(folder)
    truth = _places(rng, n_neurons, n_frames, shape)
    movies = _filmed(folder, rng, truth, shape)
    project = open_project(folder / "study")
    recording = Recording(None, "simulated", {}, movies=movies)
    row = project.store.add_source(
        SourceRow("a0" + "0" * 62, "worm", "worm.npy", "simulated",
                  streams=describe_streams(recording))
    )  # fmt: skip
    swap = n_frames // 2
    told = _proposed(rng, truth, swap)
    about = Provenance("tracks", row.fingerprint, Author("model", "tracks/simulated", "1"), "red")
    labels = told.to_labels(about)
    keep(project.store, labels, items=project.store.put_items(_facts(labels, told)))
    worm = TrackedWorm(project, labels, movies, row, truth, swap)
    if synthetic:
        volumes = {
            f"synthetic {k + 1} (as volume {f})": movies["red"].read(f, f + 1)[0, :, ::-1]
            for k, f in enumerate((n_frames // 3, n_frames - 1))
        }
        keep_images(project.store, labels.digest, volumes)
    return worm


def _places(
    rng: np.random.Generator, n: int, n_frames: int, shape: tuple[int, int, int]
) -> Positions:
    """Neurons of a body that bends in x and y, slides and rocks in z; all stay in the volume."""
    depth, height, width = shape
    along = np.sort(rng.uniform(-0.42, 0.42, n))
    beside, above = rng.uniform(-0.22, 0.22, n), rng.uniform(-0.36, 0.36, n)
    t = np.arange(n_frames)[:, None] / RATE_HZ
    phase = rng.uniform(0, 2 * np.pi, 3)
    bend = 0.16 * np.sin(5 * along + 0.8 * t + phase[0])
    x = width * (0.5 + along * (1 + 0.05 * np.sin(0.5 * t + phase[1])))
    y = height * (0.5 + beside + bend)
    z = depth * (0.5 + above * (0.9 + 0.1 * np.sin(0.3 * t + phase[2])))
    xyz = np.stack(np.broadcast_arrays(x, y, z), axis=2) + rng.normal(0, 0.15, (n_frames, n, 3))
    most = np.asarray([width, height, depth]) - 1
    return Positions.build(np.arange(n_frames), np.clip(xyz, 0, most))


def _filmed(
    folder: Path, rng: np.random.Generator, truth: Positions, shape: tuple[int, int, int]
) -> dict[str, Movie]:
    n_frames, n = truth.xyz.shape[:2]
    fall = np.exp(-np.arange(n_frames) / (3 * n_frames))[:, None]
    steady = _LIGHT * rng.uniform(0.5, 1, n) * fall
    slow = np.sin(np.arange(n_frames)[:, None] / rng.uniform(4, 20, n) + rng.uniform(0, 6, n))
    movies = {}
    for k, (name, light) in enumerate(
        (("red", steady), ("green", 0.5 * steady * (1 + 0.8 * slow)))
    ):
        path = folder / f"{name}.npy"
        np.save(path, np.concatenate([truth.xyz, light[:, :, None]], axis=2).astype(np.float32))
        clock = Clock.regular(RATE_HZ, n_frames)
        movies[name] = Movie(name, DrawnVolumes(str(path), shape, k), shape, clock, SPACING_UM)
    return movies


def _proposed(rng: np.random.Generator, truth: Positions, swap: int) -> Positions:
    n_frames, n = truth.xyz.shape[:2]
    xyz = truth.xyz + rng.normal(0, 0.25, truth.xyz.shape)
    sure = rng.beta(30, 1.2, (n_frames, n))
    off = rng.random((n_frames, n)) < 0.02
    off[:, 0] = off[:, 1] = False
    xyz[off, :2] += _OFF_VOXELS * rng.choice([-1, 1], (int(off.sum()), 2))
    sure[off] = rng.beta(2, 5, int(off.sum()))
    if n > 1:
        xyz[swap:, [0, 1]] = xyz[swap:, [1, 0]]
        sure[swap : swap + 3, :2] *= 0.5
    xyz[rng.random((n_frames, n)) < 0.015] = np.nan
    return Positions.build(truth.frames, xyz, confidence=sure.clip(0.02, 0.995))


def _facts(labels: LabelSet, told: Positions) -> ItemTable:
    seen = told.seen
    table = pa.table(
        {
            "item": labels.items,
            "name": [NAMES[i] if i < len(NAMES) else None for i in range(labels.items.size)],
            "volumes_seen": seen.sum(axis=0),
            "mean_confidence": np.where(seen, told.confidence, 0).sum(axis=0)
            / np.maximum(seen.sum(axis=0), 1),
        }
    )
    units = {"volumes_seen": "", "mean_confidence": ""}
    return ItemTable(labels.digest, table, units)
