"""Units while they are reviewed: their facts after every merge and split, and before one is made.

A `LiveUnits` belongs to one sorting and serves all its readers. Units that no edit touched
keep the facts that were measured; others are described from their spikes (see `grouped`), once
for the same spikes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import pyarrow as pa

from nissl.annotators.spikes.grouped import Sorting, Unit, describe_group
from nissl.annotators.spikes.grouping import Grouping, Ints, Rows
from nissl.annotators.spikes.similarity import Templates
from nissl.annotators.spikes.snippets import SnippetReader, SpikeSample
from nissl.annotators.spikes.units import without_pairs
from nissl.errors import BadEditError
from nissl.labels import ItemTable

MEMO = 512
"""Groups of spikes whose facts are kept."""
TABLES = 4
"""Item tables that are kept, about one per reader; templates make them large."""


@dataclass(frozen=True, eq=False)
class Preview:
    """What an edit would make of some units.

    Parameters
    ----------
    before, after : ItemTable
        Facts of the units that are there now, and of those that would be there instead; a new
        unit has the id -1.
    """

    before: ItemTable
    after: ItemTable


class LiveUnits:
    """Facts of units on demand, remembered.

    Parameters
    ----------
    sorting : Sorting
    """

    def __init__(self, sorting: Sorting) -> None:
        self.sorting = sorting
        self._memo: OrderedDict[bytes, Unit] = OrderedDict()
        self._tables: OrderedDict[bytes, ItemTable] = OrderedDict()
        self._templates: tuple[ItemTable, Templates] | None = None
        self._lock = Lock()

    def equip(
        self, *, reader: SnippetReader | None = None, kept: SpikeSample | None = None
    ) -> None:
        """Use the recording, or kept waveforms, from now on; facts without them are forgotten."""
        with self._lock:
            self.sorting = replace(
                self.sorting,
                reader=reader or self.sorting.reader,
                kept=kept or self.sorting.kept,
            )
            self._memo.clear()
            self._tables.clear()

    def describe(self, rows: Rows, item: Ints) -> Unit:
        """Facts of a group of spikes, see `grouped.describe_group`.

        Those that relate it to other units are of the time when it was first described.
        """
        key = hashlib.blake2b(np.ascontiguousarray(rows).tobytes(), digest_size=16).digest()
        with self._lock:
            found = self._memo.get(key)
        if found is None:
            sorting = self.sorting
            found = describe_group(sorting, rows, item)
            with self._lock:
                if sorting is self.sorting:
                    self._memo[key] = found
                while len(self._memo) > MEMO:
                    self._memo.popitem(last=False)
        return found

    def facts(self, grouping: Grouping) -> ItemTable:
        """Facts of all units as a reader's decisions leave them, ``of`` the base.

        The table of the base itself while nothing changed.
        """
        sorting = self.sorting
        if not grouping.gone:
            return sorting.items
        key = _key(grouping.changed)
        with self._lock:
            found = self._tables.get(key)
        if found is None:
            kept = sorting.items.items[~np.isin(sorting.items.items, list(grouping.gone))]
            found = self._join(kept, grouping.changed, grouping.item)
            with self._lock:
                if sorting is self.sorting:
                    self._tables[key] = found
                while len(self._tables) > TABLES:
                    self._tables.popitem(last=False)
        return found

    def templates(self, grouping: Grouping) -> Templates:
        """Templates of all units that there are now, ready for comparison."""
        table = self.facts(grouping)
        with self._lock:
            known = self._templates
        if known is None or known[0] is not table:
            known = (table, Templates.of(table, among=grouping.items))
            known[1].prepare()
            with self._lock:
                self._templates = known
        return known[1]

    def some(self, grouping: Grouping, items: Sequence[int]) -> ItemTable:
        """Facts of some units, which is quicker than those of all; `BadEditError` when gone."""
        rows = {item: grouping.rows(item) for item in items}
        table = self.sorting.items
        known = [i for i in rows if i not in grouping.gone and np.any(table.items == i)]
        fresh = {i: r for i, r in rows.items() if i not in known}
        return self._join(np.asarray(known, np.int64), fresh, grouping.item)

    def groups(self, rows: Mapping[int, Rows], item: Ints) -> ItemTable:
        """Facts of any groups of spikes, under the ids given."""
        return self._join(np.empty(0, np.int64), rows, item)

    def _join(self, kept: Ints, rows: Mapping[int, Rows], item: Ints) -> ItemTable:
        units = {i: self.describe(own, item) for i, own in rows.items()}
        return _joined(self.sorting.items, kept, units)


def facts_after(units: LiveUnits, grouping: Grouping) -> ItemTable:
    """Facts of all units as a reader's decisions leave them, see `LiveUnits.facts`."""
    return units.facts(grouping)


def preview_merge(units: LiveUnits, grouping: Grouping, items: Sequence[int]) -> Preview:
    """Facts of several units, and of the one that they would become.

    Parameters
    ----------
    units : LiveUnits
    grouping : Grouping
    items : sequence of int
        At least two.

    Raises
    ------
    BadEditError
        Fewer than two units, or one that is gone.
    """
    chosen = sorted(set(items))
    if len(chosen) < 2:
        raise BadEditError("two units or more to merge", f"{list(items)}", "Choose a neighbour.")
    before = units.some(grouping, chosen)
    joined = np.sort(np.concatenate([grouping.rows(item) for item in chosen]))
    item = grouping.item.copy()
    item[joined] = chosen[0]
    return Preview(before, units.groups({chosen[0]: joined}, item))


def preview_split(units: LiveUnits, grouping: Grouping, item: int, part: Rows) -> Preview:
    """Facts of a unit, of what would remain of it, and of the new unit -1.

    Parameters
    ----------
    units : LiveUnits
    grouping : Grouping
    item : int
    part : ndarray, shape (n,), int
        Rows of the new unit.

    Raises
    ------
    BadEditError
        The unit is gone, or the part is empty, all of it, or not of it.
    """
    rows = grouping.rows(item)
    part = np.unique(part)
    if not 0 < part.size < rows.size or not np.all(np.isin(part, rows)):
        raise BadEditError(
            f"some but not all of the {rows.size} spikes of unit {item}",
            f"{part.size} spikes",
            "Draw the lasso around a part of its spikes.",
        )
    before = units.some(grouping, [item])
    now = grouping.item.copy()
    now[part] = np.max(grouping.items) + 1
    parts = {-1: part, item: np.setdiff1d(rows, part, assume_unique=True)}
    return Preview(before, units.groups(parts, now))


def _joined(base: ItemTable, kept: Ints, units: Mapping[int, Unit]) -> ItemTable:
    """Rows of the base's table for `kept`, and new ones, in order of items."""
    rows = np.flatnonzero(np.isin(base.items, kept))
    items = np.concatenate([base.items[rows], np.asarray(list(units), np.int64)])
    order = np.argsort(items, kind="stable")
    fresh = {
        field.name: pa.array(
            [
                item if field.name == "item" else _plain(unit.columns.get(field.name), field.type)
                for item, unit in units.items()
            ],
            field.type,
        )
        for field in base.table.schema
    }
    table = pa.concat_tables(
        [base.table.take(pa.array(rows)), pa.table(fresh, schema=base.table.schema)]
    )
    arrays = {}
    for name, old in base.arrays.items():
        new = np.full((len(units), *old.shape[1:]), np.nan, old.dtype)
        for k, unit in enumerate(units.values()):
            value = {"template": unit.template, "acg": unit.acg}.get(name)
            if value is not None and value.shape == old.shape[1:]:
                new[k] = value
        arrays[name] = np.concatenate([old[rows], new])[order]
    context = without_pairs(
        base.context, set(units) | set(base.items.tolist()) - set(kept.tolist())
    )
    return ItemTable(base.of, table.take(pa.array(order)), base.units, arrays, context)


def _plain(value: float | None, kind: pa.DataType) -> float | int | None:
    """Value of a fresh row; null for columns that nissl does not know."""
    if value is None:
        return None
    if pa.types.is_integer(kind):
        return None if np.isnan(value) else int(value)
    return float(value)


def _key(changed: Mapping[int, Rows]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for item in sorted(changed):
        digest.update(np.asarray([item, changed[item].size], np.int64).tobytes())
        digest.update(np.ascontiguousarray(changed[item]).tobytes())
    return digest.digest()
