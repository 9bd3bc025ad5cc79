"""The bandit learns from its past alone, and says with which chance it asks."""

import json

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.review.policies import Pool
from nissl.review.policies.bandit import (
    ARMS,
    Bandit,
    Trial,
    arms_of,
    context_of,
    logged,
    reward_of,
    trials_of,
)


def pool_of(n=60, votes=True, features=True, answered=10):
    rng = np.random.default_rng(0)
    members = rng.dirichlet(np.ones(3), (3, n))
    return Pool(
        np.arange(n),
        members.mean(0),
        members if votes else None,
        rng.standard_normal((n, 3)) if features else None,
        np.full(n, 2.0),
        rng.standard_normal((answered, 3)) if features else None,
        None,
    )


def test_it_finds_the_arm_that_pays():
    pool, rng = pool_of(), np.random.default_rng(0)
    x = context_of(pool)
    trials = [
        Trial(arm, x, float(rng.random() < (0.6 if arm == "margin" else 0.1)))
        for _ in range(25)
        for arm in ARMS
    ]
    before = dict(zip(arms_of(pool), Bandit().shares(pool, rng), strict=True))
    after = dict(zip(arms_of(pool), Bandit(trials).shares(pool, rng), strict=True))
    assert max(before.values()) < 0.35
    assert max(after, key=after.get) == "margin"
    assert after["margin"] > 0.6
    assert min(after.values()) > 0


def test_old_trials_are_forgotten():
    pool, rng = pool_of(), np.random.default_rng(0)
    x = context_of(pool)
    others = [Trial(a, x, 0.2) for _ in range(60) for a in ARMS if a not in ("margin", "density")]
    then = [Trial("margin", x, 1.0)] * 20 + [Trial("density", x, 0.0)] * 20
    now = [Trial("margin", x, 0.0)] * 20 + [Trial("density", x, 1.0)] * 20
    shares = Bandit([*then, *others, *now]).shares(pool, rng)
    found = dict(zip(arms_of(pool), shares, strict=True))
    assert found["density"] > found["margin"]


def test_the_chances_are_those_of_the_whole_lottery():
    pool, rng = pool_of(45, features=False, votes=False), np.random.default_rng(0)
    bandit, count, chance, arms = Bandit(), np.zeros(45), np.zeros(45), set()
    for _ in range(600):
        ranking = bandit(pool, rng)
        count[ranking.order[:20]] += 1
        chance += ranking.probability
        arms.add(ranking.arm)
    assert arms == {"random", "entropy", "margin"}
    assert np.max(abs(count - chance)) / 600 < 0.11


def test_arms_that_lack_what_they_need_are_left_out():
    assert arms_of(pool_of(votes=False, features=False)) == ("random", "entropy", "margin")
    assert "disagreement" not in arms_of(pool_of(votes=False))
    assert arms_of(pool_of()) == tuple(ARMS)


def test_rewards_count_corrections_by_their_time():
    assert reward_of(False, 1.0, 3.0) == 0
    assert reward_of(True, 3.0, 3.0) == 1
    assert reward_of(True, 0.1, 3.0) == 2
    assert reward_of(True, 30.0, 3.0) == pytest.approx(0.1)
    with pytest.raises(BadArgumentError):
        reward_of(True, 0.0, 3.0)


def test_contexts_move_with_the_review():
    early, late = context_of(pool_of(answered=1)), context_of(pool_of(answered=60))
    assert late[1] == pytest.approx(0.5)
    assert early[1] < late[1]
    assert early[0] == 1
    empty = context_of(pool_of(0))
    assert np.all(np.isfinite(empty))


def test_a_trial_that_does_not_fit_is_refused():
    with pytest.raises(BadArgumentError, match="context"):
        Bandit([Trial("margin", np.ones(2), 1.0)])


def test_the_past_is_derived_from_what_the_journal_keeps():
    pool, rng = pool_of(), np.random.default_rng(0)
    asked = Bandit()(pool, rng)
    body = json.loads(json.dumps(logged("bandit", asked, pool)))
    assert body["arm"] == asked.arm in ARMS
    plain = logged("coreset", asked.__class__(asked.order, asked.score, asked.probability), pool)
    assert plain["arm"] == "coreset"
    answered = [
        (body, True, 2.0),
        (plain, False, 4.0),
        (plain, True, 4.0),
        ({"arm": "audit", "context": body["context"]}, True, 1.0),
        ({"probability": 0.1}, True, 1.0),
        (body, True, 0.0),
    ]
    trials = trials_of(answered)
    assert [t.arm for t in trials] == [asked.arm, "coreset", "coreset"]
    assert [t.reward for t in trials] == [2.0, 0.0, 1.0]
    assert np.array_equal(trials[0].context, context_of(pool))
    assert trials_of([]) == ()
    Bandit(trials)(pool, rng)
