import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import Line, Recording, Signal
from nissl.data.onsets import Levels, detect_onsets
from nissl.errors import BadMetadataError
from nissl.io.lines import line_events, line_spans, onset_labels, recording_lines

CLOCK = Clock.regular(1000.0, 1000)


@given(st.lists(st.integers(0, 999), unique=True, max_size=40), st.booleans())
@settings(deadline=None)
def test_spans_are_the_high_samples(edges, first_up):
    edges = np.sort(np.asarray(edges, dtype=np.int64))
    up = (np.arange(edges.size) % 2 == 0) == first_up
    high = np.zeros(1000, bool)
    state = not first_up and edges.size > 0
    for sample in range(1000):
        if sample in edges:
            state = bool(up[np.searchsorted(edges, sample)])
        high[sample] = state
    spans = line_spans([Line("ttl", edges[up], edges[~up], CLOCK)])
    found = np.zeros(1000, bool)
    for start, stop in zip(spans.column("start"), spans.column("stop"), strict=True):
        assert not found[start:stop].any()
        found[start:stop] = True
    np.testing.assert_array_equal(found, high)


def test_events_of_several_lines():
    lines = [Line("sync", [5, 500], [10, 510], CLOCK), Line("lick", [5, 7], [6, 9], CLOCK)]
    events = line_events(lines, source="abc", stream="ap")
    assert events.column("sample").tolist() == [5, 5, 7, 500]
    names = [events.vocabulary.names[c] for c in events.column("label")]
    assert names == ["sync", "lick", "lick", "sync"]
    about = events.provenance
    assert (about.task, about.source, about.stream) == ("lines", "abc", "ap")
    assert (about.author.kind, about.author.name) == ("model", "lines/digital")


def test_no_span_crosses_a_gap():
    clock = Clock.from_segments(10.0, [10, 10], [0.0, 5.0])
    spans = line_spans([Line("ttl", [4], [15], clock)])
    rows = zip(*(spans.column(c).tolist() for c in ("item", "start", "stop")), strict=True)
    assert list(rows) == [(0, 4, 10), (0, 10, 15)]


def test_a_recording_gives_events_and_spans_per_clock():
    signal = Signal.from_array(np.zeros((1000, 1), np.float32), 1000.0, name="ap")
    other = Clock.regular(30.0, 100)
    recording = Recording(
        None,
        "test",
        {"ap": signal},
        lines=(Line("sync", [1], [2], CLOCK), Line("frame", [3, 9], [4, 11], other)),
        fingerprint="f",
    )
    sets = recording_lines(recording)
    assert [(s.kind.value, s.provenance.stream, s.n_rows) for s in sets] == [
        ("events", "ap", 1),
        ("spans", "ap", 1),
        ("events", "", 2),
        ("spans", "", 2),
    ]


def test_a_silent_line_gives_empty_sets():
    line = Line("ttl", [], [], CLOCK)
    assert line_events([line]).n_rows == 0
    assert line_spans([line]).n_rows == 0


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Line("a", [1], [2], CLOCK), Line("a", [1], [2], CLOCK)],
        [Line("a", [1], [2], CLOCK), Line("b", [1], [2], Clock.regular(2.0, 9))],
    ],
)
def test_lines_that_do_not_belong_together(lines):
    with pytest.raises(BadMetadataError):
        line_events(lines)


def test_edges_outside_the_recording():
    with pytest.raises(BadMetadataError, match=r"0\.\.1000"):
        line_spans([Line("a", [1, 2000], [5], CLOCK)])


def test_analogue_onsets_keep_their_exact_time_and_jitter():
    ramp = np.interp(np.arange(100), [10, 20, 60, 70], [0.0, 1000.0, 1000.0, 0.0])
    signal = Signal.from_array(ramp.astype(np.float32)[:, None], 100.0)
    onsets = detect_onsets(signal, 0, levels=Levels(350, 650, 10))
    labels, items = onset_labels(onsets, "photodiode", source="f", stream="nidq")
    assert labels.vocabulary.names == ("photodiode rising", "photodiode falling")
    assert labels.column("sample").tolist() == [15, 65]
    assert labels.column("label").tolist() == [0, 1]
    assert labels.provenance.author.name == "lines/analogue"
    np.testing.assert_allclose(items.table.column("time_s").to_numpy(), [0.15, 0.65])
    assert items.of == labels.digest
    assert np.all(items.table.column("jitter_s").to_numpy() > 0)
