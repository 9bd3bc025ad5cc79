"""Pictures of a whole movie from one streamed pass: where cells are, and where something happens.

Frames are averaged over bins of `BIN_S`; fluctuations are those of a bin about the mean of some
dozens of bins, so that bleaching and slow drift of brightness do not count. Chunks follow from
the movie alone and their sums are taken in order: the same bytes for any number of workers.

Notes
-----
Images of the correlation of a pixel with its neighbours were brought up by Smith and Häusser
(Nature Neuroscience 13, 2010); images of peak to noise by Zhou et al. (eLife 7, 2018). Here the
neighbours lie two pixels away, for the interpolation that takes motion out correlates the noise
of pixels that touch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Movie
from nissl.errors import BadArgumentError, BadSamplesError
from nissl.run.chunks import Chunk, plan_chunks
from nissl.run.context import Context
from nissl.run.execute import resumable, run_chunks
from nissl.run.identity import identity
from nissl.run.results import stage_key

VERSION = 1
STAGE = "pictures of the field"
BIN_S = 0.2
BACKGROUND_UM, BACKGROUND_PX = 50.0, 41
"""Widths at which, on simulated movies of both optics, active cells stand out best."""
_BINS_BYTES = 64 * 10**6
_MOST_BINS, _LEAST_BINS = 64, 16
_READ_BYTES = 16 * 10**6

Image = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Summary:
    """Pictures of one plane, each of shape (y, x), float32.

    Parameters
    ----------
    mean, std : ndarray, units of the movie
        Over all frames; NaN where a pixel never holds a number.
    max : ndarray, units of the movie
        Largest smoothed bin.
    correlation : ndarray
        Mean correlation of a pixel's fluctuations with those of a ring of neighbours.
    peak_to_noise : ndarray
        Largest fluctuation of the smoothed bins over their noise, which is that of the second
        difference in time.
    active : ndarray
        Root mean square, over bins, of what rises above 2.5 noise deviations: bright where
        much happens, dark where noise peaks once.
    """

    mean: Image
    max: Image
    std: Image
    correlation: Image
    peak_to_noise: Image
    active: Image


def summarise(
    movie: Movie, context: Context, *, bin_s: float = BIN_S, background_px: int | None = None
) -> Summary:
    """Return pictures of a movie of one plane, corrected for motion, in one pass.

    Parameters
    ----------
    movie : Movie
    context : Context
        Workers and budget; the stage resumes in ``context.workdir``.
    bin_s : float
        Length of a bin; at least one frame.
    background_px : int, optional
        Side of the square whose mean is taken off the fluctuations of its middle, for neuropil
        and out-of-focus light change together over wide areas; 0 takes nothing off. By default
        `BACKGROUND_UM`, or `BACKGROUND_PX` where the size of a pixel is not known. It does not
        touch `mean`, `std` and `max`.

    Raises
    ------
    BadSamplesError
        The movie has no frames.
    BadArgumentError
        It has several planes, or the settings are out of range.
    MemoryBudgetError
        The budget does not hold one chunk.
    """
    if movie.n_frames == 0:
        raise BadSamplesError("a movie with frames", "none", "Check the file; it may be cut off.")
    wide = _background(movie) if background_px is None else background_px
    if movie.n_planes != 1 or not bin_s > 0 or wide < 0:
        raise BadArgumentError(
            "one plane, bin_s above 0 and background_px of at least 0",
            f"{movie.n_planes} planes, bin_s {bin_s}, background_px {background_px}",
            "Choose a plane with `movie.plane`.",
        )
    per_bin = max(1, round(bin_s * movie.rate_hz))
    bins = int(np.clip(_BINS_BYTES // (4 * movie.n_pixels), _LEAST_BINS, _MOST_BINS))
    side = 2 * (wide // 2) + 1 if wide > 1 else 0
    images = 4 * movie.n_pixels
    results = run_chunks(
        _chunk,
        plan_chunks(movie.clock, bins * per_bin),
        (movie, per_bin, side),
        context,
        key=stage_key("summary", definition(movie) | {"bin": per_bin, "background": side}),
        memory_per_chunk=images * (2 * bins + 24) + 3 * _READ_BYTES,
        stage=STAGE,
        rate_hz=movie.rate_hz,
    )
    totals: Arrays = {}
    with resumable(STAGE):
        for arrays in results:
            for name, value in arrays.items():
                if name not in totals:
                    totals[name] = value
                elif name.startswith("most"):
                    np.fmax(totals[name], value, out=totals[name])
                else:
                    totals[name] += value
    return _finish(totals)


def _background(movie: Movie) -> int:
    if movie.spacing_um is None:
        return BACKGROUND_PX
    return int(np.clip(round(BACKGROUND_UM / movie.spacing_um[2]), 5, min(movie.shape[1:])))


def definition(movie: Movie) -> dict[str, Any]:
    """What identifies a movie to a stage: its facts, and a digest of its reader."""
    return {
        "version": VERSION,
        "movie": movie.name,
        "dtype": movie.dtype.str,
        "shape": list(movie.shape),
        "clock": movie.clock.to_json(),
        "reader": identity(movie.reader),
    }


def _chunk(shared: tuple[Movie, int, int], chunk: Chunk) -> Arrays:
    """Sums and peaks over the frames of a chunk."""
    from nissl.annotators.cells.summary_kernels import (
        add_products,
        bin_frames,
        flatten,
        smooth_all,
    )

    movie, per_bin, side = shared
    _, height, width = movie.shape
    n_bins = -(-chunk.n_samples // per_bin)
    bins = np.empty((n_bins, height, width), np.float32)
    total, square = np.zeros((2, height, width))
    count = np.zeros((height, width), np.int64)
    at_once = max(1, _READ_BYTES // (movie.n_pixels * movie.dtype.itemsize * per_bin))
    for first in range(0, n_bins, at_once):
        last = min(first + at_once, n_bins)
        begin = chunk.start + first * per_bin
        frames = movie.frames(begin, min(begin + (last - first) * per_bin, chunk.stop))
        bin_frames(_native(frames), per_bin, bins[first:last], total, square, count)
    level = np.empty((height, width), np.float32)
    flatten(bins, level)  # bins are fluctuations about `level` from here on
    smoothed = np.empty_like(bins)
    smooth_all(bins, smoothed)
    most = smoothed.max(axis=0) + _smoothed_once(level)
    if side:
        for fluctuation in bins:
            fluctuation -= _local_mean(fluctuation, side)
        smooth_all(bins, smoothed)
    own = np.zeros((height, width), np.float32)
    ring = np.zeros((len(RING), height, width), np.float32)
    add_products(bins, np.asarray(RING), own, ring)
    noise = _noise_square(smoothed)
    scale = np.sqrt(noise / np.float32(max(1.5 * (n_bins - 2), 1)))
    over = smoothed - np.float32(2.5) * scale
    np.maximum(over, 0, out=over)
    np.divide(over, scale, out=over, where=scale > 0)
    over[:, scale == 0] = 0
    return {
        "total": total,
        "square": square,
        "count": count,
        "own": own.astype(np.float64),
        "ring": ring.astype(np.float64),
        "noise": noise.astype(np.float64),
        "n_noise": np.asarray(float(max(n_bins - 2, 0))),
        "active": np.einsum("tyx,tyx->yx", over, over).astype(np.float64),
        "n_bins": np.asarray(float(n_bins)),
        "most": most.astype(np.float32),
        "most_change": smoothed.max(axis=0),
    }


RING = ((0, 2), (2, 0), (1, 2), (2, 1), (2, -1), (1, -2))
"""Rows and columns to the neighbours of a pixel; each stands for its opposite as well."""


def _native(frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Frames of the machine's byte order, contiguous."""
    return np.ascontiguousarray(frames, dtype=frames.dtype.newbyteorder("="))


def _smoothed_once(image: Image) -> Image:
    from nissl.annotators.cells.summary_kernels import smooth_all

    out = np.empty((1, *image.shape), np.float32)
    smooth_all(np.ascontiguousarray(image[None]), out)
    return np.asarray(out[0])


def _local_mean(image: Image, side: int) -> Image:
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(image, side, mode="nearest"), np.float32)


def _noise_square(bins: Image) -> Image:
    """Sum over time of squared second differences, halved: 1.5 times the noise of each."""
    out = np.zeros(bins.shape[1:], np.float32)
    for t in range(1, len(bins) - 1):
        bend = bins[t] - np.float32(0.5) * (bins[t - 1] + bins[t + 1])
        out += bend * bend
    return out


def _finish(totals: Arrays) -> Summary:
    count = np.where(totals["count"] > 0, totals["count"], np.nan)
    mean = totals["total"] / count
    variance = np.maximum(totals["square"] / count - mean**2, 0)
    noise = np.sqrt(totals["noise"] / max(1.5 * float(totals["n_noise"]), 1.0))
    peak = np.divide(totals["most_change"], noise, out=np.zeros_like(noise), where=noise > 0)
    active = np.sqrt(totals["active"] / float(totals["n_bins"]))
    return Summary(
        mean.astype(np.float32),
        totals["most"].astype(np.float32),
        np.sqrt(variance).astype(np.float32),
        _correlation(totals["own"], totals["ring"]),
        peak.astype(np.float32),
        active.astype(np.float32),
    )


def _correlation(own: npt.NDArray[np.float64], ring: npt.NDArray[np.float64]) -> Image:
    """Mean correlation of each pixel with the neighbours that lie in the image."""
    height, width = own.shape
    total, number = np.zeros((2, height, width))
    for (dy, dx), product in zip(RING, ring, strict=True):
        here = (slice(0, max(height - dy, 0)), slice(max(-dx, 0), max(width - max(dx, 0), 0)))
        there = (slice(dy, height), slice(max(dx, 0), max(width + min(dx, 0), 0)))
        size = np.sqrt(own[here] * own[there])
        value = np.divide(product[here], size, out=np.zeros_like(size), where=size > 0)
        for side in (here, there):
            total[side] += value
            number[side] += 1
    return np.asarray(total / np.maximum(number, 1), np.float32)


__all__ = ["BIN_S", "Summary", "definition", "summarise"]
