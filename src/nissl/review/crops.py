"""Parts of a movie that are kept in memory: what regions need of every frame.

A region is drawn anew in a moment, and a movie is read in many; so the part of each frame around
the region that is looked at is read in the background while a person looks, and what is asked of
it later costs no reading. The newest wish is read first. Where a part would take too much memory
its frames are averaged in steps.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Movie
from nissl.errors import BadArgumentError

MARGIN_PX = 20
CROP_BYTES = 1 << 26
KEPT_BYTES = 1 << 28
_BLOCK = 256


@dataclass(frozen=True)
class Box:
    """A rectangle of one plane, in pixels; `bottom` and `right` lie outside."""

    plane: int
    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    def holds(self, other: Box) -> bool:
        """Whether all of another box lies inside."""
        return (
            self.plane == other.plane
            and self.top <= other.top
            and self.left <= other.left
            and self.bottom >= other.bottom
            and self.right >= other.right
        )

    def wider(self, margin: int, shape: tuple[int, int, int]) -> Box:
        """The box with a margin, within a field of `shape`."""
        return Box(
            self.plane,
            max(self.top - margin, 0),
            min(self.bottom + margin, shape[1]),
            max(self.left - margin, 0),
            min(self.right + margin, shape[2]),
        )

    def inside(self, pixels: npt.NDArray[np.int64], shape: tuple[int, int, int]) -> Any:
        """Of flat pixels, which lie in the box, and where; those outside the field do not.

        Returns
        -------
        mask : ndarray of bool
        local : ndarray, int64
            Flat C-order places in the box, of those that do.
        """
        known = (pixels >= 0) & (pixels < np.prod(shape))
        z, y, x = np.unravel_index(np.where(known, pixels, 0), shape)
        mask = (
            known
            & (z == self.plane)
            & (y >= self.top)
            & (y < self.bottom)
            & (x >= self.left)
            & (x < self.right)
        )
        local = (y[mask] - self.top) * (self.right - self.left) + x[mask] - self.left
        return mask, local


def box_of(pixels: npt.ArrayLike, shape: tuple[int, int, int]) -> Box:
    """Smallest box around flat pixels, in the plane that holds most of them.

    Raises
    ------
    BadArgumentError
        No pixels, or some outside the field.
    """
    flat = np.asarray(pixels, np.int64)
    size = int(np.prod(shape))
    if flat.size == 0 or flat.min() < 0 or flat.max() >= size:
        raise BadArgumentError(
            f"pixels inside the field of {shape} voxels",
            f"{flat.size} pixels" + (f", {flat.min()} to {flat.max()}" if flat.size else ""),
            "Draw inside the picture.",
        )
    z, y, x = np.unravel_index(flat, shape)
    plane = int(np.bincount(z).argmax())
    y, x = y[z == plane], x[z == plane]
    return Box(plane, int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 1)


class Crop:
    """One box of every frame; grows until `done`.

    Parameters
    ----------
    movie : Movie
    box : Box
    """

    def __init__(self, movie: Movie, box: Box) -> None:
        self.box = box
        self.movie = movie
        n, (height, width) = movie.n_frames, box.shape
        whole = n * height * width * movie.dtype.itemsize
        self.step = 1 if whole <= CROP_BYTES else -(-n * height * width * 4 // CROP_BYTES)
        first = [
            np.arange(segment.start, segment.stop, self.step) for segment in movie.clock.segments
        ]
        self.first = np.concatenate(first)
        """First frame of each sample."""
        dtype = movie.dtype if self.step == 1 else np.dtype(np.float32)
        self.values: npt.NDArray[Any] = np.empty((self.first.size, height, width), dtype)
        self.n_read = 0
        self.fault = ""
        self._grown = threading.Condition()

    @property
    def done(self) -> bool:
        """Whether every frame is there, or none will come any more."""
        return self.n_read == self.first.size or bool(self.fault)

    @property
    def rate_hz(self) -> float:
        """Samples per second."""
        return self.movie.rate_hz / self.step

    def grow(self) -> None:
        """Read one block more."""
        start = int(self.first[self.n_read])
        segment = next(s for s in self.movie.clock.segments if s.start <= start < s.stop)
        stop = min(start + max(_BLOCK // self.step, 1) * self.step, segment.stop)
        frames = frames_of(self.movie, start, stop, self.box)
        if self.step > 1:
            cuts = np.arange(0, len(frames), self.step)
            sums = np.add.reduceat(frames, cuts, axis=0, dtype=np.float32)
            lengths = np.diff(np.append(cuts, len(frames))).astype(np.float32)
            frames = sums / lengths[:, None, None]
        with self._grown:
            self.values[self.n_read : self.n_read + len(frames)] = frames
            self.n_read += len(frames)
            self._grown.notify_all()

    def fail(self, why: str) -> None:
        """Note that no more can be read."""
        with self._grown:
            self.fault = why
            self._grown.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Wait until it is done, at most for so long."""
        with self._grown:
            self._grown.wait_for(lambda: self.done, timeout_s)


class Crops:
    """The crops of a movie that are kept, the latest asked for first. Threads may share it.

    Parameters
    ----------
    movie : Movie
    """

    def __init__(self, movie: Movie) -> None:
        self.movie = movie
        self._crops: list[Crop] = []  # the latest last
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def of(self, box: Box) -> Crop:
        """The crop that holds a box; begins to read one, wider by a margin, where none does."""
        with self._change:
            found = next((c for c in reversed(self._crops) if c.box.holds(box)), None)
            if found is None:
                found = Crop(self.movie, box.wider(MARGIN_PX, self.movie.shape))
            else:
                self._crops.remove(found)
            self._crops.append(found)
            self._forget()
            if not found.done and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._work, name="crops", daemon=True)
                self._thread.start()
            return found

    def _forget(self) -> None:
        held = 0
        for place in range(len(self._crops) - 1, -1, -1):
            held += self._crops[place].values.nbytes
            if held > KEPT_BYTES and place < len(self._crops) - 1:
                for crop in self._crops[: place + 1]:
                    crop.fail("forgotten")
                del self._crops[: place + 1]
                return

    def _work(self) -> None:
        while True:
            with self._change:
                crop = next((c for c in reversed(self._crops) if not c.done), None)
                if crop is None:
                    self._thread = None
                    return
            try:
                crop.grow()
            except Exception as error:  # whatever a library says of a file that is gone or cut
                crop.fail(str(error).splitlines()[0] if str(error) else type(error).__name__)
                with self._change:
                    if crop in self._crops:
                        self._crops.remove(crop)


def frames_of(movie: Movie, start: int, stop: int, box: Box) -> npt.NDArray[Any]:
    """Frames [start, stop) of a box, shape (n, height, width); within one segment."""
    rows = movie.read(start, stop, rows=(box.top, box.bottom))
    return rows[:, box.plane, :, box.left : box.right]
