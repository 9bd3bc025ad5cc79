import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.trust.bands import quantile_edges
from nissl.trust.reliability import bands, reliability, top_label


def calibrated(rng, n):
    p = 0.5 + 0.5 * rng.beta(2, 1, n)
    return p, rng.random(n) < p


def test_a_calibrated_model_lies_in_its_own_range_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    inside = consistent = 0
    for _ in range(80):
        result = reliability(*calibrated(rng, 106), rng=rng)
        inside += result.perfect[0] <= result.ece <= result.perfect[1]
        consistent += result.consistent
    assert 0.87 <= inside / 80 <= 0.99
    assert consistent / 80 >= 0.93


def test_at_106_items_a_perfect_model_shows_an_ece_of_nine_hundredths():
    rng = np.random.default_rng(1)
    p = rng.beta(4, 1, 106)
    assert np.mean(reliability(p, p > 0.5, rng=rng).perfect) == pytest.approx(0.09, abs=0.01)


def test_an_overconfident_model_is_found_out():
    rng = np.random.default_rng(2)
    p = 0.5 + 0.5 * rng.beta(2, 1, 1500)
    correct = rng.random(1500) < p - 0.1
    result = reliability(p, correct, rng=rng)
    assert not result.consistent
    assert result.ece == pytest.approx(0.1, abs=0.03)
    assert result.ece_debiased.low <= 0.1 <= result.ece_debiased.high
    assert "more than chance explains" in result.statement()


def test_debiasing_takes_chance_off():
    rng = np.random.default_rng(3)
    truth = 0.06
    plain, debiased, rms = [], [], []
    for _ in range(30):
        p = rng.uniform(0.6, 0.9, 250)
        result = reliability(p, rng.random(250) < p - truth, rng=rng)
        plain.append(result.ece)
        debiased.append(result.ece_debiased.estimate)
        rms.append(result.rms_debiased**2)
    assert abs(np.mean(debiased) - truth) < 0.6 * abs(np.mean(plain) - truth)
    assert np.sqrt(np.mean(rms)) == pytest.approx(truth, abs=0.015)


def test_skill_is_none_for_the_base_rate_and_known_for_a_calibrated_model():
    rng = np.random.default_rng(4)
    correct = np.arange(400) < 300
    dull = reliability(np.full(400, 0.75), correct, rng=rng)
    assert dull.brier_skill.estimate == pytest.approx(0, abs=1e-9)
    assert dull.log_loss_skill.estimate == pytest.approx(0, abs=1e-9)
    assert dull.auroc.estimate == 0.5
    assert len(dull.bins) == 1  # equal confidences stay together
    p = rng.random(4000)
    sharp = reliability(p, rng.random(4000) < p, rng=rng)
    assert sharp.brier_skill.estimate == pytest.approx(1 / 3, abs=0.03)  # var p / (var p + E pq)
    assert sharp.auroc.estimate == pytest.approx(5 / 6, abs=0.03)


def test_area_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(5)
    p = rng.integers(0, 6, 60) / 6
    correct = rng.random(60) < p
    gap = p[correct][:, None] - p[~correct][None]
    expected = np.mean((gap > 0) + 0.5 * (gap == 0))
    assert reliability(p, correct, rng=rng).auroc.estimate == pytest.approx(expected)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 120), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_bins_part_the_items(n, levels, seed):
    rng = np.random.default_rng(seed)
    p = rng.integers(0, levels + 1, n) / levels
    correct = rng.random(n) < p
    result = reliability(p, correct, rng=rng)
    assert sum(part.n for part in result.bins) == n
    assert sum(part.share for part in result.bins) == pytest.approx(1)
    for part, after in zip(result.bins, result.bins[1:], strict=False):
        assert part.high < after.low
    for part in result.bins:
        assert part.low <= part.confidence + 1e-12 <= part.high + 1e-11
        assert part.accuracy.low <= part.accuracy.estimate <= part.accuracy.high
    mean = sum(part.share * part.accuracy.estimate for part in result.bins)
    assert mean == pytest.approx(correct.mean())
    json.dumps(result.to_json(), allow_nan=False)


def test_subjects_that_differ_widen_the_intervals():
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(8), 60)
    p = np.full(480, 0.8) + rng.uniform(-0.1, 0.1, 480)
    correct = rng.random(480) < np.where(groups < 4, 0.99, 0.6)
    alone = reliability(p, correct, rng=rng)
    grouped = reliability(p, correct, groups=groups, rng=rng)
    assert grouped.n_groups == 8
    assert grouped.ece == alone.ece
    for name in ("accuracy", "brier_skill"):
        one, other = getattr(alone, name), getattr(grouped, name)
        assert other.high - other.low > 1.5 * (one.high - one.low)


def test_weights_count_as_copies():
    rng = np.random.default_rng(7)
    p, correct = calibrated(rng, 60)
    times = rng.integers(1, 4, 60)
    weighted = reliability(p, correct, weights=times, rng=rng)
    copied = reliability(np.repeat(p, times), np.repeat(correct, times), rng=rng)
    assert weighted.auroc.estimate == pytest.approx(copied.auroc.estimate)
    assert weighted.brier_skill.estimate == pytest.approx(copied.brier_skill.estimate)
    assert weighted.accuracy.estimate == pytest.approx(copied.accuracy.estimate)


def test_one_subject_or_no_error_leaves_no_interval_rather_than_a_false_one():
    rng = np.random.default_rng(8)
    one = reliability(*calibrated(rng, 50), groups=["m1"] * 50, rng=rng)
    assert np.isnan(one.brier_skill.low)
    assert one.accuracy.low < one.accuracy.estimate  # at least that of independent items
    right = reliability(np.full(30, 0.9), np.ones(30), rng=rng)
    assert np.isnan(right.brier_skill.estimate)
    assert np.isnan(right.auroc.estimate)
    assert right.accuracy.low < 0.95
    json.dumps(right.to_json(), allow_nan=False)


def test_bands_tell_where_it_fails():
    rng = np.random.default_rng(9)
    snr = rng.uniform(1, 10, 1200)
    p = np.full(1200, 0.9)
    correct = rng.random(1200) < np.where(snr < 3, 0.6, 0.9)
    by_snr = bands(p, correct, snr, edges=[3, 6], groups=np.arange(1200) % 5, rng=rng)
    assert list(by_snr) == ["below 3", "3 to 6", "6 and more"]
    assert [band.consistent for band in by_snr.values()] == [False, True, True]
    assert sum(band.n for band in by_snr.values()) == 1200
    by_class = bands(p, correct, np.where(snr < 3, "mua", "good"), rng=rng)
    assert list(by_class) == ["good", "mua"]
    assert by_class["mua"].ece == pytest.approx(by_snr["below 3"].ece)
    assert len(bands(p, correct, snr, edges=quantile_edges(snr), rng=rng)) == 4


def test_top_label_is_the_likeliest_class():
    confidence, correct = top_label([[0.2, 0.7, 0.1], [0.5, 0.2, 0.3]], [1, 2])
    assert confidence.tolist() == pytest.approx([0.7, 0.5])
    assert correct.tolist() == [True, False]
    with pytest.raises(BadArgumentError):
        top_label([[0.5, 0.5]], [0, 1])


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError):
        reliability([], [], rng=rng)
    with pytest.raises(BadArgumentError):
        reliability([1.2], [True], rng=rng)
    with pytest.raises(BadArgumentError):
        reliability([0.5, 0.5], [True, False], groups=["a"], rng=rng)
    with pytest.raises(BadArgumentError):
        bands([0.5, 0.5], [True, False], [1.0], rng=rng)
