"""Orders of rows that chance might give: what maps among fragments are held against."""

from __future__ import annotations

import numpy as np

from nissl.align.fragments import Ints


def reordered(block: Ints, path: Ints | None, rng: np.random.Generator) -> Ints:
    """Rows in another order, shape (n_rows,); blocks stay whole, neighbours on a path neighbours.

    Parameters
    ----------
    block : ndarray of int, shape (n_rows,)
        Condition of each row: whole conditions come in any order.
    path : ndarray of int, shape (n_rows,), optional
        Track that each row lies on, in its order. Given, each track is shifted around and perhaps
        turned instead.
    rng : numpy.random.Generator
    """
    order = np.empty(len(block), np.int64)
    if path is not None:
        for name in np.unique(path):
            rows = np.flatnonzero(path == name)
            moved = np.roll(rows, int(rng.integers(len(rows))))
            order[rows] = moved[::-1] if rng.random() < 0.5 else moved
        return order
    names = np.unique(block)
    rows_of = [np.flatnonzero(block == k) for k in names]
    for here, k in zip(rows_of, rng.permutation(len(names)), strict=True):
        # Blocks may differ in length where some rows were never visited.
        order[here] = np.resize(rows_of[k], len(here))
    return order
