"""The triple exponential that CellExplorer fits to autocorrelograms, for many units at once.

``max(c (exp(-(t - t0) / decay) - d exp(-(t - t0) / rise)) + h exp(-(t - t0) / burst) + b, 0)``
over lags t of 0.5 to 50 ms in bins of 0.5 ms (Petersen et al. 2021, Neuron 109:3594-3608,
`fit_ACG`; its starting point and bounds). Here the autocorrelogram is first brought to a mean
rate of `RATE_HZ`, so that the fit and its bounds do not depend on how much a unit fires or how
many of its spikes were found; c, h and b are then told in units of the mean rate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

FIT_FEATURES = (
    "acg_tau_decay_ms",
    "acg_tau_rise_ms",
    "acg_c",
    "acg_d",
    "acg_asymptote",
    "acg_refractory_ms",
    "acg_tau_burst_ms",
    "acg_h",
)
START = np.array([20.0, 1.0, 30.0, 2.0, 0.5, 5.0, 1.5, 2.0])
LOWER = np.array([1.0, 0.1, 0.0, 0.0, -30.0, 0.0, 0.1, 0.0])
UPPER = np.array([500.0, 50.0, 500.0, 15.0, 50.0, 20.0, 5.0, 100.0])
LAG_MS = 0.5 * np.arange(1, 101)
RATE_HZ = 10.0
MAX_STEPS, TOLERANCE = 100, 1e-5
MIN_R2 = 0.1
_OVER_RATE = (2, 4, 7)


def fit_acgs(acg_hz: Values, rate_hz: Values) -> Values:
    """Fit each autocorrelogram.

    Parameters
    ----------
    acg_hz : ndarray, shape (n_units, 100), float64
        As `trains.narrow_acg` gives it; rows with NaN are not fitted.
    rate_hz : ndarray, shape (n_units,), float64
        Mean rates.

    Returns
    -------
    ndarray, shape (n_units, 8), float64
        `FIT_FEATURES`: time constants in ms, amplitudes over the mean rate; NaN where nothing
        was fitted or the curve explains less than a tenth of the variance.
    """
    out = np.full((len(acg_hz), START.size), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = acg_hz * (RATE_HZ / rate_hz[:, None])
    rows = np.flatnonzero(np.all(np.isfinite(scaled), axis=1) & (np.ptp(scaled, axis=1) > 0))
    if not rows.size:
        return out
    y = scaled[rows]
    fitted = _fit(y)
    rest = np.sum((y - _curve(fitted)[0]) ** 2, axis=1)
    total = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2, axis=1)
    fitted[1 - rest / total < MIN_R2] = np.nan
    fitted[:, _OVER_RATE] /= RATE_HZ
    out[rows] = fitted
    return out


def curve(fitted: Values) -> Values:
    """Fitted autocorrelograms over the mean rate, shape (n_units, 100)."""
    scaled = np.array(fitted, np.float64)
    scaled[:, _OVER_RATE] *= RATE_HZ
    return np.asarray(_curve(scaled)[0] / RATE_HZ)


def _fit(y: Values) -> Values:
    """Levenberg-Marquardt within bounds, all rows in step; rows leave as they converge."""
    found = np.tile(START, (len(y), 1))
    damping = np.full(len(y), 1e-2)
    rows = np.arange(len(y))
    value, slopes = _curve(found)
    cost = np.sum((y - value) ** 2, axis=1)
    for _ in range(MAX_STEPS):
        proposal = _step(found[rows], y[rows] - value[rows], slopes[rows], damping[rows])
        new_value, new_slopes = _curve(proposal)
        new_cost = np.sum((y[rows] - new_value) ** 2, axis=1)
        better = new_cost < cost[rows]
        gain = (cost[rows] - new_cost) / np.maximum(cost[rows], 1e-12)
        taken = rows[better]
        found[taken], value[taken], slopes[taken] = (
            proposal[better],
            new_value[better],
            new_slopes[better],
        )
        cost[taken] = new_cost[better]
        damping[rows] = np.clip(np.where(better, damping[rows] / 5, damping[rows] * 4), 1e-9, 1e9)
        done = (better & (gain < TOLERANCE)) | (damping[rows] >= 1e8)
        rows = rows[~done]
        if not rows.size:
            break
    return found


def _step(found: Values, residual: Values, slopes: Values, damping: Values) -> Values:
    gradient = np.einsum("nkp,nk->np", slopes, residual)
    stuck = ((found <= LOWER) & (gradient < 0)) | ((found >= UPPER) & (gradient > 0))
    normal = np.matmul(slopes.transpose(0, 2, 1), slopes)
    free = ~stuck
    normal *= free[:, :, None] & free[:, None, :]
    diagonal = np.arange(START.size)
    size = normal[:, diagonal, diagonal]
    normal[:, diagonal, diagonal] = size * (1 + damping[:, None]) + np.where(size > 0, 1e-9, 1.0)
    step = np.linalg.solve(normal, (gradient * free)[..., None])[..., 0]
    return np.asarray(np.clip(found + step, LOWER, UPPER))


def _curve(found: Values) -> tuple[Values, Values]:
    """Values (n, 100) and slopes by parameter (n, 100, 8)."""
    decay, rise, c, d, base, start, burst, h = (found[:, k, None] for k in range(8))
    after = LAG_MS - start
    e_decay = np.exp(-after / decay)
    e_rise = np.exp(np.minimum(-after / rise, 50.0))
    e_burst = np.exp(np.minimum(-after / burst, 50.0))
    raw = c * (e_decay - d * e_rise) + h * e_burst + base
    slopes = np.stack(
        [
            c * e_decay * after / decay**2,
            -c * d * e_rise * after / rise**2,
            e_decay - d * e_rise,
            -c * e_rise,
            np.ones_like(raw),
            c * (e_decay / decay - d * e_rise / rise) + h * e_burst / burst,
            h * e_burst * after / burst**2,
            e_burst,
        ],
        axis=2,
    )
    return np.maximum(raw, 0.0), slopes * (raw > 0)[..., None]


__all__ = ["FIT_FEATURES", "curve", "fit_acgs"]
