"""What is doubtful about cells, their traces and their movie."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.cells.vocabulary import CELL
from nissl.data import Movie
from nissl.labels import ItemTable, LabelSet
from nissl.tasks import Finding

FEW_FRAMES = 100
LEAST_HZ, MOST_HZ = 0.05, 5000.0
LOOKED_AT = 60
_NOISY, _BLEACHED, _SHARED, _MISSING = 8.0, 0.5, 0.6, 0.02
_SATURATED, _ALIKE = 1e-4, 0.9

Told = tuple[str, str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]], float, str, str]
_OF_CELLS: tuple[Told, ...] = (
    (
        "noise",
        "note",
        lambda v: v > _NOISY,
        _NOISY,
        "%/sqrt(Hz)",
        "Its trace is so noisy that single spikes cannot be seen in it.",
    ),
    (
        "bleached",
        "note",
        lambda v: v > _BLEACHED,
        _BLEACHED,
        "",
        "More than half of its fluorescence was lost during the recording.",
    ),
    (
        "baseline",
        "warning",
        lambda v: v <= 0,
        0.0,
        "",
        "Its fluorescence at rest is not above zero, so that dF/F means nothing: check the "
        "movie's offset.",
    ),
    (
        "overlap",
        "note",
        lambda v: v > _SHARED,
        _SHARED,
        "",
        "Most of its pixels belong to other cells too.",
    ),
    (
        "missing",
        "warning",
        lambda v: v > _MISSING,
        _MISSING,
        "",
        "Frames of its trace have no number.",
    ),
    (
        "neighbour_correlation",
        "note",
        lambda v: v > _ALIKE,
        _ALIKE,
        "",
        "It does what a neighbour does: perhaps one cell was cut in two.",
    ),
)


def check(labels: LabelSet, items: ItemTable | None, movie: Movie | None) -> list[Finding]:
    """Findings of cells, and of their movie where it is at hand."""
    found = [] if movie is None else of_movie(movie)
    if movie is not None:
        found += _outside(labels, movie)
    if not np.any(labels.column("label") == CELL):
        sentence = "No region is called a cell: is this the right plane, channel and diameter?"
        found.append(Finding("no_cells", "warning", sentence))
    return found if items is None else found + _of_items(items)


def of_movie(movie: Movie) -> list[Finding]:
    """Findings of a movie: its rate, its length, and some of its frames."""
    found = []
    if not LEAST_HZ <= movie.rate_hz <= MOST_HZ:
        sentence = f"A frame rate of {movie.rate_hz:g} Hz is unlikely; traces depend on it."
        limit = LEAST_HZ if movie.rate_hz < LEAST_HZ else MOST_HZ
        found.append(
            Finding("frame_rate", "warning", sentence, value=movie.rate_hz, limit=limit, unit="Hz")
        )
    if movie.n_frames < FEW_FRAMES:
        sentence = f"{movie.n_frames} frames show shapes, but hardly activity."
        found.append(
            Finding("few_frames", "warning", sentence, value=movie.n_frames, limit=FEW_FRAMES)
        )
    places = np.unique(np.linspace(0, movie.n_frames - 1, min(LOOKED_AT, movie.n_frames)))
    frames = [movie.read(int(k), int(k) + 1)[0] for k in places]
    values = np.stack(frames) if frames else np.zeros((0, 1), np.uint8)
    if values.size and not np.any(values != values.flat[0]):
        sentence = "All pixels are the same: the shutter was closed, or the file is empty."
        return [*found, Finding("black", "error", sentence)]
    if values.size and np.issubdtype(values.dtype, np.integer):
        full = float(np.mean(values >= _ceiling(values)))
        if full > _SATURATED:
            sentence = f"{full:.2%} of the pixels are as bright as can be: transients are cut off."
            found.append(Finding("saturated", "warning", sentence, value=full, limit=_SATURATED))
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        share = float(1 - np.isfinite(values).mean())
        sentence = f"{share:.2%} of the pixels are no numbers; traces leave them out."
        found.append(Finding("not_a_number", "warning", sentence, value=share, limit=0.0))
    return found


def _ceiling(values: npt.NDArray[np.integer]) -> float:
    """Largest count of the detector: that of the type, or of 12, 13, 14 or 15 bits if reached."""
    largest = int(values.max())
    for bits in (8, 12, 13, 14, 15, 16):
        if largest == 2**bits - 1:
            return float(largest)
    return float(np.iinfo(values.dtype).max)


def _outside(labels: LabelSet, movie: Movie) -> list[Finding]:
    import pyarrow.compute as pc

    column = labels.table.column("pixels").combine_chunks()
    flat = pc.list_flatten(column).to_numpy(zero_copy_only=False)
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    item = np.repeat(labels.column("item"), lengths)
    wrong = np.unique(item[(flat < 0) | (flat >= movie.n_pixels)])
    sentence = "It has pixels outside the image: it belongs to another movie."
    return [Finding("outside", "error", sentence, item=int(k)) for k in wrong.tolist()]


def _of_items(items: ItemTable) -> list[Finding]:
    found = []
    for name, severity, doubtful, limit, unit, sentence in _OF_CELLS:
        if name not in items.table.column_names:
            continue
        values = items.table.column(name).cast(pa.float64()).to_numpy()
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(doubtful(values))
        for row in rows.tolist():
            item, value = int(items.items[row]), float(values[row])
            found.append(
                Finding(name, severity, sentence, item=item, value=value, limit=limit, unit=unit)
            )
    return found
