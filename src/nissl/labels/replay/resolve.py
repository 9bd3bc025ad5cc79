"""Several reviewers: replayed apart, combined only by a rule that is named.

Items that any reviewer's merges, splits or swaps connect are settled together. For each such
group the rule is given the outcome of every reviewer who decided on it and names the one
that stands, or none; then the base stands and a question is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nissl.errors import BadEditError
from nissl.labels.digest import digest_array, digest_json, digest_table
from nissl.labels.replay.draft import Draft


@dataclass(frozen=True)
class Outcome:
    """What one reviewer made of a group of items.

    Parameters
    ----------
    reviewer : str
    signature : str
        Equal for equal rows, classes and grouping into items, whatever the ids.
    unsure : bool
    adjudicator : bool
        Whether the reviewer settled it in the role of an adjudicator.
    """

    reviewer: str
    signature: str
    unsure: bool = False
    adjudicator: bool = False


Rule = Callable[[Sequence[Outcome]], str | None]


def single(outcomes: Sequence[Outcome]) -> str | None:
    """Each item may be decided by one reviewer only; `BadEditError` where several did."""
    if len(outcomes) > 1:
        raise BadEditError(
            "items decided by one reviewer each",
            f"the same items decided by {[o.reviewer for o in outcomes]}",
            "Choose a rule: majority, adjudicated or by_reviewer(name).",
        )
    return outcomes[0].reviewer


def majority(outcomes: Sequence[Outcome]) -> str | None:
    """Return the outcome that most of those who are sure agree on; none where two tie."""
    sure = [o for o in outcomes if not o.unsure]
    ranked = Counter(o.signature for o in sure).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return next(o.reviewer for o in sure if o.signature == ranked[0][0])


def adjudicated(outcomes: Sequence[Outcome]) -> str | None:
    """Return the adjudicator's outcome, else the one on which all who decided agree."""
    final = [o for o in outcomes if o.adjudicator]
    chosen = final if final else [o for o in outcomes if not o.unsure]
    agree = len({o.signature for o in chosen}) == 1
    return chosen[0].reviewer if agree and (final or len(chosen) == len(outcomes)) else None


@dataclass(frozen=True)
class _ByReviewer:
    name: str

    @property
    def __name__(self) -> str:
        return f"by_reviewer({self.name!r})"

    def __call__(self, outcomes: Sequence[Outcome]) -> str | None:
        return next((o.reviewer for o in outcomes if o.reviewer == self.name), None)


def by_reviewer(name: str) -> Rule:
    """Only this reviewer's outcomes stand; what others alone decided becomes a question."""
    return _ByReviewer(name)


@dataclass(frozen=True)
class Group:
    """Items that are settled together.

    Parameters
    ----------
    base : tuple of int
        Items of the base in it, increasing.
    items : tuple of int
        All of its items, new ones included, increasing.
    outcomes : tuple of Outcome
    """

    base: tuple[int, ...]
    items: tuple[int, ...]
    outcomes: tuple[Outcome, ...]


def groups(drafts: Mapping[str, Draft], adjudicators: Mapping[str, set[int]]) -> list[Group]:
    """Groups of items that somebody decided on.

    Parameters
    ----------
    drafts : mapping of str to Draft
        Each reviewer's own replay.
    adjudicators : mapping of str to set of int
        Items that each reviewer settled as an adjudicator.
    """
    sets = _Sets()
    for draft in drafts.values():
        base = set(draft.labels.items[np.isin(draft.labels.items, list(draft.rows))].tolist())
        for item in {*draft.facts, *base}:
            sets.add(item)
        for item in base:
            for home in draft.homes(item):
                sets.join(item, home)
    _join_equal_additions(drafts, sets)
    found = []
    for items in sets.members():
        outcomes = tuple(
            _outcome(name, draft, items, adjudicators.get(name, set()))
            for name, draft in drafts.items()
            if any(item in draft.facts for item in items)
        )
        first = next(iter(drafts.values())).labels.items
        base_items = tuple(i for i in items if i in _Sorted(first))
        found.append(Group(base_items, items, outcomes))
    return [group for group in found if group.outcomes]


def _outcome(name: str, draft: Draft, items: tuple[int, ...], settled: set[int]) -> Outcome:
    there = [i for i in items if i in draft.facts and i not in draft.gone]
    return Outcome(
        reviewer=name,
        signature=_signature(draft, items),
        unsure=any(draft.facts[i].decision == "unsure" for i in there),
        adjudicator=bool(settled & set(items)),
    )


def positions(draft: Draft, items: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Positions of the rows that are, or in the base were, rows of these items."""
    labels = draft.labels
    pieces = [labels.rows_of(i) for i in items] + [draft.rows[i] for i in items if i in draft.rows]
    return np.unique(np.concatenate([np.empty(0, np.intp), *pieces]))


def _signature(draft: Draft, items: tuple[int, ...]) -> str:
    rows = positions(draft, items)
    rows = rows[draft.alive[rows]]
    _, first, inverse = np.unique(draft.item[rows], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    columns = draft.columns_at(rows)
    added = rows >= draft.labels.n_rows
    ids = np.where(added, -1, columns.column("id").to_numpy())
    return digest_json(
        [
            digest_table(columns.drop_columns(["id", "item"])),
            digest_array(ids),
            digest_array(rank[inverse].astype(np.int64)),
        ]
    )


def _join_equal_additions(drafts: Mapping[str, Draft], sets: _Sets) -> None:
    """Let the same addition by two reviewers be settled as one."""
    known: dict[str, list[int]] = {}
    for draft in drafts.values():
        counts: Counter[str] = Counter()
        for item in sorted(i for i, facts in draft.facts.items() if facts.added):
            if not draft.rows[item].size or np.any(draft.rows[item] < draft.labels.n_rows):
                continue
            signature = _signature(draft, (item,))
            same = known.setdefault(signature, [])
            index = counts[signature]
            counts[signature] += 1
            if index < len(same):
                sets.join(same[index], item)
            else:
                same.append(item)


class _Sorted:
    """Membership in a sorted array."""

    def __init__(self, values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        self.values = values

    def __contains__(self, item: int) -> bool:
        where = int(np.searchsorted(self.values, item))
        return where < self.values.size and bool(self.values[where] == item)


class _Sets:
    """Disjoint sets of items."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def add(self, item: int) -> int:
        """Root of an item's set, which is made if needed."""
        self._parent.setdefault(item, item)
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, a: int, b: int) -> None:
        """Unite two sets."""
        low, high = sorted((self.add(a), self.add(b)))
        self._parent[high] = low

    def members(self) -> list[tuple[int, ...]]:
        """All sets, each increasing, in order of their lowest items."""
        found: dict[int, list[int]] = {}
        for item in sorted(self._parent):
            found.setdefault(self.add(item), []).append(item)
        return [tuple(items) for items in found.values()]
