"""What to ask next: policies are pure functions from a pool of items to a ranking.

A policy never asks for certain what it likes best: every item keeps some chance, and the chance
is logged with the question, so that what was asked can later be reweighted to speak for all.
"""

from __future__ import annotations

from nissl.registry import Registry
from nissl.review.policies.pool import BATCH, Policy, Pool, Ranking, ranked

POLICIES: Registry[Policy] = Registry(
    "policies",
    {
        "random": "nissl.review.policies.control:random",
        "entropy": "nissl.review.policies.uncertainty:entropy",
        "margin": "nissl.review.policies.uncertainty:margin",
        "least_confident": "nissl.review.policies.uncertainty:least_confident",
        "disagreement": "nissl.review.policies.disagreement:disagreement",
        "coreset": "nissl.review.policies.diversity:coreset",
        "density": "nissl.review.policies.diversity:density",
        "leverage": "nissl.review.policies.leverage:leverage",
        "coverage": "nissl.review.policies.coverage:coverage",
        "error_reduction": "nissl.review.policies.error_reduction:error_reduction",
        "bandit": "nissl.review.policies.bandit:bandit",
        "learned": "nissl.review.policies.learned:learned",
    },
)

_NEEDS = {
    "disagreement": ("votes",),
    "coreset": ("features",),
    "density": ("features",),
    "leverage": ("features",),
    "coverage": ("features",),
    "error_reduction": ("features",),
}


def usable(pool: Pool) -> tuple[str, ...]:
    """Names of the policies that have what they need in this pool, in order of registration.

    Parameters
    ----------
    pool : Pool

    Returns
    -------
    tuple of str
        Policies of other packages are always among them.
    """
    return tuple(
        name
        for name in POLICIES
        if all(getattr(pool, field) is not None for field in _NEEDS.get(name, ()))
    )


__all__ = ["BATCH", "POLICIES", "Policy", "Pool", "Ranking", "ranked", "usable"]
