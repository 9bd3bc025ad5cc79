"""Light of what was found in a movie, as sources of its own: cells and tracked neurons alike.

The labels are taken as people left them, so traces of what was redrawn, moved or merged in review
are those of what it is now.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nissl.data import Signal
from nissl.data.channels import MOVIE
from nissl.errors import (
    BadArgumentError,
    InputError,
    InterruptedRunError,
    MissingDependencyError,
    MissingInputError,
    NisslError,
)
from nissl.labels import LabelSet
from nissl.labels.replay import Rule, replay
from nissl.project.annotating import Resources, complete, current
from nissl.project.deriving import keep_derived
from nissl.project.dossier import run_log
from nissl.project.source import Source
from nissl.registry import Registry
from nissl.run.context import Context
from nissl.run.job import JobSpec
from nissl.store import Store
from nissl.tasks import Finding, Inputs


class Tracer(Protocol):
    """What extracts traces of the labels of a task from the movie that they lie in."""

    @property
    def name(self) -> str:
        """Its name, "task/method"."""

    @property
    def version(self) -> str:
        """Part of the job's hash."""

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""

    def defaults(
        self, earlier: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    ) -> dict[str, Any]:
        """Parameters with their defaults, JSON values.

        `earlier`: parameters and run's log of the labels, then of those that they were made from.
        """

    def signals(
        self, labels: LabelSet, inputs: Inputs, parameters: Mapping[str, Any], context: Context
    ) -> tuple[tuple[Signal, ...], tuple[Finding, ...]]:
        """Derived signals, channels named by item, and what is doubtful of them."""


TRACERS: Registry[Tracer] = Registry(
    "tracers",
    {
        "cells": "nissl.annotators.cells.retraced:FLUORESCENCE",
        "tracks": "nissl.annotators.tracks.lit:LIGHT",
    },
)
"""By the task whose labels they read."""


@dataclass(frozen=True)
class Traced:
    """Sources that hold the traces of a movie's items.

    Parameters
    ----------
    sources : tuple of str
        Names; the first is that of "fluorescence", which `rates` reads.
    n_items : int
    findings : tuple of Finding
    parameters : mapping
    resumed : bool
        Whether they were there before and nothing was computed.
    """

    sources: tuple[str, ...]
    n_items: int
    findings: tuple[Finding, ...]
    parameters: Mapping[str, Any]
    resumed: bool = False


def traces(
    store: Store,
    source: Source,
    *,
    task: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    resolve: Rule | None = None,
    resources: Resources | None = None,
) -> Traced:
    """Extract traces and keep them as sources; see `nissl.project.Project.traces`."""
    resources = Resources() if resources is None else resources
    tracer = TRACERS.get(task := _task(store, source, task))
    for package, command in tracer.missing().items():
        raise MissingDependencyError(f"{package} for {tracer.name}", "not installed", command)
    digest = current(store, source, task)
    if digest is None:
        raise _untold(store, source, (task,))
    base = store.get_labels(digest)
    outcome = replay(base, store.edits(base=digest), resolve=resolve)
    labels = outcome.labels
    defaults = tracer.defaults(_earlier(store, base))
    chosen = complete(tracer.name, defaults, parameters or {}, "nissl traces --help")
    stream = base.provenance.stream or source.stream(None, (MOVIE,))
    job = JobSpec(
        annotator=tracer.name,
        version=tracer.version,
        parameters=chosen,
        inputs=(f"{source.fingerprint}/{stream}", labels.digest),
        packages=dict(tracer.packages()),
    )
    run = store.run(job.hash)
    if run is not None and run.state == "finished":
        told = tuple(Finding.from_json(each) for each in run.log["findings"])
        return Traced(tuple(run.log["derived"]), int(labels.items.size), told, chosen, resumed=True)
    context = resources.context(store.workdir(job.hash), 0)
    store.start_run(job.hash, job.to_json())
    try:
        signals, told = tracer.signals(labels, Inputs(source.recording, stream), chosen, context)
        made_from = {
            "job": job.hash,
            "source": source.fingerprint,
            "stream": stream,
            "labels": digest,
            "reviewed": labels.digest,
            "task": task,
            "method": f"{tracer.name} {tracer.version}",
            "parameters": chosen,
        }
        names = [keep_derived(store, source, each, made_from) for each in signals]
    except (NisslError, KeyboardInterrupt) as error:
        store.fail_run(job.hash, str(error) or "interrupted")
        if isinstance(error, InputError):  # nothing to resume: it would fail the same way
            shutil.rmtree(context.workdir, ignore_errors=True)
        if isinstance(error, KeyboardInterrupt):
            raise InterruptedRunError(
                "the traces to be finished",
                "an interruption (Ctrl-C)",
                "Give the same command again.",
            ) from None
        raise
    log = {"derived": names, "findings": [each.to_json() for each in told]}
    store.finish_run(job.hash, outputs=[], log=log)
    return Traced(tuple(names), int(labels.items.size), told, chosen)


def _task(store: Store, source: Source, task: str | None) -> str:
    """The task whose labels are traced: as named, or the only one that there is."""
    if task is not None:
        TRACERS.get(task)
        return task
    there = [name for name in TRACERS if current(store, source, name) is not None]
    if not there:
        raise _untold(store, source, tuple(TRACERS))
    if len(there) > 1:
        raise BadArgumentError(f"a task among {there}", "none", f"Name one: --task {there[0]}")
    return there[0]


def _untold(store: Store, source: Source, tasks: Sequence[str]) -> MissingInputError:
    return MissingInputError(
        f"labels of the task {' or '.join(tasks)} on {source.name!r}",
        "none",
        f"Make them: nissl annotate {store.path} --task {tasks[-1]} --source {source.name}",
    )


def _earlier(store: Store, labels: LabelSet) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Parameters and log of a set and, after it, of those that it was made from."""
    known = {row.digest for row in store.label_sets()}
    found: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
    waiting, seen = [labels.digest], set()
    while waiting:
        digest = waiting.pop(0)
        if digest in seen or digest not in known:
            continue
        seen.add(digest)
        provenance = store.get_labels(digest).provenance
        found.append((provenance.parameters, run_log(store, digest)))
        waiting += provenance.made_from
    return found


__all__ = ["TRACERS", "Traced", "Tracer", "traces"]
