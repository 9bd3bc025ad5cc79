import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import cohen_kappa_score

from nissl.errors import BadArgumentError
from nissl.trust.agreement import (
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    percent_agreement,
)

# Hayes and Krippendorff's four observers and twelve units, NaN where nobody looked.
NAN = float("nan")
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T
# Ten subjects, fourteen readers, five classes: how many gave each class.
FOURTEEN = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def rng():
    return np.random.default_rng(0)


def of_table(table):
    cells = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return np.array(cells, dtype=float)


def test_cohen_of_the_textbook_table():
    ratings = of_table([[20, 5], [10, 15]])
    found = cohen_kappa(ratings, rng=rng())
    assert found.estimate == pytest.approx(0.4)
    assert found.low < 0.4 < found.high
    assert found.n == 50


def test_fleiss_of_the_textbook_table():
    ratings = np.array([np.repeat(np.arange(5), row) for row in FOURTEEN], dtype=float)
    assert fleiss_kappa(ratings, rng=rng()).estimate == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize(
    ("metric", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_the_published_reliability_data(metric, published):
    found = krippendorff_alpha(OBSERVERS, rng=rng(), metric=metric)
    assert found.estimate == pytest.approx(published, abs=6e-4)
    assert found.n == 11  # the twelfth unit was read once


RATED = hnp.arrays(np.int64, st.tuples(st.integers(4, 40), st.just(2)), elements=st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(RATED, st.sampled_from([None, "linear", "quadratic"]))
def test_cohen_is_that_of_sklearn(ratings, weights):
    ours = cohen_kappa(ratings, rng=rng(), weights=weights, n_bootstrap=5).estimate
    if np.unique(ratings).size == 1:
        assert np.isnan(ours)
    else:
        labels = np.arange(ratings.max() + 1)
        theirs = cohen_kappa_score(*ratings.T, weights=weights, labels=labels)
        assert ours == pytest.approx(theirs, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(RATED, st.permutations(range(4)))
def test_names_of_classes_and_order_of_readers_do_not_matter(ratings, codes):
    renamed = np.asarray(codes)[ratings][:, ::-1]
    for statistic in (cohen_kappa, fleiss_kappa, krippendorff_alpha, percent_agreement):
        a = statistic(ratings, rng=rng(), n_bootstrap=5).estimate
        b = statistic(renamed, rng=rng(), n_bootstrap=5).estimate
        assert a == pytest.approx(b, abs=1e-9, nan_ok=True)


def test_all_are_one_when_readers_agree_and_near_zero_by_chance():
    truth = np.random.default_rng(1).integers(0, 3, 4000)
    same = np.column_stack([truth, truth]).astype(float)
    chance = np.column_stack([truth, np.random.default_rng(2).integers(0, 3, 4000)]).astype(float)
    for statistic in (cohen_kappa, fleiss_kappa, krippendorff_alpha):
        assert statistic(same, rng=rng()).estimate == pytest.approx(1.0)
        by_chance = statistic(chance, rng=rng())
        assert abs(by_chance.estimate) < 0.04
        assert by_chance.low < 0 < by_chance.high


def test_the_interval_covers_and_groups_widen_it():
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(100):
        truth = random.integers(0, 2, 150)
        flips = random.random((150, 2)) < 0.15  # kappa = (1 - 2 * .15) ** 2
        found = cohen_kappa(truth[:, None] ^ flips, rng=random, n_bootstrap=200)
        hits += found.low <= 0.49 <= found.high
    assert hits >= 88
    agree = np.repeat(random.random(8) < 0.6, 100)  # whole subjects that agree or do not
    first = random.integers(0, 2, 800)
    ratings = np.column_stack([first, np.where(agree, first, random.integers(0, 2, 800))])
    alone = cohen_kappa(ratings, rng=random)
    grouped = cohen_kappa(ratings, rng=random, groups=np.repeat(np.arange(8), 100))
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    assert grouped.n == 8


def test_what_was_read_once_says_nothing():
    once = np.array([[0, NAN], [NAN, 1], [1, NAN]])
    for statistic in (cohen_kappa, fleiss_kappa, krippendorff_alpha, percent_agreement):
        found = statistic(once, rng=rng())
        assert np.isnan(found.estimate)
        assert found.n == 0


def test_bad_ratings_are_refused():
    with pytest.raises(BadArgumentError, match="class codes"):
        fleiss_kappa([[0.5, 1]], rng=rng())
    with pytest.raises(BadArgumentError, match="two readers"):
        cohen_kappa([[0, 1, 1]], rng=rng())
    with pytest.raises(BadArgumentError, match="weights"):
        cohen_kappa([[0, 1]], rng=rng(), weights="cubic")
    with pytest.raises(BadArgumentError, match="one group"):
        fleiss_kappa([[0, 1]], rng=rng(), groups=["a", "b"])
