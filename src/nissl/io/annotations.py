"""Annotations that stand in the file of a recording, as label sets of their author.

Sleep stages become the task `sleep`, one span per epoch; other annotations the task
`annotations`, SPANS those that last and EVENTS the others. The author is a person of whom
nothing is known but the file. What lies outside the recording is cut off and told, never moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.data import Recording
from nissl.data.annotations import Annotation
from nissl.data.channels import BRAIN
from nissl.io.marks import Marks
from nissl.io.placing import Place, labels_of
from nissl.labels import Author, LabelSet
from nissl.tasks import Finding

TASK = "annotations"
REMARK = "remark"
MOST_CHARACTERS = 40
"""Longer texts are somebody's remarks, which may name a person."""


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


NO_CLAIMS = Claims()


def recording_annotations(recording: Recording) -> Claims:
    """Annotations of a recording's own file, on its main stream.

    Raises
    ------
    InputError
        They are damaged, or none lies within the recording.
    """
    found = recording.annotations.all
    if not found:
        return NO_CLAIMS
    name = recording.path.name if recording.path is not None else "the file"
    stream = main_stream(recording)
    signal = recording[stream]
    texts = [each.text for each in found]
    findings: list[Finding] = []
    if not recording.options.get("keep_identifiers"):
        texts, findings = without_remarks(texts)
    marks = to_marks(found, texts, Author("person", f"annotations of {name}"))
    place = Place(signal.clock, recording.fingerprint, stream, signal.channels.ids, outside="cut")
    sets, told = labels_of(marks, place)
    return Claims(tuple(sets), (*findings, *told))


def main_stream(recording: Recording) -> str:
    """Name of the first stream that measures the brain, or of the first at all."""
    names = list(recording)
    return next((n for n in names if recording[n].channels.kind in BRAIN), names[0])


def without_remarks(texts: Sequence[str]) -> tuple[list[str], list[Finding]]:
    """Texts with long remarks as "remark", and what is to be told of it."""
    kept = [text if len(text) <= MOST_CHARACTERS else REMARK for text in texts]
    hidden = sum(a != b for a, b in zip(texts, kept, strict=True))
    if not hidden:
        return kept, []
    sentence = f'{hidden} long remarks came in as "{REMARK}" without their words, which may '
    return kept, [Finding("remarks", "note", sentence + "name a person.")]


def to_marks(
    found: Sequence[Annotation], texts: Sequence[str], author: Author, *, others: str = TASK
) -> Marks:
    """Annotations of a file as marks, under the texts given for each."""
    onset = np.asarray([each.onset_s for each in found], np.float64)
    duration = np.asarray([each.duration_s for each in found], np.float64)
    channels = tuple((each.channel,) if each.channel else () for each in found)
    return Marks(onset, onset + duration, tuple(texts), channels, author, others=others)
