"""Raw signals: robustness to damage, speed and memory, and a labelled excerpt beside YASA."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.sleep.learner import LEARNER
from nissl.annotators.sleep.score import score
from nissl.annotators.sleep.simulate import CHANNELS, simulate_night
from nissl.annotators.sleep.task import SLEEP
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.annotators.sleep.yasa import YASA
from nissl.annotators.unlike import NOVELTY
from nissl.data import ChannelTable, Recording, Signal
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Annotator, Inputs, Result

RATE_HZ = 200.0
DREAMS_STAGES = {5: "W", 4: "R", 3: "N1", 2: "N2", 1: "N3", 0: "N3"}
"""Codes of the DREAMS hypnograms: 5 wake, 4 REM, 3 S1, 2 S2, 1 S3, 0 S4."""


def _mains(hz: float) -> Callable[[np.ndarray], np.ndarray]:
    def add(x: np.ndarray) -> np.ndarray:
        t = np.arange(len(x)) / RATE_HZ
        return x + 20 * np.sin(2 * np.pi * hz * t)[:, None]

    return add


def _flat(x: np.ndarray) -> np.ndarray:
    out = x.copy()
    out[:, 1] = 0
    return out


DAMAGE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "amplitude x 0.66": lambda x: 0.66 * x,
    "amplitude x 1.5": lambda x: 1.5 * x,
    "sign flipped": lambda x: -x,
    "one channel flat": _flat,
    "50 Hz added": _mains(50.0),
    "60 Hz added": _mains(60.0),
    "in volts": lambda x: 1e-6 * x,
    "zeros": np.zeros_like,
}


def annotated(method: Annotator, signal: Signal, recording: Recording) -> Result:
    """Result of a method on a stream, with the task's findings among its own."""
    inputs = Inputs(replace(recording, streams={"signal": signal}), "signal")
    with tempfile.TemporaryDirectory() as scratch:
        context = Context(Path(scratch))
        result = method.annotate(inputs, method.defaults(), context)
        labels = result.labels[0]
        items = result.items[0] if result.items else SLEEP.describe(labels, inputs, context)
        found = SLEEP.check(labels, items, inputs, context)
    return replace(result, findings=(*result.findings, *found))


def robustness(hours: float, seeds: int) -> dict[str, Any]:
    """Share of stages that stay, and whether an alarm stops acceptance, under damage."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        recording, _ = simulate_night(100 + seed, hours=hours, rate_hz=RATE_HZ)
        signal = recording["signal"]
        samples = signal.read()
        before = annotated(LEARNER, signal, recording)
        rows.setdefault("nothing", []).append((1.0, _alarm(before)))
        for name, damage in DAMAGE.items():
            broken = Signal.from_array(
                damage(samples).astype(np.float32), RATE_HZ, channels=signal.channels
            )
            rows.setdefault(name, []).append(
                _compared(before, annotated(LEARNER, broken, recording))
            )
        from scipy.signal import resample_poly

        for rate in (100.0, 256.0):
            up = resample_poly(samples, int(rate), int(RATE_HZ), axis=0)
            other = Signal.from_array(up.astype(np.float32), rate, channels=signal.channels)
            after = annotated(LEARNER, other, recording)
            rows.setdefault(f"{RATE_HZ:g} to {rate:g} Hz", []).append(_compared(before, after))
    return {
        name: {
            "same": float(np.mean([a for a, _ in got])),
            "alarm": float(np.mean([b for _, b in got])),
        }
        for name, got in rows.items()
    }


def _alarm(result: Result) -> float:
    return float(any(f.check == NOVELTY and f.item is None for f in result.findings))


def _compared(before: Result, after: Result) -> tuple[float, float]:
    a, b = (r.labels[0].column("label") for r in (before, after))
    n = min(len(a), len(b))
    return float(np.mean(a[:n] == b[:n])), _alarm(after)


def excerpt(path: Path) -> dict[str, Any]:
    """Agreement with the hypnogram of the DREAMS excerpt (30 min of one derivation)."""
    with np.load(path, allow_pickle=False) as held:
        samples, rate = held["x"][:, None].astype(np.float32), float(held["fs"])
        codes = held["hypnogram_5s"].astype(int)
    channels = ChannelTable.plain(("C3-A1",), kind="eeg")
    signal = Signal.from_array(samples, rate, channels=channels)
    recording = Recording(None, "npz", {"signal": signal}, fingerprint="d" * 64)
    start = (np.arange(len(codes)) * 5 * rate).astype(np.int64)
    names = [DREAMS_STAGES.get(code, "unknown") for code in codes.tolist()]
    columns = {
        "start": start,
        "stop": start + int(5 * rate),
        "label": np.asarray([HUMAN.code(n) for n in names], np.int32),
    }
    author = Author("person", "expert", "1")
    fives = LabelSet.build(
        Kind.SPANS, columns, HUMAN, Provenance("sleep", "d" * 64, author, "signal")
    )
    out: dict[str, Any] = {}
    for method in (LEARNER, YASA):
        if method.missing():
            continue
        result = annotated(method, signal, recording)
        truth = _thirty(fives, result.labels[0])
        out[method.name] = dict(score(result.labels[0], truth))
        out[method.name]["findings"] = [
            f.sentence for f in result.findings if f.item is None and f.check != "doubtful_epochs"
        ]
    return out


def _thirty(fives: LabelSet, epochs: LabelSet) -> LabelSet:
    """The stage that most of each epoch's five-second pieces have."""
    middle = (fives.column("start") + fives.column("stop")) / 2
    label = []
    for a, b in zip(epochs.column("start"), epochs.column("stop"), strict=True):
        own = fives.column("label")[(middle >= a) & (middle < b)]
        label.append(np.bincount(own, minlength=len(HUMAN)).argmax())
    columns = {
        "start": epochs.column("start"),
        "stop": epochs.column("stop"),
        "label": np.asarray(label, np.int32),
    }
    return LabelSet.build(Kind.SPANS, columns, HUMAN, fives.provenance)


def make_edf(path: Path, hours: float, rate_hz: float) -> None:
    """A simulated night of six channels as an EDF file."""
    from edfio import Edf, EdfSignal

    names = (*CHANNELS, "EEG C4-M1", "EEG C3-M2")
    recording, _ = simulate_night(1, hours=hours, rate_hz=rate_hz, channels=names)
    samples = recording["signal"].read()
    signals = [
        EdfSignal(
            np.clip(samples[:, k], -3000, 3000).astype(float),
            rate_hz,
            label=name,
            physical_dimension="uV",
            physical_range=(-3276.8, 3276.7),
        )
        for k, name in enumerate(names)
    ]
    Edf(signals).write(path)


def stage_file(path: Path, method: str) -> dict[str, float]:
    """Seconds to stage a file from opening it, and peak memory beyond what Python holds."""
    import nissl
    from nissl.run.memory import measure_peak
    from nissl.tasks import ANNOTATORS

    annotator = ANNOTATORS.get(method)
    LEARNER.known  # noqa: B018 - weights are read once per process, like imports
    begun = time.perf_counter()
    with measure_peak() as peak, tempfile.TemporaryDirectory() as scratch:
        recording = nissl.read(path)
        opened = time.perf_counter() - begun
        stream = next(iter(recording.streams))
        result = annotator.annotate(
            Inputs(recording, stream), annotator.defaults(), Context(Path(scratch))
        )
    return {
        "open_s": opened,
        "seconds": time.perf_counter() - begun,
        "peak_mb": peak.bytes / 1e6,
        "epochs": float(result.labels[0].n_rows),
    }


if __name__ == "__main__":
    told = stage_file(Path(sys.argv[1]), sys.argv[2])
    Path(sys.argv[3]).write_text(json.dumps(told), encoding="utf-8")
