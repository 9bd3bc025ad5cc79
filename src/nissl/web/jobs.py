"""Work in the background of a server: one run of a task at a time, its progress and its end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from nissl.errors import MissingInputError, NisslError
from nissl.run.progress import Progress
from nissl.web.faults import fault, unexpected

KEPT = 50
"""Ended runs that are remembered."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A piece of work, as far as it has come.

    Parameters
    ----------
    run : str
        Its name.
    task : str
    state : {"running", "finished", "failed"}
    started_s, ended_s : float or None
        Unix time, seconds.
    stage : str
        What it is at.
    done : float or None
        Part of the stage that is done, 0 to 1; None where nobody can say.
    result : mapping
        JSON values, once finished.
    error : mapping
        `expected`, `got` and `remedy`, where it failed.
    """

    run: str
    task: str
    state: str = "running"
    started_s: float = 0.0
    ended_s: float | None = None
    stage: str = ""
    done: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "result": dict(self.result), "error": dict(self.error)}


Work = Callable[[Progress], Mapping[str, Any]]


class Jobs:
    """Runs of a server, in threads that end with it.

    Whatever a run keeps it keeps in the project, whole or not at all: a server that is killed
    loses a run, never a model.
    """

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()

    def start(self, task: str, work: Work) -> Run:
        """Start work on a task, or return the run of that task that is under way.

        Parameters
        ----------
        task : str
        work : callable
            Takes a `Progress`; returns JSON values.
        """
        with self._lock:
            for run in self._runs.values():
                if run.task == task and run.state == "running":
                    return run
            made = Run(uuid4().hex, task, started_s=time.time())
            self._runs[made.run] = made
            ended = [name for name, run in self._runs.items() if run.state != "running"]
            for name in ended[: max(0, len(ended) - KEPT)]:
                del self._runs[name]
        threading.Thread(target=self._do, args=(made.run, work), daemon=True).start()
        return made

    def run(self, name: str) -> Run:
        """Return a run as it is now; `MissingInputError` where there is none of that name."""
        with self._lock:
            found = self._runs.get(name)
        if found is None:
            raise MissingInputError(
                "a run of this server", repr(name)[:80], "It ended with an earlier server; repeat."
            )
        return found

    def runs(self) -> list[Run]:
        """All runs that are remembered, oldest first."""
        with self._lock:
            return list(self._runs.values())

    def change(self, name: str, **changes: Any) -> None:
        """Note something about a run."""
        with self._lock:
            self._runs[name] = replace(self._runs[name], **changes)

    def _do(self, name: str, work: Work) -> None:
        changes: dict[str, Any]
        try:
            changes = {"state": "finished", "result": work(_Noted(self, name))}
        except NisslError as error:
            changes = {"state": "failed", "error": fault(error)}
        except Exception as error:  # a thread has nobody else to tell
            _log.exception("a run in the background failed")
            changes = {"state": "failed", **unexpected(error)}
        self.change(name, ended_s=time.time(), stage="", done=None, **changes)


class _Noted:
    """Progress that is noted in a run."""

    def __init__(self, jobs: Jobs, name: str) -> None:
        self._jobs = jobs
        self._name = name
        self._totals: dict[str, float | None] = {}
        self._done: dict[str, float] = {}

    def start(self, stage: str, total: float | None, unit: str) -> None:
        """Begin a stage."""
        self._totals[stage], self._done[stage] = total, 0.0
        self._jobs.change(self._name, stage=stage, done=0.0 if total else None)

    def advance(self, stage: str, amount: float) -> None:
        """Add to what is done of a stage."""
        self._done[stage] = self._done.get(stage, 0.0) + amount
        total = self._totals.get(stage)
        if total:
            self._jobs.change(self._name, stage=stage, done=min(1.0, self._done[stage] / total))

    def finish(self, stage: str) -> None:
        """End a stage."""
        self._jobs.change(self._name, stage=stage, done=1.0)
