"""A new animal with another mix of classes and other scores: the budget holds or acceptance is off.

The size of the shift is drawn anew for each animal. What is checked is the error among accepted
items that no one looked at; audited ones are corrected by the people who look.
"""

import json

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.trust.acceptance import judge
from nissl.trust.audit import draw, planned, residual
from nissl.trust.intervals import Interval
from nissl.trust.selection import Selection, select

BUDGET = 0.05
SIZE = planned(BUDGET, expected=BUDGET / 3)


def animal(rng, n, shift):
    """Confidence and correctness of a two-class model in one animal; wrong about 3 % unshifted."""
    prior = 1 / (1 + np.exp(-rng.normal(0, 2 * shift)))
    truth = rng.random(n) < prior
    score = np.where(truth, 1.9, -1.9) + rng.normal(0, 1, n) + rng.normal(0, shift)
    p = 1 / (1 + np.exp(-3.8 * score))
    return np.maximum(p, 1 - p), (p > 0.5) == truth


def one_run(rng, shift_of_training, shift):
    """Error among what is finally accepted unseen (None when off), and of the threshold alone."""
    known = [animal(rng, 250, shift_of_training) for _ in range(8)]
    confidence, correct = (np.concatenate(x) for x in zip(*known, strict=True))
    groups = np.repeat(np.arange(8), 250)
    selection = select(confidence, correct, budget=BUDGET / 2, groups=groups, rng=rng)
    p, right = animal(rng, 1500, shift)
    by_threshold = selection.accepts(p)
    if not by_threshold.any():
        return None, 0.0
    sample = draw(p, by_threshold, size=SIZE, rng=rng)
    found = residual(~right[sample.indices], sample)
    unseen = judge(selection, found, budget=BUDGET).accepts(p)
    unseen[sample.indices] = False
    return (np.mean(~right[unseen]) if unseen.any() else None), np.mean(~right[by_threshold])


@pytest.mark.parametrize(
    ("shift_of_training", "shift", "most_off"), [(0.0, 0.0, 0.1), (0.1, 0.8, 0.5), (0.4, 1.5, 0.6)]
)
def test_budget_holds_in_a_new_animal_or_acceptance_is_off(shift_of_training, shift, most_off):
    rng = np.random.default_rng(0)
    runs = [one_run(rng, shift_of_training, shift) for _ in range(200)]
    kept = np.mean([error is None or error <= BUDGET for error, _ in runs])
    assert kept >= 0.9
    # acceptance that is never on would keep any budget
    assert np.mean([error is None for error, _ in runs]) <= most_off
    threshold_alone_fails = np.mean([error > BUDGET for _, error in runs])
    assert threshold_alone_fails <= 0.05 if shift == 0 else threshold_alone_fails > 0.1


def selection(n_accepted=500):
    threshold = 0.9 if n_accepted else float("inf")
    return Selection(
        0.05, 0.95, threshold, Interval(0.5, 0.4, 0.6, 0.95, 9), 1000, n_accepted, 3, 0.03, "sgr"
    )


def audited(wrong, n):
    sample = draw(np.full(1000, 0.95), np.ones(1000, bool), size=n, rng=np.random.default_rng(0))
    return residual(np.arange(len(sample)) < wrong, sample)


def test_it_is_on_only_with_an_audit_within_the_budget():
    assert judge(selection(), audited(0, 60)).on
    few = judge(selection(), audited(0, 30))
    assert not few.on
    assert few.needed > 0
    assert str(few.needed) in few.reason
    many = judge(selection(), audited(20, 60))
    assert not many.on
    assert many.needed == 0
    for off in (
        judge(selection(), None),
        judge(selection(0), audited(0, 60)),
        judge(selection(), audited(0, 60), novel="the gain is 0.66 of what was seen."),
        judge(selection(), audited(0, 60), budget=0.01),
    ):
        assert not off.on
        assert off.reason
        assert not off.accepts([0.99, 0.95]).any()


def test_confidence_and_named_groups_decide_per_item():
    acceptance = judge(selection(), audited(0, 60), off_in={"region: CA1": "4.0 % wrong"})
    names = {"region": ["CA1", "CA3", "CA3", "CA3"]}
    accepted = acceptance.accepts([0.99, 0.99, 0.5, np.nan], names)
    assert accepted.tolist() == [False, True, False, False]
    with pytest.raises(BadArgumentError, match="region"):
        acceptance.accepts([0.99])


def test_json_holds_no_infinity():
    value = judge(selection(0), None).to_json()
    assert json.loads(json.dumps(value, allow_nan=False))["threshold"] is None
