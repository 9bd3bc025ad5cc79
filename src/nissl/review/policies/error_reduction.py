"""Ask what is expected to remove most error per second of human time.

The exact expected error reduction (Roy and McCallum 2001, ICML) refits the model once per
candidate and class. Here an answer is taken to move the probabilities of its neighbours instead,
by the surprise in it: p_j + w_ij (answer - p_i), with w_ij = k / (e_j + k), k a Gaussian kernel
between the items and e_j the evidence at j (a prior weight plus the kernel to what was answered,
as in the local model of Kottke et al. 2021, Machine Learning 110, "Toward optimal probabilistic
active learning using a Bayesian approach"). On average over its answers a question changes no
probability, so what is sure teaches nothing, and no question is expected to do harm. This costs
candidates x reference x classes^2 multiplications and no fit. What it neglects: effects beyond the
neighbourhood, and that the questions of one batch overlap.
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
    gain = _gain(pool.probabilities, tried, some, near / (weight[None] + near))
    effect = (own[tried] + gain * n / len(some)) / pool.seconds[tried]
    others = np.delete(score, tried)
    lift = max(0.0, float(others.max()) - float(effect.min())) if len(others) else 0.0
    score[tried] = effect + lift
    return ranked(score, rng)


def _gain(
    probabilities: Floats,
    tried: npt.NDArray[np.int64],
    some: npt.NDArray[np.int64],
    pull: Floats,
) -> Floats:
    """Expected fall of the reference's summed error by each candidate's answer, shape (c,)."""
    before = probabilities[some]
    found = np.full(len(tried), -before.max(1).sum())
    for start in range(0, len(tried), _BLOCK):
        rows = slice(start, start + _BLOCK)
        own = probabilities[tried[rows]]
        still = before[None] - pull[rows, :, None] * own[:, None]
        for answer in range(probabilities.shape[1]):
            after = still.copy()
            after[:, :, answer] += pull[rows]
            found[rows] += own[:, answer] * np.minimum(after.max(2), 1.0).sum(1)
    return np.asarray(np.maximum(found, 0.0), dtype=np.float64)
