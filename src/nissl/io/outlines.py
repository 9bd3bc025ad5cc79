"""Sets of pixels as polygons along the edges of pixels, and polygons as sets of pixels.

A pixel (y, x) is the square from (x, y) to (x + 1, y + 1); it lies in a polygon where its centre
does, by the even-odd rule. So a set of pixels comes back from its outline as it was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


def outlines(y: npt.NDArray[np.int64], x: npt.NDArray[np.int64]) -> list[Points]:
    """Closed polygons around a set of pixels: one per part and per hole.

    Parameters
    ----------
    y, x : ndarray, shape (n,), int64

    Returns
    -------
    list of ndarray, shape (n_corners, 2), float64
        Corners as x, y; the last is joined to the first.
    """
    inside = set(zip(y.tolist(), x.tolist(), strict=True))
    follows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, column in sorted(inside):
        for (dy, dx), start, stop in (
            ((-1, 0), (column, row), (column + 1, row)),
            ((0, 1), (column + 1, row), (column + 1, row + 1)),
            ((1, 0), (column + 1, row + 1), (column, row + 1)),
            ((0, -1), (column, row + 1), (column, row)),
        ):
            if (row + dy, column + dx) not in inside:
                follows.setdefault(start, []).append(stop)
    loops = []
    while follows:
        start = min(follows)
        loop, at = [start], _step(follows, start)
        while at != start:
            loop.append(at)
            at = _step(follows, at)
        loops.append(_corners(np.asarray(loop, np.float64)))
    return loops


def _step(
    follows: dict[tuple[int, int], list[tuple[int, int]]], at: tuple[int, int]
) -> tuple[int, int]:
    """Next corner; each edge is walked once."""
    stops = follows[at]
    found = stops.pop()
    if not stops:
        del follows[at]
    return found


def _corners(loop: Points) -> Points:
    """The loop without the points in the middle of its straight lines."""
    before, after = np.roll(loop, 1, axis=0), np.roll(loop, -1, axis=0)
    straight = np.all(loop - before == after - loop, axis=1)
    return np.asarray(loop[~straight])


def filled(
    polygons: Sequence[npt.ArrayLike],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pixels whose centres lie in polygons, by the even-odd rule over all of them.

    Parameters
    ----------
    polygons : sequence of array-like, each of shape (n_corners, 2)
        Corners as x, y.

    Returns
    -------
    y, x : ndarray, shape (n,), int64
        Row by row.
    """
    starts = [np.asarray(p, np.float64).reshape(-1, 2) for p in polygons]
    a = np.concatenate(starts) if starts else np.zeros((0, 2))
    b = np.concatenate([np.roll(p, -1, axis=0) for p in starts]) if starts else a
    if not len(a):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, columns = [], []
    for row in range(int(np.floor(a[:, 1].min())), int(np.ceil(a[:, 1].max()))):
        level = row + 0.5
        cut = (a[:, 1] <= level) != (b[:, 1] <= level)
        share = (level - a[cut, 1]) / (b[cut, 1] - a[cut, 1])
        at = np.sort(a[cut, 0] + share * (b[cut, 0] - a[cut, 0]))
        for left, right in zip(at[::2], at[1::2], strict=False):
            span = np.arange(int(np.ceil(left - 0.5)), int(np.ceil(right - 0.5)))
            rows.append(np.full(span.size, row, np.int64))
            columns.append(span.astype(np.int64))
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(rows), np.concatenate(columns)


__all__ = ["filled", "outlines"]
