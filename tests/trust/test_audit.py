import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.audit import (
    AuditSample,
    draw,
    extend,
    planned,
    required,
    residual,
    residual_of_queries,
)
from nissl.trust.bounds import finite_required, upper_bound


def rng(seed=0):
    return np.random.default_rng(seed)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 400), st.integers(0, 300), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_a_sample_is_of_accepted_items_once_each_and_weighs_them_all(n, others, size, seed):
    g = rng(seed)
    accepted = g.permutation(np.arange(n + others) < n)
    confidence = np.round(g.random(n + others), 1)
    confidence[~accepted] = np.nan
    sample = draw(confidence, accepted, size=size, rng=g)
    assert accepted[sample.indices].all()
    assert np.unique(sample.indices).size == len(sample) >= min(size, n)
    assert len(sample) < size + 10
    assert sample.weight.sum() == pytest.approx(n)
    assert sample.excess >= 1 - 1e-9
    back = AuditSample.from_json(json.loads(json.dumps(sample.to_json())))
    assert back.to_json() == sample.to_json()


def test_every_accepted_item_has_the_same_chance():
    confidence = np.linspace(0.5, 1, 200)
    seen = np.zeros(200)
    for seed in range(1500):
        seen[draw(confidence, np.ones(200, bool), size=40, rng=rng(seed)).indices] += 1
    np.testing.assert_allclose(seen / 1500, 0.2, atol=0.055)


def test_size_is_fifty_or_a_twentieth():
    for n, size in ((30, 30), (400, 50), (4000, 200)):
        confidence = rng().random(n)
        assert len(draw(confidence, np.ones(n, bool), rng=rng())) == size
    for n, size in ((100, 100), (1000, 150), (6000, 300)):  # and what the budget needs, 149
        assert len(draw(np.ones(n), np.ones(n, bool), budget=0.02, rng=rng())) == size


def test_strata_run_from_doubtful_to_sure_and_are_equally_asked():
    confidence = rng(3).random(1000)
    sample = draw(confidence, confidence > 0.5, size=100, rng=rng())
    assert np.bincount(sample.stratum).tolist() == [10] * 10
    means = [confidence[sample.indices[sample.stratum == h]].mean() for h in range(10)]
    assert (np.diff(means) > 0).all()


@pytest.mark.parametrize(("n", "n_wrong", "size"), [(1000, 30, 150), (317, 40, 60), (90, 9, 50)])
def test_the_bound_covers_what_is_wrong_among_the_accepted(n, n_wrong, size):
    """Errors among the least confident, where strata matter most; no model is assumed."""
    g = rng(1)
    confidence = g.random(n)
    wrong = np.zeros(n, bool)
    wrong[np.argsort(confidence)[: 3 * n_wrong][g.permutation(3 * n_wrong)[:n_wrong]]] = True
    held, estimates = 0, []
    for _ in range(300):
        sample = draw(confidence, np.ones(n, bool), size=size, rng=g)
        found = residual(wrong[sample.indices], sample)
        held += found.upper >= n_wrong / n
        estimates.append(found.estimate)
    assert held / 300 >= 0.93
    assert np.mean(estimates) == pytest.approx(n_wrong / n, rel=0.1)


def test_a_sample_half_answered_or_extended_may_be_looked_at():
    g = rng(2)
    confidence = g.random(2000)
    accepted = np.ones(2000, bool)
    sample = draw(confidence, accepted, size=150, rng=g)
    answers = np.zeros(150)
    full = residual(answers, sample)
    assert (full.anytime, full.pending, full.n) == (False, 0, 150)
    answers[100:] = np.nan
    part = residual(answers, sample)
    assert part.anytime
    assert part.pending == 50
    assert part.upper > upper_bound(0, 100)
    assert part.allows(0.02).needed == 50  # completing the sample as it was planned is enough
    longer = extend(sample, confidence, accepted, size=50, rng=g)
    assert len(longer) == 200
    assert longer.indices[:150].tolist() == sample.indices.tolist()
    assert np.unique(longer.indices).size == 200
    again = residual(np.zeros(200), longer)
    assert again.anytime
    assert upper_bound(0, 200) < again.upper < full.upper


def test_extended_samples_cover_too_although_one_looked_in_between():
    g = rng(4)
    wrong = np.arange(2000) < 100
    confidence = g.random(2000)
    missed = 0
    for _ in range(300):
        sample = draw(confidence, np.ones(2000, bool), size=60, rng=g)
        found = residual(wrong[sample.indices], sample)
        for _ in range(3):  # goes on for as long as the budget of 5 % is not shown
            if found.upper < 0.05:
                break
            sample = extend(sample, confidence, np.ones(2000, bool), size=30, rng=g)
            found = residual(wrong[sample.indices], sample)
        missed += found.upper < 0.05
    assert missed / 300 <= 0.07


def test_all_looked_at_is_known_exactly():
    sample = draw(np.ones(20), np.ones(20, bool), rng=rng())
    found = residual(np.arange(20) < 1, sample)
    assert found.upper == found.estimate == 0.05
    assert "All 20" in found.statement()
    assert extend(sample, np.ones(20), np.ones(20, bool), size=5, rng=rng()) is sample


@pytest.mark.parametrize(
    ("wrong", "n", "budget", "state"),
    [(0, 150, 0.02, "met"), (0, 50, 0.02, "too few"), (2, 100, 0.02, "too few"),
     (5, 100, 0.02, "not met"), (0, 60, 0.05, "met")],
)  # fmt: skip
def test_a_budget_is_met_not_met_or_asks_for_more(wrong, n, budget, state):
    sample = draw(np.ones(5000), np.ones(5000, bool), size=n, rng=rng())
    verdict = residual(np.arange(n) < wrong, sample).allows(budget)
    assert verdict.state == state
    assert (verdict.needed > 0) == (state == "too few")
    assert verdict.to_json()["state"] == state


def test_the_number_asked_for_is_enough_and_no_less_would_do():
    confidence, accepted = np.ones(40000), np.ones(40000, bool)
    sample = draw(confidence, accepted, size=50, rng=rng())
    for wrong in (0, 1):
        answers = np.arange(50) < wrong
        needed = residual(answers, sample).allows(0.02).needed
        for add, state in ((needed, "met"), (needed - 10, "too few")):
            longer = extend(sample, confidence, accepted, size=add, rng=rng())
            longer = AuditSample(  # exactly so many, without rounding up to whole strata
                longer.indices[: 50 + add], longer.stratum[: 50 + add],
                np.full(50 + add, 40000 / (50 + add)), 40000, extended=True,
            )  # fmt: skip
            verdict = residual(np.arange(50 + add) < wrong, longer).allows(0.02)
            assert verdict.state == state


def test_before_the_first_answer_the_number_required_is_named():
    sample = draw(np.ones(5000), np.ones(5000, bool), size=50, rng=rng())
    found = residual(np.full(50, np.nan), sample)
    assert found.upper == 1
    assert np.isnan(found.estimate)
    assert found.allows(0.02).needed == 149 == required(0.02)
    assert "Nothing is known" in found.statement()
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["estimate"] is None


def test_statement_tells_numbers_and_bound():
    sample = draw(np.ones(1000), np.ones(1000, bool), size=150, rng=rng())
    text = residual(np.arange(150) < 1, sample).statement()
    assert "1,000 labels" in text
    assert "at most 3.1%" in text
    assert "1 of 150 audited was wrong" in text


def test_subjects_that_differ_widen_the_bound():
    sample = draw(np.ones(3000), np.ones(3000, bool), size=200, rng=rng())
    groups = np.arange(200) % 10
    even = residual(np.arange(200) < 10, sample, groups=groups, rng=rng())
    uneven = residual(groups == 0, sample, groups=groups, rng=rng())
    assert residual(groups == 0, sample).upper < uneven.upper
    assert even.upper < uneven.upper
    with pytest.raises(BadArgumentError, match="generator"):
        residual(groups == 0, sample, groups=groups)


def test_queries_are_reweighted_by_their_probability():
    g = rng(5)
    wrong = g.random(3000) < np.linspace(0, 0.3, 3000)
    asked = np.linspace(0.03, 0.3, 3000)
    held = 0
    for _ in range(200):
        seen = g.random(3000) < asked
        found = residual_of_queries(wrong[seen], asked[seen], n_accepted=3000)
        assert found.n_effective < found.n
        held += found.upper >= wrong.mean()
    assert held / 200 >= 0.92
    assert found.allows(0.01).state == "not met"
    assert "approximate" in found.basis
    by_subject = residual_of_queries(
        wrong[seen], asked[seen], groups=np.arange(seen.sum()) % 9, rng=g
    )
    assert by_subject.upper >= found.upper


def test_queries_that_cannot_stand_for_the_rest_are_refused():
    with pytest.raises(EvaluationError, match="could have reached all 1000"):
        residual_of_queries([0, 1], [1.0, 1.0], n_accepted=1000)
    with pytest.raises(BadArgumentError):
        residual_of_queries([0, 1], [0.0, 1.0])


def test_planned_size_passes_as_often_as_promised():
    n = planned(0.05, expected=0.02)
    g = rng(6)
    passed = [upper_bound(int(g.binomial(n, 0.02)), n) <= 0.05 for _ in range(1000)]
    assert 0.77 <= np.mean(passed) <= 0.9
    assert planned(0.02, expected=0.0) == 149
    with pytest.raises(BadArgumentError):
        planned(0.05, expected=0.05)
    with pytest.raises(BadArgumentError, match="well below"):
        planned(0.02, expected=0.01999)


def test_bad_input_is_refused():
    with pytest.raises(EvaluationError, match="nothing is left unseen"):
        draw([0.5], [False], rng=rng())
    with pytest.raises(BadArgumentError):
        draw([0.5, np.nan], [True, True], rng=rng())
    with pytest.raises(BadArgumentError):
        draw([0.5], [True], size=0, rng=rng())
    sample = draw(np.ones(100), np.ones(100, bool), rng=rng())
    with pytest.raises(BadArgumentError):
        residual(np.full(50, 0.5), sample)
    with pytest.raises(BadArgumentError):
        residual(np.zeros(49), sample)
    with pytest.raises(BadArgumentError):
        extend(sample, np.ones(99), np.ones(99, bool), size=5, rng=rng())
    good = sample.to_json()
    for damaged in ({}, {**good, "weight": [1.0]}, {**good, "n_accepted": 3}):
        with pytest.raises(BadArgumentError):
            AuditSample.from_json(damaged)


def test_a_watched_sample_is_the_beginning_of_one_random_order():
    confidence = np.linspace(0.5, 1, 90)
    whole = draw(confidence, np.ones(90, bool), size=90, watched=True, rng=rng())
    assert sorted(whole.indices.tolist()) == list(range(90))
    assert whole.complete
    part = whole.first(33)
    assert part.indices.tolist() == whole.indices[:33].tolist()
    assert part.weight.sum() == pytest.approx(90)
    assert AuditSample.from_json(json.loads(json.dumps(part.to_json()))).watched
    seen = np.zeros(90)
    for seed in range(1500):
        sample = draw(confidence, np.ones(90, bool), size=18, watched=True, rng=rng(seed))
        seen[sample.indices] += 1
    np.testing.assert_allclose(seen / 1500, 0.2, atol=0.055)
    with pytest.raises(BadArgumentError, match="watched"):
        extend(part, confidence, np.ones(90, bool), size=5, rng=rng())
    with pytest.raises(BadArgumentError, match="watched"):
        draw(confidence, np.ones(90, bool), size=18, rng=rng()).first(3)


def test_samples_of_before_are_read_as_they_were():
    old = draw(np.ones(100), np.ones(100, bool), size=50, rng=rng()).to_json()
    del old["watched"]
    assert not AuditSample.from_json(old).watched


def test_an_answer_ahead_of_its_turn_speaks_for_nothing():
    sample = draw(np.ones(90), np.ones(90, bool), size=40, watched=True, rng=rng())
    answers = np.full(40, np.nan)
    answers[:10] = 0
    answers[12:] = 1
    found = residual(answers, sample)
    assert (found.n, found.wrong, found.pending) == (10, 0, 30)
    assert np.isnan(answers[10:12]).all()  # what was given is left as it is


def watched_until(wrong, budget, g, step):
    """Answer in order, longer by `step`, until the budget is shown or everything is answered."""
    n = wrong.size
    order = draw(g.random(n), np.ones(n, bool), size=n, watched=True, rng=g)
    for size in [*range(step, n, step), n]:
        part = order.first(size)
        found = residual(wrong[part.indices], part)
        if found.allows(budget).state == "met":
            return found, size
    return found, n


@pytest.mark.parametrize(("n", "n_wrong"), [(60, 7), (180, 19), (180, 25), (400, 41)])
def test_a_sample_made_longer_until_it_passes_passes_wrongly_once_in_twenty_at_most(n, n_wrong):
    """More than a tenth is wrong, sorted as it likes; one goes on for as long as one wants."""
    g = rng(7)
    wrong = (np.arange(n) < n_wrong).astype(float)
    passed = [watched_until(wrong, 0.1, g, n // 18)[0].upper <= 0.1 for _ in range(300)]
    assert np.mean(passed) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_it_needs_fewer_answers_than_one_planned_sample():
    """Of 180 labels 5 % are wrong, 10 % are allowed."""
    g = rng(8)
    wrong = (np.arange(180) < 9).astype(float)
    sizes = np.array([watched_until(wrong, 0.1, g, 3)[1] for _ in range(60)])
    assert sizes.mean() < 0.6 * planned(0.1, expected=0.05)


def test_the_number_asked_for_is_enough_among_so_many_labels():
    whole = draw(np.ones(180), np.ones(180, bool), size=180, watched=True, rng=rng())
    nothing = residual(np.full(30, np.nan), whole.first(30)).allows(0.1)
    assert nothing.needed == finite_required(0.1, 180)
    for wrong in (0, 1, 2):
        answers = np.arange(180) < wrong
        found = residual(answers[:20], whole.first(20))
        needed = found.allows(0.1).needed
        assert needed > 0
        assert found.to_json()["finite"]
        for more, state in ((needed, "met"), (needed - 1, "too few")):
            longer = residual(answers[: 20 + more], whole.first(20 + more))
            assert longer.allows(0.1).state == state
    assert residual(np.zeros(180), whole).upper == 0
