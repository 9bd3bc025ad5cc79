import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.selection import CLAIMED, METHODS, Selection, claimed, risk_coverage_curve, select


def items(rng, n):
    """Errors fall with confidence: 30 % at 0.5, none at 1."""
    confidence = 0.5 + 0.5 * rng.random(n)
    return confidence, rng.random(n) > 0.6 * (1 - confidence)


def true_risk(threshold):
    return 0.3 * (1 - threshold)  # mean of 0.6 (1 - c) over c in [threshold, 1]


@pytest.mark.parametrize("method", METHODS)
def test_budget_is_kept_with_the_confidence_promised(method):
    rng = np.random.default_rng(0)
    kept, coverage = 0, []
    for _ in range(300):
        found = select(*items(rng, 1500), budget=0.06, method=method)
        kept += not found.n_accepted or true_risk(found.threshold) <= 0.06
        coverage.append(found.coverage.estimate)
    assert kept / 300 >= 0.93
    # 0.4 would keep the budget just so, 0.26 passes one test at a threshold known beforehand
    assert np.mean(coverage) > {"fixed_sequence": 0.15, "sgr": 0.07}[method]


def test_one_error_among_the_surest_does_not_end_the_search():
    rng = np.random.default_rng(1)
    confidence, correct = items(rng, 4000)
    correct[np.argmax(confidence)] = False
    assert select(confidence, correct, budget=0.08).coverage.estimate > 0.35


def test_without_an_error_everything_is_accepted_from_the_number_required_on():
    confidence = np.linspace(0.5, 1, 149)
    found = select(confidence, np.ones(149, bool), budget=0.02)
    assert found.n_accepted == 149
    assert found.accepts(confidence).all()
    assert not found.accepts([np.nan, 0.4]).any()


def test_too_few_items_are_refused_with_the_number():
    with pytest.raises(EvaluationError, match="at least 149") as caught:
        select(np.ones(100), np.ones(100, bool), budget=0.02)
    assert "Label 49 more" in caught.value.remedy


def test_a_hopeless_model_accepts_nothing():
    rng = np.random.default_rng(2)
    found = select(rng.random(500), rng.random(500) < 0.5, budget=0.05)
    assert found.n_accepted == 0
    assert np.isinf(found.threshold)
    assert "every label needs a look" in found.statement()
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["threshold"] is None


def test_budget_for_subjects_like_these_covers_less():
    rng = np.random.default_rng(3)
    kept = naive_kept = 0
    for _ in range(60):
        tilt = rng.normal(0, 0.8, 12)  # animals differ in how often the model errs
        groups = np.repeat(np.arange(12), 120)
        confidence = 0.5 + 0.5 * rng.random(1440)
        correct = rng.random(1440) > np.clip(0.6 * (1 - confidence) * np.exp(tilt[groups]), 0, 1)
        mean_tilt = np.exp(0.32)
        found = select(confidence, correct, budget=0.08, groups=groups, rng=rng)
        naive = select(confidence, correct, budget=0.08)
        assert found.n_accepted <= naive.n_accepted
        assert found.n_groups == 12
        assert np.isnan(found.coverage.low) or found.coverage.low <= found.coverage.estimate
        kept += mean_tilt * true_risk(found.threshold) <= 0.08 if found.n_accepted else True
        naive_kept += mean_tilt * true_risk(naive.threshold) <= 0.08 if naive.n_accepted else True
    assert kept / 60 >= 0.85
    assert naive_kept < kept


@settings(deadline=None, max_examples=30)
@given(
    st.integers(60, 400), st.integers(1, 12), st.sampled_from(METHODS), st.integers(0, 2**32 - 1)
)
def test_what_is_told_agrees_with_the_items(n, levels, method, seed):
    rng = np.random.default_rng(seed)
    confidence = rng.integers(0, levels, n) / levels  # heavy ties
    correct = rng.random(n) < 0.7 + 0.3 * confidence
    found = select(confidence, correct, budget=0.2, method=method)
    accepted = found.accepts(confidence)
    assert accepted.sum() == found.n_accepted
    assert (~correct[accepted]).sum() == found.wrong
    assert found.n_accepted == 0 or found.wrong / found.n_accepted <= found.upper <= 0.2


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 80), st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_curve_counts_what_lies_above_each_threshold(n, levels, seed):
    rng = np.random.default_rng(seed)
    confidence = rng.integers(0, levels, n) / levels
    correct = rng.random(n) < 0.8
    curve = risk_coverage_curve(confidence, correct)
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        above = confidence >= threshold
        assert coverage == pytest.approx(above.mean())
        assert risk == pytest.approx((~correct[above]).mean())
    assert curve.coverage[-1] == pytest.approx(1)
    assert (np.diff(curve.coverage) > 0).all()
    assert curve.excess_area >= -1e-12


def test_a_perfect_ranking_has_no_excess_and_weights_count_as_copies():
    correct = np.arange(50) >= 10
    perfect = risk_coverage_curve(np.linspace(0, 1, 50), correct)
    assert perfect.excess_area == pytest.approx(0, abs=1e-12)
    assert risk_coverage_curve(np.linspace(1, 0, 50), correct).excess_area > 0.2
    confidence = np.array([0.9, 0.8, 0.7])
    doubled = risk_coverage_curve(np.repeat(confidence, [1, 2, 3]), np.repeat([1, 0, 1], [1, 2, 3]))
    weighted = risk_coverage_curve(confidence, [1, 0, 1], weights=[1, 2, 3])
    np.testing.assert_allclose(weighted.risk, doubled.risk)
    np.testing.assert_allclose(weighted.coverage, doubled.coverage)
    assert set(json.loads(json.dumps(weighted.to_json()))) >= {"area", "risk"}


def test_json_and_back():
    rng = np.random.default_rng(4)
    groups = np.arange(800) % 9
    for found in (
        select(*items(rng, 800), budget=0.1),
        select(*items(rng, 800), budget=0.2, groups=groups, rng=rng),
        select(rng.random(300), rng.random(300) < 0.5, budget=0.05),
        claimed(rng.random(50), budget=0.1),
    ):
        text = json.dumps(found.to_json(), allow_nan=False)
        assert Selection.from_json(json.loads(text)) == found
    good = found.to_json()
    for damaged in ({}, {**good, "coverage": 3}, {**good, "threshold": "high"}):
        with pytest.raises(BadArgumentError):
            Selection.from_json(damaged)


def test_a_claim_takes_the_model_at_its_word_and_says_so():
    found = claimed([0.99, 0.97, 0.9, 0.5, np.nan], budget=0.05)
    assert found.threshold == 0.9  # mean of 0.01, 0.03, 0.1
    assert found.coverage.estimate == 0.6
    assert found.upper == 1
    assert found.method == CLAIMED
    assert "no labelled items" in found.statement()
    assert claimed([0.6, 0.6], budget=0.05).n_accepted == 0
    assert claimed([], budget=0.05).n_accepted == 0
    ties = claimed([1.0, 0.9, 0.9], budget=0.06)
    assert ties.n_accepted == ties.accepts([1.0, 0.9, 0.9]).sum() == 1


def test_bad_input_is_refused():
    with pytest.raises(BadArgumentError):
        select([0.5], [True], budget=1.5)
    with pytest.raises(BadArgumentError):
        select([0.5], [True], budget=0.5, method="guess")
    with pytest.raises(BadArgumentError):
        select(np.ones(99), np.ones(99), budget=0.5, groups=np.arange(99))
    with pytest.raises(BadArgumentError):
        select([np.nan], [True], budget=0.5)
    with pytest.raises(BadArgumentError):
        select([0.5], [0.7], budget=0.5)
    with pytest.raises(BadArgumentError):
        risk_coverage_curve([], [])
    with pytest.raises(EvaluationError):
        select([], [], budget=0.5)
