"""Signal: one homogeneous stream of samples, read lazily."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.channels import ChannelTable
from nissl.errors import BadArgumentError, BadMetadataError


@runtime_checkable
class SampleReader(Protocol):
    """Where a Signal's samples come from.

    Implementers: must be picklable and cheap to pickle (paths, not samples), since it travels
    to worker processes; `read` touches only what it needs.
    """

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Stored samples, shape (stop - start, len(channels)), not calibrated.

        The interval lies within the recording and within one segment.
        """


@dataclass(frozen=True)
class ArrayReader:
    """Samples held in memory, shape (n_samples, n_channels)."""

    array: npt.NDArray[Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self.array.dtype

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        return np.asarray(self.array[start:stop][:, channels])


@dataclass(frozen=True, eq=False)
class Signal:
    """A stream of samples on one clock: what electrodes, cameras' sync lines, EEG caps give.

    Parameters
    ----------
    name : str
        Name of the stream within its recording ("ap", "lf", "sync").
    reader : SampleReader
        Where the samples come from.
    channels : ChannelTable
        One row per column of the samples.
    clock : Clock
        Samples to seconds, with the gaps.
    metadata : mapping
        Further facts of the header, JSON values, without personal identifiers.
    """

    name: str
    reader: SampleReader
    channels: ChannelTable
    clock: Clock
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_array(
        cls,
        samples: npt.NDArray[Any],
        rate_hz: float,
        *,
        name: str = "signal",
        channels: ChannelTable | None = None,
        clock: Clock | None = None,
    ) -> Signal:
        """Signal of samples in memory, shape (n_samples, n_channels); uV when floating."""
        if samples.ndim != 2:
            raise BadMetadataError(
                "samples of shape (n_samples, n_channels)",
                f"shape {samples.shape}",
                "Reshape the array; a single channel is (n_samples, 1).",
            )
        table = ChannelTable.plain(samples.shape[1]) if channels is None else channels
        if len(table) != samples.shape[1]:
            raise BadMetadataError(
                f"{len(table)} channels, as in the channel table",
                f"{samples.shape[1]} columns of samples",
                "Give the channel table that belongs to the samples.",
            )
        regular = Clock.regular(rate_hz, samples.shape[0])
        return cls(name, ArrayReader(samples), table, regular if clock is None else clock)

    @property
    def rate_hz(self) -> float:
        """Samples per second."""
        return self.clock.rate_hz

    @property
    def n_samples(self) -> int:
        """Samples per channel, over all segments."""
        return self.clock.n_samples

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def duration_s(self) -> float:
        """Recorded time without the gaps, in seconds."""
        return self.clock.duration_s

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self.reader.dtype

    def read(
        self,
        start: int = 0,
        stop: int | None = None,
        channels: Sequence[int | str] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Read calibrated samples.

        Parameters
        ----------
        start, stop : int
            Half-open interval of samples within one segment; `stop` None is the end.
        channels : sequence of int or str, optional
            Indices or names, in the order wanted; all by default.

        Returns
        -------
        ndarray, shape (stop - start, n_channels), float32, uV

        Raises
        ------
        BadArgumentError
            Interval outside the recording.
        GapError
            Interval that crosses a gap.
        """
        index = self.channels.index(channels)
        out = self._read(start, stop, index).astype(np.float32)
        gain = self.channels.gain_uv[index].astype(np.float32)
        offset = self.channels.offset_uv[index].astype(np.float32)
        if np.any(gain != 1):
            out *= gain
        if np.any(offset != 0):
            out += offset
        return out

    def read_raw(
        self,
        start: int = 0,
        stop: int | None = None,
        channels: Sequence[int | str] | None = None,
    ) -> npt.NDArray[Any]:
        """Read samples as stored, shape (stop - start, n_channels), in `dtype`."""
        return self._read(start, stop, self.channels.index(channels))

    def _read(self, start: int, stop: int | None, index: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        stop = self.n_samples if stop is None else int(stop)
        start = int(start)
        if not 0 <= start <= stop <= self.n_samples:
            raise BadArgumentError(
                f"0 <= start <= stop <= {self.n_samples} samples",
                f"[{start}, {stop})",
                "Ask for an interval within the recording.",
            )
        self.clock.check_contiguous(start, stop)
        return self.reader.read(start, stop, index)

    def blocks(self, n_samples: int) -> Iterator[tuple[int, int]]:
        """Half-open intervals of at most `n_samples` that cross no gap."""
        for segment in self.clock.segments:
            for a in range(segment.start, segment.stop, n_samples):
                yield a, min(a + n_samples, segment.stop)

    def take(self, channels: Sequence[int | str]) -> Signal:
        """Return the signal of some channels, still lazy."""
        index = self.channels.index(channels)
        return replace(
            self,
            reader=ColumnsReader(self.reader, tuple(int(i) for i in index)),
            channels=self.channels.take(channels),
        )

    def __repr__(self) -> str:
        gaps = len(self.clock.segments) - 1
        return (
            f"Signal({self.name!r}: {self.n_channels} channels x {self.duration_s:.1f} s "
            f"at {self.rate_hz:g} Hz, {self.dtype}{f', {gaps} gaps' if gaps else ''})"
        )


@dataclass(frozen=True)
class ColumnsReader:
    """Some columns of another reader.

    Parameters
    ----------
    reader : SampleReader
    columns : tuple of int
        Columns of `reader`, in the order wanted.
    """

    reader: SampleReader
    columns: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self.reader.dtype

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        return self.reader.read(start, stop, np.asarray(self.columns, dtype=np.intp)[channels])

    def to_json(self) -> dict[str, Any] | None:
        """Plain values, or None where the inner reader has none."""
        from nissl.data.sample_readers import reader_to_json

        inner = reader_to_json(self.reader)
        return None if inner is None else {"reader": inner, "columns": list(self.columns)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ColumnsReader:
        """Inverse of `to_json`."""
        from nissl.data.sample_readers import reader_from_json

        return cls(reader_from_json(value["reader"]), tuple(value["columns"]))
