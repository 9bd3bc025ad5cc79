"""POINTS: distances between the same points, or between points whose identity is unknown."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa

from nissl.errors import BadArgumentError
from nissl.labels.compare.common import Bools, Floats, Ints, detection, pairs_table, ratio
from nissl.labels.compare.comparison import Evidence, Scored, Sums
from nissl.labels.compare.events import hungarian
from nissl.labels.labelset import LabelSet

_BLOCKS = 200


def compare_points(
    a: LabelSet,
    b: LabelSet,
    *,
    max_distance: float | None = None,
    identity: bool = True,
) -> Scored:
    """Compare points frame by frame; only visible points count.

    With identity a point's partner is the one of the same frame, item and keypoint. Without,
    partners are found in each frame and keypoint by the Hungarian method: as many pairs
    within `max_distance` as possible, with the least total distance.

    Parameters
    ----------
    a, b : LabelSet
        POINTS in the same coordinates.
    max_distance : float, optional
        Pixels or voxels; pairs this far apart are right. Needed without identity.
    identity : bool

    Returns
    -------
    Scored
        Metrics: `rmse` and `distance` (mean) over pairs, in pixels; `coverage`, the fraction
        of the reference's points that have a partner; with `max_distance` also `precision`,
        `recall` (with identity: the percentage of correct keypoints, as a fraction) and
        `f1`. Without identity, items are matched by the frames that they share.
    """
    if max_distance is None and not identity:
        raise BadArgumentError(
            "a max_distance where identities are unknown", "none", "Give it, in pixels."
        )
    rows = [np.flatnonzero(s.column("visible")) for s in (a, b)]
    pair = _same_key if identity else _nearest
    left, right = pair(a, b, rows, max_distance or 0.0)
    distance = np.sqrt(_squared(a, b, left, right))
    right_ones = distance <= (np.inf if max_distance is None else max_distance)
    sums = _blocks(a, b, rows, left, distance, right_ones)
    items = _per_item(a, rows[0], left, distance, right_ones)
    table = _item_pairs(a, b, left, right)
    measure = partial(_measure, max_distance is not None)
    return Scored(Evidence(sums, measure), items, table)


def _keys(labels: LabelSet, rows: Ints, names: tuple[str, ...]) -> Ints:
    return np.column_stack([labels.column(n)[rows].astype(np.int64) for n in names])


def _same_key(
    a: LabelSet, b: LabelSet, rows: list[Ints], _max_distance: float
) -> tuple[Ints, Ints]:
    names = ("frame", "item", "keypoint")
    keys = [_keys(s, r, names) for s, r in zip((a, b), rows, strict=True)]
    _, codes = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    codes = codes.ravel()
    of_a, of_b = codes[: len(rows[0])], codes[len(rows[0]) :]
    if np.unique(of_a).size != of_a.size or np.unique(of_b).size != of_b.size:
        raise BadArgumentError(
            "one point per frame, item and keypoint", "several", "Compare with identity=False."
        )
    _, left, right = np.intersect1d(of_a, of_b, assume_unique=True, return_indices=True)
    return rows[0][left], rows[1][right]


def _nearest(a: LabelSet, b: LabelSet, rows: list[Ints], max_distance: float) -> tuple[Ints, Ints]:
    keys = [_keys(s, r, ("frame", "keypoint")) for s, r in zip((a, b), rows, strict=True)]
    _, codes = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    codes = codes.ravel()
    of_a, of_b = codes[: len(rows[0])], codes[len(rows[0]) :]
    order = [np.argsort(c, kind="stable") for c in (of_a, of_b)]
    common = np.intersect1d(of_a, of_b)
    edges = [
        [np.searchsorted(c[o], common, side=side) for side in ("left", "right")]
        for c, o in zip((of_a, of_b), order, strict=True)
    ]
    found: list[tuple[Ints, Ints]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for k in range(common.size):
        mine, theirs = (r[o[e[0][k] : e[1][k]]] for r, o, e in zip(rows, order, edges, strict=True))
        grid = np.repeat(mine, theirs.size), np.tile(theirs, mine.size)
        distance = np.sqrt(_squared(a, b, *grid)).reshape(mine.size, theirs.size)
        # every pair within reach outweighs any sum of distances
        reach = np.where(distance <= max_distance, max_distance + 1, 0) * (mine.size + 1)
        left, right = hungarian(np.where(reach > 0, reach - distance, 0.0), 0.0)
        found.append((mine[left], theirs[right]))
    left, right = (np.concatenate(side) for side in zip(*found, strict=True))
    return left, right


def _squared(a: LabelSet, b: LabelSet, left: Ints, right: Ints) -> Floats:
    total = np.zeros(left.size)
    for axis in ("x", "y", "z"):
        values = [
            s.column(axis)[r].astype(np.float64) for s, r in zip((a, b), (left, right), strict=True)
        ]
        step = values[0] - values[1]
        total += np.where(np.isnan(step), 0.0, step) ** 2 if axis == "z" else step**2
    return total


def _blocks(
    a: LabelSet,
    b: LabelSet,
    rows: list[Ints],
    left: Ints,
    distance: Floats,
    right_ones: Bools,
) -> Sums:
    """Counts per stretch of frames: neighbouring frames are alike."""
    frames = [s.column("frame")[r] for s, r in zip((a, b), rows, strict=True)]
    everything = np.concatenate(frames)
    if not everything.size:
        return np.zeros((0, 6))
    first, last = int(everything.min()), int(everything.max())
    n = min(_BLOCKS, last - first + 1)

    def block(of: Ints) -> Ints:
        return (of - first) * n // (last - first + 1)

    paired = block(a.column("frame")[left])
    return np.column_stack(
        [
            np.bincount(block(frames[0]), minlength=n),
            np.bincount(block(frames[1]), minlength=n),
            np.bincount(paired, minlength=n),
            np.bincount(paired, right_ones, minlength=n),
            np.bincount(paired, distance, minlength=n),
            np.bincount(paired, distance**2, minlength=n),
        ]
    ).astype(np.float64)


def _measure(with_limit: bool, sums: Sums) -> dict[str, Floats]:
    n_a, n_b, pairs, good, distance, squared = (sums[..., k] for k in range(6))
    found = {
        "rmse": np.sqrt(ratio(squared, pairs)),
        "distance": ratio(distance, pairs),
        "coverage": ratio(pairs, n_a),
    }
    return found | (detection(good, n_a - good, n_b - good) if with_limit else {})


def _per_item(
    a: LabelSet,
    rows: Ints,
    left: Ints,
    distance: Floats,
    right_ones: Bools,
) -> pa.Table:
    n = a.items.size
    all_of, paired = (np.searchsorted(a.items, a.column("item")[r]) for r in (rows, left))
    n_points, n_paired = np.bincount(all_of, minlength=n), np.bincount(paired, minlength=n)
    squared = np.bincount(paired, distance**2, minlength=n)
    return pa.table(
        {
            "item": pa.array(a.items),
            "n_points": n_points,
            "n_paired": n_paired,
            "n_right": np.bincount(paired, right_ones, minlength=n).astype(np.int64),
            "rmse": np.sqrt(ratio(squared, n_paired)),
        }
    )


def _item_pairs(a: LabelSet, b: LabelSet, left: Ints, right: Ints) -> pa.Table:
    """Items matched one to one by the number of points that they share; score: the fraction."""
    codes = [
        np.searchsorted(s.items, s.column("item")[r])
        for s, r in zip((a, b), (left, right), strict=True)
    ]
    shared = np.zeros((a.items.size, b.items.size))
    np.add.at(shared, tuple(codes), 1)
    of_a = np.bincount(
        np.searchsorted(a.items, a.column("item")[a.column("visible")]), minlength=a.items.size
    )
    mine, theirs = hungarian(shared, 1.0)
    return pairs_table(a.items[mine], b.items[theirs], ratio(shared[mine, theirs], of_a[mine]))
