"""Cells that only their transients show, found tile by tile in a movie that was made smaller."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells import ring
from nissl.annotators.cells.binned import binned
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.joining import merged_duplicates
from nissl.annotators.cells.sources import SourceSettings, find_sources, standardised
from nissl.annotators.cells.summary import definition
from nissl.data import Movie
from nissl.run.chunks import Chunk
from nissl.run.context import Context
from nissl.run.execute import run_chunks
from nissl.run.results import stage_key

MOST_BLOCKS = 4000
TILE_BYTES = 96 * 10**6


@dataclass(frozen=True)
class ActivitySettings:
    """How active cells are looked for.

    Parameters
    ----------
    modality : {"two-photon", "one-photon"}
        Background is taken off as a mean over the neighbourhood, or as the ring model predicts.
    diameter_px : float
        Of a cell.
    block_s : float
        Frames are averaged over this time: about the decay of a transient.
    slow_s : float
        What changes more slowly is no activity.
    active, energy, edge : float
        See `nissl.annotators.cells.sources.SourceSettings`.
    """

    modality: str = "two-photon"
    diameter_px: float = 12.0
    block_s: float = 0.4
    slow_s: float = 40.0
    active: float = 2.5
    energy: float = 3.5
    edge: float = 0.3

    @property
    def sources(self) -> SourceSettings:
        """What counts as a source in a tile."""
        return SourceSettings(self.diameter_px, self.active, self.energy, self.edge)


@dataclass(frozen=True, eq=False)
class Active:
    """All that lights up at the size of a cell.

    Parameters
    ----------
    cells : Footprints
        Of origin "activity"; `score` is the energy of the transients above noise. In the order
        of their places.
    traces : ndarray, shape (n_cells, n_blocks), float32
        Of each, in units of its own noise.
    blocks : ndarray, shape (n_blocks, z, y, x), float32
        Means of the movie over blocks of time, mapped from a file of the job's folder.
    """

    cells: Footprints
    traces: npt.NDArray[np.float32]
    blocks: npt.NDArray[np.float32]


def find_active(movie: Movie, context: Context, settings: ActivitySettings | None = None) -> Active:
    """Look for all that lights up at the size of a cell.

    The movie is read once; its means over blocks of time lie in a file of the job's folder, of
    which a tile at a time is in memory.

    Parameters
    ----------
    movie : Movie
        Corrected for motion.
    context : Context
    settings : ActivitySettings, optional

    """
    chosen = ActivitySettings() if settings is None else settings
    frames = max(round(chosen.block_s * movie.rate_hz), -(-movie.n_frames // MOST_BLOCKS), 1)
    small = binned(movie, context, frames, on_disk=True)
    tiles = plan_tiles(movie.shape, len(small), chosen.diameter_px)
    shared = (
        str(small.filename),  # type: ignore[attr-defined]
        tiles,
        chosen,
        max(chosen.slow_s * movie.rate_hz / frames, 3.0),
    )
    chunks = tuple(Chunk(k, k, k + 1, k, k + 1) for k in range(len(tiles)))
    key = stage_key(
        "active", definition(movie) | {"settings": vars(chosen).copy(), "frames": frames}
    )
    largest = max((b - t) * (r - le) for _, (t, b), (le, r), _, _ in tiles)
    found = run_chunks(
        _tile,
        chunks,
        shared,
        context,
        key=key,
        memory_per_chunk=6 * 4 * len(small) * largest,
        stage="active cells",
    )
    pixels: list[Any] = []
    weights: list[Any] = []
    traces: list[Any] = []
    energy: list[float] = []
    for arrays in found:
        if arrays["length"].size:
            cuts = np.cumsum(arrays["length"])[:-1]
            pixels += np.split(arrays["pixels"], cuts)
            weights += np.split(arrays["weights"], cuts)
            traces += list(arrays["traces"])
            energy += arrays["energy"].tolist()
    cells = Footprints.build(movie.shape, pixels, weights, score=energy, origin="activity")
    all_traces = np.array(traces, np.float32).reshape(len(cells), len(small))
    merged, rows = merged_duplicates(cells, all_traces)
    return Active(merged, all_traces[rows], small)


Tile = tuple[int, tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]


def plan_tiles(shape: tuple[int, int, int], n_blocks: int, diameter_px: float) -> list[Tile]:
    """Tiles that fit in memory, each with a halo of two and a half cells.

    Returns
    -------
    list of (plane, rows read, columns read, rows answered for, columns answered for)
        From the shape alone, so that the result is the same on every machine.
    """
    depth, height, width = shape
    halo = round(2.5 * diameter_px)
    side = int(np.sqrt(TILE_BYTES / (4 * max(n_blocks, 1))))
    core = max(side - 2 * halo, 2 * halo)
    tiles: list[Tile] = []
    for plane in range(depth):
        for a, b in _cuts(height, core):
            for c, d in _cuts(width, core):
                rows = max(a - halo, 0), min(b + halo, height)
                columns = max(c - halo, 0), min(d + halo, width)
                tiles.append((plane, rows, columns, (a, b), (c, d)))
    return tiles


def _cuts(length: int, most: int) -> list[tuple[int, int]]:
    """Half-open intervals of nearly equal length, none longer than `most`."""
    edges = np.linspace(0, length, -(-length // most) + 1).round().astype(int).tolist()
    return list(itertools.pairwise(edges))


def _tile(shared: Any, chunk: Chunk) -> dict[str, npt.NDArray[Any]]:
    """Sources of a tile whose centre lies in the part that it answers for."""
    path, tiles, settings, slow_blocks = shared
    plane, rows, columns, own_rows, own_columns = tiles[chunk.index]
    movie = np.load(path, mmap_mode="r")
    block = np.array(movie[:, plane, slice(*rows), slice(*columns)], np.float32)
    known = np.asarray(np.isfinite(block).any(axis=0), bool)
    values = without_background(standardised(block, slow_blocks), settings, known)
    height, width = movie.shape[2:]
    kept, pixels = [], []
    for source in find_sources(values, settings.sources):
        y, x = np.divmod(source.pixels, columns[1] - columns[0])
        y, x = y + rows[0], x + columns[0]
        middle_y, middle_x = (np.average(each, weights=source.weights) for each in (y, x))
        if own_rows[0] <= middle_y < own_rows[1] and own_columns[0] <= middle_x < own_columns[1]:
            kept.append(source)
            pixels.append((plane * height + y) * width + x)
    order = np.argsort([p[0] for p in pixels], kind="stable").tolist()
    none = np.zeros(0, np.float32)
    return {
        "length": np.array([pixels[k].size for k in order], np.int64),
        "pixels": np.concatenate([np.zeros(0, np.int64), *(pixels[k] for k in order)]),
        "weights": np.concatenate([none, *(kept[k].weights for k in order)]),
        "traces": np.array([kept[k].trace for k in order], np.float32),
        "energy": np.array([kept[k].energy for k in order], np.float32),
    }


def without_background(
    values: npt.NDArray[np.float32],
    settings: ActivitySettings,
    known: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float32]:
    """Fluctuations of each pixel beyond those of what lies around it.

    Parameters
    ----------
    values : ndarray, shape (n_blocks, y, x), float32
        It is used up.
    settings : ActivitySettings
    known : ndarray, shape (y, x), bool
        Pixels that hold numbers; the others stay 0 and count for nothing.
    """
    from scipy.ndimage import uniform_filter

    if settings.modality == "one-photon":
        values -= ring_background(values, settings.diameter_px)
    else:
        width = round(3.5 * settings.diameter_px)
        around = uniform_filter(values, (1, width, width), mode="nearest")
        if not known.all():
            share = uniform_filter(known.astype(np.float32), width, mode="nearest")
            around /= np.maximum(share, np.float32(1e-3))
        values -= around
    values[:, ~known] = 0
    return values


def ring_background(values: npt.NDArray[np.float32], diameter_px: float) -> npt.NDArray[np.float32]:
    """Background that the ring model predicts at every pixel, (n_blocks, y, x)."""
    n, height, width = values.shape
    factor = ring.coarse_factor(diameter_px)
    size = (height, width)
    small = (ring.coarse_means(size, factor) @ values.reshape(n, -1).T).T
    coarse = (n, -(-height // factor), -(-width // factor))
    step = max(n // ring.MOST_BLOCKS, 1)
    radius = ring.RING_RADII * diameter_px / factor
    weights = ring.ring_weights(small.reshape(coarse)[::step], radius)
    predicted = ring.coarse_places(size, factor) @ (weights @ np.ascontiguousarray(small.T))
    return np.ascontiguousarray(predicted.T, np.float32).reshape(values.shape)
