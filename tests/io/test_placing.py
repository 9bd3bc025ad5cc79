"""Marks on samples and back: exact at gaps, strict about what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.io.mark_format import seconds_text
from nissl.io.marks import Marks, marks_of
from nissl.io.placing import Place, in_epochs, labels_of
from nissl.labels import Author, Kind
from nissl.testing.marks import rows_of, spans_on_clocks

ANNA = Author("person", "anna")
CLOCK = Clock.regular(100.0, 10_000)


def marks(*rows, **facts):
    """Marks of (start, stop or None, label) and perhaps channels."""
    start = np.asarray([row[0] for row in rows], np.float64)
    stop = np.asarray([np.nan if row[1] is None else row[1] for row in rows], np.float64)
    on = tuple(row[3] if len(row) > 3 else () for row in rows)
    return Marks(start, stop, tuple(row[2] for row in rows), on, ANNA, **facts)


@settings(max_examples=150, deadline=None)
@given(made=spans_on_clocks())
def test_spans_come_back_to_the_sample(made):
    clock, labels = made
    found = marks_of(labels, clock, ("C3", "C4", "Pz"))
    # through the text of a file, which holds nanoseconds
    start, stop = (
        np.asarray([float(seconds_text(v)) for v in values])
        for values in (found.start_s, found.stop_s)
    )
    written = found.take(np.arange(len(found)))
    object.__setattr__(written, "start_s", start)
    object.__setattr__(written, "stop_s", stop)
    (back,), findings = labels_of(written, Place(clock, channel_ids=("C3", "C4", "Pz")))
    assert rows_of([back], "345") == rows_of([labels], "345")
    assert findings == []


@settings(max_examples=100, deadline=None)
@given(made=spans_on_clocks(), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(made, seed):
    clock, labels = made
    found = marks_of(labels, clock)
    shuffled = found.take(np.random.default_rng(seed).permutation(len(found)))
    place = Place(clock, channel_ids=("0", "1", "2"))
    assert labels_of(found, place)[0] == labels_of(shuffled, place)[0]


def test_several_channels_are_one_item():
    given_ = marks((1.0, 2.0, "spindle", ("C3", "C4")), (3.0, 4.0, "spindle"))
    (labels,), _ = labels_of(given_, Place(CLOCK, channel_ids=("C3", "C4")))
    assert labels.column("item").tolist() == [0, 0, 1]
    assert labels.column("channel").tolist() == [0, 1, -1]
    assert marks_of(labels, CLOCK, ("C3", "C4")).channels == (("C3", "C4"), ())


def test_channels_are_found_whatever_their_case_and_missing_ones_are_told():
    given_ = marks((1.0, 2.0, "x", ("c3",)), (3.0, 4.0, "x", ("Oz",)))
    (labels,), findings = labels_of(given_, Place(CLOCK, channel_ids=("C3",)))
    assert labels.column("channel").tolist() == [0, -1]
    assert [f.check for f in findings] == ["unknown_channels"]
    assert "Oz" in findings[0].sentence


def test_stages_events_and_instants_are_sets_of_their_own():
    rows = [(0.0, 30.0, "Sleep stage 2"), (30.0, 60.0, "Sleep stage R")]
    rows += [(31.0, 32.0, "arousal"), (50.0, None, "lights on")]
    sets, _ = labels_of(marks(*rows), Place(CLOCK))
    told = [(s.provenance.task, s.kind, s.n_rows) for s in sets]
    assert told == [
        ("sleep", Kind.SPANS, 2),
        ("events", Kind.SPANS, 1),
        ("events", Kind.EVENTS, 1),
    ]
    assert sets[0].provenance.parameters["names"] == {"Sleep stage 2": "N2", "Sleep stage R": "R"}
    named, _ = labels_of(marks(rows[2]), Place(CLOCK), task="arousals")
    assert named[0].provenance.task == "arousals"


def test_runs_of_a_stage_become_epochs():
    rows = [(0.0, 30630.0, "W"), (30630.0, 30750.0, "N1")]
    cut = in_epochs(marks(*rows))
    assert len(cut) == 30750 / 30
    np.testing.assert_allclose(np.diff(cut.start_s), 30.0)
    assert cut.labels.count("N1") == 4
    odd = marks((0.0, 31.0, "W"), (31.0, 50.0, "N1"))
    assert len(in_epochs(odd)) == 2
    assert len(in_epochs(marks((0.0, 8.0, "W"), (8.0, 20.0, "N1")))) == 5


def test_stages_without_durations_last_until_the_next():
    rows = [(0.0, None, "W"), (30.0, None, "N1"), (60.0, None, "N2")]
    (labels,), findings = labels_of(marks(*rows), Place(CLOCK))
    assert labels.column("stop").tolist() == [3000, 6000, 9000]
    assert [f.check for f in findings] == ["stage_durations"]


def test_what_is_shorter_than_a_sample_is_one_and_told():
    (labels,), findings = labels_of(marks((1.0, 1.001, "spike")), Place(CLOCK))
    assert (labels.column("stop") - labels.column("start")).tolist() == [1]
    assert [f.check for f in findings] == ["short_annotations"]


@pytest.mark.parametrize(
    "row",
    [(-1.0, 1.0, "x"), (99.0, 101.0, "x"), (200.0, 201.0, "x"), (-1.0, None, "x")],
)
def test_outside_the_recording_is_an_error_or_cut_and_told(row):
    inside = (5.0, 6.0, "x") if row[1] is not None else (5.0, None, "x")
    with pytest.raises(BadLabelsError, match="within the recording"):
        labels_of(marks(row, inside), Place(CLOCK))
    (labels,), findings = labels_of(marks(row, inside), Place(CLOCK, outside="cut"))
    assert [f.check for f in findings] == ["outside_recording"]
    times = labels.column("start" if row[1] is not None else "sample")
    assert np.all((times >= 0) & (times < 10_000))
    assert 500 in times


def test_a_span_in_a_gap_is_outside():
    gapped = Clock.from_segments(100.0, [1000, 1000], [0.0, 50.0])
    with pytest.raises(BadLabelsError):
        labels_of(marks((20.0, 30.0, "x")), Place(gapped))
    (across,), _ = labels_of(marks((5.0, 55.0, "x")), Place(gapped))
    assert across.column("item").tolist() == [0, 0]
    assert across.column("start").tolist() == [500, 1000]


@pytest.mark.parametrize("row", [(np.nan, 1.0, "x"), (3.0, 1.0, "x"), (3.0, np.inf, "x")])
def test_times_that_are_none(row):
    with pytest.raises(BadLabelsError, match="rows \\[1\\]"):
        labels_of(marks(row), Place(CLOCK))


def test_an_unknown_way_to_treat_what_is_outside():
    with pytest.raises(BadArgumentError):
        Place(CLOCK, outside="shift")
