"""A field of cells in small: a movie on disk, what a method says of it, and its traces.

Cells are disks on a grid with a random offset, brighter in transients of an exponential fall, over
a neuropil that they share. Some outlines are of nothing; the method doubts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.cells.footprints import Footprints
from nissl.clock import Clock
from nissl.data import ChannelTable, Movie, Recording, Signal
from nissl.labels import Author, ItemTable, LabelSet, Provenance
from nissl.labels.atomic import make_folder
from nissl.project import Project, open_project
from nissl.project.adding import keep
from nissl.project.deriving import keep_derived
from nissl.project.source import Source, describe_streams
from nissl.store import SourceRow
from nissl.store.images import keep_images

RATE_HZ = 15.0
RADIUS_PX = 5
PATCH_PX = 25
_BASE, _NOISE = 400.0, 12.0
_TRACE_POINTS = 400


@dataclass(frozen=True)
class StackOnDisk:
    """Frames of a .npy file, shape (t, y, x), read where they are asked for.

    Parameters
    ----------
    path : str
    """

    path: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(np.asarray(np.load(self.path, mmap_mode="r")).dtype)

    def read(self, start: int, stop: int, rows: tuple[int, int]) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1), shape (t, 1, y, x)."""
        stack = np.load(self.path, mmap_mode="r")
        return np.asarray(stack[start:stop, None, rows[0] : rows[1]])


@dataclass(frozen=True, eq=False)
class ImagedField:
    """A project with one desk of regions.

    Parameters
    ----------
    project : Project
        Open.
    labels : LabelSet
    movie : Movie
    row : SourceRow
        Of the movie.
    """

    project: Project
    labels: LabelSet
    movie: Movie
    row: SourceRow

    def raw(self, row: SourceRow) -> Recording:
        """Recording of a source, as a `Room` takes it: the movie, or a derived signal."""
        if row.fingerprint == self.row.fingerprint:
            return Recording(
                None, "simulated", {}, fingerprint=row.fingerprint, movies={"movie": self.movie}
            )
        return Source(row, self.project.store).recording


def imaged_field(
    folder: Path,
    rng: np.random.Generator,
    *,
    n_cells: int = 24,
    n_frames: int = 600,
    size: int = 128,
    traces: bool = True,
    images: bool = True,
) -> ImagedField:
    """Make a movie, and a project with what a method proposes on it.

    Parameters
    ----------
    folder : Path
    rng : numpy.random.Generator
    n_cells : int
        At most as many as disks fit.
    n_frames, size : int
    traces : bool
        Whether the project keeps traces and rates of the cells.
    images : bool
        Whether the project keeps pictures of the field.
    """
    make_folder(folder)
    cells = _disks(rng, n_cells, size)
    n = len(cells)
    real = rng.random(n) < 0.75
    activity = _activity(rng, n, n_frames) * real[:, None]
    movie = _filmed(folder / "movie.npy", rng, cells, activity, real)
    project = open_project(folder / "study")
    row = project.store.add_source(
        SourceRow("f1e1d" + "0" * 59, "field", "movie.npy", "simulated", streams=_streams(movie))
    )
    p = np.where(real, rng.beta(9, 1.5, n), rng.beta(1.5, 6, n)).clip(0.01, 0.99)
    about = Provenance("cells", row.fingerprint, Author("model", "cells/simulated", "1"), "movie")
    labels = cells.to_labels(about, probability=p.astype(np.float32))
    dff = activity + rng.normal(0, 0.06, activity.shape)
    keep(project.store, labels, items=project.store.put_items(_facts(labels, cells, dff, movie)))
    field = ImagedField(project, labels, movie, row)
    if images:
        from nissl.review.region_images import pictured

        keep_images(project.store, labels.digest, pictured(movie))
    if traces:
        _keep_traces(field, activity, dff.astype(np.float32), rng)
    return field


def _disks(rng: np.random.Generator, n: int, size: int) -> Footprints:
    side = int(np.ceil(np.sqrt(n)))
    step = size / side
    grid = (np.stack(np.divmod(np.arange(n), side), 1) + 0.5) * step
    centres = np.clip(grid + rng.uniform(-0.2, 0.2, (n, 2)) * step, 1, size - 2)
    radius = min(RADIUS_PX, 0.45 * step)
    pixels, weights = [], []
    for y, x in centres.tolist():
        top, left = max(int(y - radius), 0), max(int(x - radius), 0)
        rows, columns = np.mgrid[
            top : min(top + 2 * RADIUS_PX + 2, size), left : min(left + 2 * RADIUS_PX + 2, size)
        ]
        away = np.hypot(rows - y, (columns - x) * rng.uniform(0.8, 1.25))
        inside = away <= radius
        pixels.append((rows * size + columns)[inside])
        weights.append((1.2 - away[inside] / (1.5 * radius)).astype(np.float32))
    return Footprints.build((1, size, size), pixels, weights, origin="both")


def _activity(rng: np.random.Generator, n: int, n_frames: int) -> npt.NDArray[np.float64]:
    events = rng.random((n, n_frames)) < rng.uniform(0.003, 0.02, (n, 1))
    fall = 0.9 ** np.arange(60)
    amplitude = events * rng.gamma(4, 0.2, events.shape)
    return np.stack([np.convolve(line, fall)[:n_frames] for line in amplitude])


def _filmed(
    path: Path,
    rng: np.random.Generator,
    cells: Footprints,
    activity: npt.NDArray[np.float64],
    real: npt.NDArray[np.bool_],
) -> Movie:
    from scipy.ndimage import gaussian_filter

    size, n_frames = cells.shape[1], activity.shape[1]
    stack = np.lib.format.open_memmap(path, "w+", np.int16, (n_frames, size, size))
    ground = _BASE + 60 * gaussian_filter(rng.normal(size=(size, size)), 12) * 12
    weights = cells.matrix().T
    swell = 0.06 * np.sin(np.arange(n_frames) / 70) + 0.03 * rng.normal(size=n_frames)
    for start in range(0, n_frames, 200):
        some = slice(start, min(start + 200, n_frames))
        light = weights @ (real[:, None] * (0.25 + activity[:, some]))
        frame = ground * (1 + swell[some, None, None])
        frame += 160 * np.asarray(light).T.reshape(-1, size, size)
        frame += rng.normal(0, _NOISE, frame.shape).astype(np.float32)
        stack[some] = np.clip(frame, 0, 32767)
    stack.flush()
    clock = Clock.regular(RATE_HZ, n_frames)
    return Movie("movie", StackOnDisk(str(path)), (1, size, size), clock, (1.0, 1.2, 1.2))


def _streams(movie: Movie) -> dict[str, dict[str, Any]]:
    return describe_streams(Recording(None, "simulated", {}, movies={"movie": movie}))


def _facts(
    labels: LabelSet, cells: Footprints, dff: npt.NDArray[np.float64], movie: Movie
) -> ItemTable:
    mean = movie.frames(0, min(movie.n_frames, 100)).mean(axis=0).astype(np.float32)
    half = PATCH_PX // 2
    padded = np.pad(mean, half, constant_values=np.nan)
    centres = np.rint(cells.centres()).astype(int)
    patches = [padded[y : y + PATCH_PX, x : x + PATCH_PX] for _, y, x in centres.tolist()]
    points = np.array_split(np.arange(dff.shape[1]), min(_TRACE_POINTS, dff.shape[1]))
    table = pa.table(
        {
            "item": labels.items,
            "area_px": [int(p.size) for p in cells.pixels],
            "skewness": _skewness(dff),
            "noise": 100 * np.median(np.abs(np.diff(dff, axis=1)), axis=1) / np.sqrt(RATE_HZ),
        }
    )
    arrays = {
        "patch": np.stack(patches).astype(np.float32),
        "trace": np.stack([dff[:, part].mean(axis=1) for part in points], 1).astype(np.float32),
    }
    units = {"area_px": "px", "skewness": "", "noise": "%/sqrt(Hz)", "patch": "", "trace": ""}
    return ItemTable(labels.digest, table, units, arrays, {"grid": list(cells.shape)})


def _skewness(dff: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rest = dff - dff.mean(axis=1, keepdims=True)
    return np.asarray((rest**3).mean(axis=1) / (rest**2).mean(axis=1) ** 1.5)


def _keep_traces(
    field: ImagedField,
    activity: npt.NDArray[np.float64],
    dff: npt.NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    store, items = field.project.store, field.labels.items
    rate = np.maximum(np.diff(activity, axis=1, prepend=0), 0) * 6
    low, high = rate * 0.6, rate * 1.4 + 0.2 + 0.1 * rng.random(rate.shape)
    ids = [str(item) for item in items.tolist()]
    raw = _BASE * (1 + dff)
    kept = [
        ("fluorescence", "fluorescence", ids, dff),
        ("raw", "fluorescence", ids, raw),
        ("neuropil", "fluorescence", ids, np.full_like(raw, _BASE) + rng.normal(0, 4, raw.shape)),
    ]
    above = Source(field.row, store)
    for name, kind, names, values in kept:
        made = keep_derived(store, above, _signal(name, kind, names, values), {"by": "test"})
        if name == "fluorescence":
            fluorescence = made
    bounds = [f"{i}.{word}" for word in ("low", "high") for i in ids]
    lines = np.concatenate([rate, low, high])
    row = next(row for row in store.sources() if row.name == fluorescence)
    rates = _signal("rates", "rate", [*ids, *bounds], lines)
    keep_derived(store, Source(row, store), rates, {"by": "test"})


def _signal(name: str, kind: str, ids: list[str], values: npt.NDArray[Any]) -> Signal:
    table = ChannelTable.plain(ids, kind=kind)
    samples = np.ascontiguousarray(values.T, np.float32)
    return Signal.from_array(samples, RATE_HZ, name=name, channels=table)
