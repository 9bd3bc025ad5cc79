"""Review of a project: the room over its store, prepared so that there is something to ask."""

from __future__ import annotations

import numpy as np

from nissl.data import Recording
from nissl.errors import NisslError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.project.source import Source
from nissl.review.audit import current
from nissl.review.auditing import BUDGET, chosen_budget, reserve, selection_of
from nissl.review.decided import benches
from nissl.review.desk import CLASSES_OF, UNLABELLED
from nissl.review.loop import card_of, keep, learner_of, propose
from nissl.review.rerun import carry_forward, decided_before
from nissl.review.room import Room
from nissl.store import SourceRow, Store
from nissl.tasks import TASKS


def open_room(store: Store) -> Room:
    """Room of an open project."""

    def raw(row: SourceRow) -> Recording:
        return Source(row, store).recording

    return Room(store, raw)


def prepare(room: Room, *, seed: int = 0) -> list[str]:
    """Make what review needs and is not there yet; doing it again changes nothing.

    Units without proposed classes get some, decisions made before a re-run are carried to the
    new labels, and the audit sample is reserved.

    Returns
    -------
    list of str
        What was done, a sentence each.
    """
    if not room.store.writable:
        return []
    said = [f"{name}: {text}" for name, text in _propose(room)]
    room.refresh()
    for desk in room.desks:
        said += _carried(room.store, desk.source.name, desk.key)
    room.sync()
    rng = np.random.default_rng([seed, room.store.id.int % 2**63])
    for task in dict.fromkeys(desk.row.task for desk in room.desks):
        budget = chosen_budget(room.store, task) or BUDGET
        selection = selection_of(room, task, budget)
        before = current(room, task)
        audit = None if selection is None else reserve(room, task, selection, rng, budget=budget)
        if audit is not None and (before is None or before.refs != audit.refs):
            said.append(f"{task}: an audit sample of {len(audit.refs)} items is reserved.")
    return said


def follow(store: Store, name: str, digest: str) -> list[str]:
    """Carry decisions on earlier runs to new labels at once, for who exports before reviewing.

    Parameters
    ----------
    store : Store
    name : str
        Of the source.
    digest : str
        Of the new labels.

    Returns
    -------
    list of str
        What was done, a sentence each; empty where nobody decided on an earlier run.
    """
    if not decided_before(store, digest):
        return []
    said = [f"{source}: {text}" for source, text in _propose(open_room(store))]
    return [*said, *_carried(store, name, digest)]


def _carried(store: Store, name: str, digest: str) -> list[str]:
    carried = carry_forward(store, digest)
    if carried is None or not carried.edits + carried.questions:
        return []
    return [
        f"{name}: decisions from before the re-run: {carried.edits} carried over, "
        f"{carried.questions} that no longer fit are asked."
    ]


def _propose(room: Room) -> list[tuple[str, str]]:
    """Classes for units that have none: by the model in use, else an empty set to decide on."""
    said = []
    for task in CLASSES_OF.values():
        learner = None
        for bench in benches(room.store, task):
            ours = (f"{task}/", UNLABELLED)
            if any(row.author.name.startswith(ours) for row in bench.classes):
                continue
            try:
                learner = learner or learner_of(room.store, task)
                card = card_of(room.store, room.store.model_head(task) or "")
                keep(room.store, propose(bench, learner, card=card))
                text = f"{task} is proposed by {learner.name}."
            except NisslError as error:
                empty = unlabelled(bench.labels, task)
                room.store.record_labels(room.store.put_labels(empty))
                text = f"nothing proposes {task} ({error.expected}: {error.got})."
            said.append((bench.source.name, text))
    return said


def unlabelled(labels: LabelSet, task: str) -> LabelSet:
    """Classes that claim nothing of the items of a set, for people to decide on."""
    items = labels.items
    made = labels.provenance
    return LabelSet.build(
        Kind.CLASSES,
        {"id": items, "item": items, "target": items},
        TASKS.get(task).vocabulary,
        Provenance(
            task,
            made.source,
            Author("model", UNLABELLED, "1"),
            made.stream,
            made_from=(labels.digest,),
            targets=(labels.digest,),
        ),
    )
