"""Streams over ZeroMQ, in and out (extra ``live``): samples come, claims go.

Hintjens 2013, ZeroMQ: Messaging for Many Applications. The formats are in `nissl.live.wire`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nissl.data.channels import ChannelTable
from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    MissingDependencyError,
    SourceNotFoundError,
)
from nissl.live.contract import Claim, StreamInfo
from nissl.live.ordering import Ordered
from nissl.live.sources import Chunk
from nissl.live.wire import TOPIC, Block, OpenEphysBuffers, unpacked

_POLL_S = 0.1
_HEARTBEAT_S = 2.0


def require_zmq() -> Any:
    """Return zmq; `MissingDependencyError` where it is missing."""
    try:
        import zmq
    except ImportError as error:
        raise MissingDependencyError(
            "pyzmq, for sockets of ZeroMQ", str(error), "Install it: pip install 'nissl[live]'"
        ) from None
    return zmq


def socket_of(kind: str, address: str, *, bind: bool = False) -> Any:
    """A socket that lets go of what was not sent when it is closed.

    Parameters
    ----------
    kind : str
        "SUB", "PUB", "PULL", ...
    address : str
        As ZeroMQ writes it: ``tcp://host:port``.
    bind : bool
        Whether others connect to it.

    Raises
    ------
    BadArgumentError
        The address cannot be used.
    """
    zmq = require_zmq()
    made = zmq.Context.instance().socket(getattr(zmq, kind))
    made.linger = 0
    try:
        if bind:
            made.bind(address)
        else:
            made.connect(address)
    except zmq.ZMQError as error:
        made.close()
        raise BadArgumentError(
            "an address of ZeroMQ that is free, tcp://host:port",
            f"{address!r}: {error}",
            "Mend the address, or end the program that uses it.",
        ) from None
    return made


class ZmqSource:
    """A stream of samples from a PUB socket.

    Parameters
    ----------
    address : str
        ``tcp://host:port``
    open_ephys : bool
        Whether Open Ephys' ZMQ Interface sends there; our own format otherwise.
    wait_s : float
        Longest wait for the first samples.
    idle_s : float
        The stream has ended when nothing came for so long.

    Raises
    ------
    SourceNotFoundError
        Nothing came.
    BadMetadataError
        Messages are not of the format.
    """

    def __init__(
        self,
        address: str,
        *,
        open_ephys: bool = False,
        wait_s: float = 10.0,
        idle_s: float = 60.0,
    ) -> None:
        zmq = require_zmq()
        self._socket = socket_of("SUB", address)
        self._socket.rcvhwm = 0
        self._socket.setsockopt(zmq.SUBSCRIBE, b"" if open_ephys else TOPIC)
        self._buffers = OpenEphysBuffers() if open_ephys else None
        self._beat = _Heartbeat(address) if open_ephys else None
        self._idle_s, self._ended = idle_s, False
        try:
            self._early = self._first(address, wait_s)
        except BaseException:
            self.close()
            raise
        block = self._early[0][0]
        self.info = StreamInfo(
            block.name, block.rate_hz, ChannelTable.plain(list(block.channels), kind="ephys")
        )

    def chunks(self) -> Iterator[Chunk]:
        """Chunks in order; an empty one where nothing came for a moment."""
        ordered = Ordered(self.info.rate_hz)
        for block, arrived_s in self._early:
            yield from ordered.push(block.first, self._checked(block).samples, arrived_s)
        last = time.monotonic()
        while not self._ended and time.monotonic() - last < self._idle_s:
            blocks = self._receive(_POLL_S)
            if blocks:
                last = blocks[-1][1]
            elif blocks is None and not self._ended:
                yield from ordered.flush()
                empty = np.empty((0, self.info.n_channels), np.float32)
                yield Chunk(empty, ordered.position, None, time.monotonic())
            for block, arrived_s in blocks or ():
                yield from ordered.push(block.first, self._checked(block).samples, arrived_s)
        if self._buffers is not None:
            for block in self._buffers.finish():
                yield from ordered.push(block.first, self._checked(block).samples, last)
        yield from ordered.flush()

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()
        if self._beat is not None:
            self._beat.close()

    def _first(self, address: str, wait_s: float) -> list[tuple[Block, float]]:
        until = time.monotonic() + wait_s
        while not self._ended and time.monotonic() < until:
            blocks = self._receive(min(_POLL_S, wait_s))
            if blocks:
                return blocks
        raise SourceNotFoundError(
            f"samples from {address} within {wait_s:g} s",
            "the end of the stream" if self._ended else "none",
            "Start the sender, and check the address and the port.",
        )

    def _receive(self, wait_s: float) -> list[tuple[Block, float]] | None:
        """Blocks of the next message, and when it came; None where none came."""
        if self._beat is not None:
            self._beat.tick()
        if not self._socket.poll(round(1000 * wait_s)):
            return None
        parts = self._socket.recv_multipart()
        now = time.monotonic()
        if self._buffers is not None:
            return [(block, now) for block in self._buffers.push(parts)]
        block = unpacked(parts)
        if block is None:
            self._ended = True
            return None
        return [(block, now)]

    def _checked(self, block: Block) -> Block:
        if block.channels != self.info.channels.ids or block.rate_hz != self.info.rate_hz:
            raise BadMetadataError(
                f"{self.info.n_channels} channels at {self.info.rate_hz:g} Hz, as at first",
                f"{len(block.channels)} channels at {block.rate_hz:g} Hz",
                "Start the session anew: the sender was changed.",
            )
        return block


class _Heartbeat:
    """Shows Open Ephys that somebody listens: a message every 2 s to the port after that of data.

    An answer is not waited for.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            raise BadArgumentError(
                "the address of Open Ephys' data port, tcp://host:port", repr(address), "Mend it."
            )
        self._socket = socket_of("DEALER", f"{host}:{int(port) + 1}")
        told = {"application": "nissl", "uuid": str(uuid.uuid4()), "type": "heartbeat"}
        self._text = json.dumps(told).encode()
        self._due = 0.0

    def tick(self) -> None:
        """Send one where it is time."""
        zmq = require_zmq()
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _HEARTBEAT_S
        try:
            while self._socket.poll(0):
                self._socket.recv_multipart(zmq.NOBLOCK)
            self._socket.send_multipart([b"", self._text], zmq.NOBLOCK)
        except zmq.Again:  # nobody listens there
            return

    def close(self) -> None:
        """No more of them."""
        self._socket.close()


class ZmqSink:
    """Claims on a PUB socket: two parts, the label and the claim as JSON; ``gap`` for gaps.

    Parameters
    ----------
    address : str
        Where others connect, ``tcp://*:port``.
    """

    def __init__(self, address: str) -> None:
        self._socket = socket_of("PUB", address, bind=True)

    def write(self, claims: Sequence[Claim]) -> None:
        """Send them; who does not listen gets nothing."""
        for claim in claims:
            self._send(claim.label, claim.to_json())

    def gap(self, first_sample: int, lost_s: float) -> None:
        """Send it."""
        self._send("gap", {"sample": first_sample, "lost_s": lost_s})

    def close(self) -> None:
        """Close the socket when what was sent is out, at most a second later."""
        self._socket.close(linger=1000)

    def _send(self, topic: str, value: Any) -> None:
        self._socket.send_multipart([topic.encode(), json.dumps(value).encode()])


def orders(address: str) -> Callable[[], list[str]]:
    """Texts that were sent to a PULL socket since it was last asked, as a control of triggers.

    Parameters
    ----------
    address : str
        Where others connect, ``tcp://*:port``.
    """
    zmq = require_zmq()
    pull = socket_of("PULL", address, bind=True)

    def take() -> list[str]:
        texts = []
        while True:
            try:
                texts.append(pull.recv(zmq.NOBLOCK).decode(errors="replace").strip())
            except zmq.Again:
                return texts

    return take


__all__ = ["ZmqSink", "ZmqSource", "orders", "require_zmq", "socket_of"]
