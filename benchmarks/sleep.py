"""Benchmark of the task "sleep": stages of people that a method has not seen.

    python benchmarks/sleep.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Data: numbers of Sleep-EDF nights (`eeg/sleep_edf`), subthalamic field potentials
(`eeg/stn_lfp_sleep`) and the DREAMS excerpt (`eeg/dreams_spindles`) in the data folder. Where both
folders are the same, each subject is left out in turn; otherwise everything is learnt from
--train. The shipped weights are scored on the excerpt only: they have seen the other nights.
Writes results.json, sleep.md and sleep.png.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _common import Cell, arguments, finite, machine, one_folder, run_cell
from _sleep_lfp import field_potentials
from _sleep_page import markdown, plot
from _sleep_raw import excerpt, make_edf, robustness
from _sleep_work import PEERS, active, folds, nissl, peer, personal, scored, told
from nissl.annotators.sleep.sleep_edf import read_nights

SIZES = (50, 100, 200, 400, 800, 1600)


def run(train: Path, test: Path, out: Path, *, quick: bool, seeds: int) -> dict[str, Any]:
    """Compute everything."""
    same = one_folder(train, test)
    learn, held = (read_nights(path / "eeg" / "sleep_edf") for path in (train, test))
    if quick:
        learn, held = ([n for n in nights if n.subject < "03"] for nights in (learn, held))
    kept = out / "learners"
    runs = [folds(learn, held, same, seed, kept) for seed in range(seeds)]
    cuts = runs[0]
    methods = {"sleep/nissl": scored([told(run, nissl) for run in runs], calibrated=True)}
    for name in PEERS:
        got = told(cuts, lambda h, n, name=name: peer(name, h, n))  # type: ignore[misc]
        methods[name] = scored([got], calibrated=False)
        print(f"{name}: kappa {methods[name]['kappa']:.3f}", flush=True)
    results = {
        "machine": machine(),
        "quick": quick,
        "split": "each subject left out in turn" if same else "other data",
        "seeds": seeds,
        "nights": len(held),
        "subjects": sorted({night.subject for night in held}),
        "epochs": sum(len(night.stage) for night in held),
        "methods": methods,
        "personal": personal(cuts, 1 if quick else 5),
        "active": active(
            cuts[:2] if quick else cuts, 1 if quick else 3, SIZES[: 3 if quick else 6]
        ),
        "field_potentials": field_potentials(test / "eeg" / "stn_lfp_sleep"),
        "robustness": robustness(0.5 if quick else 3.0, 1 if quick else 3),
        "speed": speed(out, 0.5 if quick else 8.0),
    }
    one = test / "eeg" / "dreams_spindles" / "excerpt1.npz"
    results["excerpt"] = excerpt(one) if one.is_file() else {}
    return results


def speed(out: Path, hours: float) -> dict[str, Any]:
    """Seconds and memory to stage a six-channel EDF, each method in a process of its own."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "night.edf"
    make_edf(path, hours, 256.0)
    found: dict[str, Any] = {"hours": hours, "channels": 6, "rate_hz": 256.0}
    script = str(Path(__file__).with_name("_sleep_raw.py"))
    for method in ("sleep/nissl", "sleep/yasa"):
        cell = Cell(method, {"hours": hours}, (sys.executable, script, str(path), method))
        answer = run_cell(cell, out / "cells", fresh=True)
        found[method] = answer.get("result") or {"error": answer.get("error")}
    path.unlink()
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("sleep", (__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=2, help="how often everything is learnt")
    args = parser.parse_args(argv)
    seeds = 1 if args.quick else args.seeds
    results = finite(run(args.train, args.test, args.out, quick=args.quick, seeds=seeds))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "sleep.png")
    (args.out / "sleep.md").write_text(markdown(results, "sleep.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / "sleep.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        page = markdown(results, args.page.with_suffix(".png").name)
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, sleep.md, sleep.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
