"""The loop: sources, gaps, ends."""

import os
import signal
import threading

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.live import StreamInfo, live_method, offline, run
from nissl.live.sources import Chunk, Held, Replay

RATE = 100.0
STREAM = StreamInfo.plain(["Fpz-Cz", "Pz-Oz"], RATE)


class Told:
    """A sink that remembers."""

    def __init__(self):
        self.claims, self.gaps, self.closed = [], [], False

    def write(self, claims):
        self.claims += claims

    def gap(self, first_sample, lost_s):
        self.gaps.append((first_sample, lost_s))

    def close(self):
        self.closed = True


def noise(n=4000):
    return (20 * np.random.default_rng(0).standard_normal((n, 2))).astype(np.float32)


def sleep():
    return live_method("sleep", STREAM, {"epoch_s": 5.0})


def test_a_replayed_file_says_what_offline_says_and_tells_its_gaps():
    clock = Clock.from_segments(RATE, [1700, 2300], [0.0, 20.0])
    recording = Signal.from_array(noise(), RATE, channels=STREAM.channels, clock=clock)
    told = Told()
    outcome = run(Replay(recording), sleep(), [told])
    assert repr(told.claims) == repr(offline(sleep(), recording))
    assert told.gaps == [(1700, pytest.approx(3.0))]
    assert (outcome.samples, outcome.gaps, outcome.interrupted) == (4000, 1, False)
    assert outcome.claims == len(told.claims) == 3 + 4
    assert told.closed


def test_a_replay_keeps_time():
    at, waited = [0.0], []

    def wait(seconds):
        waited.append(seconds)
        at[0] += seconds

    recording = Signal.from_array(noise(300), RATE)
    chunks = list(Replay(recording, speed=10.0, wait=wait, now=lambda: at[0]).chunks())
    assert sum(waited) == pytest.approx(0.3)
    assert [len(c.samples) for c in chunks] == [10] * 30
    with pytest.raises(BadArgumentError, match="speed"):
        Replay(recording, speed=0.0)


def test_held_chunks_are_numbered_and_an_end_can_be_set():
    x = noise()
    told = Told()
    given = [x[:700], Chunk(x[700:2000], 700, 2.0), x[2000:]]
    outcome = run(Held(STREAM, given), sleep(), [told], samples=2000)
    assert outcome.samples == 2000
    assert [c.start for c in told.claims] == [0, 700, 1200]


def test_another_stream_than_the_one_it_was_set_up_for():
    with pytest.raises(BadMetadataError, match="set up"):
        run(Held(StreamInfo.plain(["Fpz-Cz", "Pz-Oz"], 128.0), []), sleep(), [])


def test_ctrl_c_ends_after_the_chunk_and_keeps_what_was_said():
    def given():
        for k, a in enumerate(range(0, 4000, 100)):
            if k == 12:
                os.kill(os.getpid(), signal.SIGINT)
            yield noise()[a : a + 100]

    told = Told()
    before = signal.getsignal(signal.SIGINT)
    outcome = run(Held(STREAM, given()), sleep(), [told])
    assert outcome.interrupted
    assert outcome.samples == 1300
    assert len(told.claims) == 2
    assert told.closed
    assert signal.getsignal(signal.SIGINT) is before


def test_it_runs_in_a_thread_too():
    outcomes = []
    thread = threading.Thread(
        target=lambda: outcomes.append(run(Held(STREAM, [noise()]), sleep(), []))
    )
    thread.start()
    thread.join()
    assert outcomes[0].claims == 8


def test_a_sink_that_fails_ends_the_run_and_closes_the_others():
    class Full(Told):
        def write(self, claims):
            raise OSError(28, "No space left on device")

    first, second = Full(), Told()
    with pytest.raises(OSError, match="No space"):
        run(Held(STREAM, [noise()]), sleep(), [first, second])
    assert not second.claims
    assert first.closed
    assert second.closed
