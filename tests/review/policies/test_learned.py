"""The learned policy: what is shipped reads, ranks and knows when to stop."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.review.policies import Pool
from nissl.review.policies.learned import (
    CANDIDATE,
    REVIEW,
    Weights,
    ask,
    candidates,
    card_and_weights,
    learned,
    review,
    shipped,
    stage_of,
    stop_probability,
)


def pool_of(p, seconds=2.0, answered=50):
    rng = np.random.default_rng(0)
    p, n = np.asarray(p, dtype=float), len(p)
    features = rng.standard_normal((n, 3))
    known = rng.standard_normal((answered, 3))
    return Pool(np.arange(n), p, None, features, np.full(n, seconds), known, None)


def doubtful(n=80, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(3), n)


def sure(n=80):
    return np.tile([0.998, 0.001, 0.001], (n, 1))


def test_weights_go_through_json_and_vectors_unchanged():
    weights = Weights.from_vector(np.random.default_rng(0).standard_normal(20))
    back = Weights.from_json(json.loads(json.dumps(weights.to_json())))
    assert np.array_equal(back.to_vector(), weights.to_vector())


def test_weights_of_another_shape_are_refused():
    with pytest.raises(BadArgumentError, match="lengths"):
        Weights(np.zeros(3), np.zeros(8), np.zeros(4))
    value = shipped().to_json()
    del value["stop"]["stage"]
    with pytest.raises(BadArgumentError, match="stage"):
        Weights.from_json(value)


def test_what_is_shipped_says_how_it_was_made():
    card = card_and_weights()["card"]
    assert "Simulated" in card["data"]
    assert card["licence"] == "BSD-3-Clause"
    assert "learned" in card["validation"]
    assert np.all(np.isfinite(shipped().to_vector()))


def test_features_are_ranks_in_the_pool():
    found = candidates(pool_of(doubtful()), np.random.default_rng(0))
    assert found.shape == (80, len(CANDIDATE))
    assert np.all((found >= 0) & (found <= 1))
    entropy = found[:, CANDIDATE.index("entropy")]
    assert sorted(entropy) == pytest.approx(np.linspace(0, 1, 80))
    assert np.all(found[:, CANDIDATE.index("disagreement")] == 0.5)  # the pool has no votes


def test_weights_decide_what_is_asked_early_and_late():
    zero = np.zeros(len(CANDIDATE))
    wants = zero.copy()
    wants[CANDIDATE.index("margin")] = 1.0
    weights = Weights(early=wants, late=-wants, stop=np.zeros(len(REVIEW)))
    p = np.concatenate([np.tile([0.5, 0.5, 0.0], (30, 1)), sure(30)])
    early = ask(pool_of(p, answered=0), weights, np.random.default_rng(0)).score
    late = ask(pool_of(p, answered=600), weights, np.random.default_rng(0)).score
    assert early[:30].min() > early[30:].max()
    assert late[:30].max() < late[30:].min()


def test_it_asks_the_doubtful_rather_than_the_sure():
    p = np.concatenate([doubtful(60), sure(60)])
    ranking = learned(pool_of(p), np.random.default_rng(0))
    assert ranking.probability[:60].sum() > 2 * ranking.probability[60:].sum()


def test_it_goes_on_while_errors_are_many_and_stops_when_they_are_few_and_dear_to_find():
    many = stop_probability(pool_of(doubtful(), seconds=1.0), price_s=100.0)
    few = stop_probability(pool_of(sure(), seconds=20.0), price_s=10.0)
    assert many < 0.5 < few


def test_an_error_that_is_worth_more_is_looked_for_longer():
    pool = pool_of(doubtful(), answered=150)
    found = [stop_probability(pool, price_s=p) for p in (0.1, 1.0, 10.0, 100.0)]
    assert found == sorted(found, reverse=True)
    with pytest.raises(BadArgumentError):
        stop_probability(pool, price_s=0.0)


def test_nothing_left_to_ask_is_a_reason_to_stop():
    assert stop_probability(pool_of(np.zeros((0, 3)))) == 1.0


def test_the_stage_goes_from_none_to_all():
    stages = [
        stage_of(replace(pool_of(doubtful()), answered=np.zeros((a, 3)))) for a in (0, 9, 500)
    ]
    assert stages[0] == 0
    assert 0 < stages[1] < 1
    assert stages[2] == 1
    assert review(pool_of(doubtful()), 30.0).shape == (len(REVIEW),)
