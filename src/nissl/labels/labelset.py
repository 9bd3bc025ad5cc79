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
from nissl.labels.digest import digest_json, digest_table, plain_json
from nissl.labels.kinds import Kind, schema
from nissl.labels.rows import check_rows, in_order, table_of
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

    def __post_init__(self) -> None:
        for name in ("parameters", "packages"):
            value = plain_json(getattr(self, name), f"{name} of a provenance")
            object.__setattr__(self, name, value)
        for name in ("made_from", "targets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

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
        expected = schema(self.kind, len(self.vocabulary), self.table.column_names)
        if not self.table.schema.equals(expected, check_metadata=False):
            raise BadLabelsError(
                f"the columns {[f'{f.name}: {f.type}' for f in expected]}",
                f"{[f'{f.name}: {f.type}' for f in self.table.schema]}",
                "Use LabelSet.build, which casts plain columns.",
            )
        check_rows(self.kind, self.table, len(self.vocabulary))

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
            NaN, the rest to null. `probabilities` may be (n_rows, n_classes). Optional columns
            of the kind (EVENTS: `x_um`, `y_um`) are there when they are given.
        vocabulary : Vocabulary or sequence of str
        provenance : Provenance
        """
        names = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(tuple(vocabulary))
        table = table_of(kind, columns, len(names))
        return cls(kind, in_order(kind, table), names, provenance)

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
        order, starts = self._grouped
        where = int(np.searchsorted(self.items, item))
        if where >= self.items.size or self.items[where] != item:
            return np.empty(0, np.intp)
        return order[starts[where] : starts[where + 1]]

    @cached_property
    def _grouped(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Rows sorted by item, and where each item of `items` starts among them."""
        item = self.column("item")
        order = np.argsort(item, kind="stable")
        order.setflags(write=False)
        starts = np.searchsorted(item[order], self.items)
        return order, np.append(starts, order.size)

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
