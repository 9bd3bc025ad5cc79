"""Annotations that stand in recordings as label sets of their author.

Sleep stages become the task `sleep`, one span per epoch; other annotations become the task
`annotations`: SPANS those that last, EVENTS the others. The author is a person of whom nothing
is known but the file. What lies outside the recording is left out and said, never moved.

Texts of more than 40 characters are somebody's remarks, which may name a person: they come in
as "remark" (their time is kept), unless identifiers are to be kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.data import Recording, Signal
from nissl.data.annotations import Annotation
from nissl.data.channels import BRAIN
from nissl.io.sleep_stages import STAGES, epochs, lasting, split_stages
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.remap import cut_spans
from nissl.sync.intervals import event_samples
from nissl.tasks import Finding

TASK = "annotations"
SLEEP = "sleep"
REMARK = "remark"
MOST_CHARACTERS = 40


@dataclass(frozen=True)
class Claims:
    """Label sets that annotations gave, and what is doubtful about them.

    Parameters
    ----------
    labels : tuple of LabelSet
    findings : tuple of Finding
    """

    labels: tuple[LabelSet, ...] = ()
    findings: tuple[Finding, ...] = ()


def recording_annotations(recording: Recording) -> Claims:
    """Annotations of a recording's own file, on its main stream."""
    name = recording.path.name if recording.path is not None else "the file"
    stream = main_stream(recording)
    return annotation_labels(
        recording.annotations.all,
        recording[stream],
        source=recording.fingerprint,
        author=f"annotations of {name}",
        keep_texts=bool(recording.options.get("keep_identifiers")),
    )


def main_stream(recording: Recording) -> str:
    """Name of the first stream that measures the brain, or of the first at all."""
    names = list(recording)
    return next((n for n in names if recording[n].channels.kind in BRAIN), names[0])


def annotation_labels(
    annotations: Sequence[Annotation],
    signal: Signal,
    *,
    source: str,
    author: str,
    shift_s: float = 0.0,
    keep_texts: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> Claims:
    """Label sets of annotations on the clock of a signal.

    Parameters
    ----------
    annotations : sequence of Annotation
        In seconds of the signal's clock, less `shift_s`.
    signal : Signal
    source : str
        Fingerprint of the recording.
    author : str
        Name or pseudonym of the person.
    shift_s : float
        Seconds of the signal's clock at second 0 of the annotations.
    keep_texts : bool
        Keep long texts as they are.
    parameters : mapping, optional
        Further facts of the import.

    Returns
    -------
    Claims
        Sleep stages first; no set for what is not there.
    """
    moved = [
        Annotation(a.onset_s + shift_s, a.duration_s, _plain(a.text, keep_texts), a.channel)
        for a in annotations
    ]
    facts = dict(parameters or {}) | ({"shift_s": shift_s} if shift_s else {})
    making = _Making(signal, source, Author("person", author), facts)
    stages, others = split_stages(moved)
    made = [making.sleep(stages)] if stages else []
    spans = [a for a in others if a.duration_s > 0]
    events = [a for a in others if not a.duration_s > 0]
    made += [making.spans(spans)] if spans else []
    made += [making.events(events)] if events else []
    hidden = sum(_plain(a.text, keep_texts) != a.text for a in annotations)
    if hidden:
        sentence = f'{hidden} long remarks came in as "{REMARK}" without their words, which may '
        making.findings.append(Finding("remarks", "note", sentence + "name a person."))
    return Claims(tuple(s for s in made if s.n_rows), tuple(making.findings))


NO_CLAIMS = Claims()


class _Making:
    """Label sets of one import."""

    def __init__(
        self, signal: Signal, source: str, author: Author, facts: Mapping[str, Any]
    ) -> None:
        self.signal, self.source, self.author, self.facts = signal, source, author, facts
        self.findings: list[Finding] = []

    @property
    def clock(self) -> Clock:
        return self.signal.clock

    def sleep(self, stages: Sequence[Annotation]) -> LabelSet:
        """One span per epoch."""
        kept, notes = lasting(stages)
        self.findings += [Finding("stage_durations", "warning", note) for note in notes]
        rows, epoch_s = epochs(kept)
        table = np.asarray(rows, dtype=np.float64).reshape(-1, 3)
        which, start, stop, recorded = cut_spans(self.clock, table[:, 0], table[:, 1])
        self._outside("epochs", recorded, table[:, 0])
        names = dict(sorted(Counter(a.text for a in stages).items()))
        facts = {"names": names, "epoch_s": epoch_s}
        code = table[:, 2].astype(np.int32)
        columns = {"item": which, "label": code[which], "start": start, "stop": stop}
        return LabelSet.build(Kind.SPANS, columns, STAGES, self._provenance(SLEEP, facts))

    def spans(self, found: Sequence[Annotation]) -> LabelSet:
        """Annotations that last."""
        start_s = np.asarray([a.onset_s for a in found])
        stop_s = start_s + [a.duration_s for a in found]
        which, start, stop, recorded = cut_spans(self.clock, start_s, stop_s)
        self._outside("annotations", recorded, start_s)
        kept = [found[k] for k in which.tolist()]
        columns = {"item": which, "start": start, "stop": stop}
        return self._build(Kind.SPANS, columns, kept)

    def events(self, found: Sequence[Annotation]) -> LabelSet:
        """Annotations of an instant."""
        onset_s = np.asarray([a.onset_s for a in found])
        sample, recorded = event_samples(self.clock, onset_s)
        self._outside("annotations", recorded, onset_s)
        rows = np.flatnonzero(recorded)
        columns = {"item": rows, "sample": sample[rows]}
        return self._build(Kind.EVENTS, columns, [found[k] for k in rows.tolist()])

    def _build(
        self, kind: Kind, columns: Mapping[str, Any], found: Sequence[Annotation]
    ) -> LabelSet:
        ids = {name: index for index, name in enumerate(self.signal.channels.ids)}
        names = sorted({a.text for a in found}) or [REMARK]
        label = np.asarray([names.index(a.text) for a in found], dtype=np.int32)
        channel = [ids.get(a.channel) for a in found]
        elsewhere = sorted({a.channel for a in found if a.channel and a.channel not in ids})
        if elsewhere:
            sentence = (
                f"Annotations speak of the channels {elsewhere[:10]}, which the stream "
                f"{self.signal.name!r} does not have; they are kept without a channel."
            )
            self.findings.append(Finding("unknown_channels", "warning", sentence))
        more = {"label": label, "channel": channel}
        return LabelSet.build(kind, {**columns, **more}, names, self._provenance(TASK, {}))

    def _outside(self, what: str, recorded: np.ndarray, onset_s: np.ndarray) -> None:
        lost = np.flatnonzero(~recorded)
        if not lost.size:
            return
        first, last = onset_s[lost].min(), onset_s[lost].max()
        sentence = (
            f"{lost.size} of {recorded.size} {what} lie outside what was recorded or are shorter "
            f"than a sample (from {first:.1f} s to {last:.1f} s); they are left out, none is moved."
        )
        severity = "warning" if lost.size < recorded.size else "error"
        count = float(lost.size)
        self.findings.append(Finding("outside", severity, sentence, value=count, limit=0.0))

    def _provenance(self, task: str, facts: Mapping[str, Any]) -> Provenance:
        return Provenance(task, self.source, self.author, self.signal.name, {**self.facts, **facts})


def file_annotations(path: Path) -> tuple[tuple[Annotation, ...], str | None]:
    """Annotations of an EDF+ or BDF+ file, and the start it states (ISO, local) or None.

    Raises
    ------
    CorruptSourceError, BadMetadataError
        No such file; damaged.
    """
    from nissl.data.edf.annotations import read_annotations
    from nissl.data.edf.header import read_header
    from nissl.data.read import our_errors

    with our_errors(path):
        head = read_header(path)
        return read_annotations(head), None if head.start is None else head.start.isoformat()


def _plain(text: str, keep: bool) -> str:
    return text if keep or len(text) <= MOST_CHARACTERS else REMARK
