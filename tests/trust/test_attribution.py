import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.trust.attribution import contributions, deletion_test, nearest


def logistic(weight):
    return lambda rows: 1 / (1 + np.exp(-rows @ weight))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12))
def test_a_linear_model_is_explained_exactly_and_sums_close(seed, d):
    rng = np.random.default_rng(seed)
    weight, x, background = rng.normal(size=d), rng.normal(size=d), rng.normal(size=(20, d))
    found = contributions(lambda rows: rows @ weight, x, background, rng=rng, n_permutations=20)
    expected = weight * (x - background.mean(axis=0))
    assert found.values.sum() == pytest.approx(found.prediction - found.base)
    if d <= 8:
        np.testing.assert_allclose(found.values, expected, atol=1e-9)
    else:  # each background item is met once, so sampling is exact up to floats here too
        np.testing.assert_allclose(found.values, expected, atol=1e-9)


def test_sampling_agrees_with_all_coalitions_within_its_error():
    rng = np.random.default_rng(0)
    background = rng.normal(size=(40, 6))
    predict = logistic(np.array([2.0, -1.5, 1.0, 0.5, 0.0, 0.0]))
    x = np.array([1.5, -1.0, 0.5, 2.0, 3.0, 0.0])
    exact = contributions(predict, x, background, rng=rng)
    sampled = contributions(predict, x, background, rng=rng, exact_up_to=0, n_permutations=800)
    assert np.all(exact.error == 0)
    assert np.all(np.abs(exact.values - sampled.values) < 4 * sampled.error + 0.005)
    assert np.all(np.abs(exact.values[4:]) < 1e-12)  # what the model does not use adds nothing
    assert exact.order()[0] == 0


def test_symmetric_features_share_alike_and_parts_add_up():
    rng = np.random.default_rng(1)
    background = np.repeat(rng.normal(size=(10, 1)), 4, axis=1)
    predict = logistic(np.ones(4))
    alone = contributions(predict, np.ones(4), background, rng=rng).values
    np.testing.assert_allclose(alone, alone[0])
    tied = contributions(predict, np.ones(4), background, rng=rng, parts=[0, 0, 1, 1]).values
    assert tied.shape == (2,)
    assert tied.sum() == pytest.approx(alone.sum())


def test_deleting_the_top_part_costs_more_than_a_random_one():
    rng = np.random.default_rng(2)
    background = rng.normal(size=(30, 10))
    predict = logistic(np.array([3.0, 2.0, 1.0] + [0.1] * 7))
    items = np.abs(rng.normal(size=(25, 10)))
    values = [
        contributions(predict, x, background, rng=rng, n_permutations=60).values for x in items
    ]
    found = deletion_test(predict, items, background, values, rng=rng)
    assert found.holds
    assert found.top.low > found.random.estimate
    wrong = deletion_test(predict, items, background, -np.asarray(values), rng=rng)
    assert not wrong.holds


def test_nearest_accepted_and_rejected_examples():
    features = np.array([[0, 0], [1, 0], [5, 5], [0.1, np.nan], [0.2, 0], [0, 0.1]])
    labels = ["good", "good", "good", "good", "mua", "good"]
    states = ["accepted", "changed", "accepted", "removed", "accepted", "untouched"]
    found = nearest([0, 0], features, labels, states, label="good")
    assert found.accepted.tolist() == [0, 2]
    assert found.rejected.tolist() == [3, 1]
    assert found.rejected_distance[0] == pytest.approx(0.1)  # over what both have measured
    everything = nearest([0, 0], features, labels, states, n=1)
    assert everything.accepted.tolist() == [0]


def test_bad_shapes_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError, match="background"):
        contributions(np.sum, [1, 2], [[1]], rng=rng)
    with pytest.raises(BadArgumentError, match="without gaps"):
        contributions(np.sum, [1, 2], [[1, 2]], rng=rng, parts=[0, 2])
    with pytest.raises(BadArgumentError, match="m states"):
        nearest([0, 0], [[0, 0]], ["a"], [])
