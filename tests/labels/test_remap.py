import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.remap import Target, remap
from nissl.sync import ClockMap

ABOUT = Provenance("behaviour", "camera-file", Author("person", "observer"), "frames")


def spans(start, stop, item=None, **columns):
    columns |= {"start": start, "stop": stop}
    if item is not None:
        columns["item"] = item
    return LabelSet.build(Kind.SPANS, columns, ("groom", "rear"), ABOUT)


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 99)), max_size=20),
    st.floats(-5e-4, 5e-4),
    st.floats(-1e5, 1e5),
)
@settings(max_examples=50, deadline=None)
def test_to_a_faster_clock_and_back_is_the_identity(rows, drift, offset):
    frames, fast = Clock.regular(30.0, 1000), Clock.regular(1000.0, 40_000, t0_s=offset)
    clock_map = ClockMap.through([0.0, 100.0], [offset, offset + 100 * (1 + drift)])
    start = np.asarray([a for a, _ in rows], dtype=np.int64)
    labels = spans(start, start + np.asarray([n for _, n in rows], dtype=np.int64))
    there = remap(labels, frames, Target(fast), clock_map=clock_map)
    back = remap(there, fast, Target(frames), clock_map=clock_map.inverse())
    for column in ("start", "stop", "label"):
        np.testing.assert_array_equal(np.sort(back.column(column)), np.sort(labels.column(column)))
    # the same item covers the same frames
    order = np.argsort(back.column("item"))
    first = np.argsort(labels.column("item"))
    np.testing.assert_array_equal(back.column("start")[order], labels.column("start")[first])


def test_events_keep_item_label_confidence_and_amplitude():
    labels = LabelSet.build(
        Kind.EVENTS,
        {
            "sample": [3, 10],
            "label": [1, 0],
            "confidence": [0.25, 0.5],
            "amplitude": [7.0, 8.0],
            "item": [4, 9],
        },
        ("a", "b"),
        ABOUT,
    )
    target = Target(Clock.regular(100.0, 10_000), "ephys", "ap")
    moved = remap(labels, Clock.regular(10.0, 20), target, clock_map=ClockMap.offset(0.0, 2.0))
    assert moved.column("sample").tolist() == [230, 300]
    for name in ("item", "label", "confidence", "amplitude"):
        np.testing.assert_array_equal(moved.column(name), labels.column(name))
    assert moved.provenance.made_from == (labels.digest,)
    assert moved.provenance.author == ABOUT.author
    assert (moved.provenance.source, moved.provenance.stream) == ("ephys", "ap")
    assert moved.provenance.parameters["clock_map"]["residuals"]["n_pulses"] == 1


def test_pieces_join_over_a_gap_of_the_source_and_are_cut_at_gaps_of_the_target():
    frames = Clock.from_times(np.asarray([0.0, 0.1, 0.2, 0.4, 0.5, 0.6]))  # frame dropped at 0.3
    labels = spans([1, 3], [3, 5], item=[7, 7], label=[1, 1])
    whole = remap(labels, frames, Target(Clock.regular(100.0, 200)), clock_map=ClockMap.identity())
    assert (whole.column("start").tolist(), whole.column("stop").tolist()) == ([10], [60])
    gappy = Target(Clock.from_segments(100.0, [30, 100], [0.0, 0.35]))
    cut = remap(labels, frames, gappy, clock_map=ClockMap.identity())
    rows = list(zip(cut.column("item"), cut.column("start"), cut.column("stop"), strict=True))
    assert rows == [(7, 10, 30), (7, 30, 55)]


def test_rows_that_were_not_recorded_are_refused_or_listed():
    labels = spans([0, 20], [5, 30])
    target = Target(Clock.regular(10.0, 25))
    source = Clock.regular(10.0, 100)
    with pytest.raises(BadLabelsError, match=r"item \[1\]"):
        remap(labels, source, target, clock_map=ClockMap.identity())
    kept = remap(labels, source, target, clock_map=ClockMap.identity(), outside="drop")
    assert kept.column("item").tolist() == [0]
    assert kept.provenance.parameters["clock_map"]["lost"] == [1]
    with pytest.raises(BadArgumentError):
        remap(labels, source, target, clock_map=ClockMap.identity(), outside="clip")


def test_classes_have_no_times():
    labels = LabelSet.build(Kind.CLASSES, {"target": [1]}, ("good",), ABOUT)
    with pytest.raises(BadLabelsError):
        remap(
            labels,
            Clock.regular(1.0, 9),
            Target(Clock.regular(1.0, 9)),
            clock_map=ClockMap.identity(),
        )
