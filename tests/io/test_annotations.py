"""Annotations of recordings as label sets: nothing moves in time, nothing is lost in silence."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.data.annotations import Annotation, Annotations
from nissl.io.annotations import annotation_labels, main_stream, recording_annotations
from nissl.labels import Kind

RATE = 100.0
SIGNAL = Signal.from_array(
    np.zeros((6000, 2), np.int16), RATE, channels=ChannelTable.plain(["C3", "EOG"], kind="eeg")
)


def labels_of(*annotations: Annotation, signal: Signal = SIGNAL, **options: object):
    return annotation_labels(annotations, signal, source="f" * 64, author="x", **options)


def test_stages_spans_and_events_are_sets_of_their_author() -> None:
    claims = labels_of(
        Annotation(0, 60, "Sleep stage 2"),
        Annotation(3.5, 0.8, "spindle", "C3"),
        Annotation(1, 0, "Lights off"),
    )
    sleep, spans, events = claims.labels
    assert not claims.findings
    assert [s.kind for s in claims.labels] == [Kind.SPANS, Kind.SPANS, Kind.EVENTS]
    assert [s.provenance.task for s in claims.labels] == ["sleep", "annotations", "annotations"]
    assert all(s.provenance.author.kind == "person" for s in claims.labels)
    assert sleep.column("start").tolist() == [0, 3000]
    assert sleep.vocabulary.names[sleep.column("label")[0]] == "N2"
    assert np.all(np.isnan(sleep.column("confidence")))
    assert sleep.provenance.parameters["names"] == {"Sleep stage 2": 1}
    assert (spans.column("start")[0], spans.column("stop")[0]) == (350, 430)
    assert spans.column("channel")[0] == 0
    assert events.column("sample")[0] == 100


def test_what_lies_outside_is_left_out_and_said() -> None:
    claims = labels_of(
        Annotation(-5, 1, "before"), Annotation(59.5, 1, "over the end"), Annotation(2, 1, "in")
    )
    (spans,) = claims.labels
    assert spans.column("start").tolist() == [200]
    (finding,) = claims.findings
    assert (finding.check, finding.severity, finding.value) == ("outside", "warning", 2)
    nothing = labels_of(Annotation(100, 0, "late"))
    assert nothing.labels == ()
    assert nothing.findings[0].severity == "error"


def test_spans_are_cut_at_gaps_and_keep_their_time_after_them() -> None:
    clock = Clock.from_segments(RATE, [3000, 3000], [0.0, 3600.0])
    signal = Signal("signal", SIGNAL.reader, SIGNAL.channels, clock)
    (spans,) = labels_of(
        Annotation(29, 3572, "seizure"), Annotation(3605, 1, "after"), signal=signal
    ).labels
    assert spans.column("start").tolist() == [2900, 3000, 3500]
    assert spans.column("stop").tolist() == [3000, 3100, 3600]
    assert spans.column("item").tolist() == [0, 0, 1]
    events = labels_of(Annotation(1000, 0, "in the gap"), signal=signal)
    assert events.labels == ()


def test_long_remarks_lose_their_words_unless_they_are_kept() -> None:
    text = "Mr Miller was woken by the night nurse and asked for water"
    claims = labels_of(Annotation(1, 0, text))
    assert claims.labels[0].vocabulary.names == ("remark",)
    assert claims.findings[0].check == "remarks"
    assert labels_of(Annotation(1, 0, text), keep_texts=True).labels[0].vocabulary.names == (text,)


def test_channels_of_other_streams_are_said() -> None:
    claims = labels_of(Annotation(1, 2, "apnea", "Flow"))
    assert claims.labels[0].column("channel").tolist() == [-1]
    assert claims.findings[0].check == "unknown_channels"


def test_they_stand_on_the_stream_of_the_brain() -> None:
    slow = Signal.from_array(np.zeros((60, 1)), 1.0, name="1Hz", channels=ChannelTable.plain(["a"]))
    told = Annotations(lambda: (Annotation(1, 2, "arousal"),))
    streams = {"1Hz": slow, "signal": SIGNAL}
    recording = Recording(None, "edf", streams, fingerprint="f" * 64, annotations=told)
    assert main_stream(recording) == "signal"
    assert recording_annotations(recording).labels[0].provenance.stream == "signal"


@given(
    told=st.lists(
        st.tuples(st.floats(-10, 80), st.floats(0, 40), st.sampled_from(["a", "b", "Stage 2"]))
    ),
    shift_s=st.floats(-20, 20),
)
def test_every_annotation_is_a_row_at_its_time_or_counted(told, shift_s) -> None:
    claims = labels_of(*(Annotation(*each) for each in told), shift_s=shift_s)
    others = [each for each in told if each[2] != "Stage 2"]
    made = [s for s in claims.labels if s.provenance.task == "annotations"]
    items = sum(s.items.size for s in made)
    for labels in made:
        spans = labels.kind is Kind.SPANS
        mine = [each for each in others if (each[1] > 0) == spans]
        for item, at in zip(
            labels.column("item"), labels.column("start" if spans else "sample"), strict=True
        ):
            assert abs(at / RATE - mine[item][0] - shift_s) <= 0.51 / RATE + 1e-9
    lost = sum(f.value for f in claims.findings if f.sentence.split(" ")[3] == "annotations")
    assert items + lost == len(others)
