"""The control: every item has the same chance."""

from __future__ import annotations

import numpy as np

from nissl.review.policies.pool import Pool, Ranking, ranked


def random(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask in random order; what every other policy is measured against.

    Parameters
    ----------
    pool : Pool
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
        Scores are all 0.
    """
    return ranked(np.zeros(len(pool)), rng, sharpness=0.0)
