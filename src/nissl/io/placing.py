"""Marks put on the samples of a recording, as label sets.

Nothing is shifted in silence: times that are no times are errors, and so is what lies outside
the recording, unless it is to be cut off, which is told. Items are numbered by time, so that
the order of a file's rows does not matter. An annotation on several channels is one item with
a row for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.stages import STAGES, stages_among
from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.io.channel_names import find_channels
from nissl.io.marks import Ints, Marks, check_times
from nissl.labels import Kind, LabelSet, Provenance
from nissl.sync.intervals import event_samples, span_samples
from nissl.tasks import Finding

OUTSIDE = ("error", "cut")
SLEEP = "sleep"
"""Task of imported stages that nobody has named."""
EPOCHS_S = (30.0, 20.0, 10.0, 5.0, 4.0)
"""Lengths of an epoch of sleep that are tried, in this order."""


@dataclass(frozen=True)
class Place:
    """What imported labels are about.

    Parameters
    ----------
    clock : Clock
        Clock of the stream whose samples the rows will count.
    source, stream : str
        Fingerprint of the recording and name of the stream; "" where unknown.
    channel_ids : tuple of str
        Names of its channels.
    outside : {"error", "cut"}
        What to do with annotations that are not, or not wholly, within the recording.
    """

    clock: Clock
    source: str = ""
    stream: str = ""
    channel_ids: tuple[str, ...] = ()
    outside: str = "error"

    def __post_init__(self) -> None:
        if self.outside not in OUTSIDE:
            raise BadArgumentError(f"outside among {OUTSIDE}", repr(self.outside), "Use one.")


def labels_of(
    marks: Marks, place: Place, *, task: str = "", about: Mapping[str, Any] | None = None
) -> tuple[list[LabelSet], list[Finding]]:
    """Marks as label sets: stages of sleep and other annotations, spans and instants apart.

    Parameters
    ----------
    marks : Marks
    place : Place
    task : str
        Of the sets; by default the one of the file, "sleep" for stages, "events" for others.
    about : mapping, optional
        Further parameters of the provenance.

    Returns
    -------
    sets : list of LabelSet
        Those that have rows; one empty set of spans where there is no mark at all.
    findings : list of Finding
        What was cut off, lengthened to a sample, or left without its channel.

    Raises
    ------
    BadLabelsError
        Times that are none, or outside the recording.
    """
    check_times(marks.start_s, marks.stop_s)
    stages = stages_among(marks.labels)
    staged = np.asarray([label in stages for label in marks.labels], bool)
    marks, assumed = _until_the_next(marks, staged)
    lasting = np.isfinite(marks.stop_s)
    parts = [
        (staged & lasting, Kind.SPANS, True),
        (staged & ~lasting, Kind.EVENTS, True),
        (~staged & lasting, Kind.SPANS, False),
        (~staged & ~lasting, Kind.EVENTS, False),
    ]
    sets, findings = [], list(assumed)
    for rows, kind, sleep in parts:
        if not rows.any() and (len(marks) or kind is Kind.EVENTS or sleep):
            continue
        part = marks.take(rows)
        given: dict[str, Any] = dict(about or {})
        if sleep:
            renamed = {k: stages[k] for k in sorted(set(part.labels)) if stages[k] != k}
            given |= {"names": renamed} if renamed else {}
            part = in_epochs(part) if kind is Kind.SPANS else part
            part = part.take(
                np.ones(len(part), bool),
                labels=tuple(stages[v] for v in part.labels),
                classes=STAGES,
            )
        named = task or marks.task or (SLEEP if sleep else marks.others)
        provenance = Provenance(named, place.source, marks.author, place.stream, given)
        labels, told = _set(part, kind, place, provenance)
        sets.append(labels)
        findings += told
    return sets, findings


def _until_the_next(
    marks: Marks, staged: npt.NDArray[np.bool_]
) -> tuple[Marks, tuple[Finding, ...]]:
    """Marks whose stages last until the next one, where none of them has a duration."""
    rows = np.flatnonzero(staged)
    if rows.size < 2 or np.isfinite(marks.stop_s[rows]).any():
        return marks, ()
    rows = rows[np.argsort(marks.start_s[rows], kind="stable")]
    steps = np.diff(marks.start_s[rows])
    last_s = float(np.median(steps))
    stop = marks.stop_s.copy()
    stop[rows] = marks.start_s[rows] + np.append(steps, last_s)
    sentence = (
        "The stages have no durations; each is taken to last until the next one, the last "
        f"{last_s:g} s."
    )
    return replace(marks, stop_s=stop), (Finding("stage_durations", "warning", sentence),)


def in_epochs(marks: Marks) -> Marks:
    """Stages cut into epochs, as the task "sleep" has them; runs as they are where none fits.

    Parameters
    ----------
    marks : Marks
        Spans; the epochs are the longest of `EPOCHS_S` that divides all durations.
    """
    lengths = marks.stop_s - marks.start_s
    fits = [e for e in EPOCHS_S if np.all(np.abs(lengths / e - np.rint(lengths / e)) < 1e-6)]
    if not fits or not len(marks):
        return marks
    counts = np.maximum(np.rint(lengths / fits[0]), 1).astype(np.int64)
    rows = np.repeat(np.arange(len(marks)), counts)
    nth = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    cut = marks.take(rows)
    start = cut.start_s + nth * fits[0]
    return replace(cut, start_s=start, stop_s=start + fits[0])


def _set(
    marks: Marks, kind: Kind, place: Place, provenance: Provenance
) -> tuple[LabelSet, list[Finding]]:
    order = _by_time(marks)
    marks = marks.take(order)
    samples = _spans if kind is Kind.SPANS else _events
    which, times, findings = samples(marks, place)
    rows, channel, told = _channels(marks, which, place.channel_ids)
    names = marks.classes or tuple(sorted(set(marks.labels))) or (kind.value.removesuffix("s"),)
    code = {name: k for k, name in enumerate(names)}
    marked = which[rows]
    columns: dict[str, Any] = {name: values[rows] for name, values in times.items()}
    columns |= {
        "item": marked.astype(np.int64),
        "label": np.asarray([code[marks.labels[k]] for k in marked.tolist()], np.int32),
        "confidence": marks.confidence[marked].astype(np.float32),
        "channel": channel,
    }
    return LabelSet.build(kind, columns, names, provenance), findings + told


def _by_time(marks: Marks) -> npt.NDArray[np.intp]:
    """Order that does not depend on the order of the file's rows."""
    stop = np.where(np.isfinite(marks.stop_s), marks.stop_s, marks.start_s)
    keys = zip(marks.start_s.tolist(), stop.tolist(), marks.labels, marks.channels, strict=True)
    ranked = sorted(enumerate(keys), key=lambda pair: pair[1])
    return np.asarray([k for k, _ in ranked], dtype=np.intp)


def _spans(marks: Marks, place: Place) -> tuple[Ints, dict[str, Ints], list[Finding]]:
    clock = place.clock
    start, stop = span_samples(clock, marks.start_s, marks.stop_s)
    findings = []
    # what is shorter than a sample is one; a span in a gap comes out empty as well, and is none
    at, recorded = event_samples(clock, (marks.start_s + marks.stop_s) / 2)
    short = (stop <= start) & recorded
    start, stop = np.where(short, at, start), np.where(short, at + 1, stop)
    if short.any():
        findings.append(
            Finding(
                "short_annotations",
                "note",
                f"{int(short.sum())} annotations are shorter than half a sample; each is kept as "
                f"one sample ({1 / clock.rate_hz:.3g} s).",
                value=float(short.sum()),
                limit=0.0,
            )
        )
    inside = (start >= 0) & (stop <= clock.n_samples) & (stop > start)
    if not inside.all():
        # hypnograms go on beyond the recording with stages that nobody scored: no claims
        void = marks.staging and {marks.labels[k] for k in np.flatnonzero(~inside)} == {"unknown"}
        findings.append(_told(marks, ~inside, place, allowed=void))
        start, stop = np.maximum(start, 0), np.minimum(stop, clock.n_samples)
    pieces = [
        (k, a, b)
        for k in np.flatnonzero(stop > start).tolist()
        for a, b in clock.split(int(start[k]), int(stop[k]))
    ]
    if not pieces and len(marks):
        raise nothing_inside(len(marks), place)
    table = np.asarray(pieces, np.int64).reshape(-1, 3)
    return table[:, 0], {"start": table[:, 1], "stop": table[:, 2]}, findings


def _events(marks: Marks, place: Place) -> tuple[Ints, dict[str, Ints], list[Finding]]:
    samples, recorded = event_samples(place.clock, marks.start_s)
    findings = [] if recorded.all() else [_told(marks, ~recorded, place)]
    rows = np.flatnonzero(recorded)
    if not rows.size and len(marks):
        raise nothing_inside(len(marks), place)
    return rows.astype(np.int64), {"sample": samples[rows]}, findings


def _told(
    marks: Marks, outside: npt.NDArray[np.bool_], place: Place, *, allowed: bool = False
) -> Finding:
    """Finding about annotations outside the recording; an error unless they are to be cut."""
    segments = place.clock.segments
    until = f"{segments[0].t0_s:g} to {segments[-1].end_s:g} s"
    times = [
        f"{label} at {start:g} s"
        for label, start in zip(
            marks.take(outside).labels, marks.start_s[outside].tolist(), strict=True
        )
    ]
    listed = ", ".join(times[:5]) + (f" and {len(times) - 5} more" if len(times) > 5 else "")
    if place.outside == "error" and not allowed:
        raise BadLabelsError(
            f"annotations within the recording ({until})",
            f"{len(times)} that are not, or not wholly: {listed}",
            "Check that the file belongs to this recording; --outside cut (outside='cut') keeps "
            "the parts inside.",
        )
    return Finding(
        "outside_recording",
        "warning",
        f"{len(times)} annotations are not wholly within the recording ({until}); what lies "
        f"outside was cut off: {listed}.",
        value=float(len(times)),
        limit=0.0,
    )


def nothing_inside(n: int, place: Place) -> BadLabelsError:
    """Error that says that a file is of another recording, or of another start."""
    segments = place.clock.segments
    return BadLabelsError(
        f"annotations within the recording ({segments[0].t0_s:g} to {segments[-1].end_s:g} s)",
        f"{n}, all of them outside",
        "Check that the two files belong together and that their dates are right; --together "
        "(together=True) takes them to begin together.",
    )


def _channels(
    marks: Marks, which: Ints, ids: tuple[str, ...]
) -> tuple[Ints, list[int | None], list[Finding]]:
    """Rows repeated for each channel, channel of each, and what has no place there."""
    place = find_channels((name for names in marks.channels for name in names), ids)
    rows: list[int] = []
    channel: list[int | None] = []
    unknown: set[str] = set()
    for row, mark in enumerate(which.tolist()):
        found: list[int | None] = []
        for name in marks.channels[mark]:
            code = place.get(name)
            if code is None:
                unknown.add(name)
            elif code not in found:
                found.append(code)
        rows += [row] * max(1, len(found))
        channel += found or [None]
    told = []
    if unknown:
        some = ", ".join(sorted(unknown)[:8]) + (" ..." if len(unknown) > 8 else "")
        told.append(
            Finding(
                "unknown_channels",
                "warning",
                f"The recording has no channels {some}; annotations on them are kept without "
                "a channel.",
                value=float(len(unknown)),
                limit=0.0,
            )
        )
    return np.asarray(rows, np.int64), channel, told
