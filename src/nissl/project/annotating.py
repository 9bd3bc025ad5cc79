"""Running a method on a source and keeping what it gives."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nissl.errors import (
    BadArgumentError,
    InputError,
    InterruptedRunError,
    MissingInputError,
    NisslError,
)
from nissl.labels import ItemTable, LabelSet
from nissl.project.deriving import keep_derived
from nissl.project.source import Source
from nissl.project.taught import taught_points
from nissl.run.context import Context
from nissl.run.job import JobSpec
from nissl.run.progress import Progress, Silent
from nissl.store import Store
from nissl.store.images import keep_images
from nissl.tasks import (
    ANNOTATORS,
    TASKS,
    Annotator,
    Finding,
    Inputs,
    Learner,
    Result,
    Task,
    resolve,
)


@dataclass(frozen=True)
class Resources:
    """What a run may use; never changes its result.

    Parameters
    ----------
    workers : int
        Processes on this machine.
    memory_bytes : int
        Budget of the whole run, bytes.
    cluster : str, optional
        Dask scheduler address, "local" or "slurm".
    progress : Progress
    """

    workers: int = 1
    memory_bytes: int = 4 * 10**9
    cluster: str | None = None
    progress: Progress = field(default_factory=Silent)

    def context(self, workdir: Path, seed: int) -> Context:
        """Context of a job in `workdir`."""
        return Context(
            workdir=workdir,
            seed=seed,
            workers=self.workers,
            memory_bytes=self.memory_bytes,
            progress=self.progress,
            cluster=self.cluster,
        )


@dataclass(frozen=True)
class Draft:
    """What a run proposes, already kept in the project.

    Parameters
    ----------
    labels : LabelSet
    items : ItemTable, optional
    findings : tuple of Finding
    log : mapping
    resumed : bool
        Whether the same job had been finished before and nothing was computed.
    carried : tuple of str
        What became of decisions on an earlier run, a sentence each.
    derived : tuple of str
        Names of the sources of derived signals (traces, rates) that the run gave.
    """

    labels: LabelSet
    items: ItemTable | None
    findings: tuple[Finding, ...]
    log: Mapping[str, Any]
    resumed: bool = False
    carried: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()


def annotate(
    store: Store,
    source: Source,
    name: str,
    *,
    stream: str | None = None,
    seed: int = 0,
    head: bool = False,
    resources: Resources | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Draft:
    """Run a task's method on a source; see `nissl.project.Project.annotate`."""
    resources = Resources() if resources is None else resources
    task, method = resolve(name)
    method = _in_use(store, task, method)
    chosen_parameters = complete(method.name, method.defaults(), parameters or {})
    chosen = source.stream(stream, task.streams)
    labels, items = _needed(store, source, task, method)
    job = JobSpec(
        annotator=method.name,
        version=method.version,
        parameters=chosen_parameters,
        seed=seed,
        inputs=(f"{source.fingerprint}/{chosen}", *(s.digest for s in labels.values())),
        weights=str(getattr(method, "weights", "")),
        packages=dict(method.packages()),
    )
    draft = _finished(store, job.hash)
    if draft is None:
        inputs = Inputs(source.recording, chosen, labels, items)
        context = resources.context(store.workdir(job.hash), seed)
        store.start_run(job.hash, job.to_json())
        try:
            result, draft = _compute(task, method, inputs, chosen_parameters, context)
            made_from = {"job": job.hash, "source": source.fingerprint, "stream": chosen}
            names = [keep_derived(store, source, each, made_from) for each in result.sources]
            draft = replace(draft, derived=tuple(names))
            keep_images(store, draft.labels.digest, result.images)
            _keep(store, job.hash, draft)
        except (NisslError, KeyboardInterrupt) as error:
            store.fail_run(job.hash, str(error) or "interrupted")
            if isinstance(error, InputError):  # nothing to resume: it would fail the same way
                shutil.rmtree(context.workdir, ignore_errors=True)
            if isinstance(error, KeyboardInterrupt):
                raise InterruptedRunError(
                    "the run to finish",
                    "an interruption (Ctrl-C)",
                    "What is finished was kept; the same command goes on from there.",
                ) from None
            raise
    draft = replace(draft, carried=_followed(store, source.name, draft))
    if head:
        store.set_head(source.fingerprint, task.name, draft.labels.digest, by="--head")
    return draft


def _in_use(store: Store, task: Task, method: Annotator) -> Annotator:
    """The method with the model that the project has put into use, if it is one that learns."""
    if not isinstance(method, Learner) or not store.model_head(task.name):
        return method
    from nissl.review.loop import learner_of  # brings the learners

    used = learner_of(store, task.name)
    return used if used.name == method.name else method


def complete(
    name: str, defaults: Mapping[str, Any], given: Mapping[str, Any], see: str | None = None
) -> dict[str, Any]:
    """Parameters with the defaults of those not given; `BadArgumentError` for unknown ones."""
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise BadArgumentError(
            f"parameters of {name} among {sorted(defaults)}",
            f"{unknown}",
            f"`{see or 'nissl tasks ' + name}` shows them with their defaults.",
        )
    return {**defaults, **given}


def _needed(
    store: Store, source: Source, task: Task, method: Annotator
) -> tuple[dict[str, LabelSet], dict[str, ItemTable]]:
    labels: dict[str, LabelSet] = {}
    items: dict[str, ItemTable] = {}
    for need in getattr(method, "needs", task.needs):
        digest = None
        if getattr(method, "from_people", False):
            digest = taught_points(store, source, need, people_s(store, source, need))
        digest = digest or current(store, source, need)
        if digest is None:
            raise MissingInputError(
                f"labels of the task {need!r} on {source.name!r}, which {method.name!r} needs",
                "none",
                _remedy(store, source, need),
            )
        labels[need] = store.get_labels(digest)
        table = items_of(store, digest)
        if table is not None:
            items[need] = table
    return labels, items


def current(store: Store, source: Source, task: str) -> str | None:
    """Digest of a task's head on a source, else of its newest set, else None.

    Sets that are measured (`Task.evidence`) come last: they say what few units are.
    """
    head = store.head(source.fingerprint, task)
    if head is not None:
        return head
    rows = store.label_sets(source=source.fingerprint, task=task)
    evidence = TASKS.get(task).evidence if task in TASKS else ()
    proposed = [row for row in rows if row.author.name not in evidence]
    return (proposed or rows)[-1].digest if rows else None


def people_s(store: Store, source: Source, task: str) -> str | None:
    """Digest of the newest set of a task that a person made, the head first; None without one.

    A method that learns from people's labels of its own task would else take its own proposal
    for theirs when it is run again.
    """
    rows = [
        row
        for row in store.label_sets(source=source.fingerprint, task=task)
        if row.author.kind == "person"
    ]
    head = store.head(source.fingerprint, task)
    return next((row.digest for row in rows if row.digest == head), None) or (
        rows[-1].digest if rows else None
    )


def _remedy(store: Store, source: Source, need: str) -> str:
    """How labels of a task come about: made by a method, or imported where every one needs some."""
    if need not in TASKS:
        return f"Import them: nissl import {store.path} {source.name} TABLE --name {need}"
    maker = _maker(need)
    if maker is None:
        return f"Import some by hand: nissl import {store.path} {source.name} FILE --author NAME"
    return f"Make them: nissl annotate {store.path} --task {maker}"


def _maker(task: str) -> str | None:
    """The method that makes labels of a task from nothing of that task; None where none does."""
    methods = TASKS.get(task).methods
    free = [name for name in methods if task not in getattr(ANNOTATORS.get(name), "needs", ())]
    return None if not free else task if free[0] == methods[0] else free[0]


def items_of(store: Store, digest: str) -> ItemTable | None:
    """Item table kept beside a label set, None where there is none."""
    for row in store.label_sets():
        if row.digest == digest and row.items:
            return store.get_items(row.items)
    return None


def findings_of(store: Store, digest: str) -> tuple[Finding, ...]:
    """Findings about a label set."""
    return tuple(Finding.from_json(f) for f in store.findings(digest))


def _compute(
    task: Task,
    method: Annotator,
    inputs: Inputs,
    parameters: Mapping[str, Any],
    context: Context,
) -> tuple[Result, Draft]:
    result = method.annotate(inputs, parameters, context)
    labels = result.labels[0]
    items = result.items[0] if result.items else task.describe(labels, inputs, context)
    findings = task.check(labels, items, inputs, context)
    return result, Draft(labels, items, (*result.findings, *findings), result.log)


def _followed(store: Store, name: str, draft: Draft) -> tuple[str, ...]:
    if not store.edits():
        return ()
    from nissl.project.reviewing import follow  # brings the learners

    return tuple(follow(store, name, draft.labels.digest))


def _keep(store: Store, job_hash: str, draft: Draft) -> None:
    digest = store.put_labels(draft.labels)
    items = store.put_items(draft.items) if draft.items is not None else None
    store.record_labels(digest, items=items, run=job_hash)
    store.record_findings(digest, [f.to_json() for f in draft.findings])
    store.finish_run(job_hash, outputs=[digest], log={**draft.log, **_derived(draft)})
    if draft.labels.provenance.task == "spikes":
        from nissl.review.unit_questions import ask_doubts  # most methods make no units

        ask_doubts(store, digest, draft.labels, draft.items)


def _derived(draft: Draft) -> dict[str, list[str]]:
    return {"derived": list(draft.derived)} if draft.derived else {}


def _finished(store: Store, job_hash: str) -> Draft | None:
    run = store.run(job_hash)
    if run is None or run.state != "finished":
        return None
    digest = run.outputs[0]
    return Draft(
        labels=store.get_labels(digest),
        items=items_of(store, digest),
        findings=findings_of(store, digest),
        log=run.log,
        resumed=True,
        derived=tuple(run.log.get("derived", ())),
    )
