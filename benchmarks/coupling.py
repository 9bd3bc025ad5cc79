"""Coupling loop: windows that it needs, beside random ones and all there are.

    python benchmarks/coupling.py [--quick] [--parts NAMES] [--test DATA] [--out DIR] [--page FILE]

Data: `glue/m1_multiday` in the data folder, and simulated days. The loop learns within the
recordings alone, so that --train is not used. Every seed is kept in the output folder. Writes
results.json, coupling.md and coupling.png.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _common import arguments, finite, machine, names
from _coupling_page import markdown, plot
from _coupling_work import real_part, simulated_part

VERSION = 1


def kept_in(args: Any, name: str, compute: Callable[[], Any]) -> Any:
    """A result that is kept, or computed now."""
    path = args.out / "cells" / f"{name}-{VERSION}{'-quick' if args.quick else ''}.json"
    if not path.is_file() or args.fresh:
        print(name, flush=True)
        found = finite(compute())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def run(args: Any) -> dict[str, Any]:
    """Compute the parts that are asked for."""
    kept = partial(kept_in, args)
    wanted = names(args.parts)
    out: dict[str, Any] = {"machine": machine(), "quick": args.quick}
    if "simulated" in wanted:
        out["simulated"] = simulated_part(quick=args.quick, kept=kept)
    if "days" in wanted:
        out["days"] = real_part(args.test, quick=args.quick, kept=kept)
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("coupling", (__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", default="simulated,days", help="a comma list")
    args = parser.parse_args(argv)
    results = run(args)
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "coupling.png")
    (args.out / "coupling.md").write_text(markdown(results, "coupling.png"), encoding="utf-8")
    if args.page is not None:
        page: Path = args.page
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(results, "coupling.png"), encoding="utf-8")
        shutil.copy(args.out / "coupling.png", page.parent / "coupling.png")
        shutil.copy(args.out / "results.json", page.with_suffix(".results.json"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
