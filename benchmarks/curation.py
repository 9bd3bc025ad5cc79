"""Benchmark of the task "curation": unit quality in mice that a method has not seen.

    python benchmarks/curation.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Data: UnitRefine's published metrics and votes (Jain et al. 2025), `ephys/curation/unitrefine_base`
in the data folder. Where both folders are the same, each mouse is left out in turn; otherwise
everything is learnt from --train. The shipped weights are not scored: they have seen these mice.
Writes results.json, curation.md and curation.png.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _common import arguments, finite, machine, one_folder
from _curation_page import markdown, plot
from _curation_robust import robustness
from _curation_work import (
    METHODS,
    UNCALIBRATED,
    Data,
    acceptance,
    folds,
    personal,
    predictions,
    scored,
)

RANDOM = ("nissl", "nissl, all metrics", "gradient boosting", "random forest, all metrics")


def run(train: Path, test: Path, *, quick: bool) -> dict[str, Any]:
    """Compute everything."""
    same = one_folder(train, test)
    learn = Data.read(train)
    held = Data.read(test).like(learn)
    cuts = folds(learn, held, same)
    seeds = 1 if quick else 5
    methods = {}
    for name in METHODS:
        runs = [predictions(cuts, name, s) for s in range(seeds if name in RANDOM else 1)]
        methods[name] = scored(cuts, runs, name not in UNCALIBRATED)
        print(f"{name}: {methods[name]['balanced_accuracy']['estimate']:.3f}", flush=True)
    return {
        "machine": machine(),
        "quick": quick,
        "split": "each mouse left out in turn" if same else "other data",
        "seeds": seeds,
        "units": len(held.mapped),
        "mice": sorted(set(held.mouse.tolist())),
        "methods": methods,
        "robustness": robustness(cuts),
        "acceptance": acceptance(cuts, seeds),
        "personal": personal(cuts, seeds),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    args = arguments("curation", (__doc__ or "").split("\n")[0]).parse_args(argv)
    results = finite(run(args.train, args.test, quick=args.quick))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "curation.png")
    (args.out / "curation.md").write_text(markdown(results, "curation.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / "curation.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        page = markdown(results, args.page.with_suffix(".png").name)
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, curation.md, curation.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
