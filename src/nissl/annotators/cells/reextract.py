"""One cell read again at once after it was drawn or changed, from a window held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.demix import demixing
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.traces import Traces, TraceSettings, finished, ring_means
from nissl.data import Movie
from nissl.errors import BadArgumentError

_BLOCK_BYTES = 64 * 10**6


@dataclass(frozen=True, eq=False)
class Patch:
    """A window of a movie held in memory, so that a changed cell is read again at once.

    Parameters
    ----------
    movie : Movie
        Of the window alone, one plane.
    plane, top, left : int
        Where it lies in the field.
    shape : tuple of int
        ``(z, y, x)`` of the whole field.
    """

    movie: Movie
    plane: int
    top: int
    left: int
    shape: tuple[int, int, int]

    def footprints(self, footprints: Footprints) -> Footprints:
        """The parts of cells that lie in the window, in its own coordinates."""
        _, height, width = self.movie.shape
        pixels, weights, rows = [], [], []
        for row, (flat, heavy) in enumerate(
            zip(footprints.pixels, footprints.weights, strict=True)
        ):
            z, y, x = np.unravel_index(flat, self.shape)
            y, x = y - self.top, x - self.left
            inside = (z == self.plane) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
            if inside.any():
                pixels.append((y * width + x)[inside])
                weights.append(heavy[inside])
                rows.append(row)
        chosen = footprints.take(np.array(rows, np.int64))
        return Footprints.build(
            self.movie.shape, pixels, weights, score=chosen.score, origin=chosen.origin
        )


def cut_patch(movie: Movie, pixels: npt.NDArray[np.int64], *, margin_px: int = 40) -> Patch:
    """Read the window around a cell into memory: once, before it is drawn and redrawn.

    Parameters
    ----------
    movie : Movie
    pixels : ndarray, int64
        Flat C-order pixels of the cell.
    margin_px : int
        Beyond the cell on every side; room for its ring and for new strokes.
    """
    if pixels.size == 0 or pixels.min() < 0 or pixels.max() >= movie.n_pixels:
        raise BadArgumentError(
            f"pixels inside the field of {movie.shape} voxels",
            f"{pixels.size} pixels" + (f" up to {int(pixels.max())}" if pixels.size else ""),
            "Draw the cell inside the image.",
        )
    z, y, x = np.unravel_index(pixels, movie.shape)
    plane = int(np.bincount(z).argmax())
    top, left = max(int(y.min()) - margin_px, 0), max(int(x.min()) - margin_px, 0)
    bottom = min(int(y.max()) + margin_px + 1, movie.shape[1])
    right = min(int(x.max()) + margin_px + 1, movie.shape[2])
    frames = np.empty((movie.n_frames, 1, bottom - top, right - left), movie.dtype)
    size = max(_BLOCK_BYTES // (movie.dtype.itemsize * movie.n_pixels), 1)
    for start, stop in movie.blocks(size):
        block = movie.read(start, stop, rows=(top, bottom))
        frames[start:stop] = block[:, plane : plane + 1, :, left:right]
    window = Movie.from_array(frames, movie.rate_hz, name=movie.name, clock=movie.clock)
    return Patch(window, plane, top, left, movie.shape)


def reextract(
    patch: Patch,
    pixels: npt.NDArray[np.int64],
    weights: npt.NDArray[Any] | None,
    others: Footprints,
    settings: TraceSettings | None = None,
    *,
    field: float | None = None,
) -> Traces:
    """Traces of one cell that was drawn or changed, from a patch in memory.

    Parameters
    ----------
    patch : Patch
    pixels : ndarray, int64
        Flat C-order pixels in the whole field; those outside the patch are an error.
    weights : ndarray, optional
        One per pixel; equal by default.
    others : Footprints
        The other cells of the whole field.
    settings : TraceSettings, optional
        One-photon cells are freed of the mean of their ring here: the ring model is fitted to
        the whole field only.
    field : float, optional
        The field's neuropil coefficient (the item table's context has it).

    Returns
    -------
    Traces
        Of one cell.
    """
    chosen = TraceSettings() if settings is None else settings
    given = Footprints.build(patch.shape, [pixels], None if weights is None else [weights])
    mine = patch.footprints(given)
    if len(mine) != 1 or mine.pixels[0].size != np.size(pixels):
        raise BadArgumentError(
            "a cell inside the patch", "pixels outside it", "Cut the patch anew around the cell."
        )
    rest = patch.footprints(others)
    cells = Footprints.build(
        patch.movie.shape,
        [mine.pixels[0], *rest.pixels],
        [mine.weights[0], *rest.weights],
    )
    own = demixing(cells)
    around = ring_means(cells)
    frames = patch.movie.read().reshape(patch.movie.n_frames, -1)
    values = [_read(frames, operator[[0]]) for operator in (own.operator, around)]
    raw = values[0] + (1.0 - own.gain[:1]) * values[1]
    bare = np.array([around.indptr[1] == 0])
    return finished(raw, values[1], bare, own.told_apart[:1], patch.movie.rate_hz, chosen, field)


def _read(frames: npt.NDArray[Any], operator: Any) -> npt.NDArray[np.float32]:
    """Values of an operator of one row in frames of shape (n_frames, n_pixels)."""
    out = np.empty((len(frames), 1), np.float32)
    used, heavy = np.asarray(operator.indices), np.asarray(operator.data, np.float32)
    for start in range(0, len(frames), 1024):
        part = frames[start : start + 1024, used].astype(np.float32)
        out[start : start + 1024, 0] = part @ heavy
    return out
