"""Spike sorting: every installed sorter on recordings whose spikes are known.

    python benchmarks/spikes.py --test ../shared/data --out build/benchmarks/spikes
    python benchmarks/spikes.py --quick

Recordings: simulated without and with drift, and hybrids of real units (see
`nissl.annotators.spikes.hybrid`). Nothing is trained; hybrid units of `--train` are there to
tune on, those of `--test` are reported. Given one folder, its animals are split between the two.
Each sorter runs once per recording through nissl (add, annotate with checks, save, report, NWB
export) and, on the recordings of `--direct`, once directly (SpikeInterface's reader and
`run_sorter` with their defaults).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nissl
from _common import (
    Cell,
    anchor_s,
    arguments,
    finite,
    kept_result,
    machine,
    names,
    one_folder,
    run_cell,
    write_result,
)
from _spikes_page import markdown, plot
from _spikes_work import Spec, directly, prepare, through_nissl
from nissl.errors import BadArgumentError
from nissl.tasks import ANNOTATORS

_SIMULATED = {"seed": 0, "n_channels": 32, "duration_s": 300.0, "n_units": 24}
_TETRODE = {"n_channels": 4, "pitch_um": 25.0, "spatial": "measured", "n_units": 6}
SPECS = (
    Spec("static", "Simulated, static", "simulated", _SIMULATED),
    Spec(
        "drifting",
        "Simulated, drifting by 30 µm",
        "simulated",
        {**_SIMULATED, "drift": "rigid"},
    ),
    Spec(
        "tetrode",
        "Hybrid tetrode",
        "hybrid",
        {"seed": 0, "duration_s": 300.0, **_TETRODE},
    ),
    Spec(
        "hybrid32",
        "Hybrid",
        "hybrid",
        {"seed": 0, "duration_s": 300.0, "n_channels": 32, "n_units": 16},
    ),
    Spec(
        "semi128",
        "Semi-synthetic",
        "hybrid",
        {"seed": 0, "duration_s": 120.0, "n_channels": 128, "n_units": 20},
    ),
)
DEFAULT = ("static", "drifting", "tetrode", "hybrid32")
DIRECT = ("static",)
_QUICK = {"static": (12, 6), "drifting": (12, 6), "hybrid32": (16, 8)}
_QUICK_S = 60.0
_QUICK_SORTERS = ("tridesclous2", "spykingcircus2")


def parser() -> argparse.ArgumentParser:
    """Arguments of this benchmark."""
    out = arguments("spikes", (__doc__ or "").partition("\n")[0])
    out.add_argument("--only", type=names, help="sorters, separated by commas")
    known = ",".join(s.name for s in SPECS)
    out.add_argument("--recordings", type=names, default=None, help=f"among {known}")
    out.add_argument(
        "--direct",
        type=names,
        default=DIRECT,
        help="recordings on which sorters are also called without nissl",
    )
    out.add_argument("--side", choices=("report", "tune"), default="report", help="hybrid units")
    out.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    out.add_argument("--scratch", type=Path, help="folder for recordings; OUT/scratch by default")
    out.add_argument("--keep", action="store_true", help="keep the recordings")
    out.add_argument("--cell", help=argparse.SUPPRESS)
    out.add_argument("answer", nargs="?", type=Path, help=argparse.SUPPRESS)
    return out


def chosen_specs(asked: Sequence[str] | None, quick: bool) -> list[Spec]:
    """Recordings asked for, in the small sizes of a quick run if so."""
    wanted = DEFAULT if asked is None else asked
    known = {spec.name: spec for spec in SPECS}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise BadArgumentError(
            f"recordings among {sorted(known)}", f"{unknown}", "Correct --recordings."
        )
    specs = [known[name] for name in wanted]
    return [_smaller(spec) for spec in specs] if quick else specs


def _smaller(spec: Spec) -> Spec:
    size = dict(spec.size) | {"duration_s": min(_QUICK_S, spec.size["duration_s"])}
    if spec.name in _QUICK:
        size["n_channels"], size["n_units"] = _QUICK[spec.name]
    return replace(spec, size=size)


def installed(only: Sequence[str] | None, quick: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Sorters that can run with their packages' versions, and the others with the reason."""
    found: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for name in ANNOTATORS:
        task, _, sorter = name.partition("/")
        if task != "spikes" or (only is not None and sorter not in only):
            continue
        method = ANNOTATORS.get(name)
        missing = method.missing()
        if missing:
            absent[sorter] = "not installed: " + ", ".join(sorted(missing))
        elif only is None and quick and sorter not in _QUICK_SORTERS:
            absent[sorter] = "not part of a quick run"
        else:
            found[sorter] = {"version": method.version, "packages": dict(method.packages())}
    return found, absent


def run(args: argparse.Namespace) -> dict[str, Any]:
    """All cells, in order; those that are kept are not computed again."""
    sorters, absent = installed(args.only, args.quick)
    results: dict[str, Any] = {
        "benchmark": "spikes",
        "nissl": nissl.__version__,
        "quick": args.quick,
        "side": args.side,
        "machine": machine() | {"workers": args.workers, "anchor_s": round(anchor_s(), 4)},
        "sorters": sorters,
        "absent": absent,
        "recordings": {},
        "rows": [],
    }
    for spec in chosen_specs(args.recordings, args.quick):
        prepared = _cell(_prepare_cell(spec, args), args)
        facts = prepared.get("result", {"error": prepared.get("error")})
        title = f"{spec.title}, {spec.size['n_channels']} channels"
        results["recordings"][spec.name] = spec.to_json() | {"title": title} | facts
        if "error" in facts:
            continue
        for sorter, versions in sorters.items():
            for how in ("direct", "nissl") if spec.name in args.direct else ("nissl",):
                cell = _sorter_cell(spec, (sorter, how), facts["fingerprint"], versions, args)
                if not _is_kept(cell, args):
                    _restore(spec, args)
                results["rows"].append(_row(spec, sorter, how, _cell(cell, args)))
    return dict(finite(results))


def _sorter_cell(
    spec: Spec,
    what: tuple[str, str],
    fingerprint: str,
    versions: Mapping[str, Any],
    args: argparse.Namespace,
) -> Cell:
    sorter, how = what
    key = {
        "recording": fingerprint,
        "sorter": sorter,
        "how": how,
        "versions": dict(versions),
        "nissl": nissl.__version__ if how == "nissl" else "",
        "machine": machine() | {"workers": args.workers},
    }
    return Cell(f"{spec.name}/{sorter}/{how}", key, _command(args, how, spec, sorter))


def _prepare_cell(spec: Spec, args: argparse.Namespace) -> Cell:
    key = {**spec.to_json(), "nissl": nissl.__version__}
    if spec.make == "hybrid":
        key |= {"side": args.side, "one_folder": one_folder(args.train, args.test)}
    return Cell(f"{spec.name}/prepare", key, _command(args, "prepare", spec, ""))


def _restore(spec: Spec, args: argparse.Namespace) -> None:
    """Make a recording's files again when they are gone, or another's stand there."""
    cell = _prepare_cell(spec, args)
    mark = scratch_of(args) / spec.name / "cell.txt"
    if mark.is_file() and mark.read_text(encoding="utf-8") == cell.digest:
        return
    run_cell(cell, args.out / "cells", timeout_s=args.timeout, fresh=True)


def scratch_of(args: argparse.Namespace) -> Path:
    """Folder of the recordings."""
    return Path(args.scratch or args.out / "scratch")


def _is_kept(cell: Cell, args: argparse.Namespace) -> bool:
    return not args.fresh and kept_result(cell, args.out / "cells") is not None


def _cell(cell: Cell, args: argparse.Namespace) -> dict[str, Any]:
    print(f"{cell.name} ...", end=" ", flush=True)
    kept = " (kept)" if _is_kept(cell, args) else ""
    outcome = run_cell(cell, args.out / "cells", timeout_s=args.timeout, fresh=args.fresh)
    told = outcome.get("error") or f"{outcome['process_s']:.0f} s"
    print(f"{told}{kept}", flush=True)
    return outcome


def _command(args: argparse.Namespace, how: str, spec: Spec, sorter: str) -> tuple[str, ...]:
    work = {"how": how, "spec": spec.to_json(), "sorter": sorter}
    paths = {"train": args.train, "test": args.test, "scratch": scratch_of(args)}
    options = [part for k, v in paths.items() for part in (f"--{k}", str(v.resolve()))]
    options += ["--workers", str(args.workers), "--side", args.side]
    return (sys.executable, __file__, *options, "--cell", json.dumps(work))


def _row(spec: Spec, sorter: str, how: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: outcome.get(k) for k in ("process_s", "peak_memory_bytes", "anchor_s", "error")}
    found = dict(outcome.get("result", {}))
    return found | kept | {"recording": spec.name, "sorter": sorter, "how": how}


def work(args: argparse.Namespace) -> None:
    """Do what one cell is for, in this process."""
    task = json.loads(args.cell)
    spec = Spec(title="", **task["spec"])
    folder = scratch_of(args) / spec.name
    if task["how"] == "prepare":
        found = prepare(spec, (args.train, args.test), args.side, folder)
        (folder / "cell.txt").write_text(_prepare_cell(spec, args).digest, encoding="utf-8")
    else:
        step = directly if task["how"] == "direct" else through_nissl
        place = folder / f"{task['how']}-{task['sorter']}"
        try:
            found = step(task["sorter"], folder, place, args.workers)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    write_result(args.answer, found)


def write(results: Mapping[str, Any], out: Path, page: Path | None) -> None:
    """Write results.json, spikes.md and spikes.png, and the page if asked for."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (out / "results.json").write_text(text, encoding="utf-8")
    plot(results, out / "spikes.png")
    (out / "spikes.md").write_text(markdown(results, "spikes.png"), encoding="utf-8")
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "spikes.png", page.with_suffix(".png"))
        page.write_text(markdown(results, page.with_suffix(".png").name), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, or one of its cells."""
    args = parser().parse_args(argv)
    if args.cell:
        work(args)
        return 0
    results = run(args)
    write(results, args.out, args.page)
    if not args.keep:
        shutil.rmtree(scratch_of(args), ignore_errors=True)
    print(f"{args.out / 'results.json'}, spikes.md, spikes.png")
    failed = [row for row in results["rows"] if row["error"]]
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
