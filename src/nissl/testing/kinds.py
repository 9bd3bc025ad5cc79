"""A small project with one desk of every kind that needs no recording of its own to be shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.project import Project
from nissl.project.adding import keep
from nissl.testing.spans import span_project

GRID = (48, 64)
"""Rows and columns of the image that the regions and tracks lie in."""
CELLS = ("cell", "dendrite", "artifact")
_DISK_PX = 3


def kinds_project(folder: Path, rng: np.random.Generator, *, n_items: int = 24) -> Project:
    """Project with spans, and classes, points, regions and links beside them.

    Parameters
    ----------
    folder : Path
    rng : numpy.random.Generator
    n_items : int
        Regions, tracks, items with a class, and links; at least 2.

    Returns
    -------
    Project
        Open.
    """
    project = span_project(folder, rng, duration_s=60, n_spans=10)
    store = project.store
    source = store.sources()[0].fingerprint
    centres = np.stack([rng.uniform(_DISK_PX, side - _DISK_PX, n_items) for side in GRID], axis=1)
    regions = _regions(centres, source)
    keep(store, regions, items=store.put_items(_facts(regions, rng, {"grid": list(GRID)})))
    classes = _classes(n_items, source, regions.digest, rng)
    keep(store, classes, items=store.put_items(_facts(classes, rng, {})))
    keep(store, _tracks(centres, source, rng))
    keep(store, _links(n_items, source, regions.digest))
    return project


def _regions(centres: npt.NDArray[np.float64], source: str) -> LabelSet:
    """Disks on the grid."""
    rows, columns = np.indices(GRID)
    pixels, weights = [], []
    for row, column in centres.tolist():
        distance = np.hypot(rows - row, columns - column)
        inside = np.flatnonzero(distance <= _DISK_PX)
        pixels.append(inside.tolist())
        weights.append((1 / (1 + distance.ravel()[inside])).astype(np.float32).tolist())
    about = Provenance("cells", source, Author("model", "cells/disks", "1"))
    return LabelSet.build(
        Kind.REGIONS, {"pixels": pixels, "weights": weights}, ("cell", "no cell"), about
    )


def _classes(n: int, source: str, target: str, rng: np.random.Generator) -> LabelSet:
    p = rng.dirichlet(np.full(len(CELLS), 0.5), n).astype(np.float32)
    about = Provenance(
        "cell-kind", source, Author("model", "cell-kind/simulated", "1"), targets=(target,)
    )
    columns = {
        "target": np.arange(n),
        "label": p.argmax(axis=1).astype(np.int32),
        "confidence": p.max(axis=1),
        "probabilities": p,
    }
    return LabelSet.build(Kind.CLASSES, columns, CELLS, about)


def _tracks(
    centres: npt.NDArray[np.float64], source: str, rng: np.random.Generator, n_frames: int = 60
) -> LabelSet:
    """Random walks from each centre."""
    n = len(centres)
    steps = rng.normal(0, 0.4, (n, n_frames, 2)).cumsum(axis=1) + centres[:, None, :]
    about = Provenance("tracks", source, Author("model", "tracks/walk", "1"))
    columns = {
        "item": np.repeat(np.arange(n), n_frames),
        "frame": np.tile(np.arange(n_frames), n),
        "x": steps[:, :, 1].ravel().astype(np.float32),
        "y": steps[:, :, 0].ravel().astype(np.float32),
        "visible": np.ones(n * n_frames, bool),
    }
    return LabelSet.build(Kind.POINTS, columns, ("animal", "nothing"), about)


def _links(n: int, source: str, target: str) -> LabelSet:
    about = Provenance(
        "same-cell", source, Author("model", "same-cell/shift", "1"), targets=(target, target)
    )
    columns = {"a": np.arange(n), "b": np.roll(np.arange(n), 1)}
    return LabelSet.build(Kind.LINKS, columns, ("same", "different"), about)


def _facts(labels: LabelSet, rng: np.random.Generator, context: dict[str, object]) -> ItemTable:
    """Facts that differ between the first and the second half of the items, with pictures."""
    n = labels.items.size
    shift = (np.arange(n) >= n / 2) * 3.0
    table = pa.table(
        {
            "item": labels.items,
            "area_px": rng.normal(30 + shift, 1, n),
            "contrast": rng.normal(1 + shift, 0.3, n),
            "skewness": rng.normal(0, 1, n),
        }
    )
    time_s = np.linspace(0, 1, 80)
    arrays = {
        "trace": (rng.normal(0, 0.1, (n, 80)) + np.exp(-time_s * 4) * shift[:, None]).astype("f4"),
        "picture": rng.normal(0, 1, (n, 16, 16)).astype(np.float32),
    }
    units = {"area_px": "px", "contrast": "", "skewness": "", "trace": "dF/F", "picture": ""}
    return ItemTable(of=labels.digest, table=table, units=units, arrays=arrays, context=context)
