"""First guess of a displacement over time: decentralised registration of histograms.

Each stretch of time has a histogram of its peaks over depth and amplitude. Every pair of
histograms is cross-correlated; the displacements that agree best, in least absolute deviations,
with all pairwise shifts are the guess. Stretches are few (a few hundred), so all pairs are used.

Notes
-----
Varol et al. 2021, ICASSP, "Decentralized Motion Inference and Registration of Neuropixel Data";
Windolf et al. 2025, Nature Methods, "DREDge".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BIN_UM = 4.0
SMOOTH_UM = 6.0
MIN_CORRELATION = 0.2
N_REWEIGHTED = 15
CLOSE_UM = 1.0
NEXT_WEIGHT = 0.1

Floats = npt.NDArray[np.float64]


def histograms(
    stretch: npt.NDArray[np.int64],
    depth_um: Floats,
    level: npt.NDArray[np.int64],
    n_stretches: int,
    n_levels: int,
) -> npt.NDArray[np.float32]:
    """Count peaks by depth and amplitude, square-rooted, smoothed, of unit norm.

    Parameters
    ----------
    stretch : ndarray, shape (n,), int64
        Stretch of time of each peak.
    depth_um : ndarray, shape (n,), float64, um
    level : ndarray, shape (n,), int64
        Level of amplitude of each peak.
    n_stretches, n_levels : int

    Returns
    -------
    ndarray, shape (n_stretches, n_depths, n_levels), float32
    """
    from scipy.ndimage import gaussian_filter

    row = np.floor((depth_um - depth_um.min()) / BIN_UM).astype(np.int64)
    n_depths = int(row.max()) + 1
    flat = (stretch * n_depths + row) * n_levels + level
    counts = np.bincount(flat, minlength=n_stretches * n_depths * n_levels)
    counts = np.sqrt(counts.reshape(n_stretches, n_depths, n_levels).astype(np.float32))
    smooth = gaussian_filter(counts, [0, SMOOTH_UM / BIN_UM, 0.7], mode="constant")
    norm = np.linalg.norm(smooth, axis=(1, 2), keepdims=True)
    return np.asarray(smooth / np.maximum(norm, 1e-9), dtype=np.float32)


def register(maps: npt.NDArray[np.float32], reach_um: float) -> Floats:
    """Find the displacements that agree best with the shifts between all pairs.

    Parameters
    ----------
    maps : ndarray, shape (n, n_depths, n_levels), float32
        As `histograms` gives.
    reach_um : float, um
        Largest shift that is looked for.

    Returns
    -------
    ndarray, shape (n,), float64, um
        Median 0.
    """
    shift, weight = _pairwise(maps, max(1, round(reach_um / BIN_UM)))
    return _agreed(shift, weight)


def _pairwise(maps: npt.NDArray[np.float32], reach: int) -> tuple[Floats, Floats]:
    """How far map a is displaced from map b, um, and how far to trust it; both (n, n)."""
    n, n_depths, _ = maps.shape
    reach = min(reach, n_depths - 1)
    correlation = np.empty((2 * reach + 1, n, n), dtype=np.float32)
    for k in range(reach + 1):
        upper = np.ascontiguousarray(maps[:, k:]).reshape(n, -1)
        lower = np.ascontiguousarray(maps[:, : n_depths - k]).reshape(n, -1)
        correlation[reach + k] = upper @ lower.T
        correlation[reach - k] = correlation[reach + k].T
    best = np.clip(correlation.argmax(axis=0), 1, 2 * reach - 1)
    left, middle, right = (
        np.take_along_axis(correlation, best[None] + o, axis=0)[0] for o in (-1, 0, 1)
    )
    bend = np.minimum(left - 2 * middle + right, -1e-9)
    offset = np.clip(0.5 * (left - right) / bend, -1, 1)
    weight = np.where(middle > MIN_CORRELATION, middle.astype(np.float64) ** 2, 0.0)
    np.fill_diagonal(weight, 0.0)
    return (best - reach + offset).astype(np.float64) * BIN_UM, weight


def _agreed(shift: Floats, weight: Floats) -> Floats:
    """Least absolute deviations, by reweighted least squares; median 0."""
    n = len(shift)
    link = np.eye(n, k=1) + np.eye(n, k=-1)
    found = np.zeros(n)
    used = weight
    for _ in range(N_REWEIGHTED):
        step = NEXT_WEIGHT * link / (np.abs(found[:, None] - found) + CLOSE_UM)
        total = used + step
        laplacian = np.diag(total.sum(axis=1) + 1e-9) - total
        found = np.linalg.solve(laplacian, (used * shift).sum(axis=1))
        miss = np.abs(shift - (found[:, None] - found))
        used = weight / (miss + CLOSE_UM)
    return np.asarray(found - np.median(found), dtype=np.float64)
