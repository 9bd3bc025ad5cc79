"""LabelSet: an immutable table of claims, with where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import BadLabelsError
from nissl.labels.digest import digest_json, digest_table
from nissl.labels.kinds import Kind, extra_columns, schema
from nissl.labels.vocabulary import Vocabulary


@dataclass(frozen=True)
class Author:
    """Who claims it. Human and machine claims are never mixed in one set.

    Parameters
    ----------
    kind : {"person", "model"}
    name : str
        A reviewer's name or pseudonym, or a method ("spikes/lupin").
    version : str
        Version of the method; "" for persons.
    weights : str
        Digest of a model's weights; "" where there are none.
    """

    kind: str
    name: str
    version: str = ""
    weights: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("person", "model") or not self.name:
            raise BadLabelsError(
                "an author of kind 'person' or 'model' with a name",
                f"kind {self.kind!r}, name {self.name!r}",
                "Say who or what made the labels.",
            )


@dataclass(frozen=True)
class Provenance:
    """Where a label set comes from; part of its digest.

    Parameters
    ----------
    task : str
        Name of the task ("spikes").
    source : str
        Fingerprint of the recording; "" where the raw data are unknown.
    author : Author
    stream : str
        Name of the stream within the recording whose samples the rows count.
    parameters : mapping
        JSON values, every parameter that shaped the result.
    seed : int, optional
    made_from : tuple of str
        Digests of the sets (and arrays) it was computed from.
    targets : tuple of str
        Digests of the sets whose items the rows point to (CLASSES: one; LINKS: two).
    packages : mapping of str to str
        Versions of the packages that computed it.
    """

    task: str
    source: str
    author: Author
    stream: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    made_from: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "task": self.task,
            "source": self.source,
            "author": vars(self.author).copy(),
            "stream": self.stream,
            "parameters": dict(self.parameters),
            "seed": self.seed,
            "made_from": list(self.made_from),
            "targets": list(self.targets),
            "packages": dict(self.packages),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Provenance:
        """Inverse of `to_json`."""
        return cls(
            task=value["task"],
            source=value["source"],
            author=Author(**value["author"]),
            stream=value["stream"],
            parameters=value["parameters"],
            seed=value["seed"],
            made_from=tuple(value["made_from"]),
            targets=tuple(value["targets"]),
            packages=value["packages"],
        )


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Claims of one kind by one author about one source.

    Two sets are equal when their digests are. Build one with `LabelSet.build`, which fills
    in defaults; the constructor takes a table that fits the schema exactly.

    Parameters
    ----------
    kind : Kind
    table : pyarrow.Table
        See `nissl.labels.kinds.schema`. Rows stand in the canonical order of the kind:
        EVENTS by sample, SPANS by start, POINTS and REGIONS by frame, others by id; ties by id.
    vocabulary : Vocabulary
    provenance : Provenance
    """

    kind: Kind
    table: pa.Table
    vocabulary: Vocabulary
    provenance: Provenance

    def __post_init__(self) -> None:
        expected = schema(self.kind, len(self.vocabulary))
        if not self.table.schema.equals(expected, check_metadata=False):
            raise BadLabelsError(
                f"the columns {[f'{f.name}: {f.type}' for f in expected]}",
                f"{[f'{f.name}: {f.type}' for f in self.table.schema]}",
                "Use LabelSet.build, which casts plain columns.",
            )
        _check_rows(self.kind, self.table, len(self.vocabulary))

    @classmethod
    def build(
        cls,
        kind: Kind,
        columns: Mapping[str, Any],
        vocabulary: Vocabulary | Sequence[str],
        provenance: Provenance,
    ) -> LabelSet:
        """Build a set from plain columns.

        Parameters
        ----------
        kind : Kind
        columns : mapping of str to array-like, each of shape (n_rows,)
            The kind's own columns are required where they are not nullable. `id` defaults to
            0, 1, ... in the order given, `item` to `id`, `label` to class 0, `confidence` to
            NaN, the rest to null. `probabilities` may be (n_rows, n_classes).
        vocabulary : Vocabulary or sequence of str
        provenance : Provenance
        """
        names = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(tuple(vocabulary))
        table = _table(kind, columns, len(names))
        return cls(kind, _sorted(kind, table), names, provenance)

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 over kind, vocabulary, provenance and rows."""
        return digest_json(
            {
                "format": 1,
                "kind": self.kind.value,
                "vocabulary": self.vocabulary.to_json(),
                "provenance": self.provenance.to_json(),
                "rows": digest_table(self.table),
            }
        )

    def column(self, name: str) -> npt.NDArray[Any]:
        """Read-only values of a column, shape (n_rows,); nulls of floats are NaN.

        Nullable integer columns come as -1 where null.
        """
        column = self.table.column(name)
        if column.null_count and pa.types.is_integer(column.type):
            column = column.fill_null(-1)
        values = np.asarray(column.to_numpy())
        if values.flags.writeable:
            values.setflags(write=False)
        return values

    @cached_property
    def items(self) -> npt.NDArray[np.int64]:
        """Sorted unique item ids."""
        values = np.unique(self.column("item"))
        values.setflags(write=False)
        return values

    def rows_of(self, item: int) -> npt.NDArray[np.intp]:
        """Row indices of an item, in table order."""
        return np.flatnonzero(self.column("item") == item)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    def __len__(self) -> int:
        return self.n_rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelSet) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        p = self.provenance
        return (
            f"LabelSet({self.kind.value}: {self.n_rows} rows, {self.items.size} items, "
            f"classes {list(self.vocabulary.names)}, task {p.task}, "
            f"by {p.author.kind} {p.author.name}, {self.digest[:12]})"
        )


_ORDER = {
    Kind.EVENTS: "sample",
    Kind.SPANS: "start",
    Kind.POINTS: "frame",
    Kind.REGIONS: "frame",
    Kind.CLASSES: "id",
    Kind.LINKS: "id",
}


def _table(kind: Kind, columns: Mapping[str, Any], n_classes: int) -> pa.Table:
    wanted = schema(kind, n_classes)
    unknown = sorted(set(columns) - set(wanted.names))
    missing = [
        f.name
        for f in wanted
        if f.name in extra_columns(kind) and not f.nullable and f.name not in columns
    ]
    if unknown or missing:
        raise BadLabelsError(
            f"columns among {wanted.names}",
            f"unknown {unknown}, missing {missing}",
            f"Give the columns of the kind {kind.value!r}.",
        )
    n = len(columns[next(f.name for f in wanted if f.name in columns)]) if columns else 0
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
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if isinstance(values, pa.Array):
            return values.cast(f.type)
        if isinstance(values, np.ndarray) and values.ndim == 2:
            values = list(values)
        return pa.array(values, type=f.type, from_pandas=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise BadLabelsError(
            f"column {f.name!r} of type {f.type}", str(error), "Mend the column."
        ) from None


def _sorted(kind: Kind, table: pa.Table) -> pa.Table:
    if table.num_rows < 2:
        return table
    ids = table.column("id").to_numpy()
    key = table.column(_ORDER[kind])
    primary = key.fill_null(-1).to_numpy() if key.null_count else key.to_numpy()
    order = np.lexsort((ids, primary))
    if np.array_equal(order, np.arange(order.size)):
        return table
    return table.take(pa.array(order))


def _check_rows(kind: Kind, table: pa.Table, n_classes: int) -> None:
    faults = []
    for f in table.schema:
        if not f.nullable and table.column(f.name).null_count:
            faults.append(f"{f.name} is null in {table.column(f.name).null_count} rows")
    if faults:
        raise BadLabelsError("no nulls in required columns", "; ".join(faults), "Fill them.")
    ids = table.column("id").to_numpy()
    if np.unique(ids).size != ids.size:
        faults.append("ids repeat")
    codes = table.column("label").to_numpy()
    if codes.size and (codes.min() < 0 or codes.max() >= n_classes):
        faults.append(f"label codes {codes.min()}..{codes.max()} for {n_classes} classes")
    confidence = table.column("confidence").to_numpy()
    if np.any((confidence < 0) | (confidence > 1)):
        faults.append("confidence outside 0..1")
    faults += _kind_faults(kind, table)
    if not _is_ordered(kind, table):
        faults.append(f"rows not in order of {_ORDER[kind]}, then id")
    if faults:
        raise BadLabelsError(
            f"rows that keep the invariants of {kind.value}",
            "; ".join(faults),
            "Mend the rows; nissl repairs nothing in silence.",
        )


def _is_ordered(kind: Kind, table: pa.Table) -> bool:
    return bool(_sorted(kind, table) is table)


def _kind_faults(kind: Kind, table: pa.Table) -> list[str]:
    faults = []
    if (
        kind in (Kind.EVENTS, Kind.POINTS)
        and _items_repeat(table)
        and (table.column("probabilities").null_count != table.num_rows)
    ):
        faults.append("probabilities on rows of items with several rows")
    if kind is Kind.SPANS:
        start, stop = (table.column(c).to_numpy() for c in ("start", "stop"))
        if np.any(stop <= start):
            faults.append(f"{int(np.sum(stop <= start))} spans with stop <= start")
    if kind is Kind.EVENTS and np.any(table.column("sample").to_numpy() < 0):
        faults.append("negative samples")
    if kind is Kind.POINTS:
        for axis in ("x", "y"):
            values = table.column(axis).to_numpy()
            visible = table.column("visible").to_numpy(zero_copy_only=False)
            if np.any(~np.isfinite(values) & visible):
                faults.append(f"visible points without {axis}")
    if kind is Kind.REGIONS:
        faults += _region_faults(table)
    return faults


def _items_repeat(table: pa.Table) -> bool:
    items = table.column("item").to_numpy()
    return bool(np.unique(items).size != items.size)


def _region_faults(table: pa.Table) -> list[str]:
    pixels, weights = (table.column(c).combine_chunks() for c in ("pixels", "weights"))
    faults = []
    for row in range(table.num_rows):
        values = pixels[row].values.to_numpy()
        if values.size == 0 or values.min() < 0 or np.unique(values).size != values.size:
            faults.append(f"row {row}: pixels must be unique, not negative and not empty")
        weight = weights[row]
        if weight.is_valid and len(weight.values) != values.size:
            faults.append(f"row {row}: {len(weight.values)} weights for {values.size} pixels")
    return faults[:5]
