"""Non-negative deconvolution of second order (rise and decay), exact to a tolerance.

Minimise ``sum (y - c)^2 / 2 + penalty sum s`` over calcium `c` under ``s = G c >= 0`` with
``s[t] = c[t] - g1 c[t-1] - g2 c[t-2]``. Pools are only an approximation here, so this is an
interior-point method: every step solves a system whose matrix has five diagonals, so time is
linear in frames (the idea of Vogelstein et al. 2010, Journal of Neurophysiology 104, 3691-3704,
here primal-dual). Calcium before the first frame is free: the first two frames carry no constraint
but ``c >= 0``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]

STEPS = 60


def calcium(
    y: Values, g1: float, g2: float, penalty: float = 0.0, *, tolerance: float = 1e-7
) -> Values:
    """Solve the problem of this module.

    Parameters
    ----------
    y : ndarray, shape (n_frames,), float64
        Fluorescence over its baseline; NaN counts nothing.
    g1, g2 : float
        ``g1 = d + r``, ``g2 = -d r`` for a decay to `d` and a rise to `r` a frame,
        ``0 <= r < d < 1``.
    penalty : float
        In the unit of `y`.
    tolerance : float
        Largest duality gap per frame, in parts of the mean square of `y`.

    Returns
    -------
    ndarray, shape (n_frames,), float64

    Raises
    ------
    BadArgumentError
        Roots outside the unit circle, or that oscillate.
    """
    roots = np.roots([1.0, -g1, -g2])
    if np.iscomplexobj(roots) or np.any(roots >= 1) or np.any(roots < -1e-12):
        raise BadArgumentError(
            "a rise and a decay that remain between 0 and 1 from frame to frame",
            f"g1 = {g1:g}, g2 = {g2:g} with the roots {roots}",
            "Give the time constants of an indicator, the decay longer than the rise.",
        )
    n = y.size
    counts = np.isfinite(y)
    seen = np.where(counts, y, 0.0)
    scale = float(np.sqrt(np.mean(seen**2))) or 1.0
    if n < 3 or not counts.any():
        return np.maximum(seen, 0.0)
    # with this much nothing is left, and with far more the system could not be solved
    most = 4 * n / (1 - float(roots.min()))
    strength = min(penalty / scale, most)
    linear = seen / scale - strength * _transposed(np.ones(n), g1, g2, first=0.0)
    weight = counts.astype(np.float64)
    s = np.ones(n)
    c = _calcium_of(s, g1, g2)
    dual = np.ones(n)
    for _ in range(STEPS):
        gap = float(s @ dual) / n
        residual = weight * c - linear - _transposed(dual, g1, g2)
        if gap < tolerance and np.abs(residual).max() < 1e-6:
            break
        c, s, dual = _step(c, s, dual, residual, weight, 0.1 * gap, (g1, g2))
    return c * scale


def _step(
    c: Values,
    s: Values,
    dual: Values,
    residual: Values,
    weight: Values,
    aim: float,
    g: tuple[float, float],
) -> tuple[Values, Values, Values]:
    """One Newton step towards ``s * dual = aim``, cut so that both stay positive."""
    from scipy.linalg import solveh_banded

    pull = dual / s
    direction = solveh_banded(
        _normal(pull, weight, *g), -residual + _transposed(aim / s - dual, *g), lower=True
    )
    ds = innovations(direction, *g)
    ddual = aim / s - dual - pull * ds
    length = min(1.0, 0.99 * _reach(s, ds), 0.99 * _reach(dual, ddual))
    return c + length * direction, s + length * ds, dual + length * ddual


def _reach(x: Values, dx: Values) -> float:
    """Longest step along `dx` that keeps `x` from falling below 0."""
    falling = dx < 0
    return float(np.min(-x[falling] / dx[falling])) if falling.any() else np.inf


def innovations(c: Values, g1: float, g2: float) -> Values:
    """``G c``: what calcium gains over its own course; the first two values are calcium itself."""
    s: Values = c.copy()
    s[2:] -= g1 * c[1:-1] + g2 * c[:-2]
    return s


def _transposed(x: Values, g1: float, g2: float, *, first: float = 1.0) -> Values:
    """``G' x`` with the first two values of `x` times `first`."""
    kept = x.copy()
    kept[:2] *= first
    out: Values = kept.copy()
    out[1:-1] -= g1 * kept[2:]
    out[:-2] -= g2 * kept[2:]
    return out


def _calcium_of(s: Values, g1: float, g2: float) -> Values:
    """Inverse of `innovations`."""
    from scipy.signal import lfilter, lfiltic

    start = lfiltic([1.0], [1.0, -g1, -g2], y=[s[1], s[0]])
    rest, _ = lfilter([1.0], [1.0, -g1, -g2], s[2:], zi=start)
    return np.concatenate([s[:2], rest])


def _normal(pull: Values, weight: Values, g1: float, g2: float) -> Values:
    """``diag(weight) + G' diag(pull) G`` in the lower form of `scipy.linalg.solveh_banded`."""
    bands = np.zeros((3, pull.size))
    late = pull[2:]
    bands[0] = weight
    bands[0, :2] += pull[:2]
    bands[0, 2:] += late
    bands[0, 1:-1] += g1 * g1 * late
    bands[0, :-2] += g2 * g2 * late
    bands[1, 1:-1] += -g1 * late
    bands[1, :-2] += g1 * g2 * late
    bands[2, :-2] += -g2 * late
    return bands
