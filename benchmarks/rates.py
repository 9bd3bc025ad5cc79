"""Benchmark of the task "rates": spikes per second of data sets that a method has not seen.

    python benchmarks/rates.py [--quick] [--train DATA] [--test DATA] [--out DIR] [--page FILE]

Data: paired fluorescence and spikes (`imaging/spike_inference`) in the data folder. Where both
folders are the same, whole sets are left out, `--leave` at a time; otherwise everything is learnt
from --train. Rates frame by frame and voltage imaging are measured on simulated traces. Writes
results.json, rates.md, rates.png and rates.voltage.png.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import _rates_voltage
from _common import Cell, arguments, finite, machine, one_folder, run_cell
from _rates_data import FOLDER, SIMULATED, kept, sets
from _rates_intervals import absolute
from _rates_page import markdown, plot
from nissl.annotators.rates.model import shipped
from nissl.annotators.rates.train import sigma_for

RATES_HZ = (7.5, 30.0)
STEPS = {7.5: 1000, 30.0: 1000}
"""Steps of training: more of them better nothing on sets that are left out."""
VERSIONS = {"online": 3, "voltage": 4}
"""Of the simulated parts; another one computes them again."""
SLOW = ("DS02", "DS04")
"""Sets recorded too slowly for 30 Hz."""


def folds(names: Sequence[str], leave: int) -> list[list[str]]:
    """Sets that are left out together: those far from each other in the list; simulated first."""
    real = [n for n in names if SIMULATED not in n]
    n_folds = -(-len(real) // leave)
    cut = [real[k::n_folds] for k in range(n_folds)]
    cut[0] = [*cut[0], *(n for n in names if SIMULATED in n)]
    return cut


def run(args: Any) -> dict[str, Any]:
    """Compute everything."""
    names = sets(args.test)
    if not names:
        raise SystemExit(f"no paired recordings in {FOLDER}: set NISSL_DATA or --test")
    if args.quick:
        names = names[4:8]
    same = one_folder(args.train, args.test)
    members = 1 if args.quick else args.members
    rates: dict[str, Any] = {}
    for rate_hz in args.rates:
        steps = 20 if args.quick else (args.steps or STEPS[rate_hz])
        able = [n for n in names if rate_hz < 12 or not n.startswith(SLOW)]
        found: dict[str, Any] = {}
        seconds = []
        for held in folds(able, args.leave):
            answer = _fold(args, rate_hz, held, steps, members)
            found |= answer["sets"]
            seconds.append(answer["train_s"])
        traces = kept(args.test, args.out / "test", rate_hz, sigma_for(rate_hz), sorted(found))
        rates[f"{rate_hz:g}"] = {
            "sets": found,
            "steps": steps,
            "train_s": float(np.median(seconds)),
            "absolute": absolute(args.out, rate_hz, traces),
        }
    return {
        "machine": machine(),
        "quick": args.quick,
        "leave": args.leave if same else 0,
        "members": members,
        "rates": rates,
        "speed": speed(),
        "online": part(args, "online"),
        "voltage": part(args, "voltage"),
    }


def part(args: Any, name: str) -> Mapping[str, Any]:
    """A simulated part; empty where none is wanted."""
    if name not in args.parts:
        return {}
    size = "quick" if args.quick else "full"
    script = str(Path(__file__).with_name("_rates_parts.py"))
    key = {
        "part": name,
        "v": VERSIONS[name],
        "size": size,
        "weights": shipped().digest if name == "online" else "",
    }
    cell = Cell(f"part/{name}", key, (sys.executable, script, name, size))
    return _answered(args, cell)


def _fold(
    args: Any, rate_hz: float, held: Sequence[str], steps: int, members: int
) -> Mapping[str, Any]:
    script = str(Path(__file__).with_name("_rates_work.py"))
    key = {"rate_hz": rate_hz, "held": list(held), "steps": steps, "members": members, "v": 3}
    command = (
        sys.executable, script, str(args.train), str(args.test), str(args.out), str(rate_hz),
        ",".join(held), str(steps), str(members),
    )  # fmt: skip
    cell = Cell(f"{rate_hz:g}/{held[0][:4]}", key, command)
    return _answered(args, cell)


def _answered(args: Any, cell: Cell) -> Mapping[str, Any]:
    answer = run_cell(cell, args.out / "cells", timeout_s=args.timeout, fresh=args.fresh)
    if "result" not in answer:
        raise SystemExit(f"{cell.name}: {answer.get('error')}")
    print(cell.name, round(answer["process_s"]), "s", flush=True)
    return dict(answer["result"])


def speed(n: int = 20, n_frames: int = 10_000) -> dict[str, float]:
    """Seconds to infer rates, intervals and spikes of traces at 30 Hz, on one core."""
    import time

    from nissl.annotators.rates.method import inferred

    dff = np.random.default_rng(0).normal(0, 0.1, (n, n_frames))
    model = shipped()
    began = time.perf_counter()
    for trace in dff:
        inferred(model, trace, 30.0)
    return {"traces": n, "frames": n_frames, "s": time.perf_counter() - began}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("rates", (__doc__ or "").split("\n")[0])
    parser.add_argument("--leave", type=int, default=1, help="sets that are left out together")
    parser.add_argument("--rates", type=float, nargs="*", default=RATES_HZ, help="frame rates")
    parser.add_argument("--steps", type=int, help="steps of training")
    parser.add_argument("--members", type=int, default=4, help="networks of the ensemble")
    parser.add_argument("--parts", nargs="*", default=tuple(VERSIONS), help="simulated parts")
    args = parser.parse_args(argv)
    results = finite(run(args))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    pictures = ("rates.png", "rates.voltage.png")
    plot(results, args.out / pictures[0])
    if results["voltage"]:
        _rates_voltage.plot(results["voltage"], args.out / pictures[1])
    (args.out / "rates.md").write_text(markdown(results, *pictures), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        for name in (*pictures[: 1 + bool(results["voltage"])], "rates.md"):
            shutil.copy(args.out / name, args.page.parent / name)
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
    print(f"{args.out / 'results.json'}, rates.md, rates.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
