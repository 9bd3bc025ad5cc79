"""Pictures of a field when a method left none: from a few hundred frames, or from what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Movie
from nissl.labels import ItemTable

Image = npt.NDArray[np.float32]

N_FRAMES = 400
_TOGETHER = 8
_BAND_VALUES = 1 << 25


def pictured(movie: Movie, *, n_frames: int = N_FRAMES) -> dict[str, Image]:
    """Pictures of a movie from some of its frames, each shape (z, y, x).

    Frames are taken in short runs spread evenly over the movie, each run averaged to one, so that
    what lasts longer than a frame stands out of the noise. "correlation" is the mean correlation
    of a pixel with its neighbours above, below, left and right over time; "active" is how far the
    brightest run stands above the mean, in standard deviations.

    Parameters
    ----------
    movie : Movie
    n_frames : int
        Read at most.
    """
    n_runs = max(min(n_frames // _TOGETHER, movie.n_frames // _TOGETHER), 1)
    starts = np.linspace(0, max(movie.n_frames - _TOGETHER, 0), n_runs).astype(int)
    runs = [_run(movie, int(start)) for start in starts]
    depth, height, width = movie.shape
    out = {n: np.zeros(movie.shape, np.float32) for n in ("mean", "max", "correlation", "active")}
    rows = max(_BAND_VALUES // (n_runs * width * depth), 8)
    for top in range(0, height, rows):
        low, high = max(top - 1, 0), min(top + rows + 1, height)
        band = np.stack([_mean(movie, run, (low, high)) for run in runs])
        inner = slice(top - low, min(top + rows, height) - low)
        for name, image in _summary(band).items():
            out[name][:, top : top + rows] = image[:, inner]
    return out


def _run(movie: Movie, start: int) -> tuple[int, int]:
    """A run of frames from `start`, within one segment."""
    segment = next(s for s in movie.clock.segments if s.start <= start < s.stop)
    return start, min(start + _TOGETHER, segment.stop)


def _mean(movie: Movie, run: tuple[int, int], rows: tuple[int, int]) -> Image:
    return np.asarray(movie.read(*run, rows=rows).mean(axis=0, dtype=np.float32))


def _summary(runs: Image) -> dict[str, Image]:
    """Pictures of runs, shape (n_runs, z, y, x)."""
    mean, top = runs.mean(axis=0), runs.max(axis=0)
    rest = runs - mean
    spread = np.sqrt(np.mean(rest**2, axis=0))
    safe = np.maximum(spread, 1e-12)
    rest /= safe
    total, count = np.zeros_like(mean), np.zeros_like(mean)
    for axis in (1, 2):
        first: list[slice] = [slice(None)] * 3
        second = list(first)
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(first), tuple(second)
        same = np.mean(rest[(slice(None), *a)] * rest[(slice(None), *b)], axis=0)
        for where in (a, b):
            total[where] += same
            count[where] += 1
    active = np.where(spread > 0, (top - mean) / safe, 0.0)
    correlation = total / np.maximum(count, 1)
    return {
        "mean": mean, "max": top, "correlation": correlation, "active": active.astype(np.float32),
    }  # fmt: skip


def laid_out(
    items: ItemTable, centres: dict[int, Sequence[int]], shape: tuple[int, int, int]
) -> Image | None:
    """Patches of the item table where they lie in the field; NaN between them.

    Parameters
    ----------
    items : ItemTable
        With an array "patch", (n_items, height, width): pixel (height // 2, width // 2) is the
        one at the region's centre.
    centres : dict of int to (z, y, x)
        Rounded centre of each item.
    shape : tuple of int

    Returns
    -------
    ndarray, shape (z, y, x), or None where there are no patches
    """
    patches = items.arrays.get("patch")
    if patches is None or patches.ndim != 3:
        return None
    out = np.full(shape, np.nan, np.float32)
    _, height, width = patches.shape
    for item, patch in zip(items.items.tolist(), patches, strict=True):
        if item not in centres:
            continue
        z, y, x = centres[item]
        top, left = y - height // 2, x - width // 2
        rows = slice(max(top, 0), min(top + height, shape[1]))
        columns = slice(max(left, 0), min(left + width, shape[2]))
        part = patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        place = out[z, rows, columns]
        np.copyto(place, part, where=np.isfinite(part))
    return out


def to_bytes(image: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], float, float]:
    """An image in 255 steps between its 0.5 and 99.7 percentiles; 0 where it is not known.

    Returns
    -------
    ndarray, uint8, of the same shape
    low, high : float
        Values of steps 1 and 255.
    """
    values = np.asarray(image, np.float32)
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(values.shape, np.uint8), 0.0, 0.0
    low, high = (float(q) for q in np.percentile(values[known], [0.5, 99.7]))
    span = max(high - low, 1e-12)
    steps = 1 + np.clip((np.where(known, values, low) - low) / span, 0, 1) * 254
    return np.where(known, np.rint(steps), 0).astype(np.uint8), low, high
