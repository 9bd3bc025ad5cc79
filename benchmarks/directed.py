"""Directed dependence: reference values, delays, networks whose arrows are known.

    python benchmarks/directed.py --test ../shared/data --out build/benchmarks/directed
    python benchmarks/directed.py --parts te,dcm --quick

Nothing is trained or tuned on `--train` or on `--test`: the choices of `nissl.align.directed` were
made on its own simulations and on the literature. Each cell is kept; `--parts` computes some.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nissl
from _common import Cell, arguments, finite, kept_result, machine, names, run_cell, write_result
from _directed_page import markdown, plot

FOLDER = Path("glue/directed")
FEEDBACK = ("Network1_amp", "Network2_amp", "Network3_amp", "Network4_amp", "Network5_amp")
PARTS = ("te", "lorenz", "netsim", "feedback", "series", "spikes", "dcm", "rdcm", "voi")


def parser() -> argparse.ArgumentParser:
    """Arguments of this benchmark."""
    out = arguments("directed", (__doc__ or "").partition("\n")[0])
    out.add_argument("--parts", type=names, default=PARTS, help="comma-separated: what to compute")
    out.add_argument("--cell", help=argparse.SUPPRESS)
    out.add_argument("answer", nargs="?", type=Path, help=argparse.SUPPRESS)
    return out


def tasks(quick: bool) -> dict[str, list[dict[str, Any]]]:
    """Work of each part."""
    few = 4 if quick else 50
    return {
        "te": [{"how": "te"}],
        "lorenz": [{"how": "lorenz", "trials": 10 if quick else 40}],
        "netsim": [
            {"how": "network", "file": f"netsim/netsim_sim0{sim}", "interval_s": 3.0, "n": n}
            for sim, n in ((1, few), (2, few), (3, few), (4, 1 if quick else 5), (5, few))
        ],
        "feedback": [
            {"how": "network", "file": f"feedback_fmri_sims/{name}", "interval_s": 1.2, "n": few}
            for name in FEEDBACK[: 1 if quick else 5]
        ],
        "series": [
            {"how": "series", "kind": kind, "seeds": 3 if quick else 30}
            for kind in ("autoregression", "mixed", "blood_flow", "slow")
        ],
        "spikes": [
            {"how": "spikes", "seed": seed, "duration_s": 60.0 if quick else 240.0}
            for seed in range(1 if quick else 8)
        ],
        "dcm": [
            {"how": "dcm", "first": first, "n": 1 if quick else 5}
            for first in range(0, 1 if quick else 20, 5)
        ],
        "rdcm": [{"how": "rdcm", "seeds": 2 if quick else 10}],
        "voi": [{"how": "voi"}],
    }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Compute the parts that are asked for, and gather all that is kept."""
    found: dict[str, Any] = {}
    for part, work in tasks(args.quick).items():
        rows = []
        for task in work:
            outcome = _cell(task, args, compute=part in args.parts)
            if outcome is not None:
                rows.append({"task": task, "error": outcome.get("error")} | outcome)
        found[part] = rows
    results = {
        "benchmark": "directed",
        "nissl": nissl.__version__,
        "quick": args.quick,
        "machine": machine(),
        "parts": found,
    }
    return dict(finite(results))


def _cell(
    task: dict[str, Any], args: argparse.Namespace, *, compute: bool
) -> dict[str, Any] | None:
    name = "/".join(str(v).replace("/", "-") for v in task.values())
    command = (
        sys.executable, __file__, "--test", str(args.test.resolve()), "--cell", json.dumps(task),
    )  # fmt: skip
    version = 2 if task["how"] in ("network", "series", "voi") else 1
    cell = Cell(name, task | {"nissl": nissl.__version__, "version": version}, command)
    folder = args.out / "cells"
    if not compute:
        return kept_result(cell, folder)
    print(f"{name} ...", end=" ", flush=True)
    outcome = run_cell(cell, folder, timeout_s=args.timeout, fresh=args.fresh)
    print(outcome.get("error") or f"{outcome['process_s']:.0f} s", flush=True)
    return outcome


def work(args: argparse.Namespace) -> None:
    """Do what one cell is for, in this process."""
    import _directed_work

    task = json.loads(args.cell)
    how = task.pop("how")
    write_result(args.answer, getattr(_directed_work, how)(args.test / FOLDER, **task))


def write(results: Mapping[str, Any], out: Path, page: Path | None) -> None:
    """Write results.json, directed.md and .png, and the page if asked for."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (out / "results.json").write_text(text + "\n", encoding="utf-8")
    plot(results, out / "directed.png")
    (out / "directed.md").write_text(markdown(results, "directed.png"), encoding="utf-8")
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "directed.png", page.with_suffix(".png"))
        page.write_text(markdown(results, page.with_suffix(".png").name), encoding="utf-8")
        shutil.copy(out / "results.json", page.with_suffix(".results.json"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, or one of its cells."""
    args = parser().parse_args(argv)
    if args.cell:
        work(args)
        return 0
    results = run(args)
    write(results, args.out, args.page)
    print(f"{args.out / 'results.json'}, directed.md, directed.png")
    return 1 if any(row["error"] for rows in results["parts"].values() for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
