"""Events and spans as pynapple's time series."""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.errors import BadArgumentError
from nissl.labels.convert.common import (
    Classes,
    class_names,
    coded,
    package,
    span_samples,
    span_seconds,
)
from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet, Provenance


def to_pynapple(labels: LabelSet, clock: Clock) -> Any:
    """Return a pynapple object in the seconds of the clock.

    EVENTS become a `TsGroup` of items with the metadata `label` (a unit's class), or, where
    every item is one event, a `Ts` (one class) or a `TsGroup` of classes. SPANS become an
    `IntervalSet` with the metadata `item`, `label`, `channel` and `confidence`. Lost:
    amplitudes, channels and confidence of events, row ids, probabilities; of single events
    also their items. pynapple shortens intervals that touch by 1 us.

    Parameters
    ----------
    labels : LabelSet
        EVENTS or SPANS.
    clock : Clock
        Its segments become the time support.

    Raises
    ------
    BadArgumentError
        Another kind; events outside the clock, which pynapple would drop; spans that
        overlap, which it would join.
    MissingDependencyError
        pynapple is not installed.
    """
    nap = package("pynapple")
    if labels.kind is Kind.SPANS:
        start, stop = labels.column("start"), labels.column("stop")
        if np.any(start[1:] < np.maximum.accumulate(stop)[:-1]):
            raise BadArgumentError(
                "spans that do not overlap", "overlapping ones", "Convert class by class."
            )
        start_s, stop_s = span_seconds(start, stop, clock)
        metadata = {
            "item": labels.column("item"),
            "label": class_names(labels),
            "channel": labels.column("channel"),
            "confidence": labels.column("confidence"),
        }
        return nap.IntervalSet(start_s, stop_s, metadata=metadata)
    if labels.kind is not Kind.EVENTS:
        raise BadArgumentError("events or spans", labels.kind.value, "Use to_pandas.")
    samples = labels.column("sample")
    if samples.size and samples[-1] >= clock.n_samples:
        raise BadArgumentError(
            f"events before sample {clock.n_samples}", f"one at {samples[-1]}", "Check the clock."
        )
    support = nap.IntervalSet([s.t0_s for s in clock.segments], [s.end_s for s in clock.segments])
    times = clock.to_seconds(samples)
    single = labels.items.size == labels.n_rows
    if single and len(labels.vocabulary) == 1:
        return nap.Ts(times, time_support=support)
    keys = labels.column("label") if single else labels.column("item")
    groups = np.unique(keys)
    names = np.asarray(class_names(labels), dtype=object)
    return nap.TsGroup(
        {int(k): nap.Ts(times[keys == k], time_support=support) for k in groups},
        time_support=support,
        metadata={"label": [names[np.argmax(keys == k)] for k in groups]},
    )


def from_pynapple(
    data: Any,
    clock: Clock,
    provenance: Provenance,
    *,
    vocabulary: Classes | None = None,
) -> LabelSet:
    """Labels of a pynapple `Ts`, `Tsd`, `TsGroup` or `IntervalSet`.

    Times are rounded to the nearest sample. Metadata named `label` gives the classes, for
    intervals also `item`, `channel` and `confidence`; other metadata and values are lost.

    Parameters
    ----------
    data : pynapple.Ts, pynapple.Tsd, pynapple.TsGroup or pynapple.IntervalSet
    clock : Clock
    provenance : Provenance
    vocabulary : Vocabulary or sequence of str, optional
        By default the classes in order of appearance, "event", "unit" or "span" without.
    """
    nap = package("pynapple")
    if isinstance(data, nap.IntervalSet):
        named = {c: np.asarray(data[c]) for c in data.metadata_columns}
        labels = [str(v) for v in named.get("label", ["span"] * len(data))]
        start, stop = span_samples(np.asarray(data.start), np.asarray(data.end), clock)
        columns: dict[str, Any] = {"start": start, "stop": stop}
        columns |= {c: named[c] for c in ("item", "confidence") if c in named}
        if "item" in named:
            columns["item"] = columns["item"].astype(np.int64)
        if "channel" in named:
            columns["channel"] = [None if c < 0 else int(c) for c in named["channel"]]
        return coded(Kind.SPANS, columns, labels, vocabulary, provenance)
    if isinstance(data, nap.TsGroup):
        units = [int(k) for k in data.index]
        has = "label" in data.metadata_columns
        classes = [str(v) for v in data["label"]] if has else ["unit"] * len(units)
        times = [np.asarray(data[k].t) for k in units]
        lengths = [t.size for t in times]
        columns = {
            "sample": clock.to_samples(np.concatenate([np.empty(0), *times])),
            "item": np.repeat(np.asarray(units, np.int64), lengths),
        }
        labels = np.repeat(np.asarray(classes, dtype=object), lengths).tolist()
        vocabulary = vocabulary or list(dict.fromkeys(classes)) or ["unit"]
        return coded(Kind.EVENTS, columns, labels, vocabulary, provenance)
    samples = clock.to_samples(np.asarray(data.t))
    return coded(Kind.EVENTS, {"sample": samples}, ["event"] * samples.size, vocabulary, provenance)
