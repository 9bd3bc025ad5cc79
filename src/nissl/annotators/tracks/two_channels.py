"""Motion and activity behind two channels of light: two processes, a filter and a smoother."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from nissl.run.compiled import compiled

Floats = npt.NDArray[np.float64]

SHORTEST, LONGEST_S = 0.3, 60.0
"""Time constants that are considered: from a third of a volume on, up to a minute."""
LEAST = 1e-3
"""Smallest standard deviation of anything, dF/F."""
GAIN = 0.25
"""Standard deviation of the logarithm of the gain of motion in green, before light is seen."""


@dataclass(frozen=True)
class Model:
    """Sizes (standard deviations, dF/F) and speeds of what one neuron's light is made of.

    Parameters
    ----------
    motion, activity : float
        Of the processes, at rest.
    motion_s, activity_s : float
        Their time constants, seconds.
    red, green : float
        Noise of the channels.
    gain : float
        How much of red's change by motion green shows: 1 but for light of neighbours and ground,
        of which either channel may hold more.
    """

    motion: float
    activity: float
    motion_s: float
    activity_s: float
    red: float
    green: float
    gain: float = 1.0


def fitted(y: Floats, rate_hz: float) -> Model:
    """Model under which both channels of a neuron are most likely.

    Weak priors keep sizes apart from nothing and speeds within what can be seen; activity has to
    earn its place, for its size begins small.

    Parameters
    ----------
    y : ndarray, shape (n_frames, 2)
        Change of red and green, dF/F; NaN where the neuron was not seen.
    rate_hz : float
    """
    from scipy.optimize import minimize

    rough = np.maximum(_rough(y), 5 * LEAST)
    start = np.log([rough[0], rough[1], 1.0, 2.0, rough[2], rough[2], 1.0])
    low = np.log([LEAST, LEAST, SHORTEST / rate_hz, 2 / rate_hz, LEAST, LEAST, 0.3])
    high = np.log([5.0, 20.0, LONGEST_S, LONGEST_S, 5.0, 5.0, 3.0])
    start = np.clip(start, low + 1e-3, high - 1e-3)

    def cost(p: Floats) -> float:
        away = (p - start) / np.array([2.0, 3.0, 1.5, 1.5, 1.5, 1.5, GAIN])
        return -_likelihood(np.exp(p), y, rate_hz) + 0.5 * float(away @ away)

    found = minimize(cost, start, method="L-BFGS-B", bounds=list(zip(low, high, strict=True)))
    return Model(*(float(v) for v in np.exp(found.x)))


def smoothed(model: Model, y: Floats, rate_hz: float) -> Floats:
    """Activity, its standard deviation, and motion, given all of both channels, (3, n_frames)."""
    p = np.array(list(asdict(model).values()))
    return _smooth(p, np.ascontiguousarray(y), rate_hz)


def _rough(y: Floats) -> Floats:
    """Size of motion, of activity and of noise by differences and shared changes."""
    known = y[np.isfinite(y).all(axis=1)]
    steps = np.diff(known, axis=0)
    noise = float(np.median(np.abs(steps[:, 0])) / 0.6745 / np.sqrt(2)) if len(steps) else LEAST
    shared = max(float(np.cov(known.T)[0, 1]), LEAST**2)
    rest = max(float(np.var(known[:, 1] - known[:, 0])) - 2 * noise**2, LEAST**2)
    return np.array([np.sqrt(shared), np.sqrt(rest), noise])


@compiled
def _likelihood(p: Floats, y: Floats, rate_hz: float) -> float:
    """Log likelihood of both channels, up to a constant."""
    a0, a1 = np.exp(-1 / (p[2] * rate_hz)), np.exp(-1 / (p[3] * rate_hz))
    s0, s1 = p[0] ** 2, p[1] ** 2
    q0, q1 = s0 * (1 - a0 * a0), s1 * (1 - a1 * a1)
    r0, r1 = p[4] ** 2, p[5] ** 2
    m0, m1, v00, v01, v11 = 0.0, 0.0, s0, 0.0, s1
    total = 0.0
    for t in range(y.shape[0]):
        if t > 0:
            m0, m1 = a0 * m0, a1 * m1
            v00, v01, v11 = a0 * a0 * v00 + q0, a0 * a1 * v01, a1 * a1 * v11 + q1
        if np.isfinite(y[t, 0]):
            s = v00 + r0
            e = y[t, 0] - m0
            total -= 0.5 * (np.log(s) + e * e / s)
            k0, k1 = v00 / s, v01 / s
            m0, m1 = m0 + k0 * e, m1 + k1 * e
            v11 = v11 - k1 * v01
            v01 = v01 - k0 * v01
            v00 = v00 - k0 * v00
        if np.isfinite(y[t, 1]):
            h0, h1 = p[6] * v00 + v01, p[6] * v01 + v11
            s = p[6] * h0 + h1 + r1
            e = y[t, 1] - p[6] * m0 - m1
            total -= 0.5 * (np.log(s) + e * e / s)
            k0, k1 = h0 / s, h1 / s
            m0, m1 = m0 + k0 * e, m1 + k1 * e
            v00, v01, v11 = v00 - k0 * h0, v01 - k0 * h1, v11 - k1 * h1
    return total


@compiled
def _smooth(p: Floats, y: Floats, rate_hz: float) -> Floats:
    """Rauch-Tung-Striebel smoother of the two processes."""
    n = y.shape[0]
    speed = np.diag(np.array([np.exp(-1 / (p[2] * rate_hz)), np.exp(-1 / (p[3] * rate_hz))]))
    start = np.diag(np.array([p[0] ** 2, p[1] ** 2]))
    fresh = start - speed @ start @ speed
    looks = np.array([[1.0, 0.0], [p[6], 1.0]])
    mean, var = np.zeros((n, 2)), np.zeros((n, 2, 2))
    ahead, wide = np.zeros((n, 2)), np.zeros((n, 2, 2))
    m, v = np.zeros(2), start.copy()
    for t in range(n):
        if t > 0:
            m = speed @ m
            v = speed @ v @ speed + fresh
        ahead[t], wide[t] = m, v
        for channel in range(2):
            if np.isfinite(y[t, channel]):
                h = v @ looks[channel]
                s = looks[channel] @ h + p[4 + channel] ** 2
                m = m + h / s * (y[t, channel] - looks[channel] @ m)
                v = v - np.outer(h, h) / s
        mean[t], var[t] = m, v
    for t in range(n - 2, -1, -1):
        back = var[t] @ speed @ np.linalg.inv(wide[t + 1])
        mean[t] += back @ (mean[t + 1] - ahead[t + 1])
        var[t] += back @ (var[t + 1] - wide[t + 1]) @ np.ascontiguousarray(back.T)
    out = np.empty((3, n))
    out[0], out[2] = mean[:, 1], mean[:, 0]
    out[1] = np.sqrt(np.maximum(var[:, 1, 1], 0.0))
    return out
