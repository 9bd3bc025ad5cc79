"""Streams and a project: what a live session needs of it, and what it leaves in it.

A session writes a journal (`nissl.live.sinks`) into the folder ``live`` of the project, and, from
LSL, the samples beside it. When it ends the journal becomes a label set like any other, on the
file that was replayed or on the samples that were recorded. A session that was killed leaves its
journal behind, and the next one makes the label set.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.decoding.methods import Decoder, Taught
from nissl.annotators.events.method import chosen
from nissl.annotators.events.microstates import MICROSTATES, maps_of
from nissl.annotators.sleep.learner import CAUSAL_LEARNER, LEARNER
from nissl.errors import BadArgumentError, NisslError
from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary
from nissl.live.contract import Claim
from nissl.live.recorder import mended
from nissl.live.sinks import Kept, read_journal
from nissl.project.adding import add, keep, prepare
from nissl.project.annotating import _in_use, _needed
from nissl.project.source import Source
from nissl.review.decided import gather
from nissl.store import Store
from nissl.tasks import TASKS, Finding, Inputs, resolve

FOLDER = "live"
_DONE = ".kept"
DECODED = "decoded"
"""Task of windows that were decoded: spans of the stream, not classes of known trials."""


@dataclass(frozen=True)
class Session:
    """A journal that became labels.

    Parameters
    ----------
    journal : Path
    source : str
        Name of the source that the labels are on.
    task : str
    labels : LabelSet or None
        None where nothing was claimed.
    problem : str
        Why no label set could be made; the journal then stays as it is.
    """

    journal: Path
    source: str
    task: str
    labels: LabelSet | None
    problem: str = ""


def new_journal(store: Store, task: str) -> Path:
    """Path of the journal of a session that begins now."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return Path(store.path) / FOLDER / f"{stamp}-{task.replace('/', '-')}.jsonl"


def learnt(store: Store, name: str) -> Any:
    """The method with the model that the project has put into use.

    The model of sleep in use reads what surrounds an epoch, which a stream cannot know. Where
    one is in use, the model for streams learns the same decisions.
    """
    task, method = resolve(name)
    if name != LEARNER.name:
        return _in_use(store, task, method)
    if not store.model_head(task.name):
        return None
    examples = gather(store, task.name, CAUSAL_LEARNER)
    return CAUSAL_LEARNER.fit(examples, rng=np.random.default_rng(0))


def taught(store: Store, name: str, source: Source, parameters: Mapping[str, Any]) -> Taught:
    """Decoder from the trials of a recording of the project.

    Raises
    ------
    BadArgumentError
        The method is no decoder.
    MissingInputError
        The recording has no trials, or too few of a known class.
    """
    task, method = resolve(name)
    if not isinstance(method, Decoder):
        raise BadArgumentError("a method of the task decoding", name, "decoding/riemann, ...")
    labels, items = _needed(store, source, task, method)
    inputs = Inputs(source.recording, source.stream(None, task.streams), labels, items)
    return method.teach(inputs, parameters, np.random.default_rng(0))


def microstates_of(source: Source) -> list[list[float]]:
    """Maps of microstates fitted to a recording, for a stream with the same channels."""
    signal = source.recording[source.stream(None, TASKS.get("events").streams)]
    channels = chosen(signal, None, MICROSTATES.types)
    found: list[list[float]] = maps_of(signal, channels, MICROSTATES.defaults()).maps.tolist()
    return found


def kept_sessions(store: Store) -> list[Session]:
    """Label sets of all journals that no session is writing any more."""
    sessions = []
    for path in sorted((Path(store.path) / FOLDER).glob("*.jsonl")):
        with unused(path) as free:
            if free:
                sessions.append(_kept_or_told(store, path))
    return sessions


@contextmanager
def unused(path: Path) -> Iterator[bool]:
    """Whether no running session holds a journal; holds it meanwhile.

    On systems without POSIX locks every journal passes for unused.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def _kept_or_told(store: Store, path: Path) -> Session:
    """What cannot be kept must not be in the way of the next session."""
    try:
        return _kept(store, path)
    except NisslError as error:
        return Session(path, "", "", None, str(error))


def _kept(store: Store, path: Path) -> Session:
    kept = read_journal(path)
    recording = path.with_name(str(kept.head["source"].get("recording", path.name)))
    if not kept.claims and not recording.stat().st_size:
        path.rename(path.with_name(path.name + _DONE))
        return Session(path, "", task_of(kept), None)
    source, stream = _source(store, kept, path)
    labels = None
    if kept.claims:
        labels = labels_of(kept, source.fingerprint, stream)
        digest = keep(store, labels)
        store.record_findings(digest, [f.to_json() for f in _findings(kept)])
    path.rename(path.with_name(path.name + _DONE))
    return Session(path, source.name, task_of(kept), labels)


def _source(store: Store, kept: Kept, path: Path) -> tuple[Source, str]:
    told = kept.head["source"]
    if "fingerprint" in told:
        return Source(store.source(told["fingerprint"]), store), str(told["stream"])
    recording = mended(path.with_name(str(told["recording"])), len(kept.head["channels"]))
    return add(store, prepare(recording)), "raw"


def task_of(kept: Kept) -> str:
    """Task of the labels of a journal."""
    task = str(kept.head["method"]).partition("/")[0]
    return DECODED if task == "decoding" else task


def labels_of(kept: Kept, fingerprint: str, stream: str) -> LabelSet:
    """SPANS of what was claimed, or EVENTS: each at its sample, its unit as the item."""
    head = kept.head
    kind = Kind(head.get("kind", Kind.SPANS))
    claims = sorted(
        kept.claims, key=lambda c: (c.start, c.stop, -1 if c.channel is None else c.channel)
    )
    classes = tuple(head["classes"])
    columns: dict[str, Any] = {
        "label": np.asarray([classes.index(c.label) for c in claims], np.int32),
        "channel": [c.channel for c in claims],
        "confidence": np.asarray([c.confidence for c in claims], np.float32),
    }
    if kind is Kind.EVENTS:
        columns["sample"] = np.asarray([c.start for c in claims], np.int64)
        columns["amplitude"] = np.asarray([c.amplitude for c in claims], np.float32)
        if any(c.unit is not None for c in claims):
            columns["item"] = np.asarray(
                [-1 if c.unit is None else c.unit for c in claims], np.int64
            )
        if any(c.position for c in claims):
            place = np.asarray([c.position or (np.nan, np.nan) for c in claims], np.float32)
            columns |= {"x_um": place[:, 0], "y_um": place[:, 1]}
    else:
        columns["start"] = np.asarray([c.start for c in claims], np.int64)
        columns["stop"] = np.asarray([c.stop for c in claims], np.int64)
    if any(c.probabilities for c in claims):
        columns["probabilities"] = _probabilities(claims, len(classes))
    return LabelSet.build(
        kind,
        columns,
        Vocabulary(classes, tuple(head["colours"])),
        Provenance(
            task=task_of(kept),
            source=fingerprint,
            stream=stream,
            author=Author("model", head["method"], head["version"], head["weights"]),
            parameters={**head["parameters"], "live": True},
        ),
    )


def _probabilities(claims: Sequence[Claim], n: int) -> np.ndarray[Any, Any]:
    """What has no probabilities among claims that have them is not known: the last class."""
    nothing = tuple(float(k == n - 1) for k in range(n))
    return np.asarray([c.probabilities or nothing for c in claims], np.float32)


def _findings(kept: Kept) -> list[Finding]:
    if not kept.gaps:
        return []
    lost = [float(gap["lost_s"]) for gap in kept.gaps]
    total = math.fsum(lost)
    sentence = f"Samples were lost {len(lost)} times on the way, {total:.2f} s in all."
    return [Finding("lost_samples", "warning", sentence, value=total, limit=0.0, unit="s")]


__all__ = ["FOLDER", "Session", "kept_sessions", "learnt", "new_journal", "taught"]
