"""From a base and its edits to the reviewed set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nissl.errors import BadEditError
from nissl.labels.digest import digest_json
from nissl.labels.edits import Edit, EditKind
from nissl.labels.labelset import Author, LabelSet, Provenance
from nissl.labels.replay import journal
from nissl.labels.replay.actions import apply
from nissl.labels.replay.draft import Draft, Facts, start
from nissl.labels.replay.points import points_of
from nissl.labels.replay.resolve import Group, Rule, groups, positions
from nissl.labels.replay.reviewed import Question, Reviewed
from nissl.labels.rows import in_order
from nissl.labels.tables import ItemTable

_SAYS_NOTHING_OF_ROWS = {EditKind.NOTE, EditKind.FLAG, EditKind.LINK}


def replay(
    labels: LabelSet,
    edits: Iterable[Edit],
    *,
    items: ItemTable | None = None,
    resolve: Rule | None = None,
) -> Reviewed:
    """Apply people's edits to a label set.

    The order of the edits is the order of the journal. An edit sent twice counts once. An
    edit that cannot be applied (its items are gone, its payload does not fit) changes
    nothing and becomes a question. New items and rows get ids above those of the base; the
    ids stay the same when other edits are undone.

    Parameters
    ----------
    labels : LabelSet
        The base; not changed.
    edits : iterable of Edit
        All made on `labels`, in the order of the journal.
    items : ItemTable, optional
        Facts about the items of the base; those that still hold are handed on.
    resolve : Rule, optional
        How several reviewers' outcomes are combined: `single`, `majority`, `adjudicated`,
        `by_reviewer(name)`, or any function of outcomes. Notes, flags and links of all
        reviewers are kept in any case.

    Returns
    -------
    Reviewed

    Raises
    ------
    BadEditError
        An edit was made on another set (see `rebase`), or several reviewers decided and no
        rule says how to combine them.
    """
    known, questions = journal.unique(edits)
    _check_base(labels, known)
    if not known:
        return _untouched(labels, items)
    reserved = journal.reserve(labels, known)
    sessions: dict[str, _Session] = {}
    for name, own in journal.by_reviewer(known).items():
        sessions[name] = _play(labels, own, reserved)
        questions += sessions[name].questions
    deciding = {n: s for n, s in sessions.items() if s.decides}
    if len(deciding) > 1 and resolve is None:
        raise BadEditError(
            "one reviewer, or a rule that combines several",
            f"decisions by {sorted(deciding)}",
            "Give resolve=majority, adjudicated, by_reviewer(name) or single.",
        )
    settled = _settle(labels, deciding, resolve)
    return _finish(labels, known, sessions, settled, questions, items, resolve)


@dataclass
class _Session:
    """One reviewer's own replay."""

    draft: Draft
    questions: list[Question]
    decides: bool
    adjudicated: set[int]


@dataclass
class _Settled:
    """Which rows of which reviewer stand."""

    table: pa.Table
    facts: dict[int, tuple[Facts, tuple[str, ...]]] = field(default_factory=dict)
    images: dict[int, tuple[int, ...] | None] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)


def _check_base(labels: LabelSet, edits: list[Edit]) -> None:
    for edit in edits:
        if edit.base != labels.digest:
            raise BadEditError(
                f"edits made on the set {labels.digest[:12]}",
                f"one made on {edit.base[:12]!r} ({edit.kind.value} by {edit.reviewer})",
                "Carry edits to another set with nissl.labels.replay.rebase.",
            )


def _untouched(labels: LabelSet, items: ItemTable | None) -> Reviewed:
    ids = labels.items.tolist()
    return Reviewed(
        base=labels,
        labels=labels,
        state=dict.fromkeys(ids, "untouched"),
        old_to_new={i: (i,) for i in ids},
        items=items,
    )


def _play(
    labels: LabelSet, edits: list[Edit], reserved: Mapping[UUID, journal.Reserved]
) -> _Session:
    standing, questions = journal.active(edits)
    draft, faults = start(labels, standing, reserved)
    decides = False
    adjudicated: set[int] = set()
    for edit in standing:
        if edit.uuid in faults:
            questions.append(Question(faults[edit.uuid], edit.items, edit))
            continue
        try:
            apply(draft, edit)
        except BadEditError as error:
            questions.append(Question(str(error).splitlines()[0], edit.items, edit))
            continue
        decides |= edit.kind not in _SAYS_NOTHING_OF_ROWS
        if edit.role == "adjudicator" or edit.kind is EditKind.ADJUDICATE:
            adjudicated |= set(edit.items)
    return _Session(draft, questions, decides, adjudicated)


def _settle(labels: LabelSet, sessions: Mapping[str, _Session], rule: Rule | None) -> _Settled:
    if not sessions:
        return _Settled(labels.table)
    drafts = {name: session.draft for name, session in sessions.items()}
    settled = _Settled(labels.table)
    masks = {name: np.zeros(d.alive.size, dtype=bool) for name, d in drafts.items()}
    base = np.ones(labels.n_rows, dtype=bool)
    for group in groups(drafts, {n: s.adjudicated for n, s in sessions.items()}):
        chosen = rule(group.outcomes) if rule is not None else group.outcomes[0].reviewer
        if chosen is None:
            _leave(group, settled)
            continue
        draft = drafts[chosen]
        rows = positions(draft, group.items)
        masks[chosen][rows] = draft.alive[rows]
        base[rows[rows < labels.n_rows]] = False
        _note_outcome(group, chosen, draft, settled)
    pieces = [labels.table if base.all() else labels.table.filter(pa.array(base))]
    pieces += [d.columns_at(np.flatnonzero(masks[name])) for name, d in drafts.items()]
    table = _without_repeated_probabilities(pa.concat_tables(pieces).combine_chunks())
    settled.table = in_order(labels.kind, table)
    return settled


def _leave(group: Group, settled: _Settled) -> None:
    names = tuple(o.reviewer for o in group.outcomes)
    reason = f"the rule settles nothing between {', '.join(names)}"
    settled.questions.append(Question(reason, group.base))
    for item in group.base:
        settled.facts[item] = (Facts(decision="unsure"), names)


def _note_outcome(group: Group, chosen: str, draft: Draft, settled: _Settled) -> None:
    mine = next(o for o in group.outcomes if o.reviewer == chosen)
    agree = tuple(o.reviewer for o in group.outcomes if o.signature == mine.signature)
    agree = agree if not mine.unsure else (chosen,)
    for item in group.items:
        if item in draft.facts:
            settled.facts[item] = (draft.facts[item], agree)
    for item in group.base:
        settled.images[item] = draft.images(item)
        if settled.images[item] is None:  # or merged away, or split, and removed as what it became
            settled.facts.setdefault(item, (Facts(decision="removed"), agree))


def _without_repeated_probabilities(table: pa.Table) -> pa.Table:
    column = table.column("probabilities")
    if column.null_count == table.num_rows:
        return table
    _, inverse, counts = np.unique(
        table.column("item").to_numpy(), return_inverse=True, return_counts=True
    )
    alone = counts[inverse] == 1
    if alone.all():
        return table
    rows = pa.array(np.arange(table.num_rows), mask=~alone)
    index = table.schema.get_field_index("probabilities")
    return table.set_column(index, table.schema.field(index), column.take(rows))


def _finish(
    labels: LabelSet,
    edits: list[Edit],
    sessions: Mapping[str, _Session],
    settled: _Settled,
    questions: list[Question],
    items: ItemTable | None,
    rule: Rule | None,
) -> Reviewed:
    reviewed = LabelSet(
        labels.kind, settled.table, labels.vocabulary, _provenance(labels, edits, rule)
    )
    old_to_new = {i: settled.images.get(i, (i,)) for i in labels.items.tolist()}
    removed = [i for i, image in old_to_new.items() if image is None]
    told = {i: settled.facts[i] for i in [*reviewed.items.tolist(), *removed] if i in settled.facts}
    state = dict.fromkeys(reviewed.items.tolist(), "untouched")
    state |= dict.fromkeys(removed, "removed")
    state |= {i: facts.state for i, (facts, _) in told.items() if i not in removed}
    drafts = [session.draft for session in sessions.values()]
    return Reviewed(
        base=labels,
        labels=reviewed,
        state=state,
        reviewer={i: names for i, (_, names) in told.items() if state[i] != "untouched"},
        old_to_new=old_to_new,
        questions=tuple(questions + settled.questions),
        notes=tuple(note for d in drafts for note in d.notes),
        flags=tuple(flag for d in drafts for flag in d.flags),
        links=tuple(link for d in drafts for link in d.links),
        items=None if items is None else _kept_facts(items, labels, reviewed, state, edits),
        points=points_of(reviewed, {name: s.draft for name, s in sessions.items()}, rule),
    )


def _provenance(labels: LabelSet, edits: list[Edit], rule: Rule | None) -> Provenance:
    base = labels.provenance
    return Provenance(
        task=base.task,
        source=base.source,
        author=Author("person", ", ".join(sorted({e.reviewer for e in edits}))),
        stream=base.stream,
        parameters={
            "edits": {
                "n": len(edits),
                "first": str(edits[0].uuid),
                "last": str(edits[-1].uuid),
                "digest": digest_json([e.to_json() for e in edits]),
            },
            "resolve": None if rule is None else getattr(rule, "__name__", type(rule).__name__),
        },
        made_from=(labels.digest,),
        targets=base.targets,
    )


def _kept_facts(
    items: ItemTable,
    base: LabelSet,
    reviewed: LabelSet,
    state: Mapping[int, str],
    edits: Iterable[Edit],
) -> ItemTable:
    """Facts of the items whose rows are the very same rows as before."""
    carried = {item for edit in edits if edit.by_method for item in edit.items}
    same = [
        state.get(item) is not None
        and (
            (state[item] in ("untouched", "accepted", "unsure") and item not in carried)
            or _same(base, reviewed, item)
        )
        for item in items.items.tolist()
    ]
    keep: npt.NDArray[np.bool_] = np.asarray(same, dtype=bool)
    keep &= np.isin(items.items, reviewed.items)
    return ItemTable(
        of=reviewed.digest,
        table=items.table.filter(pa.array(keep)),
        units=items.units,
        arrays={name: array[keep] for name, array in items.arrays.items()},
        context=items.context,
    )


def _same(base: LabelSet, reviewed: LabelSet, item: int) -> bool:
    old, new = (
        s.table.take(pa.array(s.rows_of(item))).drop_columns(["label", "probabilities"])
        for s in (base, reviewed)
    )
    if old.num_rows != new.num_rows:
        return False
    return bool(pc.all(pc.equal(old.column("id"), new.column("id"))).as_py()) and old.drop_columns(
        ["confidence"]
    ).equals(new.drop_columns(["confidence"]))
