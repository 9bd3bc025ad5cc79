"""What lights up, judged by a network that sees the short windows in which it does.

Each source that the search for activity found is looked at in its own strongest windows of about
a second: how the field about it differed then from the quiet moments before and after, and what
changed together with it over all of them. Beside the pictures of the whole movie these make what
a small U-Net reads; it outlines the one cell that fired, or nothing where none did. The weights
that the package brings were trained on simulated movies alone:
``python -m nissl.annotators.cells.train_windows OUT``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.activity import Active
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.instances import Cut, instances
from nissl.annotators.cells.joining import lit
from nissl.annotators.cells.network import (
    IMAGES,
    MOST,
    Image,
    cut_of,
    prepared,
    shipped,
)
from nissl.nets.inference import Network

WINDOWS = 3
"""Windows of a source that are looked at, the strongest."""
PICTURES = (*(f"window {k + 1}" for k in range(WINDOWS)), "lit", "most", "with")
"""What is made of the windows: each of them, their mean, their largest, and the correlation."""
NAMES = (*PICTURES, *IMAGES)
"""What the network reads, in this order."""
SIDE = 48
"""Pixels of what it sees, on its own scale: about five cells."""
REACH = 1
"""Blocks of a window before and after its peak."""
APART = 4
"""Blocks between the peaks of two windows, at least."""
QUIET = 8
"""Blocks at rest that a window is set against."""
LEAST = 2.0
"""Noise deviations of a trace at the peak of a window, at least."""
TOLD = 0.25
"""Part of the weights of a source that lie in a cell, at least, for it to be that cell."""
BATCH = 32

Box = tuple[int, int, int, int]


def windows_of(
    trace: npt.NDArray[np.float32],
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Strongest windows of a trace, and the quiet blocks nearest to each.

    Parameters
    ----------
    trace : ndarray, shape (n_blocks,), float32
        In units of its noise.
    """
    n, left = trace.size, trace.astype(np.float32).copy()
    quiet = np.flatnonzero(trace <= min(1.0, float(np.median(trace)) + 0.5))
    out = []
    for _ in range(WINDOWS):
        peak = int(np.argmax(left)) if n else 0
        if not n or left[peak] < LEAST:
            break
        inside = np.arange(max(peak - REACH, 0), min(peak + REACH + 1, n))
        far = np.abs(quiet - peak)
        rest = quiet[np.argsort(far, kind="stable")]
        rest = np.sort(rest[~np.isin(rest, inside)][:QUIET])
        if not rest.size:
            break
        out.append((inside, rest))
        left[max(peak - APART + 1, 0) : peak + APART] = -np.inf
    return out


def window_pictures(
    blocks: npt.NDArray[np.float32], trace: npt.NDArray[np.float32]
) -> dict[str, Image]:
    """Pictures of the windows of one source, each (y, x), in units of the movie; see `PICTURES`.

    Parameters
    ----------
    blocks : ndarray, shape (n_blocks, y, x), float32
        About the source; may be a memory map, of which only the windows are read.
    trace : ndarray, shape (n_blocks,), float32
    """
    found = windows_of(trace)
    none = np.zeros(blocks.shape[1:], np.float32)
    out = dict.fromkeys(PICTURES, none)
    if not found:
        return out
    lit, together, own, size, product = [], none.copy(), 0.0, none.copy(), none.copy()
    for inside, rest in found:
        values = np.array(blocks[np.concatenate([inside, rest])], np.float32)
        level = values[len(inside) :].mean(axis=0)
        values -= level
        lit.append(values[: len(inside)].mean(axis=0))
        course = trace[np.concatenate([inside, rest])]
        course = course - course[len(inside) :].mean()
        product += np.tensordot(course, values, 1)
        size += np.einsum("tyx,tyx->yx", values, values)
        own += float(course @ course)
    together = product / np.maximum(np.sqrt(size * own), 1e-9)
    for k, picture in enumerate(lit):
        out[f"window {k + 1}"] = picture
    return out | {"lit": np.mean(lit, axis=0), "most": np.max(lit, axis=0), "with": together}


@dataclass(frozen=True)
class Place:
    """Where on the network's scale a patch lies, and the pixels of the movie around it.

    Parameters
    ----------
    plane, top, left : int
        Plane, and first row and column of the patch on the network's scale.
    box : tuple of int
        Half-open rows and columns of the movie, (y0, y1, x0, x1), that hold the patch.
    """

    plane: int
    top: int
    left: int
    box: Box


def placed(
    pixels: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    shape: tuple[int, int, int],
    fine: tuple[int, int],
) -> Place:
    """Patch about a source.

    Parameters
    ----------
    pixels, weights : ndarray
        Of its footprint.
    shape : tuple of int
        Of the movie, (z, y, x).
    fine : tuple of int
        Of a plane on the network's scale.
    """
    z, y, x = np.unravel_index(pixels, shape)
    corner, sides = [], []
    for at, n, own in ((y, shape[1], fine[0]), (x, shape[2], fine[1])):
        middle = (float(np.average(at, weights=weights)) + 0.5) * own / n
        first = round(middle - SIDE / 2)
        corner.append(first)
        ends = np.array([first - 1, first + SIDE + 1]) * n / own
        sides += [int(np.clip(np.floor(ends[0]), 0, n)), int(np.clip(np.ceil(ends[1]), 0, n))]
    return Place(int(z[0]), corner[0], corner[1], (sides[0], sides[1], sides[2], sides[3]))


def patch(
    place: Place, pictures: Mapping[str, Image], whole: Image, shape: tuple[int, int, int]
) -> Image:
    """What the network reads of one source, (n_names, SIDE, SIDE); zeros beyond the field.

    Parameters
    ----------
    place : Place
    pictures : mapping of str to ndarray, shape (y1 - y0, x1 - x0)
        Of its windows.
    whole : ndarray, shape (n_images, h, w), float32
        Pictures of the whole movie on the network's scale, `prepared`.
    shape : tuple of int
        Of the movie.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    fine = whole.shape[1:]
    out = np.zeros((len(NAMES), SIDE, SIDE), np.float32)
    rows, columns = np.arange(place.top, place.top + SIDE), np.arange(place.left, place.left + SIDE)
    held = [np.flatnonzero((at >= 0) & (at < n)) for at, n in ((rows, fine[0]), (columns, fine[1]))]
    if not (held[0].size and held[1].size):
        return out
    there = (slice(held[0][0], held[0][-1] + 1), slice(held[1][0], held[1][-1] + 1))
    rows, columns = rows[held[0]], columns[held[1]]
    out[(slice(len(PICTURES), None), *there)] = whole[
        :, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1
    ]
    y = (rows + 0.5) * shape[1] / fine[0] - 0.5 - place.box[0]
    x = (columns + 0.5) * shape[2] / fine[1] - 0.5 - place.box[2]
    grid = np.meshgrid(y, x, indexing="ij")
    shrink = fine[0] / shape[1]
    for k, name in enumerate(PICTURES):
        image = pictures[name]
        if not image.any():
            continue
        seen = np.where(np.isfinite(image), image, 0)
        if shrink < 1:
            seen = gaussian_filter(seen, 0.4 * (1 / shrink - 0.5 * shrink))
        near = map_coordinates(seen, grid, order=1, mode="nearest")
        out[(k, *there)] = MOST * near if name == "with" else _evened(near)
    return out


def _evened(image: Image) -> Image:
    """Picture of a change: 0 where nothing changes, in units of noise, or of the change itself."""
    away = image - np.median(image)
    noise = 1.4826 * float(np.median(np.abs(away)))
    unit = max(noise, float(np.quantile(away, 0.98)) / MOST, 1e-9)
    return np.asarray(np.clip(away / unit, -MOST, MOST), np.float32)


@dataclass(frozen=True, eq=False)
class Judged:
    """Sources as the network outlines them.

    Parameters
    ----------
    cells : Footprints
        In the order of the sources; those in which the network sees no cell keep their pixels.
    score : ndarray, shape (n_cells,), float32
        Of the cell that fired, 0 to 1; 0 where the network sees none.
    """

    cells: Footprints
    score: npt.NDArray[np.float32]


def patches_of(
    active: Active, images: Mapping[str, npt.NDArray[np.float32]], diameter_px: float
) -> tuple[list[Place], Image, list[tuple[int, int]]]:
    """Places of all sources, and what the network reads of each, (n, n_names, SIDE, SIDE).

    Parameters
    ----------
    active : Active
    images : mapping of str to ndarray, shape (z, y, x)
        Of the whole movie.
    diameter_px : float
    """
    shape = active.cells.shape
    whole = {
        z: prepared({name: image[z] for name, image in images.items()}, diameter_px, IMAGES)
        for z in range(shape[0])
    }
    places, seen, fine = [], [], []
    for pixels, weights, trace in zip(
        active.cells.pixels, active.cells.weights, active.traces, strict=True
    ):
        plane = int(pixels[0] // (shape[1] * shape[2]))
        size = (whole[plane].shape[1], whole[plane].shape[2])
        place = placed(pixels, weights, shape, size)
        y0, y1, x0, x1 = place.box
        pictures = window_pictures(active.blocks[:, plane, y0:y1, x0:x1], trace)
        places.append(place)
        seen.append(patch(place, pictures, whole[plane], shape))
        fine.append(size)
    none = np.zeros((0, len(NAMES), SIDE, SIDE), np.float32)
    return places, np.stack(seen) if seen else none, fine


def judged(
    active: Active,
    images: Mapping[str, npt.NDArray[np.float32]],
    diameter_px: float,
    *,
    network: Network | None = None,
) -> Judged:
    """Outline the cell that fired in each source, and say how much it looks like one.

    Parameters
    ----------
    active : Active
    images : mapping of str to ndarray, shape (z, y, x)
        Of the whole movie; see `nissl.annotators.cells.network.IMAGES`.
    diameter_px : float
        Of a soma.
    network : Network, optional
        The shipped one by default.
    """
    used = network or shipped("windows")
    places, seen, fine = patches_of(active, images, diameter_px)
    rule, shape = cut_of(used), active.cells.shape
    pixels, weights = list(active.cells.pixels), list(active.cells.weights)
    score = np.zeros(len(places), np.float32)
    for start in range(0, len(places), BATCH):
        said = 1 / (1 + np.exp(-np.clip(used(seen[start : start + BATCH]), -30, 30)))
        for k, maps in enumerate(said, start):
            own = active.cells.pixels[k], active.cells.weights[k]
            found = outlined(maps, places[k], own, shape, fine[k], diameter_px, rule)
            if found is not None:
                pixels[k], weights[k], score[k] = found
    cells = Footprints.build(
        shape, pixels, weights, score=active.cells.score, origin=active.cells.origin
    )
    return Judged(cells, score)


def outlined(
    maps: Image,
    place: Place,
    own: tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]],
    shape: tuple[int, int, int],
    fine: tuple[int, int],
    diameter_px: float,
    rule: Cut,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], float] | None:
    """Pixels, weights and score of the cell that a source is, by the network's maps of its patch.

    Parameters
    ----------
    maps : ndarray, shape (2, SIDE, SIDE), float32
        Probability and depth.
    place : Place
    own : tuple of ndarray
        Pixels and weights of the source.
    shape, fine : tuple of int
        Of the movie, and of its plane on the network's scale.
    diameter_px : float
    rule : Cut
    """
    from scipy.ndimage import map_coordinates

    y0, y1, x0, x1 = place.box
    y = (np.arange(y0, y1) + 0.5) * fine[0] / shape[1] - 0.5 - place.top
    x = (np.arange(x0, x1) + 0.5) * fine[1] / shape[2] - 0.5 - place.left
    grid = np.meshgrid(y, x, indexing="ij")
    foreground, depth = (
        np.asarray(map_coordinates(each, grid, order=1, mode="constant"), np.float32)
        for each in maps
    )
    found = instances(foreground, depth, diameter_px=diameter_px, cut=rule)
    if not found.score.size:
        return None
    _, rows, columns = np.unravel_index(own[0], shape)
    inside = (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)
    under = found.labels[rows[inside] - y0, columns[inside] - x0]
    held = np.bincount(under, own[1][inside], len(found.score) + 1)
    held[0] = 0
    best = int(np.argmax(held))
    if held[best] < TOLD * float(own[1].sum()):
        return None
    at = np.nonzero(found.labels == best)
    flat = ((place.plane * shape[1] + at[0] + y0) * shape[2] + at[1] + x0).astype(np.int64)
    return flat, lit(flat, *own), float(found.score[best - 1])


__all__ = [
    "NAMES",
    "PICTURES",
    "SIDE",
    "Judged",
    "judged",
    "patches_of",
    "window_pictures",
    "windows_of",
]
