"""A simulated movie with all that is true of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.simulate import spiking
from nissl.annotators.cells.simulate.scene import Scene
from nissl.annotators.cells.simulate.stage import GRID_PX, Stage, overlap, staged
from nissl.clock import Clock
from nissl.data import Movie, Recording, Subject
from nissl.labels import Author, LabelSet, Provenance
from nissl.labels.digest import digest_json

Floats = npt.NDArray[np.float32]
SEEN = 0.6
"""Share of a soma that must lie in the frame for the cell to be part of the truth."""


@lru_cache(maxsize=2)
def stage_of(scene: Scene) -> Stage:
    """Stage of a scene, kept by each process that reads from it."""
    return staged(scene)


@dataclass(frozen=True)
class SimulatedReader:
    """Frames that are made when they are read; as cheap to send as its settings.

    Parameters
    ----------
    scene : Scene
    """

    scene: Scene

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(np.uint16)

    def read(self, start: int, stop: int, rows: tuple[int, int]) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1), shape (t, 1, y, x)."""
        from nissl.annotators.cells.simulate.rendering import rendered

        return rendered(self.scene, stage_of(self.scene), start, stop, rows)[:, None]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a simulated movie; cells are those whose soma lies in the frame.

    Parameters
    ----------
    cells : Footprints
        Somata with their nuclei, where no motion displaces them; weights are how brightly each
        pixel shines by the cell at rest, over the brightest.
    trace : ndarray, shape (n_frames, n_cells), float32
        dF/F of each cell alone, without noise and bleaching.
    spikes : ndarray, shape (n_frames, n_cells), uint16
    spike_times : tuple of ndarray, float64
        Of each cell, s.
    neuropil : ndarray, shape (n_frames, n_cells), float32
        Relative change of the neuropil at each cell.
    shift, bend : ndarray, shape (n_frames, 2), float64
        See `nissl.annotators.cells.simulate.motion.Path`.
    silent, dim : ndarray of bool, shape (n_cells,)
        Cells that never spike, and those that are no brighter at rest than what surrounds them;
        what is both cannot be found but by a dark nucleus.
    """

    cells: Footprints
    trace: Floats
    spikes: npt.NDArray[np.uint16]
    spike_times: tuple[npt.NDArray[np.float64], ...]
    neuropil: Floats
    shift: npt.NDArray[np.float64]
    bend: npt.NDArray[np.float64]
    silent: npt.NDArray[np.bool_]
    dim: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Simulation:
    """A movie and its truth.

    Parameters
    ----------
    movie : Movie
    truth : Truth
    scene : Scene
    """

    movie: Movie
    truth: Truth
    scene: Scene


def simulated(scene: Scene) -> Simulation:
    """Return the movie of a scene, whose frames are made as they are read, and its truth."""
    size = (1, scene.height, scene.width)
    spacing = (scene.um_per_px, scene.um_per_px, scene.um_per_px)
    facts = {"simulated": True, "optics": scene.optics, "indicator": scene.indicator}
    clock = Clock.regular(scene.rate_hz, scene.n_frames)
    movie = Movie("movie", SimulatedReader(scene), size, clock, spacing, facts)
    return Simulation(movie, _truth(scene, stage_of(scene)), scene)


def simulate(seed: int, **settings: Any) -> tuple[Recording, LabelSet]:
    """Return a recording of one movie, and its cells as REGIONS.

    Parameters
    ----------
    seed : int
    **settings
        Of `Scene`: ``height=128, n_frames=300, silent=0.5``.
    """
    scene = Scene(seed=seed, **settings)
    made = simulated(scene)
    source = digest_json({"simulated": vars(scene).copy()})
    recording = Recording(
        path=None,
        format="simulated",
        streams={},
        movies={"movie": made.movie},
        subject=Subject(id=f"simulated-{seed}"),
        fingerprint=source,
    )
    author = Author("model", "cells/simulate", "1")
    made_by = Provenance(
        "cells", source, author, stream="movie", parameters=vars(scene).copy(), seed=seed
    )
    return recording, made.truth.cells.to_labels(made_by)


def _truth(scene: Scene, stage: Stage) -> Truth:
    """What is true of the frames of a stage."""
    found = [_footprint(scene, stage, k) for k in range(stage.bodies.silent.size)]
    there = [k for k, each in enumerate(found) if each is not None]
    kept = [each for each in found if each is not None]
    cells = Footprints.build(
        (1, scene.height, scene.width), [p for p, _ in kept], [w for _, w in kept]
    )
    times = tuple(stage.bodies.spikes[k] for k in there)
    counts = [spiking.counted(each, scene.n_frames, scene.rate_hz) for each in times]
    spikes = np.stack(counts, 1) if counts else np.zeros((scene.n_frames, 0), np.uint16)
    places = np.round((cells.centres()[:, 1:] + scene.margin) / GRID_PX).astype(np.int64)
    near = stage.modes[:, places[:, 0], places[:, 1]]
    return Truth(
        cells,
        stage.bodies.trace[:, there],
        spikes,
        times,
        np.asarray(stage.course @ near, np.float32),
        stage.path.shift,
        stage.path.bend,
        stage.bodies.silent[there],
        stage.bodies.dim[there],
    )


def _footprint(
    scene: Scene, stage: Stage, index: int
) -> tuple[npt.NDArray[np.int64], Floats] | None:
    """Pixels and weights of a cell within the frame; None for one that lies outside."""
    body = stage.bodies.shapes[index]
    inside = body.inside > 0.5
    field, patch = overlap(body, scene.canvas)
    rows, columns = np.nonzero(inside[patch])
    y = rows + field[0].start - scene.margin
    x = columns + field[1].start - scene.margin
    seen = (y >= 0) & (y < scene.height) & (x >= 0) & (x < scene.width)
    if seen.sum() < max(SEEN * inside.sum(), 4):
        return None
    light = body.light[patch][rows[seen], columns[seen]]
    weights = np.maximum(light / max(float(light.max()), 1e-6), 1e-3)
    return (y[seen] * scene.width + x[seen]).astype(np.int64), weights.astype(np.float32)


__all__ = ["SimulatedReader", "Simulation", "Truth", "simulate", "simulated", "stage_of"]
