"""REGIONS: sets of pixels matched by intersection over union."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nissl.errors import BadArgumentError
from nissl.labels.compare.common import (
    Floats,
    Ints,
    detection,
    mutual_best,
    pairs_table,
    ratio,
)
from nissl.labels.compare.comparison import Evidence, Scored, Sums
from nissl.labels.labelset import LabelSet


def compare_regions(a: LabelSet, b: LabelSet, *, min_iou: float = 0.5) -> Scored:
    """Compare regions, frame by frame where they have frames.

    Regions are matched one to one, the largest intersection over union first; from 0.5 on
    this is the only possible matching of regions that do not overlap within a set. Weights
    do not count.

    Parameters
    ----------
    a, b : LabelSet
        REGIONS on the same grid.
    min_iou : float
        Above 0, up to 1.

    Returns
    -------
    Scored
        Metrics: `precision`, `recall`, `f1`, `iou` (mean over matched regions).
    """
    if not 0 < min_iou <= 1:
        raise BadArgumentError("a min_iou above 0, up to 1", str(min_iou), "Mend it.")
    left, right, iou = overlaps(a, b)
    good = iou >= min_iou
    left, right, iou = left[good], right[good], iou[good]
    chosen = mutual_best(left, right, iou)
    left, right, iou = left[chosen], right[chosen], iou[chosen]
    found = np.zeros(a.n_rows)
    found[left] = iou
    false = ~np.isin(np.arange(b.n_rows), right)
    hit = found > 0
    sums = np.zeros((a.n_rows + b.n_rows, 4))
    sums[: a.n_rows, 0], sums[: a.n_rows, 1], sums[: a.n_rows, 3] = hit, ~hit, found
    sums[a.n_rows :, 2] = false
    items = pa.table({"item": pa.array(a.column("item")), "iou": found})
    matches = pairs_table(a.column("item")[left], b.column("item")[right], iou)
    return Scored(Evidence(sums, _measure), items, matches)


def _measure(sums: Sums) -> dict[str, Floats]:
    counts = detection(sums[..., 0], sums[..., 1], sums[..., 2])
    return counts | {"iou": ratio(sums[..., 3], sums[..., 0])}


def overlaps(a: LabelSet, b: LabelSet) -> tuple[Ints, Ints, Floats]:
    """Row pairs of regions that share a pixel, with their intersection over union."""
    from scipy.sparse import csr_array

    flat = [_pixels(s) for s in (a, b)]
    keys = np.concatenate([np.column_stack([f, p]) for _, f, p in flat])
    _, column = np.unique(keys, axis=0, return_inverse=True)
    column = column.ravel()
    n = int(column.max()) + 1 if column.size else 1
    cut = flat[0][0].size
    matrices = [
        csr_array((np.ones(rows.size), (rows, columns)), shape=(s.n_rows, n))
        for s, (rows, _, _), columns in zip((a, b), flat, (column[:cut], column[cut:]), strict=True)
    ]
    shared = (matrices[0] @ matrices[1].T).tocoo()
    left, right = shared.row.astype(np.int64), shared.col.astype(np.int64)
    sizes = [np.bincount(f[0], minlength=s.n_rows) for s, f in zip((a, b), flat, strict=True)]
    return left, right, shared.data / (sizes[0][left] + sizes[1][right] - shared.data)


def _pixels(labels: LabelSet) -> tuple[Ints, Ints, Ints]:
    column = labels.table.column("pixels").combine_chunks()
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    rows = np.repeat(np.arange(labels.n_rows), lengths)
    pixels = pc.list_flatten(column).to_numpy(zero_copy_only=False).astype(np.int64)
    return rows, labels.column("frame")[rows].astype(np.int64), pixels
