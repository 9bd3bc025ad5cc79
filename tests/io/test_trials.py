import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.io.trial_tables import Columns, TrialTable, write_csv
from nissl.io.trials import from_labels, read_table, to_events, to_spans, trial_items
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.sync import ClockMap

ABOUT = Provenance("trials", "f", Author("person", "imported"), "ap")
CLOCK = Clock.regular(1000.0, 60_000)


def table(start, stop, labels=None, **extra):
    labels = ("go",) * len(start) if labels is None else tuple(labels)
    more = pd.DataFrame(extra, index=range(len(start)))
    return TrialTable(np.asarray(start, float), np.asarray(stop, float), labels, more)


@given(
    st.lists(st.tuples(st.integers(0, 50_000), st.integers(1, 9000)), max_size=15),
    st.floats(-1e-3, 1e-3),
)
@settings(max_examples=50, deadline=None)
def test_spans_come_back_through_a_clock_map(rows, drift):
    rows = sorted(rows)
    clock_map = ClockMap.through([0.0, 10.0], [5.0, 15.0 + 10 * drift])
    start = np.asarray([a for a, _ in rows], dtype=np.int64)
    stop = start + np.asarray([n for _, n in rows], dtype=np.int64)
    labels = LabelSet.build(Kind.SPANS, {"start": start, "stop": stop}, ("go",), ABOUT)
    trials = from_labels(labels, CLOCK, clock_map=clock_map)
    back = to_spans(trials, CLOCK, ABOUT, clock_map=clock_map.inverse())
    np.testing.assert_array_equal(back.column("start"), labels.column("start"))
    np.testing.assert_array_equal(np.sort(back.column("stop")), np.sort(labels.column("stop")))


def test_rows_become_items_with_their_classes_and_columns():
    trials = table([1, 2, 2.5], [1.5, 4, 3], ["go", "catch", "go"], contrast=[0.1, 0.2, 0.3])
    labels = to_spans(trials, CLOCK, ABOUT)
    assert labels.vocabulary.names == ("catch", "go")
    assert labels.column("start").tolist() == [1000, 2000, 2500]
    assert labels.column("stop").tolist() == [1500, 4000, 3000]
    assert labels.column("label").tolist() == [1, 0, 1]
    items = trial_items(trials, labels)
    assert items.of == labels.digest
    assert items.table.column("contrast").to_pylist() == [0.1, 0.2, 0.3]
    back = from_labels(labels, CLOCK, items=items)
    assert back.labels == trials.labels
    assert back.extra["contrast"].tolist() == [0.1, 0.2, 0.3]


def test_events_take_the_starts():
    events = to_events(table([1, 2], [np.nan, 3], ["b", "a"]), CLOCK, ABOUT)
    assert events.kind is Kind.EVENTS
    assert events.column("sample").tolist() == [1000, 2000]
    assert from_labels(events, CLOCK).lasting.tolist() == [False, False]


def test_a_trial_is_cut_at_a_gap_and_joined_again():
    clock = Clock.from_segments(10.0, [20, 20], [0.0, 10.0])
    labels = to_spans(table([1.0], [11.0]), clock, ABOUT)
    rows = zip(*(labels.column(c).tolist() for c in ("item", "start", "stop")), strict=True)
    assert list(rows) == [(0, 10, 20), (0, 20, 30)]
    back = from_labels(labels, clock)
    assert (back.start_s.tolist(), back.stop_s.tolist()) == ([1.0], [11.0])


def test_rows_at_times_not_recorded():
    clock = Clock.from_segments(10.0, [20, 20], [0.0, 10.0])
    trials = table([-1, 0.5, 4, 11.5], [-0.5, 1, 5, 13])
    for convert in (to_spans, to_events):
        with pytest.raises(BadLabelsError, match="rows from 0"):
            convert(trials, clock, ABOUT)
    kept = to_spans(trials, clock, ABOUT, outside="drop")
    assert kept.items.tolist() == [1]
    assert kept.provenance.parameters["dropped_rows"] == [0, 2, 3]
    assert trial_items(trials, kept).items.tolist() == [1]
    events = to_events(trials, clock, ABOUT, outside="drop")
    assert events.items.tolist() == [1, 3]
    with pytest.raises(BadArgumentError):
        to_spans(trials, clock, ABOUT, outside="maybe")


def test_rows_without_duration_are_no_spans():
    with pytest.raises(BadLabelsError, match=r"rows \[2\]"):
        to_spans(table([1, 2], [2, np.nan]), CLOCK, ABOUT)
    with pytest.raises(BadLabelsError):  # shorter than a sample
        to_spans(table([1.0], [1.0001]), CLOCK, ABOUT)


def test_read_table_by_its_suffix(tmp_path):
    trials = table([1, 2], [1.5, 2.5], ["a", "b"])
    write_csv(trials, tmp_path / "t.csv")
    labels = read_table(tmp_path / "t.csv", clock=CLOCK, source="f", stream="ap", author="Ana")
    assert labels.kind is Kind.SPANS
    assert labels.provenance.author == Author("person", "Ana")
    assert labels.provenance.task == "trials"
    bids = tmp_path / "sub-1_events.tsv"
    bids.write_text("onset\tduration\n1\t0\n3\t0\n")
    events = read_table(bids, clock=CLOCK, task="licks")
    assert (events.kind, events.column("sample").tolist()) == (Kind.EVENTS, [1000, 3000])
    bids.write_text("onset\tduration\n1\t0\n3\t1\n")
    with pytest.raises(BadLabelsError, match="to_events"):
        read_table(bids, clock=CLOCK)
    frames = tmp_path / "behaviour.csv"
    frames.write_text("first,last\n5,9\n")
    columns = Columns("first", "last", unit="samples", last_included=True)
    spans = read_table(frames, clock=Clock.regular(30.0, 100), columns=columns)
    assert (spans.column("start").tolist(), spans.column("stop").tolist()) == ([5], [10])


def test_classes_have_no_table():
    labels = LabelSet.build(Kind.CLASSES, {"target": [1]}, ("good",), ABOUT)
    with pytest.raises(BadArgumentError):
        from_labels(labels, CLOCK)
