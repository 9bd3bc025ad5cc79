"""Annotations of recordings as label sets: nothing moves in time, nothing is lost in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.data.annotations import Annotation, Annotations
from nissl.errors import BadLabelsError
from nissl.io.annotations import NO_CLAIMS, main_stream, recording_annotations
from nissl.labels import Kind

RATE = 100.0
SIGNAL = Signal.from_array(
    np.zeros((6000, 2), np.int16), RATE, channels=ChannelTable.plain(["C3", "EOG"], kind="eeg")
)


def claims_of(*told, signal=SIGNAL, **options):
    recording = Recording(
        None,
        "edf",
        {"signal": signal},
        fingerprint="f" * 64,
        annotations=Annotations(lambda: told),
        options=options,
    )
    return recording_annotations(recording)


def test_stages_spans_and_events_are_sets_of_their_author():
    claims = claims_of(
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
    assert sleep.provenance.parameters["names"] == {"Sleep stage 2": "N2"}
    assert (spans.column("start")[0], spans.column("stop")[0]) == (350, 430)
    assert spans.column("channel")[0] == 0
    assert events.column("sample")[0] == 100
    assert claims_of() == NO_CLAIMS


def test_what_lies_outside_is_cut_off_and_said():
    claims = claims_of(
        Annotation(-5, 1, "before"), Annotation(59.5, 1, "over the end"), Annotation(2, 1, "in")
    )
    (spans,) = claims.labels
    assert spans.column("start").tolist() == [200, 5950]
    assert spans.column("stop").tolist() == [300, 6000]
    (finding,) = claims.findings
    assert (finding.check, finding.severity, finding.value) == ("outside_recording", "warning", 2)
    with pytest.raises(BadLabelsError, match="all of them outside"):
        claims_of(Annotation(100, 0, "late"))


def test_spans_are_cut_at_gaps_and_keep_their_time_after_them():
    clock = Clock.from_segments(RATE, [3000, 3000], [0.0, 3600.0])
    signal = Signal("signal", SIGNAL.reader, SIGNAL.channels, clock)
    (spans,) = claims_of(
        Annotation(29, 3572, "seizure"), Annotation(3605, 1, "after"), signal=signal
    ).labels
    assert spans.column("start").tolist() == [2900, 3000, 3500]
    assert spans.column("stop").tolist() == [3000, 3100, 3600]
    assert spans.column("item").tolist() == [0, 0, 1]
    with pytest.raises(BadLabelsError):
        claims_of(Annotation(1000, 0, "in the gap"), signal=signal)


def test_long_remarks_lose_their_words_unless_they_are_kept():
    text = "Mr Miller was woken by the night nurse and asked for water"
    claims = claims_of(Annotation(1, 0, text))
    assert claims.labels[0].vocabulary.names == ("remark",)
    assert claims.findings[0].check == "remarks"
    kept = claims_of(Annotation(1, 0, text), keep_identifiers=True)
    assert kept.labels[0].vocabulary.names == (text,)


def test_channels_of_other_streams_are_said():
    claims = claims_of(Annotation(1, 2, "apnea", "Flow"))
    assert claims.labels[0].column("channel").tolist() == [-1]
    assert claims.findings[0].check == "unknown_channels"


def test_they_stand_on_the_stream_of_the_brain():
    slow = Signal.from_array(np.zeros((60, 1)), 1.0, name="1Hz", channels=ChannelTable.plain(["a"]))
    told = Annotations(lambda: (Annotation(1, 2, "arousal"),))
    streams = {"1Hz": slow, "signal": SIGNAL}
    recording = Recording(None, "edf", streams, fingerprint="f" * 64, annotations=told)
    assert main_stream(recording) == "signal"
    assert recording_annotations(recording).labels[0].provenance.stream == "signal"


@given(
    told=st.lists(
        st.tuples(
            st.floats(0, 59),
            st.just(0.0) | st.floats(1e-3, 40),
            st.sampled_from(["a", "b", "Stage 2"]),
        ),
        min_size=1,
    ),
)
def test_every_annotation_is_a_row_at_its_time(told):
    claims = claims_of(*(Annotation(*each) for each in told))
    others = [each for each in told if each[2] != "Stage 2"]
    made = [s for s in claims.labels if s.provenance.task == "annotations"]
    assert sum(s.items.size for s in made) == len(others)
    for labels in made:
        spans = labels.kind is Kind.SPANS
        mine = sorted(each[0] for each in others if (each[1] > 0) == spans)
        starts = labels.column("start" if spans else "sample")
        np.testing.assert_allclose(np.sort(starts) / RATE, mine, atol=0.51 / RATE + 1e-9)
