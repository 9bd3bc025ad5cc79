"""Ask what covers the pool: far from what is known (core-set), or typical of many (density)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.review.policies.measures import (
    entropy_of,
    nearest,
    reference,
    similarities,
    squared_distances,
    width_of,
)
from nissl.review.policies.pool import BATCH, Pool, Ranking, ranked, wanted

Floats = npt.NDArray[np.float64]

_AHEAD = 4  # batches chosen one by one; what comes later is ranked by distance alone


def coreset(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask what lies farthest from everything answered or asked before it.

    Greedy k-center: Sener and Savarese 2018, ICLR, "Active learning for convolutional neural
    networks: a core-set approach", algorithm 1.

    Parameters
    ----------
    pool : Pool
        With features; without them `BadArgumentError`.
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
        Scores are distances to the nearest item known or chosen earlier; those of the chosen
        ones are raised above all others, in their order.
    """
    features = wanted(pool.features, "features")
    n = len(features)
    if n == 0:
        return ranked(np.zeros(0), rng)
    known = pool.answered
    far = (
        nearest(features, known)
        if known is not None and len(known)
        else np.linalg.norm(features - features.mean(0), axis=1)
    )
    score = far.copy()
    chosen = _k_center(features, far, min(n, _AHEAD * BATCH))
    score[chosen] = far.max() + np.arange(len(chosen), 0, -1)
    return ranked(score, rng)


def _k_center(features: Floats, far: Floats, size: int) -> npt.NDArray[np.int64]:
    """Positions chosen one by one; `far` is updated in place to the distances left."""
    chosen = np.empty(size, dtype=np.int64)
    for step in range(size):
        chosen[step] = best = int(np.argmax(far))
        gap = np.sqrt(squared_distances(features, features[best : best + 1])[:, 0])
        np.minimum(far, gap, out=far)
        far[best] = -1.0
    far[chosen] = 0.0
    return chosen


def density(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask what is doubtful and typical: entropy times mean similarity to the pool.

    Information density: Settles and Craven 2008, EMNLP, eq. 7 with beta = 1.

    Parameters
    ----------
    pool : Pool
        With features; without them `BadArgumentError`.
    rng : numpy.random.Generator
        Also draws the items that stand for a large pool.

    Returns
    -------
    Ranking
    """
    features = wanted(pool.features, "features")
    return ranked(entropy_of(pool.probabilities) * typicality(features, rng), rng)


def typicality(features: Floats, rng: np.random.Generator) -> Floats:
    """Mean similarity of each item to a random part of the pool.

    Parameters
    ----------
    features : ndarray, shape (n, d), float64
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n,), float64
        0 to 1.
    """
    found = np.empty(len(features))
    if len(features) == 0:
        return found
    some = features[reference(len(features), rng)]
    width = width_of(some)
    for start in range(0, len(features), 4096):
        rows = slice(start, start + 4096)
        found[rows] = similarities(features[rows], some, width).mean(1)
    return found
