"""The triple exponential that CellExplorer fits to autocorrelograms, for many units at once.

``max(c (exp(-(t - t0) / decay) - d exp(-(t - t0) / rise)) + h exp(-(t - t0) / burst) + b, 0)``
over lags t of 0.5 to 50 ms in bins of 0.5 ms (Petersen et al. 2021, Neuron 109:3594-3608,
`fit_ACG`, with its bounds on the time constants). Two things differ on purpose:

- The autocorrelogram is first brought to one mean rate, and c, h and b are told in units of the
  mean rate, so that they do not depend on how many of the spikes were found.
- One of c, d, h and t0 is redundant: a shift of t0 is taken up by the amplitudes, and what
  CellExplorer gives depends on where its optimiser starts. Here t0 is 5 ms throughout, and
  c, c d and h are the sizes of the three parts at that lag. The refractory period is read from
  the fitted curve: where it first reaches half of its largest value.

The time constants and the asymptote have one meaning in both; within 50 ms the slow decay and the
asymptote can hardly be told apart, so that the two agree least with stored values.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

FIT_FEATURES = (
    "acg_tau_decay_ms",
    "acg_tau_rise_ms",
    "acg_tau_burst_ms",
    "acg_c",
    "acg_d",
    "acg_h",
    "acg_asymptote",
    "acg_refractory_ms",
)
LAG_MS = 0.5 * np.arange(1, 101)
DECAY_MS, RISE_MS, BURST_MS = (1.0, 500.0), (0.1, 50.0), (0.1, 5.0)
MAX_STEPS, TOLERANCE = 60, 1e-4
MIN_R2 = 0.1
MIN_DAMPING, MAX_DAMPING = 1e-7, 1e6

_GRID_MS = ((4.0, 10.0, 25.0, 60.0, 150.0, 400.0), (0.4, 1.0, 2.5, 6.0, 15.0), (0.3, 1.0, 3.0))
_AT_MS = 5.0
_PULL = np.array([0.0, 0.0, 0.0, 0.003, 0.003, 0.003, 0.003])
_TO = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
_LOWER = np.array([DECAY_MS[0], RISE_MS[0], BURST_MS[0], 0.0, 0.0, 0.0, -3.0])
_UPPER = np.array([DECAY_MS[1], RISE_MS[1], BURST_MS[1], 50.0, 50.0, 10.0, 5.0])


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

    Notes
    -----
    The best of a grid of time constants, its amplitudes by least squares, starts a
    Levenberg-Marquardt descent within bounds. Nothing is random. A faint pull of the asymptote
    to the mean rate and of the amplitudes to 0 decides where curves are all but the same.
    """
    out = np.full((len(acg_hz), len(FIT_FEATURES)), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = acg_hz / rate_hz[:, None]
    rows = np.flatnonzero(np.all(np.isfinite(relative), axis=1) & (np.ptp(relative, axis=1) > 0))
    if not rows.size:
        return out
    y = relative[rows]
    found = _descend(y, _start(y))
    rest = np.sum((y - _curve(found)[0]) ** 2, axis=1)
    total = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2, axis=1)
    told = np.column_stack([found, _half_ms(found)])
    told[1 - rest / total < MIN_R2] = np.nan
    out[rows] = told
    return out


def curve(told: Values) -> Values:
    """Fitted autocorrelograms over the mean rate on `LAG_MS`, shape (n_units, 100)."""
    return _curve(told[:, :7])[0]


@cache
def _grid() -> tuple[Values, Values, Values]:
    """Time constants (n, 3), their curves (n, 100, 4) and what solves for these (n, 4, 100)."""
    every = product(*_GRID_MS)
    taus = np.array([each for each in every if each[1] < each[0] and each[2] < each[0]])
    after = LAG_MS - _AT_MS
    shapes = np.exp(-after[:, None] / taus[:, None, :])
    shapes[:, :, 1] *= -1
    design = np.concatenate([shapes, np.ones((len(taus), after.size, 1))], axis=2)
    normal = design.transpose(0, 2, 1) @ design + np.diag(_PULL[3:])
    return taus, design, np.linalg.solve(normal, design.transpose(0, 2, 1))


def _start(y: Values) -> Values:
    taus, design, inverse = _grid()
    best = np.full(len(y), np.inf)
    out = np.empty((len(y), 7))
    for each, shapes, solve in zip(taus, design, inverse, strict=True):
        amplitude = np.clip((y - 1.0) @ solve.T + _TO[3:], _LOWER[3:], _UPPER[3:])
        rest = _cost(y, np.maximum(amplitude @ shapes.T, 0.0), amplitude, _PULL[3:], _TO[3:])
        better = rest < best
        best[better] = rest[better]
        out[better, :3], out[better, 3:] = each, amplitude[better]
    return out


def _descend(y: Values, found: Values) -> Values:
    """All rows in step; rows leave as they converge."""
    damping = np.full(len(y), 0.1)
    rows = np.arange(len(y))
    value, slopes = _curve(found)
    cost = _cost(y, value, found, _PULL, _TO)
    for _ in range(MAX_STEPS):
        proposal = _step(found[rows], y[rows] - value[rows], slopes[rows], damping[rows])
        new_value, new_slopes = _curve(proposal)
        new_cost = _cost(y[rows], new_value, proposal, _PULL, _TO)
        better = new_cost < cost[rows]
        gain = (cost[rows] - new_cost) / np.maximum(cost[rows], 1e-12)
        taken = rows[better]
        found[taken], value[taken] = proposal[better], new_value[better]
        slopes[taken], cost[taken] = new_slopes[better], new_cost[better]
        eased = np.maximum(damping[rows] / 4, MIN_DAMPING)
        damping[rows] = np.where(better, eased, damping[rows] * 4)
        done = (better & (gain < TOLERANCE)) | (damping[rows] > MAX_DAMPING)
        rows = rows[~done]
        if not rows.size:
            break
    return found


def _cost(y: Values, value: Values, found: Values, pull: Values, to: Values) -> Values:
    return np.asarray(np.sum((y - value) ** 2, axis=1) + (found - to) ** 2 @ pull)


def _step(found: Values, residual: Values, slopes: Values, damping: Values) -> Values:
    gradient = np.matmul(residual[:, None, :], slopes)[:, 0] + _PULL * (_TO - found)
    free = ~(((found <= _LOWER) & (gradient < 0)) | ((found >= _UPPER) & (gradient > 0)))
    normal = np.matmul(slopes.transpose(0, 2, 1), slopes) + np.diag(_PULL)
    normal *= free[:, :, None] & free[:, None, :]
    diagonal = np.arange(_LOWER.size)
    size = normal[:, diagonal, diagonal]
    normal[:, diagonal, diagonal] = size * (1 + damping[:, None]) + np.where(size > 0, 1e-12, 1.0)
    step = np.linalg.solve(normal, (gradient * free)[..., None])[..., 0]
    return np.asarray(np.clip(found + step, _LOWER, _UPPER))


def _curve(found: Values) -> tuple[Values, Values]:
    """Values (n, 100) and slopes by parameter (n, 100, 7)."""
    decay, rise, burst, a, b, h, base = (found[:, k, None] for k in range(7))
    after = LAG_MS - _AT_MS
    e_decay, e_rise, e_burst = np.exp(-after / decay), np.exp(-after / rise), np.exp(-after / burst)
    raw = a * e_decay - b * e_rise + h * e_burst + base
    slopes = np.stack(
        [
            a * e_decay * after / decay**2,
            -b * e_rise * after / rise**2,
            h * e_burst * after / burst**2,
            e_decay,
            -e_rise,
            e_burst,
            np.ones_like(raw),
        ],
        axis=2,
    )
    return np.maximum(raw, 0.0), slopes * (raw > 0)[..., None]


def _half_ms(found: Values) -> Values:
    """Lag at which each curve first reaches half of its largest value."""
    value = _curve(found)[0]
    half = 0.5 * value.max(axis=1, keepdims=True)
    first = np.argmax(value >= half, axis=1)
    rows = np.arange(len(value))
    before = np.where(first > 0, value[rows, first - 1], 0.0)
    rise = value[rows, first] - before
    part = np.where(rise > 0, (half[:, 0] - before) / np.where(rise > 0, rise, 1.0), 1.0)
    return np.asarray(LAG_MS[0] * (first + np.clip(part, 0.0, 1.0)))


__all__ = ["FIT_FEATURES", "curve", "fit_acgs"]
