"""Comparisons: values worked out by hand, peers' implementations, and laws."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.compare import compare, pool
from nissl.labels.compare.common import mutual_best, overlapping
from nissl.labels.compare.events import match_counts
from nissl.testing.strategies import label_sets

quick = settings(deadline=None, max_examples=50)


def build(kind, vocabulary=("x",), targets=(), **columns):
    provenance = Provenance("task", "", Author("model", "m"), targets=targets)
    return LabelSet.build(kind, columns, vocabulary, provenance)


def trains(*units):
    """EVENTS of units 0, 1, ... with the given samples."""
    return build(
        Kind.EVENTS,
        sample=np.concatenate([np.asarray(u, np.int64) for u in units]),
        item=np.repeat(np.arange(len(units)), [len(u) for u in units]),
    )


def poisson(rng, n_units, n, refractory=60):
    steps = rng.exponential(2000, (n_units, n)).astype(int) + refractory
    return [np.cumsum(s) for s in steps]


# events


def test_events_by_hand():
    truth = trains([100, 200, 300, 400], [1000, 2000], [5000])
    found = trains([105, 212, 300], [413, 1000, 2001, 3000], [7000, 8000])
    result = compare(truth, found, tolerance=12)
    table = result.items.to_pydict()
    assert table["match"] == [0, 1, -1]
    assert table["n_matched"] == [3, 2, 0]
    assert table["accuracy"] == pytest.approx([3 / 4, 2 / 4, 0])
    assert table["precision"] == pytest.approx([1, 2 / 4, 0])
    assert table["recall"] == pytest.approx([3 / 4, 1, 0])
    assert result.metrics["accuracy"] == pytest.approx((0.75 + 0.5) / 3)
    assert result.metrics["accuracy_median"] == 0.5
    assert result.metrics["n_false_positive"] == 1
    assert result.metrics["n_missed"] == 1
    assert result.matching == {0: 0, 1: 1}
    assert result.tables["other"]["verdict"].to_pylist() == ["matched", "matched", "false positive"]


def test_redundant_units():
    spikes = np.arange(0, 10_000, 100)
    result = compare(trains(spikes), trains(spikes, spikes[:60] + 3), tolerance=5)
    assert result.metrics["n_redundant"] == 1
    assert result.tables["other"]["verdict"].to_pylist() == ["matched", "redundant"]


def test_bursts_match_one_to_one():
    truth, found = trains([100, 102, 104, 106]), trains([101, 105])
    assert match_counts(truth, found, 10).tolist() == [[2]]
    assert match_counts(found, truth, 10).tolist() == [[2]]


@quick
@given(
    st.lists(st.integers(0, 60), max_size=12),
    st.lists(st.integers(0, 60), max_size=12),
    st.integers(0, 8),
)
def test_matches_are_as_many_as_can_be(first, second, tolerance):
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if not first or not second:
        return
    a, b = trains(sorted(first)), trains(sorted(second))
    near = np.abs(np.subtract.outer(a.column("sample"), b.column("sample"))) <= tolerance
    best = np.sum(maximum_bipartite_matching(csr_array(near)) >= 0)
    assert match_counts(a, b, tolerance)[0, 0] == best


def test_events_agree_with_spikeinterface():
    pytest.importorskip("spikeinterface")
    from spikeinterface.comparison import compare_sorter_to_ground_truth
    from spikeinterface.core import NumpySorting

    rng = np.random.default_rng(0)
    true = poisson(rng, 8, 300)
    found = [
        np.sort(t[rng.random(t.size) < p] + rng.integers(-8, 9))
        for t, p in zip(true, [1, 0.95, 0.9, 0.7, 0.55, 0.3, 0.1, 0], strict=True)
    ]
    found[1] = np.sort(np.r_[found[1], true[2][:200]])  # a merged unit
    found += [true[0][::2] + 2, *poisson(rng, 2, 100)]
    found = [f for f in found if f.size]
    sortings = [
        NumpySorting.from_unit_dict([dict(enumerate(units))], 30_000.0) for units in (true, found)
    ]
    peer = compare_sorter_to_ground_truth(*sortings, delta_time=0.4, exhaustive_gt=True)
    ours = compare(trains(*true), trains(*found), tolerance=12)
    np.testing.assert_array_equal(
        match_counts(trains(*true), trains(*found), 12), peer.match_event_count.to_numpy()
    )
    performance = peer.get_performance()
    for name in ("accuracy", "precision", "recall"):
        np.testing.assert_allclose(
            ours.items[name].to_numpy(), performance[name].to_numpy().astype(float)
        )
    assert ours.items["match"].to_pylist() == peer.hungarian_match_12.astype(int).tolist()
    assert ours.metrics["n_good"] == peer.count_well_detected_units(0.8)
    assert ours.metrics["n_false_positive"] == peer.count_false_positive_units()
    assert ours.metrics["n_redundant"] == peer.count_redundant_units()
    assert ours.metrics["n_overmerged"] == peer.count_overmerged_units()


def test_a_million_events_match_in_about_a_second():
    rng = np.random.default_rng(0)
    sample = np.sort(rng.integers(0, 100_000_000, 1_000_000))
    item = rng.integers(0, 200, sample.size)
    a = build(Kind.EVENTS, sample=sample, item=item)
    b = build(Kind.EVENTS, sample=sample + rng.integers(0, 8, sample.size), item=item)
    began = time.process_time()
    counts = match_counts(a, b, 12)
    took = time.process_time() - began
    assert counts.trace() > 0.99 * sample.size
    assert took < 5  # about 0.5 s on an idle core; the limit leaves room for a busy one


def test_pulses_are_one_train():
    truth = build(Kind.EVENTS, sample=[100, 200, 300])
    found = build(Kind.EVENTS, sample=[103, 203, 500, 600])
    result = compare(truth, found, tolerance=5)
    assert result.metrics["recall"] == pytest.approx(2 / 3)
    assert result.metrics["precision"] == pytest.approx(1 / 2)
    assert result.metrics["offset_median"] == 3
    assert result.matching == {0: 0, 1: 1}


def test_intervals_over_groups_of_units():
    rng = np.random.default_rng(1)
    true = poisson(rng, 20, 100)
    found = [t[: 95 - 4 * i] for i, t in enumerate(true)]
    alone = compare(trains(*true), trains(*found))
    shanks = {i: str(i // 5) for i in range(20)}
    grouped = compare(trains(*true), trains(*found), groups=shanks)
    for result, n in ((alone, 20), (grouped, 4)):
        interval = result.intervals["recall"]
        assert interval.low < interval.estimate < interval.high
        assert interval.n == n
    assert grouped.intervals["recall"].high - grouped.intervals["recall"].low > (
        1.3 * (alone.intervals["recall"].high - alone.intervals["recall"].low)
    )
    with pytest.raises(BadArgumentError, match="group"):
        compare(trains(*true), trains(*found), groups={0: "a"})


def test_nothing_found():
    empty = build(Kind.EVENTS, sample=np.empty(0, np.int64))
    result = compare(trains([1, 2], [3, 4]), empty)
    assert result.metrics["accuracy"] == 0
    assert result.metrics["n_missed"] == 2
    assert result.matching == {}
    back = compare(empty, trains([1, 2], [3, 4]))
    assert back.metrics["n_false_positive"] == 2
    assert np.isnan(back.metrics["accuracy"])


# spans


def spans(*rows, vocabulary=("s", "t")):
    start, stop, label = zip(*rows, strict=True) if rows else ((), (), ())
    return build(
        Kind.SPANS,
        vocabulary,
        start=np.asarray(start, np.int64),
        stop=np.asarray(stop, np.int64),
        label=np.asarray(label, np.int32),
    )


def test_spans_by_iou():
    truth = spans((0, 100, 0), (200, 300, 0), (400, 500, 1))
    found = spans((10, 110, 0), (250, 350, 0), (400, 500, 0), (600, 700, 1))
    result = compare(truth, found)
    assert result.items["hit"].to_pylist() == [True, False, False]
    assert result.matches["score"].to_pylist() == pytest.approx([90 / 110])
    assert result.metrics["recall"] == pytest.approx(1 / 3)
    assert result.metrics["precision"] == pytest.approx(1 / 4)
    assert result.tables["classes"]["n_false"].to_pylist() == [2, 1]
    assert result.metrics["macro_f1_events"] == pytest.approx((2 / 5 + 0) / 2)


def test_any_overlap_with_tolerance():
    truth = spans((100, 200, 0), (1000, 1100, 0))
    found = spans((90, 95, 0), (205, 210, 0), (1150, 1160, 0))
    plain = compare(truth, found, rule="overlap", min_overlap=0.0)
    assert plain.metrics["recall"] == 0
    assert plain.metrics["precision"] == 0
    wide = compare(truth, found, rule="overlap", min_overlap=0.0, tolerance=(10, 30))
    assert wide.items["hit"].to_pylist() == [True, False]
    assert wide.metrics["precision"] == pytest.approx(1 / (1 + 1))
    assert wide.tables["classes"]["n_false"].to_pylist() == [1, 0]


def test_joining_and_cutting():
    truth = spans((0, 100, 0), (120, 300, 0), (120, 300, 1))
    found = spans((0, 300, 0), (0, 900, 1))
    joined = compare(truth, found, join=50)
    assert joined.items.num_rows == 2
    assert joined.tables["classes"]["n_hit"].to_pylist() == [1, 0]
    cut = compare(truth, found, rule="overlap", min_overlap=0.0, join=50, cut=100)
    assert cut.tables["classes"]["n_hit"].to_pylist() == [3, 2]
    assert cut.tables["classes"]["n_false"].to_pylist() == [0, 6 + 1]


def test_frames_agree_with_sklearn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 300)
    second = np.where(rng.random(300) < 0.7, first, rng.integers(0, 3, 300))
    names = ("W", "N", "R")
    a, b = (
        spans(*[(30 * i, 30 * i + 30, c) for i, c in enumerate(x)], vocabulary=names)
        for x in (first, second)
    )
    result = compare(a, b, frame=30)
    assert result.metrics["kappa"] == pytest.approx(metrics.cohen_kappa_score(first, second))
    assert result.metrics["macro_f1"] == pytest.approx(
        metrics.f1_score(first, second, average="macro")
    )
    interval = result.intervals["kappa"]
    assert interval.low < interval.estimate < interval.high
    np.testing.assert_array_equal(
        np.stack([result.tables["confusion"][n].to_numpy()[:3] for n in names], axis=1),
        metrics.confusion_matrix(first, second),
    )


def test_frames_outside_spans_are_none():
    result = compare(spans((0, 50, 0)), spans((0, 100, 0)), frame=10)
    assert result.metrics["accuracy"] == pytest.approx(0.5)
    assert result.tables["confusion"].to_pydict()["s"] == [5, 0, 5]
    assert result.metrics["macro_f1"] == pytest.approx(2 * 5 / (2 * 5 + 5))


def test_classes_are_compared_by_name():
    a = spans((0, 10, 0), vocabulary=("N1", "N2"))
    b = spans((0, 10, 1), vocabulary=("N2", "N1"))
    assert compare(a, b).metrics["f1"] == 1


@quick
@given(st.data())
def test_overlaps_are_all_found(data):
    pairs = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=8).map(sorted)
    first, second = data.draw(pairs), data.draw(pairs)
    a, b = (np.asarray(x, np.int64).reshape(-1, 2) for x in (first, second))
    found = overlapping(a[:, 0], a.sum(1), b[:, 0], b.sum(1))
    expected = [
        (i, j)
        for i, (s, n) in enumerate(first)
        for j, (t, m) in enumerate(second)
        if s < t + m and t < s + n
    ]
    assert list(zip(*(x.tolist() for x in found), strict=True)) == expected


@quick
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 9)), max_size=15))
def test_mutual_best_is_greedy(pairs):
    left, right, score = (np.asarray([p[k] for p in pairs], np.int64) for k in range(3))
    taken, used = [], (set(), set())
    for k in np.argsort(-score, kind="stable"):
        if left[k] not in used[0] and right[k] not in used[1]:
            taken.append(k)
            used[0].add(left[k])
            used[1].add(right[k])
    assert mutual_best(left, right, score.astype(float)).tolist() == sorted(taken)


# points


def points(*rows, **columns):
    frame, item, x, y = (list(c) for c in zip(*rows, strict=True)) if rows else ([],) * 4
    columns = {"visible": [True] * len(rows)} | columns
    return build(Kind.POINTS, frame=frame, item=item, x=x, y=y, **columns)


def test_points_with_identity():
    truth = points((0, 1, 0.0, 0.0), (0, 2, 10.0, 0.0), (1, 1, 0.0, 0.0), (1, 2, 5.0, 5.0))
    found = points((0, 1, 3.0, 4.0), (0, 2, 10.0, 1.0), (1, 1, 0.0, 0.0))
    result = compare(truth, found, max_distance=2.0)
    assert result.metrics["rmse"] == pytest.approx(np.sqrt((25 + 1 + 0) / 3))
    assert result.metrics["distance"] == pytest.approx(2)
    assert result.metrics["coverage"] == pytest.approx(3 / 4)
    assert result.metrics["recall"] == pytest.approx(2 / 4)
    assert result.metrics["precision"] == pytest.approx(2 / 3)
    assert result.items["n_right"].to_pylist() == [1, 1]
    assert "f1" not in compare(truth, found).metrics


def test_points_without_identity():
    truth = points((0, 1, 0.0, 0.0), (0, 2, 4.0, 0.0), (1, 1, 0.0, 0.0))
    found = points((0, 7, 3.0, 0.0), (0, 8, 6.5, 0.0), (1, 9, 50.0, 0.0))
    result = compare(truth, found, max_distance=3.0, identity=False)
    # the nearer pairing (4-3) would leave one point alone
    assert result.metrics["recall"] == pytest.approx(2 / 3)
    assert result.metrics["distance"] == pytest.approx((3 + 2.5) / 2)
    assert result.matching == {1: 7, 2: 8}
    with pytest.raises(BadArgumentError, match="max_distance"):
        compare(truth, found, identity=False)


def test_hidden_points_do_not_count():
    truth = points((0, 1, 0.0, 0.0), (0, 2, 1.0, 1.0), visible=[True, False])
    result = compare(truth, points((0, 1, 0.0, 0.0), (0, 2, 9.0, 9.0)), max_distance=1.0)
    assert result.metrics["recall"] == 1
    assert result.metrics["precision"] == pytest.approx(1 / 2)
    with pytest.raises(BadArgumentError, match="one point per frame"):
        compare(points((0, 1, 0.0, 0.0), (0, 1, 1.0, 1.0)), truth)


# regions


def test_regions_by_iou():
    truth = build(Kind.REGIONS, pixels=[[0, 1, 2, 3], [10, 11], [20]])
    found = build(Kind.REGIONS, pixels=[[1, 2, 3], [10, 12], [30], [20]])
    result = compare(truth, found)
    assert result.items["iou"].to_pylist() == pytest.approx([3 / 4, 0, 1])
    assert result.metrics["recall"] == pytest.approx(2 / 3)
    assert result.metrics["precision"] == pytest.approx(2 / 4)
    assert result.metrics["iou"] == pytest.approx((0.75 + 1) / 2)
    assert result.matching == {0: 0, 2: 3}
    assert compare(truth, found, min_iou=0.3).metrics["recall"] == 1


def test_regions_of_other_frames_never_match():
    a, b = (build(Kind.REGIONS, pixels=[[1, 2]], frame=[f]) for f in (0, 1))
    assert compare(a, b).metrics["recall"] == 0


# classes


def test_classes_agree_with_sklearn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 3, 120), rng.integers(0, 3, 120)
    z = np.where(rng.random(120) < 0.6, y, z)
    a = build(Kind.CLASSES, ("a", "b", "c"), target=np.arange(120), label=y)
    b = build(Kind.CLASSES, ("c", "b", "a"), target=np.arange(120), label=2 - z)
    result = compare(a, b)
    expected = {
        "accuracy": metrics.accuracy_score(y, z),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, z),
        "macro_f1": metrics.f1_score(y, z, average="macro"),
        "kappa": metrics.cohen_kappa_score(y, z),
    }
    for name, value in expected.items():
        assert result.metrics[name] == pytest.approx(value)
        assert result.intervals[name].low < value < result.intervals[name].high
    table = result.tables["confusion"].to_pydict()
    assert table["reference"] == ["a", "b", "c"]
    np.testing.assert_array_equal(
        np.stack([table[n] for n in "abc"], axis=1), metrics.confusion_matrix(y, z)
    )


def test_balanced_accuracy_counts_classes_of_the_reference_only():
    a = build(Kind.CLASSES, ("good", "mua"), target=[1, 2, 3], label=[0, 0, 0])
    b = build(Kind.CLASSES, ("good", "mua"), target=[2, 3, 4], label=[0, 1, 1])
    result = compare(a, b)
    assert result.metrics["balanced_accuracy"] == pytest.approx(1 / 2)
    assert result.metrics["coverage"] == pytest.approx(2 / 3)
    assert result.metrics["n_extra"] == 1


def test_classes_of_other_items_are_refused():
    a = build(Kind.CLASSES, targets=("a" * 64,), target=[1])
    b = build(Kind.CLASSES, targets=("b" * 64,), target=[1])
    with pytest.raises(BadArgumentError, match="retarget"):
        compare(a, b)
    with pytest.raises(BadArgumentError, match="one class per target"):
        compare(a, build(Kind.CLASSES, target=[1, 1]))


# links


def test_links_have_no_direction():
    ends = ("a" * 64, "b" * 64)
    truth = build(Kind.LINKS, targets=ends, a=[1, 2, 3], b=[11, 12, 13])
    found = build(Kind.LINKS, targets=ends[::-1], a=[11, 12, 12], b=[1, 2, 3])
    result = compare(truth, found)
    assert result.items["hit"].to_pylist() == [True, True, False]
    assert result.metrics["precision"] == pytest.approx(2 / 3)
    assert result.metrics["recall"] == pytest.approx(2 / 3)
    assert result.matching == {0: 0, 1: 1}
    with pytest.raises(BadArgumentError):
        compare(truth, build(Kind.LINKS, targets=("c" * 64, ends[1]), a=[1], b=[1]))


# all kinds


def test_kinds_and_options_are_checked():
    with pytest.raises(BadArgumentError, match="Compare like with like"):
        compare(trains([1]), spans((0, 1, 0)))
    with pytest.raises(BadArgumentError, match="tolerance"):
        compare(trains([1]), trains([1]), delta=3)


def test_pool_resamples_subjects():
    rng = np.random.default_rng(3)
    results, subjects = [], []
    for subject in range(4):
        for _ in range(3):
            y = rng.integers(0, 2, 50)
            z = np.where(rng.random(50) < 0.5 + 0.12 * subject, y, 1 - y)
            a, b = (build(Kind.CLASSES, ("p", "q"), target=np.arange(50), label=c) for c in (y, z))
            results.append(compare(a, b))
            subjects.append(f"sub-{subject}")
    metrics, intervals = pool(results, subjects)
    mean = np.mean([r.metrics["accuracy"] for r in results])
    assert metrics["accuracy"] == pytest.approx(mean)
    assert intervals["accuracy"].n == 4
    width = intervals["accuracy"].high - intervals["accuracy"].low
    apart, _ = pool(results, [str(i) for i in range(12)])
    assert apart == metrics
    within = results[0].intervals["accuracy"]
    assert width > 0.1
    assert within.n == 50
    with pytest.raises(BadArgumentError):
        pool(results, subjects[:-1])


OPTIONS = {Kind.POINTS: {"identity": False, "max_distance": 1.0}}
PERFECT = {
    Kind.EVENTS: "recall",
    Kind.SPANS: "f1",
    Kind.POINTS: "recall",
    Kind.REGIONS: "f1",
    Kind.CLASSES: "accuracy",
    Kind.LINKS: "f1",
}


@pytest.mark.parametrize("kind", list(Kind))
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_a_set_agrees_with_itself(kind, data):
    labels = data.draw(label_sets([kind]))
    result = compare(labels, labels, n_bootstrap=5, **OPTIONS.get(kind, {}))
    value = result.metrics[PERFECT[kind]]
    assert np.isnan(value) or value == pytest.approx(1)
    assert repr(result).startswith(f"Comparison({kind.value}")


@pytest.mark.parametrize("kind", list(Kind))
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_two_sets_compare_within_bounds(kind, data):
    a, b = (data.draw(label_sets([kind])) for _ in range(2))
    if kind is Kind.CLASSES or kind is Kind.LINKS:
        target = a.provenance
        b = LabelSet(b.kind, b.table, b.vocabulary, target)
    result = compare(a, b, n_bootstrap=20, **OPTIONS.get(kind, {}))
    again = compare(a, b, n_bootstrap=20, **OPTIONS.get(kind, {}))
    assert str(result.metrics) == str(again.metrics)
    assert str(result.intervals) == str(again.intervals)
    for name in ("f1", "precision", "recall", "accuracy"):
        value = result.metrics.get(name, np.nan)
        assert np.isnan(value) or 0 <= value <= 1
    assert len(set(result.matches["a"].to_pylist())) == result.matches.num_rows
    assert len(set(result.matches["b"].to_pylist())) == result.matches.num_rows
