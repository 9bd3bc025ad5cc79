"""The fluorescence at rest: a running baseline, dF/F, and how much bleached away."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.noise import noise_deviation

Traces2D = npt.NDArray[np.float32]
BLOCK_S = 1.0


def running_baseline(
    traces: npt.NDArray[Any], rate_hz: float, *, window_s: float = 60.0, quantile: float = 0.2
) -> Traces2D:
    """Slowly changing level at rest of each trace.

    Means of blocks of a second, without a parabola fitted to the lower of them (bleaching); their
    low quantile within a window, which at the ends of the recording is cut off rather than
    mirrored or padded; raised by how far that quantile of the blocks' noise lies below their
    mean; smoothed, with the parabola again, and interpolated between blocks.

    Parameters
    ----------
    traces : ndarray, shape (n_frames, n_cells)
        Without NaN.
    rate_hz : float
    window_s : float
        Longer than the longest run of activity, shorter than what should be followed.
    quantile : float
        Below the fraction of time that the cell is at rest.

    Returns
    -------
    ndarray, shape (n_frames, n_cells), float32
    """
    n_frames, n_cells = traces.shape
    if n_frames == 0:
        return np.zeros((0, n_cells), np.float32)
    from scipy.special import ndtri

    size = max(round(BLOCK_S * rate_hz), 1)
    means, centres = blocks(traces, size)
    window = min(max(round(window_s * rate_hz / size), 1), 2 * len(means))
    slow = _parabola(means)
    low = _running_quantile(means - slow, window, quantile)
    if len(means) > 2:
        low -= noise_deviation(means) * np.float32(ndtri(quantile))
    smooth = _smooth(low, max(window / 6.0, 1.0)) + slow
    at = np.arange(n_frames)
    out = np.empty((n_frames, n_cells), np.float32)
    for k in range(n_cells):
        out[:, k] = np.interp(at, centres, smooth[:, k])
    return out


def relative(
    corrected: npt.NDArray[Any], baseline: npt.NDArray[Any], floor: npt.NDArray[Any]
) -> tuple[Traces2D, npt.NDArray[np.bool_]]:
    """dF/F as a fraction, and whose baseline had to be raised to its floor.

    Parameters
    ----------
    corrected, baseline : ndarray, shape (n_frames, n_cells)
    floor : ndarray, shape (n_cells,)
        Smallest fluorescence to divide by: below it dF/F would be the noise of a division.
    """
    raised = (np.median(baseline, axis=0) < floor) if len(baseline) else floor < 0
    change = (corrected - baseline) / np.maximum(baseline, floor)
    return change.astype(np.float32, copy=False), np.asarray(raised, bool)


def bleaching(baseline: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Fraction of the baseline that is lost from the first to the last tenth; below 0 if gained."""
    n = len(baseline)
    if n < 2:
        return np.full(baseline.shape[1], np.nan, np.float32)
    tenth = max(n // 10, 1)
    first, last = baseline[:tenth].mean(axis=0), baseline[-tenth:].mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = np.where(first > 0, 1.0 - last / first, np.nan)
    return lost.astype(np.float32)


def blocks(traces: npt.NDArray[Any], size: int) -> tuple[Traces2D, npt.NDArray[np.float64]]:
    """Means of blocks of `size` frames, the last at least half as long, and their centres."""
    n = len(traces)
    edges = np.arange(0, n, size)
    if len(edges) > 1 and n - edges[-1] < size / 2:
        edges = edges[:-1]
    lengths = np.diff(np.append(edges, n))
    sums = np.add.reduceat(traces, edges, axis=0, dtype=np.float64)
    means = (sums / lengths[:, None]).astype(np.float32)
    return means, edges + (lengths - 1) / 2.0


def _parabola(values: Traces2D, steps: int = 10) -> Traces2D:
    """Parabola through the lower values of each column: what lies above loses its weight."""
    n = len(values)
    if n < 10:
        return np.zeros_like(values)
    at = np.linspace(-1, 1, n)
    basis = np.stack([np.ones(n), at, at**2 - 1 / 3], 1)
    weight = np.ones(values.shape)
    fit = np.zeros(values.shape)
    for _ in range(steps):
        gram = np.einsum("tk,ti,tj->kij", weight, basis, basis) + 1e-9 * np.eye(3)
        right = np.einsum("tk,ti,tk->ki", weight, basis, values)
        fit = basis @ np.linalg.solve(gram, right[..., None])[..., 0].T
        rest = values - fit
        scale = np.median(np.abs(rest), axis=0) / 0.6745
        u = rest / np.maximum(scale, 1e-12)
        weight = np.where(u > 0, 1.0 / (1.0 + u**2) ** 2, 1.0)
    return fit.astype(np.float32)


def _running_quantile(values: Traces2D, window: int, quantile: float) -> Traces2D:
    """Quantile over centred windows that are cut off at the ends."""
    half = window // 2
    out = np.empty_like(values)
    for k in range(len(values)):
        out[k] = np.quantile(values[max(k - half, 0) : k + half + 1], quantile, axis=0)
    return out


def _smooth(values: Traces2D, sigma: float) -> Traces2D:
    """Gaussian means of what there is: weights beyond the ends do not count."""
    from scipy.ndimage import gaussian_filter1d

    weight = gaussian_filter1d(np.ones(len(values)), sigma, mode="constant")
    total = gaussian_filter1d(values.astype(np.float64), sigma, axis=0, mode="constant")
    return np.asarray(total / weight[:, None], np.float32)
