"""Who reads what: blind double reading, hidden gold items, and what an adjudicator must settle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from nissl.errors import BadArgumentError
from nissl.review.readers import Answer, latest
from nissl.store import QuestionRow

GOLD_SHARE = 0.05
"""Share of a reader's items that are gold, by default."""


@dataclass(frozen=True)
class Assignment:
    """Which reader reads which items, in which order.

    Parameters
    ----------
    by_reader : mapping of str to tuple of int
        Shuffled, so that a reader cannot tell which of them are read by another too.
    repeated : tuple of int
        Items that several read, increasing.
    """

    by_reader: Mapping[str, tuple[int, ...]]
    repeated: tuple[int, ...]


def assign(
    items: Sequence[int],
    readers: Sequence[str],
    fraction: float,
    *,
    rng: np.random.Generator,
    per_item: int = 2,
) -> Assignment:
    """Deal items out to readers, a random fraction of them to several.

    Every item has one reader at least, repeated ones have `per_item` different ones, and the
    readers' loads differ by one item at most.

    Parameters
    ----------
    items : sequence of int
    readers : sequence of str
    fraction : float
        Of the items that are read by several, 0 to 1; rounded up.
    rng : numpy.random.Generator
    per_item : int
        Readers of a repeated item.

    Raises
    ------
    BadArgumentError
        Fewer readers than `per_item`, a fraction outside 0 to 1, an item or a reader twice.
    """
    several = fraction > 0
    names, pool = list(readers), np.asarray(items, dtype=np.int64)
    if not 0 <= fraction <= 1 or len(names) < (per_item if several else 1) or per_item < 2:
        raise BadArgumentError(
            f"a fraction of 0 to 1 and at least {per_item} readers",
            f"{fraction} and {len(names)} readers",
            "Add a reader, or read once.",
        )
    if len(set(names)) != len(names) or np.unique(pool).size != pool.size:
        raise BadArgumentError("items and readers without repeats", "repeats", "Drop them.")
    order = rng.permutation(pool).tolist()
    repeated = set(order[: int(np.ceil(fraction * len(order)))])
    place = {name: i for i, name in enumerate(rng.permutation(names).tolist())}
    load: dict[str, list[int]] = {name: [] for name in names}
    for item in order:  # the least loaded first: different ones for one item, even loads
        free = sorted(names, key=lambda name: (len(load[name]), place[name]))
        for name in free[: per_item if item in repeated else 1]:
            load[name].append(item)
    mixed = {name: tuple(rng.permutation(own).tolist()) for name, own in load.items()}
    return Assignment(
        {n: tuple(map(int, own)) for n, own in mixed.items()}, tuple(sorted(repeated))
    )


def second_questions(
    assignment: Assignment, labels: str, *, done: Mapping[int, Iterable[str]] | None = None
) -> list[QuestionRow]:
    """Put the repeated items as questions of policy "second" to each of their readers.

    Parameters
    ----------
    assignment : Assignment
    labels : str
        Digest of the label set.
    done : mapping of int to iterable of str, optional
        Readers who have answered an item already; they are not asked again.

    Returns
    -------
    list of QuestionRow
        The same assignment gives the same uuids, so that asking twice asks once.
    """
    wanted = set(assignment.repeated)
    rows = []
    for reader, items in assignment.by_reader.items():
        for item in items:
            if item in wanted and reader not in set((done or {}).get(item, ())):
                uuid = uuid5(NAMESPACE_OID, f"second/{labels}/{item}/{reader}")
                body = {"reader": reader, "reason": "Two readers read it, each on their own."}
                rows.append(QuestionRow(uuid, labels, item, "second", body=body))
    return rows


def with_gold(
    items: Sequence[int],
    gold: Sequence[int],
    *,
    rng: np.random.Generator,
    share: float = GOLD_SHARE,
) -> list[tuple[int, bool]]:
    """Hide gold items among others.

    They are spread over the whole sequence, one at a random place in each of equal stretches,
    so that a reader's drift can be followed without a pattern to notice.

    Parameters
    ----------
    items : sequence of int
        In the order in which they are to be asked.
    gold : sequence of int
        Items of known class; drawn without repeats, as far as they reach.
    rng : numpy.random.Generator
    share : float
        Of gold in the result, 0 up to (not including) 1.

    Returns
    -------
    list of (int, bool)
        Items, and whether they are gold (for the journal, never for the reader).
    """
    if not 0 <= share < 1:
        raise BadArgumentError("a share of 0 up to 1", f"{share}", "Choose, say, 0.05.")
    free = sorted(set(gold) - set(items))
    n = min(len(free), round(share / (1 - share) * len(items)))
    chosen = rng.choice(free, n, replace=False).tolist() if n else []
    bounds = np.linspace(0, len(items), n + 1)
    places: list[int] = np.floor(rng.uniform(bounds[:-1], bounds[1:])).astype(int).tolist()
    waiting = list(zip(places, chosen, strict=True)) if n else []
    out: list[tuple[int, bool]] = []
    for index, item in enumerate(items):
        while waiting and waiting[0][0] <= index:
            out.append((int(waiting.pop(0)[1]), True))
        out.append((int(item), False))
    return out


@dataclass(frozen=True)
class Disagreement:
    """An item that readers see differently and nobody has settled.

    Parameters
    ----------
    item : int
    said : mapping of str to str or None
        By reader; None where unsure.
    doubt : float
        Entropy of the answers (of the consensus, where it was given), in bits.
    """

    item: int
    said: Mapping[str, str | None]
    doubt: float


def disagreements(
    answers: Iterable[Answer], *, posterior: Mapping[int, Sequence[float]] | None = None
) -> tuple[Disagreement, ...]:
    """Queue of the adjudicator, the most doubtful first.

    An item is in it when its readers' last answers differ, or all of them are unsure, unless an
    adjudicator has answered it. One who is unsure does not contradict the others.

    Parameters
    ----------
    answers : iterable of Answer
    posterior : mapping of int to sequence of float, optional
        Class probabilities by `nissl.review.readers.reader_errors`, which know who errs how.
    """
    everything = list(answers)
    settled = {a.item for a in everything if a.adjudicates}
    said: dict[int, dict[str, str | None]] = {}
    for (item, reader), answer in latest(a for a in everything if not a.adjudicates).items():
        said.setdefault(item, {})[reader] = answer.label
    found = []
    for item, by_reader in said.items():
        sure = {label for label in by_reader.values() if label is not None}
        if item in settled or len(by_reader) < 2 or len(sure) == 1:
            continue
        known = None if posterior is None else posterior.get(item)
        doubt = _entropy(list(known) if known is not None else _shares(by_reader))
        found.append(Disagreement(item, by_reader, doubt))
    return tuple(sorted(found, key=lambda d: (-d.doubt, d.item)))


def _shares(by_reader: Mapping[str, str | None]) -> list[float]:
    labels = list(by_reader.values())
    return [labels.count(label) / len(labels) for label in set(labels)]


def _entropy(shares: Sequence[float]) -> float:
    return float(-sum(p * log(p) / log(2) for p in shares if p > 0))
