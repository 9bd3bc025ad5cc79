"""Triggers: a pulse, or a message, for claims that were chosen; limited, logged, and stoppable.

A trigger is sent only when its unit or label was chosen, the last one is `refractory_s` ago, fewer
than `max_per_s` went out within the last second, and nothing has killed it. All times are those
of sending (`time.monotonic`), not of samples: what is limited is what the device does.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from nissl.errors import BadArgumentError, MissingDependencyError, SourceNotFoundError
from nissl.live.contract import Claim
from nissl.live.sources import Chunk
from nissl.live.zeromq import socket_of

KILL, ARM = "kill", "arm"


@dataclass(frozen=True)
class Fired:
    """One trigger that was sent.

    Parameters
    ----------
    start, stop : int
        Samples of the claim, half-open.
    label : str
    unit : int or None
    known_at : int
        Samples that had arrived when the method knew it.
    chunk_stop : int
        One after the last sample of the chunk with which it was told.
    arrived_s : float
        When that sample was there to be had.
    emitted_s : float
        When the trigger had been handed to its output.
    """

    start: int
    stop: int
    label: str
    unit: int | None
    known_at: int
    chunk_stop: int
    arrived_s: float
    emitted_s: float


@dataclass(frozen=True)
class Chosen:
    """Which claims fire.

    Parameters
    ----------
    labels : frozenset of str, optional
        Any where None.
    units : frozenset of int, optional
        Any where None.
    min_confidence : float
        Claims that are less sure, or say nothing of it, do not fire; 0 lets all of them.
    """

    labels: frozenset[str] | None = None
    units: frozenset[int] | None = None
    min_confidence: float = 0.0

    def fires(self, claim: Claim) -> bool:
        """Whether a claim does."""
        return (
            (self.labels is None or claim.label in self.labels)
            and (self.units is None or claim.unit in self.units)
            and (self.min_confidence <= 0 or claim.confidence >= self.min_confidence)
        )


class Limits:
    """How often a trigger may be sent.

    Parameters
    ----------
    refractory_s : float
        Least time between two.
    max_per_s : float
        Most within any second; infinity does not limit.
    """

    def __init__(self, refractory_s: float = 0.0, max_per_s: float = math.inf) -> None:
        if not (refractory_s >= 0 and math.isfinite(refractory_s) and max_per_s >= 1):
            raise BadArgumentError(
                "a refractory time of 0 s or more, and at least 1 trigger per second",
                f"{refractory_s} s, {max_per_s} per second",
                "Mend --refractory and --max-rate.",
            )
        self.refractory_s, self.max_per_s = refractory_s, max_per_s
        self._sent: deque[float] = deque()

    def allow(self, now_s: float) -> bool:
        """Whether one may be sent now."""
        while self._sent and now_s - self._sent[0] >= max(1.0, self.refractory_s):
            self._sent.popleft()
        if self._sent and now_s - self._sent[-1] < self.refractory_s:
            return False
        return sum(now_s - each < 1.0 for each in self._sent) + 1 <= self.max_per_s

    def sent(self, now_s: float) -> None:
        """Take note of one that was sent."""
        self._sent.append(now_s)


class KillSwitch:
    """Once killed nothing is sent until it is armed again.

    It is killed by `kill`, by a file that appears, or by a text of `control`; a file that is gone
    again does not arm it. Where the file or the control cannot be read it counts as killed.

    Parameters
    ----------
    file : Path, optional
        While it exists `arm` is refused.
    control : callable, optional
        Gives the texts that came since it was last asked: "kill" and "arm"; others are ignored.
    """

    def __init__(
        self, file: Path | None = None, control: Callable[[], Sequence[str]] | None = None
    ) -> None:
        self._file, self._control = file, control
        self._killed = False

    @property
    def killed(self) -> bool:
        """Whether it is; looks at the file and the control."""
        try:
            for text in self._control() if self._control is not None else ():
                if text == KILL:
                    self._killed = True
                elif text == ARM:
                    self.arm()
            if self._there():
                self._killed = True
        except Exception:
            self._killed = True
            raise
        return self._killed

    def kill(self) -> None:
        """Send nothing from now on."""
        self._killed = True

    def arm(self) -> None:
        """Send again, unless the file is there."""
        self._killed = self._there()

    def _there(self) -> bool:
        if self._file is None:
            return False
        try:
            self._file.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True


class Output(Protocol):
    """A device that a trigger goes to."""

    def send(self, claim: Claim) -> None:
        """Send one."""

    def close(self) -> None:
        """Let go of it."""


class SerialOutput:
    """Bytes on a serial port.

    Parameters
    ----------
    port : str
        ``/dev/ttyUSB0``, ``COM3``
    pulse : bytes
        What is written for each trigger.
    baud : int

    Raises
    ------
    SourceNotFoundError
        The port cannot be opened.
    """

    def __init__(self, port: str, *, pulse: bytes = b"\x01", baud: int = 115200) -> None:
        serial = require_serial()
        try:
            self._port = serial.Serial(port, baudrate=baud, write_timeout=0.5)
        except (OSError, ValueError) as error:
            raise SourceNotFoundError(
                f"a serial port {port!r}", str(error)[:200], "Connect it, and check its name."
            ) from None
        self._pulse = pulse

    def send(self, claim: Claim) -> None:
        """Write the bytes."""
        del claim
        self._port.write(self._pulse)

    def close(self) -> None:
        """Close the port."""
        self._port.close()


class ZmqOutput:
    """A message on a PUB socket: the text ``trigger`` and the claim as JSON.

    Parameters
    ----------
    address : str
        Where others connect, ``tcp://*:port``.
    """

    def __init__(self, address: str) -> None:
        self._socket = socket_of("PUB", address, bind=True)

    def send(self, claim: Claim) -> None:
        """Send it."""
        self._socket.send_multipart([b"trigger", json.dumps(claim.to_json()).encode()])

    def close(self) -> None:
        """Close the socket when what was sent is out, at most a second later."""
        self._socket.close(linger=1000)


class TriggerSink:
    """Sends a trigger for claims that were chosen.

    Parameters
    ----------
    output : Output
    chosen : Chosen
    limits : Limits
    switch : KillSwitch, optional
        By default one that only its `kill` works.
    log : callable, optional
        Takes each trigger that was sent, after it was.
    now : callable
        `time.monotonic`, or one that goes with the source's.
    """

    def __init__(
        self,
        output: Output,
        chosen: Chosen | None = None,
        limits: Limits | None = None,
        switch: KillSwitch | None = None,
        *,
        log: Callable[[Fired], object] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.switch = KillSwitch() if switch is None else switch
        self.sent = self.held_back = 0
        self.was_killed = False
        self._output, self._log, self._now = output, log, now
        self._chosen = Chosen() if chosen is None else chosen
        self._limits = Limits() if limits is None else limits
        self._chunk_stop, self._arrived_s = 0, math.nan

    def arrived(self, chunk: Chunk) -> None:
        """Take note of when a chunk came, and look at the kill switch."""
        self._chunk_stop = chunk.first_sample + len(chunk.samples)
        self._arrived_s = self._now() if chunk.arrived_s is None else chunk.arrived_s
        self.was_killed = self.switch.killed

    def write(self, claims: Sequence[Claim]) -> None:
        """Send those that were chosen and may be sent; `held_back` counts the chosen others."""
        for claim in claims:
            if not self._chosen.fires(claim):
                continue
            self.was_killed = self.switch.killed
            if self.was_killed or not self._limits.allow(self._now()):
                self.held_back += 1
                continue
            self._send(claim)

    def gap(self, first_sample: int, lost_s: float) -> None:
        """A gap sends nothing."""

    def close(self) -> None:
        """Let go of the output."""
        self._output.close()

    def _send(self, claim: Claim) -> None:
        self._output.send(claim)
        emitted_s = self._now()
        self._limits.sent(emitted_s)
        self.sent += 1
        if self._log is not None:
            self._log(
                Fired(
                    claim.start,
                    claim.stop,
                    claim.label,
                    claim.unit,
                    claim.known_at,
                    self._chunk_stop,
                    self._arrived_s,
                    emitted_s,
                )
            )


class TriggerLog:
    """Triggers as JSON lines in a file, beside those in memory of whoever wants them.

    Parameters
    ----------
    path : Path
        Appended to.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115

    def __call__(self, fired: Fired) -> None:
        """Write a line; the system has it when this returns."""
        self._file.write(json.dumps(asdict(fired)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_log(path: Path) -> list[Fired]:
    """Triggers of a log."""
    return [Fired(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def require_serial() -> Any:
    """Return pyserial; `MissingDependencyError` where it is missing."""
    try:
        import serial
    except ImportError as error:
        raise MissingDependencyError(
            "pyserial, for serial ports", str(error), "Install it: pip install 'nissl[live]'"
        ) from None
    return serial


__all__ = [
    "ARM",
    "KILL",
    "Chosen",
    "Fired",
    "KillSwitch",
    "Limits",
    "Output",
    "SerialOutput",
    "TriggerLog",
    "TriggerSink",
    "ZmqOutput",
    "read_log",
]
