"""Each policy prefers what it is meant to prefer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.review.policies import POLICIES, Pool
from nissl.review.policies.leverage import PRIOR
from nissl.review.policies.measures import (
    entropy_of,
    expected_error,
    margin_of,
    mutual_information,
    nearest,
)


def pool_of(probabilities, votes=None, features=None, seconds=None, answered=None):
    p = np.asarray(probabilities, dtype=float)
    return Pool(
        np.arange(len(p)),
        p,
        votes,
        None if features is None else np.asarray(features, dtype=float),
        np.ones(len(p)) if seconds is None else np.asarray(seconds, dtype=float),
        None if answered is None else np.asarray(answered, dtype=float),
        None,
    )


def score(name, pool, seed=0):
    return POLICIES.get(name)(pool, np.random.default_rng(seed)).score


SURE, TIE, SPREAD = [0.98, 0.01, 0.01], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]


def test_uncertainty_measures_differ_in_what_they_call_uncertain():
    pool = pool_of([SURE, TIE, SPREAD])
    assert score("entropy", pool).argmax() == 2
    assert score("margin", pool).argmax() == 1
    assert score("least_confident", pool).argmax() == 2
    assert all(score(name, pool).argmin() == 0 for name in ("entropy", "margin"))


def test_entropy_and_margin_of_known_values():
    assert entropy_of(np.full((1, 4), 0.25))[0] == pytest.approx(np.log(4))
    assert margin_of(np.array([[0.7, 0.2, 0.1]]))[0] == pytest.approx(0.5)
    assert expected_error(np.array([[0.7, 0.2, 0.1]]))[0] == pytest.approx(0.3)


def test_disagreement_is_not_doubt_that_all_members_share():
    sure_of_different = np.array([[1.0, 0.0], [0.0, 1.0]])
    equally_unsure = np.full((2, 2), 0.5)
    votes = np.stack([sure_of_different, equally_unsure], axis=1)
    pool = pool_of(votes.mean(0), votes=votes)
    assert score("disagreement", pool) == pytest.approx([np.log(2), 0.0])
    assert score("entropy", pool)[0] == pytest.approx(score("entropy", pool)[1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), m=st.integers(1, 5))
def test_mutual_information_is_at_most_the_entropy_and_none_for_one_member(seed, m):
    votes = np.random.default_rng(seed).dirichlet(np.ones(3), (m, 8))
    found = mutual_information(votes)
    assert np.all((found >= 0) & (found <= entropy_of(votes.mean(0)) + 1e-12))
    if m == 1:
        assert np.all(found < 1e-12)


def test_coreset_covers_far_clusters_before_it_returns_to_one():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [30, 0], [0, 30], [30, 30]])
    features = np.concatenate([c + rng.standard_normal((30, 2)) for c in centres])
    pool = pool_of(np.full((120, 2), 0.5), features=features, answered=[[0.0, 0.0]])
    first = np.argsort(-score("coreset", pool))[:3]
    assert sorted(first // 30) == [1, 2, 3]  # not cluster 0, which is known


def test_coreset_is_within_twice_the_best_cover():
    rng = np.random.default_rng(1)
    features = rng.standard_normal((40, 2))
    pool = pool_of(np.full((40, 2), 0.5), features=features)
    chosen = np.argsort(-score("coreset", pool))[:3]
    greedy = nearest(features, features[chosen]).max()
    some = [rng.choice(40, 3, replace=False) for _ in range(2000)]
    best = min(nearest(features, features[c]).max() for c in some)
    assert greedy <= 2 * best  # Gonzalez 1985


def test_density_prefers_the_typical_of_equally_doubtful_items():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.standard_normal((60, 3)), [[20.0, 20.0, 20.0]]])
    found = score("density", pool_of(np.full((61, 2), 0.5), features=features))
    assert found.argmin() == 60


def test_leverage_is_doubt_in_directions_that_nothing_is_known_of():
    features = np.concatenate([np.tile([4.0, 0.0], (50, 1)), [[0.0, 4.0], [0.0, 4.0]]])
    doubtful = np.full((52, 2), 0.5)
    doubtful[51] = [0.9, 0.1]
    pool = pool_of(doubtful, features=features, answered=np.tile([4.0, 0.0], (30, 1)))
    order = np.argsort(-score("leverage", pool))
    assert order[0] == 50  # not the crowd that was answered, nor the sure one


def test_leverage_is_priced_by_time():
    features, seconds = np.array([[4.0, 0.0], [0.0, 3.0]]), np.array([3.0, 1.0])
    even = np.full((2, 2), 0.5)
    assert score("leverage", pool_of(even, features=features)).argmax() == 0
    assert score("leverage", pool_of(even, None, features, seconds)).argmax() == 1


def test_leverage_does_not_ask_the_same_twice_in_a_batch():
    features = np.concatenate([np.tile([6.0, 0.0], (40, 1)), np.tile([0.0, 5.0], (40, 1))])
    found = score("leverage", pool_of(np.full((80, 2), 0.5), features=features))
    first = np.argsort(-found)[:20] < 40
    assert first[0]
    assert 5 <= first.sum() <= 15


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99))
def test_leverage_takes_one_by_one_what_adds_most_information(seed):
    rng = np.random.default_rng(seed)
    features, p = rng.standard_normal((60, 3)), rng.dirichlet(np.ones(3), 60)
    answered = rng.standard_normal((7, 3))
    order = np.argsort(-score("leverage", pool_of(p, features=features, answered=answered)))
    doubt = 1 - (p**2).sum(1)
    x = np.c_[features, np.ones(60)] * np.sqrt(doubt)[:, None]
    a = np.c_[answered, np.ones(7)] * np.sqrt(doubt.mean())
    known = PRIOR * np.eye(4) + a.T @ a
    for step in range(5):
        gains = [np.linalg.slogdet(known + np.outer(v, v))[1] for v in x]
        gains = np.where(np.isin(np.arange(60), order[:step]), -np.inf, gains)
        assert gains[order[step]] == pytest.approx(gains.max())
        known = known + np.outer(x[order[step]], x[order[step]])


def test_error_reduction_counts_neighbours_and_divides_by_time():
    rng = np.random.default_rng(0)
    crowd = rng.standard_normal((40, 2)) * 0.1
    alone = np.array([[50.0, 50.0]])
    features = np.concatenate([crowd, alone])
    even = pool_of(np.full((41, 2), 0.5), features=features)
    found = score("error_reduction", even)
    assert found[:40].min() > found[40]
    slow = np.ones(41)
    slow[:40] = 100.0
    found = score("error_reduction", pool_of(np.full((41, 2), 0.5), None, features, slow))
    assert found.argmax() == 40


def test_error_reduction_of_lone_items_is_their_own_error_per_second():
    lone = pool_of([[0.9, 0.1]], features=[[1.0]], seconds=[2.0])
    assert score("error_reduction", lone) == pytest.approx([0.05])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99))
def test_error_reduction_is_at_least_the_own_error_and_nothing_is_learned_from_the_sure(seed):
    rng = np.random.default_rng(seed)
    p = np.concatenate([rng.dirichlet(np.ones(3), 20), [[1.0, 0.0, 0.0]]])
    pool = pool_of(p, features=rng.standard_normal((21, 2)), seconds=rng.uniform(1, 5, 21))
    found = score("error_reduction", pool)
    assert np.all(found >= expected_error(p) / pool.seconds - 1e-12)
    assert found[20] == pytest.approx(0.0, abs=1e-12)


def test_error_reduction_ranks_what_it_computes_above_the_rest():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 600)
    pool = pool_of(p, features=rng.standard_normal((600, 4)))
    found, own = score("error_reduction", pool), expected_error(p)
    best = np.argsort(-own)[:256]
    assert found[best].min() >= np.delete(found, best).max()


def test_random_has_no_preference():
    ranking = POLICIES.get("random")(pool_of([SURE] * 30 + [TIE] * 30), np.random.default_rng(0))
    assert np.ptp(ranking.probability) < 1e-12
