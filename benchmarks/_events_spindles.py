"""Spindles on the DREAMS excerpt, against each expert and their union.

Expert 1 scored the first 1,000 s, so against expert 1 and the union only that counts. The record
is one person's half hour: intervals resample its minutes and say nothing of other people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.marking import taught
from nissl.annotators.events.method import Found
from nissl.annotators.events.model import shipped
from nissl.annotators.events.score import united
from nissl.annotators.events.spindles import SPINDLES, by_model
from nissl.annotators.events.train import best_overlap
from nissl.annotators.events.yasa import YASA_SPINDLES
from nissl.data import ChannelTable, Signal
from nissl.trust.intervals import bootstrap_interval

FOLDER = Path("eeg/dreams_spindles/excerpt1.npz")
SCORED_S = {"expert 1": 1000.0, "expert 2": 1800.0, "union": 1000.0}
MARKS = (5, 20, 50)
THRESHOLDS = tuple(np.round(np.arange(0.02, 0.99, 0.02), 2).tolist())
YASA_CORR = (0.45, 0.55, 0.65, 0.75)
YASA_RMS = (1.0, 1.25, 1.5, 2.0)
Spans = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Record:
    """The record and its references, spans in samples."""

    signal: Signal
    references: Mapping[str, Spans]
    given: Spans

    @classmethod
    def read(cls, folder: Path) -> Record:
        """From the data folder."""
        with np.load(folder / FOLDER) as data:
            rate = float(data["fs"])
            x = data["x"][:, None]
            one, two, given = (_spans(data[k], rate) for k in ("vis1", "vis2", "auto"))
        table = ChannelTable.plain(["C3-A1"], kind="eeg")
        signal = Signal.from_array(x, rate, name="eeg", channels=table)
        both = united(*(np.concatenate(pair) for pair in zip(one, two, strict=True)))
        return cls(signal, {"expert 1": one, "expert 2": two, "union": both}, given)


def _spans(rows: npt.NDArray[np.float64], rate: float) -> Spans:
    start = np.rint(rows[:, 0] * rate).astype(np.int64)
    stop = start + np.rint(rows[:, 1] * rate).astype(np.int64)
    order = np.argsort(start)
    return start[order], stop[order]


def within(spans: Spans, low: float, high: float) -> Spans:
    """Spans whose middle lies in [low, high), samples."""
    middle = (spans[0] + spans[1]) / 2
    keep = (middle >= low) & (middle < high)
    return spans[0][keep], spans[1][keep]


def outside(spans: Spans, low: float, high: float) -> Spans:
    """Spans whose middle lies outside [low, high)."""
    middle = (spans[0] + spans[1]) / 2
    keep = (middle < low) | (middle >= high)
    return spans[0][keep], spans[1][keep]


def f1(found: Spans, truth: Spans, least: float) -> tuple[float, float, float]:
    """F1, precision and recall by intersection over union."""
    seen = best_overlap(*truth, *found) >= least
    right = best_overlap(*found, *truth) >= least
    p = float(right.mean()) if right.size else 0.0
    r = float(seen.mean()) if seen.size else float("nan")
    return (2 * p * r / (p + r) if p + r else 0.0), p, r


def scored(found: Spans, truth: Spans, rate: float, until_s: float) -> dict[str, Any]:
    """Scores on the first so many seconds, with intervals over its minutes."""
    found, truth = (within(s, 0, until_s * rate) for s in (found, truth))
    out: dict[str, Any] = {"n": int(found[0].size), "n_true": int(truth[0].size)}
    for least in (0.2, 0.3):
        value, p, r = f1(found, truth, least)
        out[f"f1_{100 * least:.0f}"] = value
        if least == 0.2:
            out |= {"precision": p, "recall": r}
            seen, right = best_overlap(*truth, *found) >= 0.2, best_overlap(*found, *truth) >= 0.2
            minutes = int(until_s // 60)
            counts = np.zeros((minutes + 1, 4))
            np.add.at(counts, ((truth[0] / rate // 60).astype(int).clip(0, minutes), 0), 1)
            np.add.at(counts, ((truth[0] / rate // 60).astype(int).clip(0, minutes), 1), seen)
            np.add.at(counts, ((found[0] / rate // 60).astype(int).clip(0, minutes), 2), 1)
            np.add.at(counts, ((found[0] / rate // 60).astype(int).clip(0, minutes), 3), right)
            out["interval"] = _interval(counts)
    return out


def _interval(counts: npt.NDArray[np.float64]) -> list[float]:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(counts), (2000, len(counts)))
    sums = counts[rows].sum(axis=1)
    p = sums[:, 3] / np.maximum(sums[:, 2], 1)
    r = sums[:, 1] / np.maximum(sums[:, 0], 1)
    return [float(q) for q in np.quantile(2 * p * r / np.maximum(p + r, 1e-9), (0.025, 0.975))]


def candidates_of(record: Record) -> Found:
    """Every candidate of `events/spindles` with its probability."""
    n = record.signal.n_samples
    return by_model(record.signal, 0, n, 0, shipped("spindles"), 0.0)


def own(found: Found, threshold: float) -> Spans:
    """Candidates from a probability on."""
    keep = found.probabilities[:, 0] >= threshold
    order = np.argsort(found.start[keep])
    return found.start[keep][order], found.stop[keep][order]


def yasa(record: Record, **changed: float) -> Spans:
    """YASA's spindles, with its defaults or changed thresholds."""
    parameters = dict(YASA_SPINDLES.defaults())
    parameters["thresh"] = {**parameters["thresh"], **changed}
    n = record.signal.n_samples
    found = YASA_SPINDLES.detect(record.signal, 0, n, [0], parameters)
    return found.start, found.stop


def tuned(runs: Mapping[Any, Spans], truth: Spans, until: float, learn: Mapping[Any, Spans] | None,
          learn_truth: Spans | None) -> Spans:  # fmt: skip
    """Spans of a method whose setting is chosen on the other half of the time, or on other data."""
    if learn is not None and learn_truth is not None:
        best = max(learn, key=lambda k: f1(within(learn[k], 0, until), learn_truth, 0.2)[0])
        return runs[best]
    halves, parts = ((0.0, until / 2), (until / 2, until)), []
    for k in (0, 1):
        other = halves[1 - k]
        best = max(runs, key=lambda s: f1(within(runs[s], *other), within(truth, *other), 0.2)[0])
        parts.append(within(runs[best], *halves[k]))
    return tuple(np.concatenate(c) for c in zip(*parts, strict=True))  # type: ignore[return-value]


def reliability(found: Found, truth: Spans, until: float) -> dict[str, Any]:
    """How often candidates of each tenth of probability are an expert's spindles."""
    keep = (found.start + found.stop) / 2 < until
    p = found.probabilities[keep, 0]
    hit = best_overlap(found.start[keep], found.stop[keep], *within(truth, 0, until)) >= 0.2
    bins = np.minimum((p * 10).astype(int), 9)
    rows = [(float(p[bins == b].mean()), float(hit[bins == b].mean()), int(np.sum(bins == b)))
            for b in range(10) if np.any(bins == b)]  # fmt: skip
    ece = sum(n * abs(a - b) for a, b, n in rows) / max(len(p), 1)
    return {"bins": rows, "ece": float(ece), "n": len(p)}


def by_marks(record: Record, seeds: int) -> dict[str, Any]:
    """Taught by the first so many marks after a chosen moment, tested on all other time."""
    peer, n = yasa(record), record.signal.n_samples
    out: dict[str, Any] = {}
    for who in ("expert 1", "expert 2"):
        until = SCORED_S[who] * record.signal.rate_hz
        truth = within(record.references[who], 0, until)
        for count in MARKS:
            spare = truth[0].size - count
            if spare < 15:
                continue
            rows = []
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                first = int(rng.integers(0, spare + 1))
                low = int(truth[1][first - 1]) if first else 0
                high = int(truth[1][first + count - 1]) + 50
                marks = truth[0][first : first + count], truth[1][first : first + count]
                model = taught(record.signal, 0, marks, (low, high), name="spindle", rng=rng)
                found = by_model(record.signal, 0, n, 0, model.known, 0.5)
                order = np.argsort(found.start)
                spans = found.start[order], found.stop[order]
                rest = outside(truth, low, high)
                rows.append(
                    [
                        f1(outside(within(s, 0, until), low, high), rest, 0.2)[0]
                        for s in (spans, peer)
                    ]
                    + [(high - low) / record.signal.rate_hz / 60]
                )
            values = np.array(rows)
            out[f"{who}/{count}"] = {
                "taught": bootstrap_interval(values[:, 0], rng=np.random.default_rng(0)).to_json(),
                "yasa": bootstrap_interval(values[:, 1], rng=np.random.default_rng(0)).to_json(),
                "more": float(np.mean(values[:, 0] > values[:, 1])),
                "minutes": float(np.median(values[:, 2])),
            }
    return out


def spindles(train: Path, test: Path, same: bool, *, seeds: int) -> dict[str, Any]:
    """Everything about spindles."""
    record = Record.read(test)
    learn = None if same else Record.read(train)
    rate, found = record.signal.rate_hz, candidates_of(record)
    runs = {t: own(found, t) for t in THRESHOLDS}
    grid = [{"corr": c, "rms": r} for c in YASA_CORR for r in YASA_RMS]
    peers = {(g["corr"], g["rms"]): yasa(record, **g) for g in grid}
    other = None if learn is None else candidates_of(learn)
    learn_runs = None if other is None else {t: own(other, t) for t in THRESHOLDS}
    learn_peers = None if learn is None else {(g["corr"], g["rms"]): yasa(learn, **g) for g in grid}
    default = float(SPINDLES.defaults()["threshold"])
    out: dict[str, Any] = {"scores": {}, "reliability": {}}
    for who, until_s in SCORED_S.items():
        truth, until = record.references[who], until_s * rate
        against = None if learn is None else within(learn.references[who], 0, until)
        methods = {
            "nissl": own(found, default),
            "nissl, threshold from the other half": tuned(runs, truth, until, learn_runs, against),
            "YASA": yasa(record),
            "YASA, thresholds from the other half": tuned(
                peers, truth, until, learn_peers, against
            ),
            "DREAMS' own automatic": record.given,
        }
        if who in ("expert 1", "expert 2"):
            reader = "expert 2" if who == "expert 1" else "expert 1"
            methods[reader] = record.references[reader]
        out["scores"][who] = {
            name: scored(spans, truth, rate, 1000.0 if name == "expert 1" else until_s)
            for name, spans in methods.items()
        }
        out["reliability"][who] = reliability(found, truth, until)
    out["marks"] = by_marks(record, seeds)
    return out
