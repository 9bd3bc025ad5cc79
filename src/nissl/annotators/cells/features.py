"""Facts of cells: their outline, their place in the pictures of the field, their trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.noise import noise_deviation
from nissl.annotators.cells.traces import Traces

Column = npt.NDArray[np.float64]
Image = npt.NDArray[np.floating[Any]]

UNITS = {
    "x_px": "px",
    "y_px": "px",
    "z_px": "px",
    "n_pixels": "px",
    "radius": "px",
    "compactness": "",
    "aspect_ratio": "",
    "overlap": "",
    "contrast": "",
    "correlation": "",
    "peak_to_noise": "",
    "shape_score": "",
    "activity_score": "",
    "window_score": "",
    "snr": "",
    "std": "",
    "skewness": "",
    "noise": "%/sqrt(Hz)",
    "neuropil_correlation": "",
    "neighbour_correlation": "",
    "neuropil_coefficient": "",
    "neuropil_coefficient_error": "",
    "baseline": "",
    "bleached": "",
    "missing": "",
}
"""Facts of every cell, with their units; those of traces and pictures are NaN without them."""
_PEAK_S = 0.3
_NEAR = 1.5


def outline_facts(cells: Footprints) -> dict[str, Column]:
    """Facts of the outlines alone.

    `radius` is that of the disc with as many pixels; `compactness` the mean distance of a disc's
    pixels from its middle over that of the cell's, 1 at most for a disc; `aspect_ratio` length
    over breadth; `overlap` the fraction of pixels that other cells have too.
    """
    n = len(cells)
    centre = cells.centres()
    out = {"x_px": centre[:, 2], "y_px": centre[:, 1], "z_px": centre[:, 0]}
    out |= {name: np.full(n, np.nan) for name in ("compactness", "aspect_ratio", "overlap")}
    out["n_pixels"] = np.array([p.size for p in cells.pixels], np.float64)
    out["radius"] = np.sqrt(out["n_pixels"] / np.pi)
    for k, pixels in enumerate(cells.pixels):
        _, y, x = np.unravel_index(pixels, cells.shape)
        away = np.hypot(y - y.mean(), x - x.mean()).mean()
        out["compactness"][k] = 2 / 3 * out["radius"][k] / max(float(away), 1e-6)
        if pixels.size > 2:
            low, high = np.linalg.eigvalsh(np.cov(np.stack([y, x])) + np.eye(2) / 12)
            out["aspect_ratio"][k] = np.sqrt(high / low)
    out["compactness"] = np.minimum(out["compactness"], 1.0)
    if n:
        count = np.zeros(int(np.prod(cells.shape)), np.int32)
        for pixels in cells.pixels:
            count[pixels] += 1
        out["overlap"] = np.array([(count[p] > 1).mean() for p in cells.pixels])
    return out


def picture_facts(cells: Footprints, images: Mapping[str, Image], around: Any) -> dict[str, Column]:
    """Facts of pictures of the field, shape (z, y, x), at the cells.

    Parameters
    ----------
    cells : Footprints
    images : mapping of str to ndarray
        "mean", "correlation" and "peak_to_noise"; any may be missing.
    around : scipy.sparse.csr_array, shape (n_cells, n_pixels)
        Gives the mean of a picture around each cell.
    """
    out: dict[str, Column] = {}
    inside = {
        name: np.array([np.mean(image.reshape(-1)[p]) for p in cells.pixels], np.float64)
        for name, image in images.items()
    }
    if "mean" in images:
        beside = np.asarray(around @ np.nan_to_num(images["mean"]).reshape(-1), np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            out["contrast"] = np.where(beside > 0, inside["mean"] / beside - 1, np.nan)
    out |= {k: inside[k] for k in ("correlation", "peak_to_noise") if k in inside}
    return out


def trace_facts(cells: Footprints, traces: Traces, rate_hz: float) -> dict[str, Column]:
    """Facts of the traces.

    `snr` is the mean of the three largest means over `_PEAK_S` over their noise; `std` and
    `skewness` are of dF/F; `neuropil_correlation` is that of the raw trace with what surrounds
    it, `neighbour_correlation` the largest of dF/F with a cell within 1.5 diameters.
    """
    n_frames, n = traces.dff.shape
    out: dict[str, Column] = {
        "noise": traces.noise.astype(np.float64),
        "neuropil_coefficient": traces.coefficient.astype(np.float64),
        "neuropil_coefficient_error": traces.coefficient_error.astype(np.float64),
        "baseline": traces.baseline.astype(np.float64),
        "bleached": traces.bleached.astype(np.float64),
        "missing": traces.missing.astype(np.float64),
    }
    names = ("snr", "std", "skewness", "neuropil_correlation", "neighbour_correlation")
    out |= {name: np.full(n, np.nan) for name in names}
    if n_frames < 3 or n == 0:
        return out
    dff = np.nan_to_num(traces.dff)
    size = max(round(_PEAK_S * rate_hz), 1)
    whole = max(n_frames // size, 1)
    means = dff[: whole * size].reshape(whole, -1, n).mean(axis=1)
    noise = noise_deviation(means) if whole > 2 else np.full(n, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        out["snr"] = np.where(noise > 0, np.sort(means, axis=0)[-3:].mean(axis=0) / noise, np.nan)
        rest = dff - dff.mean(axis=0)
        spread = rest.std(axis=0, dtype=np.float64)
        out["std"] = spread
        third = np.mean(rest**3, axis=0, dtype=np.float64)
        out["skewness"] = np.where(spread > 0, third / spread**3, np.nan)
        out["neuropil_correlation"] = _together(np.nan_to_num(traces.raw), traces.neuropil)
    out["neighbour_correlation"] = _neighbours(cells, means)
    return out


def described(
    cells: Footprints,
    traces: Traces | None,
    images: Mapping[str, Image],
    around: Any,
    rate_hz: float,
    scores: Mapping[str, npt.NDArray[Any]],
) -> dict[str, Column]:
    """All facts of cells, in the order of `UNITS`; NaN for those that nothing is known of."""
    known = outline_facts(cells) | picture_facts(cells, images, around)
    known |= {} if traces is None else trace_facts(cells, traces, rate_hz)
    known |= {name: np.asarray(values, np.float64) for name, values in scores.items()}
    none = np.full(len(cells), np.nan)
    return {name: np.asarray(known.get(name, none), np.float64) for name in UNITS}


def patches(cells: Footprints, image: Image, side: int) -> npt.NDArray[np.float32]:
    """Squares of a picture (z, y, x) around cells, (n_cells, side, side); NaN outside it."""
    half = side // 2
    out = np.full((len(cells), side, side), np.nan, np.float32)
    for k, (z, y, x) in enumerate(np.rint(cells.centres()).astype(int).tolist()):
        top, left = max(y - half, 0), max(x - half, 0)
        part = image[z, top : y + half + 1, left : x + half + 1]
        a, b = top - (y - half), left - (x - half)
        out[k, a : a + part.shape[0], b : b + part.shape[1]] = part
    return out


def thumbnails(dff: npt.NDArray[np.float32], points: int) -> npt.NDArray[np.float32]:
    """Traces as means of at most `points` blocks, (n_cells, n_points) float32."""
    n_frames, n = dff.shape
    if n_frames == 0:
        return np.zeros((n, 0), np.float32)
    edges = np.linspace(0, n_frames, min(points, n_frames) + 1).astype(int)
    sums = np.add.reduceat(np.nan_to_num(dff), edges[:-1], axis=0, dtype=np.float64)
    return np.ascontiguousarray((sums / np.diff(edges)[:, None]).T, np.float32)


def _together(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Column:
    """Correlation of matching columns."""
    x, y = (v - v.mean(axis=0, dtype=np.float64) for v in (a, b))
    length = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    return np.asarray(np.where(length > 0, (x * y).sum(axis=0) / length, np.nan), np.float64)


def _neighbours(cells: Footprints, values: npt.NDArray[Any]) -> Column:
    n = len(cells)
    out = np.full(n, np.nan)
    centre = cells.centres()
    diameter = 2 * np.sqrt(np.array([p.size for p in cells.pixels]) / np.pi)
    x = values - values.mean(axis=0)
    x = x / np.maximum(np.linalg.norm(x, axis=0), 1e-12)
    for k in range(n):
        away = np.linalg.norm(centre - centre[k], axis=1)
        near = np.flatnonzero((away < _NEAR * diameter[k]) & (np.arange(n) != k))
        if near.size:
            out[k] = float((x[:, near].T @ x[:, k]).max())
    return out


__all__ = [
    "UNITS",
    "described",
    "outline_facts",
    "patches",
    "picture_facts",
    "thumbnails",
    "trace_facts",
]
