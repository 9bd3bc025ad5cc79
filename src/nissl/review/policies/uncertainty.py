"""Ask what the model is least sure of (Settles 2009, Active Learning Literature Survey, 3.1)."""

from __future__ import annotations

import numpy as np

from nissl.review.policies.measures import entropy_of, expected_error, margin_of
from nissl.review.policies.pool import Pool, Ranking, ranked


def entropy(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask where the probabilities are spread widest.

    Parameters
    ----------
    pool : Pool
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
        Scores are entropies, nats.
    """
    return ranked(entropy_of(pool.probabilities), rng)


def margin(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask where the two likeliest classes are closest.

    Parameters
    ----------
    pool : Pool
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
        Scores are 1 - (first - second probability).
    """
    return ranked(margin_of(pool.probabilities), rng)


def least_confident(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask where the likeliest class is most probably wrong.

    Parameters
    ----------
    pool : Pool
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
        Scores are expected errors, 0 to 1.
    """
    return ranked(expected_error(pool.probabilities), rng)
