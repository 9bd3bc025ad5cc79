"""One pass over a movie: where each frame lies, and sums of the frames before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.motion.matching import LEAST_HEIGHT, Matcher, matched
from nissl.annotators.cells.motion.template import moved_back, smaller
from nissl.annotators.cells.summary import definition
from nissl.data import Movie
from nissl.labels.digest import digest_json
from nissl.run.chunks import Chunk, plan_chunks
from nissl.run.context import Context
from nissl.run.execute import resumable, run_chunks
from nissl.run.results import stage_key

VERSION = 1
CHUNK_FRAMES = 240
_READ_BYTES = 16 * 10**6

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Passed:
    """What a pass gives; frames first, then planes.

    Parameters
    ----------
    frames : mapping of str to ndarray
        "shift", "nodes", "error", "height", "before" and "after" (correlations with the template).
    before : ndarray, shape (n_planes, h, w), float64
        Sum of the smaller images as they are.
    after : ndarray, shape (n_chunks, 2, n_planes, h, w), float32
        Mean of the corrected even and odd frames of each chunk that could be placed.
    weight : ndarray, shape (n_chunks, 2, n_planes), int64
        How many those are.
    starts : ndarray, shape (n_chunks,), int64
    """

    frames: Arrays
    before: npt.NDArray[np.float64]
    after: Floats
    weight: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    def template(self) -> npt.NDArray[np.float64]:
        """Mean of all corrected frames, (n_planes, h, w); NaN where none could be placed."""
        total = (self.after.astype(np.float64) * self.weight[..., None, None]).sum(axis=(0, 1))
        number = self.weight.sum(axis=(0, 1))[:, None, None]
        return np.asarray(total / np.where(number > 0, number, np.nan))


def pass_over(movie: Movie, known: tuple[Matcher, ...], context: Context, *, number: int) -> Passed:
    """Match every frame of every plane with the templates, in chunks."""
    at_once = max(1, _READ_BYTES // (4 * movie.n_pixels))
    chunks = plan_chunks(movie.clock, CHUNK_FRAMES)
    key = stage_key(
        "motion",
        definition(movie)
        | {
            "version": VERSION,
            "pass": number,
            "templates": digest_json([_fingerprint(each) for each in known]),
        },
    )
    results = run_chunks(
        _chunk,
        chunks,
        (movie, known, at_once),
        context,
        key=key,
        memory_per_chunk=_bytes(movie, known, at_once),
        stage=f"motion, pass {number + 1}",
        rate_hz=movie.rate_hz,
    )
    found: dict[str, list[npt.NDArray[Any]]] = {}
    with resumable("motion"):
        for arrays in results:
            for name, value in arrays.items():
                if name == "before" and found.get(name):
                    found[name][0] += value
                else:
                    found.setdefault(name, []).append(value)
    per_frame = ("shift", "nodes", "error", "height", "fit_before", "fit_after")
    return Passed(
        {name: np.concatenate(found[name]) for name in per_frame},
        found["before"][0],
        np.stack(found["after"]),
        np.stack(found["weight"]),
        np.asarray([chunk.start for chunk in chunks], np.int64),
    )


def _fingerprint(known: Matcher) -> list[Any]:
    import hashlib

    parts = [known.template, known.coherence, known.grid.prior, known.grid.origins]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts))
    return [digest.hexdigest(), known.widest, known.local, list(known.grid.reach)]


def _bytes(movie: Movie, known: tuple[Matcher, ...], at_once: int) -> int:
    """Peak of a chunk: frames as read, smaller images with their spectra, blocks, sums."""
    grid = known[0].grid
    small = grid.size[0] * grid.size[1]
    blocks = len(grid.origins) * grid.block[0] * grid.block[1]
    stored = movie.n_pixels * movie.dtype.itemsize
    nodes = CHUNK_FRAMES * movie.n_planes * grid.nodes[0] * grid.nodes[1] * 8
    return (
        2 * at_once * stored
        + 24 * at_once * small
        + 24 * blocks
        + nodes
        + (movie.n_planes * small * 48 + 20 * 10**6)
    )


def _chunk(shared: tuple[Movie, tuple[Matcher, ...], int], chunk: Chunk) -> Arrays:
    movie, known, at_once = shared
    planes = [_plane(movie.plane(z), each, at_once, chunk) for z, each in enumerate(known)]
    axis = {"before": 0, "after": 1, "weight": 1}
    return {
        name: np.stack([plane[name] for plane in planes], axis=axis.get(name, 1))
        for name in planes[0]
    }


def _plane(movie: Movie, known: Matcher, at_once: int, chunk: Chunk) -> Arrays:
    grid = known.grid
    before = np.zeros(grid.size)
    after = np.zeros((2, *grid.size))
    weight = np.zeros(2, np.int64)
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    reference = _standard(known.template, known)
    for start in range(chunk.start, chunk.stop, at_once):
        stop = min(start + at_once, chunk.stop)
        images = smaller(movie.frames(start, stop), grid)
        found = matched(known, images)
        fits = np.zeros((2, len(images)), np.float32)
        for index, image in enumerate(images):
            back = moved_back(image, found.nodes[index], grid.factor)
            before += image
            if found.height[index] >= LEAST_HEIGHT:
                half = (start + index) % 2
                after[half] += back
                weight[half] += 1
            for row, seen in enumerate((image, back)):
                fits[row, index] = np.vdot(_standard(seen, known), reference)
        values = {
            "shift": found.shift.astype(np.float32),
            "nodes": found.nodes,
            "error": found.error.astype(np.float32),
            "height": found.height.astype(np.float32),
            "fit_before": fits[0],
            "fit_after": fits[1],
        }
        for name, value in values.items():
            parts.setdefault(name, []).append(value)
    mean = after / np.maximum(weight, 1)[:, None, None]
    joined = {name: np.concatenate(value) for name, value in parts.items()}
    return joined | {"before": before, "after": mean.astype(np.float32), "weight": weight}


def _standard(image: Floats, known: Matcher) -> Floats:
    """The smoothed inner part of an image, of mean 0 and length 1."""
    from nissl.annotators.cells.summary_kernels import smooth_all

    smooth = np.empty((1, *image.shape), np.float32)
    smooth_all(np.ascontiguousarray(image[None]), smooth)
    edge = [min(reach, n // 4) for reach, n in zip(known.grid.reach, image.shape, strict=True)]
    inner = smooth[0, edge[0] : image.shape[0] - edge[0], edge[1] : image.shape[1] - edge[1]]
    apart = inner - inner.mean(dtype=np.float64).astype(np.float32)
    length = float(np.sqrt(np.einsum("yx,yx->", apart, apart)))
    return np.asarray(apart / np.float32(length) if length > 0 else apart)


__all__ = ["CHUNK_FRAMES", "Passed", "pass_over"]
