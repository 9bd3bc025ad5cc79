"""Gathering all that a project knows about a source and task, for reports and exports."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, MissingInputError, SourceNotFoundError
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.labels.replay import Reviewed, Rule, replay, retarget
from nissl.project.annotating import current, findings_of, items_of
from nissl.project.deriving import derived_signals
from nissl.project.source import Source
from nissl.project.syncing import session_events
from nissl.review.decided import DECIDED
from nissl.run.context import Context
from nissl.store import Store
from nissl.store.images import kept_images
from nissl.tasks import TASKS, Dossier, Inputs


def gather(
    store: Store, source: Source, task: str, *, draft: bool, resolve: Rule | None = None
) -> Dossier:
    """Collect the labels to report or export, with everything known about them.

    Parameters
    ----------
    draft : bool
        Take the newest set where no person has moved the head; without it that is an error.
    resolve : callable, optional
        How several readers' decisions are combined (see `nissl.labels.replay`).

    Raises
    ------
    MissingInputError
        No labels of the task, or no head and `draft` is false.
    """
    digest = store.head(source.fingerprint, task)
    is_draft = digest is None
    if digest is None and draft:
        digest = current(store, source, task) or _pointing_to(store, source, task)
    if digest is None:
        raise nothing_to_show(store, source, task)
    recording = None
    with suppress(SourceNotFoundError):  # those who show it say what then cannot be shown
        recording = source.recording
    edits = store.edits(base=digest)
    outcome = replay(
        store.get_labels(digest),
        edits,
        items=items_of(store, digest),
        resolve=resolve,
    )
    labels, stream = outcome.labels, _stream(source, outcome.base)
    items = outcome.items
    described = set() if items is None else set(items.items.tolist())
    if outcome.decided and described != set(labels.items.tolist()):
        if recording is not None:
            items = _describe(task, labels, Inputs(recording, stream))
        else:
            items = _updated(task, items_of(store, digest), edits, labels) or items
    return Dossier(
        labels=labels,
        items=items,
        recording=recording,
        stream=stream,
        classes=_classes(store, outcome, resolve),
        events=session_events(store, source, stream),
        findings=findings_of(store, digest),
        log=run_log(store, digest),
        source=_facts(source),
        reviewed=_reviewed(outcome),
        draft=is_draft,
        proposed=outcome.base.provenance if outcome.decided else None,
        decided_by={
            item: ", ".join(names)
            for item, names in outcome.reviewer.items()
            if outcome.state.get(item) in DECIDED
        },
        signals=derived_signals(store, source, outcome.base),
        images=images_of(store, outcome.base),
        answers=_answers(store, outcome.base.digest),
    )


def _pointing_to(store: Store, source: Source, task: str) -> str | None:
    """Newest links of another source that end at this one: a reference's latents have no others."""
    rows = store.label_sets(task=task)
    ends = [r for r in rows if r.kind == Kind.LINKS.value and source.fingerprint in r.targets]
    return ends[-1].digest if ends else None


def _answers(store: Store, digest: str) -> dict[str, ItemTable]:
    """Answers to stimuli of the items of a label set, the newest of each source of traces."""
    names = {row.fingerprint: row.name for row in store.sources()}
    found = {}
    for row in store.label_sets(task="responses"):
        made_from = store.get_labels(row.digest).provenance.made_from
        if row.items and row.source in names and digest in made_from:
            found[names[row.source]] = store.get_items(row.items)
    return found


def images_of(store: Store, labels: LabelSet) -> dict[str, npt.NDArray[np.float32]]:
    """Pictures of the field that a set lies in, or that those it was made from lie in."""
    for digest in (labels.digest, *labels.provenance.made_from):
        kept = kept_images(store, digest)
        if kept:
            found = {name: np.asarray(store.get_array(each)) for name, each in kept.items()}
            return {n: image[None] if image.ndim == 2 else image for n, image in found.items()}
    return {}


def _stream(source: Source, labels: LabelSet) -> str:
    """Stream whose samples a set counts; units in the file of a recording do not name it."""
    named = labels.provenance.stream
    if named in source.row.streams or not source.is_recording:
        return named
    with suppress(BadArgumentError):
        return source.stream()
    return named


def _describe(task: str, labels: LabelSet, inputs: Inputs) -> ItemTable:
    """Facts of units that people changed, from the raw data."""
    with tempfile.TemporaryDirectory(prefix="nissl-") as scratch:
        return TASKS.get(task).describe(labels, inputs, Context(Path(scratch)))


def _updated(
    task: str, items: ItemTable | None, edits: list[Edit], labels: LabelSet
) -> ItemTable | None:
    """Facts of units that people changed, as far as they follow from those before.

    None where that would not be the facts of these labels: edits that were undone, or that a
    rule between reviewers set aside.
    """
    if items is None or "n_spikes" not in items.table.column_names:
        return None
    for edit in edits:
        items = TASKS.get(task).update(items, edit)
    units, counts = np.unique(labels.column("item"), return_counts=True)
    if not np.array_equal(items.items, units):
        return None
    if not np.array_equal(items.table.column("n_spikes").to_numpy(), counts):
        return None
    return replace(items, of=labels.digest)


def _reviewed(outcome: Reviewed) -> float:
    """Fraction of the items that a person has decided on."""
    if outcome.base.provenance.author.kind == "person":
        return 1.0
    return len(outcome.decided) / max(len(outcome.state), 1)


def _classes(store: Store, outcome: Reviewed, resolve: Rule | None) -> tuple[LabelSet, ...]:
    """Classes of the base's items with people's decisions on them, on the items they became."""
    found = []
    for labels in classes_on(store, outcome.base.digest):
        reviewed = replay(labels, store.edits(base=labels.digest), resolve=resolve)
        if reviewed.decided or outcome.decided:
            labels, _ = retarget(reviewed.labels, outcome, decided=reviewed.decided)
        found.append(labels)
    return tuple(found)


def classes_on(store: Store, digest: str) -> tuple[LabelSet, ...]:
    """CLASSES sets that point at a label set, oldest first, one per author (the newest)."""
    rows = store.label_sets(kind=Kind.CLASSES.value, target=digest)
    newest = {(row.task, row.author): row for row in rows}
    return tuple(store.get_labels(row.digest) for row in newest.values())


def run_log(store: Store, digest: str) -> dict[str, Any]:
    """Log of the run that made a label set; empty where none did."""
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
