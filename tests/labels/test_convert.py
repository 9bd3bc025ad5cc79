"""Round trips through pandas, pynapple, SpikeInterface and MNE."""

import itertools
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError, GapError, MissingDependencyError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.convert import (
    from_mne,
    from_pandas,
    from_pynapple,
    from_spikeinterface,
    to_mne,
    to_pandas,
    to_pynapple,
    to_spikeinterface,
)
from nissl.testing.strategies import clocks, label_sets

PROVENANCE = Provenance("task", "f" * 64, Author("model", "m"))
GAPPED = Clock.from_segments(1000.0, [500, 500], [10.0, 60.0])
quick = settings(deadline=None, max_examples=40)


def spans(start, stop, label=None, vocabulary=("a", "b"), **columns):
    label = np.zeros(len(start), np.int32) if label is None else label
    columns |= {"start": start, "stop": stop, "label": label}
    return LabelSet.build(Kind.SPANS, columns, vocabulary, PROVENANCE)


def spikes():
    columns = {
        "sample": [3, 5, 499, 500, 700, 999],
        "item": [7, 2, 7, 2, 7, 2],
        "label": [1, 0, 1, 0, 1, 0],
        "amplitude": [-80.0] * 6,
    }
    return LabelSet.build(Kind.EVENTS, columns, ("mua", "good"), PROVENANCE)


@quick
@given(label_sets())
def test_pandas_gives_every_row_back(labels):
    frame = to_pandas(labels)
    assert len(frame) == labels.n_rows
    back = from_pandas(frame, labels.kind, labels.provenance, vocabulary=labels.vocabulary)
    assert back.digest == labels.digest


def test_pandas_with_seconds():
    frame = to_pandas(spans([0, 600], [500, 1000], [0, 1]), clock=GAPPED)
    assert frame["start_s"].tolist() == [10.0, 60.1]
    assert frame["stop_s"].tolist() == pytest.approx([10.5, 60.5])
    assert frame["label"].tolist() == ["a", "b"]
    assert to_pandas(spikes(), clock=GAPPED)["time_s"].tolist()[2:4] == [10.499, 60.0]


def test_pandas_with_plain_columns():
    import pandas as pd

    frame = pd.DataFrame({"start": [0, 5], "stop": [5, 9], "label": ["x", "y"]})
    labels = from_pandas(frame, Kind.SPANS, PROVENANCE)
    assert labels.vocabulary.names == ("x", "y")
    assert labels.column("stop").tolist() == [5, 9]
    with pytest.raises(BadLabelsError, match="colour"):
        from_pandas(frame.assign(colour=1), Kind.SPANS, PROVENANCE)
    with pytest.raises(BadLabelsError, match="classes"):
        from_pandas(frame, Kind.SPANS, PROVENANCE, vocabulary=("x",))


@st.composite
def apart(draw):
    """A clock and spans within its segments that do not overlap."""
    clock = draw(clocks())
    start, stop = [], []
    for segment in clock.segments:
        edges = sorted(draw(st.sets(st.integers(segment.start, segment.stop), max_size=6)))
        pairs = list(itertools.pairwise(edges))[:: draw(st.integers(1, 2))]
        start += [a for a, _ in pairs]
        stop += [b for _, b in pairs]
    n = len(start)
    label = np.asarray(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), np.int32)
    return clock, spans(np.asarray(start, np.int64), np.asarray(stop, np.int64), label)


def same_spans(one, other):
    assert one.column("start").tolist() == other.column("start").tolist()
    assert one.column("stop").tolist() == other.column("stop").tolist()
    names = [[s.vocabulary.names[c] for c in s.column("label")] for s in (one, other)]
    assert names[0] == names[1]


@quick
@given(apart())
def test_spans_through_pynapple(case):
    pytest.importorskip("pynapple")
    clock, labels = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynapple warns of touching intervals
        intervals = to_pynapple(labels, clock)
    assert len(intervals) == labels.n_rows
    back = from_pynapple(intervals, clock, PROVENANCE, vocabulary=("a", "b"))
    same_spans(back, labels)
    assert back.column("item").tolist() == labels.column("item").tolist()


def test_pynapple_refuses_what_it_would_change():
    pytest.importorskip("pynapple")
    with pytest.raises(BadArgumentError, match="overlap"):
        to_pynapple(spans([0, 5], [10, 20]), GAPPED)
    with pytest.raises(GapError):
        to_pynapple(spans([400], [600]), GAPPED)
    late = LabelSet.build(Kind.EVENTS, {"sample": [1000]}, ("unit",), PROVENANCE)
    with pytest.raises(BadArgumentError, match="before sample 1000"):
        to_pynapple(late, GAPPED)
    classes = LabelSet.build(Kind.CLASSES, {"target": [1]}, ("x",), PROVENANCE)
    with pytest.raises(BadArgumentError, match="to_pandas"):
        to_pynapple(classes, GAPPED)


def test_units_through_pynapple():
    nap = pytest.importorskip("pynapple")
    labels = spikes()
    group = to_pynapple(labels, GAPPED)
    assert isinstance(group, nap.TsGroup)
    assert group[7].t.tolist() == pytest.approx([10.003, 10.499, 60.2])
    assert group["label"].tolist() == ["mua", "good"]
    assert group.time_support.end.tolist() == pytest.approx([10.5, 60.5])
    back = from_pynapple(group, GAPPED, PROVENANCE, vocabulary=labels.vocabulary)
    for name in ("sample", "item", "label"):
        assert back.column(name).tolist() == labels.column(name).tolist()


def test_single_events_through_pynapple():
    nap = pytest.importorskip("pynapple")
    pulses = LabelSet.build(Kind.EVENTS, {"sample": [1, 400, 800]}, ("event",), PROVENANCE)
    times = to_pynapple(pulses, GAPPED)
    assert isinstance(times, nap.Ts)
    assert from_pynapple(times, GAPPED, PROVENANCE).digest == pulses.digest


def test_units_through_spikeinterface():
    pytest.importorskip("spikeinterface")
    labels = spikes()
    sorting = to_spikeinterface(labels, GAPPED)
    assert sorting.get_num_segments() == 2
    assert sorting.unit_ids.tolist() == [2, 7]
    assert sorting.get_property("label").tolist() == ["mua", "good"]
    assert sorting.get_unit_spike_train(7, segment_index=1).tolist() == [200]
    back = from_spikeinterface(sorting, PROVENANCE, clock=GAPPED, vocabulary=labels.vocabulary)
    for name in ("sample", "item", "label"):
        assert back.column(name).tolist() == labels.column(name).tolist()
    with pytest.raises(BadArgumentError, match="2 segments"):
        from_spikeinterface(sorting, PROVENANCE)


@quick
@given(label_sets([Kind.EVENTS]))
def test_any_events_through_spikeinterface(labels):
    pytest.importorskip("spikeinterface")
    clock = Clock.regular(30_000.0, 1000)
    back = from_spikeinterface(to_spikeinterface(labels, clock), PROVENANCE)
    assert back.column("sample").tolist() == labels.column("sample").tolist()
    key = [sorted(zip(s.column("sample"), s.column("item"), strict=True)) for s in (back, labels)]
    assert key[0] == key[1]


def test_units_named_by_text():
    core = pytest.importorskip("spikeinterface.core")
    sorting = core.NumpySorting.from_unit_dict([{"b": np.array([5]), "a": np.array([2])}], 1000.0)
    back = from_spikeinterface(sorting, PROVENANCE)
    assert back.column("sample").tolist() == [2, 5]
    assert back.column("item").tolist() == [1, 0]
    assert back.vocabulary.names == ("unit",)


@quick
@given(apart())
def test_spans_through_mne(case):
    pytest.importorskip("mne")
    clock, labels = case
    back = from_mne(to_mne(labels, clock), clock, PROVENANCE, vocabulary=("a", "b"))
    same_spans(back, labels)


def test_channels_and_events_through_mne():
    pytest.importorskip("mne")
    labels = spans([0, 10], [5, 20], channel=[None, 1])
    annotations = to_mne(labels, GAPPED, ch_names=["Fz", "Cz"])
    assert annotations.ch_names.tolist() == [(), ("Cz",)]
    back = from_mne(annotations, GAPPED, PROVENANCE, vocabulary=("a", "b"), ch_names=["Fz", "Cz"])
    assert back.column("channel").tolist() == [-1, 1]
    with pytest.raises(BadArgumentError, match="one known channel"):
        from_mne(annotations, GAPPED, PROVENANCE, ch_names=["Fz"])
    with pytest.raises(BadArgumentError, match="Name all"):
        to_mne(labels, GAPPED, ch_names=["Fz"])
    events = LabelSet.build(Kind.EVENTS, {"sample": [3, 700]}, ("ttl",), PROVENANCE)
    marks = to_mne(events, GAPPED)
    assert marks.onset.tolist() == pytest.approx([10.003, 60.2])
    assert marks.duration.tolist() == [0, 0]
    assert from_mne(marks, GAPPED, PROVENANCE, kind=Kind.EVENTS).digest == events.digest
    with pytest.raises(BadLabelsError, match=r"Kind\.EVENTS"):
        from_mne(marks, GAPPED, PROVENANCE)
    with pytest.raises(GapError):
        to_mne(spans([400], [600]), GAPPED)


@pytest.mark.parametrize(
    ("package", "convert"),
    [
        ("pynapple", to_pynapple),
        ("mne", to_mne),
        ("spikeinterface.core", to_spikeinterface),
    ],
)
def test_missing_packages_are_named_with_the_command(monkeypatch, package, convert):
    monkeypatch.setitem(sys.modules, package, None)  # what an import of a missing package meets
    with pytest.raises(MissingDependencyError, match=f"pip install {package.split('.')[0]}"):
        convert(spikes(), GAPPED)
