"""Pool and Ranking: what may be asked now, and in which order with which chance.

The first `BATCH` items of a ranking are the next batch. They are drawn with fixed size and
given inclusion probabilities by Pareto sampling (Rosen 1997, J. Stat. Plan. Inference 62,
159-191): probabilities fall with the rank of an item's score as in the stochastic batches of
Kirsch et al. 2023 (Transactions on Machine Learning Research, "Stochastic batch acquisition"),
mixed with a uniform share. So a batch is not twenty copies of the same doubt, and every item
can be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BATCH = 20
"""Questions between two rankings; the probabilities of a ranking are those of its first 20."""

UNIFORM = 0.1
"""Share of a batch that is drawn uniformly, whatever the scores."""

SHARPNESS = 2.0
"""Fall of the chance with the rank r of a score: as r to the power of minus this."""

_SIMPLEX = 1e-6
_EDGE = 1e-12


@dataclass(frozen=True)
class Pool:
    """What may be asked now.

    Parameters
    ----------
    items : ndarray, shape (n,), int64
        Opaque ids.
    probabilities : ndarray, shape (n, k), float64
        Calibrated probability of each class; rows sum to 1.
    votes : ndarray, shape (m, n, k), float64, optional
        Probabilities by each member of an ensemble, or by each of several methods.
    features : ndarray, shape (n, d), float64, optional
        Standardised, no NaN.
    seconds : ndarray, shape (n,), float64
        Expected human time of a decision, seconds, above 0.
    answered : ndarray, shape (a, d), float64, optional
        Features of what was answered already.
    groups : ndarray, shape (n,), int64, optional
        Subject or recording of each item.
    """

    items: Ints
    probabilities: Floats
    votes: Floats | None
    features: Floats | None
    seconds: Floats
    answered: Floats | None
    groups: Ints | None

    def __post_init__(self) -> None:
        n = len(self.items)
        self._check_probabilities(n)
        self._check_seconds(n)
        self._check_features(n)
        if self.groups is not None and self.groups.shape != (n,):
            raise _bad(f"groups of shape ({n},)", str(self.groups.shape))

    def __len__(self) -> int:
        return len(self.items)

    @property
    def n_answered(self) -> int:
        """Items answered before, 0 where that is not known."""
        return 0 if self.answered is None else len(self.answered)

    def _check_probabilities(self, n: int) -> None:
        p = self.probabilities
        if p.ndim != 2 or len(p) != n or p.shape[1] < 2:
            raise _bad(f"probabilities of shape ({n}, 2 or more classes)", str(p.shape))
        sets = [p] if self.votes is None else [p, self.votes]
        if self.votes is not None and (
            self.votes.ndim != 3 or self.votes.shape[1:] != p.shape or not len(self.votes)
        ):
            raise _bad(f"votes of shape (members, {n}, {p.shape[1]})", str(self.votes.shape))
        for values in sets:
            if not np.all(values >= -_SIMPLEX) or np.any(abs(values.sum(-1) - 1) > 1e-3):
                raise _bad("probabilities from 0 that sum to 1", "others or NaN")

    def _check_seconds(self, n: int) -> None:
        if self.seconds.shape != (n,):
            raise _bad(f"seconds of shape ({n},)", str(self.seconds.shape))
        if not np.all((self.seconds > 0) & np.isfinite(self.seconds)):
            raise _bad("finite seconds above 0", "others or NaN")

    def _check_features(self, n: int) -> None:
        if self.features is None:
            return
        if self.features.ndim != 2 or len(self.features) != n:
            raise _bad(f"features of shape ({n}, d)", str(self.features.shape))
        known = self.answered
        if known is not None and (known.ndim != 2 or known.shape[1] != self.features.shape[1]):
            raise _bad(
                f"answered features of shape (a, {self.features.shape[1]})", str(known.shape)
            )
        if not np.all(np.isfinite(self.features)) or (
            known is not None and not np.all(np.isfinite(known))
        ):
            raise _bad("features without NaN", "NaN or infinity")


@dataclass(frozen=True)
class Ranking:
    """The order in which a policy asks.

    Parameters
    ----------
    order : ndarray, shape (n,), int64
        Positions in the pool, the next question first.
    score : ndarray, shape (n,), float64
        By position in the pool; higher is rather asked.
    probability : ndarray, shape (n,), float64
        By position in the pool: chance to be among the next `BATCH` questions, above 0. Logged
        with the question, for reweighting.
    arm : str
        The policy that a bandit chose for this batch, else empty. Logged with the question, since
        the bandit learns from it.
    """

    order: Ints
    score: Floats
    probability: Floats
    arm: str = ""


Policy = Callable[[Pool, np.random.Generator], Ranking]


def ranked(
    score: Floats,
    rng: np.random.Generator,
    *,
    batch: int = BATCH,
    sharpness: float = SHARPNESS,
    uniform: float = UNIFORM,
) -> Ranking:
    """Draw an order from scores, with the chance of every item to be in the first batch.

    Parameters
    ----------
    score : ndarray, shape (n,), float64
        No NaN; ties are broken at random.
    rng : numpy.random.Generator
    batch : int
        Size of the next batch.
    sharpness : float
        0 gives every item the same chance.
    uniform : float
        Share of the batch drawn uniformly, above 0 and up to 1.

    Returns
    -------
    Ranking
        The probabilities sum to `batch`, or are all 1 where the pool is not larger.
    """
    return drawn(score, chances(score, rng, batch=batch, sharpness=sharpness, uniform=uniform), rng)


def chances(
    score: Floats,
    rng: np.random.Generator,
    *,
    batch: int = BATCH,
    sharpness: float = SHARPNESS,
    uniform: float = UNIFORM,
) -> Floats:
    """Chance of every item to be in the first batch, before anything is drawn.

    Parameters
    ----------
    score, rng, batch, sharpness, uniform
        As in `ranked`; `rng` breaks ties.

    Returns
    -------
    ndarray, shape (n,), float64
    """
    n = len(score)
    if np.any(np.isnan(score)):
        raise _bad("scores without NaN", "NaN")
    if batch < 1 or not 0 < uniform <= 1 or sharpness < 0:
        raise _bad(
            "batch >= 1, 0 < uniform <= 1, sharpness >= 0", f"{batch}, {uniform}, {sharpness}"
        )
    if n <= batch:
        return np.ones(n)
    ranks = np.empty(n)
    ranks[np.lexsort((rng.random(n), -score))] = np.arange(1, n + 1)
    return (1 - uniform) * inclusion(ranks**-sharpness, batch) + uniform * batch / n


def drawn(score: Floats, probability: Floats, rng: np.random.Generator) -> Ranking:
    """Order items so that the first batch has the given inclusion probabilities.

    Pareto sampling: each item gets the odds of a uniform number over the odds of its
    probability, and the smallest come first.

    Parameters
    ----------
    score, probability : ndarray, shape (n,), float64
        Where all probabilities are 1 the order is that of the score.
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
    """
    if np.all(probability >= 1):
        order = np.lexsort((rng.random(len(score)), -score))
        return Ranking(order.astype(np.int64), score, probability)
    u = rng.random(len(score))
    p = np.clip(probability, _EDGE, 1 - _EDGE)
    keys = np.log(u) - np.log1p(-u) - np.log(p) + np.log1p(-p)
    return Ranking(np.argsort(keys, kind="stable").astype(np.int64), score, probability)


def inclusion(weights: Floats, size: int) -> Floats:
    """Inclusion probabilities 1 - exp(-c w) with the c for which they sum to `size`.

    Those of successive draws without replacement, to first order (Rosen 1997, sec. 5).

    Parameters
    ----------
    weights : ndarray, shape (n,), float64
        Above 0.
    size : int
        Below n.

    Returns
    -------
    ndarray, shape (n,), float64
    """
    low, high = -50.0, 1.0 - float(np.log(weights.min())) + np.log(1.0 + size)
    while float(-np.expm1(-np.exp(high) * weights).sum()) < size:
        high += 5.0
    for _ in range(60):
        middle = (low + high) / 2
        total = float(-np.expm1(-np.exp(middle) * weights).sum())
        low, high = (middle, high) if total < size else (low, middle)
    return np.asarray(-np.expm1(-np.exp(high) * weights), dtype=np.float64)


def wanted(values: Floats | None, what: str) -> Floats:
    """Return an optional part of the pool, or an error that says what the policy lacks."""
    if values is None:
        raise BadArgumentError(
            f"a pool with {what}",
            "none",
            "Ask by `entropy` or `random`, or give the pool what this policy needs.",
        )
    return values


def _bad(expected: str, got: str) -> BadArgumentError:
    return BadArgumentError(expected, got, "Correct what the pool or the policy is given.")
