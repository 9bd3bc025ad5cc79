"""Which unit of a new run is which unit of an old one, by their spikes and by their templates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.spikes.similarity import Templates, similarities
from nissl.labels import ItemTable, LabelSet
from nissl.labels.compare.events import hungarian, match_counts

TOLERANCE_MS = 0.4
LEAST_AGREEMENT = 0.2
"""Share of common spikes below which no template makes two units the same."""

LEAST_SCORE = 0.5

Values = npt.NDArray[np.float64]


def match_units(
    old: LabelSet,
    new: LabelSet,
    old_items: ItemTable | None = None,
    new_items: ItemTable | None = None,
    *,
    tolerance: int | None = None,
) -> dict[int, int]:
    """Match the units of two runs on the same recording, one to one.

    Parameters
    ----------
    old, new : LabelSet
        EVENTS on the same samples.
    old_items, new_items : ItemTable, optional
        With templates; without them, or for units that have none, the spikes alone count.
    tolerance : int, optional
        Samples within which spikes are the same one; 0.4 ms by default.

    Returns
    -------
    dict of int to int
        Item of `old` to item of `new`; units without a match are missing.

    Notes
    -----
    The score of a pair is the geometric mean of the agreement of the trains,
    ``n_match / (n_a + n_b - n_match)`` as of `nissl.labels.compare`, and the cosine of the
    templates (the largest over shifts of 0.5 ms); the assignment with the largest sum of
    scores of one half or more is taken. Two units with half of their spikes in common and the
    same template match, and so do units with most spikes in common whose templates differ
    somewhat, as they do after another filter.
    """
    if tolerance is None:
        rate_hz = next((float(t.context["rate_hz"]) for t in (old_items, new_items) if t), 30000.0)
        tolerance = round(TOLERANCE_MS * rate_hz / 1000)
    if not old.n_rows or not new.n_rows:
        return {}
    counts = match_counts(old, new, tolerance)
    n_old, n_new = (_sizes(s) for s in (old, new))
    agreement = counts / np.maximum(n_old[:, None] + n_new[None, :] - counts, 1)
    likely = agreement >= LEAST_AGREEMENT
    alike = np.ones_like(agreement)
    if old_items is not None and new_items is not None:
        alike = _alike(old, new, old_items, new_items, likely)
    score = np.where(likely, np.sqrt(agreement * alike), 0.0)
    left, right = hungarian(score, LEAST_SCORE)
    return dict(zip(old.items[left].tolist(), new.items[right].tolist(), strict=True))


def _sizes(labels: LabelSet) -> npt.NDArray[np.int64]:
    index = np.searchsorted(labels.items, labels.column("item"))
    return np.asarray(np.bincount(index, minlength=labels.items.size), np.int64)


def _alike(
    old: LabelSet,
    new: LabelSet,
    old_items: ItemTable,
    new_items: ItemTable,
    likely: npt.NDArray[np.bool_],
) -> Values:
    """Similarity of templates of likely pairs; 1 where one has none, so that trains decide."""
    out = np.ones(likely.shape)
    both = _together(old_items, new_items)
    if both is None:
        return out
    joined, n_old = Templates.of(both), old_items.items.size
    known = joined.norm > 0
    row_old = _rows(old_items, old.items)
    row_new = _rows(new_items, new.items)
    for k in range(len(likely)):
        if row_old[k] < 0 or not known[row_old[k]]:
            continue
        columns = np.flatnonzero(likely[k] & (row_new >= 0))
        columns = columns[known[row_new[columns] + n_old]]
        values, _ = similarities(joined, int(row_old[k]), row_new[columns] + n_old)
        out[k, columns] = values
    return out


def _together(old: ItemTable, new: ItemTable) -> ItemTable | None:
    """Templates of both on common channels, those of the old run first; None without."""
    a, b = (items.arrays.get("template") for items in (old, new))
    if a is None or b is None or a.shape[1] != b.shape[1]:
        return None
    names_a, names_b = (list(items.context.get("channel_ids") or ()) for items in (old, new))
    if not names_a and not names_b and a.shape[2] == b.shape[2]:
        names_a = names_b = [str(k) for k in range(a.shape[2])]
    common = [name for name in names_a if name in set(names_b)]
    if not common:
        return None
    a = a[:, :, [names_a.index(name) for name in common]]
    b = b[:, :, [names_b.index(name) for name in common]]
    items = pa.table({"item": pa.array(np.arange(len(a) + len(b)))})
    return ItemTable("", items, {}, {"template": np.concatenate([a, b])}, old.context)


def _rows(items: ItemTable, wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Row of each item in the table, -1 where it has none."""
    if not items.items.size:
        return np.full(wanted.size, -1, np.intp)
    at = np.minimum(np.searchsorted(items.items, wanted), items.items.size - 1)
    return np.where(items.items[at] == wanted, at, -1)
