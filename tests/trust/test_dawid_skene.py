import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.trust.dawid_skene import dawid_skene

READERS = np.array(
    [
        [[0.90, 0.08, 0.02], [0.10, 0.80, 0.10], [0.02, 0.08, 0.90]],
        [[0.75, 0.20, 0.05], [0.05, 0.90, 0.05], [0.10, 0.20, 0.70]],
        [[0.85, 0.05, 0.10], [0.20, 0.65, 0.15], [0.03, 0.02, 0.95]],
    ]
)
PRIOR = np.array([0.5, 0.3, 0.2])


def simulated(n, readers, seed, missing=0.0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=PRIOR)
    drawn = rng.random((n, len(readers), 1)) > np.cumsum(readers[:, truth].swapaxes(0, 1), axis=2)
    ratings = drawn.sum(axis=2).astype(float)
    ratings[rng.random(ratings.shape) < missing] = np.nan
    return truth, ratings


def test_three_readers_are_recovered_within_three_points_without_any_truth():
    _, ratings = simulated(20_000, READERS, 0)
    found = dawid_skene(ratings, 3)
    assert found.converged
    assert found.identified.all()
    np.testing.assert_allclose(found.confusion, READERS, atol=0.03)
    np.testing.assert_allclose(found.prior, PRIOR, atol=0.03)


def test_two_readers_are_recovered_within_three_points_with_gold_items():
    truth, ratings = simulated(10_000, READERS[:2], 1)
    gold = np.where(np.arange(truth.size) < 4000, truth, np.nan)
    found = dawid_skene(ratings, 3, gold=gold)
    assert found.identified.all()
    np.testing.assert_allclose(found.confusion, READERS[:2], atol=0.03)


@pytest.mark.parametrize(
    ("n", "three", "two"), [(300, 0.2, 0.2), (1000, 0.12, 0.1), (3000, 0.06, 0.06)]
)
def test_the_manual_says_how_many_items_it_takes(n, three, two):
    for seed in range(10, 15):
        truth, ratings = simulated(n, READERS, seed)
        assert np.abs(dawid_skene(ratings, 3).confusion - READERS).max() < three
        gold = np.where(np.arange(n) < 0.4 * n, truth, np.nan)
        found = dawid_skene(ratings[:, :2], 3, gold=gold)
        assert np.abs(found.confusion - READERS[:2]).max() < two


def test_two_readers_alone_are_said_not_to_be_identified():
    _, ratings = simulated(2000, READERS[:2], 2)
    assert not dawid_skene(ratings, 3).identified.any()


def test_the_consensus_beats_the_best_reader_and_the_majority():
    truth, ratings = simulated(3000, READERS, 3, missing=0.2)
    found = dawid_skene(ratings, 3)
    mine = np.mean(found.posterior.argmax(axis=1) == truth)
    votes = np.stack([(ratings == k).sum(axis=1) for k in range(3)], axis=1)
    assert mine > np.mean(votes.argmax(axis=1) == truth)
    alone = [np.mean((ratings[:, r] == truth)[~np.isnan(ratings[:, r])]) for r in range(3)]
    assert mine > max(alone)
    np.testing.assert_allclose(found.accuracy, alone, atol=0.04)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 5), st.integers(2, 4))
def test_laws_hold_for_any_readings(seed, n, r, k):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(0, k, (n, r)).astype(float)
    ratings[rng.random((n, r)) < 0.3] = np.nan
    gold = np.where(rng.random(n) < 0.2, rng.integers(0, k, n), np.nan)
    found = dawid_skene(ratings, k, gold=gold, max_iterations=60)
    assert np.all(np.diff(found.trace) >= -1e-9 * np.abs(found.trace[:-1]).clip(1))
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1)
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1)
    fixed = ~np.isnan(gold)
    assert np.all(found.posterior[fixed].argmax(axis=1) == gold[fixed])
    order = rng.permutation(r)
    again = dawid_skene(ratings[:, order], k, gold=gold, max_iterations=60)
    np.testing.assert_allclose(again.confusion, found.confusion[order], atol=1e-6)


def test_bad_arguments_are_refused():
    with pytest.raises(BadArgumentError, match="ratings as codes"):
        dawid_skene([[0, 3]], 3)
    with pytest.raises(BadArgumentError, match="gold"):
        dawid_skene([[0, 1]], 3, gold=[0, 1])
