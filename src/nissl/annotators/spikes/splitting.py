"""Choosing the spikes of a unit that become another: by a lasso, or by a threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MAX_CORNERS = 10_000


def inside_polygon(x: Values, y: Values, corners: npt.ArrayLike) -> Bools:
    """Points inside a closed polygon, by the even-odd rule.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        NaN is outside.
    corners : array-like, shape (n_corners, 2)
        At least three, finite; the last is joined to the first.

    Returns
    -------
    ndarray, shape (n,), bool

    Raises
    ------
    BadArgumentError
        Not a polygon.
    """
    try:
        polygon = np.asarray(corners, dtype=np.float64)
    except (TypeError, ValueError):
        polygon = np.empty(0)
    fits = polygon.ndim == 2 and polygon.shape[1] == 2 and 3 <= len(polygon) <= MAX_CORNERS
    if not fits or not np.all(np.isfinite(polygon)):
        raise BadArgumentError(
            f"3 to {MAX_CORNERS} corners [x, y] of finite numbers",
            f"shape {polygon.shape}",
            "Draw the lasso again.",
        )
    (low_x, low_y), (high_x, high_y) = polygon.min(axis=0), polygon.max(axis=0)
    chosen = np.flatnonzero((x >= low_x) & (x <= high_x) & (y >= low_y) & (y <= high_y))
    px, py = x[chosen], y[chosen]
    odd = np.zeros(chosen.size, bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if ay == by:
            continue
        between = (py >= min(ay, by)) & (py < max(ay, by))
        odd ^= between & (px < ax + (py - ay) * (bx - ax) / (by - ay))
    inside = np.zeros(x.size, bool)
    inside[chosen[odd]] = True
    return inside


def beyond(values: Values, threshold: float, *, above: bool) -> Bools:
    """Values above (or below) a threshold; NaN is neither.

    Parameters
    ----------
    values : ndarray, shape (n,)
    threshold : float
    above : bool
    """
    if not np.isfinite(threshold):
        raise BadArgumentError("a finite threshold", f"{threshold}", "Give a number.")
    return np.asarray(values > threshold if above else values < threshold)
