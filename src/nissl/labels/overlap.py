"""Which span or region of one set lies over which of another."""

from __future__ import annotations

import numpy as np

from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet


def lying_over(base: LabelSet, other: LabelSet, *, share: float = 0.5) -> dict[int, int]:
    """For items of one set, the item of another that covers most of each.

    Parameters
    ----------
    base, other : LabelSet
        SPANS on the same samples, or REGIONS on the same grid. Spans on different channels do
        not meet; one without a channel meets those of every channel.
    share : float
        Share of a base span's length that must be covered by more than this; of regions, the
        intersection over union.

    Returns
    -------
    dict of int to int
        Item of `base` to item of `other`; items that nothing covers are left out. Of two that
        cover as much the one that starts earlier is taken.
    """
    if base.kind is Kind.REGIONS:
        return _regions(base, other, share)
    start, stop, channel, item = _columns(base)
    end = np.maximum.accumulate(stop) if stop.size else stop
    best = share * (stop - start)
    found: dict[int, int] = {}
    for o_start, o_stop, o_channel, o_item in zip(
        *(values.tolist() for values in _columns(other)), strict=True
    ):
        first = int(np.searchsorted(end, o_start, side="right"))
        last = int(np.searchsorted(start, o_stop, side="left"))
        for row in range(first, last):
            if min(channel[row], o_channel) >= 0 and channel[row] != o_channel:
                continue
            covered = min(int(stop[row]), o_stop) - max(int(start[row]), o_start)
            if covered > best[row]:
                best[row] = covered
                found[int(item[row])] = o_item
    return found


def _regions(base: LabelSet, other: LabelSet, share: float) -> dict[int, int]:
    from nissl.labels.compare.regions import overlaps  # brings scipy

    left, right, iou = overlaps(base, other)
    order = np.argsort(iou, kind="stable")
    order = order[iou[order] > share]
    mine, theirs = (s.column("item")[rows[order]] for s, rows in ((base, left), (other, right)))
    return dict(zip(mine.tolist(), theirs.tolist(), strict=True))  # the largest comes last


def _columns(labels: LabelSet) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]:
    """Start, stop, channel (-1 where none) and item of each row, by start."""
    columns = (labels.column(name) for name in ("start", "stop", "channel", "item"))
    return tuple(np.asarray(values, np.int64) for values in columns)


__all__ = ["lying_over"]
