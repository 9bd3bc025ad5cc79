"""Label sets and item tables as files: one Parquet file each, nothing else.

The rows are the file's columns; kind, vocabulary, provenance, the arrays' shapes and the
content digest stand as JSON under the key ``nissl`` of the Arrow schema's metadata. An item
table's arrays are columns of fixed-size lists named ``array:<name>``. Any Parquet reader can
open the files; `read_labels` and `read_items` also prove that they hold what was written.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nissl.errors import (
    BadLabelsError,
    CorruptProjectError,
    ProjectTooNewError,
    ReadOnlyError,
    StoreError,
)
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import canonical_json
from nissl.labels.kinds import Kind, optional_columns
from nissl.labels.labelset import LabelSet, Provenance
from nissl.labels.tables import ItemTable
from nissl.labels.vocabulary import Vocabulary

FORMAT = 2
"""Newest version of the files that is read; newer ones are refused.

Files are written as 1, or as 2 where the rows have optional columns, which 1 did not know.
"""

_KEY = b"nissl"
_PREFIX = "array:"


def write_labels(labels: LabelSet, path: str | os.PathLike[str]) -> None:
    """Write a label set to one Parquet file, whole or not at all.

    Parameters
    ----------
    labels : LabelSet
    path : path-like
        An existing file is replaced; the folder must exist.

    Raises
    ------
    DiskFullError, ReadOnlyError, StoreError
        The file system refused; nothing half-written is left.
    """
    meta = {
        "format": 2 if optional_columns(labels.kind, labels.table.column_names) else 1,
        "content": "labels",
        "kind": labels.kind.value,
        "vocabulary": labels.vocabulary.to_json(),
        "provenance": labels.provenance.to_json(),
        "digest": labels.digest,
    }
    _write(labels.table, meta, path)


def read_labels(path: str | os.PathLike[str], *, verify: bool = True) -> LabelSet:
    """Read what `write_labels` wrote.

    Parameters
    ----------
    path : path-like
    verify : bool
        Compare the digest of what was read with the one that was written. Schema and the
        invariants of the kind are checked in any case.

    Raises
    ------
    CorruptProjectError
        Missing, truncated or changed.
    ProjectTooNewError
        Written by a newer version.
    """
    with _reading(path):
        table, meta = _read(path, "labels")
        labels = LabelSet(
            Kind(meta["kind"]),
            table,
            Vocabulary.from_json(meta["vocabulary"]),
            Provenance.from_json(meta["provenance"]),
        )
        if verify:
            _same(labels.digest, meta["digest"], path)
        return labels


def write_items(items: ItemTable, path: str | os.PathLike[str]) -> None:
    """Write an item table, its arrays included, to one Parquet file; see `write_labels`."""
    names = [_PREFIX + name for name in items.arrays]
    clash = sorted(set(names) & set(items.table.column_names))
    if clash:
        raise BadLabelsError(
            f"column names that do not begin with {_PREFIX!r}", f"{clash}", "Rename the columns."
        )
    table = items.table
    for name, array in zip(names, items.arrays.values(), strict=True):
        if math.prod(array.shape[1:]):
            table = table.append_column(name, _lists(array))
    meta = {
        "format": 1,
        "content": "items",
        "of": items.of,
        "units": dict(items.units),
        "context": dict(items.context),
        "arrays": {
            name: {"dtype": _little(array).str, "shape": list(array.shape)}
            for name, array in items.arrays.items()
        },
        "digest": items.digest,
    }
    _write(table, meta, path)


def read_items(path: str | os.PathLike[str], *, verify: bool = True) -> ItemTable:
    """Read what `write_items` wrote; see `read_labels`."""
    with _reading(path):
        table, meta = _read(path, "items")
        arrays = {n: _array(table, n, facts) for n, facts in meta["arrays"].items()}
        held = {_PREFIX + name for name in arrays}
        rows = table.select([c for c in table.column_names if c not in held])
        items = ItemTable(meta["of"], rows, meta["units"], arrays, meta["context"])
        if verify:
            _same(items.digest, meta["digest"], path)
        return items


def _little(array: npt.NDArray[Any]) -> np.dtype[Any]:
    return array.dtype.newbyteorder("<")


def _lists(array: npt.NDArray[Any]) -> pa.Array:
    size = math.prod(array.shape[1:])
    flat = pa.array(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, size)


def _array(table: pa.Table, name: str, facts: Mapping[str, Any]) -> npt.NDArray[Any]:
    shape, dtype = tuple(int(n) for n in facts["shape"]), np.dtype(facts["dtype"])
    if not math.prod(shape[1:]):
        return np.empty((table.num_rows, *shape[1:]), dtype)
    column = table.column(_PREFIX + name)
    pieces = [piece.flatten().to_numpy(zero_copy_only=False) for piece in column.chunks]
    flat = np.concatenate(pieces) if pieces else np.empty(0, dtype)
    return np.asarray(flat.astype(dtype, copy=False).reshape(shape))


def _write(table: pa.Table, meta: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    table = table.replace_schema_metadata({_KEY: canonical_json(meta)})
    sink = pa.BufferOutputStream()
    # dictionaries only slow down arrays of floats
    small = [name for name in table.column_names if not name.startswith(_PREFIX)]
    pq.write_table(
        table, sink, compression="zstd", write_page_checksum=True, use_dictionary=small or False
    )
    write_bytes(path, memoryview(sink.getvalue()))


def _read(path: str | os.PathLike[str], content: str) -> tuple[pa.Table, dict[str, Any]]:
    file = pq.ParquetFile(path, page_checksum_verification=True, memory_map=False)
    with file:
        meta = json.loads(file.schema_arrow.metadata[_KEY])
        if meta["format"] > FORMAT:
            raise ProjectTooNewError(
                f"a file of format {FORMAT} or older at {path}",
                f"format {meta['format']}",
                "Update nissl: pip install --upgrade nissl",
            )
        if meta["content"] != content:
            raise _corrupt(path, f"a file of {meta['content']}, not of {content}")
        table = file.read(use_threads=False)
    return table.replace_schema_metadata(None), meta


def _same(found: str, written: str, path: str | os.PathLike[str]) -> None:
    if found != written:
        raise _corrupt(path, f"content with the digest {found[:12]} instead of {written[:12]}")


def _corrupt(path: str | os.PathLike[str], got: str) -> CorruptProjectError:
    return CorruptProjectError(
        f"the file {Path(path)} as nissl wrote it",
        got,
        "Restore it from a copy; it can also be made again by the command that made it.",
    )


@contextmanager
def _reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever a damaged file makes the parsers raise becomes an error of the store."""
    try:
        yield
    except StoreError:
        raise
    except PermissionError as error:
        raise ReadOnlyError(
            f"to read {path}", error.strerror or str(error), "Change its permissions."
        ) from error
    except FileNotFoundError as error:
        raise _corrupt(path, "no such file") from error
    except (
        pa.ArrowException,
        OSError,
        MemoryError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
        RecursionError,
    ) as error:
        raise _corrupt(path, f"{type(error).__name__}: {str(error).splitlines()[:1]}") from error
