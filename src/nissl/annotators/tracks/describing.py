"""The item table of tracks: what review needs to know of a neuron without the movie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.volumes import Volumes
from nissl.labels import ItemTable, LabelSet

LOOKED_AT = 200
"""Volumes, spread evenly, in which brightness is read; places are known without reading."""
BLOCK_PX = 3
"""Side of the block around a place whose mean is its brightness; of one plane."""

UNITS = {
    "n_frames": "",
    "first_frame": "",
    "last_frame": "",
    "seen": "",
    "confidence": "",
    "x": "px",
    "y": "px",
    "z": "planes",
    "step": "px",
    "largest_step": "px",
}


def item_table(labels: LabelSet, volumes: Volumes) -> ItemTable:
    """Facts of tracks.

    Parameters
    ----------
    labels : LabelSet
        POINTS; tracks called "not neuron" are described by their rows as well.
    volumes : Volumes

    Returns
    -------
    ItemTable
        Columns of `UNITS`: volumes in which it was seen, the first and the last, their fraction
        of those that have a neuron at all; mean confidence (NaN when uncalibrated); median
        place; median and largest step between consecutive volumes, in the plane; and
        `brightness_<channel>`, the median over volumes, in the movie's unit.
    """
    told = positions_of_all(labels)
    seen = told.seen
    number = seen.sum(axis=0)
    steps = np.linalg.norm(np.diff(told.xyz[:, :, :2], axis=0), axis=2)
    steps[np.diff(told.frames) != 1] = np.nan
    order = np.arange(told.frames.size)[:, None]
    last = told.frames.size - 1
    there = number > 0
    frames = told.frames if told.frames.size else np.zeros(1, np.int64)
    first = frames[np.where(there, np.where(seen, order, last).min(axis=0, initial=last), 0)]
    final = frames[np.where(there, np.where(seen, order, 0).max(axis=0, initial=0), 0)]
    columns: dict[str, Any] = {
        "item": told.items,
        "n_frames": number.astype(np.int64),
        "first_frame": first.astype(np.int64),
        "last_frame": final.astype(np.int64),
        "seen": number / max(told.frames.size, 1),
        "confidence": _over_frames(np.nanmean, told.confidence),
    }
    for axis, name in enumerate("xyz"):
        columns[name] = _over_frames(np.nanmedian, told.xyz[:, :, axis])
    columns["step"] = _over_frames(np.nanmedian, steps)
    columns["largest_step"] = _over_frames(np.nanmax, steps)
    units = dict(UNITS)
    names = [f"brightness_{movie.name}" for movie in volumes.channels]
    for name, values in zip(names, brightness(told, volumes), strict=True):
        columns[name], units[name] = values, "as the movie"
    context = {
        "grid": list(volumes.shape),
        "n_frames": volumes.n_frames,
        "rate_hz": float(volumes.channels[0].rate_hz),
        "spacing_um": None if volumes.spacing_um is None else list(volumes.spacing_um),
        "channels": [movie.name for movie in volumes.channels],
    }
    return ItemTable(labels.digest, pa.table(columns), units, {}, context)


def named(items: ItemTable, before: ItemTable | None) -> ItemTable:
    """Item table with the names that the tracks have in another one; as it is where it has none."""
    if before is None or "name" not in before.table.column_names:
        return items
    names = dict(
        zip(
            before.table.column("item").to_pylist(),
            before.table.column("name").to_pylist(),
            strict=True,
        )
    )
    column = pa.array([names.get(item) for item in items.items.tolist()], pa.string())
    return replace(items, table=items.table.add_column(1, "name", column))


def positions_of_all(labels: LabelSet) -> Positions:
    """Positions of neurons and of what is called no neuron, so that every item has its facts."""
    table = labels.table.set_column(
        labels.table.schema.get_field_index("label"),
        labels.table.schema.field("label"),
        pa.array(np.zeros(labels.n_rows, np.int32)),
    )
    return Positions.from_labels(LabelSet(labels.kind, table, labels.vocabulary, labels.provenance))


def brightness(told: Positions, volumes: Volumes) -> npt.NDArray[np.float64]:
    """Median brightness of each track in each channel, (n_channels, n_tracks)."""
    within = np.flatnonzero((told.frames >= 0) & (told.frames < volumes.n_frames))
    few = np.linspace(0, within.size - 1, min(within.size, LOOKED_AT)).round().astype(np.intp)
    read = np.full((len(volumes.channels), few.size, told.items.size), np.nan)
    for k, row in enumerate(within[few].tolist()):
        volume = volumes[int(told.frames[row])]
        columns = np.flatnonzero(told.seen[row])
        read[:, k, columns] = light_at(volume, told.xyz[row, columns])
    return np.stack([_over_frames(np.nanmedian, each) for each in read])


def light_at(volume: npt.NDArray[np.float32], xyz: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean of the block of one plane around each place, (n_channels, n); NaN outside."""
    _, depth, height, width = volume.shape
    x, y, z = np.round(np.asarray(xyz, np.float64)).astype(np.int64).T
    half = BLOCK_PX // 2
    dy, dx = (k.ravel() for k in np.mgrid[-half : half + 1, -half : half + 1])
    inside = (z >= 0) & (z < depth) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    rows = np.clip(y[:, None] + dy, 0, height - 1)
    columns = np.clip(x[:, None] + dx, 0, width - 1)
    values = volume[:, np.clip(z, 0, depth - 1)[:, None], rows, columns].mean(axis=2)
    return np.where(inside, values.astype(np.float64), np.nan)


def _over_frames(statistic: Any, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Statistic of each column, NaN where a column has no number."""
    found = np.full(values.shape[1], np.nan)
    some = np.isfinite(values).any(axis=0)
    if some.any():
        found[some] = statistic(values[:, some].astype(np.float64), axis=0)
    return found
