"""Overview of a project under review: sessions, confidence, calibration, readers at work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.labels import Edit, EditKind
from nissl.review.audit import current
from nissl.review.auditing import BUDGET, chosen_budget, selection_of, undecided
from nissl.review.progress import answers, everybody, standing
from nissl.review.room import Room
from nissl.trust.checked import plain
from nissl.trust.intervals import binomial_interval
from nissl.trust.reliability import Reliability, reliability

N_BINS = 20
PAUSE_S = 300.0
"""A longer gap between two decisions is a pause, not work."""


@dataclass(frozen=True)
class SessionRow:
    """Progress at one desk.

    Parameters
    ----------
    desk : str
    source, subject, task, author : str
    n_items, n_decided : int
    readers : mapping of str to int
        Items that each reader decided on.
    """

    desk: str
    source: str
    subject: str
    task: str
    author: str
    n_items: int
    n_decided: int
    readers: Mapping[str, int]


@dataclass(frozen=True)
class Confidences:
    """How sure the method is, over all items of a task.

    Parameters
    ----------
    task : str
    edges : ndarray, shape (N_BINS + 1,), float64
    decided, open : ndarray, shape (N_BINS,), int64
        Items per bin.
    n_without : int
        Items whose method says no confidence.
    """

    task: str
    edges: npt.NDArray[np.float64]
    decided: npt.NDArray[np.int64]
    open: npt.NDArray[np.int64]
    n_without: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "task": self.task,
            "edges": self.edges.tolist(),
            "decided": self.decided.tolist(),
            "open": self.open.tolist(),
            "n_without": self.n_without,
        }


@dataclass(frozen=True)
class AuditAnswers:
    """Answered audit items of a task: what the method said, and whether readers agreed.

    Parameters
    ----------
    task : str
    confidence : ndarray, shape (n,), float64
    correct : ndarray, shape (n,), bool
    subjects : tuple of str, length n
    weights : ndarray, shape (n,), float64
        Inverse probability with which each was drawn.
    """

    task: str
    confidence: npt.NDArray[np.float64]
    correct: npt.NDArray[np.bool_]
    subjects: tuple[str, ...]
    weights: npt.NDArray[np.float64]

    def reliability(self, rng: np.random.Generator) -> Reliability:
        """How far the method's confidence can be trusted, for all items of the audited kind."""
        groups = self.subjects if len(set(self.subjects)) > 1 else None
        return reliability(
            self.confidence, self.correct, groups=groups, weights=self.weights, rng=rng
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values: what was promised, and what came true with its interval."""
        n, right = self.correct.size, int(self.correct.sum())
        return {
            "task": self.task,
            "n": n,
            "n_correct": right,
            "mean_confidence": float(self.confidence.mean()),
            "accuracy": binomial_interval(right, n).to_json(),
        }


@dataclass(frozen=True)
class Coverage:
    """What an error budget buys.

    Parameters
    ----------
    task : str
    budget : float
        Share of wrong labels allowed among those accepted without review.
    threshold : float
        Confidence from which labels would be accepted; infinite where none keeps the budget.
    n_open : int
        Items that nobody has decided on.
    n_accepted : int
        Those of them that would be accepted, once the audit sample is passed.
    """

    task: str
    budget: float
    threshold: float
    n_open: int
    n_accepted: int

    def to_json(self) -> dict[str, Any]:
        """Plain values; an infinite threshold is None."""
        return vars(self) | {"threshold": plain(self.threshold)}


@dataclass(frozen=True)
class ReaderWork:
    """What one reader has done.

    Parameters
    ----------
    reader : str
    n_decisions : int
        Edits that are not undone, undos left out.
    n_undone : int
    median_s : float or None
        Usual time of a decision, seconds.
    minutes : float
        Time at work: gaps between decisions, pauses left out.
    last_s : float
        Unix time of the last edit, seconds.
    days : mapping of str to int
        Decisions per day, ISO date in UTC.
    """

    reader: str
    n_decisions: int
    n_undone: int
    median_s: float | None
    minutes: float
    last_s: float
    days: Mapping[str, int]


def sessions(room: Room) -> list[SessionRow]:
    """Progress at every desk, in the order of the project; reads no label set of events."""
    rows = []
    for desk in room.desks:
        by_item = everybody(room, desk)
        readers: dict[str, int] = {}
        for names in by_item.values():
            for name in names:
                readers[name] = readers.get(name, 0) + 1
        facts = desk.facts()
        rows.append(
            SessionRow(
                desk=desk.key,
                source=desk.source.name,
                subject=facts["subject"],
                task=desk.row.task,
                author=facts["author"],
                n_items=desk.row.n_items,
                n_decided=min(len(by_item), desk.row.n_items),
                readers=readers,
            )
        )
    return rows


def confidences(room: Room) -> list[Confidences]:
    """Histogram of confidence for every task whose method says one."""
    edges = np.linspace(0.0, 1.0, N_BINS + 1)
    done: dict[str, list[npt.NDArray[np.float64]]] = {}
    left: dict[str, list[npt.NDArray[np.float64]]] = {}
    for desk in room.desks:
        said = desk.proposals
        seen = np.isin(said.items, list(everybody(room, desk)))
        done.setdefault(desk.row.task, []).append(said.confidence[seen])
        left.setdefault(desk.row.task, []).append(said.confidence[~seen])
    found = []
    for task in done:
        seen, unseen = np.concatenate(done[task]), np.concatenate(left[task])
        known = [part[np.isfinite(part)] for part in (seen, unseen)]
        found.append(
            Confidences(
                task=task,
                edges=edges,
                decided=np.histogram(np.clip(known[0], 0, 1), edges)[0],
                open=np.histogram(np.clip(known[1], 0, 1), edges)[0],
                n_without=seen.size + unseen.size - known[0].size - known[1].size,
            )
        )
    return found


def coverage(room: Room, task: str) -> Coverage:
    """What the error budget of a task buys among the items that are open."""
    budget = chosen_budget(room.store, task) or BUDGET
    audit = current(room, task)
    drawn = audit is not None and audit.budget == budget
    selection = audit.selection if audit is not None and drawn else selection_of(room, task, budget)
    desks = [desk for desk in room.desks if desk.row.task == task]
    open_ = [~np.isin(desk.item_ids, list(everybody(room, desk))) for desk in desks]
    n_open = sum(int(left.sum()) for left in open_)
    if selection is None:
        return Coverage(task, budget, math.inf, n_open, 0)
    _, confidence, _ = undecided(room, desks)
    taken = int(selection.accepts(confidence).sum())
    return Coverage(task, budget, selection.threshold, n_open, taken)


def audit_answers(room: Room) -> list[AuditAnswers]:
    """Answers to audit questions, by task: the only ones that tell the method's calibration.

    Items that a policy chose are a biased sample and are left out. Of several readers the first
    counts; "unsure" is no agreement.
    """
    asked: dict[str, dict[int, float]] = {}
    for question in room.store.questions(policy="audit"):
        if question.answered_by is not None and question.item is not None:
            weight = float(question.body.get("weight", 1.0))
            asked.setdefault(question.labels, {})[question.item] = weight
    found: dict[str, list[tuple[float, bool, str, float]]] = {}
    for desk in room.desks:
        items = asked.get(desk.key, {})
        if not items:
            continue
        given = answers(desk, {base: room.edits(base=base) for base in desk.bases})
        said, names = desk.proposals, desk.vocabulary.names
        for place in np.flatnonzero(np.isin(said.items, list(items))).tolist():
            label, confidence = int(said.label[place]), float(said.confidence[place])
            item = int(said.items[place])
            by_reader = given.get(item)
            if label >= 0 and by_reader and np.isfinite(confidence):
                first = next(iter(by_reader.values()))
                subject = str(desk.facts()["subject"])
                row = (confidence, first == names[label], subject, items[item])
                found.setdefault(desk.row.task, []).append(row)
    return [
        AuditAnswers(
            task=task,
            confidence=np.array([row[0] for row in rows]),
            correct=np.array([row[1] for row in rows], bool),
            subjects=tuple(row[2] for row in rows),
            weights=np.array([row[3] for row in rows]),
        )
        for task, rows in found.items()
    ]


def work(edits: Sequence[Edit]) -> list[ReaderWork]:
    """What every reader has done, the busiest first.

    Parameters
    ----------
    edits : sequence of Edit
        All of the project, in the order of the journal.
    """
    valid = {name: {e.uuid for e in own} for name, own in _standing_by_reader(edits).items()}
    by_reader: dict[str, list[Edit]] = {}
    for edit in edits:
        by_reader.setdefault(edit.reviewer, []).append(edit)
    found = []
    for name, all_edits in by_reader.items():
        decisions = [e for e in all_edits if e.kind is not EditKind.UNDO]
        kept = [e for e in decisions if e.uuid in valid.get(name, set())]
        times = [e.took_s for e in kept if e.took_s]
        gaps = np.diff(np.sort([e.when_s for e in all_edits]))
        days: dict[str, int] = {}
        for edit in kept:
            day = str(np.datetime64(int(edit.when_s), "s").astype("datetime64[D]"))
            days[day] = days.get(day, 0) + 1
        found.append(
            ReaderWork(
                reader=name,
                n_decisions=len(kept),
                n_undone=len(decisions) - len(kept),
                median_s=float(np.median(times)) if times else None,
                minutes=float(gaps[gaps <= PAUSE_S].sum()) / 60,
                last_s=max(e.when_s for e in all_edits),
                days=dict(sorted(days.items())),
            )
        )
    return sorted(found, key=lambda row: -row.n_decisions)


def _standing_by_reader(edits: Iterable[Edit]) -> dict[str, list[Edit]]:
    by_base: dict[str, list[Edit]] = {}
    for edit in edits:
        by_base.setdefault(edit.base, []).append(edit)
    found: dict[str, list[Edit]] = {}
    for own in by_base.values():
        for name, kept in standing(own).items():
            found.setdefault(name, []).extend(kept)
    return found
