"""Writing what leaves a project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from nissl.errors import BadArgumentError, BadLabelsError, MissingInputError
from nissl.labels import Kind, LabelSet
from nissl.labels.atomic import make_folder
from nissl.project.dossier import nothing_to_show
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import TASKS, Dossier


def with_times(store: Store, dossier: Dossier) -> Dossier:
    """Dossier whose classes of trials (the task "decoding") are spans or events themselves.

    Formats of annotations hold times, and a class of a trial has the time of its trial. Where
    the labels are no classes, or of items that have many rows (units), nothing is changed.
    """
    classes = dossier.labels
    if classes.kind is not Kind.CLASSES or len(classes.provenance.targets) != 1:
        return dossier
    (target,) = classes.provenance.targets
    row = next((row for row in store.label_sets() if row.digest == target), None)
    if row is None or row.kind not in (Kind.SPANS, Kind.EVENTS):
        return dossier
    if row.kind == Kind.EVENTS and row.n_items != row.n_rows:  # units
        return dossier
    labels = timed(classes, store.get_labels(target))
    return replace(dossier, labels=labels, items=None, classes=(), stream=labels.provenance.stream)


def timed(classes: LabelSet, trials: LabelSet) -> LabelSet:
    """Classes of trials as spans (or events) of the trials' times.

    Parameters
    ----------
    classes : LabelSet
        CLASSES whose targets are items of `trials`; trials without a class are left out.
    trials : LabelSet
        SPANS, or EVENTS of one row for each item.

    Raises
    ------
    BadLabelsError
        A class of a trial that is not there.
    """
    targets = classes.column("target").tolist()
    lacking = sorted(set(targets) - set(trials.items.tolist()))
    if lacking:
        raise BadLabelsError(
            "classes of trials that are there", f"others: {lacking[:10]}", "Name their trials."
        )
    pairs = [(k, r) for k, t in enumerate(targets) for r in trials.rows_of(t).tolist()]
    of_class, of_trial = (pa.array([pair[i] for pair in pairs], pa.int64()) for i in (0, 1))
    claimed, timing = classes.table.take(of_class), trials.table.take(of_trial)
    columns = {name: claimed.column(name) for name in ("item", "label", "confidence")}
    if len(pairs) == len(targets):  # probabilities stand on items of one row
        columns["probabilities"] = claimed.column("probabilities")
    times = ("start", "stop") if trials.kind is Kind.SPANS else ("sample",)
    columns |= {name: timing.column(name) for name in (*times, "channel")}
    about = replace(
        classes.provenance,
        stream=trials.provenance.stream,
        made_from=(classes.digest, trials.digest),
        targets=(),
    )
    return LabelSet.build(trials.kind, columns, classes.vocabulary, about)


def export(store: Store, dossier: Dossier, to: str, path: Path, **options: Any) -> Path:
    """Export a dossier and verify it by reading it back; see `nissl.project.Project.export`."""
    from nissl.io import EXPORTERS
    from nissl.io.registries import ANNOTATIONS

    exporter = EXPORTERS.get(to)
    if to in ANNOTATIONS:
        dossier = with_times(store, dossier)
    make_folder(path.parent)
    written = exporter.write(dossier, path, **options)
    exporter.verify(dossier, written)
    return written


def main_task(store: Store) -> str:
    """Task that is meant where none is named: "spikes" where there are any, else the only one.

    Raises
    ------
    BadArgumentError
        There are labels of several other tasks.
    """
    known = [task for task in TASKS if store.label_sets(task=task)]
    if "spikes" in known or not known:
        return "spikes"
    if len(known) > 1:
        raise BadArgumentError(f"a task among {known}", "none", f"Name one: --task {known[0]}")
    return known[0]


def annotated(store: Store, task: str) -> list[Source]:
    """Sources that have labels of a task.

    Raises
    ------
    MissingInputError
        There is none; the command that makes them is named.
    """
    sources = [Source(row, store) for row in store.sources()]
    if not sources:
        raise MissingInputError(
            "a project with sources",
            f"none in {store.path}",
            f"Add one: nissl add {store.path} RECORDING",
        )
    found = [s for s in sources if store.label_sets(source=s.fingerprint, task=task)]
    if not found:
        raise nothing_to_show(store, sources[0], task)
    return found
