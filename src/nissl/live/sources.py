"""Where chunks come from: a file that is replayed, or what is held in memory.

`nissl.live.lsl` has the third: a stream on the network.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.live.contract import Samples, StreamInfo

CHUNK_S = 0.1


@dataclass(frozen=True, eq=False)
class Chunk:
    """Samples that arrived together.

    Parameters
    ----------
    samples : ndarray, shape (n, n_channels), float32, uV
    first_sample : int
        Number of the first, by arrival.
    lost_s : float, optional
        Seconds that are missing before it: it begins a new segment. None where it goes on.
    arrived_s : float, optional
        Time of `time.monotonic` from which its last sample was there to be had. None where the
        source does not say.
    """

    samples: Samples
    first_sample: int
    lost_s: float | None = None
    arrived_s: float | None = None


class Source(Protocol):
    """A stream that chunks are taken from."""

    @property
    def info(self) -> StreamInfo:
        """What is known before the first sample."""

    def chunks(self) -> Iterator[Chunk]:
        """Chunks until the stream ends, numbered from 0; an empty one where nothing came."""

    def close(self) -> None:
        """Let go of it."""


class Replay:
    """A recording as a stream.

    Parameters
    ----------
    signal : Signal
    speed : float
        1 is real time, 10 ten times as fast; infinity does not wait.
    chunk_s : float
        Length of a chunk, seconds of the recording.
    wait, now : callable
        `time.sleep` and `time.monotonic`.
    """

    def __init__(
        self,
        signal: Signal,
        *,
        speed: float = math.inf,
        chunk_s: float = CHUNK_S,
        wait: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if not speed > 0 or not chunk_s > 0:
            raise BadArgumentError(
                "a speed and a length of chunks above 0",
                f"speed {speed}, {chunk_s} s",
                "--speed 10 replays ten times as fast; --speed inf does not wait.",
            )
        self.signal, self.speed = signal, speed
        self.info = StreamInfo.of(signal)
        self._size = max(1, round(chunk_s * signal.rate_hz))
        self._wait, self._now = wait, now

    def chunks(self) -> Iterator[Chunk]:
        """Chunks; between segments the time that is missing is told, not waited for."""
        begun, rate = self._now(), self.signal.rate_hz
        before = None
        for segment in self.signal.clock.segments:
            lost = None if before is None else segment.t0_s - before
            before = segment.end_s
            for a in range(segment.start, segment.stop, self._size):
                b = min(a + self._size, segment.stop)
                samples = self.signal.read(a, b)
                due = begun + b / rate / self.speed
                late = due - self._now()
                if late > 0:
                    self._wait(late)
                yield Chunk(samples, a, lost, due if math.isfinite(self.speed) else self._now())
                lost = None

    def close(self) -> None:
        """Nothing is held."""


class Held:
    """Chunks in memory.

    Parameters
    ----------
    info : StreamInfo
    given : iterable of ndarray or Chunk
        Arrays are numbered one after the other.
    """

    def __init__(self, info: StreamInfo, given: Iterable[Samples | Chunk]) -> None:
        self.info = info
        self._given = given

    def chunks(self) -> Iterator[Chunk]:
        """The chunks, as given."""
        position = 0
        for each in self._given:
            chunk = each if isinstance(each, Chunk) else Chunk(np.asarray(each), position)
            yield chunk
            position = chunk.first_sample + len(chunk.samples)

    def close(self) -> None:
        """Nothing is held."""


__all__ = ["CHUNK_S", "Chunk", "Held", "Replay", "Source"]
