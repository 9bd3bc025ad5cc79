import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.trust.bands import quantile_edges
from nissl.trust.bias import FEWEST, by_group, composition, failing


def study(rng, n=900):
    """Two regions; in the second the model is wrong a fifth of the time and does not know it."""
    region = np.where(np.arange(n) % 3 == 0, "CA3", "CA1")
    confidence = rng.uniform(0.9, 1.0, n)
    correct = rng.random(n) < np.where(region == "CA3", 0.8, 0.97)
    return confidence, correct, confidence > 0.93, region


def test_the_group_that_is_served_worse_is_named():
    rng = np.random.default_rng(0)
    confidence, correct, accepted, region = study(rng)
    amplitude = rng.uniform(20, 200, 900)
    scores = by_group(
        confidence,
        correct,
        accepted,
        {"region": region, "amplitude_uv": amplitude},
        edges={"amplitude_uv": quantile_edges(amplitude, 3)},
        subjects=np.arange(900) % 6,
        rng=rng,
    )
    assert [s.attribute for s in scores] == ["region"] * 2 + ["amplitude_uv"] * 3
    ca1, ca3 = scores[:2]
    assert (ca1.name, ca3.name) == ("CA1", "CA3")
    assert ca1.calibration.consistent
    assert not ca3.calibration.consistent
    assert ca3.error.estimate > 0.1 > ca1.error.estimate
    assert ca3.upper > ca3.error.estimate
    off = failing(scores[:2], 0.05)
    assert list(off) == ["region: CA3"]
    assert "the budget is 5.0%" in off["region: CA3"]


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 150), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_groups_add_up_to_the_whole(n, n_names, seed):
    rng = np.random.default_rng(seed)
    confidence, correct, accepted, _ = study(rng, n)
    names = rng.integers(0, n_names, n)
    scores = by_group(confidence, correct, accepted, {"probe": names}, rng=rng)
    assert sum(s.n for s in scores) == n
    assert sum(s.n_accepted for s in scores) == accepted.sum()
    assert sum(s.n_wrong for s in scores) == (~correct[accepted]).sum()
    for score in scores:
        assert score.scored == (score.n >= FEWEST)
        json.dumps(score.to_json(), allow_nan=False)
        if score.scored:
            assert score.coverage.estimate == pytest.approx(score.n_accepted / score.n)
            assert score.abstention.low == pytest.approx(1 - score.coverage.high)


def test_few_items_are_unscored_and_not_accepted():
    rng = np.random.default_rng(1)
    names = ["big"] * 30 + ["small"] * (FEWEST - 1)
    ones = np.ones(len(names), bool)
    scores = by_group(np.full(len(names), 0.99), ones, ones, {"lab": names}, rng=rng)
    big, small = scores
    assert big.scored
    assert (small.coverage, small.error, small.upper, small.abstention) == (None,) * 4
    assert failing(scores, 0.02) == {"lab: small": "unscored: 19 labelled items, 20 are needed"}


def test_a_group_where_little_is_accepted_has_nothing_to_speak_for_it():
    rng = np.random.default_rng(2)
    scores = by_group(
        np.full(30, 0.6), np.ones(30), np.arange(30) < 3, {"lab": ["a"] * 30}, rng=rng
    )
    assert scores[0].error is None
    assert scores[0].coverage.estimate == 0.1
    assert "3 accepted labelled items" in failing(scores, 0.02)["lab: a"]


def test_subjects_that_differ_widen_the_intervals():
    rng = np.random.default_rng(3)
    subjects = np.repeat(np.arange(6), 50)
    correct = (subjects % 2 == 0) | (rng.random(300) < 0.5)
    args = (np.full(300, 0.9), correct, np.ones(300, bool), {"lab": ["a"] * 300})
    alone = by_group(*args, rng=rng)[0].error
    grouped = by_group(*args, subjects=subjects, rng=rng)[0].error
    assert grouped.n == 6
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_composition_counts_items_subjects_and_classes():
    table = composition(
        {"probe": ["np1", "np1", "np2", None], "snr": [1.0, 5.0, 2.0, 9.0]},
        classes=["good", "mua", "good", "noise"],
        subjects=["a", "b", "b", "b"],
        edges={"snr": [4]},
    )
    first = table[0]
    assert first.to_json() == {
        "attribute": "probe", "name": "np1", "n": 2, "share": 0.5, "n_subjects": 2,
        "classes": {"good": 1, "mua": 1},
    }  # fmt: skip
    assert [share.name for share in table] == ["np1", "np2", "unknown", "below 4", "4 and more"]
    assert composition({}) == ()
    assert composition({"lab": ["x"]})[0].n_subjects is None


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError):
        by_group([0.5], [1], [1, 0], {"lab": ["a"]}, rng=rng)
    with pytest.raises(BadArgumentError):
        by_group([0.5], [1], [1], {"lab": ["a", "b"]}, rng=rng)
    with pytest.raises(BadArgumentError):
        composition({"lab": ["a"], "probe": ["x", "y"]})
    with pytest.raises(BadArgumentError):
        failing([], 0.0)
