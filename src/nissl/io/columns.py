"""Columns of Arrow tables as plain NumPy arrays, and back without loss.

Formats without nulls and without Arrow's types carry a column's values; its type and the
rows that were null are noted beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import BadLabelsError, ExportError

_TYPES = (
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("halffloat", "float", "double", "bool", "string", "large_string"),
)


@dataclass(frozen=True)
class Plain:
    """Values of some columns and what they do not say.

    Parameters
    ----------
    values : mapping of str to ndarray, each of shape (n_rows,)
        Nulls are NaN in floating columns, 0 in whole numbers, False and "" in others.
    types : mapping of str to str
        Arrow type of each column, in order of the columns.
    nulls : mapping of str to list of int
        Rows that were null, for columns that had any.
    """

    values: Mapping[str, npt.NDArray[Any]]
    types: Mapping[str, str]
    nulls: Mapping[str, list[int]] = field(default_factory=dict)


def to_plain(table: pa.Table) -> Plain:
    """Plain columns of a table.

    Raises
    ------
    ExportError
        A column holds neither numbers, truth values nor text.
    """
    values: dict[str, npt.NDArray[Any]] = {}
    nulls: dict[str, list[int]] = {}
    types = {f.name: str(f.type) for f in table.schema}
    for name, kind in types.items():
        if kind not in _TYPES:
            raise ExportError(
                "columns of numbers, truth values or text",
                f"column {name!r} of type {kind}",
                "Export as parquet, which holds every type.",
            )
        column = table.column(name)
        if column.null_count:
            nulls[name] = np.flatnonzero(_null(column)).tolist()
            column = column.fill_null(_FILL[_family(kind)])
        values[name] = np.asarray(column.to_numpy())
    return Plain(values, types, nulls)


def from_plain(plain: Plain) -> pa.Table:
    """Inverse of `to_plain`; raises `BadLabelsError` for values that do not fit their type."""
    arrays, fields = [], []
    for name, kind in plain.types.items():
        if kind not in _TYPES or name not in plain.values:
            raise BadLabelsError(
                f"a column {name!r} of numbers, truth values or text",
                f"type {kind!r}" if name in plain.values else "no such column",
                "Export the labels again.",
            )
        type_ = pa.type_for_alias(kind)
        values = np.asarray(plain.values[name])
        mask = np.zeros(values.shape[:1], bool)
        try:
            mask[np.asarray(plain.nulls.get(name, []), dtype=np.int64)] = True
            arrays.append(_array(values, type_, mask))
        except (pa.ArrowException, ValueError, TypeError, IndexError, OverflowError) as error:
            raise BadLabelsError(
                f"values of type {kind} in column {name!r}", str(error), "Export again."
            ) from None
        fields.append(pa.field(name, type_))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(values: npt.NDArray[Any], type_: Any, mask: npt.NDArray[np.bool_]) -> pa.Array:
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return pa.array([None if m else str(v) for v, m in zip(values, mask, strict=True)], type_)
    target = np.dtype(type_.to_pandas_dtype())
    if target.kind in "iu" and values.dtype.kind == "f":
        rounded = np.rint(np.where(mask, 0, values))
        if np.any(rounded != np.where(mask, 0, values)):
            raise ValueError("fractions where whole numbers belong")
        values = rounded
    return pa.array(values.astype(target), type=type_, mask=mask, from_pandas=False)


def _null(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_null().combine_chunks().to_numpy(zero_copy_only=False), dtype=bool)


def _family(kind: str) -> str:
    if kind in ("halffloat", "float", "double"):
        return "float"
    if kind == "bool":
        return "bool"
    return "text" if kind.endswith("string") else "whole"


_FILL: dict[str, Any] = {"float": float("nan"), "bool": False, "text": "", "whole": 0}
