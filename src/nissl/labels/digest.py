"""SHA-256 over the meaning of tables and arrays, not over the bytes of a file format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nissl.errors import BadLabelsError


def canonical_json(value: Any) -> bytes:
    """Bytes that are equal for equal plain values: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_files(files: Mapping[str, bytes]) -> str:
    """Hex SHA-256 of files by name, whatever their order."""
    hashed = hashlib.sha256()
    for name, content in sorted(files.items()):
        hashed.update(f"{name}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()


def plain_json(value: Any, what: str) -> Any:
    """A deep copy of a plain value as JSON gives it back (tuples become lists).

    Raises
    ------
    BadLabelsError
        Where JSON cannot hold it: NumPy scalars and arrays, NaN, infinities, objects.
    """
    try:
        return json.loads(canonical_json(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadLabelsError(
            f"plain JSON values as {what}",
            f"{value!r:.200} ({error})",
            "Use int, float, str, list.",
        ) from None


def digest_json(value: Any) -> str:
    """Hex SHA-256 of a plain value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def digest_array(array: np.ndarray[Any, Any]) -> str:
    """Hex SHA-256 of an array's type, shape and little-endian C-order values."""
    hasher = hashlib.sha256()
    _feed_values(hasher, array)
    return hasher.hexdigest()


def digest_table(table: pa.Table) -> str:
    """Hex SHA-256 over a table's schema and column values.

    Independent of chunking, slicing and file format; NaNs are one value; what stands behind
    a null does not count.
    """
    hasher = hashlib.sha256()
    for field in table.schema:
        hasher.update(canonical_json([field.name, _type_name(field.type)]))
        column = table.column(field.name).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.chunks else pa.array([], field.type)
        _feed_column(hasher, column)
    return hasher.hexdigest()


def _type_name(kind: pa.DataType) -> str:
    """Name of a type without what has no meaning: names of list members, width of offsets."""
    if pa.types.is_fixed_size_list(kind):
        return f"list<{_type_name(kind.value_type)}>[{kind.list_size}]"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list<{_type_name(kind.value_type)}>"
    return "string" if pa.types.is_large_string(kind) else str(kind)


def _feed_column(hasher: Any, column: pa.Array) -> None:
    valid = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=bool)
    hasher.update(len(column).to_bytes(8, "little"))
    hasher.update(np.packbits(valid).tobytes())
    if not valid.all():
        column = column.drop_null()
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        hasher.update(np.ascontiguousarray(lengths, dtype="<i8").tobytes())
        _feed_column(hasher, column.flatten())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        encoded = [text.encode() for text in column.to_pylist()]
        hasher.update(np.asarray([len(e) for e in encoded], dtype="<i8").tobytes())
        hasher.update(b"".join(encoded))
    elif pa.types.is_null(kind):
        return
    else:
        _feed_values(hasher, column.to_numpy(zero_copy_only=False))


def _feed_values(hasher: Any, values: np.ndarray[Any, Any]) -> None:
    if values.dtype.kind not in "biufcUSmM":
        raise BadLabelsError(
            "numbers, booleans, strings, dates or lists of them",
            f"values of type {values.dtype}",
            "Cast the column or array to one of these.",
        )
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.asarray(np.nan, values.dtype), values)
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    hasher.update(canonical_json([little.dtype.str, list(little.shape)]))
    hasher.update(little.tobytes())
