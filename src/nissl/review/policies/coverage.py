"""Ask what puts most right: its own errors, and those of what lies near it and far from the known.

How often a method errs rises with the distance from what it learnt; by how much is told by the
doubts themselves (a monotone curve: pool adjacent violators, Ayer et al. 1955, Ann. Math. Stat.
26, 641). An item that is answered brings its neighbours nearer to something known, and of their
expected errors goes the share by which the curve is lower there. So items that are covered by
answers already add nothing, and errors that no distance explains are not promised away. What
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
N_BINS = 12
"""Groups of equally many items from which the curve is taken."""
_BLOCK = 256
_LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class Curve:
    """How often an item is wrong at a distance from what is known.

    Parameters
    ----------
    distance, rate : ndarray, shape (n,)
        Both increase; straight in between, level beyond.
    """

    distance: Floats
    rate: Floats

    def at(self, distance: Floats) -> Floats:
        """The rate at any distances; at infinity the last one."""
        return np.asarray(np.interp(distance, self.distance, self.rate), np.float64)


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
    found = gains(features, own, np.ones(len(pool)), pool.answered, rows=tried)
    score = own / pool.seconds
    others = np.delete(score, tried)
    effect = found.righted / pool.seconds[tried]
    lift = max(0.0, float(others.max()) - float(effect.min())) if len(others) else 0.0
    score[tried] = effect + lift
    return ranked(score, rng)


def gains(
    features: Floats,
    wrong: Floats,
    size: Floats,
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
    size : ndarray, shape (n,)
        How many an item could have, at most.
    known : ndarray, shape (a, d), or None
        Features of what is answered.
    rows : ndarray, shape (m,), int64, optional
        Items to try; all by default, evenly chosen ones of more than `CANDIDATES`.
    """
    if rows is None:
        step = -(-len(features) // CANDIDATES)
        rows = np.arange(0, len(features), max(step, 1), dtype=np.int64)
    away = nearest(features, known)
    curve = fitted(away, wrong, size) if np.isfinite(away).any() else assumed(features)
    now = np.maximum(curve.at(away), _LEAST)
    righted, helped = np.zeros(rows.size), np.zeros(rows.size, np.int64)
    for start in range(0, rows.size, _BLOCK):
        some = rows[start : start + _BLOCK]
        share = np.clip(1 - curve.at(_apart(features, features[some])) / now[:, None], 0, 1)
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


def fitted(away: Floats, wrong: Floats, size: Floats) -> Curve:
    """The curve that expected errors follow over the distance from what is known."""
    use = np.flatnonzero(np.isfinite(away) & (size > 0) & (away > 0))
    use = use[np.argsort(away[use], kind="stable")]
    groups = [g for g in np.array_split(use, min(N_BINS, max(use.size // 4, 1))) if g.size]
    if not groups:
        return Curve(np.zeros(1), np.ones(1))
    place = np.asarray([away[g].mean() for g in groups])
    weight = np.asarray([size[g].sum() for g in groups])
    rate = np.asarray([wrong[g].sum() for g in groups]) / weight
    return Curve(place, np.maximum(_rising(rate, weight), _LEAST))


def assumed(features: Floats) -> Curve:
    """The curve where nothing is known: errors rise up to the distance that is usual."""
    middle = np.nanmedian(features, axis=0) if len(features) else np.zeros(features.shape[1])
    usual = float(np.nanmedian(np.linalg.norm(features - middle, axis=1))) if len(features) else 0.0
    grid = np.linspace(0, 2, 21)
    return Curve(grid * max(usual, _LEAST), np.maximum(1 - np.exp(-(grid**2)), _LEAST))


def _apart(a: Floats, b: Floats) -> Floats:
    """Distances, shape (n, m); infinite where a feature is NaN."""
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(np.nan_to_num(square, nan=np.inf), 0)))


def _rising(rate: Floats, weight: Floats) -> Floats:
    """The nearest values that do not fall, by pooling neighbours that do."""
    pools: list[list[float]] = []
    for value, w in zip(rate.tolist(), weight.tolist(), strict=True):
        pools.append([value, w, 1])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            last = pools.pop()
            total = pools[-1][1] + last[1]
            pools[-1] = [
                (pools[-1][0] * pools[-1][1] + last[0] * last[1]) / total,
                total,
                pools[-1][2] + last[2],
            ]
    return np.concatenate([np.full(int(n), value) for value, _, n in pools])


__all__ = ["Curve", "Gains", "coverage", "gains", "nearest"]
