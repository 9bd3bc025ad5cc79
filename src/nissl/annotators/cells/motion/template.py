"""The template: from a sample of frames, refined until they agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.motion.grid import Grid, grid, stiffened
from nissl.annotators.cells.motion.matching import (
    Matcher,
    coherence_of,
    first_coherence,
    local_motion,
    matched,
    matcher,
    retargeted,
    rigid,
)
from nissl.annotators.cells.motion.settings import MotionSettings
from nissl.data import Movie

Floats = npt.NDArray[np.float32]
_ALIKE = 20
_ROUNDS = 4
_USED = 0.8
_TOGETHER = 5
LEAST_STIFFNESS_PX = 0.05


def sampled(movie: Movie, n: int) -> npt.NDArray[np.int64]:
    """Frames to look at: short runs spread evenly over the movie, for files read runs faster."""
    total = movie.n_frames
    if total <= n:
        return np.arange(total)
    runs = max(n // _TOGETHER, 1)
    starts = np.round(np.linspace(0, total - _TOGETHER, runs)).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(_TOGETHER))


def read_frames(movie: Movie, frames: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Frames by number, (n, y, x); a run that lies within one segment is one read."""
    starts = {segment.start for segment in movie.clock.segments}
    cuts = [
        i
        for i in range(1, len(frames))
        if frames[i] != frames[i - 1] + 1 or int(frames[i]) in starts
    ]
    parts = [movie.frames(int(run[0]), int(run[-1]) + 1) for run in np.split(frames, cuts)]
    return np.concatenate(parts)


def smaller(frames: npt.NDArray[Any], geometry: Grid) -> Floats:
    """Frames, (n, y, x), as the smaller image of a grid."""
    from nissl.annotators.cells.motion.kernels import shrink

    out = np.empty((len(frames), *geometry.size), np.float32)
    native = np.ascontiguousarray(frames, dtype=frames.dtype.newbyteorder("="))
    shrink(native, geometry.factor, np.asarray(geometry.corner, np.int64), out)
    return out


def moved_back(image: Floats, nodes: Floats, factor: int) -> Floats:
    """A smaller image with its displacements, (rows, columns, 2) in px, taken out."""
    from nissl.annotators.cells.motion.kernels import padded, warped

    scaled = np.ascontiguousarray(nodes, np.float64) / factor
    margin = int(np.ceil(np.abs(scaled).max(initial=0.0))) + 3
    height, width = image.shape
    source = np.empty((height + 2 * margin, width + 2 * margin), np.float32)
    padded(image, margin, -margin, 0, 0.0, source)
    out = np.empty_like(image)
    warped(source, margin, scaled, np.array([0, height], np.int64), out)
    return out


def first_matcher(movie: Movie, settings: MotionSettings) -> Matcher:
    """Template of a movie of one plane from sampled frames, and the weights that suit it."""
    geometry = grid(movie.shape[1], movie.shape[2], settings)
    frames = sampled(movie, settings.sample)
    images = np.concatenate(
        [
            smaller(read_frames(movie, part), geometry)
            for part in np.array_split(frames, max(len(frames) // _ALIKE, 1))
        ]
    )
    known = matcher(
        geometry,
        images[0],
        first_coherence(),
        widest=settings.widest_px / geometry.factor,
        local=max(int(np.ceil(settings.local_px / geometry.factor)), 1),
    )
    known = retargeted(known, _most_alike(images, known))
    for step in range(_ROUNDS):
        known = retargeted(known, _mean_in_place(images, known, whole=True))
        if step == _ROUNDS // 2 - 1 and len(images) >= _ALIKE:
            known = retargeted(known, known.template, coherence_of(known, images))
    if known.blocks is None:
        return known
    if settings.stiffness_px is None:
        apart = float(np.clip(local_motion(known, images), LEAST_STIFFNESS_PX, 2.0))
        known = replace(known, grid=stiffened(known.grid, apart))
    return retargeted(known, _mean_in_place(images, known, whole=False))


def _most_alike(images: Floats, known: Matcher) -> Floats:
    """Mean of the frames that are most like one another as they are."""
    parts = []
    bare = retargeted(known, images.mean(axis=0))
    for image in images:
        _, spectra = rigid(bare, image[None])
        parts.append(spectra[0].ravel().view(np.float32))
    phases = np.stack(parts)
    alike = phases @ phases.T
    n = min(_ALIKE, len(images))
    near = np.sort(alike, axis=1)[:, ::-1][:, :n].mean(axis=1)
    best = np.argsort(-alike[int(np.argmax(near))], kind="stable")[:n]
    return np.asarray(images[best].mean(axis=0), np.float32)


def _mean_in_place(images: Floats, known: Matcher, *, whole: bool) -> Floats:
    """Mean of frames moved back; the worst fifth is left out, and the median stays where it is."""
    found = matched(known, images, local=not whole)
    nodes = found.nodes - np.median(found.nodes, axis=0)
    order = np.argsort(-found.height, kind="stable")[: max(int(len(images) * _USED), 1)]
    total = np.zeros(images.shape[1:])
    for index in np.sort(order):
        total += moved_back(images[index], nodes[index], known.grid.factor)
    return np.asarray(total / len(order), np.float32)


__all__ = ["first_matcher", "moved_back", "read_frames", "sampled", "smaller"]
