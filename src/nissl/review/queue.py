"""The queue: what one reader is asked next, over all desks of a project.

Questions that must be asked (audit, gold, second reading, what a re-run left open) are mixed
among those a policy chooses. The policy's next batch is recorded in the journal with the
probability of each question before it is shown, so that what was asked can be reweighted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, CorruptProjectError
from nissl.review.audited import Standing, standing
from nissl.review.auditing import extend
from nissl.review.desk import Desk
from nissl.review.groups import groups_of
from nissl.review.policies import BATCH, POLICIES, usable
from nissl.review.policies.bandit import logged
from nissl.review.pooling import beliefs, chooser, pool_of, times
from nissl.review.progress import everybody, structured
from nissl.review.room import Room
from nissl.review.timing import ambiguity_of
from nissl.store import QuestionRow
from nissl.trust.intervals import Interval

DEFAULT_POLICY = "margin"
BLIND = ("audit", "gold", "second")
"""Policies whose questions are asked without showing the machine's answer."""
REPEATED = ("second", "gold", "rerun", "recheck")
"""Policies whose questions are asked of items that are decided."""
HIDDEN = "The machine's answer is hidden until you have decided."
"""What a blind reader is told instead of the reason, which would give the answer away."""
MIXED_EVERY = 2
"""After so many other questions one of the blind sample is asked, as long as there are any, and
more often where they would not all be asked before the doubtful items are."""


@dataclass(frozen=True)
class Entry:
    """One item to decide on.

    Parameters
    ----------
    desk : str
        Key of the desk.
    item : int
    proposed : str or None
        The machine's class; None where there is none or the reader is not to see it.
    confidence : float or None
    reason : str
        Why it is asked, in plain words.
    policy : str
    probability : float or None
        With which the policy chose it; None for what was not chosen at random.
    question : UUID or None
        The question on record; None for what is further down the queue.
    blind : bool
        Whether the machine's answer is hidden until the reader has decided.
    beside : int or None
        The other item of a question about two of them.
    """

    desk: str
    item: int
    proposed: str | None
    confidence: float | None
    reason: str
    policy: str
    probability: float | None = None
    question: UUID | None = None
    blind: bool = False
    beside: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        shown = None
        if self.proposed is not None and not self.blind:
            shown = {"label": self.proposed, "confidence": self.confidence}
        return {
            "desk": self.desk,
            "item": self.item,
            "proposed": shown,
            "reason": HIDDEN if self.blind else self.reason,
            "policy": "" if self.blind else self.policy,
            "probability": self.probability,
            "question": None if self.question is None else str(self.question),
            "blind": self.blind,
            "beside": self.beside,
        }


@dataclass(frozen=True)
class Queue:
    """What is left for a reader.

    Parameters
    ----------
    total, done : int
        Items of the chosen desks, and how many of them are decided by anybody.
    automatic : int
        Undecided items that are accepted without review, because the audit allows it.
    entries : tuple of Entry
        The next ones.
    minutes : Interval
        Expected time of all decisions left.
    policy : str
    """

    total: int
    done: int
    automatic: int
    entries: tuple[Entry, ...]
    minutes: Interval
    policy: str

    @property
    def left(self) -> int:
        """Items that nobody has decided on and that need a look."""
        return self.total - self.done - self.automatic


@dataclass
class _Waiting:
    """Undecided items of a desk, as positions among its proposals."""

    desk: Desk
    places: npt.NDArray[np.intp]
    spared: npt.NDArray[np.intp]  # those of them that a running audit may spare everybody
    extra: list[int] = field(default_factory=list)  # items that the reader's edits made


def build(
    room: Room,
    reader: str,
    rng: np.random.Generator,
    *,
    desk: str | None = None,
    task: str | None = None,
    policy: str = DEFAULT_POLICY,
    blind: bool = False,
    limit: int = 50,
) -> Queue:
    """Queue of a reader; the policy's next batch is on record when this returns.

    Parameters
    ----------
    room : Room
    reader : str
    rng : numpy.random.Generator
        Draws the batch.
    desk, task : str, optional
        Ask only there.
    policy : str
        A name of `POLICIES`.
    blind : bool
        Hide the machine's answers.
    limit : int
        Entries to return.
    """
    if policy not in POLICIES.names():
        raise BadArgumentError(
            f"a policy among {POLICIES.names()}", repr(policy)[:60], "Choose one of them."
        )
    room.sync()
    chosen = [room.desk(desk)] if desk else room.desks
    chosen = [d for d in chosen if task in (None, d.row.task)]
    waiting, total, done, automatic = [], 0, 0, 0
    audits = {task: _standing(room, task) for task in dict.fromkeys(d.row.task for d in chosen)}
    for each in chosen:
        try:
            found, n, n_done = _waiting(room, each, reader)
            each.proposals  # noqa: B018  (read now)
        except CorruptProjectError:
            if desk:
                raise
            continue  # one damaged file stops no other desk; the list of desks names it
        audit = audits[each.row.task]
        if audit is not None:
            automatic += _leave_out_accepted(audit, found)
            _keep_back(audit, found)
        waiting.append(found)
        total, done = total + n, done + n_done
    open_questions = _open_questions(room, waiting, reader)
    asked = list(_must(open_questions, reader))
    ranked = list(islice(_ranked(room, waiting, open_questions, reader, policy, rng), limit))
    n_spared = sum(each.spared.size for each in waiting)
    n_audited = sum(row.policy == "audit" for _, _, row in open_questions)
    n_open = sum(each.places.size for each in waiting) - n_spared - n_audited
    entries = _mixed(asked, ranked, n_open)[:limit]
    if blind:
        entries = [replace(entry, blind=True) for entry in entries]
    minutes = _minutes(room, waiting, reader)
    return Queue(total, done, automatic, tuple(entries), minutes, policy)


def _waiting(room: Room, desk: Desk, reader: str) -> tuple[_Waiting, int, int]:
    edits = {base: room.edits(base=base) for base in desk.bases}
    by = everybody(room, desk)
    items = desk.item_ids
    open_now = (
        ~np.isin(items, np.fromiter(by, np.int64, len(by))) if by else np.ones(len(items), bool)
    )
    waiting = _Waiting(desk, np.flatnonzero(open_now), np.empty(0, np.intp))
    total, done = items.size, int(items.size - waiting.places.size)
    if structured(desk, edits, reader):
        with room.reading(desk.key, reader) as reading:
            there = set(reading.items.tolist())
            new = sorted(there - set(items.tolist()))
            untouched = {i for i in new if reading.state(i) == "untouched"}
        waiting.extra = [i for i in new if i in untouched]
        waiting.places = waiting.places[np.isin(items[waiting.places], list(there))]
        total, done = total + len(new), done + len(new) - len(waiting.extra)
    return waiting, total, done


def _standing(room: Room, task: str) -> Standing | None:
    """Where the audit of a task stands, after it was made longer where it has to be."""
    extend(room, task)
    return standing(room, task)


def _leave_out_accepted(audit: Standing, waiting: _Waiting) -> int:
    """Take out what is accepted without review; returns how many items that are."""
    verdict, desk = audit.verdict, waiting.desk
    if not verdict.on:
        return 0
    ids = desk.item_ids[waiting.places]
    names = groups_of(desk, ids) if verdict.off_in else None
    sure = verdict.accepts(desk.proposals.confidence[waiting.places], names) & _known(desk, ids)
    waiting.places = waiting.places[~sure]
    return int(sure.sum())


def _keep_back(audit: Standing, waiting: _Waiting) -> None:
    """Note what an audit that is under way would accept if it is passed: it is asked last."""
    if audit.verdict.on or not audit.left.pending:
        return
    if not audit.audit.sample.watched:  # judged as a whole: what it accepts is not known before
        return
    desk = waiting.desk
    ids = desk.item_ids[waiting.places]
    sure = desk.proposals.confidence[waiting.places] >= audit.verdict.threshold
    sure &= ~np.isin(ids, [item for key, item in audit.audit.refs if key == desk.key])
    waiting.spared = waiting.places[sure & _known(desk, ids)]


def _known(desk: Desk, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Items whose like the model has seen, in a recording whose like it has seen."""
    unlike = [item for item in desk.unlike if item is not None]
    return np.asarray(~np.isin(ids, unlike) & (None not in desk.unlike))


def _open_questions(
    room: Room, waiting: Sequence[_Waiting], reader: str
) -> list[tuple[_Waiting, int, QuestionRow]]:
    """Unanswered questions about items of these desks that are still undecided.

    A second look is asked for at decided items too, and two units are asked about as long as
    the reader has both.
    """
    by_base = {base: w for w in waiting for base in w.desk.bases}
    left = {id(w): set(w.desk.item_ids[w.places].tolist()) | set(w.extra) for w in waiting}
    there: dict[str, set[int]] = {}
    found = []
    for row in room.store.questions(unanswered=True):
        w = by_base.get(row.labels)
        if w is None or row.item is None:
            continue
        if row.policy == "merge":
            key = w.desk.key
            there[key] = there[key] if key in there else _items_of(room, key, reader)
            still = {row.item, row.body["beside"]} <= there[key]
        else:
            still = row.item in left[id(w)] or row.policy in REPEATED
        if still:
            found.append((w, row.item, row))
    return found


def _items_of(room: Room, key: str, reader: str) -> set[int]:
    with room.reading(key, reader) as reading:
        return set(reading.items.tolist())


def _must(questions: Sequence[tuple[_Waiting, int, QuestionRow]], reader: str) -> Iterator[Entry]:
    """Questions that were not chosen by a policy, for this reader or for anybody."""
    for w, item, row in questions:
        if row.policy in POLICIES.names() or row.body.get("reader") not in (None, reader):
            continue
        entry = _entry(w.desk, item, row.policy, str(row.body.get("reason", "")))
        beside = row.body.get("beside")
        yield replace(entry, question=row.uuid, blind=row.policy in BLIND, beside=beside)


def _ranked(
    room: Room,
    waiting: Sequence[_Waiting],
    questions: Sequence[tuple[_Waiting, int, QuestionRow]],
    reader: str,
    policy: str,
    rng: np.random.Generator,
) -> Iterator[Entry]:
    """The batch on record first, then what the policy would ask after it.

    What is asked of other readers now comes last: nobody should wait for them.
    """
    asked = {(w.desk.key, item): row for w, item, row in questions}
    mine = [
        (w, item, row)
        for w, item, row in questions
        if row.body.get("wanted") == policy and row.body.get("reader") == reader
    ]
    tasks = dict.fromkeys(w.desk.row.task for w in waiting)
    for task in tasks:
        batch = [(w, i, row) for w, i, row in mine if w.desk.row.task == task]
        for w, item, row in batch:
            yield _entry(w.desk, item, policy, "", row.body.get("probability"), row.uuid)
        those = [w for w in waiting if w.desk.row.task == task]
        for w in those:
            for item in w.extra:
                yield _entry(w.desk, item, "made", "A merge or split made it; it has no class yet.")
        yield from _chosen(room, those, asked, reader, policy, rng, fresh=not batch)
        for w in those:
            for item in w.desk.item_ids[w.spared].tolist():
                if (w.desk.key, item) not in asked:
                    yield _entry(w.desk, item, policy, "")
    own = {(w.desk.key, item) for w, item, _ in mine}
    chosen = {(w.desk.key, i): w for w, i, row in questions if row.policy in POLICIES.names()}
    for (key, item), w in chosen.items():
        if (key, item) not in own:
            yield _entry(w.desk, item, policy, "")


def _chosen(
    room: Room,
    waiting: Sequence[_Waiting],
    asked: dict[tuple[str, int], QuestionRow],
    reader: str,
    policy: str,
    rng: np.random.Generator,
    *,
    fresh: bool,
) -> Iterator[Entry]:
    """Items in the policy's order; a `fresh` batch is recorded first."""
    refs = [
        (w.desk, place)
        for w in waiting
        for place in np.setdiff1d(w.places, w.spared).tolist()
        if (w.desk.key, int(w.desk.item_ids[place])) not in asked
    ]
    if not refs:
        return
    pool = pool_of(room, refs, reader)
    name = policy if policy in usable(pool) else DEFAULT_POLICY
    ranking = chooser(room, name)(pool, rng)
    order = ranking.order.tolist()
    uuids: list[UUID | None] = [None] * len(order)
    if fresh:
        rows, told = [], logged(name, ranking, pool)
        for rank, at in enumerate(order[:BATCH]):
            desk, place = refs[at]
            uuids[rank] = uuid4()
            body = {"probability": float(ranking.probability[at]), "reader": reader}
            body |= {"wanted": policy, **told}
            item = int(desk.item_ids[place])
            rows.append(
                QuestionRow(uuids[rank], desk.key, item, name, float(ranking.score[at]), body)  # type: ignore[arg-type]
            )
        room.store.ask(rows)
    for rank, at in enumerate(order):
        desk, place = refs[at]
        probability = float(ranking.probability[at]) if rank < BATCH else None
        yield _entry(desk, int(desk.item_ids[place]), policy, "", probability, uuids[rank])


def _entry(
    desk: Desk,
    item: int,
    policy: str,
    reason: str,
    probability: float | None = None,
    question: UUID | None = None,
) -> Entry:
    said = desk.proposals
    place = int(np.searchsorted(said.items, item))
    known = place < said.items.size and said.items[place] == item
    label = int(said.label[place]) if known else -1
    confidence = float(said.confidence[place]) if known else float("nan")
    return Entry(
        desk=desk.key,
        item=item,
        proposed=desk.vocabulary.names[label] if label >= 0 else None,
        confidence=confidence if np.isfinite(confidence) else None,
        reason=reason or desk.unlike.get(item) or _why_asked(confidence, label),
        policy=policy,
        probability=probability,
        question=question,
    )


def _why_asked(confidence: float, label: int) -> str:
    if label < 0:
        return "Nothing is proposed for it."
    if not np.isfinite(confidence):
        return "The method says no confidence."
    return f"The method is {confidence:.0%} sure."


def _mixed(asked: Sequence[Entry], ranked: Sequence[Entry], n_open: int) -> list[Entry]:
    """Blind questions among the others, evenly; other open questions first of all.

    Parameters
    ----------
    asked : sequence of Entry
        That must be asked.
    ranked : sequence of Entry
        The others.
    n_open : int
        Others before the blind ones should be asked; one comes after every `MIXED_EVERY` at least.
    """
    first = [entry for entry in asked if not entry.blind]
    hidden = [entry for entry in asked if entry.blind]
    seen = {(entry.desk, entry.item) for entry in asked}
    if n_open <= 0:
        return [*first, *hidden, *(e for e in ranked if (e.desk, e.item) not in seen)]
    out, given, due = list(first), 0, 0.5
    rate = max(1 / MIXED_EVERY, len(hidden) / n_open)
    for entry in (e for e in ranked if (e.desk, e.item) not in seen):
        due += rate
        ready = min(int(due + 1e-9), len(hidden))
        out += [entry, *hidden[given:ready]]
        given = max(given, ready)
    return [*out, *hidden[given:]]


def _minutes(room: Room, waiting: Sequence[_Waiting], reader: str) -> Interval:
    parts = []
    for w in waiting:
        width = max(len(w.desk.vocabulary.names), 2)
        doubt = ambiguity_of(beliefs(w.desk, w.places, width))
        parts.append((w.desk.view, np.concatenate([doubt, np.full(len(w.extra), 0.5)])))
    return times(room).minutes_left(parts, reader=reader)
