"""Motion of a movie: a template from sampled frames, then passes over all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.motion.matching import LEAST_HEIGHT, Matcher, retargeted
from nissl.annotators.cells.motion.passing import Passed, pass_over
from nissl.annotators.cells.motion.quality import quality
from nissl.annotators.cells.motion.result import Motion
from nissl.annotators.cells.motion.settings import MotionSettings
from nissl.annotators.cells.motion.template import first_matcher, read_frames, sampled
from nissl.annotators.line_offset import line_offset
from nissl.data import Movie
from nissl.errors import BadSamplesError
from nissl.run.context import Context

LEAST_SIDE = 16
_LINE_FRAMES = 40
_AROUND_S = 10.0


def estimate(movie: Movie, settings: MotionSettings, context: Context) -> Motion:
    """Displacement of every frame, and of places within it.

    Planes of a volume are looked at one by one. Nothing is corrected here: see `corrected`.

    Parameters
    ----------
    movie : Movie
    settings : MotionSettings
    context : Context
        Workers and budget; the stage resumes in ``context.workdir``.

    Returns
    -------
    Motion
        The same bytes for any number of workers and any budget.

    Raises
    ------
    BadSamplesError
        There are no frames, they are tiny, or the sampled ones hold one value alone.
    MemoryBudgetError
        The budget does not hold one chunk.
    """
    if movie.n_frames == 0 or min(movie.shape[1:]) < LEAST_SIDE:
        raise BadSamplesError(
            f"frames of at least {LEAST_SIDE} x {LEAST_SIDE} pixels",
            f"{movie.n_frames} of {movie.shape[1]} x {movie.shape[2]}",
            "Check the file; it may be cut off.",
        )
    known = tuple(_first(movie.plane(z), settings) for z in range(movie.n_planes))
    odd_px = _odd_px(movie)
    passed = pass_over(movie, known, context, number=0)
    for number in range(1, settings.passes):
        images = passed.template()
        known = tuple(
            retargeted(each, np.asarray(image, np.float32)) if np.isfinite(image).all() else each
            for each, image in zip(known, images, strict=True)
        )
        passed = pass_over(movie, known, context, number=number)
    return _motion(movie, settings, known, passed, odd_px)


def _first(movie: Movie, settings: MotionSettings) -> Matcher:
    made = first_matcher(movie, settings)
    if not np.ptp(made.template) > 0:
        raise BadSamplesError(
            "frames in which something is seen",
            f"{movie.name!r} whose sampled frames hold {made.template.flat[0]:g} everywhere",
            "A black or saturated movie has no motion to find; leave motion correction out.",
        )
    return made


def _odd_px(movie: Movie) -> float:
    """Offset of odd lines, from means of a few frames each of the plane in the middle."""
    plane = movie.plane(movie.n_planes // 2)
    frames = read_frames(plane, sampled(plane, _LINE_FRAMES)).astype(np.float32)
    means = [part.mean(axis=0) for part in np.array_split(frames, max(len(frames) // 5, 1))]
    return float(line_offset(np.nan_to_num(np.stack(means))).px)


def _motion(
    movie: Movie,
    settings: MotionSettings,
    known: tuple[Matcher, ...],
    passed: Passed,
    odd_px: float,
) -> Motion:
    grid, frames = known[0].grid, passed.frames
    reach = np.asarray(grid.reach) * grid.factor
    at_limit = (np.abs(frames["shift"]) >= reach - 1.0).any(axis=-1)
    lost = (frames["height"] < LEAST_HEIGHT) | at_limit
    shift = _between_neighbours(frames["shift"], lost)
    nodes = _between_neighbours(frames["nodes"], lost)
    badly = lost | _out_of_line(frames["fit_after"], movie.rate_hz)
    found = Motion(
        shift,
        nodes,
        frames["error"],
        frames["fit_after"],
        badly,
        np.stack([each.template for each in known]),
        grid.factor,
        grid.corner,
        odd_px if settings.bidirectional else 0.0,
        float(reach.min()),
        quality(movie, known, passed, badly, odd_px),
    )
    return replace(found, nodes=np.ascontiguousarray(nodes, np.float32))


def _between_neighbours(
    values: npt.NDArray[np.float32], lost: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Values of lost frames, linearly between those of the frames before and after."""
    out = values.copy()
    at = np.arange(len(values))
    for z in range(values.shape[1]):
        gone = lost[:, z]
        if not gone.any() or gone.all():
            continue
        flat: npt.NDArray[Any] = out[:, z].reshape(len(values), -1)
        for column in range(flat.shape[1]):
            flat[gone, column] = np.interp(at[gone], at[~gone], flat[~gone, column])
        out[:, z] = flat.reshape(out[:, z].shape)
    return out


def _out_of_line(fit: npt.NDArray[np.float32], rate_hz: float) -> npt.NDArray[np.bool_]:
    """Frames that are much less like the template than those around them."""
    from scipy.ndimage import median_filter

    width = 2 * int(np.clip(_AROUND_S * rate_hz / 2, 5, 500)) + 1
    below = fit - median_filter(fit, (min(width, 2 * len(fit) + 1), 1), mode="nearest")
    spread = 1.4826 * np.median(np.abs(below), axis=0)
    return np.asarray(below < -np.maximum(8 * spread, 0.05))


__all__ = ["estimate"]
