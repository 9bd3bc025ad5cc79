"""The checklist of a claim: every test on data that nothing was chosen or fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.align.errormap.responses import Responses
from nissl.align.errormap.windowed import of_windows
from nissl.align.evidence import checks, outside
from nissl.align.evidence.claim import Claim
from nissl.align.evidence.item import ALPHA, Item, corrected
from nissl.align.evidence.transfer import halves, transfers
from nissl.align.fragments import Fragment, conditions, runs
from nissl.run.progress import Progress

N_NULL = 199


@dataclass(frozen=True, eq=False)
class Checklist:
    """What was found for a claim.

    Parameters
    ----------
    claim : Claim
    items : tuple of Item
    split : mapping of str to dict
        Of each source the numbers of windows that maps were chosen and fitted on ("fit"), and of
        those they were tested on ("test").
    """

    claim: Claim
    items: tuple[Item, ...]
    split: dict[str, dict[str, list[int]]]

    def __getitem__(self, name: str) -> Item:
        return next(i for i in self.items if i.name == name)

    def table(self) -> pa.Table:
        """A row for each item."""
        names = [k for k in Item.__dataclass_fields__ if k != "facts"]
        return pa.Table.from_pylist([{k: getattr(i, k) for k in names} for i in self.items])

    def count(self, verdict: str) -> int:
        """Number of items with a verdict."""
        return sum(i.verdict == verdict for i in self.items)


def _common(fragments: Sequence[Fragment]) -> list[int]:
    """Conditions of which every fragment has two windows, as `of_windows` takes them."""
    each = [np.unique(c[c >= 0], return_counts=True) for c in map(conditions, fragments)]
    return sorted(set.intersection(*({*v[n >= 2].tolist()} for v, n in each)))


def split_of(fragments: Sequence[Fragment]) -> dict[str, dict[str, list[int]]]:
    """Windows of both halves: of each condition every other one, as `of_windows` takes them."""
    common = _common(fragments)
    out = {}
    for f in fragments:
        number, each = runs(f)[0], conditions(f)
        rows = [number[each == c] for c in common]
        out[f.name] = {
            name: sorted(int(v) for r in rows for v in r[at::2])
            for at, name in enumerate(("fit", "test"))
        }
    return out


def checklist(
    claim: Claim,
    fragments: Sequence[Fragment],
    rng: np.random.Generator,
    *,
    switched: Sequence[outside.Switched] = (),
    driven: Sequence[outside.Driven] = (),
    basis: Sequence[outside.Basis] = (),
    conditions_of: Sequence[str] = (),
    permutations: int = N_NULL,
    progress: Progress | None = None,
) -> Checklist:
    """Test a claim.

    Parameters
    ----------
    claim : Claim
    fragments : sequence of Fragment
        One for each of its sources, with the conditions of windows.
    rng : numpy.random.Generator
    switched, driven, basis
        What was measured of its interventions and arrows, and what its sources rest on.
    conditions_of : sequence of str
        Names that conditions of the fragments are indices of.
    permutations : int
    progress : Progress, optional
    """
    parts = of_windows(fragments)
    names = [conditions_of[c] for c in _common(fragments)] if conditions_of else []
    basis = basis or [
        outside.Basis(f.name, f.about, float("nan"), float("nan"), ()) for f in fragments
    ]
    items = [
        *of_responses(claim, parts, rng, names=names, permutations=permutations, progress=progress),
        outside.intervention(switched, rng),
        outside.drives(driven),
        outside.basis(basis),
    ]
    return Checklist(claim, concluded(items), split_of(fragments))


def concluded(items: Sequence[Item]) -> tuple[Item, ...]:
    """Correct for the number of tests; axes of a transfer that does not survive are not tested."""
    out = corrected(items)
    if next(i.verdict for i in out if i.name == "shared") == "supported":
        return out
    nothing = [
        replace(i, verdict="not testable", says="Nothing is transferred significantly.", p=np.nan,
                needs="A transfer to take apart: see the item shared.")
        if i.name == "axes" and i.verdict != "not testable" else i
        for i in items
    ]  # fmt: skip
    return corrected(nothing)


def of_responses(
    claim: Claim,
    parts: Sequence[Responses],
    rng: np.random.Generator,
    *,
    names: Sequence[str] = (),
    permutations: int = N_NULL,
    progress: Progress | None = None,
) -> list[Item]:
    """Items about the shared code, not yet corrected for their number.

    Parameters
    ----------
    claim : Claim
    parts : sequence of Responses
        One for each recording of the claim, in its order.
    rng : numpy.random.Generator
    names : sequence of str
        Of the conditions, for sentences.
    permutations : int
        Of conditions, for every test.
    progress : Progress, optional

    Raises
    ------
    BadArgumentError
        Of rows that are not the same, or of fewer than five conditions.
    """
    data = halves(parts)
    options: dict[str, Any] = {"rule": claim.rule, "n_null": permutations, "progress": progress}
    together = transfers(data, rng, **options)
    apart = together if len(parts) == 2 else transfers(data, rng, apart=True, **options)
    chosen = transfers(data.swapped(), rng, rule=claim.rule)
    about = [p.about for p in parts]
    first = checks.shared(apart, checks.ceilings(data, claim.rule))
    return [
        first,
        checks.generalises(together, about, "days"),
        checks.generalises(together, about, "individuals"),
        checks.conditions(apart, names),
        checks.axes(apart, chosen, claim.axes, first.p),
        checks.geometry(data, rng, permutations),
    ]


def summary(found: Checklist) -> str:
    """The outcome in a sentence; a count, never a single yes."""
    n = len(found.items)
    return (
        f"{found.count('supported')} of {n} items are supported, "
        f"{found.count('not supported')} are not, {found.count('not testable')} cannot be tested "
        f"with these data (false discovery rate {ALPHA:.0%})."
    )
