"""Ask what is expected to remove most error per second of human time.

The exact expected error reduction (Roy and McCallum 2001, ICML) refits the model once per
candidate and class. Here an answer is taken to speak for its neighbours instead: the model's
probabilities at an item count as evidence of a certain weight, an answer nearby adds to it by a
Gaussian kernel, and the expected error afterwards follows in closed form (the local Dirichlet
model of Kottke et al. 2021, Machine Learning 110, "Toward optimal probabilistic active learning
using a Bayesian approach", with the model's calibrated probabilities as the prior). This costs
candidates x reference x classes^2 multiplications and no fit. What it neglects: effects of an
answer beyond its neighbourhood, and that questions of one batch overlap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.review.policies.measures import (
    expected_error,
    reference,
    similarities,
    width_of,
)
from nissl.review.policies.pool import Pool, Ranking, ranked, wanted

Floats = npt.NDArray[np.float64]

CANDIDATES = 256
"""Items whose effect is computed; chosen by doubt per second, the rest ranks below them."""

PRIOR = 1.0
"""Weight of the model's probabilities at an item, in answers given at that very place."""

_BLOCK = 32


def error_reduction(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask by expected error reduction per second.

    Parameters
    ----------
    pool : Pool
        With features; without them `BadArgumentError`. `seconds` prices each candidate.
    rng : numpy.random.Generator
        Also draws the items that stand for a large pool.

    Returns
    -------
    Ranking
        Scores are labels put right per second, of the candidate and its neighbours; all others
        count their own alone, and the candidates are raised above them by a common amount.
    """
    features = wanted(pool.features, "features")
    own = expected_error(pool.probabilities)
    score = own / pool.seconds
    n = len(pool)
    if n < 2:
        return ranked(score, rng)
    tried = np.argsort(-score, kind="stable")[:CANDIDATES]
    some = reference(n, rng)
    width = width_of(features[some])
    weight = np.full(len(some), PRIOR)
    if pool.answered is not None and len(pool.answered):
        weight += similarities(features[some], pool.answered, width).sum(1)
    near = similarities(features[tried], features[some], width)
    near[tried[:, None] == some[None]] = 0.0  # its own error is counted apart, as certain
    after = _expected_errors(pool.probabilities, tried, some, near, weight)
    gain = own[some].sum() - after
    effect = (own[tried] + gain * n / len(some)) / pool.seconds[tried]
    others = np.delete(score, tried)
    lift = max(0.0, float(others.max()) - float(effect.min())) if len(others) else 0.0
    score[tried] = effect + lift
    return ranked(score, rng)


def _expected_errors(
    probabilities: Floats,
    tried: npt.NDArray[np.int64],
    some: npt.NDArray[np.int64],
    near: Floats,
    weight: Floats,
) -> Floats:
    """Summed expected error of the reference after each candidate's answer, shape (c,)."""
    prior = probabilities[some] * weight[:, None]
    found = np.zeros(len(tried))
    for start in range(0, len(tried), _BLOCK):
        rows = slice(start, start + _BLOCK)
        pull = near[rows]
        for answer in range(probabilities.shape[1]):
            evidence = np.repeat(prior[None], len(pull), axis=0)
            evidence[:, :, answer] += pull
            error = (1 - evidence.max(2) / (weight[None] + pull)).sum(1)
            found[rows] += probabilities[tried[rows], answer] * error
    return found
