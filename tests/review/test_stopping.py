"""Estimates of what is still wrong, what would change, and the advice made of both."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.review.miscalibration import logit, sigmoid
from nissl.review.policies.measures import expected_error
from nissl.review.policies.pool import ranked
from nissl.review.stopping import (
    Asked,
    Audited,
    Remaining,
    advise,
    change_ahead,
    remaining,
)


def campaign(seed, *, overconfident=1.0, n=1500, batches=15):
    """Confidence and truth of a pool; a batch after the other asked by doubt."""
    rng = np.random.default_rng(seed)
    confidence = 1 - 0.5 * rng.beta(1, 2, n)
    said = 1 - (1 - confidence) / overconfident
    wrong = rng.random(n) > confidence
    left, rows, chance = np.arange(n), [], []
    for _ in range(batches):
        p = np.stack([said[left], 1 - said[left]], axis=1)
        ranking = ranked(expected_error(p), rng)
        first = ranking.order[:20]
        rows += left[first].tolist()
        chance += ranking.probability[first].tolist()
        left = np.delete(left, first)
    asked = Asked(said[rows], wrong[rows], np.array(chance))
    return said[left], wrong[left].mean(), asked


def reviewed_pool(seed, n=1500, audit=120):
    """A pool asked by doubt after an audit was set aside; the model's odds are off by a factor."""
    rng = np.random.default_rng(seed)
    confidence = 1 - 0.5 * rng.beta(1, 2, n)
    said = sigmoid(logit(confidence) + 0.3 * rng.standard_normal())
    wrong = rng.random(n) > confidence
    left, rows, chance = np.arange(audit, n), [], []
    for _ in range(15):
        ranking = ranked(1 - said[left], rng)
        first = ranking.order[:20]
        rows += left[first].tolist()
        chance += ranking.probability[first].tolist()
        left = np.delete(left, first)
    asked = Asked(said[rows], wrong[rows], np.array(chance))
    return said[left], wrong[left].mean(), asked, said[:audit], wrong[:audit]


def test_asked_items_speak_for_those_that_were_not():
    off, naive, held = [], [], []
    for seed in range(40):
        left, true, asked = campaign(seed, overconfident=2.0)
        found = remaining(left, asked)
        off.append(found.estimate - true)
        naive.append(asked.wrong.mean() - true)
        held.append(found.upper >= true)
    word = np.mean([remaining(campaign(s, overconfident=2.0)[0]).estimate for s in range(5)])
    assert abs(np.mean(off)) < 0.02
    assert np.mean(naive) > 0.1  # what was asked is the worst of the pool
    assert word < 0.1 < np.mean([campaign(s)[1] for s in range(5)])  # taken at its word it flatters
    assert np.mean(held) >= 0.85


def test_a_calibrated_model_is_believed():
    off = []
    for seed in range(20):
        left, true, asked = campaign(seed)
        off.append(remaining(left, asked).estimate - true)
    assert abs(np.mean(off)) < 0.015
    assert np.mean(np.abs(off)) < 0.04


def test_an_audit_gives_the_bound_and_pulls_the_estimate():
    left, _, asked = campaign(0, overconfident=2.0)
    alone, audited = remaining(left, asked), remaining(left, asked, Audited(0, 149))
    assert audited.basis == "audit"
    assert audited.upper == pytest.approx(0.02, abs=1e-3)  # 149 without an error show 2 %
    assert audited.estimate < alone.estimate
    only = remaining(left, None, Audited(12, 60))
    assert only.estimate == pytest.approx(0.2)
    assert only.upper > 0.2
    assert remaining(left, None, Audited(5, 5)).upper == 1.0


def test_a_known_audit_is_compared_with_the_claim_and_with_what_is_left():
    off = {"audit": [], "composite": [], "with asked": []}
    held = []
    for seed in range(60):
        left, true, asked, rest, wrong = reviewed_pool(seed)
        audit = Audited.of_items(rest, wrong)
        off["audit"].append(remaining(left, asked, Audited(audit.wrong, audit.n)).estimate - true)
        off["composite"].append(remaining(left, None, audit).estimate - true)
        found = remaining(left, asked, audit)
        off["with asked"].append(found.estimate - true)
        held.append(found.upper >= true)
        assert found.upper == remaining(left, None, Audited(audit.wrong, audit.n)).upper
        assert found.basis == "audit"
    error = {name: np.mean(np.abs(values)) for name, values in off.items()}
    assert error["composite"] < 0.02
    assert error["with asked"] < 0.02
    assert error["composite"] < error["audit"]
    assert np.mean(held) >= 0.95  # the doubtful were asked, so what is left is better


REVIEWED = campaign(1)


@settings(max_examples=40, deadline=None)
@given(wrong=st.integers(0, 40), more=st.integers(0, 400))
def test_an_audit_and_what_was_asked_are_averaged(wrong, more):
    left, _, asked = REVIEWED
    alone = remaining(left, asked).estimate
    n = 40 + more
    found = remaining(left, asked, Audited(wrong, n)).estimate
    share = wrong / n
    assert min(alone, share) - 1e-9 <= found <= max(alone, share) + 1e-9


def test_without_evidence_the_bound_says_so():
    found = remaining(np.array([0.9, 0.8]))
    assert found.estimate == pytest.approx(0.15)
    assert found.upper == 1.0
    assert found.basis == "model"
    assert remaining(np.zeros(0)) == Remaining(0.0, 0.0, 0.0, "model")
    one = remaining(np.array([0.9]), Asked(np.array([0.9]), np.array([True]), np.array([0.5])))
    assert 0 <= one.estimate <= one.upper <= 1


def test_what_would_change_counts_errors_found_and_model_drift():
    errors = np.array([0.5] * 10 + [0.01] * 90)
    steady = [(20, 0.0)] * 3
    assert change_ahead(errors, 1000, steady, ahead=10) == pytest.approx(0.005)
    assert change_ahead(errors, 1000, [*steady, (20, 0.04)], ahead=10) == pytest.approx(0.025)
    assert math.isnan(change_ahead(errors, 1000, [(20, 0.5)] * 2))
    forgotten = [(20, 0.5), *steady]
    assert change_ahead(errors, 1000, forgotten, ahead=10) == pytest.approx(0.005)
    assert change_ahead(np.zeros(0), 10, steady) == 0


@settings(max_examples=40, deadline=None)
@given(
    errors=st.lists(st.floats(0, 1), max_size=40),
    ahead=st.integers(1, 60),
    drift=st.floats(0, 1),
)
def test_looking_further_ahead_never_changes_less(errors, ahead, drift):
    updates = [(20, drift)] * 3
    near, far = (change_ahead(np.array(errors), 100, updates, ahead=a) for a in (ahead, ahead + 5))
    assert 0 <= near <= far <= 1


def test_advice_without_a_budget_follows_stability():
    left = Remaining(0.04, 0.07, 60, "audit")
    go, stop = advise(left, 0.03), advise(left, 0.004)
    assert not go.stop
    assert "up to 3 % of labels" in go.sentence
    assert stop.stop
    assert "Another 30 decisions would change less than 1 % of labels." in stop.sentence
    assert "about 4 % are wrong, at most 7 % (by 60 audited items)" in stop.sentence
    assert "One can stop." in stop.sentence


def test_advice_with_a_budget_follows_the_bound():
    left = Remaining(0.04, 0.07, 60, "audit")
    assert not advise(left, 0.001, budget=0.05).stop
    assert "above the budget of 5 %" in advise(left, 0.001, budget=0.05).sentence
    assert advise(left, 0.2, budget=0.1).stop
    unchecked = advise(remaining(np.full(9, 0.99)), 0.0, budget=0.5)
    assert not unchecked.stop
    assert "nobody has checked" in unchecked.sentence


def test_an_unknown_change_is_no_reason_to_stop():
    advice = advise(Remaining(0.01, 0.02, 300, "audit"), math.nan)
    assert not advice.stop
    assert "too seldom" in advice.sentence
    assert json.loads(json.dumps(advice.to_json()))["change"] is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Asked(np.zeros(2), np.zeros(1, dtype=bool), np.ones(2)),
        lambda: Asked(np.zeros(1), np.zeros(1, dtype=bool), np.zeros(1)),
        lambda: Audited(3, 2),
        lambda: Audited(1, 2, np.full(2, 0.9)),
        lambda: Audited(1, 2, np.full(2, 0.9), np.zeros(2, dtype=bool)),
        lambda: Audited(1, 2, np.full(3, 0.9), np.array([True, False])),
        lambda: change_ahead(np.zeros(3), 10, [(0, 0.1)]),
        lambda: change_ahead(np.zeros(3), 0, []),
    ],
)
def test_impossible_input_is_refused(make):
    with pytest.raises(BadArgumentError):
        make()
