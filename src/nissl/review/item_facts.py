"""One item of any desk: its rows, its facts, its pictures and the items that are most alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as kinds

from nissl.errors import MissingInputError
from nissl.labels import ItemTable, Kind
from nissl.review.desk import Desk
from nissl.review.reading import Reading

_MAD_TO_SD = 1.4826
_CLAIMS = ("label", "confidence", "probabilities")


@dataclass(frozen=True)
class Neighbour:
    """An item of the same desk that is alike.

    Parameters
    ----------
    item : int
    distance : float
        Root mean square of the differences over the facts that both have, each in units of
        the fact's robust spread over the desk.
    label : str or None
        What the reader, else the machine, says it is; None where it is hidden or unknown.
    state : str
    """

    item: int
    distance: float
    label: str | None
    state: str


def rows_of(reading: Reading, items: Sequence[int], *, blind: bool = False) -> pa.Table:
    """Rows of items as they stand for the reader, with moves and reshapes.

    Parameters
    ----------
    reading : Reading
    items : sequence of int
        Those that are gone have no rows.
    blind : bool
        Whether classes that only the machine claims are left out.

    Returns
    -------
    pyarrow.Table
        Columns of the desk's kind; of a set of classes those that claim something are left out
        where an item is hidden.
    """
    there = set(reading.items.tolist())
    known = [item for item in items if item in there]
    parts = [reading.base.rows(item) for item in known]
    rows = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    table = reading.base.draft.columns_at(rows)
    hidden = blind and reading.desk.kind is Kind.CLASSES
    if hidden and any(reading.state(item) == "untouched" for item in known):
        return table.drop_columns([name for name in _CLAIMS if name in table.column_names])
    return table


def probabilities_of(
    reading: Reading, items: Sequence[int], *, blind: bool = False
) -> npt.NDArray[np.float32]:
    """What the machine gives every class of the desk's vocabulary.

    Parameters
    ----------
    reading : Reading
    items : sequence of int
    blind : bool
        Whether items that the reader has not decided on are left out.

    Returns
    -------
    ndarray, shape (n_items, n_classes), float32
        NaN where there are none, and for items that are left out.
    """
    said = reading.desk.proposals
    out = np.full((len(items), said.probabilities.shape[1]), np.nan, np.float32)
    for row, item in enumerate(items):
        place = int(np.searchsorted(said.items, item))
        known = place < said.items.size and said.items[place] == item
        if known and not (blind and reading.state(item) == "untouched"):
            out[row] = said.probabilities[place]
    return out


def array_of(desk: Desk, name: str, items: Sequence[int]) -> npt.NDArray[Any]:
    """Rows of an array of the item table.

    Parameters
    ----------
    desk : Desk
    name : str
        A key of `ItemTable.arrays`.
    items : sequence of int

    Returns
    -------
    ndarray, shape (n_items, ...)

    Raises
    ------
    MissingInputError
        There is no such array, or an item has no facts.
    """
    table = desk.items
    if table is None or name not in table.arrays:
        known = [] if table is None else sorted(table.arrays)
        raise MissingInputError(f"an array among {known}", repr(name)[:80], "Reload the page.")
    return table.arrays[name][[_place(table, item) for item in items]]


def neighbours(
    reading: Reading, item: int, *, n: int = 8, blind: bool = False
) -> tuple[Neighbour, ...]:
    """Items of the desk whose facts are most alike, the nearest first.

    Parameters
    ----------
    reading : Reading
    item : int
    n : int
    blind : bool
        Whether what only the machine says is left out.
    """
    table = reading.desk.items
    if table is None or not np.isin(item, table.items):
        return ()
    values = _standardised(table)
    gaps = values - values[_place(table, item)]
    shared = np.isfinite(gaps)
    count = shared.sum(axis=1)
    square = np.where(shared, gaps, 0.0) ** 2
    distance = np.sqrt(square.sum(axis=1) / np.maximum(count, 1))
    distance[(count == 0) | (table.items == item)] = np.inf
    distance[~np.isin(table.items, reading.items)] = np.inf
    found = []
    for place in np.argsort(distance, kind="stable")[:n].tolist():
        if np.isfinite(distance[place]):
            near = int(table.items[place])
            state = reading.state(near)
            hidden = blind and state == "untouched"
            label = None if hidden else reading.label(near)
            found.append(Neighbour(near, float(distance[place]), label, state))
    return tuple(found)


def _place(table: ItemTable, item: int) -> int:
    place = int(np.searchsorted(table.items, item))
    if place == table.items.size or table.items[place] != item:
        raise MissingInputError(
            f"facts of item {item}", "none for this item", "Reload the page; it may be new or gone."
        )
    return place


def _standardised(table: ItemTable) -> npt.NDArray[np.float64]:
    """Numeric facts, centred and scaled by median and MAD; a fact that is the same for all is out.

    Returns
    -------
    ndarray, shape (n_items, n_facts), float64
    """
    columns = []
    for name in table.table.column_names:
        kind = table.table.schema.field(name).type
        if name == "item" or not (kinds.is_floating(kind) or kinds.is_integer(kind)):
            continue
        raw = table.table.column(name).to_numpy(zero_copy_only=False)
        values = np.asarray(raw, np.float64)
        known = values[np.isfinite(values)]
        if known.size < 2:
            continue
        centre = float(np.median(known))
        spread = _MAD_TO_SD * float(np.median(np.abs(known - centre))) or float(known.std())
        if spread > 0:
            columns.append((values - centre) / spread)
    if not columns:
        return np.zeros((table.items.size, 0))
    return np.stack(columns, axis=1)
