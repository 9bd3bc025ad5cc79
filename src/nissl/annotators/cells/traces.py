"""Traces of cells: read once through the movie, demixed, freed of neuropil, relative to rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.baseline import bleaching, relative, running_baseline
from nissl.annotators.cells.demix import demixing
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.neuropil import annuli, coefficients
from nissl.annotators.cells.noise import noise_deviation, noise_level
from nissl.annotators.cells.summary import definition
from nissl.data import Movie
from nissl.errors import BadArgumentError
from nissl.labels.digest import digest_array
from nissl.run.chunks import Chunk, plan_chunks
from nissl.run.context import Context
from nissl.run.execute import run_chunks
from nissl.run.results import stage_key

MODALITIES = ("two-photon", "one-photon")
_CHUNK_BYTES = 64 * 10**6
_LEAST_SHARE = 0.05
_CELLS_AT_ONCE = 64


@dataclass(frozen=True)
class TraceSettings:
    """How traces are made.

    Parameters
    ----------
    modality : {"two-photon", "one-photon"}
        Two-photon: a ring of neuropil, of which a fitted part is taken off. One-photon: the
        background that the ring model predicts is taken off whole.
    baseline_s : float
        Window of the running baseline, seconds.
    quantile : float
        Of the window, that lies in the cell's rest.
    coefficient : float, optional
        Part of the neuropil to take off every cell; fitted for each by default.
    dark : float
        What the detector reads without light, in the movie's unit: taken off the fluorescence
        at rest before dF/F is divided by it.
    diameter_px : float
        Of a cell; the ring of the ring model has this radius.
    """

    modality: str = "two-photon"
    baseline_s: float = 60.0
    quantile: float = 0.2
    coefficient: float | None = None
    dark: float = 0.0
    diameter_px: float = 12.0

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise BadArgumentError(
                f"a modality among {MODALITIES}", repr(self.modality), "Use one of them."
            )
        if not (self.baseline_s > 0 and 0 < self.quantile < 1 and self.diameter_px > 0):
            raise BadArgumentError(
                "a window and a diameter above 0 and a quantile between 0 and 1",
                f"{self.baseline_s} s, {self.diameter_px} px, {self.quantile}",
                "Leave them out for the defaults.",
            )


@dataclass(frozen=True, eq=False)
class Traces:
    """What every cell did.

    Parameters
    ----------
    raw : ndarray, shape (n_frames, n_cells), float32
        Brightness of the cell's pixels in the movie's unit, without what cells that overlap it
        add; background and neuropil are still in it.
    neuropil : ndarray, shape (n_frames, n_cells), float32
        Brightness around the cell (two-photon), or the background predicted at it (one-photon).
    dff : ndarray, shape (n_frames, n_cells), float32
        Change relative to the running baseline, a fraction. One-photon: relative to cell and
        background together, hence a lower bound.
    coefficient, coefficient_error : ndarray, shape (n_cells,), float32
        Part of the neuropil that was taken off, and the standard error of its fit.
    baseline : ndarray, shape (n_cells,), float32
        Median of the baseline by which was divided.
    bleached : ndarray, shape (n_cells,), float32
        Fraction of the baseline lost between the ends of the recording.
    noise : ndarray, shape (n_cells,), float32
        Noise level, % per sqrt(Hz).
    floored : ndarray, shape (n_cells,), bool
        Whether the baseline without neuropil was too low to divide by and was raised.
    told_apart : ndarray, shape (n_cells,), bool
        False for cells that coincide with others.
    missing : ndarray, shape (n_cells,), float32
        Fraction of frames without a number; they are NaN in `raw` and `dff`.
    """

    raw: npt.NDArray[np.float32]
    neuropil: npt.NDArray[np.float32]
    dff: npt.NDArray[np.float32]
    coefficient: npt.NDArray[np.float32]
    coefficient_error: npt.NDArray[np.float32]
    baseline: npt.NDArray[np.float32]
    bleached: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]
    floored: npt.NDArray[np.bool_]
    told_apart: npt.NDArray[np.bool_]
    missing: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.raw.shape[1])


def extract(
    movie: Movie,
    footprints: Footprints,
    context: Context,
    settings: TraceSettings | None = None,
    *,
    around: Any = None,
    field: float | None = None,
) -> Traces:
    """Traces of cells in a movie, in one pass, chunk by chunk.

    Parameters
    ----------
    movie : Movie
        Corrected for motion.
    footprints : Footprints
    context : Context
    settings : TraceSettings, optional
    around : scipy.sparse.csr_array, shape (n_cells, n_pixels), optional
        Operator that gives the brightness around each cell: `surround` by default.
    field : float, optional
        The field's neuropil coefficient, where it is known from other cells.

    Returns
    -------
    Traces
    """
    from scipy.sparse import csr_array, vstack

    chosen = TraceSettings() if settings is None else settings
    if footprints.shape != movie.shape:
        raise BadArgumentError(
            f"footprints on the movie's field of {movie.shape} voxels",
            f"a field of {footprints.shape}",
            "They belong to another movie, or to one of another size.",
        )
    n_cells = len(footprints)
    own = demixing(footprints)
    if around is None:
        around = surround(movie, footprints, context, chosen)
    both = csr_array(vstack([own.operator, around], format="csr"))
    used = np.unique(both.indices)
    index = np.zeros(int(np.prod(movie.shape)), np.int32)
    index[used] = np.arange(used.size, dtype=np.int32)
    operator = csr_array(
        (both.data.astype(np.float32), index[both.indices], both.indptr),
        shape=(2 * n_cells, used.size),
    )
    read = np.full((movie.n_frames, 2 * n_cells), np.nan, np.float32)
    if n_cells:
        size = max(min(_CHUNK_BYTES // (8 * movie.n_pixels), 512), 1)
        chunks = plan_chunks(movie.clock, size)
        parts = (operator.data, operator.indices, operator.indptr, used)
        key = stage_key(
            "traces",
            definition(movie) | {"operator": [digest_array(np.asarray(part)) for part in parts]},
        )
        found = run_chunks(
            _project,
            chunks,
            (movie, operator, used),
            context,
            key=key,
            memory_per_chunk=size * movie.n_pixels * (movie.dtype.itemsize + 12),
            stage="traces",
            rate_hz=movie.rate_hz,
        )
        for chunk, arrays in zip(chunks, found, strict=True):
            read[chunk.start : chunk.stop] = arrays["values"]
    around_it = read[:, n_cells:]
    raw = read[:, :n_cells]
    raw += (1.0 - own.gain) * around_it
    bare = np.diff(around.indptr) == 0
    return finished(raw, around_it, bare, own.told_apart, movie.rate_hz, chosen, field)


def surround(
    movie: Movie, footprints: Footprints, context: Context, settings: TraceSettings
) -> Any:
    """Operator that gives the brightness around each cell, (n_cells, n_pixels) CSR float32."""
    if settings.modality == "one-photon":
        from nissl.annotators.cells.ring import background_operator

        return background_operator(movie, footprints, context, settings.diameter_px)
    return ring_means(footprints)


def ring_means(footprints: Footprints) -> Any:
    """Operator that gives the mean of the ring around each cell, (n_cells, n_pixels) CSR."""
    from scipy.sparse import csr_array

    rings = annuli(footprints)
    indptr = np.cumsum([0, *(ring.size for ring in rings)])
    columns = np.concatenate([*rings, np.zeros(0, np.int64)])
    values = np.repeat([1.0 / max(ring.size, 1) for ring in rings], [r.size for r in rings])
    shape = (len(footprints), int(np.prod(footprints.shape)))
    return csr_array((values.astype(np.float32), columns, indptr), shape=shape)


def _project(shared: Any, chunk: Chunk) -> dict[str, npt.NDArray[Any]]:
    """Values of all rows of an operator in the frames of a chunk."""
    movie, operator, used = shared
    frames = movie.read(chunk.start, chunk.stop)
    pixels = frames.reshape(len(frames), -1)[:, used]
    columns = np.ascontiguousarray(pixels.T, np.float32)
    if np.issubdtype(movie.dtype, np.floating):
        known = np.isfinite(columns)
        if not known.all():
            return {"values": _of_the_known(operator, columns, known)}
    return {"values": np.ascontiguousarray((operator @ columns).T)}


def _of_the_known(operator: Any, columns: Any, known: Any) -> npt.NDArray[np.float32]:
    """Values from the pixels that are numbers; NaN where less than half the weight is known."""
    strength = abs(operator)
    share = (strength @ known.astype(np.float32)) / np.maximum(
        strength.sum(axis=1)[:, None], np.float32(1e-12)
    )
    values = (operator @ np.where(known, columns, np.float32(0))) / np.maximum(share, 1e-6)
    return np.ascontiguousarray(np.where(share < 0.5, np.nan, values).T.astype(np.float32))


def finished(
    raw: npt.NDArray[np.float32],
    around: npt.NDArray[np.float32],
    bare: npt.NDArray[np.bool_],
    told_apart: npt.NDArray[np.bool_],
    rate_hz: float,
    settings: TraceSettings,
    field: float | None = None,
) -> Traces:
    """Traces from what was read: neuropil off, relative to rest, with all that is said of them.

    Parameters
    ----------
    raw, around : ndarray, shape (n_frames, n_cells), float32
    bare : ndarray, shape (n_cells,), bool
        Cells with nothing free around them, from which nothing is taken off.
    told_apart : ndarray, shape (n_cells,), bool
    rate_hz : float
    settings : TraceSettings
    field : float, optional
        See `extract`.
    """
    n_frames, n_cells = raw.shape
    whole, beside = _bridged(raw), _bridged(around)
    error = np.full(n_cells, np.nan, np.float32)
    if settings.modality == "one-photon":
        part = np.ones(n_cells, np.float32)
    elif settings.coefficient is not None:
        part = np.full(n_cells, settings.coefficient, np.float32)
    else:
        fit = coefficients(whole, beside, rate_hz, slow_s=settings.baseline_s, field=field)
        part, error = fit.value, fit.error
    part = np.where(bare, np.float32(0), part)
    dff = np.empty((n_frames, n_cells), np.float32)
    facts = np.full((4, n_cells), np.nan, np.float32)
    raised = np.zeros(n_cells, bool)
    for start in range(0, n_cells, _CELLS_AT_ONCE):
        some = slice(start, start + _CELLS_AT_ONCE)
        clean = whole[:, some] - part[some] * beside[:, some]
        rest = _at_rest(whole[:, some], clean, part[some], rate_hz, settings)
        dff[:, some], raised[some] = rest.relative
        unknown = ~np.isfinite(raw[:, some])
        dff[:, some][unknown] = np.nan
        facts[0, some] = np.median(rest.level, axis=0) if n_frames else np.nan
        facts[1, some] = bleaching(rest.level)
        facts[2, some] = noise_level(dff[:, some], rate_hz)
        facts[3, some] = unknown.mean(axis=0) if n_frames else 1.0
    return Traces(
        raw=np.ascontiguousarray(raw),
        neuropil=np.ascontiguousarray(beside),
        dff=dff,
        coefficient=part,
        coefficient_error=error,
        baseline=facts[0],
        bleached=facts[1],
        noise=facts[2],
        floored=raised,
        told_apart=told_apart,
        missing=facts[3],
    )


@dataclass(frozen=True, eq=False)
class _Rest:
    """Level at rest by which is divided, and dF/F with whose level had to be raised."""

    level: npt.NDArray[np.float32]
    relative: tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def _at_rest(
    whole: npt.NDArray[np.float32],
    clean: npt.NDArray[np.float32],
    part: npt.NDArray[np.float32],
    rate_hz: float,
    settings: TraceSettings,
) -> _Rest:
    """Take the baseline off some cells, and divide by it."""
    window = {"window_s": settings.baseline_s, "quantile": settings.quantile}
    level = running_baseline(clean, rate_hz, **window)
    two = settings.modality == "two-photon"
    # what the ring model leaves of a one-photon movie has no level of its own
    rest = level if two else running_baseline(whole, rate_hz, **window)
    rest = rest - np.float32(settings.dark) * (1 - part if two else np.ones_like(part))
    floor = np.maximum(np.nan_to_num(noise_deviation(clean)), np.float32(1e-6))
    if len(whole):
        floor = np.maximum(floor, np.float32(_LEAST_SHARE) * np.abs(np.median(whole, axis=0)))
    return _Rest(rest, relative(clean - level + rest, rest, floor.astype(np.float32)))


def _bridged(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Traces whose NaN are interpolated; 0 where nothing is known."""
    known = np.isfinite(values)
    if known.all():
        return values
    out, at = values.copy(), np.arange(len(values))
    for k in np.flatnonzero(~known.all(axis=0)).tolist():
        good = known[:, k]
        out[:, k] = np.interp(at, at[good], values[good, k]) if good.any() else 0.0
    return out
