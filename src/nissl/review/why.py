"""Why a model says what it says of an item, in the reader's own terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import MissingInputError
from nissl.labels import FeatureTable
from nissl.review.decided import Bench, benches
from nissl.review.loop import learner_of
from nissl.store import Store
from nissl.tasks import TASKS, Finding, Learner
from nissl.trust.attribution import nearest

N_REASONS = 5
N_EXAMPLES = 3
MOST_KEPT = 128
"""Sets whose features are kept in memory (about 50 kB each)."""


@dataclass(frozen=True)
class Reason:
    """What one feature contributes.

    Parameters
    ----------
    feature, unit : str
    value : float or None
        None where it could not be computed; that may count, too.
    towards : str
        The class that it speaks for (or against the proposed one).
    weight : float
        Contribution to the proposed class over the mean of the others, in natural log odds.
    sentence : str
    """

    feature: str
    unit: str
    value: float | None
    towards: str
    weight: float
    sentence: str


@dataclass(frozen=True)
class Example:
    """An item that people decided on and that is like this one."""

    source: str
    item: int
    label: str
    distance: float


@dataclass(frozen=True)
class Why:
    """Why an item has its proposed class.

    Parameters
    ----------
    item : int
    proposed : str
    confidence : float
    reasons : tuple of Reason
        The strongest first.
    accepted, rejected : tuple of Example
        Nearest decided items of the proposed class, and of any other.
    findings : tuple of Finding
        What checks found about the item.
    unlike : str
        Where it lies outside what the model has seen, in plain words; "" where it does not.
    model : str
        Digest of the weights.
    """

    item: int
    proposed: str
    confidence: float
    reasons: tuple[Reason, ...]
    accepted: tuple[Example, ...]
    rejected: tuple[Example, ...]
    findings: tuple[Finding, ...]
    unlike: str
    model: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "item": self.item,
            "proposed": self.proposed,
            "confidence": self.confidence,
            "reasons": [vars(reason).copy() for reason in self.reasons],
            "accepted": [vars(example).copy() for example in self.accepted],
            "rejected": [vars(example).copy() for example in self.rejected],
            "findings": [finding.to_json() for finding in self.findings],
            "unlike": self.unlike,
            "model": self.model,
        }


def why(store: Store, task: str, base: str, item: int) -> Why:
    """Why the model in use classifies an item as it does.

    Parameters
    ----------
    store : Store
    task : str
        Of the kind CLASSES.
    base : str
        Digest of the set whose item it is.
    item : int

    Raises
    ------
    MissingInputError
        No such set or item, or a task that has no learner.
    """
    learner = learner_of(store, task)
    found = list(benches(store, task))
    bench = next((each for each in found if each.base.digest == base), None)
    if bench is None:
        raise MissingInputError(
            f"the current set {base[:12]!r} of a source", "none", "Reload the page."
        )
    table = _features(bench, learner)
    if item not in table.items:  # a merge or split made it
        table = bench.features(learner)
    rows = np.flatnonzero(table.items == item)
    if not rows.size:
        raise MissingInputError(f"an item of {base[:12]}", str(item), "Reload the page.")
    row = int(rows[0])
    names = TASKS.get(task).vocabulary.names
    one = _row(table, row)
    p = learner.predict(one).probabilities[0]
    itself = (bench.source.name, item)
    proposed = names[int(p.argmax())]
    accepted, rejected = examples(found, learner, table.values[row], proposed, but=itself)
    return Why(
        item=item,
        proposed=proposed,
        confidence=float(p.max()),
        reasons=reasons(learner, one, p, names),
        accepted=accepted,
        rejected=rejected,
        findings=tuple(Finding.from_json(f) for f in store.findings(base) if f.get("item") == item),
        unlike=learner.unlike(one)[1][0],
        model=learner.weights,
    )


def reasons(
    learner: Learner, one: FeatureTable, p: npt.NDArray[np.float64], names: Sequence[str]
) -> tuple[Reason, ...]:
    """Strongest contributions to the proposed class against the mean of the others.

    Parameters
    ----------
    learner : Learner
    one : FeatureTable
        One row.
    p : ndarray, shape (n_classes,), float64
    names : sequence of str
        Classes.
    """
    given = learner.contributions(one)[0]
    best = int(p.argmax())
    others = np.delete(given, best, axis=1)
    margin = given[:, best] - others.mean(axis=1)
    order = np.argsort(-np.abs(margin), kind="stable")[:N_REASONS]
    words = learner.says
    out = []
    for k in order.tolist():
        if margin[k] == 0:
            continue
        value = float(one.values[0, k])
        towards = names[best] if margin[k] > 0 else names[int(given[k].argmax())]
        if towards == names[best] and margin[k] < 0:
            towards = f"not {names[best]}"
        said = _said(words.get(one.names[k], one.names[k] + " {:.3g}"), one.names[k], value)
        out.append(
            Reason(
                feature=one.names[k],
                unit=one.units[k],
                value=None if math.isnan(value) else value,
                towards=towards,
                weight=float(margin[k]),
                sentence=f"{said}: towards {towards}",
            )
        )
    return tuple(out)


def examples(
    found: Sequence[Bench],
    learner: Learner,
    values: npt.NDArray[np.float64],
    proposed: str,
    *,
    but: tuple[str, int] | None = None,
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Nearest decided items of the proposed class, and of any other class.

    Left out is the item itself, `but`: its source's name and its number.

    Distances are root mean squares over the features that both have, each in units of its
    spread over the decided items.
    """
    where: list[tuple[str, int, str]] = []
    rows: list[npt.NDArray[np.float64]] = []
    for bench in found:
        known = bench.decided()
        if not known:
            continue
        table = _features(bench, learner)
        for k, unit in enumerate(table.items.tolist()):
            if unit in known and (bench.source.name, unit) != but:
                where.append((bench.source.name, unit, known[unit]))
                rows.append(table.values[k])
    if not rows:
        return (), ()
    known_values = np.stack(rows)
    centre, scale = _frame(known_values)
    near = nearest(
        (values - centre) / scale,
        (known_values - centre) / scale,
        [proposed] * len(rows),
        ["accepted" if label == proposed else "changed" for _, _, label in where],
        n=N_EXAMPLES,
    )

    def told(
        picked: npt.NDArray[np.int64], distance: npt.NDArray[np.float64]
    ) -> tuple[Example, ...]:
        pairs = zip(picked.tolist(), distance.tolist(), strict=True)
        out = []
        for k, apart in pairs:
            source, item, label = where[k]
            out.append(Example(source, item, label, apart))
        return tuple(out)

    return told(near.accepted, near.accepted_distance), told(near.rejected, near.rejected_distance)


def _frame(
    values: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Median and spread of each column; 0 and 1 where a column says nothing."""
    known = np.any(np.isfinite(values), axis=0)
    filled = np.where(known, values, 0.0)
    low, centre, high = np.nanpercentile(filled, [25, 50, 75], axis=0)
    scale = (high - low) / 1.349
    return centre, np.where(scale > 0, scale, 1.0)


def _said(words: str, name: str, value: float) -> str:
    if math.isnan(value):
        return f"{name.replace('_', ' ')} could not be computed"
    return words.format(value)


def _row(table: FeatureTable, row: int) -> FeatureTable:
    return FeatureTable(
        items=table.items[row : row + 1],
        names=table.names,
        values=table.values[row : row + 1],
        units=table.units,
        subject=table.subject[row : row + 1],
        session=table.session[row : row + 1],
    )


def _features(bench: Bench, learner: Learner) -> FeatureTable:
    """Features of the items as they were proposed; kept, for why is asked item by item."""
    key = (learner.name, learner.version, bench.base.digest, bench.base.items)
    with _lock:
        if key not in _kept:
            while len(_kept) >= MOST_KEPT:
                _kept.pop(next(iter(_kept)))
            _kept[key] = bench.proposed_features(learner)
        return _kept[key]


_lock = Lock()
_kept: dict[tuple[str, str, str, str | None], FeatureTable] = {}


__all__ = ["Example", "Reason", "Why", "why"]
