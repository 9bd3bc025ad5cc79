"""Triggers: who fires, how often, and that a kill is a kill."""

import os
import select
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.crossings import Crossings

from nissl.data import Signal
from nissl.errors import BadArgumentError, SourceNotFoundError
from nissl.live import StreamInfo, run
from nissl.live.contract import Claim
from nissl.live.latency import matched, measured, played
from nissl.live.sources import Chunk, Replay
from nissl.live.triggers import (
    Chosen,
    Fired,
    KillSwitch,
    Limits,
    SerialOutput,
    TriggerLog,
    TriggerSink,
    ZmqOutput,
    read_log,
)
from nissl.live.zeromq import socket_of

RATE = 1000.0


class Remembered:
    """An output that remembers."""

    def __init__(self):
        self.sent, self.closed = [], False

    def send(self, claim):
        self.sent.append(claim)

    def close(self):
        self.closed = True


class Time:
    """A clock that is set."""

    s = 0.0

    def __call__(self):
        return self.s


def spike(at, unit=0, confidence=0.9):
    return Claim(at, at + 1, "spike", at + 1, confidence=confidence, unit=unit)


def test_only_what_was_chosen_fires():
    output = Remembered()
    sink = TriggerSink(output, Chosen(frozenset({"spike"}), frozenset({3}), 0.8))
    unsure = Claim(5, 6, "spike", 6, unit=3)
    sink.write([spike(1, 2), spike(2, 3), spike(3, 3, 0.5), unsure, Claim(4, 5, "burst", 5)])
    assert [c.start for c in output.sent] == [2]
    assert sink.held_back == 0


@given(
    steps=st.lists(st.floats(0, 0.4), max_size=80),
    refractory_s=st.floats(0, 2),
    rate=st.integers(1, 5),
)
def test_the_log_never_violates_the_limits(steps, refractory_s, rate):
    clock, log = Time(), []
    limits = Limits(refractory_s, rate)
    sink = TriggerSink(Remembered(), limits=limits, log=log.append, now=clock)
    for k, step in enumerate(steps):
        clock.s += step
        sink.write([spike(k), spike(k)])
    at = np.array([each.emitted_s for each in log])
    assert np.all(np.diff(at) >= refractory_s)
    assert all(np.sum((at <= t) & (t - at < 1.0)) <= rate for t in at)
    assert len(log) + sink.held_back == 2 * len(steps)
    assert not steps or len(log) >= 1


@given(st.lists(st.sampled_from(["kill", "arm", "spike", "other", "file", "gone"]), max_size=40))
def test_nothing_is_sent_between_a_kill_and_an_arm(orders):
    class File:
        there = False

        def lstat(self):
            if not self.there:
                raise FileNotFoundError

    file, texts, output = File(), [], Remembered()

    def control():
        taken = list(texts)
        texts.clear()
        return taken

    sink = TriggerSink(output, switch=KillSwitch(file, control))
    killed, expected = False, 0
    for order in orders:
        if order == "file":
            file.there = True
        elif order == "gone":
            file.there = False
        elif order != "spike":
            texts.append(order)
        killed = file.there or order == "kill" or (killed and order != "arm")
        sink.arrived(Chunk(np.empty((0, 1), np.float32), 0))
        sink.write([spike(1)])
        expected += not killed
        assert len(output.sent) == expected


def test_a_file_kills_and_its_removal_does_not_arm(tmp_path):
    switch = KillSwitch(tmp_path / "stop")
    assert not switch.killed
    (tmp_path / "stop").touch()
    assert switch.killed
    switch.arm()
    assert switch.killed
    (tmp_path / "stop").unlink()
    assert switch.killed
    switch.arm()
    assert not switch.killed
    switch.kill()
    assert switch.killed


def test_a_switch_that_cannot_be_read_counts_as_killed(tmp_path):
    (tmp_path / "file").touch()
    assert KillSwitch(tmp_path / "file" / "stop").killed

    def broken():
        raise OSError("the socket is gone")

    switch = KillSwitch(control=broken)
    with pytest.raises(OSError, match="gone"):
        _ = switch.killed
    switch._control = None
    assert switch.killed


def test_limits_that_mean_nothing_are_refused():
    for limits in ((-1.0, 5), (float("nan"), 5), (0.0, 0)):
        with pytest.raises(BadArgumentError, match="refractory"):
            Limits(*limits)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
def test_a_serial_port_gets_a_byte_per_trigger():
    pytest.importorskip("serial")
    ours, theirs = os.openpty()
    sink = TriggerSink(SerialOutput(os.ttyname(theirs), pulse=b"T"))
    sink.write([spike(1), spike(2)])
    got = b""
    while len(got) < 2 and select.select([ours], [], [], 2)[0]:
        got += os.read(ours, 10)
    assert got == b"TT"
    sink.close()
    os.close(ours)
    os.close(theirs)
    with pytest.raises(SourceNotFoundError, match="serial port"):
        SerialOutput("/nowhere/tty")


def test_a_socket_gets_a_message_per_trigger():
    output = ZmqOutput("tcp://127.0.0.1:*")
    ear = socket_of("SUB", output._socket.last_endpoint.decode())
    ear.subscribe(b"trigger")
    for _ in range(100):
        output.send(spike(8, 4))
        if ear.poll(50):
            break
    assert ear.recv_multipart()[0] == b"trigger"
    output.close()
    ear.close()


def test_the_log_on_disk_is_what_was_sent(tmp_path):
    log, seen = TriggerLog(tmp_path / "a.triggers"), []
    sink = TriggerSink(Remembered(), log=lambda fired: (log(fired), seen.append(fired)))
    sink.arrived(Chunk(np.zeros((50, 1), np.float32), 100, arrived_s=3.0))
    sink.write([spike(120, 2)])
    log.close()
    assert read_log(tmp_path / "a.triggers") == seen
    assert (seen[0].chunk_stop, seen[0].arrived_s, seen[0].unit) == (150, 3.0, 2)


def test_delays_and_errors_follow_from_a_log():
    log = [Fired(k, k + 1, "spike", 0, k + 1, k + 6, 1.0, 1.0 + k / 1000) for k in (10, 20, 40)]
    told = measured(log, [11, 21, 60], rate_hz=RATE, tolerance_s=0.001)
    assert (told.n, told.missed, told.false) == (3, 1, 1)
    assert (told.work_ms_p50, told.work_ms_max) == (pytest.approx(20), pytest.approx(40))
    assert (told.p50_ms, told.max_ms) == (pytest.approx(25), pytest.approx(45))
    empty = measured([], [5], rate_hz=RATE)
    assert np.isnan(empty.p99_ms)
    assert empty.missed == 1
    with pytest.raises(BadArgumentError):
        measured([], [], rate_hz=0)


@given(st.lists(st.integers(0, 60), max_size=7), st.lists(st.integers(0, 60), max_size=7))
def test_pairs_are_as_many_as_can_be(found, events):
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    a, b = np.sort(np.array(found, np.int64)), np.sort(np.array(events, np.int64))
    if not len(a) or not len(b):
        assert matched(a, b, 2) == 0
        return
    near = csr_matrix(np.abs(a[:, None] - b[None]) <= 2)
    assert matched(a, b, 2) == np.sum(maximum_bipartite_matching(near) >= 0)


def spikes(n=600, every=50):
    x = np.zeros((n, 2), np.float32)
    truth = np.arange(25, n, every)
    x[truth, 1] = -200
    return Signal.from_array(x, RATE), truth


def test_a_recording_is_played_in_real_time_and_its_triggers_are_measured():
    signal, truth = spikes()
    begun = time.monotonic()
    method = Crossings(StreamInfo.of(signal), -100)
    told, log = played(signal, method, Remembered(), truth, chunk_s=0.01)
    assert time.monotonic() - begun >= 0.59
    assert (told.n, told.missed, told.false) == (len(truth), 0, 0)
    assert [each.start for each in log] == truth.tolist()
    assert 0 <= told.work_ms_p50 <= told.p50_ms <= told.p99_ms <= told.max_ms
    assert told.p50_ms - told.work_ms_p50 == pytest.approx(4, abs=1e-6)


def test_a_trigger_is_sent_before_the_disk_is_waited_for():
    signal, _ = spikes(200, every=100)
    order = []

    class Slow:
        def write(self, claims):
            order.append("disk")

        def gap(self, first_sample, lost_s):
            pass

        def close(self):
            pass

    trigger = TriggerSink(Remembered(), log=lambda fired: order.append("trigger"))
    run(Replay(signal), Crossings(StreamInfo.of(signal), -100), [Slow(), trigger])
    assert len(order) == 4
    assert order[0::2] == ["trigger"] * 2
    assert order[1::2] == ["disk"] * 2
