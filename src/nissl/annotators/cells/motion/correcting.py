"""A movie with its motion taken out, still lazy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.motion.result import Motion
from nissl.data import FrameReader, Movie
from nissl.errors import BadArgumentError

_HALO = 3


@dataclass(frozen=True, eq=False)
class MovedReader:
    """Frames of another reader, sampled where their content went; float32.

    What lies beyond a frame's edge is the edge's pixel; `Motion.margins` says how far that goes.

    Parameters
    ----------
    reader : FrameReader
    height : int
        Rows of a whole frame.
    nodes : ndarray, shape (n_frames, n_planes, rows, columns, 2), float32, px
    line_px : float
        By how much odd lines are moved left.
    """

    reader: FrameReader
    height: int
    nodes: npt.NDArray[np.float32] = field(repr=False)
    line_px: float = 0.0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(np.float32)

    def read(self, start: int, stop: int, rows: tuple[int, int]) -> npt.NDArray[Any]:
        """Corrected frames [start, stop), rows [y0, y1), shape (t, z, y, x), float32."""
        from nissl.annotators.cells.motion.kernels import padded, warped

        nodes = self.nodes[start:stop].astype(np.float64)
        margin = int(np.ceil(np.abs(nodes).max(initial=0.0))) + _HALO
        low, high = max(rows[0] - margin, 0), min(rows[1] + margin, self.height)
        stored = self.reader.read(start, stop, (low, high))
        stored = np.asarray(stored, dtype=stored.dtype.newbyteorder("="))
        n, n_planes, _, width = stored.shape
        out = np.empty((n, n_planes, rows[1] - rows[0], width), np.float32)
        source = np.empty((rows[1] - rows[0] + 2 * margin, width + 2 * margin), np.float32)
        place = np.array([rows[0], self.height], np.int64)
        for t in range(n):
            for z in range(n_planes):
                padded(stored[t, z], margin, rows[0] - margin - low, low, self.line_px, source)
                warped(source, margin, nodes[t, z], place, out[t, z])
        return out


def corrected(movie: Movie, motion: Motion) -> Movie:
    """Return a movie without its motion: float32, read and warped only where it is looked at."""
    if motion.shift.shape[:2] != (movie.n_frames, movie.n_planes):
        raise BadArgumentError(
            f"the motion of {movie.n_frames} frames of {movie.n_planes} planes",
            f"one of {motion.shift.shape[0]} frames of {motion.shift.shape[1]} planes",
            "Estimate it from this movie.",
        )
    reader = MovedReader(movie.reader, movie.shape[1], motion.nodes, motion.line_px)
    return replace(movie, reader=reader)


__all__ = ["MovedReader", "corrected"]
