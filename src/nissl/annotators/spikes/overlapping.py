"""Pairs of neighbouring units whose spikes overlap more often than chance would have it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

OVERLAP_S = 1e-3
"""At most so far apart are spikes that overlap."""


def nearest_pairs(place_um: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs of units, the nearest two first, each unit in one pair at most.

    Parameters
    ----------
    place_um : ndarray, shape (n_units, n_dimensions), micrometres

    Returns
    -------
    list of (int, int)
        The lower number first; of an odd number of units one is left over.
    """
    n = len(place_um)
    apart = np.linalg.norm(place_um[:, None] - place_um[None], axis=2)
    first, second = np.triu_indices(n, 1)
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for k in np.argsort(apart[first, second], kind="stable").tolist():
        pair = int(first[k]), int(second[k])
        if not taken & set(pair):
            pairs.append(pair)
            taken |= set(pair)
    return pairs


def overlapping(
    ticks: npt.NDArray[np.int64],
    others: npt.NDArray[np.int64],
    share: float,
    window: int,
    dead: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Move a share of a unit's spikes to within a window of another unit's.

    Parameters
    ----------
    ticks, others : ndarray, shape (n_spikes,), int64, increasing
        Times of both units, in any one unit of time.
    share : float
        Of the unit's spikes; fewer where the other has too few.
    window : int
        Moved spikes lie so far from another's at most.
    dead : int
        No two spikes of the unit are nearer than this: of its spikes that stayed those too
        near to a moved one are left out.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, int64, increasing
        At most as many as `ticks`.
    """
    n = min(round(share * ticks.size), others.size)
    goals = rng.choice(others, n, replace=False) + rng.integers(-window, window + 1, n)
    goals = _apart(np.sort(goals[goals >= 0]), dead)
    stay = np.delete(ticks, rng.choice(ticks.size, n, replace=False))
    if goals.size:
        after = np.searchsorted(goals, stay)
        far = np.full(stay.size, np.iinfo(np.int64).max)
        to_next = np.where(after < goals.size, goals[np.minimum(after, goals.size - 1)] - stay, far)
        to_last = np.where(after > 0, stay - goals[np.maximum(after, 1) - 1], far)
        stay = stay[np.minimum(to_next, to_last) >= dead]
    return np.sort(np.concatenate([stay, goals]))


def _apart(ticks: npt.NDArray[np.int64], dead: int) -> npt.NDArray[np.int64]:
    kept: list[int] = []
    for tick in ticks.tolist():
        if not kept or tick - kept[-1] >= dead:
            kept.append(tick)
    return np.asarray(kept, dtype=np.int64)
