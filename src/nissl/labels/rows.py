"""Rows of a label set: built from plain columns, put in order, held to their invariants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nissl.errors import BadLabelsError
from nissl.labels.kinds import OPTIONAL, Kind, extra_columns, schema

ORDER = {
    Kind.EVENTS: "sample",
    Kind.SPANS: "start",
    Kind.POINTS: "frame",
    Kind.REGIONS: "frame",
    Kind.CLASSES: "id",
    Kind.LINKS: "id",
}
"""The column that each kind's rows are sorted by; ties by id."""


def table_of(kind: Kind, columns: Mapping[str, Any], n_classes: int) -> pa.Table:
    """Table of a kind from plain columns; the values are copied.

    See `nissl.labels.LabelSet.build` for the defaults.
    """
    wanted = schema(kind, n_classes, columns)
    unknown = sorted(set(columns) - set(wanted.names))
    missing = [
        f.name
        for f in wanted
        if f.name in extra_columns(kind) and not f.nullable and f.name not in columns
    ]
    if unknown or missing:
        raise BadLabelsError(
            f"columns among {[*schema(kind, n_classes).names, *OPTIONAL.get(kind, ())]}",
            f"unknown {unknown}, missing {missing}",
            f"Give the columns of the kind {kind.value!r}.",
        )
    n = len(columns[next(f.name for f in wanted if f.name in columns)])
    default: dict[str, Any] = {
        "id": np.arange(n, dtype=np.int64),
        "label": np.zeros(n, np.int32),
        "confidence": np.full(n, np.nan, np.float32),
    }
    arrays = []
    for f in wanted:
        values = columns.get(f.name)
        if values is None:
            source = "id" if f.name == "item" else f.name
            values = columns.get(source, default.get(source))
        arrays.append(_arrow(values, f, n))
    return pa.Table.from_arrays(arrays, schema=wanted)


def _arrow(values: Any, f: pa.Field, n: int) -> pa.Array:
    if values is None:
        return pa.nulls(n, f.type)
    try:
        array = _converted(values, f)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise BadLabelsError(
            f"column {f.name!r} of type {f.type}", str(error), "Mend the column."
        ) from None
    if len(array) != n:
        raise BadLabelsError(
            f"column {f.name!r} with {n} values", str(len(array)), "Give one value per row."
        )
    return array


def _converted(values: Any, f: pa.Field) -> pa.Array:
    kind = f.type
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        return values.cast(kind)
    if isinstance(values, np.ndarray) and values.ndim == 2 and pa.types.is_fixed_size_list(kind):
        flat = pa.array(values.astype(np.float32).ravel())
        if values.shape[1] != kind.list_size:
            raise ValueError(f"{values.shape[1]} values per row")
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype != object:
        values = np.array(values)  # Arrow would share the caller's memory
    if isinstance(values, np.ndarray) and values.ndim == 2:
        values = list(values)
    inner = kind.value_type if pa.types.is_list(kind) else kind
    if pa.types.is_integer(inner):
        return _whole_numbers(values, kind)
    # a missing amplitude is null, so that it has one digest whether it came as None or NaN
    missing = f.nullable and pa.types.is_floating(kind)
    return pa.array(values, type=kind, from_pandas=missing)


def _whole_numbers(values: Any, kind: pa.DataType) -> pa.Array:
    """Integers, or lists of them; with the type given at once Arrow would cut off decimals."""
    found = pa.array(values)
    scalar = found.type.value_type if pa.types.is_list(found.type) else found.type
    numbers = pa.types.is_integer(scalar) or pa.types.is_floating(scalar)
    if not numbers and not pa.types.is_null(scalar):
        raise TypeError(f"values of type {scalar}")
    return found.cast(kind)


def in_order(kind: Kind, table: pa.Table) -> pa.Table:
    """The table in the canonical order of its kind; itself when it is so already."""
    if is_ordered(kind, table):
        return table
    ids = table.column("id").to_numpy()
    return table.take(pa.array(np.lexsort((ids, _primary(kind, table)))))


def is_ordered(kind: Kind, table: pa.Table) -> bool:
    """Whether rows stand in the canonical order of their kind."""
    if table.num_rows < 2:
        return True
    primary, ids = _primary(kind, table), table.column("id").to_numpy()
    later = primary[1:] > primary[:-1]
    tied = primary[1:] == primary[:-1]
    return bool(np.all(later | (tied & (ids[1:] > ids[:-1]))))


def _primary(kind: Kind, table: pa.Table) -> npt.NDArray[np.int64]:
    key = table.column(ORDER[kind])
    return np.asarray(key.fill_null(-1).to_numpy() if key.null_count else key.to_numpy())


def check_rows(kind: Kind, table: pa.Table, n_classes: int) -> None:
    """Raise `BadLabelsError` naming every invariant that the rows break."""
    faults = [
        f"{f.name} is null in {table.column(f.name).null_count} rows"
        for f in table.schema
        if not f.nullable and table.column(f.name).null_count
    ]
    if faults:
        raise BadLabelsError("no nulls in required columns", "; ".join(faults), "Fill them.")
    if _repeat(table.column("id").to_numpy()):
        faults.append("ids repeat")
    codes = table.column("label").to_numpy()
    if codes.size and (codes.min() < 0 or codes.max() >= n_classes):
        faults.append(f"label codes {codes.min()}..{codes.max()} for {n_classes} classes")
    confidence = table.column("confidence").to_numpy()
    if np.any((confidence < 0) | (confidence > 1)):
        faults.append("confidence outside 0..1")
    faults += _probability_faults(table) + _kind_faults(kind, table)
    if not is_ordered(kind, table):
        faults.append(f"rows not in order of {ORDER[kind]}, then id")
    if faults:
        raise BadLabelsError(
            f"rows that keep the invariants of {kind.value}",
            "; ".join(faults),
            "Mend the rows; nissl repairs nothing in silence.",
        )


def _repeat(values: npt.NDArray[np.int64]) -> bool:
    if values.size < 2 or np.all(values[1:] > values[:-1]):
        return False
    low, high = int(values.min()), int(values.max())
    if high - low < 4 * values.size:  # dense: count instead of sorting
        return bool(np.bincount(values - low).max() > 1)
    return bool(np.unique(values).size != values.size)


def _shared(items: npt.NDArray[np.int64], probabilities: pa.ChunkedArray) -> bool:
    """Whether a row with probabilities shares its item with another row."""
    _, inverse, counts = np.unique(items, return_inverse=True, return_counts=True)
    return bool(np.any((counts[inverse] > 1) & np.asarray(probabilities.is_valid())))


def _probability_faults(table: pa.Table) -> list[str]:
    column = table.column("probabilities")
    if column.null_count == table.num_rows:
        return []
    faults = []
    items = table.column("item").to_numpy()
    if _repeat(items) and _shared(items, column):
        faults.append("probabilities on rows of items with several rows")
    size = column.type.list_size
    flat = column.combine_chunks().drop_null().flatten()
    values = flat.to_numpy(zero_copy_only=False).reshape(-1, size)
    if not np.all((values >= 0) & (values <= 1)) or np.any(np.abs(values.sum(axis=1) - 1) > 0.01):
        faults.append("probabilities that are not 0..1 with a sum of 1")
    return faults


def _kind_faults(kind: Kind, table: pa.Table) -> list[str]:
    faults = []
    if kind is Kind.SPANS:
        start, stop = (table.column(c).to_numpy() for c in ("start", "stop"))
        if np.any(stop <= start):
            faults.append(f"{int(np.sum(stop <= start))} spans with stop <= start")
    if kind is Kind.EVENTS and np.any(table.column("sample").to_numpy() < 0):
        faults.append("negative samples")
    if kind is Kind.POINTS:
        visible = table.column("visible").to_numpy()
        for axis in ("x", "y"):
            if np.any(~np.isfinite(table.column(axis).to_numpy()) & visible):
                faults.append(f"visible points without {axis}")
    if kind is Kind.REGIONS:
        faults += _region_faults(table)
    return faults


def _region_faults(table: pa.Table) -> list[str]:
    pixels, weights = (_combined(table, c) for c in ("pixels", "weights"))
    lengths = pc.list_value_length(pixels).to_numpy(zero_copy_only=False).astype(np.int64)
    values = pixels.flatten()
    if values.null_count:
        return [f"{values.null_count} pixels that are null"]
    flat = values.to_numpy()
    row = np.repeat(np.arange(lengths.size), lengths)
    order = np.arange(flat.size)
    if np.any((flat[1:] < flat[:-1]) & (row[1:] == row[:-1])):
        order = np.lexsort((flat, row))
    same = (flat[order][1:] == flat[order][:-1]) & (row[order][1:] == row[order][:-1])
    bad = np.unique(
        np.concatenate([np.flatnonzero(lengths == 0), row[flat < 0], row[order][1:][same]])
    )
    faults = [f"row {r}: pixels must be unique, not negative and not empty" for r in bad[:5]]
    n_weights = pc.list_value_length(weights).fill_null(-1).to_numpy(zero_copy_only=False)
    for r in np.flatnonzero((n_weights >= 0) & (n_weights != lengths))[:5]:
        faults.append(f"row {r}: {n_weights[r]} weights for {lengths[r]} pixels")
    return faults


def _combined(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)
    return column
