"""Real sockets on loopback: our own format and Open Ephys', in and out."""

import json
import socket
import threading
import time

import numpy as np
import pytest
from tests.live.crossings import Crossings

from nissl.errors import BadArgumentError, BadMetadataError, SourceNotFoundError
from nissl.live import StreamInfo, run
from nissl.live.contract import Claim
from nissl.live.sinks import Callback
from nissl.live.wire import ended, packed
from nissl.live.zeromq import ZmqSink, ZmqSource, orders, socket_of

zmq = pytest.importorskip("zmq")
RATE, NAMES = 1000.0, ["a", "b", "c"]


def noise(n=500):
    return np.random.default_rng(0).integers(-900, 900, (n, 3)).astype(np.int16)


def open_ephys(x, first, number):
    """Messages of a buffer, one per channel, as the plugin sends them."""
    for channel in range(x.shape[1]):
        content = {
            "stream": "acquisition",
            "channel_num": channel,
            "num_samples": len(x),
            "sample_num": first,
            "sample_rate": RATE,
        }
        header = {"message_num": number, "type": "data", "content": content}
        data = np.ascontiguousarray(x[:, channel], "<f4").tobytes()
        yield [b"DATA\0", json.dumps(header).encode(), data]


class Sender(threading.Thread):
    """Sends messages to the first who subscribes, on a port of its own."""

    def __init__(self, messages, pause_s=0.0):
        super().__init__(daemon=True)
        self.socket = zmq.Context.instance().socket(zmq.XPUB)
        self.socket.sndhwm = 0
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.messages, self.pause_s = list(messages), pause_s
        self.start()

    def run(self):
        if self.socket.poll(5000):
            for message in self.messages:
                self.socket.send_multipart(message)
                if self.pause_s:
                    time.sleep(self.pause_s)
        self.socket.close(linger=1000)


def got(source):
    chunks = [c for c in source.chunks() if len(c.samples)]
    source.close()
    return chunks


def own(x, size, gain=0.5):
    for a in range(0, len(x), size):
        yield packed(x[a : a + size], 70 + a, rate_hz=RATE, channels=NAMES, gain_uv=gain)


@pytest.mark.parametrize(("size", "dtype"), [(1, np.int16), (37, np.int16), (500, np.float32)])
def test_samples_come_as_they_were_sent_whatever_the_messages(size, dtype):
    x = noise().astype(dtype)
    source = ZmqSource(Sender([*own(x, size), ended()]).address, wait_s=5)
    assert source.info.channels.ids == tuple(NAMES)
    chunks = got(source)
    assert np.array_equal(np.concatenate([c.samples for c in chunks]), x.astype(np.float32) / 2)
    assert all(c.lost_s is None and c.arrived_s <= time.monotonic() for c in chunks)


def test_lost_messages_are_gaps():
    messages = [m for k, m in enumerate(own(noise(), 20)) if k not in (4, 5)]
    chunks = got(ZmqSource(Sender([*messages, ended()]).address, wait_s=5))
    assert [(c.first_sample, c.lost_s) for c in chunks if c.lost_s is not None] == [
        (80, pytest.approx(0.04))
    ]
    assert sum(len(c.samples) for c in chunks) == 460


@pytest.mark.parametrize("size", [16, 125])
def test_buffers_of_open_ephys(size):
    x = noise(1000).astype(np.float32)
    messages = [m for a in range(0, len(x), size) for m in open_ephys(x[a : a + size], 4000 + a, a)]
    event = [b"EVENT\0", b"{}", b""]
    address = Sender([event, *messages]).address
    source = ZmqSource(address, open_ephys=True, wait_s=5, idle_s=0.3)
    assert (source.info.rate_hz, source.info.n_channels) == (RATE, 3)
    assert np.array_equal(np.concatenate([c.samples for c in got(source)]), x)


def test_a_channel_that_is_lost_takes_its_buffer_along():
    x = noise(1000).astype(np.float32)
    messages = [m for a in range(0, 1000, 50) for m in open_ephys(x[a : a + 50], a, a)]
    del messages[31]
    chunks = got(ZmqSource(Sender(messages[1:]).address, open_ephys=True, wait_s=5, idle_s=0.3))
    together = np.concatenate([c.samples for c in chunks])
    assert np.array_equal(together, np.concatenate([x[50:500], x[550:]]))
    assert [c.lost_s for c in chunks if c.lost_s is not None] == [pytest.approx(0.05)]


def test_open_ephys_is_told_that_somebody_listens():
    x = noise(200).astype(np.float32)
    messages = [m for a in range(0, 200, 20) for m in open_ephys(x[a : a + 20], a, a)]
    sender = Sender(messages)
    ear = socket_of("REP", f"tcp://127.0.0.1:{sender.port + 1}", bind=True)
    source = ZmqSource(sender.address, open_ephys=True, wait_s=5, idle_s=0.2)
    got(source)
    assert ear.poll(1000)
    assert json.loads(ear.recv())["type"] == "heartbeat"
    ear.close()


def test_nobody_there_or_another_format_is_told():
    with pytest.raises(SourceNotFoundError, match="none"):
        ZmqSource("tcp://127.0.0.1:9", wait_s=0.2)
    with pytest.raises(BadMetadataError, match="zmq: or openephys:"):
        ZmqSource(Sender([[b"nissl", b"{", b""]]).address, wait_s=5)
    with pytest.raises(BadArgumentError, match="address"):
        ZmqSource("nowhere")
    changed = packed(noise(9), 600, rate_hz=2 * RATE, channels=NAMES)
    source = ZmqSource(Sender([*own(noise(), 100), changed]).address, wait_s=5)
    with pytest.raises(BadMetadataError, match="changed"):
        got(source)


def test_a_stream_that_stalls_ends_after_a_while():
    source = ZmqSource(Sender(own(noise(), 100)).address, wait_s=5, idle_s=0.3)
    begun = time.monotonic()
    assert sum(len(c.samples) for c in got(source)) == 500
    assert 0.25 < time.monotonic() - begun < 3


def test_a_run_over_a_socket_claims_what_the_samples_hold():
    x = np.zeros((500, 3), np.int16)
    x[[50, 200, 420], 1] = -400
    source = ZmqSource(Sender([*own(x, 33), ended()]).address, wait_s=5)
    claims = []
    run(source, Crossings(StreamInfo.plain(NAMES, RATE), -100), [Callback(claims.extend)])
    assert [(c.start, c.unit, c.amplitude) for c in claims] == [
        (50, 1, -200), (200, 1, -200), (420, 1, -200)
    ]  # fmt: skip


def test_claims_are_published():
    sink = ZmqSink("tcp://127.0.0.1:*")
    address = sink._socket.last_endpoint.decode()
    ear = socket_of("SUB", address)
    ear.subscribe(b"")
    claim = Claim(3, 4, "spike", 9, unit=7)
    for _ in range(100):
        sink.write([claim])
        if ear.poll(50):
            break
    assert ear.recv_multipart()[0] == b"spike"
    sink.gap(5, 0.5)
    while (parts := ear.recv_multipart())[0] == b"spike":
        assert Claim.from_json(json.loads(parts[1])).unit == 7
    assert json.loads(parts[1]) == {"sample": 5, "lost_s": 0.5}
    sink.close()
    ear.close()


def test_orders_are_taken():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    take = orders(address)
    assert take() == []
    push = socket_of("PUSH", address)
    push.send(b"kill\n", copy=True)
    until = time.monotonic() + 3
    texts = []
    while not texts and time.monotonic() < until:
        texts = take()
    push.close()
    assert texts == ["kill"]
