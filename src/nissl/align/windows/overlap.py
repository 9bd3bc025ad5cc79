"""What several recordings share: a kind of window described, conditions counted, clocks crossed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nissl.align.fragments import About, Floats
from nissl.errors import BadArgumentError


@dataclass(frozen=True, eq=False)
class Side:
    """Windows of one kind in one recording.

    Parameters
    ----------
    name : str
        Of the source.
    start_s, stop_s : ndarray, shape (n,)
        On the source's clock.
    about : About
    n_units : int
    conditions : tuple of str, optional
        What each window was, one per window; empty where nothing says.
    confidence : ndarray, shape (n,), optional
    """

    name: str
    start_s: Floats
    stop_s: Floats
    about: About
    n_units: int
    conditions: tuple[str, ...] = ()
    confidence: Floats | None = None

    @property
    def seconds(self) -> float:
        """Length of all windows together, s."""
        return float(np.sum(self.stop_s - self.start_s))

    def of(self, names: Sequence[str]) -> Side:
        """Only the windows of these conditions."""
        kept = np.isin(np.array(self.conditions, dtype=np.str_), list(names))
        return replace(
            self,
            start_s=self.start_s[kept],
            stop_s=self.stop_s[kept],
            conditions=tuple(c for c, k in zip(self.conditions, kept, strict=True) if k),
            confidence=None if self.confidence is None else self.confidence[kept],
        )


@dataclass(frozen=True, eq=False)
class Overlap:
    """A kind of window that several recordings have.

    Parameters
    ----------
    kind : str
        "rest", "stimulus", "movement", "both modalities".
    sides : tuple of Side
    bin_s : float
        Bins that it is described in.
    state : str
        What was the same: the kind, or the conditions.
    told_by : tuple of str
        By what each side's windows were found.
    """

    kind: str
    sides: tuple[Side, ...]
    bin_s: float
    state: str
    told_by: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, tuple[int, ...]]:
        """Windows of each condition, source by source; empty without conditions."""
        names = sorted({c for side in self.sides for c in side.conditions})
        return {n: tuple(side.conditions.count(n) for side in self.sides) for n in names}

    @property
    def completeness(self) -> float:
        """Share of the metadata that is known of the source of which least is known, 0 to 1."""
        return min(side.about.completeness for side in self.sides)

    @property
    def weakest(self) -> tuple[str, tuple[str, ...]]:
        """That source, and what is not known of it."""
        side = min(self.sides, key=lambda s: s.about.completeness)
        return side.name, side.about.missing

    @property
    def confidence(self) -> float:
        """Mean over windows of the least sure source; NaN where nothing tells."""
        each = [s.confidence for s in self.sides if s.confidence is not None and len(s.confidence)]
        known = [float(c[np.isfinite(c)].mean()) for c in each if np.isfinite(c).any()]
        return min(known) if known else float("nan")

    def rows(self) -> list[dict[str, Any]]:
        """A row per source, plain values."""
        told = self.told_by or ("",) * len(self.sides)
        return [
            {
                "kind": self.kind,
                "source": side.name,
                "windows": len(side.start_s),
                "seconds": round(side.seconds, 3),
                "first_s": float(side.start_s.min()),
                "last_s": float(side.stop_s.max()),
                "bins": int(np.floor((side.stop_s - side.start_s) / self.bin_s + 1e-9).sum()),
                "units": side.n_units,
                "state": self.state,
                "modality": side.about.modality,
                "conditions": len(set(side.conditions)),
                "confidence": (
                    float("nan") if side.confidence is None else float(side.confidence.mean())
                ),
                "completeness": round(side.about.completeness, 3),
                "missing": ", ".join(side.about.missing),
                "told_by": by,
            }
            for side, by in zip(self.sides, told, strict=True)
        ]


def overlap_of(
    kind: str, sides: Sequence[Side], *, bin_s: float, told_by: Sequence[str] = ()
) -> Overlap:
    """Describe a kind of window that all of these recordings have.

    Where windows have conditions, only those that all share are kept.

    Raises
    ------
    BadArgumentError
        One recording alone; one without windows of the kind, without units, or none in common.
    """
    if len(sides) < 2:
        raise BadArgumentError("two or more sources", f"{len(sides)}", "Name another one.")
    for side in sides:
        if not side.n_units:
            raise BadArgumentError(
                f"units of {side.name!r} that fire", "none", "Sort it, or choose another session."
            )
        if not len(side.start_s):
            raise BadArgumentError(
                f"windows of the kind {kind!r} in {side.name!r}",
                "none: there is no overlap",
                "Mark them by hand as spans, name another kind, or record a standardised rest.",
            )
    state = kind
    if all(side.conditions for side in sides):
        common = set.intersection(*(set(s.conditions) for s in sides))
        if not common:
            each = "; ".join(f"{s.name}: {sorted(set(s.conditions))[:6]}" for s in sides)
            raise BadArgumentError(
                "a condition that all sources have",
                f"none: there is no overlap ({each})",
                "Do laboratories name the same thing differently? Give the same names.",
            )
        sides = [side.of(sorted(common)) for side in sides]
        state = ", ".join(sorted(common))
    sides = [replace(s, about=replace(s.about, state=s.about.state or kind)) for s in sides]
    return Overlap(kind, tuple(sides), bin_s, state, tuple(told_by))


def at_once(a: Floats, b: Floats) -> Floats:
    """Intersection of two lists of intervals, shape (n, 2), seconds of one clock.

    Parameters
    ----------
    a, b : ndarray, shape (n, 2)
        Each in order, without overlap.
    """
    out, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        start, stop = max(a[i, 0], b[j, 0]), min(a[i, 1], b[j, 1])
        if stop > start:
            out.append((start, stop))
        if a[i, 1] < b[j, 1]:
            i += 1
        else:
            j += 1
    return np.array(out, float).reshape(-1, 2)


def count_table(overlap: Overlap) -> Mapping[str, Mapping[str, int]]:
    """Windows of each condition by source, for facts."""
    names = [side.name for side in overlap.sides]
    return {c: dict(zip(names, n, strict=True)) for c, n in overlap.counts.items()}
