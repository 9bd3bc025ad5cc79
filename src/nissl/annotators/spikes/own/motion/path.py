"""The most plausible path of a displacement through time, by forward and backward passes.

A hidden Markov model: states are displacements, a step from one stretch of time to the next is
small (Laplace) or, rarely, of any size, so that abrupt jumps are followed at once and slow drift
stays smooth. The answer is the mean of the posterior and its variance.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

STEP_UM = 1.0
"""Scale of the steps of one second, micrometres; grows with the square root of time."""
JUMP_RATE_HZ = 1e-3
"""How often the tissue jumps."""
JUMP_UM = 300.0
"""Jumps of up to half of this, either way, are equally likely."""

Floats = npt.NDArray[np.float64]


def posterior(
    log_likelihood: Floats, state_um: Floats, origin_um: Floats, bin_s: float
) -> tuple[Floats, Floats]:
    """Mean and variance of the displacement in each stretch of time.

    Parameters
    ----------
    log_likelihood : ndarray, shape (T, S), float64
        Of the peaks in each stretch, for each state.
    state_um : ndarray, shape (S,), float64, um
        Displacement of each state beyond the origin; evenly spaced.
    origin_um : ndarray, shape (T,), float64, um
        Displacement from which the states of each stretch are counted.
    bin_s : float, s
        Duration of a stretch.

    Returns
    -------
    mean : ndarray, shape (T,), float64, um
        Origin included.
    variance : ndarray, shape (T,), float64, um^2
    """
    n_states = state_um.size
    seen = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    width = float(state_um[1] - state_um[0])
    gap = width * np.arange(1 - n_states, n_states)
    ahead = _step(gap + np.diff(origin_um)[:, None], width, bin_s)
    chance = _chances(seen, ahead)
    mean = chance @ state_um
    variance = np.maximum(chance @ state_um**2 - mean**2, 0.0)
    return origin_um + mean, variance


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _chances(seen: Floats, ahead: Floats) -> Floats:
    """Posterior of the states, (T, S), from what is seen and the chances of steps, (T-1, 2S-1)."""
    n, n_states = seen.shape
    forward, backward = np.empty((n, n_states)), np.ones((n, n_states))
    forward[0] = seen[0] / seen[0].sum()
    for t in range(1, n):
        for to in range(n_states):
            total = 0.0
            for origin in range(n_states):
                total += ahead[t - 1, to - origin + n_states - 1] * forward[t - 1, origin]
            forward[t, to] = total * seen[t, to]
        forward[t] /= forward[t].sum()
    for t in range(n - 2, -1, -1):
        coming = seen[t + 1] * backward[t + 1]
        for origin in range(n_states):
            total = 0.0
            for to in range(n_states):
                total += ahead[t, to - origin + n_states - 1] * coming[to]
            backward[t, origin] = total
        backward[t] /= backward[t].sum()
    for t in range(n):
        forward[t] *= backward[t]
        forward[t] /= forward[t].sum()
    return forward


def _step(move_um: Floats, width_um: float, bin_s: float) -> Floats:
    """Probability of steps, summed over the width of a state."""
    scale = STEP_UM * np.sqrt(bin_s)
    rare = JUMP_RATE_HZ * bin_s
    high, low = (_cumulated((move_um + half) / scale) for half in (width_um / 2, -width_um / 2))
    return np.asarray((1 - rare) * (high - low) + rare * width_um / JUMP_UM)


def _cumulated(z: Floats) -> Floats:
    """Cumulative distribution of a standard Laplace density."""
    tail = 0.5 * np.exp(-np.abs(z))
    return np.where(z < 0, tail, 1 - tail)
