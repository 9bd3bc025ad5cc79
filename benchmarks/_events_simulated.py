"""Events of exact truth over the background's slope and the signal-to-noise ratio.

F1, and how far rates and durations are off: what a study that compares groups needs to know,
since groups differ in their slopes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.events.score import score
from nissl.annotators.events.simulate import simulate
from nissl.labels import LabelSet
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, Inputs
from nissl.trust.intervals import bootstrap_interval

SLOPES = (0.8, 1.2, 1.6, 2.0)
CASES: Mapping[str, tuple[str, float, tuple[float, ...], Mapping[str, Mapping[str, Any]]]] = {
    "beta burst": (
        "events/bursts",
        20.0,
        (2.0, 3.0, 5.0),
        {
            "background": {},
            "percentile": {"definition": "percentile"},
            "cycles": {"definition": "cycles"},
        },
    ),
    "spindle": ("events/spindles", 4.0, (4.0, 6.0, 9.0), {"nissl": {}, "YASA": {}}),
    "slow wave": (
        "events/slow-waves",
        4.0,
        (3.0, 5.0, 8.0),
        {"nissl": {}, "nissl, absolute": {"limits": "absolute"}, "YASA": {}},
    ),
}
"""Kind: method, events a minute, signal-to-noise ratios, and its variants."""
PEERS = {"spindle": "events/yasa-spindles", "slow wave": "events/yasa-slow-waves"}
DURATION_S = 300.0


def simulated(*, seeds: int) -> dict[str, Any]:
    """Scores by kind, variant, slope and ratio; means over seeds with intervals."""
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for kind, (method, per_minute, ratios, variants) in CASES.items():
            for variant, changed in variants.items():
                name = PEERS[kind] if variant == "YASA" else method
                for slope in SLOPES:
                    for snr in ratios:
                        rows = [
                            _one(kind, name, changed, per_minute, slope, snr, seed, Path(scratch))
                            for seed in range(seeds)
                        ]
                        key = f"{kind}/{variant}/{slope:g}/{snr:g}"
                        out[key] = _summary(rows)
                    print(f"simulated {kind}, {variant}, slope {slope}", flush=True)
                rows = [
                    _one(kind, name, changed, 0.0, 1.6, 1.0, seed, Path(scratch))
                    for seed in range(seeds)
                ]
                out[f"{kind}/{variant}/none"] = {
                    "false_per_min": float(np.mean([r["n"] for r in rows])) / (DURATION_S / 60)
                }
    return out


def _one(
    kind: str,
    name: str,
    changed: Mapping[str, Any],
    per_minute: float,
    slope: float,
    snr: float,
    seed: int,
    scratch: Path,
) -> dict[str, float]:
    recording, truth = simulate(
        100 + seed,
        kinds={kind: per_minute} if per_minute else {},
        duration_s=DURATION_S,
        n_channels=1,
        slope=slope,
        snr=snr,
    )
    method = ANNOTATORS.get(name)
    parameters = {**method.defaults(), **changed}
    labels = method.annotate(Inputs(recording, "eeg"), parameters, Context(scratch)).labels[0]
    if not per_minute:
        return {"n": float(labels.n_rows)}
    return {
        "n": float(labels.n_rows),
        "f1": float(np.nan_to_num(score(labels, truth)["f1_iou20"])),
        "rate_bias": labels.n_rows / truth.n_rows - 1,
        "duration_bias": _mean_s(labels) / _mean_s(truth) - 1 if labels.n_rows else float("nan"),
    }


def _mean_s(labels: LabelSet) -> float:
    return float(np.mean(labels.column("stop") - labels.column("start")))


def _summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    f1 = bootstrap_interval([r["f1"] for r in rows], rng=np.random.default_rng(0), n=500)
    return {
        "f1": f1.to_json(),
        "rate_bias": float(np.mean([r["rate_bias"] for r in rows])),
        "duration_bias": _known_mean([r["duration_bias"] for r in rows]),
    }


def _known_mean(values: list[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else float("nan")
