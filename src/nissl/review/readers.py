"""Readers side by side: what each said, how far they agree, what errors each makes.

Everything follows from edits alone. An *answer* is what a reader's standing decision says of an
item: the class it gives, `REJECTED` where the item was rejected or removed, None where the
reader is unsure. Only first-hand answers count for agreement; those of an adjudicator do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import MissingInputError
from nissl.labels import Edit, EditKind, Kind, LabelSet
from nissl.labels.compare import Comparison, compare
from nissl.labels.replay import Reviewed, journal, replay
from nissl.labels.replay.pointwise import of_a_point
from nissl.trust.agreement import (
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    percent_agreement,
)
from nissl.trust.dawid_skene import DawidSkene, dawid_skene
from nissl.trust.intervals import Interval

REJECTED = "rejected"
"""The answer of who took an item out, without saying what it is instead."""

_GIVES = (EditKind.RELABEL, EditKind.ADJUDICATE)
_KEEPS = (EditKind.ACCEPT, EditKind.MOVE, EditKind.RESHAPE)
_GONE = (EditKind.REJECT, EditKind.REMOVE)


@dataclass(frozen=True)
class Answer:
    """One decision of a reader, as an answer.

    Parameters
    ----------
    reader : str
    item : int
    label : str or None
        A class, `REJECTED`, or None where unsure.
    when_s : float
        Unix time, seconds.
    took_s : float or None
    hidden : bool
        Whether the method's own answer was hidden.
    adjudicates : bool
        Whether it settles a disagreement rather than reads.
    """

    reader: str
    item: int
    label: str | None
    when_s: float
    took_s: float | None = None
    hidden: bool = False
    adjudicates: bool = False


def answers_of(labels: LabelSet, edits: Iterable[Edit]) -> tuple[Answer, ...]:
    """Standing answers about the items of a set, in the order of the journal.

    Parameters
    ----------
    labels : LabelSet
        The set that the edits were made on.
    edits : iterable of Edit
        Those on other sets, undone ones and those without an answer are left out.

    Returns
    -------
    tuple of Answer
        A reader who decided twice is there twice; `latest` keeps what stands.
    """
    names = labels.vocabulary.names
    columns = (labels.column(name).tolist() for name in ("item", "label"))
    claimed = {item: names[code] for item, code in zip(*columns, strict=True)}
    known, _ = journal.unique(edit for edit in edits if edit.base == labels.digest)
    own = journal.by_reviewer(known)
    kept = {e.uuid for several in own.values() for e in journal.active(several)[0]}
    known = [e for e in known if e.uuid in kept and not of_a_point(e, labels.kind)]
    found = (_said(edit, claimed) for edit in known)
    return tuple(answer for several in found for answer in several)


def _said(edit: Edit, claimed: Mapping[int, str]) -> Iterator[Answer]:
    for item in edit.items:
        label: str | None
        if edit.kind in _GIVES:
            label = str(edit.payload.get("label"))
        elif edit.kind in _KEEPS and item in claimed:
            label = claimed[item]
        elif edit.kind in _GONE:
            label = REJECTED
        elif edit.kind is EditKind.UNSURE:
            label = None
        else:
            continue
        yield Answer(
            edit.reviewer,
            item,
            label,
            edit.when_s,
            edit.took_s,
            hidden=edit.payload.get("blind") is True,
            adjudicates=edit.role == "adjudicator" or edit.kind is EditKind.ADJUDICATE,
        )


def latest(answers: Iterable[Answer]) -> dict[tuple[int, str], Answer]:
    """The last answer of each reader about each item, by (item, reader)."""
    return {(a.item, a.reader): a for a in answers}


def first_hand(answers: Iterable[Answer]) -> list[Answer]:
    """Answers without those that settle a disagreement."""
    return [a for a in answers if not a.adjudicates]


@dataclass(frozen=True, eq=False)
class Ratings:
    """Answers as a table.

    Parameters
    ----------
    items : ndarray, shape (n_items,), int64
    readers, classes : tuple of str
    codes : ndarray, shape (n_items, n_readers), float64
        Index into `classes`; NaN where not read or unsure.
    """

    items: npt.NDArray[np.int64]
    readers: tuple[str, ...]
    classes: tuple[str, ...]
    codes: npt.NDArray[np.float64]


def ratings(answers: Iterable[Answer], classes: Sequence[str] = ()) -> Ratings:
    """Table of what each reader says of each item, by their last first-hand answers.

    Parameters
    ----------
    answers : iterable of Answer
    classes : sequence of str
        These come first, in this order; others that were given follow.
    """
    last = latest(first_hand(answers))
    items = sorted({item for item, _ in last})
    readers = tuple(sorted({reader for _, reader in last}))
    given = sorted({a.label for a in last.values() if a.label is not None} - set(classes))
    names = (*classes, *given)
    codes = np.full((len(items), len(readers)), np.nan)
    row = {item: i for i, item in enumerate(items)}
    for (item, reader), answer in last.items():
        if answer.label is not None:
            codes[row[item], readers.index(reader)] = names.index(answer.label)
    return Ratings(np.asarray(items, dtype=np.int64), readers, names, codes)


def read_twice(answers: Iterable[Answer]) -> tuple[int, ...]:
    """Items that two readers or more answered first-hand, increasing."""
    by_item: dict[int, set[str]] = {}
    for answer in first_hand(answers):
        by_item.setdefault(answer.item, set()).add(answer.reader)
    return tuple(sorted(item for item, names in by_item.items() if len(names) > 1))


@dataclass(frozen=True)
class Agreement:
    """How far readers agree on the class of items that several of them read.

    Parameters
    ----------
    readers : tuple of str
    n_items : int
        Read by two or more who were sure.
    percent, kappa, alpha : Interval
        Raw agreement; kappa (Cohen's for two readers, Fleiss' for more); Krippendorff's alpha.
    pairs : mapping of (str, str) to Interval
        Cohen's kappa of every two readers with common items.
    """

    readers: tuple[str, ...]
    n_items: int
    percent: Interval
    kappa: Interval
    alpha: Interval
    pairs: Mapping[tuple[str, str], Interval]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "readers": list(self.readers),
            "n_items": self.n_items,
            "kappa_of": "cohen" if len(self.readers) == 2 else "fleiss",
            "percent": self.percent.to_json(),
            "kappa": self.kappa.to_json(),
            "alpha": self.alpha.to_json(),
            "pairs": [
                {"readers": list(pair), "kappa": found.to_json()}
                for pair, found in self.pairs.items()
            ],
        }


def agreement(
    answers: Iterable[Answer],
    *,
    rng: np.random.Generator,
    classes: Sequence[str] = (),
    ordered: bool = False,
    groups: Mapping[int, str] | None = None,
    n_bootstrap: int = 2000,
) -> Agreement:
    """Agreement of readers on classes, with intervals.

    Parameters
    ----------
    answers : iterable of Answer
    rng : numpy.random.Generator
    classes : sequence of str
        Their order, for ordered ones.
    ordered : bool
        Whether neighbouring classes are a smaller disagreement: kappa with linear weights
        (between two readers) and the ordinal alpha.
    groups : mapping of int to str, optional
        Subject of each item, resampled whole.
    n_bootstrap : int

    Raises
    ------
    MissingInputError
        No item was read twice.
    """
    table = ratings(answers, classes)
    twice = (~np.isnan(table.codes)).sum(axis=1) >= 2
    if not twice.any():
        raise MissingInputError(
            "items that two readers answered", "none", "Assign some items to a second reader."
        )
    codes, items = table.codes[twice], table.items[twice]
    seen = (~np.isnan(codes)).any(axis=0)
    readers = tuple(np.asarray(table.readers)[seen].tolist())
    codes = codes[:, seen]
    owner = None if groups is None else np.asarray([groups.get(i, "") for i in items.tolist()])
    options: dict[str, Any] = {"rng": rng, "groups": owner, "n_bootstrap": n_bootstrap}
    weights = "linear" if ordered else None
    pairs = {}
    for a, b in combinations(range(len(readers)), 2):
        both = codes[:, [a, b]]
        if (~np.isnan(both)).all(axis=1).any():
            pairs[readers[a], readers[b]] = cohen_kappa(both, weights=weights, **options)
    two = len(readers) == 2
    return Agreement(
        readers=readers,
        n_items=int(twice.sum()),
        percent=percent_agreement(codes, **options),
        kappa=pairs[readers[0], readers[1]] if two else fleiss_kappa(codes, **options),
        alpha=krippendorff_alpha(codes, metric="ordinal" if ordered else "nominal", **options),
        pairs=pairs,
    )


def extent_agreement(
    labels: LabelSet,
    edits: Iterable[Edit],
    *,
    rng: np.random.Generator,
    n_bootstrap: int = 2000,
    **options: Any,
) -> dict[tuple[str, str], Comparison]:
    """Agreement of every two readers on what is where (spans, events, points, regions).

    Each reader's own reviewed set is compared with the other's (`nissl.labels.compare`), the
    first as reference; F1 is the same either way round. Only items that both decided on and
    what either of them added count: what nobody touched would agree for nothing. Of spans,
    additions count within the stretch over which both have decided.

    Parameters
    ----------
    labels : LabelSet
    edits : iterable of Edit
        Made on `labels`.
    rng : numpy.random.Generator
    n_bootstrap : int
    **options
        Of the comparison, such as ``rule="overlap"``.

    Returns
    -------
    dict of (str, str) to Comparison
        Pairs of readers without a common item are left out.
    """
    known, _ = journal.unique(edits)
    own = {name: replay(labels, several) for name, several in journal.by_reviewer(known).items()}
    found = {}
    for a, b in combinations(sorted(own), 2):
        both = set(own[a].decided) & set(own[b].decided) & set(labels.items.tolist())
        if both:
            first, second = (_common(labels, own[name], both) for name in (a, b))
            found[a, b] = compare(first, second, rng=rng, n_bootstrap=n_bootstrap, **options)
    return found


def _common(labels: LabelSet, reviewed: Reviewed, both: set[int]) -> LabelSet:
    """Rows that came of the common items, and those that were added among them."""
    images = {new for item in both for new in (reviewed.old_to_new.get(item) or ())}
    added = {item for item, state in reviewed.state.items() if state == "added"}
    table = reviewed.labels.table
    item = reviewed.labels.column("item")
    keep = np.isin(item, sorted(images))
    extra = np.isin(item, sorted(added))
    if labels.kind is Kind.SPANS:
        mine = np.isin(labels.column("item"), sorted(both))
        start, stop = labels.column("start")[mine].min(), labels.column("stop")[mine].max()
        columns = reviewed.labels.column("start"), reviewed.labels.column("stop")
        extra &= (columns[0] < stop) & (columns[1] > start)
    table = table.filter(pa.array(keep | extra))
    return LabelSet(labels.kind, table, labels.vocabulary, reviewed.labels.provenance)


@dataclass(frozen=True, eq=False)
class Errors:
    """What errors each reader makes, estimated without knowing the truth.

    Parameters
    ----------
    readers, classes : tuple of str
    items : ndarray, shape (n_items,), int64
        Rows of the posterior.
    model : DawidSkene
    """

    readers: tuple[str, ...]
    classes: tuple[str, ...]
    items: npt.NDArray[np.int64]
    model: DawidSkene

    def consensus(self) -> dict[int, tuple[str, float]]:
        """The most probable class of each item, and how probable it is."""
        best = self.model.posterior.argmax(axis=1)
        sure = self.model.posterior.max(axis=1)
        return {
            int(item): (self.classes[k], float(p))
            for item, k, p in zip(self.items, best.tolist(), sure.tolist(), strict=True)
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the posterior."""
        names = {"readers": list(self.readers), "classes": list(self.classes)}
        return names | {"accuracy": self.model.accuracy.tolist()} | self.model.to_json()


def reader_errors(
    answers: Iterable[Answer],
    *,
    classes: Sequence[str] = (),
    gold: Mapping[int, str] | None = None,
) -> Errors:
    """Confusion of each reader and the consensus, after Dawid and Skene (1979).

    Parameters
    ----------
    answers : iterable of Answer
    classes : sequence of str
        These come first; `REJECTED` and others that were given follow.
    gold : mapping of int to str, optional
        Items of known class. Two readers without them cannot be told apart
        (`DawidSkene.identified` says so).

    Raises
    ------
    MissingInputError
        Nobody answered.
    """
    known = gold or {}
    table = ratings(answers, tuple(dict.fromkeys((*classes, *known.values()))))
    if not table.items.size or len(table.classes) < 2:
        raise MissingInputError(
            "answers in two classes or more",
            f"{table.items.size} items, classes {list(table.classes)}",
            "Decide on some items first.",
        )
    code = {name: k for k, name in enumerate(table.classes)}
    fixed = [code[known[i]] if i in known else np.nan for i in table.items.tolist()]
    model = dawid_skene(table.codes, len(table.classes), gold=fixed)
    return Errors(table.readers, table.classes, table.items, model)
