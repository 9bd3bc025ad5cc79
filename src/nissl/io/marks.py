"""Annotations as the files of others hold them: in seconds, by name.

Label sets count samples, annotation files give seconds of the recording's clock. Rows of a set
become marks here, for all formats of annotations; `nissl.io.placing` goes the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.stages import STAGES
from nissl.clock import Clock
from nissl.errors import BadLabelsError, ExportError
from nissl.labels import Author, Kind, LabelSet
from nissl.sync.intervals import span_seconds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Marks:
    """Annotations by one author.

    Parameters
    ----------
    start_s, stop_s : ndarray, shape (n,), float64, seconds
        Of the recording's clock; stop is NaN for an instant.
    labels : tuple of str
        Class of each.
    channels : tuple of tuple of str
        Names of the channels of each; () where it is on all or nobody says.
    author : Author
    confidence : ndarray, shape (n,), float64, optional
        NaN where unknown.
    classes : tuple of str
        Classes in their order, where the file tells more than its rows.
    task : str
        "" where the file does not say.
    others : str
        Task of what is no stage of sleep, where the file does not say.
    """

    start_s: Floats
    stop_s: Floats
    labels: tuple[str, ...]
    channels: tuple[tuple[str, ...], ...]
    author: Author
    confidence: Floats = field(default_factory=lambda: np.empty(0))
    classes: tuple[str, ...] = ()
    task: str = ""
    others: str = "events"

    def __post_init__(self) -> None:
        start, stop = (np.asarray(v, np.float64) for v in (self.start_s, self.stop_s))
        confidence = np.asarray(self.confidence, np.float64)
        if confidence.size != start.size:
            confidence = np.full(start.size, np.nan)
        stop = np.where(stop == start, np.nan, stop)
        for name, values in (("start_s", start), ("stop_s", stop), ("confidence", confidence)):
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def staging(self) -> bool:
        """Whether all classes are stages of sleep, as nissl names them."""
        names = set(self.classes or self.labels)
        return bool(names) and names <= set(STAGES)

    def by_author(self, authors: Sequence[Author]) -> tuple[Marks, ...]:
        """Marks of each author, given the author of every row; these marks where there is none."""
        rows: dict[Author, list[int]] = {}
        for k, author in enumerate(authors):
            rows.setdefault(author, []).append(k)
        return tuple(self.take(np.asarray(k), author=a) for a, k in rows.items()) or (self,)

    def take(self, rows: npt.NDArray[Any], **changes: Any) -> Marks:
        """Return some of the rows, by mask or index, with other facts changed."""
        which = np.arange(len(self))[rows].tolist()
        facts: dict[str, Any] = {
            "start_s": self.start_s[which],
            "stop_s": self.stop_s[which],
            "labels": tuple(self.labels[k] for k in which),
            "channels": tuple(self.channels[k] for k in which),
            "confidence": self.confidence[which],
            "author": self.author,
            "classes": self.classes,
            "task": self.task,
            "others": self.others,
        }
        return Marks(**facts | changes)


def marks_of(labels: LabelSet, clock: Clock, channel_ids: Sequence[str] = ()) -> Marks:
    """Rows of a set as marks, in the order of their starts.

    Pieces of an item that a gap of the clock cuts are one mark.

    Parameters
    ----------
    labels : LabelSet
        SPANS or EVENTS.
    clock : Clock
        Clock of the samples.
    channel_ids : sequence of str
        Names of the channels that rows count; numbers where they are not known.

    Raises
    ------
    ExportError
        Labels of another kind, or a channel beyond the names.
    """
    if labels.kind is Kind.SPANS:
        rows, start, stop = _joined(labels, clock)
        start_s, stop_s = span_seconds(clock, start, stop)
    elif labels.kind is Kind.EVENTS:
        rows, start = np.arange(labels.n_rows), labels.column("sample")
        start_s, stop = clock.to_seconds(start), start
        stop_s = np.full(start_s.size, np.nan)
    else:
        raise ExportError(
            "spans or events",
            f"labels of the kind {labels.kind.value}",
            "Annotation files hold times; csv and parquet hold every kind.",
        )
    item, code, channel = (labels.column(c)[rows] for c in ("item", "label", "channel"))
    known = tuple(channel_ids) or tuple(str(k) for k in range(int(channel.max(initial=-1)) + 1))
    if channel.size and int(channel.max()) >= len(known):
        raise ExportError(
            f"channels below {len(known)}",
            f"{int(channel.max())}",
            "Add the recording they are of.",
        )
    order = np.lexsort((channel, code, stop, item, start))
    same = np.zeros(order.size, bool)
    keys = np.stack([item, code, start, stop], axis=1)[order] if order.size else np.empty((0, 4))
    same[1:] = np.all(keys[1:] == keys[:-1], axis=1) & (channel[order][1:] >= 0)
    first = np.flatnonzero(~same)
    groups = np.split(channel[order], first[1:]) if order.size else []
    names = labels.vocabulary.names
    head = order[first]
    return Marks(
        start_s[head],
        stop_s[head],
        tuple(names[c] for c in code[head].tolist()),
        tuple(tuple(known[c] for c in group.tolist() if c >= 0) for group in groups),
        labels.provenance.author,
        labels.column("confidence")[rows][head].astype(np.float64),
        tuple(names),
        labels.provenance.task,
    )


def _joined(labels: LabelSet, clock: Clock) -> tuple[npt.NDArray[np.intp], Ints, Ints]:
    """Spans whole again where a gap has cut them: first row of each, start, stop."""
    columns = (labels.column(c) for c in ("item", "label", "channel", "start", "stop"))
    item, label, channel, start, stop = columns
    if len(clock.segments) == 1 or not item.size:
        return np.arange(item.size), start, stop
    cuts = np.asarray([s.start for s in clock.segments[1:]])
    order = np.lexsort((start, channel, label, item))
    item, label, channel, start, stop = (v[order] for v in (item, label, channel, start, stop))
    same = (item[1:] == item[:-1]) & (label[1:] == label[:-1]) & (channel[1:] == channel[:-1])
    same &= (start[1:] == stop[:-1]) & np.isin(start[1:], cuts)
    first = np.flatnonzero(np.concatenate([[True], ~same]))
    last = np.append(first[1:], item.size) - 1
    return order[first], start[first], stop[last]


def check_times(start_s: Floats, stop_s: Floats) -> None:
    """Raise `BadLabelsError` for starts that are no numbers and spans that end before them.

    Parameters
    ----------
    start_s, stop_s : ndarray, shape (n,), seconds
        Rows in the order of the file; NaN stops are instants.
    """
    faults = []
    for what, bad in (
        ("start times that are not finite", ~np.isfinite(start_s)),
        ("infinite durations", np.isinf(stop_s)),
        ("negative durations", stop_s < start_s),
    ):
        if np.any(bad):
            rows = (np.flatnonzero(bad) + 1).tolist()
            faults.append(f"{what}: rows {rows[:10]}" + (" ..." if len(rows) > 10 else ""))
    if faults:
        raise BadLabelsError(
            "annotations with a finite start that end after it",
            "; ".join(faults),
            "Mend these rows in a copy of the file; nissl repairs nothing in silence.",
        )
