"""Event-based scores: intersection over union for short events, SzCORE's rules for seizures.

Spans count by class name and channel: a spindle on C3 is not found by one on C4, unless one of
both sets does not say its channels, as clinicians' lists of seizures do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.vocabulary import NOTHING
from nissl.errors import MissingInputError
from nissl.labels import Kind, LabelSet, Vocabulary
from nissl.labels.compare import compare

OVERLAPS = (0.2, 0.3)
"""Least intersection over union of a hit; 0.2 is what Warby et al. 2014 (Nat. Methods 11,
385-392) took for spindles."""

DAY_S = 86_400.0


@dataclass(frozen=True)
class SzCore:
    """Counts of seizures by SzCORE's rules (Dan et al. 2024, Epilepsia).

    Parameters
    ----------
    n_true, n_hit, n_false : int
        Events of the reference, those found, false alarms.
    duration_s : float
    """

    n_true: int
    n_hit: int
    n_false: int
    duration_s: float

    @property
    def sensitivity(self) -> float:
        """Share of the reference's events that were found; NaN without any."""
        return self.n_hit / self.n_true if self.n_true else float("nan")

    @property
    def precision(self) -> float:
        """Hits of hits and false alarms; NaN without any."""
        claimed = self.n_hit + self.n_false
        return self.n_hit / claimed if claimed else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity and precision."""
        missed = self.n_true - self.n_hit
        total = 2 * self.n_hit + self.n_false + missed
        return 2 * self.n_hit / total if total else float("nan")

    @property
    def false_per_day(self) -> float:
        """False alarms per 24 h."""
        return self.n_false * DAY_S / self.duration_s

    def to_json(self) -> dict[str, float]:
        """Plain values."""
        return {
            **vars(self),
            "sensitivity": self.sensitivity,
            "precision": self.precision,
            "f1": self.f1,
            "false_per_day": self.false_per_day,
        }


def szcore(truth: LabelSet, proposal: LabelSet, rate_hz: float, duration_s: float) -> SzCore:
    """Event-based counts of seizures by SzCORE.

    Events of each set less than 90 s apart are one, those over 5 min are cut into pieces of
    it; an event of the reference is found when any part of it, 30 s before or 60 s after, is
    claimed; a claimed event that touches no such stretch is a false alarm. Channels do not count.

    Parameters
    ----------
    truth, proposal : LabelSet
        SPANS; only the class "seizure" counts.
    rate_hz, duration_s : float
        Of the recording.
    """
    one = [_only(labels, ("seizure",)) for labels in (truth, proposal)]
    found = compare(
        *one,
        rule="overlap",
        min_overlap=0.0,
        tolerance=(round(30 * rate_hz), round(60 * rate_hz)),
        join=round(90 * rate_hz),
        cut=round(300 * rate_hz),
    )
    row = found.tables["classes"].to_pylist()
    counts = row[0] if row else {"n_hit": 0, "n_missed": 0, "n_false": 0}
    n_hit = int(counts["n_hit"])
    return SzCore(n_hit + int(counts["n_missed"]), n_hit, int(counts["n_false"]), duration_s)


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Score a proposal on the classes that it can claim.

    Parameters
    ----------
    proposal, truth : LabelSet
        SPANS on one sample index.

    Returns
    -------
    mapping of str to float
        For every overlap of `OVERLAPS` precision, recall and F1 ("f1_iou20", ...); where either
        knows seizures and the rate of the recording, SzCORE's sensitivity, precision, F1 and
        false alarms per 24 h ("szcore_f1", ...).
    """
    names = tuple(n for n in proposal.vocabulary.names if n != NOTHING)
    out: dict[str, float] = {}
    pair = by_channel(_only(truth, names), _only(proposal, names))
    for least in OVERLAPS:
        found = compare(*pair, rule="iou", min_overlap=least).metrics
        out |= {f"{n}_iou{100 * least:.0f}": float(found[n]) for n in ("precision", "recall", "f1")}
    if "seizure" in names:
        facts = about(proposal, truth)
        counts = szcore(truth, proposal, facts["rate_hz"], facts["duration_s"]).to_json()
        kept = ("sensitivity", "precision", "f1", "false_per_day")
        out |= {f"szcore_{name}": float(counts[name]) for name in kept}
    return out


def about(*sets: LabelSet) -> Mapping[str, Any]:
    """Rate and duration of the recording, as one of the sets states them."""
    for labels in sets:
        for step in labels.provenance.parameters.get("preprocessing", ()):
            facts: Mapping[str, Any] = step.get("parameters", {})
            if {"rate_hz", "duration_s"} <= set(facts):
                return facts
    raise MissingInputError(
        "a label set that states the rate of its recording",
        f"none of {[labels.provenance.author.name for labels in sets]}",
        "Call `nissl.annotators.events.score.szcore` with the rate and duration.",
    )


def by_channel(truth: LabelSet, proposal: LabelSet) -> tuple[LabelSet, LabelSet]:
    """Both sets with channels set one after the other in time, so that none meets another's.

    Where a class of either set says no channel, channels of that class do not count; spans of
    several channels that overlap are then one.
    """
    step = 1 + max((int(s.column("stop").max(initial=0)) for s in (truth, proposal)), default=0)
    names = {n for s in (truth, proposal) for n in s.vocabulary.names}
    global_ = {n for n in names if any(_without_channel(s, n) for s in (truth, proposal))}
    return _shifted(truth, global_, step), _shifted(proposal, global_, step)


def _without_channel(labels: LabelSet, name: str) -> bool:
    if name not in labels.vocabulary.names:
        return False
    own = labels.column("label") == labels.vocabulary.code(name)
    return bool(np.any(labels.column("channel")[own] < 0))


def _shifted(labels: LabelSet, global_: set[str], step: int) -> LabelSet:
    rows: list[tuple[npt.NDArray[Any], ...]] = []
    for code, name in enumerate(labels.vocabulary.names):
        own = labels.column("label") == code
        start, stop = labels.column("start")[own], labels.column("stop")[own]
        channel = np.maximum(labels.column("channel")[own].astype(np.int64), 0)
        if name in global_:
            start, stop = united(start, stop)
            channel = np.zeros(start.size, np.int64)
        rows.append((start + step * channel, stop + step * channel, np.full(start.size, code)))
    start, stop, label = (np.concatenate(c) for c in zip(*rows, strict=True))
    columns = {"start": start, "stop": stop, "label": label.astype(np.int32)}
    return LabelSet.build(Kind.SPANS, columns, labels.vocabulary, labels.provenance)


def united(
    start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Spans that overlap as one, in order."""
    order = np.argsort(start, kind="stable")
    start, stop = start[order], np.maximum.accumulate(stop[order]) if start.size else stop
    first = np.concatenate([[True], start[1:] >= stop[:-1]]) if start.size else np.zeros(0, bool)
    last = np.concatenate([first[1:], [True]]) if start.size else first
    return start[first], stop[last]


def _only(labels: LabelSet, names: tuple[str, ...]) -> LabelSet:
    """Rows of some classes, under a vocabulary of these alone."""
    codes = {
        labels.vocabulary.code(n): k for k, n in enumerate(names) if n in labels.vocabulary.names
    }
    label = labels.column("label")
    keep = np.isin(label, list(codes))
    channel = labels.column("channel")[keep].tolist()
    columns = {
        "start": labels.column("start")[keep],
        "stop": labels.column("stop")[keep],
        "label": np.array([codes[c] for c in label[keep].tolist()], np.int32),
        "channel": [None if c < 0 else c for c in channel],
    }
    return LabelSet.build(Kind.SPANS, columns, Vocabulary(names), labels.provenance)
