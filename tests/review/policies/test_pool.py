"""Rankings are orders, their chances are true, and bad pools are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.review.policies import BATCH, POLICIES, Pool, ranked, usable
from nissl.review.policies.pool import chances, inclusion


def pool_of(n, *, seed=0, k=3, votes=True, features=True, answered=15):
    rng = np.random.default_rng(seed)
    members = rng.dirichlet(np.ones(k), (4, n))
    return Pool(
        items=np.arange(n, dtype=np.int64) + 1000,
        probabilities=members.mean(0),
        votes=members if votes else None,
        features=rng.standard_normal((n, 5)) if features else None,
        seconds=rng.uniform(1, 9, n),
        answered=rng.standard_normal((answered, 5)) if features and answered else None,
        groups=None,
    )


@settings(max_examples=8, deadline=None)
@given(
    n=st.integers(0, 70),
    k=st.integers(2, 5),
    seed=st.integers(0, 99),
    votes=st.booleans(),
    features=st.booleans(),
    answered=st.sampled_from([0, 1, 30]),
)
def test_every_policy_gives_an_order_of_all_and_chances_that_sum_to_the_batch(
    n, k, seed, votes, features, answered
):
    pool = pool_of(n, seed=seed, k=k, votes=votes, features=features, answered=answered)
    for name in usable(pool):
        ranking = POLICIES.get(name)(pool, np.random.default_rng(seed))
        assert sorted(ranking.order.tolist()) == list(range(n)), name
        assert ranking.score.shape == ranking.probability.shape == (n,)
        assert np.all((ranking.probability > 0) & (ranking.probability <= 1))
        assert ranking.probability.sum() == pytest.approx(min(n, BATCH))


@pytest.mark.parametrize("name", list(POLICIES))
def test_a_policy_is_a_function_of_the_pool_and_the_generator(name):
    pool = pool_of(60)
    first, second = (POLICIES.get(name)(pool, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.order, second.order)
    assert np.array_equal(first.probability, second.probability)
    assert not np.array_equal(first.order, POLICIES.get(name)(pool, np.random.default_rng(4)).order)


@pytest.mark.parametrize(("sharpness", "uniform"), [(0.0, 0.1), (2.0, 0.1), (4.0, 0.3)])
def test_chances_are_how_often_items_are_asked(sharpness, uniform):
    score, rng = np.linspace(0, 1, 60), np.random.default_rng(0)
    count, draws = np.zeros(60), 4000
    for _ in range(draws):
        ranking = ranked(score, rng, batch=10, sharpness=sharpness, uniform=uniform)
        count[ranking.order[:10]] += 1
    # 5 standard errors, and the small error of Pareto sampling in a batch of ten
    allowed = 5 * np.sqrt(ranking.probability * (1 - ranking.probability) / draws) + 0.012
    assert np.all(abs(count / draws - ranking.probability) < allowed)


def test_weighting_by_the_inverse_chance_makes_a_batch_speak_for_the_pool():
    rng = np.random.default_rng(1)
    value = rng.random(200) < np.linspace(0.05, 0.6, 200)  # what is asked rather is rather wrong
    weighted, plain = [], []
    for _ in range(1500):
        ranking = ranked(np.arange(200.0), rng)
        first = ranking.order[:BATCH]
        weighted.append(np.sum(value[first] / ranking.probability[first]) / 200)
        plain.append(value[first].mean())
    error = np.std(weighted) / np.sqrt(1500)
    assert abs(np.mean(weighted) - value.mean()) < 4 * error + 0.005
    assert np.mean(plain) > value.mean() + 0.1


def test_higher_scores_have_higher_chances_and_none_is_without_one():
    score = np.random.default_rng(0).permutation(500).astype(float)
    chance = chances(score, np.random.default_rng(0), uniform=0.2)
    assert np.all(np.diff(chance[np.argsort(score)]) >= 0)
    assert chance.min() >= 0.2 * BATCH / 500
    assert chance.max() > 0.8


def test_a_pool_no_larger_than_a_batch_is_asked_whole_by_score():
    ranking = ranked(np.array([0.2, 0.9, 0.5]), np.random.default_rng(0))
    assert ranking.order.tolist() == [1, 2, 0]
    assert ranking.probability.tolist() == [1, 1, 1]


@settings(deadline=None)
@given(weights=st.lists(st.floats(1e-6, 1e6), min_size=3, max_size=40), share=st.floats(0.05, 0.95))
def test_inclusion_probabilities_sum_to_the_size_and_follow_the_weights(weights, share):
    w = np.array(weights)
    size = min(max(1, int(share * len(w))), len(w) - 1)
    found = inclusion(w, size)
    assert found.sum() == pytest.approx(size, abs=1e-4)
    assert np.all(np.diff(found[np.argsort(w)]) >= -1e-12)


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(BadArgumentError, match="NaN"):
        ranked(np.array([0.1, np.nan]), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"probabilities": np.full((5, 3), 0.5)}, "sum to 1"),
        ({"probabilities": np.full((4, 3), 1 / 3)}, "shape"),
        ({"probabilities": np.full((5, 3), np.nan)}, "sum to 1"),
        ({"votes": np.full((2, 5, 2), 0.5)}, "votes"),
        ({"features": np.full((5, 5), np.nan)}, "NaN"),
        ({"answered": np.zeros((2, 4))}, "answered"),
        ({"seconds": np.zeros(5)}, "above 0"),
        ({"groups": np.zeros(4, dtype=np.int64)}, "groups"),
    ],
)
def test_a_pool_that_does_not_fit_together_is_refused(change, said):
    with pytest.raises(BadArgumentError, match=said):
        Pool(**(vars(pool_of(5)) | change))


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("disagreement", "votes"),
        ("coreset", "features"),
        ("density", "features"),
        ("leverage", "features"),
        ("error_reduction", "features"),
    ],
)
def test_a_policy_says_what_the_pool_lacks(name, lacks):
    bare = pool_of(40, votes=False, features=False)
    assert name not in usable(bare)
    with pytest.raises(BadArgumentError, match=lacks):
        POLICIES.get(name)(bare, np.random.default_rng(0))
