"""The six kinds of labels and their Arrow schemas.

Every row has `id` (unique in its set), `item` (the identity a person decides on: a unit, a
track, an ROI, or one event), `label` (a code of the vocabulary), `confidence` (a calibrated
probability that the label is right; NaN where the method has none) and `probabilities` over
the vocabulary, or null. In a set with several rows per item the probabilities stand in the
item table, never on rows.

Some kinds have optional columns besides (`OPTIONAL`): a set has them for all of its rows, or not at
all, and then its schema and digest are as if there were none.

Conventions: samples and frames are int64; spans are half-open ``[start, stop)``; points are
x, y, z in pixels or voxels with pixel centres at integers; `pixels` are flat C-order indices
into the frame's ``(z, y, x)`` grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import pyarrow as pa


class Kind(StrEnum):
    """What a row of a label set says."""

    EVENTS = "events"  # something happened at a sample
    SPANS = "spans"  # something lasted
    POINTS = "points"  # something was here
    REGIONS = "regions"  # these pixels belong to it
    CLASSES = "classes"  # this item is a ...
    LINKS = "links"  # this item is that item


_EXTRA: dict[Kind, list[pa.Field]] = {
    Kind.EVENTS: [
        pa.field("sample", pa.int64(), nullable=False),
        pa.field("amplitude", pa.float32()),
        pa.field("channel", pa.int32()),
    ],
    Kind.SPANS: [
        pa.field("start", pa.int64(), nullable=False),
        pa.field("stop", pa.int64(), nullable=False),
        pa.field("channel", pa.int32()),
    ],
    Kind.POINTS: [
        pa.field("frame", pa.int64(), nullable=False),
        pa.field("keypoint", pa.int32()),
        pa.field("x", pa.float32(), nullable=False),
        pa.field("y", pa.float32(), nullable=False),
        pa.field("z", pa.float32()),
        pa.field("visible", pa.bool_(), nullable=False),
    ],
    Kind.REGIONS: [
        pa.field("frame", pa.int64()),
        pa.field("pixels", pa.list_(pa.int64()), nullable=False),
        pa.field("weights", pa.list_(pa.float32())),
    ],
    Kind.CLASSES: [pa.field("target", pa.int64(), nullable=False)],
    Kind.LINKS: [
        pa.field("a", pa.int64(), nullable=False),
        pa.field("b", pa.int64(), nullable=False),
    ],
}


OPTIONAL: dict[Kind, tuple[str, ...]] = {Kind.EVENTS: ("x_um", "y_um")}
"""Columns of float32 that a set may have, NaN where unknown: where on the probe an event was."""


def optional_columns(kind: Kind, names: Iterable[str]) -> list[str]:
    """Optional columns of a kind that are among some names, in the order of the schema."""
    there = set(names)
    return [name for name in OPTIONAL.get(kind, ()) if name in there]


def schema(kind: Kind, n_classes: int, names: Iterable[str] = ()) -> pa.Schema:
    """Arrow schema of a kind over a vocabulary of `n_classes` names.

    Parameters
    ----------
    kind : Kind
    n_classes : int
    names : iterable of str
        Columns that there are; the optional ones among them are part of the schema.
    """
    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("item", pa.int64(), nullable=False),
            pa.field("label", pa.int32(), nullable=False),
            pa.field("confidence", pa.float32(), nullable=False),
            pa.field("probabilities", pa.list_(pa.float32(), n_classes)),
            *_EXTRA[kind],
            *(
                pa.field(name, pa.float32(), nullable=False)
                for name in optional_columns(kind, names)
            ),
        ]
    )


def extra_columns(kind: Kind) -> list[str]:
    """Names of the columns that only this kind has."""
    return [field.name for field in _EXTRA[kind]]
