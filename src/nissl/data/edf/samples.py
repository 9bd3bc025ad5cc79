"""Samples of some signals of an EDF or BDF file, by positioned reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.files import BLOCK_BYTES, read_into, read_rows

_SPARSE = 4
"""Records are read in part where that saves this many times the bytes."""


@dataclass(frozen=True)
class EdfReader:
    """Signals of one rate, record by record.

    Parameters
    ----------
    path : str
    offset : int
        Bytes before the first data record.
    record_bytes : int
        Bytes of a data record.
    sample_bytes : {2, 3}
    n_per_record : int
        Samples of each of these signals in a data record.
    places : tuple of int
        Bytes before each signal in a data record.
    """

    path: str
    offset: int
    record_bytes: int
    sample_bytes: int
    n_per_record: int
    places: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples; 24 bits are widened to 32."""
        return np.dtype(np.int16 if self.sample_bytes == 2 else np.int32)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        out = np.empty((stop - start, len(channels)), dtype=self.dtype)
        if not out.size:
            return out
        places = np.asarray(self.places)[np.asarray(channels, dtype=np.intp)]
        n, low = self.n_per_record, int(places.min())
        high = int(places.max()) + n * self.sample_bytes
        first, last = start // n, -(-stop // n)
        if self.record_bytes > BLOCK_BYTES:
            for record in range(first, last):
                x, y = max(start, record * n), min(stop, (record + 1) * n)
                for column, place in enumerate(places.tolist()):
                    out[x - start : y - start, column] = self._piece(
                        record, place, x - record * n, y - x
                    )
            return out
        if (high - low) * _SPARSE >= self.record_bytes:
            low, high = 0, self.record_bytes
        step = max(1, BLOCK_BYTES // (high - low))
        for a in range(first, last, step):
            b = min(a + step, last)
            x, y = max(start, a * n), min(stop, b * n)
            records = self._records(a, b, low, high)
            for column, place in enumerate((places - low).tolist()):
                part = np.ascontiguousarray(records[:, place : place + n * self.sample_bytes])
                out[x - start : y - start, column] = self._decoded(part)[x - a * n : y - a * n]
        return out

    def _records(self, first: int, last: int, low: int, high: int) -> npt.NDArray[np.uint8]:
        """Bytes [low, high) of data records, shape (n_records, high - low)."""
        n = last - first
        out = np.empty((n, high - low), dtype=np.uint8)
        whole = high - low == self.record_bytes
        rows = out.reshape(1, -1) if whole else out
        read_rows(self.path, self.offset + first * self.record_bytes + low, self.record_bytes, rows)
        return out

    def _piece(self, record: int, place: int, first: int, n: int) -> npt.NDArray[Any]:
        """`n` samples of one signal within one data record."""
        raw = np.empty(n * self.sample_bytes, dtype=np.uint8)
        at = record * self.record_bytes + place + first * self.sample_bytes
        read_into(self.path, self.offset + at, raw)
        return self._decoded(raw)

    def _decoded(self, raw: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Little-endian whole numbers of bytes, flat."""
        if self.sample_bytes == 2:
            return raw.reshape(-1).view("<i2")
        wide = np.zeros((raw.size // 3, 4), dtype=np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        return wide.reshape(-1).view("<i4") >> 8

    def to_json(self) -> dict[str, Any]:
        """Plain values; the path is absolute."""
        return {
            **vars(self),
            "path": str(Path(self.path).absolute()),
            "places": list(self.places),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EdfReader:
        """Inverse of `to_json`."""
        return cls(**{**value, "places": tuple(value["places"])})
