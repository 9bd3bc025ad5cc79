"""The loop: what people decided becomes examples, examples a model, the model new proposals.

Everywhere else data flows one way. A fitted model is kept with its card and changes nothing
until somebody puts it into use; then every set of items gets proposals of that model and
people's decisions are carried over to them. Putting the model before it back into use is the
same move again. Older proposals, models and decisions stay.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid5

import numpy as np
import numpy.typing as npt

from nissl.annotators.unlike import NOVELTY, findings_of
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Edit, EditKind, ItemTable, LabelSet
from nissl.labels.replay import Question, Rule, rebase
from nissl.review.decided import Bench, benches, combined, gather
from nissl.review.judging import judged
from nissl.run.progress import Progress, Silent
from nissl.store import Store
from nissl.tasks import ANNOTATORS, TASKS, Examples, Finding, Learner

TAUGHT = 50
"""Decided items of a recording from which on a model that learnt them has seen it."""


@dataclass(frozen=True)
class Learned:
    """A new model, kept and not yet in use.

    Parameters
    ----------
    digest : str
    card : mapping
        JSON values; see `nissl.annotators.curation.card`.
    seconds : float
        How long it took.
    """

    digest: str
    card: Mapping[str, Any]
    seconds: float

    @property
    def comparison(self) -> Mapping[str, Any]:
        """What changed against the model in use, on the same items."""
        found: Mapping[str, Any] = self.card["before"]
        return found


@dataclass(frozen=True)
class Used:
    """What putting a model into use did.

    Parameters
    ----------
    digest : str
        "" for the shipped weights.
    labels : tuple of str
        Digests of the new proposals, one per set of items.
    carried : int
        Decisions that were carried over to them.
    questions : tuple of Question
        Decisions that did not fit; someone has to look.
    """

    digest: str
    labels: tuple[str, ...]
    carried: int
    questions: tuple[Question, ...]


def learner_of(store: Store, task: str, digest: str | None = None) -> Learner:
    """Learner of a task with the weights of a model.

    Parameters
    ----------
    store : Store
    task : str
    digest : str, optional
        By default the model in use; "" stands for the shipped weights.

    Raises
    ------
    BadArgumentError
        The task has no method that learns.
    MissingInputError
        The project has no such model.
    """
    methods = [ANNOTATORS.get(name) for name in TASKS.get(task).methods]
    learners = [method for method in methods if isinstance(method, Learner)]
    if not learners:
        raise BadArgumentError(
            "a task with a method that learns from decisions",
            repr(task),
            "`nissl tasks` lists the tasks and their methods.",
        )
    chosen = store.model_head(task) if digest is None else digest
    if not chosen:
        return learners[0]
    files, card = store.get_model(chosen)
    named = next((each for each in learners if each.name == card.get("name")), None)
    if named is None:
        raise MissingInputError(
            f"the method {card.get('name')!r} of the model {chosen[:12]}",
            f"the methods {[each.name for each in learners]}",
            "Install the plug-in that it came with, or use another model.",
        )
    return named.restored(files)


def learn(
    store: Store,
    task: str,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    resolve: Rule | None = None,
    more: Examples | None = None,
    extend: bool = False,
) -> Learned:
    """Fit a new model to what people decided, judge it, and keep it; nothing else changes.

    It starts from the shipped weights and takes in every decision of the project, so it does
    not depend on the order in which models were made.

    Parameters
    ----------
    store : Store
    task : str
    seed : int
        The only source of randomness.
    progress : Progress, optional
    resolve : callable, optional
        How readers who disagree are combined; `majority` by default.
    more : Examples, optional
        From elsewhere, such as a library of labelled units; learnt with the decisions.
    extend : bool
        Whether classes that are known stay beside those that are learnt, for tasks whose
        vocabulary is open; there they are replaced by default.

    Returns
    -------
    Learned

    Raises
    ------
    MissingInputError
        Too little is decided.
    """
    begun = time.perf_counter()
    told = progress or Silent()
    shipped = learner_of(store, task, "")
    told.start("learn", 3.0, "steps")
    examples = _gathered(store, task, shipped, resolve, more)
    if TASKS.get(task).open_vocabulary:
        examples = replace(examples, afresh=not extend)
    told.advance("learn", 1.0)
    fitted = shipped.fit(examples, rng=np.random.default_rng(seed))
    told.advance("learn", 1.0)
    in_use = learner_of(store, task) if store.model_head(task) else None
    card = judged(store, task, shipped, fitted, examples, in_use=in_use, seed=seed)
    digest = store.put_model(fitted.files(), card)
    told.advance("learn", 1.0)
    told.finish("learn")
    return Learned(digest, card, time.perf_counter() - begun)


def _gathered(
    store: Store, task: str, learner: Learner, resolve: Rule | None, more: Examples | None
) -> Examples:
    """Decisions of a project, with examples from elsewhere."""
    if more is None:
        return gather(store, task, learner, resolve=resolve)
    if not TASKS.get(task).open_vocabulary:
        raise BadArgumentError(
            "examples from elsewhere for a task with an open vocabulary",
            f"the task {task!r}",
            "Leave the library out: this task learns from decisions.",
        )
    try:
        return combined(gather(store, task, learner, resolve=resolve), more)
    except MissingInputError:
        return more


@dataclass(frozen=True, eq=False)
class Proposal:
    """What a model says of a bench's items.

    Parameters
    ----------
    labels : LabelSet
        CLASSES.
    findings : tuple of Finding
        Of the check `NOVELTY`: without an item it means that the recording as a whole lies
        outside what the model has seen, and that nothing of it is accepted automatically; with
        an item it means so of the item.
    votes : ndarray, shape (n_members, n_items, n_classes), float64
    features : ndarray, shape (n_items, d), float64
        On one scale, no NaN; items in the order of `labels`.
    items : ItemTable, optional
        Facts about the items, for tasks whose view shows some of its own.
    """

    labels: LabelSet
    findings: tuple[Finding, ...]
    votes: npt.NDArray[np.float64]
    features: npt.NDArray[np.float64]
    items: ItemTable | None = None


def propose(
    bench: Bench, learner: Learner, *, use: int = 0, card: Mapping[str, Any] | None = None
) -> Proposal:
    """Classes of a bench's items by a model, and what policies need to choose among them.

    Parameters
    ----------
    bench : Bench
    learner : Learner
    use : int
        Tells apart proposals made anew.
    card : mapping, optional
        Of a model of the project. A recording of which it has learnt `TAUGHT` or more decided
        items is none that it has not seen; whether its labels may be accepted is for the audit.
        What its task remarks of the items stands in any case.
    """
    features = bench.proposed_features(learner)
    verdict, reasons = learner.unlike(features)
    if taught(card, bench.source.name) >= TAUGHT:
        verdict, reasons = None, [""] * len(features.items)
    found = findings_of(verdict, features.items.tolist(), reasons)
    remarks = TASKS.get(learner.name.partition("/")[0]).remarks
    if remarks is not None:
        found = (*found, *remarks(bench.labels, bench.items))
    labels = learner.propose(bench.labels, features, use=use)
    votes, items = learner.predict(features).votes, learner.facts(labels, features, bench.items)
    return Proposal(labels, found, votes, learner.embedded(features), items)


def taught(card: Mapping[str, Any] | None, session: str) -> int:
    """Decided items of a session that a model has learnt from, as its card says."""
    sessions = {} if card is None else card.get("data", {}).get("sessions", {})
    return sum(int(n) for n in sessions.get(session, {}).values())


def card_of(store: Store, digest: str) -> Mapping[str, Any] | None:
    """Card of a model of the project; None for shipped weights."""
    return store.get_model(digest)[1] if digest else None


def keep(store: Store, proposal: Proposal) -> None:
    """Put a proposal on record with all that belongs to it."""
    digest = store.put_labels(proposal.labels)
    votes, features = store.put_array(proposal.votes), store.put_array(proposal.features)
    store.set_setting(f"pool:{digest}", {"votes": votes, "features": features})
    items = None if proposal.items is None else store.put_items(proposal.items)
    store.record_labels(digest, items=items)
    store.record_findings(digest, [finding.to_json() for finding in proposal.findings])


def use(store: Store, task: str, digest: str, *, by: str) -> Used:
    """Put a model into use: new proposals on every set of items, decisions carried over.

    Parameters
    ----------
    store : Store
    task : str
    digest : str
        "" puts the shipped weights back.
    by : str
        Who decides.

    Returns
    -------
    Used
    """
    learner = learner_of(store, task, digest)
    turn = len(store.model_head_history(task)) + 1
    made: list[str] = []
    carried, questions = 0, list[Question]()
    found = list(benches(store, task))
    card = card_of(store, digest)
    proposals = [propose(bench, learner, use=turn, card=card) for bench in found]
    for bench, proposal in zip(found, proposals, strict=True):
        labels = proposal.labels
        made.append(store.put_labels(labels))
        edits, doubtful = carry(store, bench, labels)
        store.append(edits)
        keep(store, proposal)
        store.append(carry(store, bench, labels)[0])  # what was decided in the meantime
        carried, questions = carried + len(edits), questions + doubtful
    store.set_model_head(task, digest, by=by)
    return Used(digest, tuple(made), carried, tuple(questions))


def carry(store: Store, bench: Bench, new: LabelSet) -> tuple[list[Edit], list[Question]]:
    """Decisions on a bench's newest proposals, said about new ones.

    Proposals by the task's own methods go before those that came with an import. The items are
    the same, so everything fits; to have accepted a class that is no longer proposed is to have
    chosen it.
    """
    evidence = TASKS.get(new.provenance.task).evidence
    models = (row for row in bench.classes if row.author.kind == "model")
    machine = [row for row in models if row.author.name not in evidence]
    ours = [row for row in machine if row.author.name.startswith(f"{new.provenance.task}/")]
    before = [row for row in ours or machine if row.digest != new.digest]
    if not before:
        return [], []
    old = store.get_labels(before[-1].digest)
    edits = store.edits(base=old.digest)
    there = {target: item for item, target in bench.places(new).items()}
    matching = {i: there[target] for i, target in bench.places(old).items() if target in there}
    rebased = rebase(_chosen(edits, old, new, matching), old, new, matching)
    return list(rebased.edits), list(rebased.questions)


def _chosen(
    edits: Iterable[Edit], old: LabelSet, new: LabelSet, matching: Mapping[int, int]
) -> list[Edit]:
    """Acceptances of classes that the new set does not propose, as choices of these classes."""
    before, now = (
        dict(zip(s.column("item").tolist(), s.column("label").tolist(), strict=True))
        for s in (old, new)
    )
    out = []
    for edit in edits:
        changed = {
            item: old.vocabulary.names[before[item]]
            for item in edit.items
            if item in matching
            and old.vocabulary.names[before[item]] != new.vocabulary.names[now[matching[item]]]
        }
        if edit.kind is not EditKind.ACCEPT or not changed:
            out.append(edit)
            continue
        group = edit.group or edit.uuid  # an undo may name either
        rest = tuple(item for item in edit.items if item not in changed)
        if rest:
            out.append(replace(edit, items=rest, group=group))
        for name in sorted(set(changed.values())):
            out.append(
                replace(
                    edit,
                    uuid=uuid5(edit.uuid, name),
                    kind=EditKind.RELABEL,
                    items=tuple(item for item, given in changed.items() if given == name),
                    payload={**edit.payload, "label": name},
                    group=group,
                )
            )
    return out


__all__ = [
    "NOVELTY",
    "TAUGHT",
    "Learned",
    "Proposal",
    "Used",
    "card_of",
    "carry",
    "keep",
    "learn",
    "learner_of",
    "propose",
    "taught",
    "use",
]
