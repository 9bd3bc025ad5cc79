"""SPANS: event by event and frame by frame.

Event by event, a span of the reference is found when a span of the same class overlaps it
enough. Two rules are usual: one-to-one by intersection over union (spindles), and any
overlap with tolerances around the reference (seizures: SzCORE, Dan et al. 2024, Epilepsia,
takes 30 s before and 60 s after, joins spans less than 90 s apart and cuts those over 5 min;
in samples ``rule="overlap", tolerance=(30 * rate, 60 * rate), join=90 * rate,
cut=300 * rate``). Frame by frame, time is cut into frames and the classes of both sets are
compared in each, as sleep stages are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from nissl.errors import BadArgumentError
from nissl.labels.compare.common import (
    Bools,
    Floats,
    Ints,
    agreement,
    class_codes,
    detection,
    mean_of_known,
    mutual_best,
    overlapping,
    pairs_table,
    ratio,
)
from nissl.labels.compare.comparison import Evidence, Scored, Sums
from nissl.labels.labelset import LabelSet

_BLOCKS = 200


@dataclass(frozen=True)
class _Spans:
    start: Ints
    stop: Ints
    code: Ints
    item: Ints

    def of(self, rows: Bools | Ints) -> _Spans:
        return _Spans(self.start[rows], self.stop[rows], self.code[rows], self.item[rows])


def compare_spans(
    a: LabelSet,
    b: LabelSet,
    *,
    rule: str = "iou",
    min_overlap: float = 0.5,
    tolerance: tuple[int, int] = (0, 0),
    join: int = 0,
    cut: int | None = None,
    frame: int | None = None,
) -> Scored:
    """Compare spans of the same classes (by name); channels do not count.

    Parameters
    ----------
    a, b : LabelSet
        SPANS on the same sample index.
    rule : {"iou", "overlap"}
        "iou": pairs one to one, the largest intersection over union first, of at least
        `min_overlap`. "overlap": a span of the reference is found when those of `b` cover
        more than `min_overlap` of its length within the tolerance (0: any sample); a span of
        `b` is false when it touches none, tolerance included.
    min_overlap : float
        0.5 by default for "iou"; give 0 for any overlap.
    tolerance : tuple of int
        Samples before and after each span of the reference; for "overlap".
    join : int
        Spans of a class less than this many samples apart are one, in both sets.
    cut : int, optional
        Spans longer than this are cut into pieces of it, after joining, in both sets.
    frame : int, optional
        Length of a frame in samples; frame-wise metrics only with it. A frame has the class
        of the span over its middle (of several, the one that starts last), or none.

    Returns
    -------
    Scored
        Metrics: `precision`, `recall`, `f1` over all classes together, `macro_f1_events`
        their mean over classes; with `frame` also `accuracy`, `balanced_accuracy`,
        `macro_f1` and `kappa` of frames, "none" being a class but not of macro-F1.
        Tables: `classes`, one row per class; with `frame` also `confusion`.
    """
    if rule not in ("iou", "overlap") or not 0 <= min_overlap <= 1:
        raise BadArgumentError(
            "a rule 'iou' or 'overlap' and a min_overlap of 0 to 1",
            f"{rule!r}, {min_overlap}",
            "Mend the options.",
        )
    names, code_a, code_b = class_codes(a, b)
    first, second = (
        _prepared(_Spans(s.column("start"), s.column("stop"), code, s.column("item")), join, cut)
        for s, code in ((a, code_a), (b, code_b))
    )
    pairing = _by_iou if rule == "iou" else partial(_by_overlap, tolerance=tolerance)
    hit, false, matches = pairing(first, second, min_overlap)
    k = len(names)
    rows = np.zeros((hit.size + false.size, 3 * k))
    rows[np.arange(hit.size), first.code + np.where(hit, 0, k)] = 1
    rows[hit.size + np.arange(false.size), second.code + 2 * k] = false
    items = pa.table({"item": pa.array(first.item), "hit": hit})
    counts = rows.sum(axis=0).reshape(3, k)
    tables = {
        "classes": pa.table(
            [pa.array(list(names)), *counts.astype(np.int64), *detection(*counts).values()],
            ["class", "n_hit", "n_missed", "n_false", "precision", "recall", "f1"],
        )
    }
    if frame is None:
        return Scored(Evidence(rows, partial(_measure, k, False)), items, matches, {}, tables)
    where = np.concatenate([first.start, second.start])
    sums, confusion = _with_frames(rows, where, (first, second), k, frame)
    columns = [confusion[:, c].astype(np.int64) for c in range(k + 1)]
    tables["confusion"] = pa.table(
        [pa.array([*names, "none"]), *columns], ["reference", *names, "none"]
    )
    return Scored(Evidence(sums, partial(_measure, k, True)), items, matches, {}, tables)


def _measure(k: int, with_frames: bool, sums: Sums) -> dict[str, Floats]:
    hits, misses, false = (sums[..., i * k : (i + 1) * k] for i in range(3))
    found = detection(hits.sum(axis=-1), misses.sum(axis=-1), false.sum(axis=-1))
    found["macro_f1_events"] = mean_of_known(detection(hits, misses, false)["f1"])
    if with_frames:
        confusion = sums[..., 3 * k :].reshape(*sums.shape[:-1], k + 1, k + 1)
        found |= agreement(confusion, np.arange(k + 1) < k)
    return found


def _prepared(spans: _Spans, join: int, cut: int | None) -> _Spans:
    if join > 0 and spans.start.size:
        order = np.lexsort((spans.start, spans.code))
        spans = spans.of(order)
        offset = spans.code * (int(spans.stop.max()) + join + 1)  # classes one after another
        reach = np.maximum.accumulate(spans.stop + offset)
        new = np.r_[True, spans.start[1:] + offset[1:] - reach[:-1] >= join]
        firsts = np.flatnonzero(new)
        stop = np.maximum.reduceat(spans.stop, firsts)
        spans = _Spans(spans.start[new], stop, spans.code[new], spans.item[new])
    if cut is not None and spans.start.size:
        pieces = -(-(spans.stop - spans.start) // cut)
        rank = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        start = np.repeat(spans.start, pieces) + rank * cut
        stop = np.minimum(start + cut, np.repeat(spans.stop, pieces))
        spans = _Spans(start, stop, np.repeat(spans.code, pieces), np.repeat(spans.item, pieces))
    return spans.of(np.argsort(spans.start, kind="stable"))


Paired = tuple[Bools, Bools, pa.Table]


def _candidates(a: _Spans, b: _Spans) -> tuple[Ints, Ints, Ints]:
    """Overlapping pairs of one class, and how many samples they share."""
    left, right = overlapping(a.start, a.stop, b.start, b.stop)
    same = a.code[left] == b.code[right]
    left, right = left[same], right[same]
    shared = np.minimum(a.stop[left], b.stop[right]) - np.maximum(a.start[left], b.start[right])
    return left, right, shared


def _by_iou(a: _Spans, b: _Spans, min_overlap: float) -> Paired:
    left, right, shared = _candidates(a, b)
    union = (a.stop - a.start)[left] + (b.stop - b.start)[right] - shared
    iou = shared / union
    good = iou >= min_overlap
    left, right, iou = left[good], right[good], iou[good]
    chosen = mutual_best(left, right, iou)
    left, right, iou = left[chosen], right[chosen], iou[chosen]
    hit, false = np.zeros(a.start.size, dtype=bool), np.ones(b.start.size, dtype=bool)
    hit[left], false[right] = True, False
    return hit, false, pairs_table(a.item[left], b.item[right], iou)


def _by_overlap(a: _Spans, b: _Spans, min_overlap: float, *, tolerance: tuple[int, int]) -> Paired:
    wide = _Spans(a.start - tolerance[0], a.stop + tolerance[1], a.code, a.item)
    left, right, shared = _candidates(wide, b)
    covered = np.bincount(left, shared, minlength=a.start.size)
    length = a.stop - a.start
    hit = (covered > 0) & (covered > min_overlap * length if min_overlap < 1 else covered >= length)
    false = ~np.isin(np.arange(b.start.size), right)
    score = ratio(shared, length[left])
    keep = hit[left]
    return hit, false, pairs_table(a.item[left[keep]], b.item[right[keep]], score[keep])


def _with_frames(
    rows: Sums, where: Ints, spans: tuple[_Spans, _Spans], k: int, frame: int
) -> tuple[Sums, Sums]:
    """Counts of events and of frames per stretch of time, and the confusion of all frames."""
    if frame < 1:
        raise BadArgumentError("a frame of 1 sample or more", str(frame), "Mend it.")
    if not where.size:
        return np.zeros((0, 3 * k + (k + 1) ** 2)), np.zeros((k + 1, k + 1))
    start = int(where.min())
    n_frames = -(-(max(int(s.stop.max(initial=start)) for s in spans) - start) // frame)
    codes = [_classes_of_frames(s, start, n_frames, k, frame) for s in spans]
    n = min(_BLOCKS, n_frames)
    block = np.arange(n_frames) * n // n_frames
    flat = (block * (k + 1) + codes[0]) * (k + 1) + codes[1]
    cells = np.bincount(flat, minlength=n * (k + 1) ** 2).reshape(n, (k + 1) ** 2)
    events = np.zeros((n, 3 * k))
    np.add.at(events, np.minimum((where - start) // frame, n_frames - 1) * n // n_frames, rows)
    return np.hstack([events, cells]), cells.sum(axis=0).reshape(k + 1, k + 1).astype(np.float64)


def _classes_of_frames(spans: _Spans, start: int, n_frames: int, k: int, frame: int) -> Ints:
    middles = start + frame // 2 + frame * np.arange(n_frames)
    codes = np.full(n_frames, k, dtype=np.int64)
    low = np.searchsorted(middles, spans.start, side="left")
    high = np.searchsorted(middles, spans.stop, side="left")
    for first, last, code in zip(low.tolist(), high.tolist(), spans.code.tolist(), strict=True):
        codes[first:last] = code
    return codes
