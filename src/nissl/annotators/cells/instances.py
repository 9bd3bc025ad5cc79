"""Single cells from two maps: where there is cell, and how deep inside one each pixel lies.

The depth of a pixel is its distance to the edge of its own cell over the largest such distance:
1 in the middle, 0 at the edge, also where two cells touch. Watershed of the depth from its
highest points (Meyer 1994, Signal Processing 38, 113) parts them, where a valley deep enough
(Vincent 1993, IEEE Trans. Image Process. 2, 176) lies between; the same for images and volumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cut:
    """When something is a cell; chosen on simulated fields.

    Parameters
    ----------
    foreground : float
        Least probability of a pixel of a cell.
    seed : float
        Least depth of the middle of a cell.
    valley : float
        Least dip of the depth between the middles of two cells; long cells have shallower ones.
    smallest, largest : float
        Least and largest area (volume) over that of a disc (ball) of the expected diameter.
    score : float
        Least score of a cell: its mean probability times the root of the depth of its middle.
    """

    foreground: float = 0.4
    seed: float = 0.35
    valley: float = 0.05
    smallest: float = 0.15
    largest: float = 4.0
    score: float = 0.3


@dataclass(frozen=True, eq=False)
class Found:
    """Instances.

    Parameters
    ----------
    labels : ndarray, int32
        Image or volume; 0 is background, 1 to n the instances.
    score : ndarray, shape (n,), float32
    """

    labels: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]


def instances(foreground: Map, depth: Map, *, diameter_px: float, cut: Cut | None = None) -> Found:
    """Part the foreground into cells.

    Parameters
    ----------
    foreground : ndarray, shape (y, x) or (z, y, x), float32
        Probability that a pixel belongs to a cell.
    depth : ndarray, same shape, float32
        0 at the edges of cells, 1 in their middle.
    diameter_px : float
        Expected diameter of a cell.
    cut : Cut, optional
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    rule = cut or Cut()
    smooth = ndimage.gaussian_filter(depth, diameter_px / 12)
    inside = foreground >= rule.foreground
    seeds, n = ndimage.label(_middles(smooth, rule.valley) & (smooth >= rule.seed) & inside)
    if n == 0:
        return Found(np.zeros(depth.shape, np.int32), np.zeros(0, np.float32))
    labels = watershed(-smooth, seeds, mask=inside)
    size = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    total = np.bincount(labels.ravel(), foreground.ravel().astype(np.float64), n + 1)[1:]
    middle = np.asarray(ndimage.maximum(smooth, labels, np.arange(1, n + 1)))
    score = total / np.maximum(size, 1) * np.clip(middle, 0, 1) ** 0.5
    full = np.pi / 4 * diameter_px**2 if depth.ndim == 2 else np.pi / 6 * diameter_px**3
    kept = (size >= rule.smallest * full) & (size <= rule.largest * full)
    kept &= score >= rule.score
    return Found(_renumbered(labels, kept), score[kept].astype(np.float32))


def depths(labels: npt.NDArray[Any]) -> Map:
    """Depth of each pixel of an image or volume of labels; what a network learns.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x) or (z, y, x)
        0 is background.
    """
    from scipy import ndimage

    out = np.zeros(labels.shape, np.float32)
    for k, where in enumerate(ndimage.find_objects(labels), 1):
        if where is None:
            continue
        own = np.pad(labels[where] == k, 1)
        far = ndimage.distance_transform_edt(own)
        far = far[(slice(1, -1),) * labels.ndim]
        patch = out[where]
        patch[far > 0] = (far / far.max())[far > 0]
    return out


def _renumbered(
    labels: npt.NDArray[np.int32], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int32]:
    """Labels of those kept, 1 to n; a part that hangs on by nothing stays with its cell."""
    number = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)]).astype(np.int32)
    return np.asarray(number[labels], np.int32)


def _middles(depth: Map, valley: float) -> npt.NDArray[np.bool_]:
    """Highest places of a map that are parted from higher ones by a dip of at least `valley`."""
    from skimage.morphology import local_maxima, reconstruction

    filled = reconstruction(depth - np.float32(valley), depth, method="dilation")
    return np.asarray(local_maxima(filled.astype(np.float32)), bool)


__all__ = ["Cut", "Found", "depths", "instances"]
