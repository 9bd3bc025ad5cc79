"""Seconds of spans, classes by name, packages that may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import GapError, MissingDependencyError
from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet, Provenance
from nissl.labels.vocabulary import Vocabulary

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Classes = Vocabulary | Sequence[str]


def package(module: str, name: str | None = None) -> Any:
    """Import an optional package, or raise `MissingDependencyError` with its pip command."""
    try:
        return import_module(module)
    except ImportError as error:
        wanted = name or module
        raise MissingDependencyError(
            f"the package {wanted!r}", str(error), f"Install it: pip install {wanted}"
        ) from error


def as_vocabulary(value: Classes) -> Vocabulary:
    """Return the vocabulary, or one of these names."""
    return value if isinstance(value, Vocabulary) else Vocabulary(tuple(str(v) for v in value))


def coded(
    kind: Kind,
    columns: dict[str, Any],
    labels: list[str],
    vocabulary: Classes | None,
    provenance: Provenance,
) -> LabelSet:
    """Build a set whose classes are given by name, one per row."""
    names = as_vocabulary(vocabulary or list(dict.fromkeys(labels)) or [kind.value])
    codes = {name: names.code(name) for name in dict.fromkeys(labels)}
    columns = columns | {"label": np.asarray([codes[v] for v in labels], dtype=np.int32)}
    return LabelSet.build(kind, columns, names, provenance)


def class_names(labels: LabelSet) -> list[str]:
    """Name of each row's class."""
    names = labels.vocabulary.names
    return [names[code] for code in labels.column("label").tolist()]


def _segment_of(clock: Clock, samples: Ints) -> Ints:
    starts = np.asarray([s.start for s in clock.segments])
    return np.asarray(np.searchsorted(starts, samples, side="right") - 1)


def span_seconds(start: Ints, stop: Ints, clock: Clock) -> tuple[Floats, Floats]:
    """Seconds at which spans start and end; the end belongs to the last sample's segment."""
    first, last = _segment_of(clock, start), _segment_of(clock, stop - 1)
    if np.any(first != last):
        where = int(np.argmax(first != last))
        raise GapError(
            "spans within one segment",
            f"[{start[where]}, {stop[where]}), which crosses a gap",
            "Cut it at the gap: Clock.split.",
        )
    starts, t0_s, rates = (
        np.asarray([getattr(s, name) for s in clock.segments])[np.clip(last, 0, None)]
        for name in ("start", "t0_s", "rate_hz")
    )
    return clock.to_seconds(start), t0_s + (stop - starts) / rates


def span_samples(start_s: Floats, stop_s: Floats, clock: Clock) -> tuple[Ints, Ints]:
    """Samples of spans in seconds; the inverse of `span_seconds`."""
    start = clock.to_samples(start_s)
    rates = np.asarray([s.rate_hz for s in clock.segments])
    period = 1 / rates[np.clip(_segment_of(clock, start), 0, None)]
    return start, clock.to_samples(stop_s - period) + 1
