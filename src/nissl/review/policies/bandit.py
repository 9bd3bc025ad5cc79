"""A bandit over the policies: it learns from the journal which of them pays here.

Linear Thompson sampling (Agrawal and Goyal 2013, ICML, algorithm 1), one model per policy. Its
state is nothing but past questions and their answers (`Trial`), so it is derived from the
journal and needs no file of its own. Choosing among active-learning strategies by a bandit is
"active learning by learning" (Hsu and Lin 2015, AAAI); the reward here is what the journal
shows at once: did the answer correct the machine, per median time of a decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.review.policies.control import random
from nissl.review.policies.disagreement import disagreement
from nissl.review.policies.diversity import coreset, density
from nissl.review.policies.error_reduction import error_reduction
from nissl.review.policies.measures import entropy_of, expected_error
from nissl.review.policies.pool import Policy, Pool, Ranking
from nissl.review.policies.uncertainty import entropy, margin

Floats = npt.NDArray[np.float64]

ARMS: Mapping[str, Policy] = {
    "random": random,
    "entropy": entropy,
    "margin": margin,
    "disagreement": disagreement,
    "coreset": coreset,
    "density": density,
    "error_reduction": error_reduction,
}
"""What it chooses among; `least_confident` says nearly the same as `margin`."""

CONTEXT = 4
"""Length of a context."""

_PRECISION = 1.0  # of the prior of every weight, in units of trials
_NOISE = 0.5  # standard deviation of a reward: the largest of a yes-or-no
_SAMPLES = 200  # draws that give each arm's chance
_DECAY = 0.995  # what was learned n trials ago counts this to the power of n


@dataclass(frozen=True)
class Trial:
    """One answered question, as the bandit sees it.

    Parameters
    ----------
    arm : str
        The policy that asked, one of `ARMS`; others teach nothing and are left out.
    context : ndarray, shape (4,), float64
        `context_of` the pool at that time.
    reward : float
        `reward_of` the answer.
    """

    arm: str
    context: Floats
    reward: float


@dataclass(frozen=True)
class Bandit:
    """A policy that chooses one of `ARMS` for each batch.

    Parameters
    ----------
    trials : sequence of Trial
        Oldest first.
    """

    trials: Sequence[Trial] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        for trial in self.trials:
            if trial.context.shape != (CONTEXT,) or not np.isfinite(trial.reward):
                raise BadArgumentError(
                    f"trials with a context of {CONTEXT} numbers and a finite reward",
                    f"{trial.context.shape}, {trial.reward}",
                    "Make them by `context_of` and `reward_of`.",
                )

    def __call__(self, pool: Pool, rng: np.random.Generator) -> Ranking:
        """Choose an arm by Thompson sampling and draw the order that it gives.

        The probabilities are those of the whole lottery: over the arms and within each.

        Parameters
        ----------
        pool : Pool
        rng : numpy.random.Generator

        Returns
        -------
        Ranking
            Scores are the chosen arm's; `arm` names it.
        """
        names = arms_of(pool)
        shares = self.shares(pool, rng)
        rankings = [ARMS[name](pool, rng) for name in names]
        index = int(rng.choice(len(names), p=shares))
        chosen = rankings[index]
        mixed = sum(
            (share * ranking.probability for share, ranking in zip(shares, rankings, strict=True)),
            start=np.zeros(len(pool)),
        )
        return Ranking(chosen.order, chosen.score, np.minimum(mixed, 1.0), names[index])

    def shares(self, pool: Pool, rng: np.random.Generator) -> Floats:
        """Chance of each of the pool's arms to be chosen.

        Parameters
        ----------
        pool : Pool
        rng : numpy.random.Generator

        Returns
        -------
        ndarray, shape (n_arms,), float64
            Sums to 1, every one above 0; in the order of `arms_of`.
        """
        names = arms_of(pool)
        x = context_of(pool)
        draws = np.empty((_SAMPLES, len(names)))
        for column, name in enumerate(names):
            mean, covariance = self._posterior(name)
            spread = float(np.sqrt(x @ covariance @ x))
            draws[:, column] = x @ mean + spread * rng.standard_normal(_SAMPLES)
        wins = np.bincount(draws.argmax(1), minlength=len(names)) + 1.0
        return np.asarray(wins / wins.sum(), dtype=np.float64)

    def _posterior(self, name: str) -> tuple[Floats, Floats]:
        """Mean and covariance of an arm's weights."""
        precision = np.eye(CONTEXT) * _PRECISION
        pull = np.zeros(CONTEXT)
        weight = 1.0
        for trial in reversed(self.trials):
            if trial.arm == name:
                precision += weight * np.outer(trial.context, trial.context)
                pull += weight * trial.reward * trial.context
            weight *= _DECAY
        covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        return covariance @ pull, _NOISE**2 * covariance


def bandit(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask by a bandit that has no past: each arm has about the same chance.

    `Bandit(trials)` is the same policy with the journal's past.

    Parameters
    ----------
    pool : Pool
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
    """
    return Bandit()(pool, rng)


def arms_of(pool: Pool) -> tuple[str, ...]:
    """Names of the arms that have what they need in this pool.

    Parameters
    ----------
    pool : Pool

    Returns
    -------
    tuple of str
    """
    lacking: set[str] = set()
    if pool.votes is None:
        lacking.add("disagreement")
    if pool.features is None:
        lacking |= {"coreset", "density", "error_reduction"}
    return tuple(name for name in ARMS if name not in lacking)


def context_of(pool: Pool) -> Floats:
    """Where the review stands: what the value of an arm may depend on.

    Parameters
    ----------
    pool : Pool

    Returns
    -------
    ndarray, shape (4,), float64
        1; share answered; mean expected error; spread of the entropy relative to its largest.
    """
    n = len(pool)
    if n == 0:
        return np.array([1.0, 1.0, 0.0, 0.0])
    spread = float(entropy_of(pool.probabilities).std() / np.log(pool.probabilities.shape[1]))
    share = pool.n_answered / (pool.n_answered + n)
    return np.array([1.0, share, float(expected_error(pool.probabilities).mean()), spread])


def reward_of(corrected: bool, took_s: float, median_s: float) -> float:
    """Reward of an answer: 1 for a correction made in the median time, 0 for none.

    Parameters
    ----------
    corrected : bool
        The answer differs from what the machine proposed.
    took_s, median_s : float
        Time of this decision and the median of the reader's decisions, seconds, above 0.

    Returns
    -------
    float
        0 to 2: a correction in half the median time or less counts twice.
    """
    if took_s <= 0 or median_s <= 0:
        raise BadArgumentError(
            "times above 0", f"{took_s} and {median_s} s", "Leave out answers without a time."
        )
    return float(np.clip(median_s / took_s, 0.0, 2.0)) if corrected else 0.0


def logged(policy: str, ranking: Ranking, pool: Pool) -> dict[str, Any]:
    """What the journal must keep with each question so that a bandit can learn from it.

    Parameters
    ----------
    policy : str
        Name of the policy that was asked.
    ranking : Ranking
    pool : Pool
        What it ranked.

    Returns
    -------
    dict
        JSON values "arm" and "context", for the body of the question.
    """
    return {"arm": ranking.arm or policy, "context": context_of(pool).tolist()}


def trials_of(answered: Sequence[tuple[Mapping[str, Any], bool, float]]) -> tuple[Trial, ...]:
    """Derive the bandit's past from the journal.

    Parameters
    ----------
    answered : sequence of (body, corrected, took_s)
        For each answered question, oldest first: its body with what `logged` gave, whether the
        answer differs from what the machine proposed, and how long it took, seconds. Questions of
        other policies, or without a time, are left out.

    Returns
    -------
    tuple of Trial
    """
    known = [
        (body, corrected, took_s)
        for body, corrected, took_s in answered
        if body.get("arm") in ARMS and "context" in body and took_s > 0
    ]
    median = float(np.median([took_s for _, _, took_s in known])) if known else 1.0
    return tuple(
        Trial(
            str(body["arm"]),
            np.asarray(body["context"], dtype=np.float64),
            reward_of(corrected, took_s, median),
        )
        for body, corrected, took_s in known
    )
