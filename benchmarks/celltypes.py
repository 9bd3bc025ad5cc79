"""Benchmark of the task "celltypes": kinds of neurons in animals that a method has not seen.

    python benchmarks/celltypes.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Data: `ephys/celltypes` in the data folder (tagged cells of CellExplorer's collection; units of
Lakunina's and Jia's recordings and WaveMAP's where they are there). Where both folders are the
same, each animal is left out in turn; otherwise everything is learnt from --train. The encoders
are those that nissl ships, which have seen simulated units only; the classifiers that it ships
are not scored on these cells, some of which taught them. Writes results.json, celltypes.md and
celltypes.png.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _celltypes_data import CLASSES, Cells, cellexplorer, jia, lakunina, macaque
from _celltypes_page import markdown, plot
from _celltypes_robust import robustness, speed
from _celltypes_work import (
    by_session,
    calibration,
    claimed,
    clusters,
    few_labels,
    folds,
    methods,
    predictions,
    scored,
    stacked,
    strangers,
    transferred,
    within_lab,
)
from _common import arguments, finite, machine, one_folder
from nissl.annotators.celltypes.encoder import Encoder
from nissl.annotators.celltypes.inputs import curve
from nissl.annotators.celltypes.model import shipped
from nissl.errors import MissingDependencyError, NisslError

Encoders = Mapping[str, Encoder]
SEEDED = ("nissl", "nissl, real waveforms")


def run(train: Path, test: Path, *, quick: bool) -> dict[str, Any]:
    """Compute everything."""
    same = one_folder(train, test)
    learn, held = cellexplorer(train), cellexplorer(test)
    sets = encoder_sets(train, quick)
    cuts = folds(learn, held, same)
    label, animal, lab = stacked(cuts)
    alone = tuple(n for n in CLASSES if same and len(set(animal[label == n])) == 1)
    counted = tuple(n for n in CLASSES if n not in alone and n in set(label.tolist()))
    seeds = 1 if quick else 3
    found: dict[str, Any] = {}
    for name, method in methods(sets).items():
        n = seeds if name in SEEDED else 1
        runs = [predictions(cuts, method, seed) for seed in range(n)]
        found[name] = scored(runs[0], label, animal, counted)
        found[name]["seeds"] = [
            scored(p, label, animal, counted)["balanced_accuracy"] for p in runs
        ]
        found[name]["within_lab"] = within_lab(runs[0], label, lab)
        found[name]["calibration"] = calibration(runs[0], label, animal, counted)
        if alone:
            found[name]["alone"] = sessions(learn, held, method)
        print(f"{name}: {found[name]['balanced_accuracy']:.3f}", flush=True)
    out: dict[str, Any] = {
        "machine": machine(),
        "quick": quick,
        "split": "each animal left out in turn" if same else "other data",
        "cells": {n: int((label == n).sum()) for n in CLASSES},
        "animals": {n: len(set(animal[label == n])) for n in CLASSES},
        "counted": counted,
        "alone": alone,
        "methods": found,
        "claimed": claimed(cuts, sets[""], 0),
    }
    part = {k: sets[k] for k in ("", "no pretraining")}
    out["few_labels"] = few_labels(cuts, part, 1 if quick else 3, counted)
    out |= elsewhere(learn, test, cuts, sets)
    out["robustness"] = robustness(learn, test, sets[""])
    out["speed"] = speed(200 if quick else 1000)
    return out


def encoder_sets(train: Path, quick: bool) -> dict[str, Encoders]:
    """Encoders to compare: shipped (simulations), none, and, with PyTorch, real waveforms."""
    out: dict[str, Encoders] = {"": shipped().frame.encoders, "no pretraining": {}}
    if quick:
        return out
    try:
        from nissl.annotators.celltypes.pretrain import pretrain

        waves = [lakunina(train), jia(train), macaque(train)[0]]
        real = pretrain({"waveform": _together(waves)}, seed=0)
    except (MissingDependencyError, NisslError, OSError) as error:
        print(f"no encoders of real waveforms: {error}", flush=True)
        return out
    return out | {"real waveforms": real}


def sessions(learn: Cells, held: Cells, method: Any) -> dict[str, Any]:
    """Recall of classes known from one animal, that animal's other sessions known."""
    out: dict[str, Any] = {}
    for name, known, test in by_session(learn, held):
        called = predictions([(name, known, test)], method, 0).argmax(axis=1)
        for kind in sorted(set(test.label)):
            rows = test.label == kind
            row = out.setdefault(kind, {"n": 0, "right": 0})
            row["n"] += int(rows.sum())
            row["right"] += int((called[rows] == CLASSES.index(kind)).sum())
    return out


def elsewhere(
    learn: Cells, test: Path, cuts: Sequence[tuple[str, Cells, Cells]], sets: Mapping[str, Encoders]
) -> dict[str, Any]:
    """Other laboratories, species and probes, as far as their data are there."""
    out: dict[str, Any] = {"transfer": {}, "strangers": {}, "clusters": {}}
    others = {}
    for name, read in (("A1, silicon probe", lakunina), ("mouse, Neuropixels", jia)):
        try:
            others[name] = read(test)
        except NisslError as error:
            print(f"left out: {error}", flush=True)
    if "A1, silicon probe" in others:
        a1 = others["A1, silicon probe"]
        for name, encoders in sets.items():
            out["transfer"][name or "nissl"] = {
                "to A1": transferred(_waveforms(learn), a1, encoders, 0),
                "from A1": transferred(a1, _waveforms(learn), encoders, 0),
            }
    try:
        monkey, cluster = macaque(test)
    except NisslError as error:
        print(f"left out: {error}", flush=True)
    else:
        others["macaque"] = monkey
        for name, encoders in sets.items():
            if "waveform" in encoders:
                out["clusters"][name or "nissl"] = clusters(monkey, cluster, encoders, 0)
    if others:
        out["strangers"] = strangers(learn, others, cuts, sets[""], 0)
    return out


def _waveforms(cells: Cells) -> Cells:
    """The same cells with nothing but their waveforms."""
    from dataclasses import replace

    values = cells.table.values.copy()
    names = cells.table.names
    values[:, [k for k, n in enumerate(names) if not n.startswith("wave_")]] = float("nan")
    return replace(cells, table=replace(cells.table, values=values))


def _together(parts: Sequence[Cells]) -> Any:
    import numpy as np

    return np.concatenate([curve(cells.table, "waveform") for cells in parts])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    args = arguments("celltypes", (__doc__ or "").split("\n")[0]).parse_args(argv)
    results = finite(run(args.train, args.test, quick=args.quick))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "celltypes.png")
    (args.out / "celltypes.md").write_text(markdown(results, "celltypes.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / "celltypes.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        page = markdown(results, args.page.with_suffix(".png").name)
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, celltypes.md, celltypes.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
