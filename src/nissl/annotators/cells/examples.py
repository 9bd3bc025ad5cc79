"""Simulated fields as a network learns from them: summary images, and what is to be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.instances import depths
from nissl.annotators.cells.network import DIAMETER, Image, rescaled
from nissl.annotators.cells.simulate import ONE_PHOTON, Scene, Simulation
from nissl.annotators.cells.simulate.movie import stage_of
from nissl.annotators.cells.simulate.nuclei import NucleiScene, nuclei
from nissl.data import Movie

FINDABLE = 0.12
"""Least contrast at rest, or least change when active, over the brightness of the surroundings."""

SMOOTHED = 0.3
"""Share of movies that are smoothed in time."""


@dataclass(frozen=True, eq=False)
class Field:
    """One field to learn from.

    Parameters
    ----------
    images : dict of str to ndarray, shape (y, x), float32
    labels : ndarray, shape (y, x), int32
        Cells; 0 is background.
    known : ndarray, shape (y, x), bool
        Whether what `labels` says counts: nobody could find the cells elsewhere.
    diameter_px : float
        Median diameter of the cells.
    """

    images: dict[str, Image]
    labels: npt.NDArray[np.int32]
    known: npt.NDArray[np.bool_]
    diameter_px: float


def varied_scene(rng: np.random.Generator, *, size: int = 256) -> Scene:
    """Draw a scene: anything from a sparse bright field to a crowded dim one."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    diameter_px = between(7, 15)
    common: dict[str, Any] = {
        "seed": int(rng.integers(2**31)),
        "height": size,
        "width": size,
        "n_frames": int(rng.uniform(250, 600)),
        "jitter_px": rng.uniform(0, 0.3),
        "drift_px": rng.uniform(0, 0.6),
        "jerks_per_min": 0.0,
        "silent": rng.uniform(0.1, 0.8),
        "dim": rng.uniform(0.1, 0.9),
        "event_hz": between(0.03, 0.4),
        "indicator": str(rng.choice(["GCaMP6s", "GCaMP6f", "GCaMP8m"])),
        "gradient": rng.uniform(0, 0.8),
    }
    if rng.random() < 0.15:
        some = {
            **ONE_PHOTON,
            **common,
            "um_per_px": 14.0 / diameter_px,
            "cells_per_mm2": between(100, 700),
            "psf_um": between(1.5, 4.0),
            "neuropil": between(4, 20),
            "photons": between(30, 300),
        }
        return Scene(**some)
    some = {
        **common,
        "rate_hz": between(7, 40),
        "um_per_px": 12.0 / diameter_px,
        "cells_per_mm2": between(500, 2500),
        "diameter_spread": rng.uniform(0.05, 0.2),
        "filled": rng.uniform(0.05, 0.6),
        "overlapping": rng.uniform(0, 0.2),
        "photons": between(1, 30),
        "psf_um": between(0.5, 1.3),
        "neuropil": between(0.2, 1.3),
        "neuropil_sd": rng.uniform(0.02, 0.25),
        "texture": rng.uniform(0.05, 0.3),
        "contamination": rng.uniform(0.2, 0.8),
        "processes": rng.uniform(0, 3),
        "out_of_focus": rng.uniform(0, 1),
        "holes": rng.uniform(0, 0.15),
        "vessels_per_mm2": between(5, 60),
        "vignette": rng.uniform(0, 0.4),
    }
    return Scene(**some)


def field_of(made: Simulation, images: dict[str, Image]) -> Field:
    """What there is to be found in the summary images of a simulated movie."""
    cells, found = made.truth.cells, findable(made)
    labels = painted(cells.take(found))
    hidden = painted(cells.take(~found)) > 0
    wide = [2 * np.sqrt(cells.pixels[k].size / np.pi) for k in np.flatnonzero(found)]
    size = float(np.median(wide)) if wide else made.scene.diameter_um / made.scene.um_per_px
    return Field(images, labels, ~hidden | (labels > 0), size)


def recorded(made: Simulation, rng: np.random.Generator) -> Movie:
    """The frames of a simulation; some are smoothed in time, as published movies often are."""
    frames = made.movie.frames().astype(np.float32)
    if rng.random() < SMOOTHED:
        side = np.float32(rng.uniform(0.3, 1.0))
        padded = np.concatenate([frames[:1], frames, frames[-1:]])
        frames = (side * (padded[:-2] + padded[2:]) + frames) / (1 + 2 * side)
    return Movie.from_array(frames, made.movie.rate_hz)


def painted(cells: Footprints) -> npt.NDArray[np.int32]:
    """Image of labels, (y, x), of cells of one plane; where two overlap the deeper one counts."""
    _, height, width = cells.shape
    labels = np.zeros(height * width, np.int32)
    deepest = np.zeros(height * width, np.float32)
    for number, pixels in enumerate(cells.pixels, 1):
        y, x = np.divmod(pixels, width)
        corner = y.min(), x.min()
        own = np.zeros((int(np.ptp(y)) + 1, int(np.ptp(x)) + 1), np.int32)
        own[y - corner[0], x - corner[1]] = 1
        deep = depths(own)[y - corner[0], x - corner[1]]
        mine = deep > deepest[pixels]
        labels[pixels[mine]], deepest[pixels[mine]] = number, deep[mine]
    return labels.reshape(height, width)


def findable(made: Simulation) -> npt.NDArray[np.bool_]:
    """Cells that can be found at all: by a contrast at rest, or by a transient, (n_cells,).

    What lies in the shadow of a vessel has a contrast that says nothing.
    """
    from scipy.ndimage import gaussian_filter

    scene, stage, truth = made.scene, stage_of(made.scene), made.truth
    m = scene.margin
    light = (stage.still + stage.texture)[m : m + scene.height, m : m + scene.width]
    fine = gaussian_filter(light, scene.radius_px / 4)
    around = gaussian_filter(light, 2.5 * scene.radius_px)
    contrast = np.abs(fine / around - 1).ravel()
    shade = stage.shade[m : m + scene.height, m : m + scene.width]
    lit = (shade / gaussian_filter(shade, 2.5 * scene.radius_px)).ravel()
    out = np.zeros(len(truth.cells), bool)
    for index, pixels in enumerate(truth.cells.pixels):
        at_rest = float(np.quantile(contrast[pixels], 0.7))
        own = float(truth.cells.weights[index].mean()) * scene.photons
        change = float(truth.trace[:, index].max()) * own / float(around.ravel()[pixels].mean())
        out[index] = max(at_rest, 0.5 * change) > FINDABLE and lit[pixels].mean() > 0.8
    return out


def bordered(field: Field, rng: np.random.Generator) -> Field:
    """A field of which one side is dark, as where a scanner turns or a movie was shifted."""
    height, width = field.labels.shape
    wide = int(rng.uniform(0.02, 0.12) * width)
    ramp = np.ones(width, np.float32)
    ramp[:wide] = np.linspace(0, 1, wide) ** 2
    turns = int(rng.integers(4))

    def shaded(image: Image, name: str) -> Image:
        lit = np.rot90(image, turns).copy()
        lit *= ramp if name != "correlation" else np.sqrt(ramp)
        return np.ascontiguousarray(np.rot90(lit, -turns))

    hidden = np.rot90(np.broadcast_to(ramp > 0.3, (height, width)), -turns)
    images = {name: shaded(image, name) for name, image in field.images.items()}
    return Field(images, field.labels, field.known & hidden, field.diameter_px)


def targets(field: Field, scale: float) -> npt.NDArray[np.float32]:
    """Foreground, depth and whether they count, (3, h, w), on a scale; see `rescaled`."""
    shape = rescaled(np.zeros(field.labels.shape, np.float32), scale).shape
    rows, columns = (
        np.clip(((np.arange(n) + 0.5) * old / n).astype(int), 0, old - 1)
        for n, old in zip(shape, field.labels.shape, strict=True)
    )
    fine = field.labels[rows][:, columns]
    known = field.known[rows][:, columns]
    return np.stack([fine > 0, depths(fine), known]).astype(np.float32)


def nuclei_field(rng: np.random.Generator) -> Field:
    """A still image of nuclei: a layer of them, or a plane through a volume along any axis."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    flat, size = rng.random() < 0.5, between(8, 16)
    scene = NucleiScene(
        seed=int(rng.integers(2**31)),
        shape=(1, 192, 192) if flat else (int(2.5 * size), 144, 144),
        diameter_px=size,
        spread=rng.uniform(0.08, 0.35 if flat else 0.22),
        crowding=between(0.1, 0.6),
        touching=rng.uniform(0.0, 0.35),
        contrast=rng.uniform(0.1, 0.6),
        blur_px=(size * rng.uniform(0.05, 0.2), size * rng.uniform(0.04, 0.12)),
        grain=rng.uniform(0.05, 0.35),
        background=between(0.02, 1.0),
        photons=between(5, 300),
    )
    volume, labels = nuclei(scene)
    k = 0 if flat else int(rng.integers(int(0.7 * size), int(1.8 * size)))
    image, own = volume[k], labels[k]
    if not flat:
        own = _well_cut(own, size)
    known = own >= 0
    return Field({"image": image}, np.maximum(own, 0), known, size)


def _well_cut(labels: npt.NDArray[np.int32], diameter_px: float) -> npt.NDArray[np.int32]:
    """Labels of a plane, with -1 for bodies of which it cuts off too little to be told."""
    out = labels.copy()
    size = np.bincount(labels.ravel())
    small = np.flatnonzero((size > 0) & (size < 0.12 * np.pi / 4 * diameter_px**2))
    out[np.isin(labels, small[small > 0])] = -1
    return out


__all__ = [
    "DIAMETER",
    "Field",
    "bordered",
    "field_of",
    "findable",
    "nuclei_field",
    "painted",
    "recorded",
    "targets",
    "varied_scene",
]
