"""What several reviewers said of single points, in the set as it was settled."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet
from nissl.labels.replay.draft import Draft
from nissl.labels.replay.pointwise import UNTOUCHED
from nissl.labels.replay.resolve import Outcome, Rule

_PLACE = ("item", "x", "y", "z", "visible")


def points_of(
    labels: LabelSet, drafts: Mapping[str, Draft], rule: Rule | None
) -> npt.NDArray[np.int8] | None:
    """What was said of each row of a reviewed set.

    A claim counts where the row stands as its reviewer left it (same track, same place), and
    where the rule lets that reviewer speak alone. Of two claims on a row the more doubtful one
    stands: "unsure" outweighs "accepted".

    Parameters
    ----------
    labels : LabelSet
        The settled rows.
    drafts : mapping of str to Draft
        Each reviewer's own replay.
    rule : callable, optional
        How reviewers are combined.

    Returns
    -------
    ndarray, shape (n_rows,), int8, or None
        Index into `STATES`; None where nothing was said, or of kinds without points.
    """
    if labels.kind is not Kind.POINTS:
        return None
    found: npt.NDArray[np.int8] | None = None
    order = np.argsort(labels.column("id"), kind="stable")
    ids = labels.column("id")[order]
    for name, draft in drafts.items():
        alone = Outcome(name, "")
        if rule is not None and rule((alone,)) != name:
            continue
        rows = np.flatnonzero((draft.claims.said != UNTOUCHED) & draft.alive)
        said = draft.said(rows)
        rows, said = rows[said != UNTOUCHED], said[said != UNTOUCHED]
        own = draft.values("id", rows)
        where = np.searchsorted(ids, own)
        there = where < ids.size
        there[there] = ids[where[there]] == own[there]
        rows, said, where = rows[there], said[there], order[where[there]]
        same = _same(draft.columns_at(rows), labels.table.take(pa.array(where)))
        found = np.zeros(labels.n_rows, np.int8) if found is None else found
        found[where[same]] = np.maximum(found[where[same]], said[same])
    return found if found is not None and found.any() else None


def _same(left: pa.Table, right: pa.Table) -> npt.NDArray[np.bool_]:
    """Which points are the same: their track and place; places without z agree on that."""
    same = np.ones(left.num_rows, bool)
    for name in _PLACE:
        a, b = (np.asarray(table.column(name).to_numpy()) for table in (left, right))
        same &= (a == b) | ((a != a) & (b != b))
    return same


__all__ = ["points_of"]
