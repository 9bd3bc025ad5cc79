"""Campaigns of active learning: a pool, a policy that asks, a learner, a test set apart.

A campaign starts from a few random answers; in each round the learner is fitted to all answers,
scored, and the policy draws the next batch. The audit sample is drawn from the pool before the
first round, and is neither asked nor learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nissl.review.policies import BATCH, Policy, Pool, Ranking
from nissl.review.policies.bandit import Bandit, Trial, context_of, reward_of
from nissl.review.policies.learned import stop_probability
from nissl.review.simulated import Pace, SimulatedReader
from nissl.review.stopping import Asked, Audited, change_ahead, remaining
from nissl.review.timing import ambiguity_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Items:
    """Items with known classes.

    Parameters
    ----------
    raw : ndarray, shape (n, d), float64
        Metrics as they are, NaN where missing; what the learner sees.
    features : ndarray, shape (n, d), float64
        Standardised, no NaN; what policies see.
    truth : ndarray, shape (n,), int64
    """

    raw: Floats
    features: Floats
    truth: Ints

    def take(self, rows: Ints) -> Items:
        """Some of the items."""
        return Items(self.raw[rows], self.features[rows], self.truth[rows])

    def __len__(self) -> int:
        return len(self.truth)


class Model(Protocol):
    """What a learner gives."""

    def votes(self, x: Floats) -> Floats:
        """Probabilities by each member, shape (m, n, k)."""

    def out_of_fold(self) -> Floats:
        """Probabilities of the items it was fitted to, each without itself; shape (n, k)."""


Learner = Callable[[Floats, Ints, int, int], Model]
"""From metrics, classes, number of classes and a seed."""


MEMBERS = 4
_PARAMETERS = {
    "objective": "multiclass",
    "num_leaves": 7,
    "learning_rate": 0.15,
    "min_data_in_leaf": 5,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "max_bin": 63,
    "num_threads": 1,
    "verbosity": -1,
}
_ROUNDS = 40


@dataclass(frozen=True)
class Boosted:
    """Gradient-boosted trees, one member per fold left out."""

    members: tuple[Any, ...]
    oof: Floats

    def votes(self, x: Floats) -> Floats:
        """Probabilities by each member, shape (4, n, k)."""
        return np.stack([member.predict(x, num_threads=1) for member in self.members])

    def out_of_fold(self) -> Floats:
        """Probabilities of the items it was fitted to, by the member without them."""
        return self.oof


def boosted(x: Floats, y: Ints, k: int, seed: int) -> Boosted:
    """Fit four members, each without a quarter of the items; classes are weighted to balance."""
    import lightgbm

    balance = len(y) / (np.count_nonzero(np.bincount(y)) * np.bincount(y, minlength=k)[y])
    fold = np.random.default_rng(seed).permutation(len(y)) % MEMBERS
    members, oof = [], np.empty((len(y), k))
    for out in range(MEMBERS):
        rows = np.flatnonzero(fold != out)
        parameters = _PARAMETERS | {"num_class": k, "seed": seed * MEMBERS + out}
        data = lightgbm.Dataset(x[rows], y[rows], weight=balance[rows], params=parameters)
        members.append(lightgbm.train(parameters, data, num_boost_round=_ROUNDS))
        oof[fold == out] = members[-1].predict(x[fold == out], num_threads=1)
    return Boosted(tuple(members), oof)


BUDGET = 300
"""Answers of a campaign."""


@dataclass(frozen=True)
class Plan:
    """How a campaign runs.

    Parameters
    ----------
    start : int
        Random answers before the first question.
    budget : int
        Answers in all.
    batch : int
    audit : int
        Size of the audit sample.
    """

    start: int = 20
    budget: int = BUDGET
    batch: int = BATCH
    audit: int = 120


READER = SimulatedReader.accurate("reader", 3, 1.0, pace=Pace())
"""Gives the times; the answers are those of the curators."""


@dataclass
class Campaign:
    """One policy's way through one pool.

    Parameters
    ----------
    pool, test : Items
    k : int
        Classes.
    learner : Learner
    plan : Plan
    rng : numpy.random.Generator
    seed : int
        Of the learner.
    advised : bool
        Note what the learned stop rule says.
    """

    pool: Items
    test: Items
    k: int
    learner: Learner
    plan: Plan
    rng: np.random.Generator
    seed: int
    advised: bool = False
    asked: list[int] = field(default_factory=list)
    chance: list[float] = field(default_factory=list)
    seconds: float = 0.0
    updates: list[tuple[int, float]] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        order = self.rng.permutation(len(self.pool))
        self.audit = np.sort(order[: self.plan.audit])
        self.free = np.ones(len(self.pool), dtype=bool)
        self.free[self.audit] = False
        first = order[self.plan.audit : self.plan.audit + self.plan.start]
        self.asked = [int(i) for i in first]
        self.chance = [len(first) / len(order)] * len(first)
        self.free[first] = False
        self.before: Ints | None = None
        self._fit()

    def _fit(self) -> None:
        rows = np.array(self.asked)
        self.model = self.learner(self.pool.raw[rows], self.pool.truth[rows], self.k, self.seed)
        self.votes = self.model.votes(self.pool.raw)
        self.probabilities = self.votes.mean(0)

    def current(self) -> Pool:
        """What may be asked now."""
        rows = np.flatnonzero(self.free)
        p = self.probabilities[rows]
        return Pool(
            items=rows,
            probabilities=p / p.sum(1, keepdims=True),
            votes=self.votes[:, rows],
            features=self.pool.features[rows],
            seconds=READER.pace.expected_s(ambiguity_of(p)),
            answered=self.pool.features[np.array(self.asked)],
            groups=None,
        )

    def ask(self, ranking: Ranking, pool: Pool) -> None:
        """Take the first batch of a ranking, and fit anew."""
        chosen = ranking.order[: min(self.plan.batch, self.plan.budget - len(self.asked))]
        rows = pool.items[chosen]
        doubt = ambiguity_of(self.probabilities[rows])
        _, took = READER.answer(self.pool.truth[rows], doubt, self.rng, order=len(self.asked))
        self.seconds += float(took.sum())
        self.asked += [int(i) for i in rows]
        self.chance += [float(c) for c in ranking.probability[chosen]]
        self.free[rows] = False
        labels = self.labels()
        self._fit()
        self.updates.append((len(rows), float(np.mean(labels != self.labels()))))

    def stop(self) -> float:
        """What the learned stop rule says; NaN where it is not followed."""
        return stop_probability(self.current()) if self.advised else float("nan")

    def labels(self) -> Ints:
        """Answers where there are any, the model's class elsewhere."""
        found = self.probabilities.argmax(1)
        rows = np.array(self.asked)
        found[rows] = self.pool.truth[rows]
        return found

    def state(self) -> dict[str, float]:
        """Scores and estimates at this point."""
        rows = np.array(self.asked)
        left = np.flatnonzero(self.free)
        p = self.probabilities
        true_error = float(np.mean(p[left].argmax(1) != self.pool.truth[left]))
        oob = self.model.out_of_fold()
        asked = Asked(oob.max(1), oob.argmax(1) != self.pool.truth[rows], np.array(self.chance))
        level = Asked(asked.confidence, asked.wrong, np.ones(len(rows)))
        members = self.votes[:, left].max(2).ravel()  # like those that judged the answers
        found = remaining(members, asked)
        audited = p[self.audit].argmax(1) != self.pool.truth[self.audit]
        audit = Audited.of_items(p[self.audit].max(1), audited)
        claimed = remaining(p[left].max(1), None, audit)
        test = self.model.votes(self.test.raw).mean(0).argmax(1)
        return {
            "n": len(rows),
            "balanced_accuracy": balanced_accuracy(self.test.truth, test, self.k),
            "pool_balanced_accuracy": balanced_accuracy(self.pool.truth, self.labels(), self.k),
            "minutes": self.seconds / 60,
            "true_error": true_error,
            "model_error": float(1 - p[left].max(1).mean()),
            "asked_error": found.estimate,
            "asked_upper": found.upper,
            "level_error": remaining(members, level).estimate,
            "audit_error": float(audited.mean()),
            "claimed_error": claimed.estimate,
            "composite_error": remaining(p[left].max(1), asked, audit).estimate,
            "audit_upper": claimed.upper,
            "change_ahead": change_ahead(
                1 - p[left].max(1), len(self.pool), self.updates, ahead=self.plan.batch
            ),
            "changed": self.updates[-1][1] if self.updates else float("nan"),
            "stop": self.stop(),
        }


def balanced_accuracy(truth: Ints, said: Ints, k: int) -> float:
    """Mean recall of the classes that occur."""
    recalls = [np.mean(said[truth == c] == c) for c in range(k) if np.any(truth == c)]
    return float(np.mean(recalls))


Choice = Callable[[Campaign, Pool], Ranking]
"""How a campaign's next batch is drawn."""


def by_policy(policy: Policy) -> Choice:
    """Ask by one of nissl's policies."""
    return lambda campaign, pool: policy(pool, campaign.rng)


def by_bandit(campaign: Campaign, pool: Pool) -> Ranking:
    """Ask by the bandit with the campaign's past; its trials are added by `run`."""
    return Bandit(tuple(campaign.trials))(pool, campaign.rng)


def run(campaign: Campaign, choose: Choice) -> list[dict[str, float]]:
    """States from the first fit to the end of the budget."""
    states = [campaign.state()]
    while len(campaign.asked) < campaign.plan.budget:
        pool = campaign.current()
        ranking = choose(campaign, pool)
        before = campaign.probabilities.argmax(1)
        began = len(campaign.asked)
        campaign.ask(ranking, pool)
        _learn(campaign, ranking, pool, before, campaign.asked[began:])
        states.append(campaign.state())
    return states


def _learn(
    campaign: Campaign, ranking: Ranking, pool: Pool, before: Ints, rows: Sequence[int]
) -> None:
    """Note what the bandit's arm earned."""
    if not ranking.arm:
        return
    median = float(np.median(pool.seconds))
    seconds = dict(zip(pool.items.tolist(), pool.seconds.tolist(), strict=True))
    context = context_of(pool)
    for row in rows:
        corrected = bool(before[row] != campaign.pool.truth[row])
        campaign.trials.append(
            Trial(ranking.arm, context, reward_of(corrected, seconds[row], median))
        )


def standardised(raw: Floats) -> Floats:
    """Ranks of each metric mapped to a normal, missing ones at the median; no labels used."""
    from scipy.stats import norm, rankdata

    found = np.zeros_like(raw)
    for column in range(raw.shape[1]):
        known = np.isfinite(raw[:, column])
        if known.sum() > 1:
            ranks = rankdata(raw[known, column]) / (known.sum() + 1)
            found[known, column] = norm.ppf(ranks)
    return found


def area(states: Sequence[Mapping[str, float]], name: str = "balanced_accuracy") -> float:
    """Mean height of the learning curve over the answers (trapezoids)."""
    x = np.array([s["n"] for s in states], dtype=float)
    y = np.array([s[name] for s in states], dtype=float)
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))
