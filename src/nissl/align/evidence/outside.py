"""Tests that rest on other data than the transfer: interventions, arrows, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nissl.align.evidence.checks import HERE
from nissl.align.evidence.item import ALPHA, Item, exceeds, fewest, flipped, majority, untestable
from nissl.align.fragments import About, Floats

N_PERMUTED = 999
FEWEST_WINDOWS = 5
APART = 0.4
"""Beyond this distance of their ranks in time from even, on and off are before and after."""


@dataclass(frozen=True, eq=False)
class Switched:
    """Activity of windows with an intervention and without.

    Parameters
    ----------
    source, subject, predicts : str
    on, off : ndarray, shape (n_windows of each,)
        Mean activity.
    on_s, off_s : ndarray, shape (n_windows of each,)
        When each began.
    """

    source: str
    subject: str
    predicts: str
    on: Floats
    off: Floats
    on_s: Floats
    off_s: Floats

    @property
    def effect(self) -> float:
        """Difference in standard deviations of windows."""
        spread = np.sqrt((self.on.var(ddof=1) + self.off.var(ddof=1)) / 2)
        return float((self.on.mean() - self.off.mean()) / max(float(spread), 1e-12))

    @property
    def apart(self) -> float:
        """How far on and off lie apart in time, 0 (mixed) to 0.5 (one after the other)."""
        later = (self.on_s[:, None] > self.off_s[None]).mean()
        return float(abs(later - 0.5))


@dataclass(frozen=True)
class Driven:
    """A claimed arrow, as it was found.

    Parameters
    ----------
    source, subject, cause, effect : str
    verdict : str
        Of `nissl.align.directed.arrows.VERDICTS`.
    estimate, q : float
    unit : str
        Of the estimate.
    """

    source: str
    subject: str
    cause: str
    effect: str
    verdict: str
    estimate: float
    q: float
    unit: str


@dataclass(frozen=True)
class Basis:
    """What one recording's labels rest on.

    Parameters
    ----------
    source : str
    about : About
    reviewed : float
        Share of items that a person decided on; NaN for signals.
    confidence : float
        Mean over items; NaN where none is claimed.
    labels : tuple of str
        Digests.
    """

    source: str
    about: About
    reviewed: float
    confidence: float
    labels: tuple[str, ...]


def intervention(each: Sequence[Switched], rng: np.random.Generator) -> Item:
    """Item: whether activity changes as predicted where the intervention is on.

    Windows are exchanged between on and off within a source. From five individuals on, their mean
    effects are tested against 0 by exchanging signs; with fewer, every source has to agree, and the
    verdict is about these.
    """
    asks = "Does an intervention do what the claim predicts?"
    if not each:
        needs = "Windows with stimulation or lesion, on and off mixed in time, and a prediction."
        return untestable("intervention", asks, "The claim names no intervention.", needs)
    small = [s.source for s in each if min(len(s.on), len(s.off)) < FEWEST_WINDOWS]
    mixed = [s.source for s in each if s.source not in small and s.apart > APART]
    facts: dict[str, Any] = {
        "sources": [s.source for s in each],
        "predicts": [s.predicts for s in each],
        "on": [s.on.tolist() for s in each],
        "off": [s.off.tolist() for s in each],
    }
    if small or mixed:
        says = (
            f"{', '.join(small)}: fewer than {FEWEST_WINDOWS} windows of a kind."
            if small
            else f"{', '.join(mixed)}: on comes all before or after off, as any drift would."
        )
        needs = f"{FEWEST_WINDOWS} or more windows of each kind, in an order drawn at random."
        return untestable("intervention", asks, says, needs, facts=facts)
    p, effects, nulls = [], [], []
    for one in each:
        sign = 1.0 if one.predicts == "higher" else -1.0
        value, n = np.concatenate([one.on, one.off]), len(one.on)
        draws = np.array([rng.permutation(value) for _ in range(N_PERMUTED)])
        null = sign * (draws[:, :n].mean(axis=1) - draws[:, n:].mean(axis=1))
        p.append(exceeds(sign * float(one.on.mean() - one.off.mean()), null))
        effects.append(one.effect)
        nulls.append(null)
    facts |= {"effect": effects, "p": p}
    told = [
        f"{s.source} is {'higher' if e > 0 else 'lower'} by {abs(e):.2f} standard deviations of "
        f"windows ({s.predicts} was predicted, p {k:.3f})"
        for s, e, k in zip(each, effects, p, strict=True)
    ]
    says = "; ".join(told) + "."
    subjects = [s.subject for s in each]
    found, many = max(p), _many(subjects)
    if many:
        signed = np.array(
            [e if s.predicts == "higher" else -e for s, e in zip(each, effects, strict=True)]
        )
        means = [float(signed[[s == k for s in subjects]].mean()) for k in many]
        found = flipped(means, rng)
        facts["individuals"] = dict(zip(many, means, strict=True))
        agree = sum(m > 0 for m in means)
        says = f"{agree} of {len(many)} individuals change as predicted. {says}"
    return _about(
        "intervention", asks, found, len(each), many, says, facts,
        statistic="difference of on and off, standard deviations of windows, mean over sources",
        value=float(np.mean(effects)),
    )  # fmt: skip


def drives(each: Sequence[Driven]) -> Item:
    """Item: whether the claimed arrows stand; a direction that cannot be told is not tested."""
    asks = "Does one drive the other (directed dependence)?"
    if not each:
        needs = "A claim of which channel drives which: drives in the claim's file."
        return untestable("drives", asks, "The claim names no arrow.", needs)
    facts: dict[str, Any] = {"arrows": [vars(d) for d in each]}
    told = "; ".join(
        f"{d.source}: {d.cause} to {d.effect} {d.verdict} ({d.estimate:.3g} {d.unit}, q {d.q:.2g})"
        for d in each
    )
    open_ = [d for d in each if d.verdict == "direction not identifiable"]
    if open_ and all(d.verdict != "no evidence" for d in each):
        needs = "An intervention on the cause, or faster measurement: lags alone do not tell."
        return untestable("drives", asks, f"{told}.", needs, facts=facts)
    p = [d.q if d.verdict == "arrow" and np.isfinite(d.q) else 1.0 for d in each]
    subjects = [d.subject for d in each]
    found, many, says = max(p), _many(subjects), f"{told}."
    if many:  # all of one individual's have to hold
        worst = [max(v for v, s in zip(p, subjects, strict=True) if s == k) for k in many]
        share = majority(worst)
        found, says = share.p, f"It holds in {share.holds} of {share.n} individuals. {says}"
    return _about(
        "drives", asks, found, len(each), many, says, facts,
        statistic=f"transfer ({each[0].unit}), mean over claimed arrows",
        value=float(np.mean([d.estimate for d in each])),
    )  # fmt: skip


def _many(subjects: Sequence[str]) -> list[str]:
    """Individuals, where they are known and enough to say something of others; else none."""
    known = sorted(set(subjects))
    return known if all(known) and len(known) >= fewest() else []


def _about(
    name: str, asks: str, p: float, n: int, many: list[str], says: str, facts: dict[str, Any],
    *, statistic: str, value: float,
) -> Item:  # fmt: skip
    """An item about individuals where there are many of them, else about these sources."""
    needs = "" if many else f"To say it of other individuals: {fewest()} of them."
    return Item(
        name, asks, "supported" if p <= ALPHA else "not supported", says, needs, statistic, value,
        p=p, n=len(many) or n, unit="individuals" if many else "sources",
        scope="individuals" if many else HERE, facts=facts,
    )  # fmt: skip


def basis(each: Sequence[Basis]) -> Item:
    """Item: whether it is known what was recorded, and whether a person looked at the labels."""
    asks = "Are the metadata complete, and what do the labels rest on?"
    complete = float(np.mean([b.about.completeness for b in each]))
    missing = sorted({name for b in each for name in b.about.missing})
    reviewed = np.array([b.reviewed for b in each])
    sure = np.array([b.confidence for b in each])
    unseen = [b.source for b in each if b.reviewed == 0]
    told = [f"{complete:.0%} of the metadata are known"]
    if missing:
        told.append(f"of some source nothing says {', '.join(missing)}")
    if np.isfinite(reviewed).any():
        told.append(f"{np.nanmean(reviewed):.0%} of the labelled items were decided on by a person")
    if np.isfinite(sure).any():
        told.append(f"their mean confidence is {np.nanmean(sure):.2f}")
    elif np.isfinite(reviewed).any():
        told.append("no confidence is claimed for them")
    needs = []
    if missing:
        needs.append(f"State {', '.join(missing)} in the claim.")
    if unseen:
        needs.append(f"Review {', '.join(unseen)}: nissl review.")
    facts = {
        "sources": [b.source for b in each],
        "missing": [list(b.about.missing) for b in each],
        "reviewed": reviewed.tolist(),
        "confidence": sure.tolist(),
        "labels": [list(b.labels) for b in each],
    }
    return Item(
        "basis", asks, "not supported" if missing or unseen else "supported",
        "; ".join(told).capitalize() + ".", " ".join(needs), "share of metadata known", complete,
        n=len(each), unit="sources", scope=HERE, facts=facts,
    )  # fmt: skip
