"""LINKS: which pairs two sets agree on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nissl.errors import BadArgumentError
from nissl.labels.compare.common import Floats, detection, pairs_table
from nissl.labels.compare.comparison import Evidence, Scored, Sums
from nissl.labels.labelset import LabelSet


def compare_links(a: LabelSet, b: LabelSet) -> Scored:
    """Compare pairs of items.

    Links have no direction: where `b` names the two linked sets in the other order, its
    pairs are turned round. A pair that a set names twice counts once.

    Parameters
    ----------
    a, b : LabelSet
        LINKS between the same two sets.

    Returns
    -------
    Scored
        Metrics: `precision`, `recall`, `f1`.
    """
    order = ("a", "b")
    to_a, to_b = a.provenance.targets, b.provenance.targets
    if to_a and to_b and to_a != to_b:
        if to_a != to_b[::-1]:
            raise BadArgumentError(
                "links between the same two sets", "links between others", "Check the sets."
            )
        order = ("b", "a")
    first = np.column_stack([a.column("a"), a.column("b")])
    second = np.column_stack([b.column(order[0]), b.column(order[1])])
    pairs, where = np.unique(np.concatenate([first, second]), axis=0, return_inverse=True)
    where = where.ravel()
    in_a, in_b = (np.zeros(len(pairs), dtype=bool) for _ in range(2))
    in_a[where[: a.n_rows]] = True
    in_b[where[a.n_rows :]] = True
    sums = np.column_stack([in_a & in_b, in_a & ~in_b, ~in_a & in_b]).astype(np.float64)
    found = in_b[where[: a.n_rows]]
    items = pa.table({"item": pa.array(a.column("item")), "hit": found})
    rows = {int(w): i for i, w in enumerate(where[a.n_rows :])}
    hits = np.flatnonzero(found)
    partners = [rows[int(where[i])] for i in hits]
    matches = pairs_table(a.column("item")[hits], b.column("item")[partners], np.ones(hits.size))
    return Scored(Evidence(sums, _measure), items, matches)


def _measure(sums: Sums) -> dict[str, Floats]:
    return detection(sums[..., 0], sums[..., 1], sums[..., 2])
