import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.label_errors import cross_validated, find_label_errors


def gaussian_classes(x, y, test):
    """Class probabilities of a discriminant with one variance."""
    means = np.stack([x[y == k].mean(axis=0) for k in range(3)])
    log = -0.5 * np.square(test[:, None, :] - means).sum(axis=2)
    p = np.exp(log - log.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def planted(seed, n=900, distance=4.0, share=0.05):
    """Units of eight subjects with exact classes, and labels of which some are wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    groups = rng.integers(0, 8, n)
    centre = np.eye(3, 6) * distance
    x = centre[truth] + rng.normal(size=(n, 6)) + rng.normal(0, 0.3, (8, 6))[groups]
    bad = np.zeros(n, dtype=bool)
    bad[rng.choice(n, round(share * n), replace=False)] = True
    labels = np.where(bad, (truth + rng.integers(1, 3, n)) % 3, truth)
    proba = cross_validated(gaussian_classes, x, labels, groups, n_classes=3, rng=rng)
    return truth, labels, bad, proba


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("power", [1.0, 0.4, 2.0])
def test_a_planted_twentieth_is_found_also_when_the_model_is_too_flat_or_too_sharp(seed, power):
    truth, labels, bad, proba = planted(seed)
    bent = proba**power / (proba**power).sum(axis=1, keepdims=True)
    found = find_label_errors(labels, bent)
    assert bad[found.selected].mean() >= 0.7
    assert found.selected[bad].mean() >= 0.5
    assert found.expected_precision >= 0.7
    assert abs(found.rate - 0.05) < 0.025
    hits = found.selected & bad
    assert np.mean(found.suggested[hits] == truth[hits]) > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_errors_between_two_classes_alone_are_found_and_told(seed):
    rng = np.random.default_rng(seed)
    truth, _, _, _ = planted(seed)
    x = np.eye(3, 6)[truth] * 4 + rng.normal(size=(truth.size, 6))
    groups = rng.integers(0, 8, truth.size)
    bad = (truth < 2) & (rng.random(truth.size) < 0.08)
    labels = np.where(bad, 1 - truth, truth)
    proba = cross_validated(gaussian_classes, x, labels, groups, n_classes=3, rng=rng)
    found = find_label_errors(labels, proba)
    assert bad[found.selected].mean() >= 0.7
    assert found.selected[bad].mean() >= 0.5
    assert found.noise[0, 1] > 0.04 > found.noise[0, 2]


def test_the_probability_of_an_error_is_calibrated():
    wrong, is_bad = [], []
    for seed in range(20):
        _, labels, bad, proba = planted(seed, distance=2.5)
        wrong.append(find_label_errors(labels, proba).probability)
        is_bad.append(bad)
    p, bad = np.concatenate(wrong), np.concatenate(is_bad)
    for low, high in [(0.0, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.01)]:
        band = (p >= low) & (p < high)
        assert abs(p[band].mean() - bad[band].mean()) < 0.15


def test_nothing_is_selected_where_labels_are_right():
    for seed in range(5):
        _, labels, _, proba = planted(seed, share=0.0)
        assert find_label_errors(labels, proba).selected.mean() < 0.005


def test_a_model_that_has_seen_nothing_useful_accuses_nobody():
    _, labels, _, proba = planted(0)
    shuffled = np.random.default_rng(1).permutation(proba)
    assert find_label_errors(labels, shuffled).selected.sum() <= 5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.permutations(range(3)))
def test_names_of_classes_and_order_of_items_do_not_matter(seed, codes):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet([0.5] * 3, 60)
    labels = rng.integers(0, 3, 60)
    found = find_label_errors(labels, proba)
    codes = np.asarray(codes)
    renamed = np.empty_like(proba)
    renamed[:, codes] = proba
    order = rng.permutation(60)
    again = find_label_errors(codes[labels][order], renamed[order])
    np.testing.assert_allclose(again.probability, found.probability[order], atol=1e-6)
    assert sorted(found.order.tolist()) == list(range(60))
    assert np.all(np.diff(found.probability[found.order]) <= 0)
    assert np.all(found.suggested != labels)
    json.dumps(found.to_json(), allow_nan=False)


def test_no_item_is_judged_by_a_model_that_saw_its_group():
    groups = np.repeat(["a", "b", "c", "d"], 5)
    seen = []

    def spy(x, y, test):
        seen.append((set(x[:, 0]), set(test[:, 0])))
        return np.full((len(test), 2), 0.5)

    features = np.repeat(np.arange(4.0), 5)[:, None]
    rng = np.random.default_rng(0)
    cross_validated(spy, features, [0, 1] * 10, groups, n_classes=2, rng=rng, n_folds=2)
    assert len(seen) == 2
    assert all(not train & test for train, test in seen)
    with pytest.raises(EvaluationError, match="two groups"):
        cross_validated(spy, features, [0, 1] * 10, ["a"] * 20, n_classes=2, rng=rng)


def test_bad_arguments_are_refused():
    with pytest.raises(BadArgumentError, match="sum to 1"):
        find_label_errors([0, 1], [[0.5, 0.1], [0.5, 0.5]])
    with pytest.raises(BadArgumentError, match="codes 0 to 1"):
        find_label_errors([0, 2], [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(BadArgumentError, match="shape"):
        find_label_errors([0], [0.5, 0.5])
