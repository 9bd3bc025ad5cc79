"""Background of one-photon movies: each place predicted from a ring around it.

In a one-photon movie light from far above and below lies over every cell, brighter than the
cell, and changes from place to place and from frame to frame. But it is smooth: what it does at
one place follows from what it does on a ring that is wider than a cell (CNMF-E; Zhou et al.,
eLife 7:e28728, 2018). The weights of the ring are fitted, pixel by pixel of a smaller image, to
the fluctuations of the movie without its transients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.binned import binned
from nissl.annotators.cells.footprints import Footprints
from nissl.data import Movie
from nissl.run.context import Context

RING_RADII = 1.0
"""Radius of the ring, in diameters of a cell."""
COARSE_PER_DIAMETER = 5.0
MOST_POINTS = 24
MOST_BLOCKS = 300
RIDGE = 1e-4
CLIPPED_ABOVE = 2.0
ROUNDS = 2


def background_operator(
    movie: Movie, footprints: Footprints, context: Context, diameter_px: float
) -> Any:
    """Operator that predicts the background at each cell from the pixels around it.

    Parameters
    ----------
    movie : Movie
    footprints : Footprints
    context : Context
    diameter_px : float
        Of a cell.

    Returns
    -------
    scipy.sparse.csr_array, shape (n_cells, n_pixels), float32
        What it makes of a frame is the background's fluctuation at each cell, up to a constant.
    """
    from scipy.sparse import block_diag, csr_array

    factor = coarse_factor(diameter_px)
    frames = max(round(0.2 * movie.rate_hz), -(-movie.n_frames // MOST_BLOCKS), 1)
    small = binned(movie, context, frames, factor=factor)
    small = np.nan_to_num(small, nan=0.0)
    taken = np.zeros(movie.shape, np.float32)
    for pixels in footprints.pixels:
        taken.reshape(-1)[pixels] = 1.0
    down = coarse_means(movie.shape[1:], factor)
    busy = np.stack([(down @ plane.ravel()).reshape(small.shape[2:]) > 0.25 for plane in taken])
    rings = [
        ring_weights(small[:, z], RING_RADII * diameter_px / factor, busy[z])
        for z in range(movie.n_planes)
    ]
    predict = csr_array(block_diag([ring @ down for ring in rings], format="csr"))
    weights = footprints.matrix()
    if not len(footprints):
        return csr_array(weights.shape, dtype=np.float32)
    squares = weights.multiply(weights).sum(axis=1)
    fitted = csr_array(weights.multiply((weights.sum(axis=1) / squares)[:, None]))
    share = csr_array(fitted.multiply((1.0 / fitted.sum(axis=1))[:, None]))
    up = csr_array(block_diag([coarse_places(movie.shape[1:], factor)] * movie.n_planes, "csr"))
    return csr_array((share @ up) @ predict, dtype=np.float32)


def coarse_factor(diameter_px: float) -> int:
    """By how much the image is made smaller: a cell is still about five pixels wide."""
    return max(int(diameter_px / COARSE_PER_DIAMETER), 1)


def coarse_means(size: tuple[int, int], factor: int) -> Any:
    """Operator from pixels to means of blocks, (n_coarse, n_pixels) CSR float32."""
    from scipy.sparse import csr_array

    places = coarse_places(size, factor).T.tocsr()
    counts = np.diff(places.indptr)
    values = np.repeat(1.0 / counts, counts).astype(np.float32)
    return csr_array((values, places.indices, places.indptr), shape=places.shape)


def coarse_places(size: tuple[int, int], factor: int) -> Any:
    """For each pixel its block, as a matrix of ones, (n_pixels, n_coarse) CSR float32."""
    from scipy.sparse import csr_array

    height, width = size
    row, column = np.divmod(np.arange(height * width), width)
    across = -(-width // factor)
    block = row // factor * across + column // factor
    shape = (height * width, -(-height // factor) * across)
    return csr_array((np.ones(len(block), np.float32), block, np.arange(len(block) + 1)), shape)


def ring_weights(
    movie: npt.NDArray[Any], radius: float, busy: npt.NDArray[np.bool_] | None = None
) -> Any:
    """Weights that predict each pixel's fluctuation from those of a ring around it.

    Parameters
    ----------
    movie : ndarray, shape (n_blocks, y, x)
        The smaller movie.
    radius : float
        Of the ring, in its pixels.
    busy : ndarray, shape (y, x), bool, optional
        Pixels of cells, which rings avoid where enough others are left.

    Returns
    -------
    scipy.sparse.csr_array, shape (y * x, y * x), float32
    """
    from scipy.sparse import csr_array

    n, height, width = movie.shape
    values = movie.reshape(n, -1).astype(np.float64)
    values -= values.mean(axis=0)
    clean = values.copy()
    around = _rings(height, width, radius, busy)
    lengths = np.array([ring.size for ring in around])
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    columns = np.concatenate(around) if len(around) else np.zeros(0, np.int64)
    weights = np.zeros(columns.size, np.float32)
    for step in range(ROUNDS):
        for pixel, ring in enumerate(around):
            if ring.size == 0:
                continue
            x = clean[:, ring]
            gram = x.T @ x
            gram.flat[:: ring.size + 1] += RIDGE * np.trace(gram) / ring.size + 1e-9
            weights[indptr[pixel] : indptr[pixel + 1]] = np.linalg.solve(
                gram, x.T @ clean[:, pixel]
            )
        operator = csr_array((weights, columns, indptr), shape=(height * width,) * 2)
        if step + 1 < ROUNDS:  # transients rise above what their ring explains: cut them off
            fitted = (operator @ values.T).T
            rest = values - fitted
            scale = np.median(np.abs(rest), axis=0) / 0.6745
            clean = np.where(rest > CLIPPED_ABOVE * scale, fitted, values)
    return operator


def _rings(
    height: int, width: int, radius: float, busy: npt.NDArray[np.bool_] | None
) -> list[npt.NDArray[np.int64]]:
    """Pixels of the ring around each pixel, at most `MOST_POINTS`, evenly by angle."""
    reach = int(np.ceil(radius)) + 1
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    away = np.hypot(dy, dx)
    on_ring = (away >= radius) & (away < radius + 1)
    dy, dx = dy[on_ring], dx[on_ring]
    order = np.argsort(np.arctan2(dy, dx), kind="stable")
    dy, dx = dy[order], dx[order]
    rings = []
    for y in range(height):
        for x in range(width):
            at_y, at_x = y + dy, x + dx
            inside = (at_y >= 0) & (at_y < height) & (at_x >= 0) & (at_x < width)
            ring = at_y[inside] * width + at_x[inside]
            if busy is not None:
                free = ring[~busy.reshape(-1)[ring]]
                ring = free if free.size >= 8 else ring
            if ring.size > MOST_POINTS:
                ring = ring[np.linspace(0, ring.size - 1, MOST_POINTS).round().astype(int)]
            rings.append(ring.astype(np.int64))
    return rings
