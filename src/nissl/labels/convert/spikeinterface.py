"""Units as SpikeInterface sortings."""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.errors import BadArgumentError
from nissl.labels.convert.common import Classes, class_names, coded, package
from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet, Provenance


def to_spikeinterface(labels: LabelSet, clock: Clock) -> Any:
    """Return a `spikeinterface.core.NumpySorting` of the units.

    Samples count from the start of their segment. The property `label` holds each unit's
    class. Lost: amplitudes, channels, confidence, row ids, and the times of the segments.

    Parameters
    ----------
    labels : LabelSet
        EVENTS.
    clock : Clock
        All segments of one rate.

    Raises
    ------
    BadArgumentError
        Another kind, segments of several rates, or events after the last segment.
    MissingDependencyError
        spikeinterface is not installed.
    """
    core = package("spikeinterface.core", "spikeinterface")
    rates = {s.rate_hz for s in clock.segments}
    samples = labels.column("sample") if labels.kind is Kind.EVENTS else np.empty(0, np.int64)
    if labels.kind is not Kind.EVENTS or len(rates) > 1:
        raise BadArgumentError(
            "events on a clock of one rate", f"{labels.kind.value} at {sorted(rates)} Hz", "Check."
        )
    if samples.size and samples[-1] >= clock.n_samples:
        raise BadArgumentError(
            f"events before sample {clock.n_samples}", f"one at {samples[-1]}", "Check the clock."
        )
    edges = np.asarray([s.start for s in clock.segments] + [clock.n_samples])
    cuts = np.searchsorted(samples, edges)
    pieces = list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), edges[:-1].tolist(), strict=True))
    item = labels.column("item")
    sorting = core.NumpySorting.from_samples_and_labels(
        [samples[a:b] - start for a, b, start in pieces],
        [item[a:b] for a, b, _ in pieces],
        clock.rate_hz,
        unit_ids=labels.items,
    )
    names = np.asarray(class_names(labels), dtype=str)
    first = [names[labels.rows_of(int(i))[0]] for i in labels.items]
    sorting.set_property("label", np.asarray(first, dtype=str))
    return sorting


def from_spikeinterface(
    sorting: Any,
    provenance: Provenance,
    *,
    clock: Clock | None = None,
    vocabulary: Classes | None = None,
) -> LabelSet:
    """EVENTS of a SpikeInterface sorting.

    Integer unit ids are kept as items; ids of other types are numbered 0, 1, ... in the
    sorting's order. A property `label` gives the classes. Other properties are lost.

    Parameters
    ----------
    sorting : spikeinterface.core.BaseSorting
    provenance : Provenance
    clock : Clock, optional
        Of the recording; needed where the sorting has several segments.
    vocabulary : Vocabulary or sequence of str, optional
        By default the values of the property `label`, or "unit".
    """
    n_segments = sorting.get_num_segments()
    starts = [0] if clock is None else [s.start for s in clock.segments]
    if len(starts) != n_segments:
        raise BadArgumentError(
            f"the clock of a recording with {n_segments} segments", f"{len(starts)}", "Give it."
        )
    vector = sorting.to_spike_vector()
    ids = np.asarray(sorting.unit_ids)
    items = ids.astype(np.int64) if ids.dtype.kind in "iu" else np.arange(ids.size)
    values = sorting.get_property("label")
    classes = [str(v) for v in (["unit"] * ids.size if values is None else values)]
    columns = {
        "sample": vector["sample_index"] + np.asarray(starts)[vector["segment_index"]],
        "item": items[vector["unit_index"]],
    }
    labels = np.asarray(classes, dtype=object)[vector["unit_index"]].tolist()
    vocabulary = vocabulary or list(dict.fromkeys(classes)) or ["unit"]
    return coded(Kind.EVENTS, columns, labels, vocabulary, provenance)
