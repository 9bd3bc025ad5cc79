"""A movie made smaller in time and space, for what needs to look at it more than once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.summary import definition
from nissl.data import Movie
from nissl.run.chunks import Chunk, plan_chunks
from nissl.run.context import Context
from nissl.run.execute import run_chunks
from nissl.run.results import stage_key

_CHUNK_BYTES = 64 * 10**6


def binned(
    movie: Movie, context: Context, frames: int, *, factor: int = 1, on_disk: bool = False
) -> npt.NDArray[np.float32]:
    """Means over blocks of frames and of pixels, in one pass.

    Parameters
    ----------
    movie : Movie
    context : Context
    frames : int
        Frames of a block; blocks cross no gap, and the last of a segment may be shorter.
    factor : int
        Pixels of a block along y and x; what is left over at the lower and right edges makes
        narrower blocks.
    on_disk : bool
        Keep the result in a file of the job's folder that is mapped, not held, in memory.

    Returns
    -------
    ndarray, shape (n_blocks, z, ceil(y / factor), ceil(x / factor)), float32
        Pixels that are NaN in all frames of a block stay NaN.
    """
    per_chunk = max(_CHUNK_BYTES // (8 * movie.n_pixels * frames), 1) * frames
    chunks = plan_chunks(movie.clock, per_chunk)
    counts = [-(-chunk.n_samples // frames) for chunk in chunks]
    depth, height, width = movie.shape
    shape = (sum(counts), depth, -(-height // factor), -(-width // factor))
    key = stage_key("binned", definition(movie) | {"frames": frames, "factor": factor})
    path = context.workdir / f"{key}.npy"
    out: Any = np.empty(0, np.float32)
    if on_disk:
        context.workdir.mkdir(parents=True, exist_ok=True)
        out = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    else:
        out = np.empty(shape, np.float32)
    found = run_chunks(
        _means,
        chunks,
        (movie, frames, factor),
        context,
        key=key,
        memory_per_chunk=per_chunk * movie.n_pixels * (movie.dtype.itemsize + 8),
        stage="smaller movie",
        rate_hz=movie.rate_hz,
    )
    start = 0
    for count, arrays in zip(counts, found, strict=True):
        out[start : start + count] = arrays["means"]
        start += count
    if on_disk:
        out.flush()
    return np.asarray(out) if not on_disk else out


def _means(shared: Any, chunk: Chunk) -> dict[str, npt.NDArray[Any]]:
    movie, frames, factor = shared
    return {"means": block_means(movie.read(chunk.start, chunk.stop), frames, factor)}


def block_means(values: npt.NDArray[Any], frames: int, factor: int) -> npt.NDArray[np.float32]:
    """Means of blocks of an array of shape (t, z, y, x), NaN left out, float32."""
    missing = None
    if np.issubdtype(values.dtype, np.floating):
        known = np.isfinite(values)
        if not known.all():
            values, missing = np.where(known, values, 0), known
    total = _sums(values, frames, factor)
    number = _sums(
        np.ones(values.shape, np.float32) if missing is None else missing, frames, factor
    )
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(number > 0, number, np.nan), np.float32)


def _sums(values: npt.NDArray[Any], frames: int, factor: int) -> npt.NDArray[np.float32]:
    whole = len(values) // frames
    blocks = values[: whole * frames].reshape(whole, frames, *values.shape[1:])
    out = blocks.sum(axis=1, dtype=np.float32)
    if whole * frames < len(values):
        rest = values[whole * frames :].sum(axis=0, dtype=np.float32)
        out = np.concatenate([out, rest[None]])
    if factor > 1:
        out = np.add.reduceat(out, np.arange(0, values.shape[2], factor), axis=2)
        out = np.add.reduceat(out, np.arange(0, values.shape[3], factor), axis=3)
    return np.asarray(out, np.float32)
