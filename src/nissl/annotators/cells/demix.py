"""Taking apart cells that share pixels: one least-squares fit per group of overlapping cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints

SINGULAR = 1e-3
"""Smallest eigenvalue of a group's correlations below which its cells cannot be told apart."""


@dataclass(frozen=True, eq=False)
class Demixing:
    """Brightness of each cell as a weighted sum of pixels.

    Parameters
    ----------
    operator : scipy.sparse.csr_array, shape (n_cells, n_pixels), float32
        A cell that shares no pixel gets the mean of its pixels, weighted as in a least-squares
        fit of its footprint. Cells that share pixels are fitted together.
    gain : ndarray, shape (n_cells,), float32
        What the operator makes of a field of ones; below 1 where others explain part of it.
    told_apart : ndarray, shape (n_cells,), bool
        False for cells that coincide with others, which are averaged as if alone.
    """

    operator: Any
    gain: npt.NDArray[np.float32]
    told_apart: npt.NDArray[np.bool_]


def demixing(footprints: Footprints) -> Demixing:
    """Least-squares operator of all cells of a field; see `Demixing`.

    The model is ``pixel = sum over cells of weight * brightness``. Footprints are scaled so that
    a field of ones reads 1 in a cell that is alone, whatever the scale of its weights.
    """
    from scipy.sparse import block_diag, csr_array
    from scipy.sparse.csgraph import connected_components

    weights = footprints.matrix().astype(np.float64)
    n_cells = weights.shape[0]
    if n_cells == 0:
        empty = csr_array(weights.shape, dtype=np.float32)
        return Demixing(empty, np.zeros(0, np.float32), np.zeros(0, bool))
    squares = weights.multiply(weights).sum(axis=1)
    scale = weights.sum(axis=1) / squares
    scaled = csr_array(weights.multiply(scale[:, None]))
    gram = csr_array(scaled @ scaled.T)
    n_groups, group = connected_components(gram, directed=False)
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group, minlength=n_groups))[:-1])
    told_apart = np.ones(n_cells, bool)
    inverses = []
    for cells in members:
        block = gram[cells][:, cells].toarray()
        length = np.sqrt(np.diag(block))
        if np.linalg.eigvalsh(block / np.outer(length, length))[0] < SINGULAR:
            told_apart[cells] = False
            block = np.diag(np.diag(block))
        inverses.append(np.linalg.inv(block))
    back = np.argsort(order)
    inverse = csr_array(block_diag(inverses, format="csr"))[back][:, back]
    operator = csr_array((inverse @ scaled).astype(np.float32))
    operator.sum_duplicates()
    operator.sort_indices()
    gain = np.asarray(operator.sum(axis=1), np.float32).ravel()
    return Demixing(operator, gain, told_apart)
