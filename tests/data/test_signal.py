"""Signals, channel tables, lines and recordings: calibration, cuts, gaps, refusal."""

import json
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import ChannelTable, Line, Recording, Session, Signal, Subject
from nissl.data.lines import ScannedLine, WordScan
from nissl.data.signal import ArrayReader
from nissl.errors import BadArgumentError, BadMetadataError, BadProbeError, GapError

tables = st.integers(1, 6).flatmap(
    lambda n: st.builds(
        lambda gains, offsets, xs, shanks, phases: ChannelTable.plain(
            [f"c{i}" for i in range(n)],
            gain_uv=gains,
            offset_uv=offsets,
            position_um=np.c_[xs, np.arange(n)],
            shank=shanks,
            phase=phases,
        ),
        st.lists(st.floats(0.01, 100), min_size=n, max_size=n),
        st.lists(st.floats(-50, 50), min_size=n, max_size=n),
        st.lists(st.one_of(st.floats(-1e4, 1e4), st.just(np.nan)), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
        st.lists(st.floats(0, 0.99), min_size=n, max_size=n),
    )
)


@given(tables, st.randoms())
def test_reading_is_calibration_of_the_stored(table, random):
    n = len(table)
    raw = np.arange(20 * n, dtype=np.int16).reshape(20, n)
    signal = Signal.from_array(raw, 1000.0, channels=table)
    a, b = sorted((random.randint(0, 20), random.randint(0, 20)))
    order = random.sample(range(n), random.randint(1, n))
    out = signal.read(a, b, order)
    assert out.dtype == np.float32
    expected = raw[a:b][:, order] * table.gain_uv[order] + table.offset_uv[order]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(signal.take(order).read(a, b), out)
    np.testing.assert_array_equal(signal.read(a, b, [f"c{i}" for i in order]), out)


@given(tables)
def test_channel_tables_as_json(table):
    again = ChannelTable.from_json(json.loads(json.dumps(table.to_json())))
    assert json.dumps(again.to_json()) == json.dumps(table.to_json())
    assert again.has_geometry == table.has_geometry


def test_reading_does_not_change_the_source():
    samples = np.ones((5, 2), np.float32)
    table = ChannelTable.plain(2, gain_uv=3.0)
    signal = Signal.from_array(samples, 10.0, channels=table)
    signal.read()[:] = 9
    np.testing.assert_array_equal(samples, 1)
    np.testing.assert_array_equal(signal.read(), 3)


def test_intervals_outside_and_across_gaps():
    clock = Clock.from_segments(10.0, [6, 4], [0.0, 5.0])
    signal = Signal.from_array(np.zeros((10, 2)), 10.0, clock=clock)
    for start, stop in ((-1, 3), (0, 11), (7, 3)):
        with pytest.raises(BadArgumentError, match="10 samples"):
            signal.read(start, stop)
    with pytest.raises(GapError, match="sample 6"):
        signal.read(5, 7)
    with pytest.raises(GapError):
        signal.read()
    assert list(signal.blocks(4)) == [(0, 4), (4, 6), (6, 10)]
    assert "1 gaps" in repr(signal)
    assert signal.duration_s == 1.0


@pytest.mark.parametrize("channel", [2, -1, "x"])
def test_unknown_channels(channel):
    with pytest.raises(BadMetadataError, match="2 of this stream"):
        Signal.from_array(np.zeros((3, 2)), 10.0).read(channels=[channel])


def test_arrays_that_do_not_fit():
    with pytest.raises(BadMetadataError, match="n_samples, n_channels"):
        Signal.from_array(np.zeros(5), 10.0)
    with pytest.raises(BadMetadataError, match="3 channels"):
        Signal.from_array(np.zeros((5, 2)), 10.0, channels=ChannelTable.plain(3))
    with pytest.raises(BadMetadataError, match="above 0 Hz"):
        Signal.from_array(np.zeros((5, 2)), -1.0)


def test_tables_that_cannot_be():
    with pytest.raises(BadMetadataError, match="unique"):
        ChannelTable.plain(["a", "a"])
    for gain in (0.0, np.nan, np.inf):
        with pytest.raises(BadMetadataError, match="finite gain"):
            ChannelTable.plain(2, gain_uv=gain)
    with pytest.raises(BadMetadataError, match="shape"):
        ChannelTable.plain(2, shank=[0])
    with pytest.raises(BadProbeError, match=r"\('0', '2'\)"):
        ChannelTable.plain(3, position_um=[[1, 2], [3, 4], [1, 2]])


def test_tables_are_frozen():
    table = ChannelTable.plain(2)
    with pytest.raises(ValueError, match="read-only"):
        table.gain_uv[0] = 2
    with pytest.raises(FrozenInstanceError):
        table.kind = "aux"


def test_a_recording_of_one_stream_behaves_as_it():
    signal = Signal.from_array(np.arange(6.0).reshape(3, 2), 10.0, name="ap")
    one = Recording(None, "memory", {"ap": signal})
    np.testing.assert_array_equal(one.read(1, 2), [[2, 3]])
    assert (one.rate_hz, one.n_channels, len(one)) == (10.0, 2, 1)
    two = Recording(None, "memory", {"ap": signal, "lf": signal})
    with pytest.raises(BadArgumentError, match="single stream"):
        two.read()
    with pytest.raises(BadArgumentError, match=r"\['ap', 'lf'\]"):
        two["nidq"]
    with pytest.raises(AttributeError):
        one.colour  # noqa: B018
    again = pickle.loads(pickle.dumps(two))
    assert list(again) == ["ap", "lf"]


def test_what_a_recording_says_of_itself():
    signal = Signal.from_array(np.zeros((3, 2)), 10.0, name="ap")
    line = Line("sync", np.array([1]), np.array([2]), signal.clock)
    recording = Recording(
        None, "raw", {"ap": signal}, (line,), Subject("m1"), Session("s1", "2024-05-06")
    )
    for word in ("m1", "s1", "'ap': 2 channels", "10 Hz", "lines: sync"):
        assert word in repr(recording)


def test_lines_in_seconds():
    clock = Clock.from_segments(10.0, [6, 4], [0.0, 5.0])
    line = Line("x", [1, 6], [3], clock)
    np.testing.assert_allclose(line.rising_s, [0.1, 5.0])
    np.testing.assert_allclose(line.falling_s, [0.3])
    assert line.bytes_to_read == 0
    assert line.rising.dtype == np.int64


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=60), st.data())
def test_scans_find_every_edge_within_segments(words, data):
    values = np.array(words, dtype=np.uint16)
    cut = data.draw(st.integers(1, len(words)))
    lengths = [cut, len(words) - cut] if cut < len(words) else [cut]
    clock = Clock.from_segments(10.0, lengths, [0.0, 100.0][: len(lengths)])
    scan = WordScan(ArrayReader(values.view(np.int16)[:, None]), clock)
    for bit in (0, 7, 15):
        line = ScannedLine(f"bit{bit}", scan, bit)
        level = (values >> bit) & 1
        step = np.diff(level.astype(int))
        inside = np.arange(1, len(words)) != cut
        np.testing.assert_array_equal(line.rising, np.flatnonzero((step > 0) & inside) + 1)
        np.testing.assert_array_equal(line.falling, np.flatnonzero((step < 0) & inside) + 1)


def test_scans_join_their_blocks(monkeypatch):
    monkeypatch.setattr("nissl.data.lines.BLOCK_SAMPLES", 4)
    level = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1])[:, None].astype(np.int16)
    line = ScannedLine("x", WordScan(ArrayReader(level), Clock.regular(1.0, 11)), 0)
    np.testing.assert_array_equal(line.rising, [4, 10])
    np.testing.assert_array_equal(line.falling, [8])
    assert "x" in repr(line)
