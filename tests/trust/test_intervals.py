import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.trust.intervals import binomial_interval, bootstrap_interval, resampled_sums


def test_bootstrap_covers_the_mean_of_a_normal_sample():
    rng = np.random.default_rng(0)
    sample = rng.normal(3.0, 2.0, 400)
    interval = bootstrap_interval(sample, rng=rng)
    half = 1.96 * sample.std() / 20
    assert interval.estimate == sample.mean()
    assert interval.low == pytest.approx(sample.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(sample.mean() + half, abs=0.03)


def test_coverage_is_near_its_level():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        interval = bootstrap_interval(rng.normal(0, 1, 60), rng=rng, n=200)
        hits += interval.low <= 0 <= interval.high
    assert 0.88 <= hits / 200 <= 0.99


def test_groups_widen_the_interval_when_members_are_alike():
    rng = np.random.default_rng(2)
    values = np.repeat(rng.normal(0, 1, 10), 50) + rng.normal(0, 0.01, 500)
    alone = bootstrap_interval(values, rng=np.random.default_rng(3), n=500)
    grouped = bootstrap_interval(
        values, np.repeat(np.arange(10), 50), rng=np.random.default_rng(3), n=500
    )
    assert grouped.n == 10
    assert grouped.high - grouped.low > 4 * (alone.high - alone.low)


def test_one_group_has_no_interval():
    interval = bootstrap_interval([1.0, 2.0], ["a", "a"], rng=np.random.default_rng(0))
    assert interval.estimate == 1.5
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_same_seed_same_interval():
    values = np.arange(20.0)
    a, b = (bootstrap_interval(values, rng=np.random.default_rng(7), n=100) for _ in range(2))
    assert a == b


def test_resampled_sums_agree_with_the_general_bootstrap():
    values = np.random.default_rng(4).normal(5, 1, (80, 1))
    groups = np.repeat(np.arange(16), 5)
    draws = resampled_sums(values, groups, rng=np.random.default_rng(5), n=4000)[:, 0] / 80
    interval = bootstrap_interval(values[:, 0], groups, rng=np.random.default_rng(6), n=4000)
    np.testing.assert_allclose(
        np.percentile(draws, [2.5, 97.5]), [interval.low, interval.high], atol=0.02
    )


def test_many_values_are_taken_in_blocks():
    ones = np.ones((100_000, 1))
    draws = resampled_sums(ones, rng=np.random.default_rng(0), n=50)
    np.testing.assert_allclose(draws, 100_000)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.308497), (5, 10, 0.187086, 0.812914), (10, 10, 0.691503, 1.0)],
)
def test_clopper_pearson_against_published_values(successes, trials, low, high):
    interval = binomial_interval(successes, trials)
    assert interval.low == pytest.approx(low, abs=1e-5)
    assert interval.high == pytest.approx(high, abs=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 200), st.integers(0, 200))
def test_clopper_pearson_holds_the_estimate(a, b):
    interval = binomial_interval(a, a + b)
    assert 0 <= interval.low <= interval.high <= 1
    if a + b:
        assert interval.low <= interval.estimate <= interval.high


def test_what_could_not_be_computed_is_none_in_json():
    value = bootstrap_interval([1.0], rng=np.random.default_rng(0)).to_json()
    assert value == {"estimate": 1.0, "low": None, "high": None, "level": 0.95, "n": 1}


def test_impossible_arguments_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError):
        binomial_interval(3, 2)
    with pytest.raises(BadArgumentError):
        bootstrap_interval([1.0], rng=rng, level=1.0)
    with pytest.raises(BadArgumentError):
        bootstrap_interval([1.0, 2.0], ["a"], rng=rng)
