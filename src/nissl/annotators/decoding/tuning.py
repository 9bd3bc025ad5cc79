"""Tuning of neurons to direction: cosine fits with intervals.

Georgopoulos, Kalaska, Caminiti and Massey 1982, On the relations between the direction of
two-dimensional arm movements and cell discharge in primate motor cortex, J. Neurosci. 2,
1527-1537: rate = b0 + b1 cos(direction - preferred).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, MissingInputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tuning:
    """Cosine tuning of units.

    Parameters
    ----------
    baseline : ndarray, shape (n_units,), Hz
    depth : ndarray, shape (n_units,), Hz
        Amplitude of the cosine; half of peak to trough.
    preferred : ndarray, shape (n_units,), rad
        -pi to pi.
    explained : ndarray, shape (n_units,)
        Share of the variance of the rate.
    depth_interval : ndarray, shape (2, n_units), Hz
    preferred_half_width : ndarray, shape (n_units,), rad
        Of the interval around `preferred`; pi where every direction is possible.
    tuned : ndarray, shape (n_units,), bool
        Whether the depth exceeds that of shuffled blocks, at the level of the intervals.
    """

    baseline: Array
    depth: Array
    preferred: Array
    explained: Array
    depth_interval: Array
    preferred_half_width: Array
    tuned: npt.NDArray[np.bool_]


def cosine_tuning(
    counts: Array,
    velocity: Array,
    bin_s: float,
    *,
    rng: np.random.Generator,
    least_speed: float = 0.0,
    block: int = 20,
    n: int = 500,
    level: float = 0.95,
) -> Tuning:
    """Fit cosines by least squares; blocks of bins are resampled, for neighbours are alike.

    Parameters
    ----------
    counts : ndarray, shape (n_bins, n_units)
    velocity : ndarray, shape (n_bins, 2)
    bin_s : float
    rng : numpy.random.Generator
    least_speed : float
        Slower bins are left out; in units of `velocity`.
    block : int
        Bins that are resampled together, and shifted together for the null.
    n : int
        Resamples.
    level : float
        Of intervals and of the test.

    Returns
    -------
    Tuning

    Raises
    ------
    BadArgumentError
        Arrays that do not fit.
    MissingInputError
        Fewer than ten blocks of moving bins.
    """
    rate, velocity = np.asarray(counts, float) / bin_s, np.asarray(velocity, float)
    if rate.ndim != 2 or velocity.shape != (len(rate), 2) or not bin_s > 0:
        raise BadArgumentError(
            "counts (n_bins, n_units) and a velocity (n_bins, 2)",
            f"{rate.shape} and {velocity.shape}",
            "Bin both on the same clock.",
        )
    speed = np.hypot(*velocity.T)
    moving = speed > least_speed
    rate, angle = rate[moving], np.arctan2(velocity[moving, 1], velocity[moving, 0])
    n_blocks = len(rate) // block
    if n_blocks < 10:
        raise MissingInputError(
            f"at least {10 * block} bins of movement", str(len(rate)), "Lower least_speed."
        )
    rate, angle = rate[: n_blocks * block], angle[: n_blocks * block]
    design = np.column_stack([np.ones(len(angle)), np.cos(angle), np.sin(angle)])
    parts = design.reshape(n_blocks, block, 3)
    gram = np.einsum("bti,btj->bij", parts, parts)
    cross = np.einsum("bti,btu->biu", parts, rate.reshape(n_blocks, block, -1))
    whole = np.linalg.solve(gram.sum(axis=0), cross.sum(axis=0))
    drawn = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=n)
    weights = np.linalg.solve(
        np.einsum("rb,bij->rij", drawn, gram), np.einsum("rb,biu->riu", drawn, cross)
    )
    null = np.empty((n, rate.shape[1]))
    for r, shift in enumerate((block * rng.integers(1, n_blocks, n)).tolist()):
        moved = np.linalg.solve(gram.sum(axis=0), np.roll(design, shift, axis=0).T @ rate)
        null[r] = np.hypot(moved[1], moved[2])
    tail = 50 * (1 - level)
    depth, depths = np.hypot(whole[1], whole[2]), np.hypot(weights[:, 1], weights[:, 2])
    preferred = np.arctan2(whole[2], whole[1])
    away = np.abs(np.angle(np.exp(1j * (np.arctan2(weights[:, 2], weights[:, 1]) - preferred))))
    rest = np.sum((rate - design @ whole) ** 2, axis=0)
    total = np.sum((rate - rate.mean(axis=0)) ** 2, axis=0)
    return Tuning(
        baseline=whole[0],
        depth=depth,
        preferred=preferred,
        explained=1 - rest / np.where(total > 0, total, 1.0),
        depth_interval=np.percentile(depths, [tail, 100 - tail], axis=0),
        preferred_half_width=np.percentile(away, 100 * level, axis=0),
        tuned=(depth > np.percentile(null, 100 * level, axis=0)) & (total > 0),
    )
