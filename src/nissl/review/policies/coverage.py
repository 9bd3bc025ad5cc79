"""Ask what puts most right: its own errors, and those of what lies near it and far from the known.

An item that is answered covers those around it, by a Gaussian of their distance whose width is the
median distance of all items from what is known. Of an item's expected errors goes the part that
it is covered more than by the answers there are; so what is covered already adds nothing. What
several answers put right together is a facility-location function, for which asking for the best
one after the other is near the best choice (Nemhauser et al. 1978, Math. Program. 14, 265).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.review.policies.measures import expected_error
from nissl.review.policies.pool import Pool, Ranking, ranked, wanted

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CANDIDATES = 2000
"""Items that `gains` tries, evenly among them where there are more."""
TRIED = 256
"""Of a pool: the most doubtful per second."""
_BLOCK = 256
_LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class Gains:
    """What is expected of answers.

    Parameters
    ----------
    rows : ndarray, shape (m,), int64
        Items that were tried.
    righted : ndarray, shape (m,)
        Errors that are expected to go when one is answered, its own and those of others.
    helped : ndarray, shape (m,), int64
        Other items of which a tenth of the expected errors goes at least.
    """

    rows: Ints
    righted: Floats
    helped: Ints


def coverage(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask what is expected to right most labels per second, over all that is alike.

    Parameters
    ----------
    pool : Pool
        With features; without them `BadArgumentError`. `seconds` prices each item.
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
        Scores are labels put right per second, of the item and of others; of a large pool, only the
        most doubtful are tried, and raised above the rest, which count their own alone.
    """
    features = wanted(pool.features, "features")
    own = expected_error(pool.probabilities)
    if len(pool) < 2:
        return ranked(own / pool.seconds, rng)
    tried = np.argsort(-own / pool.seconds, kind="stable")[:TRIED]
    found = gains(features, own, pool.answered, rows=tried)
    score = own / pool.seconds
    others = np.delete(score, tried)
    effect = found.righted / pool.seconds[tried]
    lift = max(0.0, float(others.max()) - float(effect.min())) if len(others) else 0.0
    score[tried] = effect + lift
    return ranked(score, rng)


def gains(
    features: Floats,
    wrong: Floats,
    known: Floats | None,
    *,
    rows: Ints | None = None,
) -> Gains:
    """Expected errors that each answer puts right.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        Distances between them say how alike items are; rows with NaN are like no other.
    wrong : ndarray, shape (n,)
        Expected errors of each item.
    known : ndarray, shape (a, d), or None
        Features of what is answered.
    rows : ndarray, shape (m,), int64, optional
        Items to try; all by default, evenly chosen ones of more than `CANDIDATES`.
    """
    if rows is None:
        step = -(-len(features) // CANDIDATES)
        rows = np.arange(0, len(features), max(step, 1), dtype=np.int64)
    away = nearest(features, known)
    width = _width(features, away)
    now = np.exp(-((away / width) ** 2))
    righted, helped = np.zeros(rows.size), np.zeros(rows.size, np.int64)
    for start in range(0, rows.size, _BLOCK):
        some = rows[start : start + _BLOCK]
        cover = np.exp(-((_apart(features, features[some]) / width) ** 2))
        share = np.maximum(cover - now[:, None], 0.0)
        share[some, np.arange(some.size)] = 1.0
        righted[start : start + some.size] = wrong @ share
        helped[start : start + some.size] = ((share >= 0.1) & (wrong > 0)[:, None]).sum(axis=0)
    return Gains(rows, righted, np.maximum(helped - (wrong[rows] > 0), 0))


def nearest(features: Floats, known: Floats | None) -> Floats:
    """Distance of each item from the nearest that is known, infinite without any."""
    away = np.full(len(features), np.inf)
    if known is not None:
        for start in range(0, len(known), _BLOCK):
            there = _apart(features, known[start : start + _BLOCK])
            away = np.minimum(away, there.min(axis=1, initial=np.inf))
    return away


def _width(features: Floats, away: Floats) -> float:
    """How far an answer reaches: as far as is usual from what is known, or from the middle."""
    there = away[np.isfinite(away) & (away > 0)]
    if not there.size:
        off = np.linalg.norm(features - np.nanmedian(features, axis=0), axis=1)
        there = off[np.isfinite(off)]
    return max(float(np.median(there)) if there.size else 0.0, _LEAST)


def _apart(a: Floats, b: Floats) -> Floats:
    """Distances, shape (n, m); infinite where a feature is NaN."""
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(np.nan_to_num(square, nan=np.inf), 0)))


__all__ = ["Gains", "coverage", "gains", "nearest"]
