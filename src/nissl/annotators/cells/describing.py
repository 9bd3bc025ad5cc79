"""The item table of cells: what review and learners need to know without the movie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.cells.features import UNITS, described, patches, thumbnails
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.traces import Traces, TraceSettings, extract, ring_means
from nissl.data import Movie
from nissl.labels import ItemTable, LabelSet
from nissl.run.context import Context

PATCH_PX = 41
TRACE_POINTS = 400
PICTURES = ("mean", "max", "std", "correlation", "peak_to_noise", "active")


def item_table(
    labels: LabelSet,
    cells: Footprints,
    traces: Traces | None,
    images: Mapping[str, npt.NDArray[Any]],
    movie: Movie,
    *,
    scores: Mapping[str, npt.NDArray[Any]] | None = None,
    field: float | None = None,
) -> ItemTable:
    """Facts of cells, with a patch of the mean and of the correlation image, and a small trace.

    Parameters
    ----------
    labels : LabelSet
        REGIONS, one row per cell.
    cells : Footprints
        The same cells in the order of the rows.
    traces : Traces, optional
    images : mapping of str to ndarray, shape (z, y, x)
    movie : Movie
    scores : mapping of str to ndarray, shape (n_cells,), optional
        "shape_score", "activity_score" and "window_score".
    field : float, optional
        The field's neuropil coefficient, for whoever reads a cell anew.

    Returns
    -------
    ItemTable
        Columns `origin` and those of `features.UNITS`; arrays `patch`, `patch_correlation`
        (n, PATCH_PX, PATCH_PX) and `trace` (n, n_points), dF/F as a fraction.
    """
    item = labels.column("item")
    order = np.argsort(item, kind="stable")
    facts = described(cells, traces, images, ring_means(cells), movie.rate_hz, scores or {})
    columns: dict[str, Any] = {"item": item[order]}
    columns["origin"] = [cells.origin[k] for k in order.tolist()]
    columns |= {name: values[order] for name, values in facts.items()}
    arrays: dict[str, npt.NDArray[Any]] = {}
    names = {"patch": "mean", "patch_correlation": "correlation"}
    for name, image in names.items():
        if image in images:
            arrays[name] = patches(cells, images[image], PATCH_PX)[order]
    if traces is not None:
        arrays["trace"] = thumbnails(traces.dff, TRACE_POINTS)[order]
    context = {
        "grid": list(movie.shape),
        "rate_hz": float(movie.rate_hz),
        "n_frames": movie.n_frames,
        "spacing_um": None if movie.spacing_um is None else list(movie.spacing_um),
        "neuropil_coefficient": field,
    }
    units = {**UNITS, **dict.fromkeys(arrays, "")}
    return ItemTable(labels.digest, pa.table(columns), units, arrays, context)


def described_anew(labels: LabelSet, movie: Movie, context: Context) -> ItemTable:
    """Facts of cells that came from elsewhere: pictures and traces are made from the movie."""
    cells = Footprints.from_labels(labels, movie.shape)
    images = field_images(movie, context)
    traces = extract(movie, cells, context, TraceSettings())
    known = traces.coefficient[np.isfinite(traces.coefficient_error)]
    field = float(np.median(known)) if known.size else None
    return item_table(labels, cells, traces, images, movie, field=field)


def field_images(movie: Movie, context: Context) -> dict[str, npt.NDArray[np.float32]]:
    """Pictures of the whole field, each (z, y, x), from one pass over each plane."""
    from nissl.annotators.cells.summary import summarise

    planes: dict[str, list[Any]] = {}
    for z in range(movie.n_planes):
        own = context if movie.n_planes == 1 else replace(context, workdir=context.workdir / f"{z}")
        summary = summarise(movie.plane(z), own)
        for name in PICTURES:
            planes.setdefault(name, []).append(np.asarray(getattr(summary, name), np.float32))
    return {name: np.stack(each) for name, each in planes.items()}
