"""The audit sample of a project: reserved before review, answered blind, the only witness.

What a project says about labels that nobody looked at (residual error, whether automatic
acceptance is on) comes from here alone. The sample is fixed in the journal's settings when it
is drawn; a new model or another budget draws a new one, the old stays on record. A new one is of
labels that nobody has decided on yet: what an earlier one found went into the model.

The sample is the beginning of a random order of everything that would be accepted, which is fixed
at the draw too. Its bound may be looked at after every answer (see `nissl.trust.audit`). As soon
as it keeps the budget, labels are accepted; when all of the sample is answered and the budget is
neither kept nor exceeded, `extend` goes on in that order, as far as that can spare anybody a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import numpy.typing as npt

from nissl.errors import EvaluationError, NisslError
from nissl.review.audit import Audit, claims_of, current, setting_of
from nissl.review.audited import standing
from nissl.review.desk import CLASSES_OF, Desk
from nissl.review.loop import learner_of
from nissl.review.progress import everybody
from nissl.review.room import Room
from nissl.store import QuestionRow, Store
from nissl.trust.audit import draw
from nissl.trust.bounds import check_budget, finite_required
from nissl.trust.residual import BudgetState
from nissl.trust.selection import Selection, claimed

BUDGET = 0.05
"""Share of wrong labels among those accepted without review that a project allows by default."""
AIMS = (0.5, 0.4, 0.3, 0.2, 0.1)
"""Parts of the budget that are tried as what the accepted labels claim to be wrong."""
LONGEST = 2000
"""Items of the random order that are kept: an audit sample is never made longer."""


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
        Draw a sample of so many items, in strata, that is judged once all are answered (see
        `nissl.trust.audit.draw`). By default it is one that grows as far as needed.

    Returns
    -------
    Audit or None
        None where nothing would be accepted automatically.
    """
    desks = [desk for desk in room.desks if desk.row.task == task]
    claims = claims_of(room, task)
    known = current(room, task)
    if known is not None and known.claims == claims and known.budget == budget:
        return known
    refs, confidence, labels = undecided(room, desks)
    try:
        made = _drawn(confidence, refs, labels, (task, budget, selection, claims), size, rng)
    except EvaluationError:
        return None
    _record(room, made, made.refs)
    return made


def extend(room: Room, task: str) -> Audit | None:
    """Make the audit sample longer where it is answered, too small, and more could show the budget.

    So many items are added as would show the budget if all were right; the rest of the accepted
    labels must be more than that. The sample as it was stays on record in the journal's settings.
    Items that somebody decided on since the draw count as they were decided.

    Returns
    -------
    Audit or None
        None where nothing was added.
    """
    found = standing(room, task)
    if found is None or not found.audit.later or not room.store.writable:
        return None
    audit, left = found.audit, found.left
    verdict = left.allows(audit.budget)
    if left.pending or verdict.state is not BudgetState.TOO_FEW:
        return None
    if left.n + verdict.needed >= audit.sample.n_accepted:
        return None
    longer = audit.longer(verdict.needed)
    _record(room, longer, longer.refs[len(audit.refs) :])
    return longer


def _drawn(
    confidence: npt.NDArray[np.float64],
    refs: list[tuple[str, int]],
    labels: list[str],
    about: tuple[str, float, Selection, tuple[str, ...]],
    size: int | None,
    rng: np.random.Generator,
) -> Audit:
    """A new sample: of a fixed size where one is named, else the beginning of a random order."""
    task, budget, selection, claims = about
    accepted = confidence >= selection.threshold
    watched = size is None
    most = LONGEST if size is None else size
    sample = draw(confidence, accepted, size=most, watched=watched, budget=budget, rng=rng)
    chosen = tuple(refs[i] for i in sample.indices)
    said = tuple(labels[i] for i in sample.indices)
    made = Audit(task, budget, selection, chosen, said, sample, claims)
    if not watched:
        return made
    begin = finite_required(budget, sample.n_accepted, rate=budget / 3)
    order = replace(made, refs=(), labels=(), later=chosen, later_labels=said)
    return order.longer(begin)


def _record(room: Room, audit: Audit, asked: Sequence[tuple[str, int]]) -> None:
    """Put a sample on record and ask its new items."""
    room.store.set_setting(setting_of(audit.task), audit.to_json())
    weights = dict(zip(audit.refs, audit.sample.weight.tolist(), strict=True))
    told = {"reason": "It belongs to the audit sample."}
    name = f"{room.store.id}/{'/'.join(audit.claims)}/{audit.budget}"
    rows = [
        QuestionRow(
            uuid5(NAMESPACE_OID, f"{name}/{ref[0]}/{ref[1]}"),
            ref[0],
            ref[1],
            "audit",
            body={"weight": weights[ref], "probability": 1 / weights[ref], **told},
        )
        for ref in asked
    ]
    room.store.ask(rows)


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
    Without such a card the model's own confidence is taken at its word, and the threshold is the
    one that would spare most answers; the audit decides in any case, the threshold only how often
    it is passed.

    Returns
    -------
    Selection or None
        None where no undecided item has a confidence.
    """
    desks = [desk for desk in room.desks if desk.row.task == task]
    _, confidence, _ = undecided(room, desks)
    confidence = confidence[np.isfinite(confidence)]
    if not confidence.size:
        return None
    known = _of_card(room.store, CLASSES_OF.get(task, task), budget)
    return known or sparing(confidence, budget)


def sparing(confidence: npt.NDArray[np.float64], budget: float) -> Selection:
    """The threshold that spares most answers if the model is as often right as it says.

    A low threshold accepts more labels, of which more are wrong, so that more have to be audited
    to show that they keep the budget; a high one leaves more to be asked.

    Parameters
    ----------
    confidence : ndarray, shape (n_items,), float64
        Of items that nobody has decided on.
    budget : float

    Returns
    -------
    Selection
        Of method `nissl.trust.selection.CLAIMED`, for a part of the budget.
    """
    tried = [claimed(confidence, budget=budget * aim) for aim in AIMS]
    return max(tried, key=lambda selection: _spared(confidence, selection, budget))


def _spared(confidence: npt.NDArray[np.float64], selection: Selection, budget: float) -> int:
    """Accepted labels that an audit would leave unseen, as the model claims."""
    accepted = confidence[selection.accepts(confidence)]
    if not accepted.size:
        return 0
    rate = float(1 - accepted.mean())
    return accepted.size - finite_required(budget, accepted.size, rate=rate)


def _of_card(store: Store, task: str, budget: float) -> Selection | None:
    """By subjects that the model has not seen; of one of the project, by nothing less.

    What it learnt from were its most doubtful items, by which hardly any threshold is left.
    """
    try:
        head = store.model_head(task)
        card = store.get_model(head)[1] if head else learner_of(store, task, "").card()
    except NisslError:
        return None
    rows = (card.get("evaluation") or {}).get("selection", [])
    fitting = [row for row in rows if budget / 2 - 1e-9 <= row["budget"] <= budget + 1e-9]
    for row in sorted(fitting, key=lambda row: float(row["budget"])):
        for name in ("others",) if head else ("others", "these"):
            found = row.get(name, {})
            if found.get("n_accepted"):
                return Selection.from_json(found)
    return None


def undecided(
    room: Room, desks: list[Desk]
) -> tuple[list[tuple[str, int]], npt.NDArray[np.float64], list[str]]:
    """Items that might be accepted, as nobody decided on them and the model knows their like.

    Returns
    -------
    refs : list of (str, int)
        Desk and item of each.
    confidence : ndarray, shape (n,), float64
        NaN where the method says none.
    labels : list of str, length n
        What is proposed.
    """
    refs: list[tuple[str, int]] = []
    confidence: list[npt.NDArray[np.float64]] = []
    labels: list[str] = []
    for desk in desks:
        by = everybody(room, desk)
        said, names = desk.proposals, desk.vocabulary.names
        if None in desk.unlike:
            continue
        out = [*by, *(item for item in desk.unlike if item is not None)]
        keep = (said.label >= 0) & ~np.isin(said.items, out)
        refs += [(desk.key, int(item)) for item in said.items[keep]]
        confidence.append(said.confidence[keep])
        labels += [names[code] for code in said.label[keep].tolist()]
    return refs, np.concatenate([np.empty(0), *confidence]), labels
