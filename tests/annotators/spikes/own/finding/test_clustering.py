"""Heaps and clusters: one Gaussian is one, two far enough apart are two."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.clustering import HEAPS, cluster, reduce_features
from nissl.annotators.spikes.own.finding.unimodality import two_heaps


def halves(values, cut=0.0):
    return values[values < cut], values[values >= cut]


@pytest.mark.parametrize(("n", "sd"), [(50, 1), (500, 1), (5000, 1), (1500, 4), (1500, 8)])
def test_one_gaussian_is_hardly_ever_two_heaps(n, sd):
    rng = np.random.default_rng(n)
    found = [two_heaps(*halves(sd * rng.standard_normal(n))) > HEAPS for _ in range(200)]
    assert np.mean(found) <= 0.02


@pytest.mark.parametrize(("n", "apart"), [(60, 5.5), (300, 4.5), (2000, 3.6)])
def test_two_gaussians_are_two_heaps(n, apart):
    rng = np.random.default_rng(n)
    found = [
        two_heaps(rng.standard_normal(n), apart + rng.standard_normal(n)) > HEAPS for _ in range(50)
    ]
    assert np.mean(found) >= 0.9


def test_heaps_do_not_depend_on_place_or_order():
    one, other = np.random.default_rng(0).standard_normal(200), np.full(50, 6.0)
    expected = two_heaps(one, other)
    assert expected > HEAPS
    assert two_heaps(one + 40, other + 40) == pytest.approx(expected, rel=0.2)
    assert two_heaps(other, one) == expected
    assert two_heaps(one[:3], other[:2]) == 0.0


def test_clusters_are_found_whatever_their_sizes():
    rng = np.random.default_rng(3)
    centres = 12 * rng.standard_normal((4, 20))
    truth = np.repeat(np.arange(4), [800, 300, 100, 40])
    features = (centres[truth] + rng.standard_normal((truth.size, 20))).astype(np.float32)
    labels = cluster(reduce_features(features), rng)
    assert labels.max() == 3
    for k in range(4):
        assert np.unique(labels[truth == k]).size == 1


def test_one_cluster_stays_one():
    rng = np.random.default_rng(4)
    long = rng.standard_normal((1500, 1)) * 4 * np.ones((1, 6)) / 6**0.5
    features = (long + rng.standard_normal((1500, 6))).astype(np.float32)
    assert cluster(features, rng).max() == 0
    assert cluster(features[:5], rng).tolist() == [0] * 5
