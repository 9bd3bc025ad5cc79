"""What shines around a cell: a ring without other cells, and how much of it to take off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.baseline import blocks
from nissl.annotators.cells.footprints import Footprints

GAP_PX = 2
MINIMUM_PIXELS = 300
REACH_PX = 40
STEPS = 12
LEAST, MOST = 0.0, 1.0
PRIOR, PRIOR_DEVIATION = 0.7, 0.15


def annuli(
    footprints: Footprints, *, gap_px: int = GAP_PX, minimum: int = MINIMUM_PIXELS
) -> tuple[npt.NDArray[np.int64], ...]:
    """Pixels around each cell, in its plane, that no cell covers or comes close to.

    The ring begins `gap_px` from any cell and is as wide as it takes to hold `minimum` pixels,
    up to `REACH_PX` from its own cell; a cell without any free pixel in reach gets none.

    Returns
    -------
    tuple of ndarray, int64
        Flat C-order pixels, increasing, one array per cell.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt

    shape = footprints.shape
    taken = np.zeros(shape, bool)
    for pixels in footprints.pixels:
        taken.reshape(-1)[pixels] = True
    disc = np.hypot(*np.mgrid[-gap_px : gap_px + 1, -gap_px : gap_px + 1]) <= gap_px
    near = np.stack([binary_dilation(plane, disc) for plane in taken])
    rings = []
    for pixels in footprints.pixels:
        z, y, x = np.unravel_index(pixels, shape)
        plane = int(np.bincount(z).argmax())
        top, left = max(int(y.min()) - REACH_PX, 0), max(int(x.min()) - REACH_PX, 0)
        bottom, right = int(y.max()) + REACH_PX + 1, int(x.max()) + REACH_PX + 1
        free = ~near[plane, top:bottom, left:right]
        own = np.zeros(free.shape, bool)
        own[y - top, x - left] = True
        away = np.where(free, distance_transform_edt(~own), np.inf)
        inside = np.sort(away[away <= REACH_PX])
        reach = inside[min(minimum, inside.size) - 1] if inside.size else -1.0
        row, column = np.nonzero(away <= reach)
        rings.append((plane * shape[1] + row + top) * shape[2] + column + left)
    return tuple(np.asarray(ring, np.int64) for ring in rings)


@dataclass(frozen=True, eq=False)
class Coefficients:
    """How much of the neuropil shines into each cell.

    Parameters
    ----------
    value : ndarray, shape (n_cells,), float32
        Between `LEAST` and `MOST`.
    error : ndarray, shape (n_cells,), float32
        Standard error of the cell's own fit; inf where its neuropil says nothing.
    field : float
        Median over the field, towards which cells of little evidence are drawn.
    """

    value: npt.NDArray[np.float32]
    error: npt.NDArray[np.float32]
    field: float


def coefficients(
    raw: npt.NDArray[Any],
    neuropil: npt.NDArray[Any],
    rate_hz: float,
    *,
    slow_s: float = 60.0,
    field: float | None = None,
) -> Coefficients:
    """Fit ``raw = coefficient * neuropil + rest`` for each cell, blind to its transients.

    A regression of means over half a second, without what is slower than `slow_s` (bleaching is
    common to both). The cell's own activity is one-sided, so positive residuals lose their
    weight as in Tukey's biweight while negative ones keep Huber's, iterated; then each value is
    drawn towards the field's median by its standard error and bounded.

    Parameters
    ----------
    raw, neuropil : ndarray, shape (n_frames, n_cells)
        Without NaN.
    rate_hz : float
    slow_s : float
    field : float, optional
        Value of the field where it is known already; otherwise the median of the sure fits.
    """
    n_cells = raw.shape[1]
    size = max(round(0.5 * rate_hz), 1)
    if len(raw) < 8 * size or n_cells == 0:
        return _unknown(n_cells, PRIOR if field is None else field)
    y, x = (_fast(blocks(each, size)[0], slow_s * rate_hz / size) for each in (raw, neuropil))
    weight = np.ones_like(y)
    slope = np.full(n_cells, PRIOR)
    for step in range(STEPS):
        if step:
            slope, _ = _weighted(x, y, weight)
        slope = np.clip(slope, LEAST, MOST)
        rest = y - slope * x
        rest -= np.median(rest, axis=0)
        scale = -np.quantile(rest, 0.25, axis=0) / 0.6745
        u = rest / np.maximum(scale, 1e-12)
        above = np.where(u < 3.0, (1 - (u / 3.0) ** 2) ** 2, 0.0)
        weight = np.where(u > 0, above, np.minimum(1.0, 2.0 / np.maximum(-u, 1e-12)))
    slope, spread = _weighted(x, y, weight)
    freedom = np.maximum(weight.sum(axis=0) - 2, 1)
    error = np.where(spread > 0, scale / np.sqrt(np.maximum(spread, 1e-30)), np.inf)
    error = error * np.sqrt(len(y) / freedom)
    sure = (error < PRIOR_DEVIATION) & (slope > LEAST) & (slope < MOST)
    if field is None:
        field = float(np.median(slope[sure])) if sure.sum() >= 5 else PRIOR
    own = 1.0 / np.maximum(error, 1e-6) ** 2
    prior = 1.0 / PRIOR_DEVIATION**2
    drawn = (own * np.nan_to_num(slope) + prior * field) / (own + prior)
    value = np.clip(drawn, LEAST, MOST)
    return Coefficients(value.astype(np.float32), error.astype(np.float32), field)


def _unknown(n_cells: int, field: float) -> Coefficients:
    return Coefficients(
        np.full(n_cells, field, np.float32), np.full(n_cells, np.inf, np.float32), field
    )


def _fast(values: npt.NDArray[np.float32], window: float) -> npt.NDArray[np.float64]:
    from scipy.ndimage import uniform_filter1d

    x = values.astype(np.float64)
    width = max(min(int(window), len(x)) // 2 * 2 + 1, 3)
    return np.asarray(x - uniform_filter1d(x, width, axis=0, mode="reflect"))


def _weighted(x: Any, y: Any, weight: Any) -> tuple[Any, Any]:
    """Slope of a weighted line, and the weighted sum of squares of x, both (n_cells,)."""
    total = np.maximum(weight.sum(axis=0), 1e-12)
    dx = x - (weight * x).sum(axis=0) / total
    dy = y - (weight * y).sum(axis=0) / total
    spread = (weight * dx * dx).sum(axis=0)
    return (weight * dx * dy).sum(axis=0) / np.maximum(spread, 1e-30), spread
