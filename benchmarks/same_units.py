"""Benchmark of `nissl align --by waveform`: planted turnover, false matches, and UnitMatch.

    python benchmarks/same_units.py [--quick] [--test DATA] [--out DIR] [--page FILE]

Days are simulated, or made of the real templates of the CellExplorer sessions in the data folder
(`ephys/celltypes/cellexplorer_groundtruth`) beside a made-up probe; nothing is tuned on either:
the method was written with simulated seeds below 100 in view. UnitMatch (CC BY-NC-SA) runs in a
process of its own where NISSL_UNITMATCH_PYTHON names an interpreter that has it. Cells are kept in
the output folder and computed again with --fresh only. Writes results.json, same_units.md and
same_units.png.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nissl
from _common import Cell, arguments, finite, kept_result, machine, run_cell
from _parts import written
from _same_units_page import gathered, markdown, plot
from nissl.annotators.spikes.hybrid_units import CELLEXPLORER

FIRST_SEED = 100
SMALL = {
    "32 channels": {"n_channels": 32, "n_units": 25},
    "64 channels": {"n_channels": 64, "n_units": 40},
    "16 tetrodes, no places": {
        "n_channels": 4, "n_tetrodes": 16, "n_units": 80, "drift_um": 5.0,
    },
}  # fmt: skip
LARGE = {"384 channels": {"n_channels": 384, "n_units": 80}}
REAL = {"real units, 64 channels": {"n_channels": 64, "n_units": 26, "drift_um": 20.0}}
HARD = {
    "384 channels, 40 %, drift up to 60 um": {"drift_um": 60.0},
    "384 channels, 40 %, ends bent by 20 um": {"drift_um": 40.0, "bend_um": 20.0},
    "384 channels, 40 %, waveforms change 2.5 times as much": {"changed": 0.25},
    "384 channels, no unit stays": {"turnover": 1.0},
}
ALONE = {"one channel, 40 %": {"n_channels": 1, "n_units": 8, "drift_um": 2.0}}
DAYS = {"four days, 64 channels, 20 % each": {"n_days": 4, "turnover": 0.2}}
TURNOVERS = (0.2, 0.4, 0.6)


Setting = tuple[str, dict[str, Any], int, str, bool]


def settings(args: Any) -> list[Setting]:
    """Name, setting, seeds, kind and whether the peer runs too, the quick ones first."""
    seeds = 1 if args.quick else args.seeds
    real = REAL if (args.test / CELLEXPLORER).is_dir() else {}
    found: list[Setting] = []
    for turnover in TURNOVERS[1:2] if args.quick else TURNOVERS:
        for kind, sizes in (("simulated", SMALL), ("real", real)):
            found += [
                (f"{name}, {turnover:.0%}", size | {"turnover": turnover}, seeds, kind, True)
                for name, size in sizes.items()
            ]
    found += [(name, size, seeds, "simulated", False) for name, size in ALONE.items()]
    middle = SMALL["64 channels"]
    found += [(name, middle | size, seeds, "chained", False) for name, size in DAYS.items()]
    if args.quick:
        return found
    for turnover in TURNOVERS:
        found += [
            (f"{name}, {turnover:.0%}", size | {"turnover": turnover}, seeds, "simulated", True)
            for name, size in LARGE.items()
        ]
    large = LARGE["384 channels"]
    return found + [(name, large | size, seeds, "simulated", False) for name, size in HARD.items()]


def cells(args: Any) -> list[Cell]:
    """Everything that is computed."""
    script = Path(__file__).with_name("_same_units_work.py").resolve()
    installed = bool(os.environ.get("NISSL_UNITMATCH_PYTHON"))
    found = []
    for name, setting, seeds, kind, peer in settings(args):
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            key = {
                "kind": kind,
                "name": name,
                "setting": setting,
                "seed": seed,
                "peer": peer and installed,
                "timeout_s": args.timeout,
                "nissl": nissl.__version__,
            }
            given = json.dumps(key | {"data": str(args.test.resolve())})
            found.append(Cell(_plain(f"{name}/{seed}"), key, (sys.executable, str(script), given)))
    return found


def _plain(text: str) -> str:
    return text.replace(" ", "_").replace(",", "").replace("%", "pc")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("same_units", (__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10, help="of every row; 1 in a quick run")
    parser.add_argument("--kept", action="store_true", help="tell of kept cells, compute none")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for cell in cells(args):
        if args.kept and kept_result(cell, args.out / "cells") is None:
            continue
        told = run_cell(cell, args.out / "cells", timeout_s=args.timeout, fresh=args.fresh)
        rows.append({"key": dict(cell.key), **told})
        print(cell.name, told.get("error", "done"), flush=True)
    results = finite({"machine": machine(), "quick": args.quick, "settings": gathered(rows)})
    written(results, args, "same_units", markdown, plot)
    print(f"{args.out / 'results.json'}, same_units.md and same_units.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
