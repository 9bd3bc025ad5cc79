"""Checks of movies as they are opened, on a sample of their frames."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.line_offset import line_offset
from nissl.data import Movie, Recording
from nissl.data.frame_clock import PLAUSIBLE_HZ, plausible
from nissl.tasks import Finding

N_LOOKS = 16
LOOK_FRAMES = 4
MOST_VOXELS = 1 << 24
"""Of all looks together; fewer looks are taken at very large frames."""
SATURATED = 1e-3
LEAST_LEVELS = 64
"""A movie with fewer grey levels (photon counts) has no saturation that could be told."""
OFFSET_PX = 0.5
LEAST_CORRELATION = 0.1


def movie_findings(recording: Recording) -> list[Finding]:
    """Say what is doubtful about the movies of a recording; [] where there are none."""
    return [found for movie in recording.movies.values() for found in check_movie(movie)]


@dataclass(frozen=True, eq=False)
class Looks:
    """Frames at a few places of a movie.

    Parameters
    ----------
    starts : tuple of int
        First frame of each look.
    frames : tuple of ndarray, shape (t, z, y, x)
    """

    starts: tuple[int, ...]
    frames: tuple[npt.NDArray[Any], ...]


def check_movie(movie: Movie) -> list[Finding]:
    """Check length, rate, gaps, and what is in a sample of the frames.

    Raises
    ------
    CorruptSourceError
        Frames that cannot be read.
    """
    found = [*_time(movie)]
    looks = _looks(movie)
    found += _not_finite(movie, looks)
    values = [_finite(frames) for frames in looks.frames]
    low = min((float(v.min()) for v in values if v.size), default=np.nan)
    high = max((float(v.max()) for v in values if v.size), default=np.nan)
    if not low < high:
        sentence = f"Every pixel of {movie.name!r} has the value {low:g} in all frames looked at."
        return [*found, Finding("black_movie", "error", sentence, value=low)]
    found += _dark(movie, looks)
    found += _saturated(movie, values, low, high)
    found += _negative(movie, values, low)
    found += _repeated(movie, looks)
    return [*found, *_lines(movie, looks)]


def _looks(movie: Movie) -> Looks:
    n_frames = max(1, min(LOOK_FRAMES, MOST_VOXELS // (N_LOOKS * movie.n_pixels)))
    most = max(1, min(N_LOOKS, MOST_VOXELS // (n_frames * movie.n_pixels)))
    blocks = list(movie.blocks(n_frames))
    chosen = np.unique(np.linspace(0, len(blocks) - 1, min(most, len(blocks))).round())
    picked = [blocks[k] for k in chosen.astype(int).tolist()]
    return Looks(tuple(a for a, _ in picked), tuple(movie.read(a, b) for a, b in picked))


def _finite(frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return frames.ravel() if frames.dtype.kind != "f" else frames[np.isfinite(frames)]


def _time(movie: Movie) -> list[Finding]:
    found = []
    if movie.n_frames == 1:
        sentence = f"{movie.name!r} is a single frame: cells can be found by their shapes alone."
        found.append(Finding("single_frame", "note", sentence, value=1.0, limit=2.0))
    elif not plausible(movie.rate_hz):
        sentence = (
            f"{movie.name!r} is said to have {movie.rate_hz:g} frames per second; microscopes have "
            f"{PLAUSIBLE_HZ[0]:g} to {PLAUSIBLE_HZ[1]:g}. Check --rate."
        )
        found.append(Finding("frame_rate", "warning", sentence, value=movie.rate_hz))
    segments = movie.clock.segments
    if len(segments) > 1:
        gaps = [after.t0_s - before.end_s for before, after in itertools.pairwise(segments)]
        lost = round(sum(gaps) * movie.rate_hz)
        sentence = (
            f"{movie.name!r} has {len(gaps)} gap{'s, the longest' if len(gaps) > 1 else ''} of "
            f"{max(gaps):.3g} s; about {lost} frames are missing. Nothing is filled in: each "
            "segment is used for itself."
        )
        found.append(Finding("dropped_frames", "warning", sentence, value=float(lost), limit=0.0))
    return found


def _not_finite(movie: Movie, looks: Looks) -> list[Finding]:
    if movie.dtype.kind != "f":
        return []
    bad = sum(int((~np.isfinite(frames)).sum()) for frames in looks.frames)
    share = bad / sum(frames.size for frames in looks.frames)
    if not bad:
        return []
    sentence = (
        f"{share:.2%} of the pixels of {movie.name!r} are NaN or infinite in the frames looked at. "
        "Methods leave such pixels out."
    )
    severity = "error" if share > 0.5 else "warning"
    return [Finding("not_finite", severity, sentence, value=share, limit=0.0)]


def _dark(movie: Movie, looks: Looks) -> list[Finding]:
    """Frames that are constant while others are not."""
    dark = [
        start + k
        for start, frames in zip(looks.starts, looks.frames, strict=True)
        for k, frame in enumerate(frames)
        if np.all(frame == frame.flat[0])
    ]
    if not dark:
        return []
    total = sum(len(frames) for frames in looks.frames)
    sentence = (
        f"{len(dark)} of {total} frames of {movie.name!r} that were looked at are one value "
        f"throughout (frame {dark[0]} first): a closed shutter, or frames that were not written."
    )
    return [Finding("dark_frames", "warning", sentence, value=len(dark) / total, limit=0.0)]


def _saturated(
    movie: Movie, values: list[npt.NDArray[Any]], low: float, high: float
) -> list[Finding]:
    if high - low < LEAST_LEVELS and movie.dtype.kind in "iu":
        return []
    at_top = sum(int((v == high).sum()) for v in values)
    share = at_top / max(1, sum(v.size for v in values))
    if share < SATURATED:
        return []
    sentence = (
        f"{share:.2%} of the pixels of {movie.name!r} have its largest value, {high:g}: the "
        "detector or the digitiser was saturated, and transients there are cut off."
    )
    severity = "error" if share > 0.5 else "warning"
    return [Finding("saturated", severity, sentence, value=share, limit=SATURATED)]


def _negative(movie: Movie, values: list[npt.NDArray[Any]], low: float) -> list[Finding]:
    if low >= 0:
        return []
    share = sum(int((v < 0).sum()) for v in values) / max(1, sum(v.size for v in values))
    sentence = (
        f"{share:.1%} of the pixels of {movie.name!r} are negative (lowest {low:g}), as the offset "
        "of a digitiser or a subtracted background leaves them. dF/F is relative to a baseline, "
        "which must lie above 0."
    )
    return [Finding("negative_pixels", "note", sentence, value=share)]


def _repeated(movie: Movie, looks: Looks) -> list[Finding]:
    """Frames that are exact copies of the one before."""
    pairs = copies = 0
    for frames in looks.frames:
        for before, after in itertools.pairwise(frames):
            pairs += 1
            copies += bool(np.array_equal(before, after) and before.min() < before.max())
    if not copies:
        return []
    sentence = (
        f"{copies} of {pairs} frames of {movie.name!r} that were looked at are copies of the frame "
        "before: dropped frames were filled in, and the true rate is lower."
    )
    return [Finding("repeated_frames", "warning", sentence, value=copies / pairs, limit=0.0)]


def _lines(movie: Movie, looks: Looks) -> list[Finding]:
    """Offset between the lines of a scanner that records in both directions."""
    means = [
        plane
        for frames in looks.frames
        if np.isfinite(frames).all()
        for plane in frames.astype(np.float32).mean(axis=0)
    ]
    if not means:
        return []
    offset = line_offset(np.stack(means))
    seen = offset.at_peak > max(LEAST_CORRELATION, 1.02 * offset.at_zero)
    if abs(offset.px) < OFFSET_PX or not seen:
        return []
    sentence = (
        f"Odd lines of {movie.name!r} lie {abs(offset.px):.1f} pixels to the "
        f"{'right' if offset.px > 0 else 'left'} of even ones (correlation {offset.at_peak:.2f} "
        f"there, {offset.at_zero:.2f} without): the phase of a bidirectional scan was set wrong."
    )
    return [Finding("line_offset", "warning", sentence, value=offset.px, limit=OFFSET_PX)]
