import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.psth import onset_samples, psth, triggered_average
from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Author, Kind, LabelSet, Provenance

ABOUT = Provenance("spikes", "f", Author("model", "test", "1"), "ap")


def spikes_of(sample, item):
    order = np.argsort(sample, kind="stable")
    columns = {"sample": np.asarray(sample)[order], "item": np.asarray(item)[order]}
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), ABOUT)


def brute_force(spikes, events, clock, window_s, bin_s):
    """Counts, excluded events and standard errors by loops over everything."""
    n_bins = int(np.ceil((window_s[1] - window_s[0]) / bin_s - 1e-6))
    edges = [round((window_s[0] + k * bin_s) * clock.rate_hz) for k in range(n_bins + 1)]
    whole = [
        e
        for e in events
        if any(
            s.start <= e + edges[0] and e + edges[-1] <= s.stop and s.start <= e < s.stop
            for s in clock.segments
        )
    ]
    each = np.zeros((len(spikes.items), len(whole), n_bins), dtype=int)
    trains = [spikes.column("sample")[spikes.column("item") == u].tolist() for u in spikes.items]
    for u, train in enumerate(trains):
        for n, event in enumerate(whole):
            for k in range(n_bins):
                each[u, n, k] = sum(edges[k] <= s - event < edges[k + 1] for s in train)
    return each, len(events) - len(whole), edges


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.013, 0.05]))
@settings(max_examples=30, deadline=None)
def test_counts_equal_brute_force(seed, bin_s):
    rng = np.random.default_rng(seed)
    clock = Clock.from_segments(1000.0, [700, 500], [0.0, 60.0])
    n = int(rng.integers(0, 150))
    spikes = spikes_of(np.sort(rng.integers(0, 1200, n)), rng.integers(0, 3, n) * 2)
    events = np.sort(rng.integers(0, 1200, int(rng.integers(0, 12))))
    window_s = (-0.05, 0.1)
    found = psth(spikes, events, clock, window_s=window_s, bin_s=bin_s)
    each, n_excluded, edges = brute_force(spikes, events, clock, window_s, bin_s)
    np.testing.assert_array_equal(found.counts, each.sum(axis=1))
    assert (found.n_events, found.n_excluded) == (each.shape[1], n_excluded)
    np.testing.assert_allclose(found.edges_s, np.asarray(edges) / 1000)
    width_s = np.diff(edges) / 1000
    if each.shape[1] > 0:
        np.testing.assert_allclose(found.rate_hz, each.mean(axis=1) / width_s)
    else:
        assert np.isnan(found.rate_hz).all()
    if each.shape[1] > 1:
        sem = each.std(axis=1, ddof=1) / np.sqrt(each.shape[1]) / width_s
        np.testing.assert_allclose(found.sem_hz, sem)
    else:
        assert np.isnan(found.sem_hz).all()


def test_a_spike_on_an_edge_belongs_to_the_bin_that_begins_there():
    clock = Clock.regular(1000.0, 1000)
    found = psth(spikes_of([500, 510], [0, 0]), [500], clock, window_s=(-0.02, 0.02), bin_s=0.01)
    assert found.counts.tolist() == [[0, 0, 1, 1]]
    np.testing.assert_allclose(found.times_s, [-0.015, -0.005, 0.005, 0.015])
    np.testing.assert_allclose(found.rate_hz, [[0, 0, 100, 100]])


def test_no_spikes_at_all():
    empty = spikes_of(np.empty(0, np.int64), np.empty(0, np.int64))
    found = psth(empty, [500], Clock.regular(1000.0, 5000))
    assert found.counts.shape == (0, 75)
    assert found.items.size == 0


def test_onsets_of_events_and_spans():
    events = LabelSet.build(
        Kind.EVENTS, {"sample": [3, 9, 20], "label": [0, 1, 0]}, ("a", "b"), ABOUT
    )
    assert onset_samples(events).tolist() == [3, 9, 20]
    assert onset_samples(events, "a").tolist() == [3, 20]
    spans = LabelSet.build(
        Kind.SPANS,
        {"start": [5, 10, 30], "stop": [10, 12, 33], "item": [8, 8, 2]},
        ("a",),
        ABOUT,
    )
    assert onset_samples(spans).tolist() == [5, 30]  # a span in two pieces begins once
    with pytest.raises(BadLabelsError):
        onset_samples(events, "c")
    with pytest.raises(BadLabelsError):
        onset_samples(LabelSet.build(Kind.CLASSES, {"target": [1]}, ("good",), ABOUT))


def test_spans_are_no_spikes():
    spans = LabelSet.build(Kind.SPANS, {"start": [5], "stop": [10]}, ("a",), ABOUT)
    with pytest.raises(BadLabelsError):
        psth(spans, [1], Clock.regular(10.0, 100))


@pytest.mark.parametrize(
    "options",
    [{"window_s": (0.1, 0.1)}, {"window_s": (0, np.inf)}, {"bin_s": 1e-5}, {"bin_s": -1.0}],
)
def test_impossible_windows(options):
    with pytest.raises(BadArgumentError):
        psth(spikes_of([1], [0]), [1], Clock.regular(1000.0, 100), **options)


def test_triggered_average_equals_the_mean_of_the_windows():
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 10, (1200, 3)).astype(np.float32)
    clock = Clock.from_segments(1000.0, [700, 500], [0.0, 60.0])
    signal = Signal.from_array(samples, 1000.0, clock=clock)
    events = [5, 100, 300, 650, 690, 710, 900, 1199]
    found = triggered_average(signal, events, window_s=(-0.02, 0.03), channels=[2, 0])
    windows = np.stack([samples[e - 20 : e + 30, [2, 0]] for e in (100, 300, 650, 900)])
    assert (found.n_events, found.n_excluded) == (4, 4)
    np.testing.assert_allclose(found.mean_uv, windows.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.sem_uv, windows.std(axis=0, ddof=1) / 2, atol=1e-5)
    np.testing.assert_allclose(found.times_s, np.arange(-20, 30) / 1000)
    nothing = triggered_average(signal, [], window_s=(-0.02, 0.03))
    assert nothing.n_events == 0
    assert np.isnan(nothing.mean_uv).all()
    one = triggered_average(signal, [100], window_s=(-0.02, 0.03))
    assert np.isnan(one.sem_uv).all()
    np.testing.assert_allclose(one.mean_uv, samples[80:130], rtol=1e-6)
