"""Facts about items: the item table beside a label set, and feature tables for learners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import BadLabelsError
from nissl.labels.digest import digest_array, digest_json, digest_table, plain_json


@dataclass(frozen=True, eq=False)
class ItemTable:
    """What review, report and export need to know of each item without the raw data.

    Parameters
    ----------
    of : str
        Digest of the label set whose items these are.
    table : pyarrow.Table
        One row per item; column `item` int64, unique and increasing; the rest as the task
        declares, null or NaN where a fact could not be computed.
    units : mapping of str to str
        Unit of each numeric column or array ("uV", "um", "Hz"; "" for pure numbers).
    arrays : mapping of str to ndarray
        Arrays over items, first axis as the table's rows (templates: (n_items, n_samples,
        n_channels) float32, uV); NaN where missing.
    context : mapping
        JSON values that hold for all items (rate, channel positions, template's window).
    """

    of: str
    table: pa.Table
    units: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        items = self.table.column("item").to_numpy() if "item" in self.table.column_names else None
        if items is None or items.dtype != np.int64 or np.any(np.diff(items) <= 0):
            raise BadLabelsError(
                "a column 'item' of increasing int64",
                f"columns {self.table.column_names}",
                "Sort the table by item, one row each.",
            )
        frozen = {}
        for name, array in self.arrays.items():
            if array.shape[:1] != (items.size,):
                raise BadLabelsError(
                    f"array {name!r} with {items.size} items on its first axis",
                    f"shape {array.shape}",
                    "Give one entry per item.",
                )
            if array.dtype.kind not in "biuf":
                raise BadLabelsError(
                    f"array {name!r} of numbers or booleans",
                    f"dtype {array.dtype}",
                    "Keep other facts in columns of the table.",
                )
            view = np.array(array, order="C")
            view.setflags(write=False)
            frozen[name] = view
        object.__setattr__(self, "arrays", frozen)
        for name in ("units", "context"):
            value = plain_json(getattr(self, name), f"{name} of an item table")
            object.__setattr__(self, name, value)

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 over the content."""
        return digest_json(
            {
                "format": 1,
                "of": self.of,
                "rows": digest_table(self.table),
                "units": dict(self.units),
                "arrays": {k: digest_array(v) for k, v in sorted(self.arrays.items())},
                "context": dict(self.context),
            }
        )

    @property
    def items(self) -> npt.NDArray[np.int64]:
        """Item ids, increasing."""
        return np.asarray(self.table.column("item").to_numpy())

    def row_of(self, item: int) -> int:
        """Row index of an item; `BadLabelsError` when it is not in the table."""
        row = int(np.searchsorted(self.items, item))
        if row >= self.items.size or self.items[row] != item:
            raise BadLabelsError(
                f"one of the {self.items.size} items of the table", str(item), "Check the id."
            )
        return row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ItemTable) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of items, the common seam between raw data and learners.

    Parameters
    ----------
    items : ndarray, shape (n_items,), int64
    names : tuple of str
        Features.
    values : ndarray, shape (n_items, n_features), float64
        NaN where a feature could not be computed.
    units : tuple of str
        Unit of each feature.
    subject, session : tuple of str
        One per item; evaluations split by subject.
    """

    items: npt.NDArray[np.int64]
    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    units: tuple[str, ...]
    subject: tuple[str, ...]
    session: tuple[str, ...]

    def __post_init__(self) -> None:
        n, k = len(self.items), len(self.names)
        if (
            self.values.shape != (n, k)
            or len(self.units) != k
            or len(self.subject) != n
            or len(self.session) != n
            or len(set(self.names)) != k
        ):
            raise BadLabelsError(
                f"values of shape ({n}, {k}), {k} unique names and units, {n} subjects and "
                "sessions",
                f"values {self.values.shape}, {len(self.units)} units, "
                f"{len(self.subject)} subjects, {len(self.session)} sessions",
                "Give one row per item and one column per feature.",
            )

    def to_arrow(self) -> pa.Table:
        """One column per feature, with its unit in the field's metadata."""
        fields = [
            pa.field("item", pa.int64()),
            pa.field("subject", pa.string()),
            pa.field("session", pa.string()),
            *(
                pa.field(name, pa.float64(), metadata={"unit": unit})
                for name, unit in zip(self.names, self.units, strict=True)
            ),
        ]
        columns = [
            pa.array(self.items, pa.int64()),
            pa.array(self.subject, pa.string()),
            pa.array(self.session, pa.string()),
            *(pa.array(self.values[:, k]) for k in range(len(self.names))),
        ]
        return pa.Table.from_arrays(columns, schema=pa.schema(fields))

    @classmethod
    def from_arrow(cls, table: pa.Table) -> FeatureTable:
        """Inverse of `to_arrow`."""
        names = [n for n in table.column_names if n not in ("item", "subject", "session")]
        units = [(table.schema.field(n).metadata or {}).get(b"unit", b"").decode() for n in names]
        values = (
            np.stack([table.column(n).cast(pa.float64()).to_numpy() for n in names], axis=1)
            if names
            else np.empty((table.num_rows, 0))
        )
        return cls(
            items=table.column("item").to_numpy(),
            names=tuple(names),
            values=values,
            units=tuple(units),
            subject=tuple(table.column("subject").to_pylist()),
            session=tuple(table.column("session").to_pylist()),
        )
