"""Benchmark of the task "tracks": neurons of a deforming worm, from a few annotated volumes.

    python benchmarks/tracks.py [--quick] [--parts NAMES] [--seeds N ...] [--test DATA] [--out DIR]

Data: `imaging/worm_targettrack` in the data folder (three volumes whose neurons a person
placed; one is left out at a time, and volumes that nobody annotated serve as targets)
and simulated worms, whose neurons lie as the simulator draws them; three volumes whose masks a
person drew, likewise, and masks of simulated worms. Networks are trained for each
animal from its annotated volumes; nothing else is learnt here, so that --train is not used, and
--test is where real volumes are. Every cell is kept in the
output folder. Writes results.json, tracks.md and tracks.png.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import _tracks_masks as masks
import _tracks_real as real
from _common import Cell, arguments, finite, machine, names, run_cell
from _tracks_page import markdown, plot

ANNOTATED = (2, 3, 5, 10, 20)
METHODS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "tracks/nissl": ("tracks/nissl", {}),
    "arrangement, once": ("tracks/nissl", {"targeted": "points-once"}),
    "plain targeted augmentation": ("tracks/nissl", {"targeted": "plain"}),
    "no targeted augmentation": ("tracks/nissl", {"targeted": "none"}),
    "tracks/registration": ("tracks/registration", {}),
}
SIZE = {"neurons": 80, "frames": 500}
SMALL = {"neurons": 8, "frames": 30}
PARTS = ("simulated", "points", "cost", "masks")
VERSION = 2


def cells(args: Any) -> Iterator[tuple[str, Cell]]:
    """Every cell that is asked for, with its part."""
    quick = {"steps": 30} if args.quick else {}

    def cell(
        part: str, kind: str, name: str, how: Mapping[str, Any], file: str = "_tracks_work.py"
    ) -> tuple[str, Cell]:
        script = str(Path(__file__).with_name(file))
        stated = {k: v for k, v in how.items() if k != "test"}
        key = {"kind": kind, "v": VERSION, **stated}
        return part, Cell(f"{part}/{name}", key, (sys.executable, script, kind, json.dumps(how)))

    base = SMALL if args.quick else SIZE
    for label, (method, parameters) in METHODS.items():
        own = {**parameters, **(quick if method == "tracks/nissl" else {})}
        if args.methods and label not in args.methods:
            continue
        for seed in args.seeds:
            for n in (3,) if args.quick else args.annotated:
                how = {**base, "method": method, "parameters": own, "annotated": n, "seed": seed}
                yield cell("simulated", "simulated", f"{label} {n} {seed}", how)
        for held in range(3):
            how = {"test": str(args.test), "held": held, "method": method, "seed": 0}
            how["parameters"] = {**own, "spacing_um": list(real.ASSUMED_UM)}
            yield cell("points", "points", f"{label} {held}", how)
    for frames in (20, 30) if args.quick else (125, 250, 500):
        how = {**base, "frames": frames, "method": "tracks/nissl", "parameters": quick}
        how |= {"annotated": 3 if args.quick else 10, "seed": 0}
        yield cell("cost", "simulated", f"{frames}", how)
    for kind, name, how in masks.cells(args):
        yield cell("masks", kind, name, how, "_tracks_masks.py")


def run(args: Any) -> dict[str, Any]:
    """Compute the parts that are asked for; gather what is kept of the others."""
    wanted = names(args.parts)
    found: dict[str, Any] = {part: [] for part in PARTS}
    for part, cell in cells(args):
        if part == "points" and (args.quick or not (args.test / real.FOLDER).is_dir()):
            continue
        kept = cell.file(args.out / "cells").is_file()
        if part not in wanted and not kept:
            continue
        answer = run_cell(
            cell, args.out / "cells", timeout_s=args.timeout, fresh=args.fresh and part in wanted
        )
        if "result" not in answer:
            raise SystemExit(f"{cell.name}: {answer.get('error')}")
        result = answer["result"]
        print(cell.name, result["scores"], flush=True)
        label = cell.name.partition("/")[2].rsplit(" ", 1 if part in ("points", "cost") else 2)[0]
        kept_key = {k: v for k, v in answer["key"].items() if k != "parameters"}
        found[part].append({"label": label, **kept_key, **result})
    return {"machine": machine(), "quick": args.quick, **found}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("tracks", (__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="a comma list of parts to compute")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1], help="simulated worms")
    parser.add_argument("--annotated", type=int, nargs="*", default=list(ANNOTATED))
    parser.add_argument("--methods", nargs="*", default=[], help="labels, as in the page; all else")
    args = parser.parse_args(argv)
    results = finite(run(args))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "tracks.png")
    (args.out / "tracks.md").write_text(markdown(results, "tracks.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        args.page.write_text(markdown(results, "tracks.png"), encoding="utf-8")
        shutil.copy(args.out / "tracks.png", args.page.parent / "tracks.png")
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
