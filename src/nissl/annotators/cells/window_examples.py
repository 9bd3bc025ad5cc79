"""What the network of windows learns from: sources of simulated movies, and the cells they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.activity import Active, ActivitySettings, find_active
from nissl.annotators.cells.describing import field_images
from nissl.annotators.cells.examples import field_of, recorded, varied_scene
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.instances import depths
from nissl.annotators.cells.network import Image
from nissl.annotators.cells.simulate import Simulation, simulated
from nissl.annotators.cells.windows import SIDE, Place, patches_of
from nissl.run.context import Context

LOW_ENERGY = 3.0
"""Sources are looked for beyond what counts, so that the network meets more that are none."""
TURNS = 2
"""Times that each source is looked at, at another size each."""
SAME, OTHER = 0.4, 0.2
"""Correlations of a source's trace with a cell's from which they are one, and below which not."""
SHARE = 0.25
"""Part of a source's weights in a cell from which it may be that cell."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Patches of sources with what is true of them.

    Parameters
    ----------
    x : ndarray, shape (n, n_names, SIDE, SIDE), float32
    y : ndarray, shape (n, 3, SIDE, SIDE), float32
        Whether a pixel belongs to the cell that fired, how deep inside it, and 1.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]


def source_examples(rng: np.random.Generator) -> Sources:
    """Sources of one simulated movie; those of which it is not clear what they are, are left out.

    Parameters
    ----------
    rng : numpy.random.Generator
    """
    scene = varied_scene(rng)
    made = simulated(scene)
    movie = recorded(made, rng)
    with TemporaryDirectory() as scratch:
        context = Context(Path(scratch))
        images = field_images(movie, context)
        size = field_of(made, {name: image[0] for name, image in images.items()}).diameter_px
        told = size * float(np.exp(rng.normal(0, 0.12)))
        looked = ActivitySettings(scene.optics, told, energy=LOW_ENERGY)
        active = find_active(movie, context, looked)
        truth = true_cells(active, made)
        clear = active_of(active, np.flatnonzero(truth >= -1))
        truth = truth[truth >= -1]
        x, y = [], []
        for _ in range(TURNS):
            seen_at = size * float(np.exp(rng.uniform(*np.log((0.8, 1.25)))))
            places, seen, fine = patches_of(clear, images, seen_at)
            x.append(seen)
            y += [
                target(made.truth.cells, int(k), place, own)
                for k, place, own in zip(truth, places, fine, strict=True)
            ]
        del active, clear  # the file of the blocks goes with the folder
    none = np.zeros((0, 3, SIDE, SIDE), np.float32)
    return Sources(np.concatenate(x), np.stack(y) if y else none)


def active_of(active: Active, rows: npt.NDArray[np.intp]) -> Active:
    """Some of the sources."""
    return Active(active.cells.take(rows), active.traces[rows], active.blocks)


def true_cells(active: Active, made: Simulation) -> npt.NDArray[np.int64]:
    """Which true cell each source is, (n_sources,): -1 for none, -2 where it is not clear."""
    cells, n = made.truth.cells, len(active.blocks)
    frames = -(-len(made.truth.trace) // max(n, 1))
    cuts = np.arange(0, len(made.truth.trace), frames)
    course = np.add.reduceat(made.truth.trace, cuts, axis=0)[:n]
    course = course - course.mean(axis=0)
    course /= np.maximum(np.linalg.norm(course, axis=0), 1e-9)
    inside = cells.matrix()
    inside.data = np.ones_like(inside.data)
    out = np.full(len(active.cells), -1, np.int64)
    shared = (active.cells.matrix() @ inside.T).toarray()
    for k, trace in enumerate(active.traces):
        share = shared[k] / float(active.cells.weights[k].sum())
        near = np.flatnonzero(share >= SHARE)
        if not near.size:
            continue
        own = trace - trace.mean()
        alike = course[:, near].T @ (own / max(float(np.linalg.norm(own)), 1e-9))
        best = int(np.argmax(alike))
        if alike[best] >= SAME:
            out[k] = near[best]
        elif alike[best] >= OTHER:
            out[k] = -2
    return out


def target(cells: Footprints, which: int, place: Place, fine: tuple[int, int]) -> Image:
    """What the network is to say of a source, (3, SIDE, SIDE)."""
    _, height, width = cells.shape
    mask = np.zeros((height, width), bool)
    if which >= 0:
        mask.reshape(-1)[cells.pixels[which]] = True
    index: list[Any] = []
    held = []
    for first, n, own in ((place.top, height, fine[0]), (place.left, width, fine[1])):
        at = np.arange(first, first + SIDE)
        held.append((at >= 0) & (at < own))
        index.append(np.clip(((at + 0.5) * n / own).astype(int), 0, n - 1))
    own_mask = mask[np.ix_(*index)] & held[0][:, None] & held[1][None]
    known = np.broadcast_to(held[0][:, None] & held[1][None], own_mask.shape)
    return np.stack([own_mask, depths(own_mask.astype(np.int32)), known]).astype(np.float32)


__all__ = ["Sources", "active_of", "source_examples", "target", "true_cells"]
