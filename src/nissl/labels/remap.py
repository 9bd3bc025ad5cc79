"""Labels on the clock of one device, carried to the samples of another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels.kinds import Kind, optional_columns
from nissl.labels.labelset import LabelSet
from nissl.sync import ClockMap
from nissl.sync.intervals import event_samples, span_samples, span_seconds

OUTSIDE = ("error", "drop")

Samples = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Target:
    """Where labels are carried to.

    Parameters
    ----------
    clock : Clock
        Clock of the stream whose samples the rows will count.
    source : str
        Fingerprint of its recording.
    stream : str
        Its name within the recording.
    """

    clock: Clock
    source: str = ""
    stream: str = ""


def remap(
    labels: LabelSet,
    clock: Clock,
    target: Target,
    *,
    clock_map: ClockMap,
    outside: str = "error",
) -> LabelSet:
    """Carry EVENTS or SPANS from the samples of one device to those of another.

    The claim stays its author's; the new set is made from the old one and names the clock
    map. Pieces of an item that adjoin in samples are one interval; a span is cut at the
    gaps of the target, its pieces keep its item. Channels are dropped: they count another
    stream's channels.

    Parameters
    ----------
    labels : LabelSet
        EVENTS or SPANS in samples (or frames) of `clock`.
    clock : Clock
        Clock of the device the labels were made on.
    target : Target
    clock_map : ClockMap
        From `clock`'s seconds to the target's.
    outside : {"error", "drop"}
        What to do with rows at times the target did not record; dropped rows are listed in
        the provenance.

    Raises
    ------
    BadLabelsError
        Rows outside the target's recording, or labels of another kind.
    """
    if labels.kind is Kind.EVENTS:
        columns, lost = _events(labels, clock, target.clock, clock_map)
    elif labels.kind is Kind.SPANS:
        columns, lost = _spans(labels, clock, target.clock, clock_map)
    else:
        raise BadLabelsError(
            "labels of the kind events or spans", labels.kind.value, "Others have no times."
        )
    refuse_lost(lost, outside, "item")
    was = labels.provenance
    residuals = clock_map.residuals().to_json()
    remapped = {"from": clock_map.a, "to": clock_map.b, "residuals": residuals, "lost": lost}
    provenance = replace(
        was,
        source=target.source,
        stream=target.stream,
        made_from=(labels.digest,),
        parameters={**was.parameters, "clock_map": remapped},
    )
    return LabelSet.build(labels.kind, columns, labels.vocabulary, provenance)


def refuse_lost(lost: list[int], outside: str, what: str) -> None:
    """Raise `BadLabelsError` over labels at times that were not recorded, unless "drop"."""
    if outside not in OUTSIDE:
        raise BadArgumentError(f"outside among {OUTSIDE}", repr(outside), "Use one of them.")
    if lost and outside == "error":
        raise BadLabelsError(
            "labels at times that the target recorded",
            f"{len(lost)} before its start, in a gap or after its end: {what} {lost[:10]}",
            "Check the clock map, or give outside='drop' to leave them out.",
        )


def cut_spans(
    clock: Clock, start_s: npt.ArrayLike, stop_s: npt.ArrayLike
) -> tuple[npt.NDArray[np.intp], Samples, Samples, npt.NDArray[np.bool_]]:
    """Samples of spans of time, cut at the gaps of a clock.

    Parameters
    ----------
    clock : Clock
    start_s, stop_s : array-like, shape (n,), seconds

    Returns
    -------
    which : ndarray, shape (n_pieces,)
        The span that each piece belongs to; spans not recorded have no piece.
    start, stop : ndarray, shape (n_pieces,), int64
    recorded : ndarray, shape (n,), bool
        Whether the span lies within the recording and holds at least one sample.
    """
    start, stop = span_samples(clock, start_s, stop_s)
    recorded = (start >= 0) & (stop <= clock.n_samples) & (stop > start)
    pieces = [
        (k, a, b)
        for k in np.flatnonzero(recorded).tolist()
        for a, b in clock.split(int(start[k]), int(stop[k]))
    ]
    table = np.asarray(pieces, dtype=np.int64).reshape(-1, 3)
    return table[:, 0].astype(np.intp), table[:, 1], table[:, 2], recorded


def join_pieces(labels: LabelSet) -> tuple[npt.NDArray[np.intp], Samples, Samples]:
    """Spans of whole intervals: the pieces of an item that adjoin in samples are one.

    Returns
    -------
    rows : ndarray, shape (n_intervals,)
        The first row of each, by item and start.
    start, stop : ndarray, shape (n_intervals,), int64
    """
    item, label, start, stop = (labels.column(c) for c in ("item", "label", "start", "stop"))
    order = np.lexsort((start, item))
    item, label, start, stop = item[order], label[order], start[order], stop[order]
    same = (item[1:] == item[:-1]) & (label[1:] == label[:-1]) & (start[1:] == stop[:-1])
    first = np.flatnonzero(np.concatenate([[True], ~same])) if item.size else np.empty(0, np.intp)
    last = np.append(first[1:], item.size) - 1 if item.size else first
    return order[first], start[first], stop[last]


def _events(
    labels: LabelSet, clock: Clock, target: Clock, clock_map: ClockMap
) -> tuple[dict[str, Any], list[int]]:
    times = clock_map(clock.to_seconds(labels.column("sample")))
    samples, recorded = event_samples(target, times)
    keep = np.flatnonzero(recorded)
    table = labels.table.take(pa.array(keep))
    names = ["id", "item", "label", "confidence", "probabilities", "amplitude"]
    names += optional_columns(labels.kind, table.column_names)
    columns = {name: table.column(name) for name in names}
    lost = labels.column("item")[~recorded]
    return {**columns, "sample": samples[keep]}, np.unique(lost).tolist()


def _spans(
    labels: LabelSet, clock: Clock, target: Clock, clock_map: ClockMap
) -> tuple[dict[str, Any], list[int]]:
    rows, start, stop = join_pieces(labels)
    start_s, stop_s = span_seconds(clock, start, stop)
    which, start, stop, recorded = cut_spans(target, clock_map(start_s), clock_map(stop_s))
    table = labels.table.take(pa.array(rows[which]))
    names = ("item", "label", "confidence", "probabilities")
    columns = {name: table.column(name) for name in names}
    lost = labels.column("item")[rows[~recorded]]
    return {**columns, "start": start, "stop": stop}, np.unique(lost).tolist()
