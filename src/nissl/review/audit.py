"""An audit sample as the journal's settings keep it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nissl.review.room import Room
from nissl.trust.audit import AuditSample
from nissl.trust.selection import Selection


@dataclass(frozen=True, eq=False)
class Audit:
    """A drawn audit sample.

    Parameters
    ----------
    task : str
        Task of the desks.
    budget : float
    selection : Selection
        The threshold above which labels would be accepted, and where it comes from.
    refs : tuple of (str, int)
        Desk and item of each sampled item, in the order of the sample.
    labels : tuple of str
        What was proposed for each.
    sample : AuditSample
    claims : tuple of str
        Digests of the sets that made the proposals.
    later : tuple of (str, int)
        Desk and item of what the sample goes on with, in order.
    later_labels : tuple of str
        What was proposed for each.
    """

    task: str
    budget: float
    selection: Selection
    refs: tuple[tuple[str, int], ...]
    labels: tuple[str, ...]
    sample: AuditSample
    claims: tuple[str, ...]
    later: tuple[tuple[str, int], ...] = ()
    later_labels: tuple[str, ...] = ()

    def longer(self, n: int) -> Audit:
        """The sample with the next n items of its order."""
        size = len(self.refs) + len(self.later[:n])
        return replace(
            self,
            refs=self.refs + self.later[:n],
            labels=self.labels + self.later_labels[:n],
            sample=beginning(size, self.sample.n_accepted),
            later=self.later[n:],
            later_labels=self.later_labels[n:],
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "task": self.task,
            "budget": self.budget,
            "selection": self.selection.to_json(),
            "refs": [list(ref) for ref in self.refs],
            "labels": list(self.labels),
            "sample": self.sample.to_json(),
            "claims": list(self.claims),
            "later": [list(ref) for ref in self.later],
            "later_labels": list(self.later_labels),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Audit:
        """Inverse of `to_json`."""
        return cls(
            task=str(value["task"]),
            budget=float(value["budget"]),
            selection=Selection.from_json(value["selection"]),
            refs=tuple((str(key), int(item)) for key, item in value["refs"]),
            labels=tuple(map(str, value["labels"])),
            sample=AuditSample.from_json(value["sample"]),
            claims=tuple(map(str, value["claims"])),
            later=tuple((str(key), int(item)) for key, item in value.get("later", ())),
            later_labels=tuple(map(str, value.get("later_labels", ()))),
        )


def current(room: Room, task: str) -> Audit | None:
    """The audit sample that counts, None before one is drawn of what is proposed now."""
    return placed(room, task)[1]


def placed(room: Room, task: str) -> tuple[int | None, Audit | None]:
    """Position of the setting in the journal, and the sample that counts."""

    def read() -> Audit | None:
        body = room.store.setting(setting_of(task))
        return None if body is None else Audit.from_json(body)

    position = room.store.setting_position(setting_of(task))
    audit = room.remembered(setting_of(task), position, read)
    counts = audit is not None and audit.claims == claims_of(room, task)
    return position, audit if counts else None


def claims_of(room: Room, task: str) -> tuple[str, ...]:
    """Digests of the sets that make the proposals now."""
    return tuple(desk.bases[-1] for desk in room.desks if desk.row.task == task)


def setting_of(task: str) -> str:
    """Name of the setting that keeps the audit sample of a task."""
    return f"audit:{task}"


def beginning(size: int, n_accepted: int) -> AuditSample:
    """The first items of a random order, as positions in it."""
    order = np.arange(size, dtype=np.intp)
    weight = np.full(size, n_accepted / max(size, 1))
    return AuditSample(order, np.zeros_like(order), weight, n_accepted, watched=True)
