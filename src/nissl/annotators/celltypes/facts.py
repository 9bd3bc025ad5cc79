"""What the view of cell types shows of each unit: curves, the template in space, the map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.celltypes.axes import (
    BEFORE,
    LAG_EDGES_S,
    LOG_S,
    N_DECILES,
    N_LAGS,
    N_WAVE,
    RATE_HZ,
    WAVE_MS,
)
from nissl.annotators.celltypes.inputs import curve
from nissl.annotators.celltypes.model import Model
from nissl.labels import FeatureTable, ItemTable, LabelSet

Values = npt.NDArray[np.float64]

N_NEAR = 16
"""Channels of a template that are kept for the view."""


def item_table(
    model: Model,
    labels: LabelSet,
    features: FeatureTable,
    items: ItemTable | None,
    unlike: Sequence[str],
) -> ItemTable:
    """Facts about the items of a set of cell types.

    Parameters
    ----------
    model : Model
    labels : LabelSet
        CLASSES, item = unit.
    features : FeatureTable
        Of the units.
    items : ItemTable, optional
        Of the sorting, for templates.
    unlike : sequence of str, length n_units
        Why a unit lies outside what the model knows.

    Returns
    -------
    ItemTable
        Columns "item", "target", every scalar, "unlike"; arrays "waveform" (n, 61), "acg",
        "isi" (n, 100), "acg3" (n, 10, 50), "template" (n, 61, k) with "template_position_um"
        (n, k, 2), "map" (n, 2), all float32; the context holds axes and class exemplars.
    """
    units = labels.column("target")
    order = np.argsort(labels.column("item"), kind="stable")
    rows = np.searchsorted(features.items, units[order])
    scalars = [
        (k, name)
        for k, name in enumerate(features.names)
        if not name.rpartition("_")[2].isdigit() or not name.startswith(("wave_", "acg", "isi_"))
    ]
    columns: dict[str, Any] = {
        "item": labels.column("item")[order],
        "target": units[order],
        "unlike": pa.array([unlike[row] for row in rows], pa.string()),
    }
    columns |= {name: features.values[rows, k] for k, name in scalars}
    template, position = templates(units[order], items)
    place = model.frame.inputs(features) @ model.projection
    arrays = {
        "waveform": curve(features, "waveform")[rows],
        "acg": curve(features, "acg")[rows],
        "isi": curve(features, "isi")[rows],
        "acg3": curve(features, "acg3")[rows].reshape(-1, N_DECILES, N_LAGS),
        "template": template,
        "template_position_um": position,
        "map": place[rows],
    }
    context = {
        "wave_ms": [float(v) for v in WAVE_MS],
        "log_s": [float(v) for v in LOG_S],
        "lag_edges_s": [float(v) for v in LAG_EDGES_S],
        "classes": [each.to_json() for each in model.exemplars],
    }
    return ItemTable(
        of=labels.digest,
        table=pa.table(columns),
        units={name: features.units[k] for k, name in scalars},
        arrays={name: array.astype(np.float32) for name, array in arrays.items()},
        context=context,
    )


def templates(units: npt.NDArray[np.int64], items: ItemTable | None) -> tuple[Values, Values]:
    """Templates on the channels nearest to the main one, and where these are.

    Parameters
    ----------
    units : ndarray, shape (n_units,), int64
    items : ItemTable, optional
        Of the sorting.

    Returns
    -------
    template : ndarray, shape (n_units, 61, k), float64
        On `WAVE_MS`, largest deflection 1 in size; NaN where not known.
    position_um : ndarray, shape (n_units, k, 2), float64
        NaN where not known.
    """
    given = None if items is None else items.arrays.get("template")
    if items is None or given is None or 0 in given.shape:
        return np.full((units.size, N_WAVE, 0), np.nan), np.full((units.size, 0, 2), np.nan)
    where = items.context.get("position_um")
    position = np.full((given.shape[2], 2), np.nan)
    if where:
        position = np.asarray([[np.nan if v is None else v for v in xy] for xy in where], float)
    k = min(N_NEAR, given.shape[2])
    template = np.full((units.size, N_WAVE, k), np.nan)
    place = np.full((units.size, k, 2), np.nan)
    rate_hz = float(items.context["rate_hz"])
    for row, unit in enumerate(units.tolist()):
        if np.isin(unit, items.items):
            own = given[items.row_of(unit)].astype(np.float64)
            near = _nearest(own, position, k)
            template[row, :, : near.size] = _on_axis(own[:, near], rate_hz)
            place[row, : near.size] = position[near]
    return template, place


def _nearest(template: Values, position: Values, k: int) -> npt.NDArray[np.intp]:
    """Channels with a template, the main one first, then by distance, else by size."""
    known = np.flatnonzero(np.isfinite(template).all(axis=0) & np.any(template != 0, axis=0))
    if not known.size:
        return known
    size = np.abs(template[:, known]).max(axis=0)
    main = known[size.argmax()]
    away = np.linalg.norm(position[known] - position[main], axis=1)
    order = np.argsort(np.where(np.isfinite(away), away, -size), kind="stable")
    return known[order][:k]


def _on_axis(own: Values, rate_hz: float) -> Values:
    if not own.size:
        return np.full((N_WAVE, 0), np.nan)
    at = np.unravel_index(np.abs(own).argmax(), own.shape)[0]
    wanted = at + np.arange(-BEFORE, N_WAVE - BEFORE) / RATE_HZ * rate_hz
    index = np.arange(len(own))
    columns = [np.interp(wanted, index, c, left=np.nan, right=np.nan) for c in own.T]
    return np.asarray(np.stack(columns, axis=1) / np.abs(own).max())
