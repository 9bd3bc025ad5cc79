import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.trust.bounds import (
    anytime_required,
    anytime_upper_bound,
    cluster_upper_bound,
    finite_required,
    finite_upper_bound,
    required,
    upper_bound,
    weighted_upper_bound,
)
from nissl.trust.intervals import binomial_interval

COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 300)).map(lambda c: (c[0], c[0] + c[1]))


@pytest.mark.parametrize(
    ("budget", "errors", "n"),
    [(0.02, 0, 149), (0.05, 0, 59), (0.01, 0, 299), (0.05, 1, 93), (0.1, 0, 29), (0.02, 1, 236)],
)
def test_numbers_required_as_published(budget, errors, n):
    """Wilks' table of sample sizes at one-sided 95 %: 59, 93; 299; 29."""
    assert required(budget, errors=errors) == n


@settings(deadline=None, max_examples=15)
@given(st.floats(0.003, 0.5), st.integers(0, 8), st.sampled_from([0.8, 0.95, 0.99]))
def test_required_is_the_smallest_number(budget, errors, level):
    for need, bound in ((required, upper_bound), (anytime_required, anytime_upper_bound)):
        n = need(budget, level, errors)
        assert bound(errors, n, level=level) <= budget
        assert n == errors + 1 or bound(errors, n - 1, level=level) > budget


@settings(deadline=None, max_examples=40)
@given(COUNTS)
def test_one_sided_bound_is_the_upper_end_of_the_interval_at_90(counts):
    wrong, n = counts
    assert upper_bound(wrong, n) == pytest.approx(binomial_interval(wrong, n, level=0.9).high)


@settings(deadline=None, max_examples=40)
@given(COUNTS)
def test_looking_at_any_time_costs_something_and_evidence_pays(counts):
    wrong, n = counts
    bound = anytime_upper_bound(wrong, n)
    assert upper_bound(wrong, n) <= bound + 1e-9 <= 1 + 1e-8
    assert anytime_upper_bound(wrong, n + 5) <= bound
    assert anytime_upper_bound(wrong + 1, n + 1) >= bound


def test_bound_that_is_looked_at_all_the_time_fails_once_in_twenty_at_most():
    rng = np.random.default_rng(0)
    p = 0.1
    table = {}
    missed = peeking = 0
    for _ in range(400):
        wrong = np.cumsum(rng.random(250) < p)
        looks = range(9, 250, 10)
        for i in looks:
            key = (int(wrong[i]), i + 1)
            if key not in table:
                table[key] = (anytime_upper_bound(*key) < p, upper_bound(*key) < p)
        missed += any(table[int(wrong[i]), i + 1][0] for i in looks)
        peeking += any(table[int(wrong[i]), i + 1][1] for i in looks)
    assert missed / 400 <= 0.07
    assert peeking / 400 > 0.1  # why Clopper-Pearson must not be looked at as the sample grows


def test_groups_that_differ_widen_the_bound_and_hold_for_the_next_group():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), 30)
    held = naive = 0
    for _ in range(150):
        rate = rng.beta(0.5, 4.5, 12)  # animals differ: mean 0.1, ICC 1/6
        wrong = rng.random(360) < rate[groups]
        held += cluster_upper_bound(wrong, groups, rng=rng) >= 0.1
        naive += upper_bound(int(wrong.sum()), 360) >= 0.1
    assert held / 150 >= 0.82  # short of .95, as every method is with so few and so uneven animals
    assert naive / 150 < held / 150 - 0.1


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_groups_never_promise_more_than_independent_items(n_groups, each, seed):
    rng = np.random.default_rng(seed)
    wrong = rng.random(n_groups * each) < rng.random() * 0.3
    bound = cluster_upper_bound(wrong, np.repeat(np.arange(n_groups), each), rng=rng)
    assert bound >= upper_bound(int(wrong.sum()), wrong.size) - 1e-6 or wrong.all()
    if n_groups == 1:
        assert bound == 1.0


def test_weighted_bound_covers_the_population_where_the_plain_rate_does_not():
    rng = np.random.default_rng(2)
    wrong = rng.random(4000) < np.linspace(0, 0.3, 4000)
    asked = np.linspace(0.02, 0.25, 4000)  # doubtful items are asked more
    held, estimates, plain = 0, [], []
    for _ in range(300):
        seen = rng.random(4000) < asked
        estimate, upper, n = weighted_upper_bound(wrong[seen], 1 / asked[seen])
        held += upper >= wrong.mean()
        estimates.append(estimate)
        plain.append(wrong[seen].mean())
        assert n <= seen.sum()
    assert held / 300 >= 0.93
    assert np.mean(estimates) == pytest.approx(wrong.mean(), abs=0.005)
    assert np.mean(plain) > wrong.mean() + 0.03


def test_equal_weights_are_clopper_pearson():
    wrong = np.arange(80) < 5
    estimate, upper, n = weighted_upper_bound(wrong, np.full(80, 7.0))
    assert estimate == 5 / 80
    assert n == pytest.approx(80, rel=0.02)
    assert upper == pytest.approx(upper_bound(5, 80), rel=0.01)
    assert weighted_upper_bound([])[1:] == (1.0, 0.0)


def test_impossible_arguments_are_refused():
    with pytest.raises(BadArgumentError):
        upper_bound(3, 2)
    with pytest.raises(BadArgumentError):
        upper_bound(0, 2, level=1.0)
    for budget in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(BadArgumentError):
            required(budget)
    with pytest.raises(BadArgumentError, match="items can show"):
        required(1e-12)
    with pytest.raises(BadArgumentError):
        weighted_upper_bound([True], [0.0])
    with pytest.raises(BadArgumentError):
        cluster_upper_bound([True], ["a", "b"], rng=np.random.default_rng(0))


def missed_at_some_look(n_total, n_wrong, level=0.95):
    """Chance that a random order of so many items, looked at throughout, is ever bounded too low.

    Exact: the chance of every (looked at, wrong so far), with those that were missed taken out.
    """
    alive, missed = {0: 1.0}, 0.0
    for n in range(1, n_total + 1):
        after = dict.fromkeys(range(n + 1), 0.0)
        for k, chance in alive.items():
            wrong = (n_wrong - k) / (n_total - n + 1)
            after[k] += chance * (1 - wrong)
            after[k + 1] += chance * wrong
        alive = {}
        for k, chance in after.items():
            if chance <= 0:
                continue
            if finite_upper_bound(k, n, n_total, level=level) < n_wrong / n_total - 1e-12:
                missed += chance
            else:
                alive[k] = chance
    return missed


@pytest.mark.parametrize("n_total", [1, 7, 24, 41])
def test_bound_of_a_known_number_of_items_fails_once_in_twenty_at_most(n_total):
    """Every number of wrong items, every order of answers, every look: enumerated."""
    chances = [missed_at_some_look(n_total, wrong) for wrong in range(n_total + 1)]
    assert max(chances) <= 0.05
    assert n_total < 20 or max(chances) > 0.02  # and it is not wasteful


@pytest.mark.parametrize(("n_wrong", "level"), [(9, 0.95), (18, 0.95), (36, 0.95), (18, 0.8)])
def test_it_holds_for_as_many_labels_as_a_sorting_has(n_wrong, level):
    assert missed_at_some_look(180, n_wrong, level) <= 1 - level


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 30), st.integers(0, 200), st.integers(0, 300))
def test_what_is_known_narrows_it(wrong, right, left):
    n, n_total = wrong + right, wrong + right + left
    if not n_total:
        return
    bound = finite_upper_bound(wrong, n, n_total)
    assert wrong / n_total <= bound <= (wrong + left) / n_total
    assert bound * n_total == pytest.approx(round(bound * n_total))
    assert finite_upper_bound(wrong, n, n_total + 50) >= bound - 1 / n_total
    if left:
        assert finite_upper_bound(wrong, n + 1, n_total) <= bound
        assert finite_upper_bound(wrong + 1, n + 1, n_total) >= bound
    else:
        assert bound == wrong / n_total


def test_a_finite_number_of_items_needs_fewer_answers():
    assert required(0.1) < finite_required(0.1, 10**5) < 45
    numbers = [finite_required(0.1, n, rate=0.04) for n in (60, 180, 1000, 10**5)]
    assert numbers == sorted(numbers)
    assert numbers[1] < anytime_required(0.1, errors=round(0.04 * numbers[1]))
    for n_total, n in zip((60, 180, 1000), numbers, strict=False):
        assert finite_upper_bound(round(0.04 * n), n, n_total) <= 0.1
    assert finite_required(0.1, 3) == 3
    for bad in ((3, 2, 5), (0, 6, 5), (0, 0, 0)):
        with pytest.raises(BadArgumentError):
            finite_upper_bound(*bad)
