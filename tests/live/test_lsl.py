"""LSL: jumps of time stamps, rates, units, markers; and a real stream where liblsl works here.

Most tests hold a faked inlet with pylsl's interface. The last ones send a stream through liblsl
within this machine, and are skipped with the reason where it cannot be found that way.
"""

import json
import time

import numpy as np
import pytest

from nissl.errors import BadMetadataError, MissingDependencyError, SourceNotFoundError
from nissl.live import StreamInfo, live_method, offline, run
from nissl.live.lsl import LslMarkers, LslSource, MarkerSink, described, require_pylsl

RATE = 100.0
STREAM = StreamInfo.plain(["Fpz-Cz", "Pz-Oz"], RATE)


class LostError(Exception):
    """As pylsl's, when the sender is gone."""


class Inlet:
    """What `LslSource` asks of pylsl.StreamInlet."""

    def __init__(self, batches):
        self.batches = list(batches)

    def pull_chunk(self, timeout=0.0, max_samples=1024):
        if not self.batches:
            raise LostError
        return self.batches.pop(0)

    def time_correction(self):
        return 0.25


def sent(x, stamps, size=10):
    return [
        (x[a : a + size].tolist(), stamps[a : a + size].tolist()) for a in range(0, len(x), size)
    ]


def noise(n=2000):
    return (20 * np.random.default_rng(0).standard_normal((n, 2))).astype(np.float32)


def source(batches, gain=(1.0, 1.0)):
    return LslSource(Inlet(batches), STREAM, gain, idle_s=0.5)


def test_samples_are_numbered_by_arrival_and_scaled():
    x = noise(95)
    batches = sent(x, 7 + np.arange(95) / RATE)
    batches.insert(3, ([], []))
    chunks = list(source(batches, (1.0, 1e3)).chunks())
    assert [c.first_sample for c in chunks] == [0, 10, 20, 30, 30, 40, 50, 60, 70, 80, 90]
    together = np.concatenate([c.samples for c in chunks])
    assert np.allclose(together, x * np.array([1, 1e3]))
    assert all(c.lost_s is None for c in chunks)


def test_a_jump_of_time_begins_a_segment_wherever_it_falls():
    stamps = np.arange(2000) / RATE
    stamps[733:] += 1.0
    stamps[1200:] -= 9.0  # the sender's clock was set back
    rng = np.random.default_rng(1)
    chunks = list(source(sent(noise(), stamps + 0.004 * rng.standard_normal(2000))).chunks())
    cuts = [(c.first_sample, c.lost_s) for c in chunks if c.lost_s is not None]
    assert [at for at, _ in cuts] == [733, 1200]
    assert cuts[0][1] == pytest.approx(1.0, abs=0.03)
    assert cuts[1][1] == 0.0
    assert sum(len(c.samples) for c in chunks) == 2000


def test_a_stream_over_lsl_says_what_a_file_says():
    from nissl.data import Signal

    x = noise()
    said = []

    class Told:
        def write(self, claims):
            said.extend(claims)

        def gap(self, first_sample, lost_s):
            raise AssertionError

        def close(self):
            pass

    method = live_method("sleep", STREAM, {"epoch_s": 5.0})
    run(source(sent(x, np.arange(2000) / RATE, 17)), method, [Told()])
    again = live_method("sleep", STREAM, {"epoch_s": 5.0})
    recording = Signal.from_array(x, RATE, channels=STREAM.channels)
    assert repr(said) == repr(offline(again, recording))


@pytest.mark.parametrize(("rate", "seconds"), [(90.0, 30), (98.5, 70)])
def test_a_rate_that_is_not_the_stated_one(rate, seconds):
    n = int(rate * seconds)
    with pytest.raises(BadMetadataError, match="time stamps"):
        list(source(sent(noise(n), np.arange(n) / rate)).chunks())


def test_silence_ends_the_stream():
    chunks = list(source([([], [])] * 50).chunks())
    assert [len(c.samples) for c in chunks] == [0] * 5


def test_markers_lie_on_samples():
    there = source(sent(noise(100), 50 + np.arange(100) / RATE))
    list(there.chunks())
    assert there.sample_at(50.25 + 0.3) == 30  # 0.25 s between the clocks


def test_claims_as_markers():
    texts = []
    sink = MarkerSink("x", texts.append)
    method = live_method("sleep", STREAM, {"epoch_s": 5.0})
    sink.write(method.push(noise(), 0))
    sink.gap(3, 0.5)
    sink.close()
    assert [json.loads(t).get("start") for t in texts] == [0, 500, 1000, 1500, None]


class Node:
    """A part of a stream's description."""

    def __init__(self, channels):
        self.channels = channels

    def child(self, name):
        return self

    def child_value(self, name):
        return self.channels[0].get(name, "") if self.channels else ""

    def next_sibling(self):
        return Node(self.channels[1:])


class Full:
    """A stream's description."""

    def __init__(self, channels, n=None):
        self.channels, self.n = channels, n

    def channel_count(self):
        return len(self.channels) if self.n is None else self.n

    def desc(self):
        return Node(self.channels)


def test_names_types_and_units_of_a_description():
    told = [{"label": "Cz", "unit": "microvolts", "type": "EEG"}, {"label": "Pz", "unit": "volts"}]
    assert described(Full(told)) == (["Cz", "Pz"], ["eeg", ""], [1.0, 1e6])
    assert described(Full([], 2)) == (["1", "2"], ["", ""], [1.0, 1.0])
    assert described(Full([{"label": "A"}, {"label": "A"}]))[0] == ["1", "2"]
    with pytest.raises(BadMetadataError, match="unit"):
        described(Full([{"label": "Cz", "unit": "degrees"}]))


@pytest.fixture(scope="module")
def outlet():
    """A real stream of 2 channels at 100 Hz in this process."""
    try:
        pylsl = require_pylsl()
    except MissingDependencyError as error:
        pytest.skip(f"no liblsl: {error}")
    told = pylsl.StreamInfo("nissl-test-eeg", "EEG", 2, RATE, pylsl.cf_float32, "nissl-test-1")
    channels = told.desc().append_child("channels")
    for name in STREAM.channels.ids:
        channel = channels.append_child("channel")
        channel.append_child_value("label", name)
        channel.append_child_value("unit", "microvolts")
        channel.append_child_value("type", "EEG")
    made = pylsl.StreamOutlet(told)
    if not pylsl.resolve_byprop("name", "nissl-test-eeg", timeout=3.0):
        pytest.skip("liblsl finds no stream on this machine: neither multicast nor loopback")
    return made


def test_a_real_stream(outlet):
    pylsl = require_pylsl()
    there = LslSource.open("nissl-test-eeg", wait_s=5.0, idle_s=1.0)
    assert there.info.channels.ids == STREAM.channels.ids
    assert there.info.channels.types == ("eeg", "eeg")
    assert there.info.rate_hz == RATE
    marks = pylsl.StreamOutlet(
        pylsl.StreamInfo("nissl-test-marks", "Markers", 1, 0, pylsl.cf_string, "nissl-test-2")
    )
    markers = LslMarkers("nissl-test-marks", there, wait_s=5.0)
    x, t0 = noise(600), pylsl.local_clock()
    for a in range(0, 600, 50):
        outlet.push_chunk(x[a : a + 50].tolist(), t0 + (a + 49) / RATE)
    marks.push_sample(["go"], t0 + 2.5)
    chunks = list(there.chunks())
    assert np.array_equal(np.concatenate([c.samples for c in chunks]), x)
    assert all(c.lost_s is None for c in chunks)
    deadline = time.monotonic() + 5
    onsets = []
    while not onsets and time.monotonic() < deadline:
        onsets = markers()
    assert onsets == [250]
    there.close()


def test_claims_through_a_real_outlet(outlet):
    pylsl = require_pylsl()
    sink = MarkerSink("nissl-test-said")
    found = pylsl.resolve_byprop("name", "nissl-test-said", timeout=5.0)
    inlet = pylsl.StreamInlet(found[0])
    inlet.open_stream(timeout=5.0)
    sink.gap(3, 0.5)
    text, _ = inlet.pull_sample(timeout=5.0)
    assert json.loads(text[0]) == {"gap": {"sample": 3, "lost_s": 0.5}}
    sink.close()


def test_a_stream_that_is_not_there(outlet):
    with pytest.raises(SourceNotFoundError, match="nissl-test-none"):
        LslSource.open("nissl-test-none", wait_s=0.3)
