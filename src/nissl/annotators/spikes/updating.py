"""Cheap update of the unit table after an edit, without the raw data."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.units import SCHEMA, declared_units, to_arrow, without_pairs
from nissl.labels import Edit, EditKind, ItemTable

WEIGHTED = ("x_um", "y_um", "amplitude_median_uv", "expected_false_positives")


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts about the units after a person's edit, as far as they follow from those before.

    Merged units get the sum of counts and rates, the spike-weighted mean of templates,
    positions, amplitudes and expected false positives, and the best channel of the largest of
    them; what would need the spikes or the samples is NaN until `describe` is run again. Split
    units keep their place and template, and lose everything that counts spikes. Removed units
    leave the table. Other edits change nothing.

    Parameters
    ----------
    items : ItemTable
    edit : Edit

    Returns
    -------
    ItemTable
        Still ``of`` the label set that the edit was made on.
    """
    known = np.isin(edit.items, items.items)
    if not np.any(known):
        return items
    if edit.kind is EditKind.MERGE and len(edit.items) > 1:
        return _merged(items, sorted(int(i) for i, k in zip(edit.items, known, strict=True) if k))
    if edit.kind is EditKind.SPLIT:
        return _split(items, int(edit.items[0]), edit.payload.get("rows", []))
    if edit.kind is EditKind.REMOVE:
        return _kept(items, ~np.isin(items.items, edit.items))
    return items


def _merged(items: ItemTable, merged: list[int]) -> ItemTable:
    rows = np.asarray([items.row_of(i) for i in merged])
    target = int(rows[0])
    columns = _columns(items)
    n = columns["n_spikes"][rows].astype(np.float64)
    weight = n / n.sum() if n.sum() > 0 else np.full(n.size, 1 / n.size)
    largest = int(rows[np.argmax(n)])
    for column in SCHEMA:
        values = columns[column.name]
        if column.name in ("n_spikes", "firing_rate_hz"):
            values[target] = values[rows].sum()
        elif column.name in WEIGHTED:
            values[target] = np.sum(values[rows] * weight)
        elif column.name in ("channel", "shank"):
            values[target] = values[largest]
        elif column.name == "snr":
            values[target] = np.sum(values[rows] * weight)
        elif column.name != "item":
            values[target] = np.nan
    arrays = {name: array.copy() for name, array in items.arrays.items()}
    if "template" in arrays:
        parts = arrays["template"][rows] * weight[:, None, None]
        arrays["template"][target] = parts.sum(axis=0)
    for name in arrays:
        if name != "template":
            arrays[name][target] = np.nan
    keep = ~np.isin(items.items, merged[1:])
    return _kept(_with(items, columns, arrays, merged), keep)


def _split(items: ItemTable, item: int, pieces: list[Any]) -> ItemTable:
    """Parts get the next free ids; spikes in none of them stay with the unit."""
    row, n = items.row_of(item), items.items.size
    columns, arrays = _columns(items), {k: v.copy() for k, v in items.arrays.items()}
    total = int(columns["n_spikes"][row])
    counts = [len(piece) for piece in pieces]
    rest = max(total - sum(counts), 0)
    order = np.concatenate([np.arange(n), np.full(len(counts), row)]).astype(np.intp)
    columns = {name: values[order] for name, values in columns.items()}
    arrays = {name: array[order] for name, array in arrays.items()}
    columns["item"][n:] = np.arange(len(counts)) + int(items.items[-1]) + 1
    for place, count in zip([row, *range(n, order.size)], [rest, *counts], strict=True):
        columns["n_spikes"][place] = count
        columns["firing_rate_hz"][place] *= count / max(total, 1)
        for column in SCHEMA:
            if column.name not in _KEPT_BY_PARTS:
                columns[column.name][place] = np.nan
        if "acg" in arrays:
            arrays["acg"][place] = np.nan
    changed = _with(items, columns, arrays, [item])
    return changed if rest else _kept(changed, np.arange(order.size) != row)


_KEPT_BY_PARTS = ("item", "n_spikes", "firing_rate_hz", "channel", "shank", "x_um", "y_um")


def _columns(items: ItemTable) -> dict[str, npt.NDArray[Any]]:
    """Writable copies of the declared columns; NaN where the table lacks one."""
    n = items.items.size
    names = set(items.table.column_names)
    return {
        c.name: np.array(items.table.column(c.name).to_numpy())
        if c.name in names
        else np.full(n, np.nan if c.dtype == "float64" else -1).astype(c.dtype)
        for c in SCHEMA
    }


def _with(
    items: ItemTable,
    columns: dict[str, npt.NDArray[Any]],
    arrays: dict[str, npt.NDArray[Any]],
    changed: list[int],
) -> ItemTable:
    context = without_pairs(items.context, changed)
    return ItemTable(items.of, to_arrow(columns), declared_units(), arrays, context)


def _kept(items: ItemTable, keep: npt.NDArray[np.bool_]) -> ItemTable:
    return ItemTable(
        items.of,
        items.table.filter(keep),
        items.units,
        {name: array[keep] for name, array in items.arrays.items()},
        items.context,
    )
