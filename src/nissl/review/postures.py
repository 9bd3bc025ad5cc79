"""How alike two frames of a POINTS set are: by how the points lie to each other.

Needs no pictures: points of a frame, taken from its middle, are one long vector; its principal
components over all frames are the posture. Points that are missing, or that the method doubts, are
filled in by what the others say (principal components with missing values, by expectation and
maximisation: Roweis 1998, NeurIPS 10), so that a wrong point makes no posture of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_DIMS = 10
ROUNDS = (1, 2, 3, 4, 6, N_DIMS)
"""Components by which points are filled in, round by round: with many at once, what was filled in
first would make a component of its own and stay."""
DOUBTED = 0.5
"""Confidence below which a point does not speak."""
LEAST = 4
"""Points that a frame must have to have a posture."""


def postures(
    places: npt.NDArray[np.floating], confidence: npt.NDArray[np.floating], *, n_dims: int = N_DIMS
) -> Floats:
    """Posture of every frame.

    Parameters
    ----------
    places : ndarray, shape (n_frames, n_items, d)
        In one unit along all axes (um); NaN where an item has no point.
    confidence : ndarray, shape (n_frames, n_items)
        NaN counts as sure.
    n_dims : int

    Returns
    -------
    ndarray, shape (n_frames, k <= n_dims)
        A distance is the root mean square by which points moved, in that unit. NaN for frames of
        fewer than `LEAST` points.
    """
    n, m, d = places.shape
    known = np.isfinite(places).all(axis=2)
    known &= ~(confidence < DOUBTED)
    enough = known.sum(axis=1) >= LEAST
    out = np.full((n, min(n_dims, m * d)), np.nan)
    if enough.sum() < 2:
        out[enough] = 0.0
        return out
    x = np.where(known[..., None], places, np.nan)[enough].astype(np.float64)
    x -= np.nanmedian(x, axis=1, keepdims=True)
    there = np.isfinite(x)
    share = np.maximum(there.sum(axis=1, keepdims=True), 1)
    x, there = x.reshape(len(x), m * d), there.reshape(len(x), m * d)
    mean = np.where(there, x, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    filled = np.where(there, x, mean)
    for k in ROUNDS:
        mean = filled.mean(axis=0)
        axes = _axes(filled - mean, min(k, out.shape[1]))
        said = mean + (filled - mean) @ axes.T @ axes
        # the middle of the points that are there is not that of all
        off = np.where(there, x - said, 0).reshape(-1, m, d).sum(axis=1, keepdims=True) / share
        x = (x.reshape(-1, m, d) - off).reshape(len(x), m * d)
        filled = np.where(there, x, said)
    axes = _axes(filled - mean, out.shape[1])
    out[enough] = (filled - mean) @ axes.T / np.sqrt(m)
    return out


def _axes(centred: Floats, n_dims: int) -> Floats:
    """Directions of most variance, (k, d), signs fixed."""
    _, vectors = np.linalg.eigh(centred.T @ centred)
    kept = vectors[:, ::-1][:, :n_dims].T
    largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1)[:, None], axis=1)
    return np.asarray(kept * np.where(largest < 0, -1, 1))


__all__ = ["postures"]
