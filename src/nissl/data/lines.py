"""Line: the edges of a digital line, as a device recorded them.

Conventions: a rising edge is the first sample at the high level, a falling edge the first at
the low level again. An edge is only seen within a segment; a level that differs on both sides
of a gap gives none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.signal import SampleReader

BLOCK_SAMPLES = 1 << 20


@dataclass(frozen=True, eq=False)
class Line:
    """Edges of one digital input (TTL, sync square wave, camera frame clock, barcode).

    Parameters
    ----------
    name : str
        Name of the line within its recording.
    rising, falling : ndarray, shape (n,), int64
        Samples of the edges, increasing, on `clock`.
    clock : Clock
        Clock of the device that sampled the line.
    """

    name: str
    rising: npt.NDArray[np.int64]
    falling: npt.NDArray[np.int64]
    clock: Clock

    def __post_init__(self) -> None:
        for name in ("rising", "falling"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))

    @property
    def rising_s(self) -> npt.NDArray[np.float64]:
        """Times of the rising edges, seconds of the device's clock."""
        return self.clock.to_seconds(self.rising)

    @property
    def falling_s(self) -> npt.NDArray[np.float64]:
        """Times of the falling edges, seconds of the device's clock."""
        return self.clock.to_seconds(self.falling)

    @property
    def bytes_to_read(self) -> int:
        """Bytes that must still be read to know the edges; 0 where they are known."""
        return 0


@dataclass(frozen=True, eq=False)
class WordScan:
    """Edges of the bits of a stream of digital words, found when first asked for.

    Parameters
    ----------
    reader : SampleReader
        Its first channel are the words (int16 or uint16) or a 0/1 line.
    clock : Clock
    frame_bytes : int
        Bytes that are read per sample.
    """

    reader: SampleReader
    clock: Clock
    frame_bytes: int = 2

    @cached_property
    def edges(self) -> dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Rising and falling samples of each of 16 bits, from one pass over the file."""
        rising: list[list[npt.NDArray[np.int64]]] = [[] for _ in range(16)]
        falling: list[list[npt.NDArray[np.int64]]] = [[] for _ in range(16)]
        for segment in self.clock.segments:
            before: npt.NDArray[np.uint16] | None = None
            for a in range(segment.start, segment.stop, BLOCK_SAMPLES):
                b = min(a + BLOCK_SAMPLES, segment.stop)
                words = self.reader.read(a, b, np.zeros(1, np.intp))[:, 0].astype(np.uint16)
                first = words[:1] if before is None else before
                previous = np.concatenate([first, words[:-1]])
                changed = np.flatnonzero(previous != words)
                flips = previous[changed] ^ words[changed]
                for bit in range(16):
                    mask = np.uint16(1 << bit)
                    hit = changed[(flips & mask) != 0]
                    up = (words[hit] & mask) != 0
                    rising[bit].append(hit[up] + a)
                    falling[bit].append(hit[~up] + a)
                before = words[-1:]
        none = [np.zeros(0, np.int64)]
        return {
            bit: (np.concatenate(none + rising[bit]), np.concatenate(none + falling[bit]))
            for bit in range(16)
        }


@dataclass(frozen=True, eq=False, init=False)
class ScannedLine(Line):
    """A line whose edges are looked for when first asked for.

    A sync channel is interleaved with hundreds of others, so that its edges cost a pass over
    the whole file; opening a recording must not. `bytes_to_read` says how much.

    Parameters
    ----------
    name : str
    scan : WordScan
        Shared by the lines of one word, so that the pass is made once.
    bit : int
    """

    def __init__(self, name: str, scan: WordScan, bit: int) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "clock", scan.clock)
        object.__setattr__(self, "_scan", scan)
        object.__setattr__(self, "_bit", bit)

    def __getattr__(self, attribute: str) -> Any:
        if attribute not in ("rising", "falling") or "_scan" not in vars(self):
            raise AttributeError(attribute)
        edges = vars(self)["_scan"].edges[vars(self)["_bit"]]
        for name, samples in zip(("rising", "falling"), edges, strict=True):
            object.__setattr__(self, name, _frozen(samples))
        return vars(self)[attribute]

    @property
    def bytes_to_read(self) -> int:
        """Bytes that must still be read to know the edges; 0 where they are known."""
        scan: WordScan = vars(self)["_scan"]
        return 0 if "edges" in vars(scan) else scan.clock.n_samples * scan.frame_bytes

    def __repr__(self) -> str:
        return f"ScannedLine({self.name!r}, {self.bytes_to_read} bytes to read)"


def _frozen(samples: npt.ArrayLike) -> npt.NDArray[np.int64]:
    edges = np.array(samples, dtype=np.int64)
    edges.setflags(write=False)
    return edges
