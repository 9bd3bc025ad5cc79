"""What people decided about items, as examples that a learner can learn from.

Items are those of another set (units, of which the task gives classes), or the task's own rows
(epochs of sleep, candidates of an event): then a decision on another set of the task counts for
the row that it lies over, so that an expert's hypnogram teaches as well as an answer does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nissl.errors import MissingInputError
from nissl.labels import FeatureTable, ItemTable, Kind, LabelSet
from nissl.labels.overlap import lying_over
from nissl.labels.replay import Reviewed, Rule, majority, replay
from nissl.store import LabelRow, SourceRow, Store
from nissl.tasks import TASKS, Examples, Learner

DECIDED = ("accepted", "changed", "added")
HELD = 0.5
"""Share of a removed region that others hold, from which on it was there twice."""
MAX_WEIGHT = 10.0
"""No example counts more than so many times the median one, whatever its chance to be asked."""


@dataclass(frozen=True)
class Decision:
    """What counts as the class of an item.

    Parameters
    ----------
    name : str
        Class.
    row : LabelRow
        The set that it was decided on.
    state : str
        One of `DECIDED`, "untouched" where the set itself counts as a decision, or "removed" where
        a task takes that as one (`Task.denies`).
    """

    name: str
    row: LabelRow
    state: str


@dataclass(frozen=True, eq=False)
class Bench:
    """A label set and the classes that are claimed of its items.

    Parameters
    ----------
    store : Store
    source : SourceRow
    base : LabelRow
        The set whose items are decided on: the head of its source, else the newest.
    classes : tuple of LabelRow
        Every set that says their classes, oldest first: CLASSES over the base, or every set of
        a task whose items are its own rows.
    """

    store: Store
    source: SourceRow
    base: LabelRow
    classes: tuple[LabelRow, ...]

    @cached_property
    def labels(self) -> LabelSet:
        """The base set as it was proposed."""
        return self.store.get_labels(self.base.digest)

    @cached_property
    def items(self) -> ItemTable | None:
        """Facts about its items."""
        return None if self.base.items is None else self.store.get_items(self.base.items)

    @property
    def owns_items(self) -> bool:
        """Whether the items are the task's own rows, not those of another set."""
        return self.base in self.classes

    def places(self, labels: LabelSet) -> dict[int, int]:
        """Item of the base for each item of a set of `classes` that has one."""
        if not self.owns_items:
            columns = (labels.column(name).tolist() for name in ("item", "target"))
            return dict(zip(*columns, strict=True))
        if labels.digest == self.base.digest:
            return {item: item for item in labels.items.tolist()}
        over = lying_over(self.labels, labels)
        return {own: item for item, own in over.items()}

    def as_left(self, resolve: Rule | None = None) -> tuple[LabelSet, ItemTable | None]:
        """Items with people's merges, splits and removals, and what is known of them.

        Parameters
        ----------
        resolve : callable, optional
            How readers who disagree are combined; `majority` by default.
        """
        edits = self.store.edits(base=self.base.digest)
        if not edits or self.owns_items:
            return self.labels, self.items
        left = replay(self.labels, edits, items=self.items, resolve=resolve or majority)
        table = self.items
        known = set() if left.items is None else set(left.items.items.tolist())
        if table is None or known == set(left.labels.items.tolist()):
            return left.labels, left.items
        update = TASKS.get(self.base.task).update
        for edit in edits:
            table = update(table, edit)
        same = np.array_equal(table.items, left.labels.items)
        return left.labels, table if same else left.items

    def features(self, learner: Learner, resolve: Rule | None = None) -> FeatureTable:
        """Features of the items as people left them."""
        labels, items = self.as_left(resolve)
        return self._featurised(learner, labels, items)

    def proposed_features(self, learner: Learner) -> FeatureTable:
        """Features of the items as they were proposed."""
        return self._featurised(learner, self.labels, self.items)

    def decided(self, resolve: Rule | None = None) -> dict[int, str]:
        """Class that people gave to each item they decided on; see `decisions`."""
        return {item: decision.name for item, decision in self.decisions(resolve).items()}

    def decisions(self, resolve: Rule | None = None) -> dict[int, Decision]:
        """What people decided of items, and on which set.

        A set of classes by a person, or by a method that measures (`Task.evidence`), counts as
        decisions on all its items. What was decided on a later set stands.
        """
        out: dict[int, Decision] = {}
        for row in self.classes:
            evidence = TASKS.get(row.task).evidence
            edits = self.store.edits(base=row.digest)
            by_person = row.author.kind == "person" or row.author.name in evidence
            if not edits and not by_person:
                continue
            reviewed = replay(self.store.get_labels(row.digest), edits, resolve=resolve or majority)
            labels = reviewed.labels
            names = _names(labels)
            for target, item in self._said(labels, row):
                state = reviewed.state.get(item, "untouched")
                if state in DECIDED or (by_person and state == "untouched"):
                    out[target] = Decision(names[item], row, state)
                elif state == "unsure":
                    out.pop(target, None)
            if TASKS.get(row.task).denies:
                own = self.places(reviewed.base)
                gone = [i for i, state in reviewed.state.items() if state == "removed" and i in own]
                nothing, held = reviewed.base.vocabulary.names[-1], _held(reviewed, gone)
                out |= {own[i]: Decision(nothing, row, "removed") for i in gone if i not in held}
        return out

    def _said(self, labels: LabelSet, row: LabelRow) -> list[tuple[int, int]]:
        """Items of the base, and for each the item of `labels` that speaks of it.

        Of the base itself, as people left it, an item speaks of itself, whatever overlaps it.
        """
        if row == self.base and self.owns_items:
            return [(i, i) for i in np.intersect1d(self.labels.items, labels.items).tolist()]
        if self.owns_items:
            return list(lying_over(self.labels, labels).items())
        columns = (labels.column(name).tolist() for name in ("target", "item"))
        return list(zip(*columns, strict=True))

    def chances(self) -> dict[int, float]:
        """Probability with which each item was asked, where a policy has logged it."""
        out: dict[int, float] = {}
        for row in self.classes:
            target = self.places(self.store.get_labels(row.digest))
            for question in self.store.questions(labels=row.digest):
                _note(out, question.item, question.body, target)
        for question in self.store.questions(labels=self.base.digest):
            _note(out, question.item, question.body, {})
        return out

    def _featurised(
        self, learner: Learner, labels: LabelSet, items: ItemTable | None
    ) -> FeatureTable:
        return learner.featurise(
            labels,
            items,
            subject=str(self.source.subject.get("id") or "unknown"),
            session=self.source.name,
        )


def benches(store: Store, task: str) -> Iterator[Bench]:
    """Sets whose items a task says classes of, source by source."""
    kind, needs = TASKS.get(task).gives, TASKS.get(task).needs
    own = kind is not Kind.CLASSES
    about = task if own else needs[0]
    for source in store.sources():
        rows = store.label_sets(source=source.fingerprint, task=about)
        found = [r for r in rows if r.kind == kind and r.author.kind == "model"] if own else rows
        if found:
            head = store.head(source.fingerprint, about)
            base = next((row for row in found if row.digest == head), found[-1])
            classes = (
                [row for row in rows if row.kind == kind and row.stream == base.stream]
                if own
                else store.label_sets(task=task, kind=Kind.CLASSES.value, target=base.digest)
            )
            yield Bench(store, source, base, tuple(classes))


def _held(reviewed: Reviewed, gone: Sequence[int]) -> set[int]:
    """Regions that were removed but lie over others that stayed: said twice, not said wrongly."""
    if reviewed.base.kind is not Kind.REGIONS or not gone:
        return set()
    pixels = reviewed.labels.table.column("pixels").to_pylist()
    kept = np.unique(np.concatenate([np.zeros(0, np.int64), *(np.asarray(p) for p in pixels)]))
    items = reviewed.base.column("item").tolist()
    before = reviewed.base.table.column("pixels")
    rows = {item: row for row, item in enumerate(items)}
    own = {item: np.asarray(before[rows[item]].as_py()) for item in gone}
    return {item for item, at in own.items() if np.isin(at, kept).mean() > HELD}


def _names(labels: LabelSet) -> dict[int, str]:
    """Class of each item."""
    items, codes = labels.column("item").tolist(), labels.column("label").tolist()
    return {i: labels.vocabulary.names[c] for i, c in zip(items, codes, strict=True)}


def gather(store: Store, task: str, learner: Learner, *, resolve: Rule | None = None) -> Examples:
    """Decided items of all sources with their features.

    An item that was asked by chance counts by the inverse of that chance (Horvitz and Thompson
    1952, J. Am. Stat. Assoc. 47, 663-685), at most `MAX_WEIGHT` times the median; one that a
    person chose counts as the median.

    Parameters
    ----------
    store : Store
    task : str
    learner : Learner
        Makes the features.
    resolve : callable, optional
        How readers who disagree are combined; `majority` by default.

    Raises
    ------
    MissingInputError
        Nothing is decided.
    """
    classes = learner.vocabulary.names
    open_vocabulary = TASKS.get(task).open_vocabulary
    tables: list[FeatureTable] = []
    labels: list[str] = []
    chances: list[float] = []
    for bench in benches(store, task):
        decided = bench.decided(resolve)
        if open_vocabulary:  # the last class claims nothing, unless the task takes it as an answer
            if not TASKS.get(task).denies:
                decided = {i: n for i, n in decided.items() if n != classes[-1]}
            new = sorted(set(decided.values()) - set(classes))
            classes = (*classes[:-1], *new, classes[-1])
        known = {i: n for i, n in decided.items() if n in classes}
        if not known:
            continue
        table = bench.features(learner, resolve)
        keep = np.isin(table.items, list(known))
        tables.append(_rows(table, np.flatnonzero(keep)))
        asked = bench.chances()
        for item in table.items[keep].tolist():
            labels.append(known[item])
            chances.append(asked.get(item, np.nan))
    if not labels:
        raise MissingInputError(
            f"decisions on classes of the task {task!r}",
            "none",
            f"Decide on some items first: nissl review {store.path}",
        )
    codes = np.asarray([classes.index(name) for name in labels], np.int64)
    own = classes if open_vocabulary else ()
    return Examples(stacked(tables), codes, weights_of(chances), own)


def combined(decided: Examples, more: Examples) -> Examples:
    """Decisions and examples from elsewhere together; every example counts the same on average.

    Parameters
    ----------
    decided, more : Examples
        With their classes, the last of which claims nothing, and the same features.
    """
    classes = decided.classes[:-1]
    classes += tuple(name for name in more.classes[:-1] if name not in classes)
    classes += decided.classes[-1:]
    code = np.asarray([classes.index(n) for n in (*more.classes[:-1], classes[-1])], np.int64)
    return Examples(
        stacked([decided.features, more.features]),
        np.concatenate([decided.label, code[more.label]]),
        np.concatenate([decided.weight, more.weight]),
        classes,
        more.afresh,
    )


def weights_of(chances: Sequence[float]) -> npt.NDArray[np.float64]:
    """Weight of each example from its chance to be asked, NaN where no policy asked.

    Parameters
    ----------
    chances : sequence of float, length n
        0 to 1.

    Returns
    -------
    ndarray, shape (n,), float64
        Mean 1; all 1 where no chance is known.
    """
    chance = np.asarray(chances, np.float64)
    known = np.isfinite(chance) & (chance > 0)
    if not np.any(known):
        return np.ones(chance.size)
    weight = np.full(chance.size, np.nan)
    weight[known] = 1 / chance[known]
    middle = float(np.median(weight[known]))
    weight[~known] = middle
    weight = np.minimum(weight, MAX_WEIGHT * middle)
    return np.asarray(weight / weight.mean())


def stacked(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Tables of several sources below each other; all have the same columns."""
    first = tables[0]
    return FeatureTable(
        items=np.concatenate([t.items for t in tables]),
        names=first.names,
        values=np.concatenate([t.values for t in tables]),
        units=first.units,
        subject=tuple(s for t in tables for s in t.subject),
        session=tuple(s for t in tables for s in t.session),
    )


def _rows(table: FeatureTable, rows: npt.NDArray[np.intp]) -> FeatureTable:
    n = len(table.items)
    return Examples(table, np.zeros(n, np.int64), np.ones(n)).take(rows).features


def _note(
    out: dict[int, float], item: int | None, body: dict[str, object], target: dict[int, int]
) -> None:
    """Keep the probability of a question's item, under the id of what the class is about."""
    chance = body.get("probability")
    if item is not None and isinstance(chance, int | float) and 0 < chance <= 1:
        out[target.get(item, item)] = float(chance)


__all__ = ["DECIDED", "Bench", "Decision", "benches", "combined", "gather", "stacked", "weights_of"]
