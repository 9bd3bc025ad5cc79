"""The audit sample of a project: reserved before review, answered blind, the only witness.

What a project says about labels that nobody looked at (residual error, whether automatic
acceptance is on) comes from here alone. The sample is fixed in the journal's settings when it
is drawn; a new model or another budget draws a new one, the old stays on record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import numpy.typing as npt

from nissl.errors import EvaluationError, NisslError
from nissl.labels import Edit, EditKind
from nissl.review.desk import CLASSES_OF, Desk
from nissl.review.loop import learner_of
from nissl.review.progress import answers, decided
from nissl.review.room import Room
from nissl.store import QuestionRow, Store
from nissl.trust.acceptance import Acceptance, judge
from nissl.trust.audit import AuditSample, Residual, draw, planned, required, residual
from nissl.trust.bounds import check_budget
from nissl.trust.selection import Selection, claimed

BUDGET = 0.05
"""Share of wrong labels among those accepted without review that a project allows by default."""
MOST = 0.4
"""Share of the accepted labels above which an audit sample is not made larger."""


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
    """

    task: str
    budget: float
    selection: Selection
    refs: tuple[tuple[str, int], ...]
    labels: tuple[str, ...]
    sample: AuditSample
    claims: tuple[str, ...]

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
        )


def reserve(
    room: Room,
    task: str,
    selection: Selection,
    rng: np.random.Generator,
    *,
    budget: float = BUDGET,
    size: int | None = None,
) -> Audit | None:
    """Draw the audit sample of a task and put it on record, unless that was done.

    Parameters
    ----------
    room : Room
    task : str
        Task of the desks ("spikes", "sleep").
    selection : Selection
        From labelled subjects, by the model that made the proposals.
    rng : numpy.random.Generator
    budget : float
    size : int, optional
        Items to draw; see `nissl.trust.audit.draw`.

    Returns
    -------
    Audit or None
        None where nothing would be accepted automatically.
    """
    desks = [desk for desk in room.desks if desk.row.task == task]
    claims = tuple(desk.bases[-1] for desk in desks)
    known = current(room, task)
    if known is not None and known.claims == claims and known.budget == budget:
        return known
    refs, confidence, labels = _undecided(room, desks)
    try:
        accepted = confidence >= selection.threshold
        size = size or _size(budget, int(accepted.sum()))
        sample = draw(confidence, accepted, size=size, budget=budget, rng=rng)
    except EvaluationError:
        return None
    chosen = tuple(refs[i] for i in sample.indices)
    said = tuple(labels[i] for i in sample.indices)
    made = Audit(task, budget, selection, chosen, said, sample, claims)
    room.store.set_setting(_name(task), made.to_json())
    reason = "It belongs to the audit sample."
    rows = [
        QuestionRow(
            uuid5(NAMESPACE_OID, f"{room.store.id}/{'/'.join(claims)}/{budget}/{key}/{item}"),
            key,
            item,
            "audit",
            body={"weight": float(weight), "reason": reason, "probability": float(1 / weight)},
        )
        for (key, item), weight in zip(chosen, sample.weight, strict=True)
    ]
    room.store.ask(rows)
    return made


def current(room: Room, task: str) -> Audit | None:
    """The audit sample that counts, None before one is drawn."""
    body = room.store.setting(_name(task))
    return None if body is None else Audit.from_json(body)


def wrong_answers(room: Room, audit: Audit) -> npt.NDArray[np.float64]:
    """1 where people contradict the proposal, 0 where they confirm it, NaN where none answered.

    "Unsure" counts as wrong. Of several readers the first who answered counts.
    """
    given: dict[tuple[str, int], str | None] = {}
    for key in dict.fromkeys(key for key, _ in audit.refs):
        desk = room.desk(key)
        wanted = {item for at, item in audit.refs if at == key}
        for item, by in answers(desk, _about(room, desk, wanted)).items():
            given[key, item] = next(iter(by.values()))
    return np.array(
        [
            float(given[ref] != label) if ref in given else np.nan
            for ref, label in zip(audit.refs, audit.labels, strict=True)
        ],
        dtype=np.float64,
    )


def _about(room: Room, desk: Desk, items: set[int]) -> dict[str, list[Edit]]:
    """Edits at a desk that are about some of its items, and undos, which name no item."""
    found = {desk.key: items}
    if desk.classes is not None:
        rows = np.isin(desk.classes.column("target"), list(items))
        found[desk.classes.digest] = set(desk.classes.column("item")[rows].tolist())
    return {
        base: [
            edit
            for edit in room.edits(base=base)
            if edit.kind is EditKind.UNDO or not wanted.isdisjoint(edit.items)
        ]
        for base, wanted in found.items()
    }


def residual_error(room: Room, task: str) -> Residual | None:
    """Share of wrong labels among those accepted automatically; None before a sample is drawn."""
    audit = current(room, task)
    return None if audit is None else residual(wrong_answers(room, audit), audit.sample)


def acceptance(room: Room, task: str, *, novel: str | None = None) -> Acceptance | None:
    """Whether labels of a task are accepted without review now, and why."""
    audit = current(room, task)
    if audit is None:
        return None
    left = residual(wrong_answers(room, audit), audit.sample)
    return judge(audit.selection, left, budget=audit.budget, novel=novel)


def chosen_budget(store: Store, task: str) -> float | None:
    """Error budget that somebody named for a task, None where nobody did."""
    body = store.setting(f"budget:{task}")
    return None if body is None else float(body["budget"])


def choose_budget(store: Store, task: str, budget: float, *, by: str) -> None:
    """Name the error budget of a task; `reserve` then draws a sample for it."""
    check_budget(budget)
    store.set_setting(f"budget:{task}", {"budget": budget, "by": by})


def selection_of(room: Room, task: str, budget: float) -> Selection | None:
    """Threshold for automatic acceptance, before any audit.

    It comes from the labelled subjects in the card of the model that made the proposals, at
    half the budget where the card has it: at the very budget the audit can hardly be passed.
    Without such a card the model's own confidence is taken at its word; the audit decides in
    any case, the threshold only how often it is passed.

    Returns
    -------
    Selection or None
        None where no item has a confidence.
    """
    desks = [desk for desk in room.desks if desk.row.task == task]
    said = [desk.proposals.confidence for desk in desks]
    confidence = np.concatenate([np.empty(0), *said])
    confidence = confidence[np.isfinite(confidence)]
    if not confidence.size:
        return None
    known = _of_card(room.store, CLASSES_OF.get(task, task), budget)
    return known or claimed(confidence, budget=budget / 2)


def _of_card(store: Store, task: str, budget: float) -> Selection | None:
    try:
        head = store.model_head(task)
        card = store.get_model(head)[1] if head else learner_of(store, task, "").card()
    except NisslError:
        return None
    rows = card.get("evaluation", {}).get("selection", [])
    fitting = [row for row in rows if budget / 2 - 1e-9 <= row["budget"] <= budget + 1e-9]
    for row in sorted(fitting, key=lambda row: float(row["budget"])):
        for name in ("others", "these"):
            found = row.get(name, {})
            if found.get("n_accepted"):
                return Selection.from_json(found)
    return None


def _size(budget: float, n_accepted: int) -> int:
    """Audit items that show the budget with good prospects, or with one error where few are left.

    `planned` is for an error of a third of the budget, found in four of five projects; it
    would be most of a small sorting.
    """
    size = planned(budget, expected=budget / 3)
    return size if size <= MOST * n_accepted else required(budget, errors=1)


def _name(task: str) -> str:
    return f"audit:{task}"


def _undecided(
    room: Room, desks: list[Desk]
) -> tuple[list[tuple[str, int]], npt.NDArray[np.float64], list[str]]:
    """Items that might be accepted, as nobody decided on them and the model knows their like."""
    refs: list[tuple[str, int]] = []
    confidence: list[npt.NDArray[np.float64]] = []
    labels: list[str] = []
    for desk in desks:
        edits = {base: room.edits(base=base) for base in desk.bases}
        by = decided(desk, edits) if any(edits.values()) else {}
        said, names = desk.proposals, desk.vocabulary.names
        if None in desk.unlike:
            continue
        out = [*by, *(item for item in desk.unlike if item is not None)]
        keep = (said.label >= 0) & ~np.isin(said.items, out)
        refs += [(desk.key, int(item)) for item in said.items[keep]]
        confidence.append(said.confidence[keep])
        labels += [names[code] for code in said.label[keep].tolist()]
    return refs, np.concatenate([np.empty(0), *confidence]), labels
