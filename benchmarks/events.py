"""Benchmark of the task "events": spindles, seizures, and bursts of known truth.

    python benchmarks/events.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Data: the DREAMS excerpt (`eeg/dreams_spindles`), clips of one dog (`eeg/ieeg_dog_seizures`) and
Bonn's segments (`eeg/bonn_seizure`). Where both folders are the same, seizures are left out whole
and other material by stretches of time; otherwise everything is learnt from --train. Writes
results.json, events.md and events.png.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _common import arguments, finite, machine, one_folder
from _events_page import markdown, plot
from _events_robust import robustness
from _events_seizures import bonn, seizures
from _events_simulated import simulated
from _events_spindles import spindles


def run(train: Path, test: Path, *, quick: bool) -> dict[str, Any]:
    """Compute everything."""
    same = one_folder(train, test)
    out: dict[str, Any] = {"machine": machine(), "quick": quick, "same_folder": same}
    out["spindles"] = spindles(train, test, same, seeds=3 if quick else 20)
    print("spindles done", flush=True)
    out["seizures"] = seizures(train, test, same, quick=quick)
    print("seizures done", flush=True)
    out["bonn"] = bonn(train, test, same, seeds=1 if quick else 5)
    print("bonn done", flush=True)
    out["robustness"] = robustness(duration_s=300.0 if quick else 900.0)
    print("robustness done", flush=True)
    out["simulated"] = simulated(seeds=1 if quick else 5)
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    args = arguments("events", (__doc__ or "").split("\n")[0]).parse_args(argv)
    results = finite(run(args.train, args.test, quick=args.quick))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "events.png")
    (args.out / "events.md").write_text(markdown(results, "events.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / "events.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        page = markdown(results, args.page.with_suffix(".png").name)
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, events.md, events.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
