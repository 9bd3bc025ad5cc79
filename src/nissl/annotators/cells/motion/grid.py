"""Where a frame is looked at: the smaller image, its blocks, and the nodes between them.

Motion is measured on an image of means over `factor` x `factor` pixels, cropped to sizes that the
Fourier transform likes. Displacements are in pixels of the movie wherever they leave a function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.motion.settings import MotionSettings

Values = npt.NDArray[np.float64]
LEAST_SIDE = 128
"""Pixels that the smaller image keeps of the shorter side."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Geometry of the smaller image.

    Parameters
    ----------
    factor : int
    corner : tuple of int
        First row and column of the movie that is used.
    size : tuple of int
        Rows and columns of the smaller image.
    reach : tuple of int
        Largest displacement that is looked for, pixels of the smaller image.
    origins : ndarray, shape (n_blocks, 2), int64
        First row and column of each block in the smaller image; none where frames are rigid.
    block : tuple of int
        Rows and columns of a block.
    nodes : tuple of int
        Rows and columns of nodes, which are spread evenly over the frame, edges included.
    at_blocks : ndarray, shape (n_blocks, n_nodes), float64
        Displacement at the middle of a block from those of the nodes.
    prior : ndarray, shape (n_nodes, n_nodes), float64, 1 / px^2
        Precision of the nodes' displacements before anything is seen: they bend little.
    """

    factor: int
    corner: tuple[int, int]
    size: tuple[int, int]
    reach: tuple[int, int]
    origins: npt.NDArray[np.int64]
    block: tuple[int, int]
    nodes: tuple[int, int]
    at_blocks: Values
    prior: Values


def grid(height: int, width: int, settings: MotionSettings) -> Grid:
    """Geometry for frames of a size."""
    factor = max(min(height, width) // LEAST_SIDE, 1)
    factor = min(factor, 2 if min(height, width) < 1024 else 4)
    size = (_fast(height // factor), _fast(width // factor))
    corner = ((height - size[0] * factor) // 2, (width - size[1] * factor) // 2)
    shorter = min(height, width)
    most = max(round(settings.reach * shorter / factor), 2)
    reach = tuple(min(most, max(n // 2 - 1, 0)) for n in size)
    origins, block, nodes = _blocks(height, width, factor, size, settings)
    at_blocks, prior = np.zeros((len(origins), nodes[0] * nodes[1])), np.zeros((0, 0))
    if len(origins):
        middle = (origins + np.asarray(block) / 2) * factor + np.asarray(corner) - 0.5
        at_blocks = _between(middle, (height, width), nodes)
    made = Grid(factor, corner, size, (reach[0], reach[1]), origins, block, nodes, at_blocks, prior)
    return stiffened(made, settings.stiffness_px or 0.5)


def stiffened(grid: Grid, stiffness_px: float) -> Grid:
    """Return the grid with nodes that are held together more, or less."""
    if not len(grid.origins):
        return grid
    return replace(grid, prior=_bending(grid.nodes, stiffness_px))


def _blocks(
    height: int, width: int, factor: int, size: tuple[int, int], settings: MotionSettings
) -> tuple[npt.NDArray[np.int64], tuple[int, int], tuple[int, int]]:
    """Corners and size of the blocks, and how many nodes there are along y and x."""
    side = settings.block_px // factor
    block = (_fast(min(side, size[0])), _fast(min(side, size[1])))
    counts = (
        [max(round(2 * n / b) - 1, 1) for n, b in zip(size, block, strict=True)] if side else []
    )
    if not counts or max(counts) == 1:
        return np.zeros((0, 2), np.int64), (0, 0), (1, 1)
    starts = [
        np.round(np.linspace(0, n - b, k)).astype(np.int64)
        for n, b, k in zip(size, block, counts, strict=True)
    ]
    rows, columns = np.meshgrid(*starts, indexing="ij")
    nodes = [
        round(n / settings.block_px) + 1 if k > 1 else 1
        for n, k in zip((height, width), counts, strict=True)
    ]
    return np.stack([rows.ravel(), columns.ravel()], axis=1), block, (nodes[0], nodes[1])


def _fast(n: int) -> int:
    """Largest even number up to `n` without prime factors above 5; `n` itself below 4."""
    for size in range(n - n % 2, 3, -2):
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
    return n


def _between(points: Values, extent: tuple[int, int], nodes: tuple[int, int]) -> Values:
    """Bilinear weights of the nodes at points, (n_points, n_nodes)."""
    weights = []
    for axis in range(2):
        n = nodes[axis]
        at = np.clip(points[:, axis] / max(extent[axis] - 1, 1) * (n - 1), 0, n - 1)
        weights.append(np.maximum(1 - np.abs(at[:, None] - np.arange(n)), 0))
    return np.asarray(np.einsum("pi,pj->pij", *weights).reshape(len(points), -1))


def _bending(nodes: tuple[int, int], stiffness_px: float) -> Values:
    """Precision that holds neighbours together, their slopes more, and all near the whole frame."""
    n = nodes[0] * nodes[1]
    index = np.arange(n).reshape(nodes)
    precision = np.eye(n) / (4 * stiffness_px) ** 2
    for axis in range(2):
        lines = np.moveaxis(index, axis, 0)
        for order in (1, 2):
            if nodes[axis] <= order:
                continue
            for k in range(nodes[axis] - order):
                for members in lines[k : k + order + 1].reshape(order + 1, -1).T:
                    row = np.zeros(n)
                    row[members] = (-1.0, 1.0) if order == 1 else (1.0, -2.0, 1.0)
                    scale = 2 * stiffness_px if order == 1 else stiffness_px / 2
                    precision += np.outer(row, row) / scale**2
    return precision


__all__ = ["Grid", "grid", "stiffened"]
