"""Naming what differs between labels and what was read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import InputError, NisslError, VerificationError
from nissl.labels import ItemTable, LabelSet


def report(differences: Sequence[str], path: Path) -> None:
    """Raise `VerificationError` naming the differences, if there are any."""
    if differences:
        more = f" (and {len(differences) - 8} more)" if len(differences) > 8 else ""
        raise VerificationError(
            f"{path} to hold what was exported",
            "; ".join(differences[:8]) + more,
            "Do not use the file; export again, and report it if it happens twice.",
        )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn an error while reading back into `VerificationError`."""
    try:
        yield
    except VerificationError:
        raise
    except (NisslError, InputError) as error:
        raise VerificationError(
            f"to read {path} back", f"{error.got}", "Do not use the file; export again."
        ) from error


def set_differences(name: str, wanted: LabelSet, got: LabelSet) -> list[str]:
    """Sentences about columns, vocabulary and provenance that differ; none when equal."""
    if wanted.digest == got.digest:
        return []
    out = []
    if wanted.n_rows != got.n_rows:
        return [f"{name}: {got.n_rows} rows instead of {wanted.n_rows}"]
    for column in wanted.table.column_names:
        if column in got.table.column_names and not _same_column(wanted, got, column):
            out.append(f"{name}: column {column}")
    if wanted.vocabulary != got.vocabulary:
        out.append(f"{name}: vocabulary {list(got.vocabulary.names)}")
    if wanted.provenance.to_json() != got.provenance.to_json():
        out.append(f"{name}: provenance")
    return out or [f"{name}: content"]


def item_differences(wanted: ItemTable | None, got: ItemTable | None) -> list[str]:
    """Sentences about columns and arrays of an item table that differ."""
    if wanted is None or got is None:
        return [] if wanted is got else ["items: present on one side only"]
    if wanted.digest == got.digest:
        return []
    if not np.array_equal(wanted.items, got.items):
        return ["items: other items"]
    out = []
    for name in wanted.table.column_names:
        if name not in got.table.column_names:
            out.append(f"items: column {name} is missing")
        elif _values(wanted.table.column(name)) != _values(got.table.column(name)):
            out.append(f"items: column {name}")
    for name, array in wanted.arrays.items():
        if name not in got.arrays or not same_values(array, got.arrays[name]):
            out.append(f"items: array {name}")
    return out or ["items: units, types or context"]


def classes_differences(wanted: Iterable[LabelSet], got: Iterable[LabelSet]) -> list[str]:
    """Sentences about CLASSES sets that are missing or differ."""
    found = {labels.digest for labels in got}
    return [
        f"classes: the set of {labels.provenance.task} by {labels.provenance.author.name}"
        for labels in wanted
        if labels.digest not in found
    ]


def same_values(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    """Whether two arrays have the same shape and values; NaN equals NaN."""
    if a.shape != b.shape:
        return False
    floating = a.dtype.kind == "f" and b.dtype.kind == "f"
    return bool(np.array_equal(a, b, equal_nan=floating))


def _same_column(a: LabelSet, b: LabelSet, name: str) -> bool:
    return _values(a.table.column(name)) == _values(b.table.column(name))


def _values(column: Any) -> list[Any]:
    return [repr(v) for v in column.to_pylist()]
