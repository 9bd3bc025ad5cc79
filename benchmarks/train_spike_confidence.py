"""Train the confidence of spikes of `spikes/nissl` on recordings whose spikes are known.

    python benchmarks/train_spike_confidence.py --train ../shared/data \
        --out build/benchmarks/confidence \
        --write src/nissl/annotators/spikes/own/confidence/model.json

Recordings: simulated without and with drift, and hybrids of real units that are there to tune on;
none of their seeds is reported on by `spikes.py`. Among their units are decoys, so that chance is
seen too. Tetrodes are not among them: cells of their real background are in no truth, and would
teach that good units are none. Each recording is sorted once and what speaks for its spikes is
kept, so that a second run goes on where the first stopped. What is written is fitted to all of
them; how well it holds is said of kinds of recordings that were left out in turn.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

import nissl
from _common import arguments
from _spikes_specs import Spec
from _spikes_work import make
from nissl.annotators.spikes.own.confidence.evidence import COLUMNS
from nissl.annotators.spikes.own.confidence.model import Weighing, terms
from nissl.annotators.spikes.own.sorter import Fitted, evidence_of, fit, matched_spikes
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.rawfile import describe_raw, raw_options
from nissl.run.context import Context

Values = npt.NDArray[np.float64]
TOLERANCE_S = 0.4e-3
LEAST_MATCH = 0.1
RIDGE = 100.0
DECOYS = 4
"""Units per decoy."""
DECOY_NORM = (5.0, 10.0)
WEIGHT = 20_000
"""Spikes that a recording counts for at most, so that no kind outweighs the others."""
_STATIC = {"n_channels": 32, "duration_s": 120.0, "n_units": 24}
_HYBRID = {"n_channels": 32, "duration_s": 120.0, "n_units": 16}


def recordings(n_seeds: int) -> list[Spec]:
    """Recordings to train on, kinds in turn."""
    out = []
    for seed in range(100, 100 + n_seeds):
        out += [
            Spec(f"static-{seed}", "static", "simulated", {**_STATIC, "seed": seed}),
            Spec(f"hybrid-{seed}", "hybrid", "hybrid", {**_HYBRID, "seed": seed}),
            Spec(
                f"rigid-{seed}",
                "rigid",
                "simulated",
                {**_STATIC, "drift": "rigid", "seed": seed},
            ),
            Spec(
                f"nonrigid-{seed}",
                "nonrigid",
                "simulated",
                {**_STATIC, "drift": "nonrigid", "seed": seed},
            ),
        ]
    return out


def evidence_with_truth(spec: Spec, folders: tuple[Path, Path], folder: Path) -> dict[str, Values]:
    """Sort one recording; evidence of each spike, and whether it is true."""
    path = folder / "recording.bin"
    truth = make(spec, folders, "tune", path)
    describe_raw(truth.recording.signal, path)
    signal = nissl.read(path, **raw_options(path)).signal
    columns = list(range(signal.n_channels))
    context = Context(folder, seed=0)
    fitted = with_decoys(fit(signal, columns, (300.0, 6000.0), context, "finding units"))
    placed = matched_spikes(signal, fitted, context, "matching")
    sample = np.round(placed.exact).astype(np.int64) - fitted.front.delay
    unit = fitted.unit[placed.spikes.unit] if fitted.unit.size else placed.spikes.unit
    item, true = truth.truth.column("item"), truth.truth.column("sample")
    right = true_spikes(item, true, unit, sample, round(TOLERANCE_S * signal.rate_hz))
    return {"columns": evidence_of(placed, fitted, signal), "right": right, "unit": unit}


def with_decoys(fitted: Fitted) -> Fitted:
    """A fitted sorter with units that are none: what chance finds with them teaches what chance is.

    Each decoy is the waveform of a unit on its three largest channels, the other way round in time
    and upside down, put elsewhere on the probe and scaled to a size at which chance events happen.
    """
    held = fitted.templates
    if held is None:
        return fitted
    rng = np.random.default_rng(0)
    n_channels = held.waveforms.shape[2]
    decoys = []
    for unit in rng.integers(len(held), size=max(2, len(held) // DECOYS)):
        large = np.sort(held.channels[unit][: min(3, n_channels)])
        first = int(rng.integers(n_channels - large.size + 1))
        turned = -held.waveforms[unit][::-1, large]
        turned = np.roll(turned, 2 * held.windows.long_before - held.windows.long + 1, axis=0)
        wave = np.zeros_like(held.waveforms[:1])
        wave[0, :, first : first + large.size] = turned
        norm = float(Templates(wave, held.basis, np.ones(1), held.windows).norms[0]) ** 0.5
        decoys.append(wave * np.float32(rng.uniform(*DECOY_NORM) / max(norm, 1e-6)))
    waves = np.concatenate([held.waveforms, *decoys])
    rates = np.append(held.rate_hz, np.full(len(decoys), float(np.median(held.rate_hz))))
    own = fitted.unit if fitted.unit.size else np.arange(len(held))
    unit = np.append(own, own.max() + 1 + np.arange(len(decoys)))
    return replace(fitted, templates=Templates(waves, held.basis, rates, held.windows), unit=unit)


def true_spikes(
    true_unit: npt.NDArray[np.int64],
    true_at: npt.NDArray[np.int64],
    unit: npt.NDArray[np.int64],
    at: npt.NDArray[np.int64],
    tolerance: int,
) -> npt.NDArray[np.bool_]:
    """Which spikes are of the true unit that theirs matches best; none of a unit without one."""
    from scipy.optimize import linear_sum_assignment

    names, found = np.unique(true_unit), np.unique(unit)
    trains = [np.sort(true_at[true_unit == name]) for name in names]
    hits = {}
    share = np.zeros((names.size, found.size))
    for j, name in enumerate(found):
        own = np.flatnonzero(unit == name)
        # a sorter's moment and the truth's may differ by a constant, which reports take out
        for i, train in enumerate(trains):
            best = max(
                (nearest(train, at[own] + late, tolerance) for late in range(-24, 25, 6)),
                key=lambda hit: int(hit.sum()),
            )
            hits[i, j] = own, best
            both = int(best.sum())
            share[i, j] = both / max(train.size + own.size - both, 1)
    right = np.zeros(unit.size, bool)
    for i, j in zip(*linear_sum_assignment(-share), strict=True):
        if share[i, j] >= LEAST_MATCH:
            own, best = hits[i, j]
            right[own[best]] = True
    return right


def nearest(
    train: npt.NDArray[np.int64], at: npt.NDArray[np.int64], tolerance: int
) -> npt.NDArray[np.bool_]:
    """Which events have a true spike within the tolerance that no other event before them took."""
    place = np.searchsorted(train, at)
    before, after = np.maximum(place - 1, 0), np.minimum(place, train.size - 1)
    closer = np.where(np.abs(train[before] - at) <= np.abs(train[after] - at), before, after)
    near = np.abs(train[closer] - at) <= tolerance
    first = np.zeros(at.size, bool)
    first[np.unique(np.where(near, closer, -1 - np.arange(at.size)), return_index=True)[1]] = True
    return near & first


def fit_weights(parts: list[dict[str, Values]]) -> Weighing:
    """Ridge-penalised logistic regression; each recording counts alike."""
    from scipy.optimize import minimize

    every = np.concatenate([part["columns"] for part in parts])
    right = np.concatenate([part["right"] for part in parts]).astype(np.float64)
    weight = np.concatenate(
        [np.full(len(p["right"]), min(1.0, WEIGHT / max(len(p["right"]), 1))) for p in parts]
    )
    middle, scale = every.mean(axis=0), np.maximum(every.std(axis=0), 1e-3)
    x = terms(every, middle, scale)

    def loss(theta: Values) -> tuple[float, Values]:
        odds = x @ theta[:-1] + theta[-1]
        value = np.sum(weight * (np.logaddexp(0, odds) - right * odds))
        wrong = weight * (1 / (1 + np.exp(-odds)) - right)
        gradient = np.append(x.T @ wrong + 2 * RIDGE * theta[:-1], wrong.sum())
        return float(value + RIDGE * np.sum(theta[:-1] ** 2)), gradient

    theta = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return Weighing(middle, scale, theta[:-1], float(theta[-1]))


def judged(weighing: Weighing, parts: list[dict[str, Values]]) -> dict[str, float]:
    """Calibration error (ten equal bins) and Brier skill."""
    p = np.concatenate([weighing(part["columns"]) for part in parts]).astype(np.float64)
    right = np.concatenate([part["right"] for part in parts]).astype(np.float64)
    bins = np.minimum((p * 10).astype(int), 9)
    error = sum(
        abs(float(p[bins == b].mean() - right[bins == b].mean())) * float(np.mean(bins == b))
        for b in np.unique(bins)
    )
    spread = max(float(right.var()), 1e-12)
    return {
        "spikes": int(right.size),
        "true": float(right.mean()),
        "ece": error,
        "brier_skill": 1 - float(np.mean((p - right) ** 2)) / spread,
    }


def main(argv: list[str] | None = None) -> int:
    """Sort, fit, judge, write."""
    parser: argparse.ArgumentParser = arguments("confidence", (__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=2, help="recordings of each kind")
    parser.add_argument("--write", type=Path, help="file of weights")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    held: dict[str, dict[str, Any]] = {}
    for spec in recordings(1 if args.quick else args.seeds):
        kept = args.out / f"{spec.name}.npz"
        if not kept.is_file():
            with TemporaryDirectory(dir=args.out) as folder:
                part = evidence_with_truth(spec, (args.train, args.train), Path(folder))
            with (args.out / f"{spec.name}.part").open("wb") as file:
                np.savez(file, **part)
            (args.out / f"{spec.name}.part").replace(kept)
        held[spec.name] = dict(np.load(kept))
        print(spec.name, len(held[spec.name]["right"]), held[spec.name]["right"].mean(), flush=True)
    kinds = sorted({name.partition("-")[0] for name in held})
    others: dict[str, Any] = {}
    for kind in kinds:
        rest = [part for name, part in held.items() if not name.startswith(kind)]
        own = [part for name, part in held.items() if name.startswith(kind)]
        others[kind] = judged(fit_weights(rest), own)
    weighing = fit_weights(list(held.values()))
    out = {
        "columns": list(COLUMNS),
        "middle": weighing.middle.tolist(),
        "scale": weighing.scale.tolist(),
        "weight": weighing.weight.tolist(),
        "intercept": weighing.intercept,
        "trained_on": sorted(held),
        "kinds_left_out_in_turn": others,
        "nissl": nissl.__version__,
    }
    (args.out / "results.json").write_text(json.dumps(out, indent=1), encoding="utf-8")
    print(json.dumps(others, indent=1))
    if args.write:
        args.write.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
