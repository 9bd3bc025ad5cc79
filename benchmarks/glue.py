"""Benchmark of alignment ("glue"): recordings of other days, animals and regions made comparable.

    python benchmarks/glue.py [--quick] [--parts NAMES] [--test DATA] [--out DIR] [--page FILE]

Data: `glue/m1_multiday`, `glue/ca1_multiday`, `glue/ca1_ca3_crossregion`, `glue/meg_eeg` and
`imaging/spike_inference` in the data folder. Maps and decoders are fitted on calibration parts of
the recordings themselves and nothing is learnt across data sets (but in the part "rates", where
each set is read by maps of the others), so that --train is not used. CEBRA runs beside, in a
process of its own, where NISSL_CEBRA_PYTHON names an interpreter that has it. Every part is kept in
the output folder. Writes results.json, glue.md and glue.png.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from _common import arguments, finite, machine, names
from _glue_ca1 import ca1_part
from _glue_days import days_part, drift_part
from _glue_page import markdown, plot
from _glue_peer import cebra_part
from _glue_regions import reasons_part, regions_part, speed_part
from _glue_translate import carried_part, meg_part, rates_part

VERSION = 1
PARTS = (
    "days", "cebra", "drift", "ca1", "regions", "speed", "reasons", "carried", "rates", "meg",
)  # fmt: skip


def parts(args: Any) -> dict[str, Callable[..., Any]]:
    """What can be computed, by name."""
    return {
        "days": partial(days_part, args.test),
        "cebra": partial(cebra_part, args.test),
        "drift": drift_part,
        "ca1": partial(ca1_part, args.test),
        "regions": partial(regions_part, args.test),
        "speed": speed_part,
        "reasons": reasons_part,
        "carried": partial(carried_part, args.test),
        "rates": partial(rates_part, args.test, args.out / "rates"),
        "meg": partial(meg_part, args.test),
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
            if found[name] is None:
                continue  # what lacks data or an interpreter today may have it tomorrow
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found[name], allow_nan=False), encoding="utf-8")
    return {"machine": machine(), "quick": args.quick, **found}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("glue", (__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="a comma list")
    args = parser.parse_args(argv)
    results = run(args)
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "glue.png")
    (args.out / "glue.md").write_text(markdown(results, "glue.png"), encoding="utf-8")
    if args.page is not None:
        page: Path = args.page
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(results, "glue.png"), encoding="utf-8")
        shutil.copy(args.out / "glue.png", page.parent / "glue.png")
        shutil.copy(args.out / "results.json", page.with_suffix(".results.json"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
