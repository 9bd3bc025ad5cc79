"""Benchmark of evidence: how often claims are supported that are false, and that are true.

    python benchmarks/evidence.py [--quick] [--parts NAMES] [--test DATA] [--out DIR] [--page FILE]

Simulated recordings whose claims are true or false by construction; and of the data folder
`glue/m1_multiday` and `glue/ca1_ca3_crossregion`. Nothing is learnt, so that --train is not used.
Every part is kept in the output folder. Writes results.json, evidence.md and evidence.png.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _common import arguments, finite, machine, names
from _evidence_page import markdown, plot
from _evidence_work import (
    drives_part,
    interventions_part,
    motor_part,
    places_part,
    simulated_part,
)

VERSION = 1


def parts(args: Any) -> dict[str, Callable[..., Any]]:
    """What can be computed, by name."""
    return {
        "simulated": simulated_part,
        "interventions": interventions_part,
        "drives": drives_part,
        "motor": partial(motor_part, args.test),
        "places": partial(places_part, args.test),
    }


def run(args: Any) -> dict[str, Any]:
    """Compute the parts that are asked for; gather what is kept of the others."""
    wanted = names(args.parts)
    found: dict[str, Any] = {}
    for name, compute in parts(args).items():
        kept = args.out / "cells" / f"{name}-{VERSION}{'-quick' if args.quick else ''}.json"
        if kept.is_file() and not (args.fresh and name in wanted):
            found[name] = json.loads(kept.read_text(encoding="utf-8"))
        elif name in wanted:
            print(name, flush=True)
            found[name] = finite(compute(quick=args.quick))
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found[name], allow_nan=False), encoding="utf-8")
    return {"machine": machine(), "quick": args.quick, **found}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("evidence", (__doc__ or "").split("\n")[0])
    every = "simulated,interventions,drives,motor,places"
    parser.add_argument("--parts", default=every, help="a comma list")
    args = parser.parse_args(argv)
    results = run(args)
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "evidence.png")
    (args.out / "evidence.md").write_text(markdown(results, "evidence.png"), encoding="utf-8")
    if args.page is not None:
        page: Path = args.page
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(results, "evidence.png"), encoding="utf-8")
        shutil.copy(args.out / "evidence.png", page.parent / "evidence.png")
        shutil.copy(args.out / "results.json", page.with_suffix(".results.json"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
