"""Runs: stretches of consecutive samples for which something holds, across chunks.

Everything here is exact integer arithmetic, so that the cut into chunks does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def intervals(mask: Bools) -> Ints:
    """Half-open intervals of True.

    Parameters
    ----------
    mask : ndarray, shape (n,), bool

    Returns
    -------
    ndarray, shape (n_intervals, 2), int64
    """
    padded = np.zeros(mask.size + 2, dtype=bool)
    padded[1:-1] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges.reshape(-1, 2).astype(np.int64)


def join(pieces: Iterable[Ints], *, breaks: Ints, at_least: int) -> Ints:
    """Join the intervals of consecutive chunks where they touch.

    Parameters
    ----------
    pieces : iterable of ndarray, shape (n, 2), int64
        Intervals of each chunk, in order, in samples of the signal.
    breaks : ndarray of int64
        Samples across which nothing is joined (the starts of segments).
    at_least : int
        Shorter intervals are dropped, after joining.

    Returns
    -------
    ndarray, shape (n_intervals, 2), int64
    """
    parts = list(pieces)
    found = np.concatenate(parts) if parts else np.zeros((0, 2), np.int64)
    if found.size:
        apart = np.ones(len(found), dtype=bool)
        apart[1:] = (found[1:, 0] != found[:-1, 1]) | np.isin(found[1:, 0], breaks)
        first = np.flatnonzero(apart)
        last = np.append(first[1:], len(found)) - 1
        found = np.stack([found[first, 0], found[last, 1]], axis=1)
    return np.asarray(found[found[:, 1] - found[:, 0] >= at_least], dtype=np.int64)


def longest(mask: Bools) -> tuple[Ints, Ints, Ints]:
    """Longest run of True of each row, and the runs that touch its two ends.

    Parameters
    ----------
    mask : ndarray, shape (n_rows, n), bool

    Returns
    -------
    best, first, last : ndarrays, shape (n_rows,), int64
        Lengths; `first` is the run that begins at the row's start, `last` the one that ends at
        its end (0 where there is none).
    """
    n_rows, n = mask.shape
    padded = np.zeros((n_rows, n + 1), dtype=bool)  # a False after each row parts it from the next
    padded[:, :n] = mask
    flat = np.concatenate([[False], padded.ravel()])
    edges = np.flatnonzero(flat[1:] != flat[:-1]).reshape(-1, 2)
    begin, length = edges[:, 0], edges[:, 1] - edges[:, 0]
    best, first, last = (np.zeros(n_rows, np.int64) for _ in range(3))
    if length.size:
        row = begin // (n + 1)
        group = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
        best[row[group]] = np.maximum.reduceat(length, group)
        head = begin == row * (n + 1)
        first[row[head]] = length[head]
        tail = edges[:, 1] == row * (n + 1) + n
        last[row[tail]] = length[tail]
    return best, first, last
