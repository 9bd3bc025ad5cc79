"""False positives and negatives that are expected, against distributions with known ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from nissl.annotators.spikes.own.confidence.expectations import (
    expect_all,
    expected,
    hidden_share,
    least_amplitudes,
    truncated_share,
)
from nissl.annotators.spikes.own.matching.pursuit import LEAST_AMPLITUDE, PRIOR
from nissl.errors import BadArgumentError


def cut_off(lost, n=4000, sd=0.15, seed=0, peak=1.0):
    """Amplitudes above the threshold below which `lost` of them lie, and the threshold."""
    rng = np.random.default_rng(seed)
    least = peak + sd * norm.ppf(lost)
    every = rng.normal(peak, sd, n)
    return every[every >= least], least


@pytest.mark.parametrize("lost", [0.001, 0.05, 0.2, 0.35])
@pytest.mark.parametrize("sd", [0.05, 0.3])
def test_what_was_cut_off_is_told(lost, sd):
    found = [truncated_share(*cut_off(lost, sd=sd, seed=seed)) for seed in range(5)]
    assert np.mean(found) == pytest.approx(lost, abs=0.04)


def test_more_than_half_is_told_as_half():
    assert truncated_share(*cut_off(0.85)) == pytest.approx(0.5, abs=0.02)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.1, 100), st.floats(-50, 50), st.floats(0, 0.4), st.integers(0, 10**6))
def test_neither_scale_nor_offset_matter(scale, offset, lost, seed):
    size, least = cut_off(max(lost, 1e-4), n=300, seed=seed)
    one = truncated_share(size, least)
    two = truncated_share(size * scale + offset, least * scale + offset)
    assert two == pytest.approx(one, abs=2e-3)
    assert 0 <= one <= 0.5


def test_chance_at_the_threshold_does_not_count_as_the_unit():
    size, least = cut_off(0.01, n=2000)
    chance = least + np.random.default_rng(1).exponential(0.03, 1000)
    both = np.concatenate([size, chance])
    sure = np.repeat([1.0, 0.0], [size.size, chance.size])
    told = expected(3, both, sure, least)
    assert told.false_positives == pytest.approx(1000 / both.size)
    assert told.below_threshold == pytest.approx(0.01, abs=0.01)
    assert truncated_share(both, least) > 0.1  # without confidence it would be far off
    assert told.true_spikes == pytest.approx(2000, rel=0.02)


def test_collisions_and_a_little_chance_do_not_widen_the_gaussian():
    size, least = cut_off(0.001, n=1000)
    rng = np.random.default_rng(2)
    strange = [least + rng.exponential(0.02, 30), size.max() + rng.uniform(0.5, 1, 30)]
    assert truncated_share(np.concatenate([size, *strange]), least) < 0.01


def test_coincidences_that_only_chance_misses_are_not_told():
    told = [hidden_share(*trains(seed, n=2000), 15, (60, 300)) for seed in range(40)]
    assert np.mean(np.asarray(told) > 0) < 0.2


def test_calibrated_confidence_gives_the_true_number_of_false_spikes():
    rng = np.random.default_rng(0)
    sure = rng.beta(4, 1, 20_000)
    right = rng.random(sure.size) < sure
    told = expected(0, rng.normal(1, 0.1, sure.size), sure, 0.45)
    assert told.false_positives == pytest.approx(1 - right.mean(), abs=0.01)


def test_what_nobody_knows_is_not_a_number():
    told = expected(0, np.ones(5), np.full(5, np.nan), 0.5)
    assert np.isnan(told.false_positives)
    assert np.isnan(told.below_threshold)
    assert told.false_negatives == 0
    assert told.true_spikes == 5
    assert expected(0, [], [], 0.5).n_spikes == 0


@pytest.mark.parametrize("sure", [[0.5], [0.5, 1.2], [-0.1, 0.5]])
def test_confidences_that_are_none_are_refused(sure):
    with pytest.raises(BadArgumentError, match="2 confidences from 0 to 1"):
        expected(0, [1.0, 1.0], sure, 0.5)


def test_doubtful_spikes_that_were_left_out_are_lost_as_far_as_they_are_likely():
    rng = np.random.default_rng(0)
    sure = rng.beta(2, 1, 40_000)
    right = rng.random(sure.size) < sure
    given = sure >= 0.35
    told = expected(0, rng.normal(1, 0.1, sure.size), sure, 0.45, 0.1, given)
    assert told.n_spikes == given.sum()
    assert told.left_out == pytest.approx(right[~given].sum() / right.sum(), abs=0.005)
    assert told.false_positives == pytest.approx(1 - right[given].mean(), abs=0.01)
    assert told.false_negatives == pytest.approx(1 - 0.9 * (1 - told.left_out), abs=0.001)


def test_spikes_that_were_left_out_show_where_the_amplitudes_end():
    size, least = cut_off(0.02)
    shown = size > np.quantile(size, 0.4)
    sure = np.where(shown, 1.0, 0.999)
    told = expected(0, size, sure, least, given=shown)
    assert told.below_threshold == pytest.approx(0.02, abs=0.01)
    assert told.left_out == pytest.approx(0.4, abs=0.01)


def test_pieces_of_a_unit_may_have_thresholds_of_their_own():
    (one, low), (other, high) = cut_off(0.05), cut_off(0.05, sd=0.3, seed=1)
    least = np.repeat([low, high], [one.size, other.size])
    both = truncated_share(np.concatenate([one, other]), least)
    assert both == truncated_share(np.concatenate([one - low, other - high]), 0.0)


def trains(seed=0, n=40_000, rate=15.0, seconds=3000, rate_hz=30_000):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.integers(0, seconds * rate_hz, n)) for _ in range(2)]


@pytest.mark.parametrize("lost", [0.0, 0.5, 1.0])
def test_missing_coincidences_are_hidden_spikes(lost):
    own, larger = trains()
    next_one = np.searchsorted(larger, own)[:, None] + [-1, 0]
    apart = np.abs(own[:, None] - larger[np.clip(next_one, 0, larger.size - 1)])
    together = apart.min(axis=1) <= 15
    gone = together & (np.random.default_rng(1).random(own.size) < lost)
    told = hidden_share(own[~gone], larger, 15, (60, 300))
    assert together.mean() > 0.01
    assert told == pytest.approx(gone.mean(), abs=0.002)


def test_nothing_hides_spikes_where_there_is_nothing():
    own, _ = trains()
    assert hidden_share(own, own[:0], 15, (60, 300)) == 0
    assert hidden_share(own[:0], own, 15, (60, 300)) == 0


def test_the_least_amplitude_is_where_the_gain_is_nothing():
    norms, cost = np.asarray([30.0, 100.0, 5000.0]), np.full(3, 7.0)
    least = least_amplitudes(norms, cost, PRIOR, 0.0)
    score = least * norms
    gain = (score + PRIOR) ** 2 / (2 * (norms + PRIOR)) - PRIOR / 2 - cost
    np.testing.assert_allclose(gain, 0, atol=1e-9)
    assert least_amplitudes(norms, cost, PRIOR, LEAST_AMPLITUDE)[2] == LEAST_AMPLITUDE


def test_all_units_at_once_the_smaller_one_is_lost():
    small, large = trains(n=20_000)
    gone = np.abs(small - large[np.clip(np.searchsorted(large, small), 0, large.size - 1)]) <= 15
    small = small[~gone]
    sample = np.concatenate([small, large])
    order = np.argsort(sample, kind="stable")
    unit = np.repeat([0, 1], [small.size, large.size])[order]
    size = np.random.default_rng(3).normal(1, 0.1, sample.size)
    told = expect_all(
        sample[order],
        unit,
        size,
        np.full(sample.size, 0.9),
        given=np.ones(sample.size, bool),
        least=np.full(sample.size, 0.45),
        norm=np.asarray([50.0, 500.0]),
        overlaps=np.ones((2, 2), bool),
        rate_hz=30_000.0,
    )
    assert [one.unit for one in told] == [0, 1]
    assert told[1].collided == 0
    assert told[0].collided == pytest.approx(gone.mean(), abs=0.003)
    assert told[0].false_positives == pytest.approx(0.1)
