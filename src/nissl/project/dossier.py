"""Gathering all that a project knows about a source and task, for reports and exports."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from nissl.errors import MissingInputError, SourceNotFoundError
from nissl.labels import Kind, LabelSet
from nissl.labels.replay import replay
from nissl.project.annotating import current, findings_of, items_of
from nissl.project.source import Source
from nissl.project.syncing import session_events
from nissl.store import Store
from nissl.tasks import Dossier


def gather(store: Store, source: Source, task: str, *, draft: bool) -> Dossier:
    """Collect the labels to report or export, with everything known about them.

    Parameters
    ----------
    draft : bool
        Take the newest set where no person has moved the head; without it that is an error.

    Raises
    ------
    MissingInputError
        No labels of the task, or no head and `draft` is false.
    """
    digest = store.head(source.fingerprint, task)
    is_draft = digest is None
    if digest is None and draft:
        digest = current(store, source, task)
    if digest is None:
        raise nothing_to_show(store, source, task)
    base = store.get_labels(digest)
    edits = store.edits(base=digest)
    labels, reviewed = base, 1.0 if base.provenance.author.kind == "person" else 0.0
    items = items_of(store, digest)
    if edits:
        outcome = replay(base, edits)
        labels = outcome.labels
        touched = sum(state != "untouched" for state in outcome.state.values())
        reviewed = touched / max(len(outcome.state), 1)
        if labels.digest != base.digest and not set(labels.items) <= set(base.items):
            items = None
    recording = None
    with suppress(SourceNotFoundError):  # those who show it say what then cannot be shown
        recording = source.recording
    return Dossier(
        labels=labels,
        items=items,
        recording=recording,
        stream=base.provenance.stream,
        classes=classes_on(store, digest),
        events=session_events(store, source, base.provenance.stream),
        findings=findings_of(store, digest),
        log=_log(store, digest),
        source=_facts(source),
        reviewed=reviewed,
        draft=is_draft,
    )


def classes_on(store: Store, digest: str) -> tuple[LabelSet, ...]:
    """CLASSES sets that point at a label set, oldest first, one per author (the newest)."""
    rows = store.label_sets(kind=Kind.CLASSES.value, target=digest)
    newest = {(row.task, row.author): row for row in rows}
    return tuple(store.get_labels(row.digest) for row in newest.values())


def _log(store: Store, digest: str) -> dict[str, Any]:
    for row in store.label_sets():
        if row.digest == digest and row.run:
            run = store.run(row.run)
            return dict(run.log) if run is not None else {}
    return {}


def _facts(source: Source) -> dict[str, Any]:
    row = source.row
    return {
        "name": row.name,
        "path": row.path,
        "format": row.format,
        "fingerprint": row.fingerprint,
        "subject": dict(row.subject),
        "session": dict(row.session),
        "streams": dict(row.streams),
    }


def nothing_to_show(store: Store, source: Source, task: str) -> MissingInputError:
    """Error that says why there is nothing, and the command that makes it."""
    if store.label_sets(source=source.fingerprint, task=task):
        return MissingInputError(
            f"a head of the task {task!r} on {source.name!r}, set by a person",
            "drafts only",
            f"Look first: nissl report {store.path}; then: "
            f"nissl head {store.path} {source.name} {task}, or add --draft.",
        )
    return MissingInputError(
        f"labels of the task {task!r} on {source.name!r}",
        "none",
        f"Make them: nissl annotate {store.path} --task {task}",
    )
