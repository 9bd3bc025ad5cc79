"""What a comparison is, and the one function that makes it for every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import BadArgumentError
from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet
from nissl.registry import Registry
from nissl.trust.intervals import Interval, percentiles, resampled_sums

Sums = npt.NDArray[np.float64]
Measure = Callable[[Sums], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Sums of counts per resampling unit, and the metrics that follow from their total.

    Parameters
    ----------
    sums : ndarray, shape (n_units, k), float64
    measure : callable
        From sums of shape (..., k) to metrics of shape (...); NaN where undefined.
    items : ndarray of int64, shape (n_units,), optional
        Item of the reference that each unit is; None where units are stretches of time.
    """

    sums: Sums
    measure: Measure
    items: npt.NDArray[np.int64] | None = None

    def metrics(self) -> dict[str, float]:
        """Metrics of all units together."""
        return {k: float(v) for k, v in self.measure(self.sums.sum(axis=0)).items()}


@dataclass(frozen=True, eq=False)
class Scored:
    """What a kind's own comparison returns.

    Parameters
    ----------
    evidence : Evidence
    items : pyarrow.Table
        One row per item of the reference (EVENTS, POINTS: item; SPANS, REGIONS, LINKS: row;
        CLASSES: target), with its metrics.
    matches : pyarrow.Table
        Columns `a`, `b` (items) and `score`.
    extra : mapping of str to float
        Metrics without an interval.
    tables : mapping of str to pyarrow.Table
    """

    evidence: Evidence
    items: pa.Table
    matches: pa.Table
    extra: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, pa.Table] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Comparison:
    """How a label set agrees with a reference.

    Parameters
    ----------
    kind : Kind
    a, b : str
        Digests of the reference and of the other set.
    metrics : mapping of str to float
        NaN where undefined (a precision without detections).
    intervals : mapping of str to Interval
        Bootstrap intervals of those metrics that have one.
    items, matches, tables
        See `Scored`.
    options : mapping
        The options that were used.
    evidence : Evidence
        For `pool`.
    """

    kind: Kind
    a: str
    b: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    items: pa.Table
    matches: pa.Table
    tables: Mapping[str, pa.Table]
    options: Mapping[str, Any]
    evidence: Evidence

    @cached_property
    def matching(self) -> dict[int, int]:
        """Item of the reference to its match."""
        return dict(zip(self.matches["a"].to_pylist(), self.matches["b"].to_pylist(), strict=True))

    def __repr__(self) -> str:
        told = ", ".join(
            f"{name} {self.intervals.get(name) or f'{value:.3g}'}"
            for name, value in self.metrics.items()
        )
        return f"Comparison({self.kind.value}: {told})"


COMPARERS: Registry[Callable[..., Scored]] = Registry(
    "comparers",
    {kind.value: f"nissl.labels.compare.{kind.value}:compare_{kind.value}" for kind in Kind},
)
"""The comparison of each kind, by its name."""


def compare(
    a: LabelSet,
    b: LabelSet,
    *,
    groups: Mapping[int, str] | None = None,
    rng: np.random.Generator | None = None,
    n_bootstrap: int = 2000,
    **options: Any,
) -> Comparison:
    """Compare a label set with a reference of the same kind.

    Parameters
    ----------
    a : LabelSet
        The reference.
    b : LabelSet
    groups : mapping of int to str, optional
        Group (animal, shank, session) of each item of `a`, resampled whole. Without it items
        are resampled, in blocks of neighbours where there are more than 1000.
    rng : numpy.random.Generator, optional
        By default one seeded with 0: the same sets give the same intervals.
    n_bootstrap : int
    **options
        Of the kind; see ``nissl.labels.compare.<kind>``.

    Returns
    -------
    Comparison

    Raises
    ------
    BadArgumentError
        The kinds differ, an option is unknown or outside its values.
    """
    if a.kind is not b.kind:
        raise BadArgumentError(
            f"two sets of {a.kind.value}", f"a set of {b.kind.value}", "Compare like with like."
        )
    scored = _scored(a, b, options)
    rng = np.random.default_rng(0) if rng is None else rng
    own = None if groups is None else _groups(scored.evidence, groups)
    measured = scored.evidence.metrics()
    return Comparison(
        kind=a.kind,
        a=a.digest,
        b=b.digest,
        metrics=measured | dict(scored.extra),
        intervals=_intervals([scored.evidence], own, rng, n_bootstrap),
        items=scored.items,
        matches=scored.matches,
        tables=scored.tables,
        options=options,
        evidence=scored.evidence,
    )


def _scored(a: LabelSet, b: LabelSet, options: Mapping[str, Any]) -> Scored:
    import inspect

    comparer = COMPARERS.get(a.kind.value)
    known = list(inspect.signature(comparer).parameters)[2:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise BadArgumentError(
            f"options of a comparison of {a.kind.value} among {known}", f"{unknown}", "Mend them."
        )
    return comparer(a, b, **options)


def pool(
    comparisons: Sequence[Comparison],
    subjects: Sequence[str],
    *,
    rng: np.random.Generator | None = None,
    n_bootstrap: int = 2000,
) -> tuple[dict[str, float], dict[str, Interval]]:
    """Metrics over several sources, with intervals over their subjects.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Of one kind, with the same options; CLASSES and SPANS over the same classes.
    subjects : sequence of str
        Subject of each; all comparisons of a subject are resampled together.
    rng : numpy.random.Generator, optional
        By default one seeded with 0.
    n_bootstrap : int

    Returns
    -------
    metrics : dict of str to float
    intervals : dict of str to Interval
        `Interval.n` is the number of subjects.
    """
    shapes = {(c.kind, c.evidence.sums.shape[1]) for c in comparisons}
    if len(shapes) != 1 or len(subjects) != len(comparisons):
        raise BadArgumentError(
            "comparisons of one kind over the same classes, each with its subject",
            f"{len(shapes)} shapes, {len(comparisons)} comparisons, {len(subjects)} subjects",
            "Compare with the same options and vocabularies.",
        )
    evidence = [c.evidence for c in comparisons]
    total = Evidence(np.concatenate([e.sums for e in evidence]), evidence[0].measure)
    owners = np.repeat(np.asarray(subjects), [len(e.sums) for e in evidence])
    rng = np.random.default_rng(0) if rng is None else rng
    return total.metrics(), _intervals([total], owners, rng, n_bootstrap)


def _intervals(
    evidence: Sequence[Evidence],
    groups: npt.NDArray[Any] | None,
    rng: np.random.Generator,
    n: int,
    level: float = 0.95,
) -> dict[str, Interval]:
    (one,) = evidence
    estimates = one.metrics()
    n_groups = len(one.sums) if groups is None else np.unique(groups).size
    draws = one.measure(resampled_sums(one.sums, groups, rng=rng, n=n))
    found = {}
    for name, estimate in estimates.items():
        low, high = percentiles(np.asarray(draws[name]), level)
        found[name] = Interval(estimate, float(low), float(high), level, n_groups)
    return found


def _groups(evidence: Evidence, groups: Mapping[int, str]) -> npt.NDArray[Any]:
    if evidence.items is None:
        raise BadArgumentError(
            "groups only where items are resampled",
            "a comparison that resamples stretches of time",
            "Leave `groups` out, or pool comparisons over subjects.",
        )
    missing = sorted(set(evidence.items[evidence.items >= 0].tolist()) - set(groups))
    if missing:
        raise BadArgumentError("a group for every item", f"none for {missing[:5]}", "Add them.")
    return np.asarray([groups.get(i, "") for i in evidence.items.tolist()])
