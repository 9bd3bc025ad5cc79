"""Cells in still images and volumes: nuclei, or somata, found one by one.

A volume is brought to one scale along its axes; the network reads its planes along z, and along y
and x too where it is deep enough; what it says is averaged, and cells are parted in space.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.describing import item_table
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.instances import Cut, Found, instances
from nissl.annotators.cells.network import (
    DIAMETER,
    Image,
    as_footprints,
    cut_of,
    likely_diameter,
    maps,
    relative,
    segmented,
    shipped,
)
from nissl.data import Movie
from nissl.errors import BadArgumentError, BadSamplesError
from nissl.labels import Author, Provenance
from nissl.nets.inference import Network
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs, Promises, Result

WHATS = {"nuclei": "image", "somata": "mean"}
"""What can be looked for, and what its network calls a still image."""
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")
BLOCK_BYTES = 64 * 10**6
DEEP = 8
"""Least planes, on the network's scale, of a volume that is read along all its axes."""


def found_in(
    image: npt.NDArray[Any],
    *,
    what: str = "nuclei",
    diameter_px: float | None = None,
    anisotropy: float = 1.0,
    network: Network | None = None,
    cut: Cut | None = None,
) -> Footprints:
    """Find nuclei or somata in an image or a volume.

    Parameters
    ----------
    image : ndarray, shape (y, x) or (z, y, x)
        Bright bodies on a darker ground; NaN where nothing is known.
    what : {"nuclei", "somata"}
    diameter_px : float, optional
        Of a body in the plane; looked for by default.
    anisotropy : float
        Distance of planes over that of pixels.
    network : Network, optional
        The shipped one by default.
    cut : Cut, optional

    Returns
    -------
    Footprints
        Of shape (z, y, x), with scores from 0 to 1.
    """
    if what not in WHATS or image.ndim not in (2, 3) or not anisotropy > 0:
        raise BadArgumentError(
            f"an image (y, x) or a volume (z, y, x), one of {tuple(WHATS)}, planes some way apart",
            f"shape {image.shape}, {what!r}, anisotropy {anisotropy!r}",
            "Check --set what=nuclei and the axes of the file.",
        )
    used = network or shipped(what)
    volume = np.asarray(image if image.ndim == 3 else image[None], np.float32)
    if not np.isfinite(volume).any():
        raise BadArgumentError("an image with some numbers", "none", "Check the file.")
    middle = {WHATS[what]: volume[_fullest(volume)]}
    if diameter_px is not None and not diameter_px > 2:
        raise BadArgumentError(
            "a diameter of more than 2 pixels", f"{diameter_px!r}", "Measure a body in the image."
        )
    size = likely_diameter(middle, used) if diameter_px is None else diameter_px
    if volume.shape[0] == 1:
        return as_footprints(*segmented(middle, size, network=used, cut=cut))
    return as_footprints(*_in_space(volume, size, anisotropy, used, cut))


def _fullest(volume: Image) -> int:
    """Plane with most contrast, by which the size of bodies is judged."""
    spread = [np.nanstd(p) if np.isfinite(p).any() else -1.0 for p in volume]
    return int(np.argmax(spread))


def _in_space(
    volume: Image, diameter_px: float, anisotropy: float, network: Network, cut: Cut | None
) -> tuple[Found, Image]:
    """Instances of a volume, and the probability of a body at each voxel."""
    scale = np.array([anisotropy, 1.0, 1.0]) * DIAMETER / diameter_px
    known = np.isfinite(volume)
    even = np.sqrt(np.maximum(volume - np.nanpercentile(volume, 0.5), 0))
    even = np.where(known, even, 0).astype(np.float32)
    small = _scaled(even, np.maximum(np.round(np.array(volume.shape) * scale), 1).astype(int))
    axes = (0, 1, 2) if small.shape[0] >= DEEP else (0,)
    total = np.zeros((2, *small.shape), np.float32)
    n_inputs = len(network.header["images"])
    place = list(network.header["images"]).index(
        next(n for n in network.header["images"] if n in WHATS.values())
    )
    for axis in axes:
        for index, plane in enumerate(np.moveaxis(small, axis, 0)):
            x = np.zeros((n_inputs, *plane.shape), np.float32)
            x[place] = relative(np.ascontiguousarray(plane))
            for out, said in zip(total, maps(network, x), strict=True):
                np.moveaxis(out, axis, 0)[index] += said
    foreground, depth = total / len(axes)
    # a mean of three readings has flatter valleys: on crowded simulated volumes any dip parts best
    rule = cut or replace(cut_of(network), valley=0.0)
    found = instances(foreground, depth, diameter_px=DIAMETER, cut=rule)
    taken = np.ix_(
        *(
            np.clip(((np.arange(n) + 0.5) * m / n).astype(int), 0, m - 1)
            for n, m in zip(volume.shape, small.shape, strict=True)
        )
    )
    labels = np.where(known, found.labels[taken], 0)
    return _without_lost(Found(labels, found.score)), foreground[taken]


def _scaled(volume: Image, shape: npt.NDArray[np.int64]) -> Image:
    """Volume on another scale, smoothed first along axes that shrink."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    shrink = np.array(volume.shape) / shape
    smooth = gaussian_filter(volume, 0.35 * np.maximum(shrink - 1, 0))
    axes = [
        (np.arange(n) + 0.5) * old / n - 0.5
        for n, old in zip(shape.tolist(), volume.shape, strict=True)
    ]
    grid = np.meshgrid(*axes, indexing="ij")
    return np.asarray(map_coordinates(smooth, grid, order=1, mode="nearest"), np.float32)


def _without_lost(found: Found) -> Found:
    """Instances that still have a voxel, numbered anew."""
    size = np.bincount(found.labels.ravel(), minlength=found.score.size + 1)[1:]
    number = np.concatenate([[0], np.where(size > 0, np.cumsum(size > 0), 0)]).astype(np.int32)
    return Found(number[found.labels], found.score[size > 0])


@dataclass(frozen=True)
class StillMethod:
    """`cells/still`: nuclei or somata of a still image, or of the mean of a movie's frames."""

    name: str = "cells/still"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {
            package: "pip install 'nissl[imaging]'"
            for package, module in (("onnxruntime", "onnxruntime"), ("scikit-image", "skimage"))
            if find_spec(module) is None
        }

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy", "scikit-image", "onnxruntime")}

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values.

        `what`: "nuclei" or "somata". `diameter_px`: of one, in the plane; null looks for it.
        `anisotropy`: distance of planes over that of pixels; null takes the file's, or 1.
        """
        return {"what": "nuclei", "diameter_px": None, "anisotropy": None}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Find bodies in the mean of all frames.

        Raises
        ------
        BadArgumentError
            An option outside its values, or an image without numbers.
        BadSamplesError
            A movie without a frame.
        """
        began, movie, what = time.perf_counter(), inputs.movie, str(parameters["what"])
        with measure_peak() as peak:
            image = mean_frame(movie)
            cells = found_in(
                image,
                what=what,
                diameter_px=parameters["diameter_px"],
                anisotropy=parameters["anisotropy"] or _anisotropy(movie),
            )
        made_by = Provenance(
            task="cells",
            source=inputs.recording.fingerprint,
            stream=inputs.stream,
            author=Author("model", self.name, self.version, shipped(what).digest),
            parameters=dict(parameters),
            seed=context.seed,
            packages=dict(self.packages()),
        )
        labels, images = cells.to_labels(made_by), {"mean": image}
        items = item_table(labels, cells, None, images, movie, scores={"shape_score": cells.score})
        log = {
            "n_cells": len(cells),
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
            "trained_on": str(shipped(what).header["trained_on"]),
        }
        return Result(labels=(labels,), items=(items,), images=images, log=log)


def mean_frame(movie: Movie) -> Image:
    """Mean over all frames, (z, y, x), NaN where no frame has a number; read in blocks."""
    if movie.n_frames == 0:
        raise BadSamplesError("an image with a frame", "none", "Check the file; it may be cut off.")
    total, count = np.zeros((2, *movie.shape))
    at_once = max(1, BLOCK_BYTES // (8 * movie.n_pixels))
    for start, stop in movie.blocks(at_once):
        frames = movie.read(start, stop).astype(np.float64)
        known = np.isfinite(frames)
        total += np.where(known, frames, 0).sum(0)
        count += known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (total / count).astype(np.float32)


def _anisotropy(movie: Movie) -> float:
    spacing = movie.spacing_um
    return 1.0 if spacing is None or movie.n_planes == 1 else spacing[0] / spacing[2]


STILL = StillMethod()

__all__ = ["STILL", "WHATS", "StillMethod", "found_in", "mean_frame"]
