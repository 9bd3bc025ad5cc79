"""Benchmark of pretraining without labels: score against number of labels, with and without.

    python benchmarks/pretraining.py [--quick] [--train DATA] [--test DATA] [--out DIR]
        [--page FILE]

Data: steady-state responses (`eeg/ssvep_exo`) in the data folder, and simulated nights. Subjects
that are scored are seen neither with nor without labels. Where both folders are the same the
subjects are left out in thirds; otherwise everything is learnt from --train. Needs PyTorch.
Writes results.json, pretraining.md and pretraining.png.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _common import arguments, finite, machine, one_folder
from _pretraining_page import markdown, plot
from _pretraining_work import Data, correlations, fold, nights, ssvep
from nissl.trust.intervals import bootstrap_interval


def cuts(known: Data, held: Data, same: bool, seed: int, quick: bool) -> list[tuple[Data, Data]]:
    """What is learnt from, and who is scored; every subject once."""
    if not same:
        return [(known, held)]
    order = np.random.default_rng([seed, 5]).permutation(known.subjects)
    parts = [part.tolist() for part in np.array_split(order, min(3, len(order)))]
    pairs = [
        (known.of([s for s in known.subjects if s not in part]), known.of(part)) for part in parts
    ]
    return pairs[:1] if quick else pairs


def summed(folds: Sequence[dict[str, Any]], key: str) -> dict[str, Any]:
    """Scores of all folds, by way (and number of labels), as mean with interval over subjects."""
    gathered: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for one in folds:
        for way, found in one[key].items():
            nested = found if key == "ways" else {"": found}
            for minutes, scores in nested.items():
                own = gathered.setdefault((way, minutes), {})
                for subject, kappa in scores.items():
                    own.setdefault(subject, []).append(kappa)
    out: dict[str, Any] = {}
    for (way, minutes), scores in gathered.items():
        told = summary(scores)
        if key == "ways":
            out.setdefault(way, {})[minutes] = told
        else:
            out[way] = told
    return out


def summary(scores: dict[str, list[float]]) -> dict[str, Any]:
    """Mean over subjects of the mean over seeds, and its bootstrap interval."""
    means = np.array([np.nanmean(values) for values in scores.values()])
    interval = bootstrap_interval(means, rng=np.random.default_rng(0))
    return {**interval.to_json(), "subjects": dict(zip(scores, means.tolist(), strict=True))}


def run(train: Path, test: Path, *, quick: bool) -> dict[str, Any]:
    """Compute everything."""
    same = one_folder(train, test)
    n, hours, seeds = (4, 0.5, 1) if quick else (12, 1.0, 2)
    night = nights(n, hours)
    sets = {"simulated nights": (night, night, True, seeds)}
    if (test / "eeg" / "ssvep_exo").is_dir():
        known = ssvep(train, 4 if quick else 8)
        held = known if same else ssvep(test, 4 if quick else 8)
        sets["ssvep_exo"] = (known, held, same, 1 if quick else 2)
    results: dict[str, Any] = {"machine": machine(), "quick": quick, "data": {}}
    for name, (known, held, own, repeats) in sets.items():
        folds = []
        for seed in range(repeats):
            for a, b in cuts(known, held, own, seed, quick):
                folds.append(fold(a, b, quick=quick, seed=seed))
                print(f"{name}: {len(folds)} folds", flush=True)
        results["data"][name] = {
            "subjects": len(held.subjects),
            "windows": len(held.y),
            "window_s": held.grid.length_s,
            "seeds": repeats,
            "ways": summed(folds, "ways"),
            "new": summed(folds, "new"),
        }
    if "ssvep_exo" in sets:
        floor = {k: [v] for k, v in correlations(sets["ssvep_exo"][1]).items()}
        results["data"]["ssvep_exo"]["correlations"] = summary(floor)
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    args = arguments("pretraining", (__doc__ or "").split("\n")[0]).parse_args(argv)
    results = finite(run(args.train, args.test, quick=args.quick))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "pretraining.png")
    page = markdown(results, "pretraining.png")
    (args.out / "pretraining.md").write_text(page, encoding="utf-8")
    if args.page is not None:
        shutil.copy(args.out / "pretraining.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, pretraining.md, pretraining.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
