"""Spans and events as MNE annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
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


def to_mne(labels: LabelSet, clock: Clock, *, ch_names: Sequence[str] | None = None) -> Any:
    """Return `mne.Annotations` with class names as descriptions.

    Onsets are seconds of the clock. Lost: items, row ids, confidence, probabilities, and
    channels where `ch_names` is not given.

    Parameters
    ----------
    labels : LabelSet
        SPANS, or EVENTS, which get the duration 0.
    clock : Clock
    ch_names : sequence of str, optional
        Names of the channels that the column `channel` counts.

    Raises
    ------
    BadArgumentError
        Another kind, or a channel without a name.
    GapError
        A span crosses a gap.
    MissingDependencyError
        mne is not installed.
    """
    mne = package("mne")
    if labels.kind is Kind.SPANS:
        onset, end = span_seconds(labels.column("start"), labels.column("stop"), clock)
    elif labels.kind is Kind.EVENTS:
        onset = end = clock.to_seconds(labels.column("sample"))
    else:
        raise BadArgumentError("spans or events", labels.kind.value, "Use to_pandas.")
    channels = None
    if ch_names is not None:
        codes = labels.column("channel").tolist()
        if any(c >= len(ch_names) for c in codes):
            raise BadArgumentError(f"channels below {len(ch_names)}", f"{max(codes)}", "Name all.")
        channels = [() if c < 0 else (ch_names[c],) for c in codes]
    return mne.Annotations(onset, end - onset, class_names(labels), ch_names=channels)


def from_mne(
    annotations: Any,
    clock: Clock,
    provenance: Provenance,
    *,
    kind: Kind = Kind.SPANS,
    vocabulary: Classes | None = None,
    ch_names: Sequence[str] | None = None,
) -> LabelSet:
    """Labels of `mne.Annotations` whose onsets are seconds of the clock.

    Parameters
    ----------
    annotations : mne.Annotations
        `orig_time` is not read.
    clock : Clock
    provenance : Provenance
    kind : {Kind.SPANS, Kind.EVENTS}
        EVENTS take the onsets alone.
    vocabulary : Vocabulary or sequence of str, optional
        By default the descriptions in order of appearance.
    ch_names : sequence of str, optional
        Names to look up an annotation's channel in; only single channels can be held.

    Raises
    ------
    BadLabelsError
        As SPANS, an annotation shorter than a sample.
    BadArgumentError
        An annotation on several channels, or on one that is not named.
    """
    onset = np.asarray(annotations.onset, dtype=np.float64)
    columns: dict[str, Any] = {}
    if kind is Kind.EVENTS:
        columns["sample"] = clock.to_samples(onset)
    else:
        end = onset + np.asarray(annotations.duration, dtype=np.float64)
        columns["start"], columns["stop"] = span_samples(onset, end, clock)
        short = int(np.sum(columns["stop"] <= columns["start"]))
        if short:
            raise BadLabelsError(
                "annotations of a sample or longer",
                f"{short} shorter ones",
                "Read these as events: kind=Kind.EVENTS.",
            )
    if ch_names is not None:
        columns["channel"] = [_channel(names, ch_names) for names in annotations.ch_names]
    labels = [str(d) for d in annotations.description]
    return coded(kind, columns, labels, vocabulary, provenance)


def _channel(names: Sequence[str], known: Sequence[str]) -> int | None:
    if not names:
        return None
    if len(names) > 1 or names[0] not in known:
        raise BadArgumentError(
            "annotations on one known channel or on none", f"{list(names)}", "Split them first."
        )
    return list(known).index(names[0])
