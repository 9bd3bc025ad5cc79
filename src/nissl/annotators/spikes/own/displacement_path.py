"""The most plausible path of a displacement through time, by forward and backward passes.

A hidden Markov model: states are displacements, a step from one stretch of time to the next is
small (Laplace) or, rarely, of any size, so that abrupt jumps are followed at once and slow drift
stays smooth. The answer is the mean of the posterior and its variance.
"""

from __future__ import annotations

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
    n, n_states = log_likelihood.shape
    seen = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    width = float(state_um[1] - state_um[0])
    gap = width * np.arange(1 - n_states, n_states)
    ahead = _step(gap + np.diff(origin_um)[:, None], width, bin_s)
    back = ahead[:, ::-1]
    forward, backward = np.empty_like(seen), np.ones_like(seen)
    forward[0] = seen[0] / seen[0].sum()
    for t in range(1, n):
        reached = seen[t] * np.convolve(ahead[t - 1], forward[t - 1], "valid")
        forward[t] = reached / reached.sum()
    for t in range(n - 2, -1, -1):
        held = np.convolve(back[t], seen[t + 1] * backward[t + 1], "valid")
        backward[t] = held / held.sum()
    chance = forward * backward
    chance /= chance.sum(axis=1, keepdims=True)
    mean = chance @ state_um
    variance = np.maximum(chance @ state_um**2 - mean**2, 0.0)
    return origin_um + mean, variance


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
