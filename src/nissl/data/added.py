"""Signals derived lazily from another: waveforms added to it, or a part of its time.

Nothing of the original is touched or copied: samples are read from it and changed on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock, Segment
from nissl.data.signal import SampleReader, Signal
from nissl.errors import BadArgumentError, CorruptSourceError

_ARRAYS = ("shapes", "columns", "onset", "shape", "factor", "low", "high")


@dataclass(frozen=True, eq=False)
class Additions:
    """Waveforms to add to a recording, in its stored steps.

    Parameters
    ----------
    shapes : ndarray, shape (n_shapes, n_samples, n_local), float32, stored steps
        uV over the gain of each channel, on the channels that a waveform reaches.
    columns : ndarray, shape (n_shapes, n_local), int64
        These channels, each once; -1 for those of a shape that reaches fewer than others.
    onset : ndarray, shape (n_events,), int64, increasing
        Sample at which a waveform's first sample goes; may lie before the recording's start.
    shape : ndarray, shape (n_events,), int64
        Row of `shapes`.
    factor : ndarray, shape (n_events,), float32
        What the waveform is multiplied by.
    low, high : ndarray, shape (n_channels,), float64, stored steps
        Range of the converter: samples that already lie at its ends stay there, and sums are
        cut to it. Infinite where it is not known.
    """

    shapes: npt.NDArray[np.float32]
    columns: npt.NDArray[np.int64]
    onset: npt.NDArray[np.int64]
    shape: npt.NDArray[np.int64]
    factor: npt.NDArray[np.float32]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    def write(self, file: BinaryIO) -> None:
        """Write them as ``.npz`` to an open file."""
        np.savez(file, **{name: getattr(self, name) for name in _ARRAYS})

    def sum_in(
        self, start: int, stop: int, channels: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        """What is added to samples [start, stop), shape (stop - start, len(channels)), steps.

        The same, to the last bit, however the recording is cut into intervals.
        """
        wanted, back = np.unique(channels, return_inverse=True)
        place = np.full(len(self.low) + 1, -1)  # one more: the place of column -1
        place[wanted] = np.arange(wanted.size)
        out = np.zeros((stop - start, wanted.size), np.float32)
        width = self.shapes.shape[1]
        first, last = np.searchsorted(self.onset, [start - width + 1, stop])
        for k in range(int(first), int(last)):
            a, row = int(self.onset[k]), int(self.shape[k])
            left, right = max(a, start), min(a + width, stop)
            to = place[self.columns[row]]
            seen = to >= 0
            part = self.shapes[row, left - a : right - a]
            out[left - start : right - start, to[seen]] += part[:, seen] * self.factor[k]
        return np.asarray(out[:, back.reshape(-1)])


@lru_cache(maxsize=2)
def _stored(path: str) -> Additions:
    try:
        with np.load(path, allow_pickle=False) as file:
            return Additions(**{name: file[name] for name in _ARRAYS})
    except (OSError, ValueError, KeyError) as error:
        raise CorruptSourceError(
            f"waveforms to add in {path}",
            f"{type(error).__name__}: {error}",
            "Run the command that made them again.",
        ) from error


@dataclass(frozen=True)
class AddedReader:
    """Samples of another reader with waveforms added.

    Whole numbers are rounded after adding, and stay within the type and the converter's range.

    Parameters
    ----------
    reader : SampleReader
    path : str
        File of `Additions`; never changed once written.
    """

    reader: SampleReader
    path: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self.reader.dtype

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        samples = self.reader.read(start, stop, channels)
        made = _stored(self.path)
        extra = made.sum_in(start, stop, channels)
        touched = np.flatnonzero(extra.any(axis=1))
        if not touched.size:
            return samples
        out = np.array(samples)
        raw = samples[touched].astype(np.float64)
        low, high = made.low[channels], made.high[channels]
        stuck = (raw <= low) | (raw >= high)
        total = np.clip(raw + extra[touched], low, high)
        if np.issubdtype(self.dtype, np.integer):
            limits = np.iinfo(self.dtype)
            total = np.clip(np.rint(total), limits.min, limits.max)
        out[touched] = np.where(stuck, raw, total).astype(self.dtype)
        return out

    def to_json(self) -> dict[str, Any] | None:
        """Plain values, or None where the inner reader has none."""
        from nissl.data.sample_readers import reader_to_json

        inner = reader_to_json(self.reader)
        return None if inner is None else {"reader": inner, "path": self.path}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> AddedReader:
        """Inverse of `to_json`."""
        from nissl.data.sample_readers import reader_from_json

        return cls(reader_from_json(value["reader"]), value["path"])


@dataclass(frozen=True)
class PartReader:
    """Samples of another reader from one on.

    Parameters
    ----------
    reader : SampleReader
    start : int
        Sample of `reader` that is sample 0 here.
    """

    reader: SampleReader
    start: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self.reader.dtype

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        return self.reader.read(start + self.start, stop + self.start, channels)

    def to_json(self) -> dict[str, Any] | None:
        """Plain values, or None where the inner reader has none."""
        from nissl.data.sample_readers import reader_to_json

        inner = reader_to_json(self.reader)
        return None if inner is None else {"reader": inner, "start": self.start}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PartReader:
        """Inverse of `to_json`."""
        from nissl.data.sample_readers import reader_from_json

        return cls(reader_from_json(value["reader"]), int(value["start"]))


def part_of(signal: Signal, start: int, stop: int) -> Signal:
    """Signal of samples [start, stop); its gaps stay where they are.

    Raises
    ------
    BadArgumentError
        Not an interval of the signal with a sample in it.
    """
    if not 0 <= start < stop <= signal.n_samples:
        raise BadArgumentError(
            f"0 <= start < stop <= {signal.n_samples} samples",
            f"[{start}, {stop})",
            "Ask for an interval within the recording.",
        )
    segments = tuple(_cut(signal.clock.segments, start, stop))
    return replace(signal, reader=PartReader(signal.reader, start), clock=Clock(segments))


def _cut(segments: Sequence[Segment], start: int, stop: int) -> list[Segment]:
    kept = []
    for each in segments:
        a, b = max(each.start, start), min(each.stop, stop)
        if a < b:
            t0_s = each.t0_s + (a - each.start) / each.rate_hz
            kept.append(Segment(a - start, b - start, t0_s, each.rate_hz))
    return kept
