"""Ask where models, or methods, disagree with each other."""

from __future__ import annotations

import numpy as np

from nissl.review.policies.measures import mutual_information
from nissl.review.policies.pool import Pool, Ranking, ranked, wanted


def disagreement(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask where the members of an ensemble are sure of different classes.

    Query by committee (Seung, Opper and Sompolinsky 1992) by mutual information (BALD, Houlsby
    et al. 2011): what all members are equally unsure of is noise, and is not asked.

    Parameters
    ----------
    pool : Pool
        With votes; without them `BadArgumentError`.
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
        Scores in nats.
    """
    return ranked(mutual_information(wanted(pool.votes, "votes of an ensemble")), rng)
