"""Non-negative deconvolution of first order, exact and in one pass: pools of adjacent violators.

The problem: calcium `c` decays by a factor `g` a frame and jumps up by ``s[t] = c[t] - g c[t-1]``,
never down. Minimise ``sum (y - c)^2 / 2 + penalty (1 - g) sum c`` under ``s >= 0``; but for the
last frame, that penalty is `penalty` times the sum of `s`. Friedrich, Zhou and Paninski 2017
(PLoS Computational Biology 13, e1005423) solve it as isotonic regression is solved: frames
stand in pools along which calcium only decays, and a pool that begins lower than its forerunner
has decayed to is merged with it. Each frame is merged once, so time is linear in frames.

With `least` above 0 a jump has to be at least so large (their hard minimal size; greedy, no longer
convex). Values that are NaN count nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.run.compiled import compiled

Values = npt.NDArray[np.float64]


@compiled
def push(
    value: float,
    g: float,
    least: float,
    level: Any,
    weight: Any,
    length: Any,
    n_pools: int,
) -> int:
    """Add one frame to the pools and merge what violates; return how many pools there are.

    `level` is calcium at a pool's first frame, `weight` the sum of ``g^(2k)`` over its frames `k`
    that count, `length` its frames. All three are changed in place.
    """
    counts = not np.isnan(value)
    level[n_pools] = value if counts else 0.0
    weight[n_pools] = 1.0 if counts else 0.0
    length[n_pools] = 1
    n_pools += 1
    while n_pools > 1:
        k = n_pools - 2
        decayed = g ** length[k]
        # a pool begins where calcium jumps, or with the first frame that counts
        jumps = weight[k] == 0 or level[k + 1] >= decayed * max(level[k], 0.0) + least
        if weight[k + 1] > 0 and jumps:
            break
        both = weight[k] + decayed * decayed * weight[k + 1]
        if both > 0:
            level[k] = (weight[k] * level[k] + decayed * weight[k + 1] * level[k + 1]) / both
        weight[k] = both
        length[k] += length[k + 1]
        n_pools -= 1
    return n_pools


@compiled
def _calcium(y: Any, g: float, penalty: float, least: float) -> Any:
    n = y.size
    level, weight = np.zeros(n + 1), np.zeros(n + 1)
    length = np.zeros(n + 1, np.int64)
    n_pools = 0
    for t in range(n):
        n_pools = push(y[t] - penalty * (1 - g), g, least, level, weight, length, n_pools)
    c = np.empty(n)
    t = 0
    for k in range(n_pools):
        now = max(level[k], 0.0)
        for _ in range(length[k]):
            c[t] = now
            now *= g
            t += 1
    return c


def calcium(y: Values, g: float, penalty: float = 0.0, least: float = 0.0) -> Values:
    """Solve the problem of this module.

    Parameters
    ----------
    y : ndarray, shape (n_frames,), float64
        Fluorescence over its baseline.
    g : float
        What remains of calcium after a frame, ``0 <= g < 1``.
    penalty : float
        In the unit of `y`.
    least : float
        Smallest jump, in the unit of `y`.

    Returns
    -------
    ndarray, shape (n_frames,), float64
        Calcium, not negative.
    """
    out: Values = _calcium(np.ascontiguousarray(y, np.float64), g, penalty, least)
    return out


@compiled
def jump(level: Any, weight: Any, length: Any, n_pools: int, g: float, back: int) -> float:
    """What calcium gained `back` frames before the newest; NaN where there is no such frame."""
    k, passed = n_pools - 1, 0
    while k >= 0 and back >= passed + length[k]:
        passed += length[k]
        k -= 1
    if k < 0:
        return np.nan
    if back != passed + length[k] - 1 or k == 0 or weight[k - 1] == 0:
        return 0.0
    before = max(level[k - 1], 0.0) * g ** length[k - 1]
    gained: float = max(level[k], 0.0) - before
    return max(gained, 0.0)


@compiled
def advance(
    y: Any, g: Any, taken: Any, back: int, level: Any, weight: Any, length: Any, n_pools: Any
) -> Any:
    """Add frames of cells, and give what calcium gained `back` frames before each.

    Parameters
    ----------
    y : ndarray, shape (n, n_cells), float64
    g, taken : ndarray, shape (n_cells,), float64
        What remains of calcium after a frame; baseline and penalty together.
    back : int
    level, weight, length : ndarray, shape (n_cells, n), float64, float64 and int64
        Pools as `push` has them, changed in place; where they are full the older half is dropped.
    n_pools : ndarray, shape (n_cells,), int64
        Changed in place.

    Returns
    -------
    ndarray, shape (n, n_cells), float64
    """
    most = level.shape[1]
    out = np.empty(y.shape)
    for j in range(y.shape[1]):
        for t in range(y.shape[0]):
            if n_pools[j] == most:
                # the older half is settled: nothing merges with it any more
                half = most // 2
                for pools in range(half):
                    level[j, pools] = level[j, pools + most - half]
                    weight[j, pools] = weight[j, pools + most - half]
                    length[j, pools] = length[j, pools + most - half]
                n_pools[j] = half
            value = y[t, j] - taken[j]
            n_pools[j] = push(value, g[j], 0.0, level[j], weight[j], length[j], n_pools[j])
            out[t, j] = jump(level[j], weight[j], length[j], n_pools[j], g[j], back)
    return out
