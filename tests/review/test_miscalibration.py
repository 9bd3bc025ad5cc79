"""The composite of what a model claims, what an audit found, and other sources."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.review.miscalibration import SPREAD, logit, share_wrong, sigmoid

NONE = (np.zeros(0), np.zeros(0, dtype=bool))


def items(rng, n, shift=0.0, slope=1.0):
    """Claimed confidence, and whether each item is wrong: the odds are off by shift and slope."""
    claimed = 1 - 0.5 * rng.beta(1, 3, n)
    true = sigmoid(slope * logit(claimed) - shift)
    return claimed, rng.random(n) > true


def test_without_an_audit_the_claim_stands():
    claimed, _ = items(np.random.default_rng(0), 500)
    assert share_wrong(claimed, *NONE) == pytest.approx(1 - claimed.mean(), abs=0.015)


@pytest.mark.parametrize("size", [30, 120, 480])
def test_it_is_nearer_than_claim_and_audit(size):
    off = {"claim": [], "audit": [], "both": []}
    for seed in range(120):
        rng = np.random.default_rng(seed)
        claimed, wrong = items(rng, 2000 + size, SPREAD * rng.standard_normal())
        audit, left = slice(size), slice(size, None)
        true = wrong[left].mean()
        off["claim"].append(1 - claimed[left].mean() - true)
        off["audit"].append(wrong[audit].mean() - true)
        off["both"].append(share_wrong(claimed[left], claimed[audit], wrong[audit]) - true)
    error = {name: np.mean(np.abs(values)) for name, values in off.items()}
    assert error["both"] < min(error["claim"], error["audit"])
    assert abs(np.mean(off["both"])) < 0.01


@pytest.mark.parametrize(("shift", "slope"), [(2.0, 1.0), (0.0, 0.4), (0.5, 0.3)])
def test_a_large_audit_is_believed_whatever_the_model_claims(shift, slope):
    off = []
    for seed in range(60):
        claimed, wrong = items(np.random.default_rng(seed), 6000, shift, slope)
        found = share_wrong(claimed[1500:], claimed[:1500], wrong[:1500])
        off.append(found - wrong[1500:].mean())
    sampled = np.sqrt(0.25 / 1500 + 0.25 / 4500)  # at most, of an audit alone and of the truth
    assert np.sqrt(np.mean(np.square(off))) < 1.2 * sampled
    assert abs(np.mean(off)) < 0.005


def test_a_model_that_is_far_off_is_not_believed():
    claimed = np.full(1000, 0.99)
    found = share_wrong(claimed, claimed[:120], np.arange(120) < 36)
    assert found == pytest.approx(0.3, abs=0.02)


def test_another_source_pulls_by_its_variance():
    claimed, wrong = items(np.random.default_rng(1), 620)
    audit, left = (claimed[:120], wrong[:120]), claimed[120:]
    alone = share_wrong(left, *audit)
    far = alone + 0.1
    steps = [share_wrong(left, *audit, (far, variance)) for variance in (1e-1, 1e-3, 1e-5)]
    assert alone - 1e-3 < steps[0] < steps[1] < steps[2] < far + 1e-3


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(1, 60), more=st.integers(0, 59))
def test_more_wrong_in_the_audit_is_never_less(seed, size, more):
    rng = np.random.default_rng(seed)
    left, audited = rng.uniform(0, 1, 50), rng.uniform(0, 1, size)
    wrong = np.zeros(size, dtype=bool)
    few = share_wrong(left, audited, wrong)
    wrong[min(more, size - 1)] = True
    assert 0 <= few <= share_wrong(left, audited, wrong) <= 1


def test_many_items_are_summed_up_without_loss():
    claimed, wrong = items(np.random.default_rng(2), 40_000)
    audit = (claimed[:200], wrong[:200])
    few = share_wrong(np.sort(claimed)[10::20], *audit)
    assert share_wrong(claimed, *audit) == pytest.approx(few, abs=1e-3)
