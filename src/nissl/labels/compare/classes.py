"""CLASSES: two opinions on the same items, as a confusion matrix."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa

from nissl.errors import BadArgumentError
from nissl.labels.compare.common import Floats, agreement, class_codes, pairs_table, ratio
from nissl.labels.compare.comparison import Evidence, Scored, Sums
from nissl.labels.labelset import LabelSet


def compare_classes(a: LabelSet, b: LabelSet) -> Scored:
    """Compare the classes that two sets give to the same targets.

    Classes are compared by name; the vocabularies may differ.

    Parameters
    ----------
    a, b : LabelSet
        CLASSES on the same set; at most one row per target.

    Returns
    -------
    Scored
        Metrics over the targets of both: `accuracy`, `balanced_accuracy`, `macro_f1`,
        `kappa`; `coverage`, the fraction of the reference's targets that `b` has; `n_extra`,
        targets of `b` alone. Tables: `confusion` (columns `reference`, then one per class).

    Raises
    ------
    BadArgumentError
        The sets name different targets, or one names a target twice.
    """
    targets = {s.provenance.targets for s in (a, b) if s.provenance.targets}
    if len(targets) > 1:
        raise BadArgumentError(
            "classes of items of the same set",
            f"targets {sorted(t[0][:12] for t in targets)}",
            "Carry one over with nissl.labels.replay.retarget, or match the items first.",
        )
    for labels in (a, b):
        if np.unique(labels.column("target")).size != labels.n_rows:
            raise BadArgumentError("one class per target", "several", "Combine readers first.")
    names, codes_a, codes_b = class_codes(a, b)
    _, rows_a, rows_b = np.intersect1d(
        a.column("target"), b.column("target"), assume_unique=True, return_indices=True
    )
    k = len(names)
    sums = np.zeros((rows_a.size, k * k))
    sums[np.arange(rows_a.size), codes_a[rows_a] * k + codes_b[rows_b]] = 1
    confusion = sums.sum(axis=0).reshape(k, k)
    items = pa.table(
        {
            "item": pa.array(a.column("target")[rows_a]),
            "reference": pa.array([names[c] for c in codes_a[rows_a]], pa.string()),
            "found": pa.array([names[c] for c in codes_b[rows_b]], pa.string()),
            "confidence": b.column("confidence")[rows_b],
        }
    )
    columns = {name: confusion[:, i].astype(np.int64) for i, name in enumerate(names)}
    table = pa.table([pa.array(list(names)), *columns.values()], ["reference", *columns])
    extra = {
        "coverage": float(ratio(rows_a.size, a.n_rows)),
        "n_extra": float(b.n_rows - rows_b.size),
    }
    matches = pairs_table(
        a.column("item")[rows_a],
        b.column("item")[rows_b],
        codes_a[rows_a] == codes_b[rows_b],
    )
    evidence = Evidence(sums, partial(_measure, k), np.asarray(a.column("target")[rows_a]))
    return Scored(evidence, items, matches, extra, {"confusion": table})


def _measure(k: int, sums: Sums) -> dict[str, Floats]:
    return agreement(sums.reshape(*sums.shape[:-1], k, k))
