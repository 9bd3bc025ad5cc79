"""Ask what is doubtful and unlike what is known: doubt times leverage, per second of human time.

The information that an answer adds to a logistic model is its weight times its leverage. The
weight is the doubt, 1 - sum p^2 (the trace of the covariance of the answer); the leverage is the
variance that the model's prediction still has there, x' V x, with V from everything answered
(information gain of MacKay 1992, Neural Computation 4, 590-604; Bayesian D-optimal design:
Chaloner and Verdinelli 1995, Statistical Science 10, 273-304). Each choice is taken for answered
before the next is made, so a batch does not ask the same thing twice. The model is linear
whatever the learner is: it stands for the directions in which items differ, no more. Doubt alone
asks again and again in the crowd between two classes, where people disagree too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.review.policies.pool import BATCH, Pool, Ranking, ranked, wanted

Floats = npt.NDArray[np.float64]

PRIOR = 10.0
"""What is known of every weight before the first answer, in answers at one standard deviation."""

_AHEAD = 2  # batches chosen one by one; what comes later is ranked as it stands at the start


def leverage(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask what adds most information to a linear model of the features per second.

    Parameters
    ----------
    pool : Pool
        With features; without them `BadArgumentError`. `seconds` prices each candidate.
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
        Scores are doubt times leverage per second; those of the items chosen one by one are
        raised above all others, in their order.
    """
    features = _with_constant(wanted(pool.features, "features"))
    doubt = 1 - (pool.probabilities**2).sum(1)
    if len(doubt) == 0:
        return ranked(doubt, rng)
    precision = PRIOR * np.eye(features.shape[1])
    if pool.answered is not None:
        known = _with_constant(pool.answered)
        precision += doubt.mean() * known.T @ known
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    score = doubt * ((features @ covariance) * features).sum(1) / pool.seconds
    size = min(len(doubt), _AHEAD * BATCH)
    chosen = _one_by_one(features, doubt, pool.seconds, covariance, size)
    score[chosen] = score.max() + np.arange(len(chosen), 0, -1)
    return ranked(score, rng)


def _one_by_one(
    features: Floats, doubt: Floats, seconds: Floats, covariance: Floats, size: int
) -> npt.NDArray[np.int64]:
    """Positions by gain per second, each after the covariance was updated for those before it."""
    spread = ((features @ covariance) * features).sum(1)
    free = np.ones(len(features), dtype=bool)
    chosen = np.empty(size, dtype=np.int64)
    for step in range(size):
        chosen[step] = best = int(np.argmax(np.where(free, doubt * spread / seconds, -1.0)))
        free[best] = False
        along = covariance @ features[best]
        shrink = doubt[best] / (1 + doubt[best] * spread[best])
        covariance = covariance - shrink * np.outer(along, along)
        spread = np.maximum(spread - shrink * (features @ along) ** 2, 0.0)
    return chosen


def _with_constant(features: Floats) -> Floats:
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)
