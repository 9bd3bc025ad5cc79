"""Movie: frames of one camera or one scanned field of view, read lazily.

Arrays are ``(t, z, y, x)``; a movie of one plane has ``z = 1``. Frames count on a clock of their
own; dropped frames are gaps of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadMetadataError

Rows = tuple[int, int]


@runtime_checkable
class FrameReader(Protocol):
    """Where a Movie's frames come from.

    Implementers: must be picklable and cheap to pickle (paths, not pixels), since it travels to
    worker processes; `read` touches only what it needs.
    """

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored pixels."""

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Stored pixels of frames [start, stop), rows [y0, y1), shape (t, z, y1 - y0, x).

        Both intervals lie within the movie, and the frames within one segment.
        """


@dataclass(frozen=True)
class FramesInMemory:
    """Frames held in memory, shape (t, z, y, x)."""

    array: npt.NDArray[Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return self.array.dtype

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1)."""
        return np.asarray(self.array[start:stop, :, slice(*rows)])


@dataclass(frozen=True)
class PlaneReader:
    """One plane of another reader.

    Parameters
    ----------
    reader : FrameReader
    z : int
    """

    reader: FrameReader
    z: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored pixels."""
        return self.reader.dtype

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1), shape (t, 1, y, x)."""
        return self.reader.read(start, stop, rows)[:, self.z : self.z + 1]


@dataclass(frozen=True, eq=False)
class Movie:
    """Frames on one clock: a scanned plane, a volume scanned again and again, a camera.

    Parameters
    ----------
    name : str
        Name within its recording ("movie", "green").
    reader : FrameReader
        Where the pixels come from.
    shape : tuple of int
        ``(z, y, x)`` of one frame.
    clock : Clock
        Frames to seconds, with the gaps.
    spacing_um : tuple of float, optional
        Size of a voxel along z, y and x in micrometres; None where nothing says.
    metadata : mapping
        Further facts of the header, JSON values, without personal identifiers.
    """

    name: str
    reader: FrameReader
    shape: tuple[int, int, int]
    clock: Clock
    spacing_um: tuple[float, float, float] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or any(n < 1 for n in self.shape):
            raise BadMetadataError(
                "frames of shape (z, y, x), each at least 1",
                f"{self.shape}",
                "Check the header; a plane is (1, y, x).",
            )

    @classmethod
    def from_array(
        cls,
        frames: npt.NDArray[Any],
        rate_hz: float,
        *,
        name: str = "movie",
        spacing_um: tuple[float, float, float] | None = None,
        clock: Clock | None = None,
    ) -> Movie:
        """Movie of frames in memory, shape (t, y, x) or (t, z, y, x)."""
        if frames.ndim not in (3, 4):
            raise BadMetadataError(
                "frames of shape (t, y, x) or (t, z, y, x)",
                f"shape {frames.shape}",
                "Reshape the array; a single frame is (1, y, x).",
            )
        volume = frames[:, None] if frames.ndim == 3 else frames
        regular = Clock.regular(rate_hz, volume.shape[0]) if clock is None else clock
        n_planes, height, width = volume.shape[1:]
        shape = (int(n_planes), int(height), int(width))
        return cls(name, FramesInMemory(volume), shape, regular, spacing_um)

    @property
    def rate_hz(self) -> float:
        """Frames (volumes, where there are several planes) per second."""
        return self.clock.rate_hz

    @property
    def n_frames(self) -> int:
        """Frames over all segments."""
        return self.clock.n_samples

    @property
    def n_planes(self) -> int:
        """Planes of a frame."""
        return self.shape[0]

    @property
    def n_pixels(self) -> int:
        """Voxels of a frame."""
        return int(np.prod(self.shape))

    @property
    def duration_s(self) -> float:
        """Recorded time without the gaps, in seconds."""
        return self.clock.duration_s

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored pixels."""
        return self.reader.dtype

    def read(
        self, start: int = 0, stop: int | None = None, *, rows: Rows | None = None
    ) -> npt.NDArray[Any]:
        """Read frames.

        Parameters
        ----------
        start, stop : int
            Half-open interval of frames within one segment; `stop` None is the end.
        rows : tuple of int, optional
            Half-open interval of image rows; all by default.

        Returns
        -------
        ndarray, shape (stop - start, z, n_rows, x), `dtype`

        Raises
        ------
        BadArgumentError
            An interval outside the movie.
        GapError
            Frames on both sides of a gap.
        """
        stop = self.n_frames if stop is None else int(stop)
        start = int(start)
        if not 0 <= start <= stop <= self.n_frames:
            raise BadArgumentError(
                f"0 <= start <= stop <= {self.n_frames} frames",
                f"[{start}, {stop})",
                "Ask for an interval within the movie.",
            )
        height = self.shape[1]
        low, high = (0, height) if rows is None else rows
        if not 0 <= low <= high <= height:
            raise BadArgumentError(
                f"0 <= y0 <= y1 <= {height} rows", f"[{low}, {high})", "Ask for rows of the image."
            )
        self.clock.check_contiguous(start, stop)
        return self.reader.read(start, stop, (low, high))

    def frames(
        self, start: int = 0, stop: int | None = None, *, rows: Rows | None = None
    ) -> npt.NDArray[Any]:
        """Frames of a movie of one plane, shape (stop - start, n_rows, x); see `read`."""
        if self.n_planes != 1:
            raise BadArgumentError(
                "a movie of one plane",
                f"{self.n_planes} planes",
                "Choose one with `plane`, or read the volumes with `read`.",
            )
        return self.read(start, stop, rows=rows)[:, 0]

    def blocks(self, n_frames: int) -> Iterator[tuple[int, int]]:
        """Half-open intervals of at most `n_frames` that cross no gap."""
        for segment in self.clock.segments:
            for a in range(segment.start, segment.stop, n_frames):
                yield a, min(a + n_frames, segment.stop)

    def plane(self, z: int) -> Movie:
        """Return the movie of one plane, still lazy."""
        if not 0 <= z < self.n_planes:
            raise BadArgumentError(
                f"a plane from 0 to {self.n_planes - 1}", f"{z}", "Planes count from 0."
            )
        if self.n_planes == 1:
            return self
        return replace(self, reader=PlaneReader(self.reader, z), shape=(1, *self.shape[1:]))

    def __repr__(self) -> str:
        z, y, x = self.shape
        gaps = len(self.clock.segments) - 1
        planes = f"{z} planes of " if z > 1 else ""
        return (
            f"Movie({self.name!r}: {self.n_frames} frames of {planes}{y} x {x} pixels "
            f"at {self.rate_hz:g} Hz, {self.dtype}{f', {gaps} gaps' if gaps else ''})"
        )
