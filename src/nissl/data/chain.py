"""Signals that continue each other in several files, as one signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.signal import SampleReader, Signal
from nissl.errors import BadMetadataError


@dataclass(frozen=True)
class ChainReader:
    """Readers whose samples follow each other.

    Parameters
    ----------
    readers : tuple of SampleReader
        Of one dtype and one number of channels.
    lengths : tuple of int
        Samples of each.
    """

    readers: tuple[SampleReader, ...]
    lengths: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self.readers[0].dtype

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        out = np.empty((stop - start, len(channels)), dtype=self.dtype)
        first = 0
        for reader, length in zip(self.readers, self.lengths, strict=True):
            a, b = max(start, first), min(stop, first + length)
            if a < b:
                out[a - start : b - start] = reader.read(a - first, b - first, channels)
            first += length
        return out

    def to_json(self) -> dict[str, Any] | None:
        """Plain values, or None where a reader has none."""
        from nissl.data.sample_readers import reader_to_json

        described = [reader_to_json(reader) for reader in self.readers]
        if any(value is None for value in described):
            return None
        return {"readers": described, "lengths": list(self.lengths)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ChainReader:
        """Inverse of `to_json`."""
        from nissl.data.sample_readers import reader_from_json

        readers = tuple(reader_from_json(each) for each in value["readers"])
        return cls(readers, tuple(value["lengths"]))


def chain(signals: Sequence[Signal], starts_s: Sequence[float]) -> Signal:
    """Join signals of one stream; where one does not start as the one before ends is a gap.

    Parameters
    ----------
    signals : sequence of Signal
        Each of one segment, with the same channels and rate.
    starts_s : sequence of float
        Start of each, seconds of the device's clock.

    Raises
    ------
    BadMetadataError
        Channels, rates or dtypes differ; times overlap.
    """
    first = signals[0]
    facts = first.channels.to_json()
    for other in signals[1:]:
        same = other.rate_hz == first.rate_hz and other.dtype == first.dtype
        if not same or other.channels.to_json() != facts:
            raise BadMetadataError(
                f"the channels and rate of {first!r} in every file",
                repr(other),
                "Read the files one by one.",
            )
    lengths: list[int] = []
    begins: list[float] = []
    for signal, start_s in zip(signals, starts_s, strict=True):
        end_s = begins[-1] + lengths[-1] / first.rate_hz if begins else -np.inf
        if abs(start_s - end_s) < 0.5 / first.rate_hz:
            lengths[-1] += signal.n_samples
        else:
            lengths.append(signal.n_samples)
            begins.append(start_s)
    readers = tuple(signal.reader for signal in signals)
    reader = ChainReader(readers, tuple(signal.n_samples for signal in signals))
    clock = Clock.from_segments(first.rate_hz, lengths, begins)
    return replace(first, reader=reader, clock=clock)
