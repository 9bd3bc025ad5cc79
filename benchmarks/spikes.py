"""Spike sorting: every installed sorter on recordings whose spikes are known.

    python benchmarks/spikes.py --test ../shared/data --out build/benchmarks/spikes
    python benchmarks/spikes.py --blocks timing,scale --out build/benchmarks/spikes
    python benchmarks/spikes.py --quick

Recordings: simulated without and with drift, and hybrids of real units (see `_spikes_specs`).
Nothing is trained; hybrid units of `--train` are there to tune on, those of `--test` are
reported. Given one folder, its animals are split between the two.

Blocks: "accuracy" runs each sorter once per recording and seed, on one core; slow sorters run on
the first seed only. "timing" sorts the still recording twice in one process, with nothing
compiled and again, and once without nissl; it wants a quiet machine. "scale" is what our sorter
costs over duration and channels, "long" ten minutes of 384 channels (14 GB of disk).

A cell of another sorter is defined by the recording's content, the versions of the sorter's
packages and the machine: a change of our own sorter leaves it as it is. Interrupted or extended
runs (more seeds, other blocks, more sorters) go on from what is kept in the output folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nissl
from _common import (
    Cell,
    anchor_s,
    arguments,
    finite,
    keep_outcome,
    kept_result,
    machine,
    names,
    one_folder,
    run_cell,
    write_result,
)
from _spikes_page import OWN, markdown, summarise
from _spikes_plots import PLOTS
from _spikes_published import published
from _spikes_specs import LONG, SCALE, SEEDS, SPECS, TIMED, Spec, chosen_specs, smaller
from _spikes_work import directly, prepare, rescored, through_nissl, timed
from nissl.errors import BadArgumentError, EvaluationError
from nissl.tasks import ANNOTATORS

BLOCKS = ("accuracy", "timing", "scale", "long")
SLOW = ("spykingcircus2", "mountainsort5", "kilosort4")
"""Sorters that run on the first seed only, unless `--slow-seeds` says otherwise."""

_QUICK_SORTERS = (OWN, "tridesclous2")
_STEPS = {"direct": directly, "nissl": through_nissl, "timed": timed}


def parser() -> argparse.ArgumentParser:
    """Arguments of this benchmark."""
    out = arguments("spikes", (__doc__ or "").partition("\n")[0])
    out.add_argument("--only", type=names, help="sorters, separated by commas")
    known = ",".join(s.name for s in SPECS)
    out.add_argument("--recordings", type=names, default=None, help=f"among {known}")
    out.add_argument("--seeds", type=names, default=None, help="0,1,2 by default; quick: 0")
    out.add_argument("--slow-seeds", type=int, default=1, help="seeds on which slow sorters run")
    out.add_argument("--blocks", type=names, default=("accuracy",), help=",".join(BLOCKS))
    out.add_argument(
        "--direct",
        type=names,
        default=(),
        help="recordings on which sorters are also called without nissl, first seed only",
    )
    out.add_argument("--side", choices=("report", "tune"), default="report", help="hybrid units")
    out.add_argument("--workers", type=int, default=None, help="1; timing, scale, long: all cores")
    out.add_argument("--scratch", type=Path, help="folder for recordings; OUT/scratch by default")
    out.add_argument("--keep", action="store_true", help="keep the recordings")
    out.add_argument("--kept", action="store_true", help="write what is kept, compute nothing")
    out.add_argument(
        "--rescore", action="store_true", help="score kept spikes anew, without sorting again"
    )
    out.add_argument("--cell", help=argparse.SUPPRESS)
    out.add_argument("answer", nargs="?", type=Path, help=argparse.SUPPRESS)
    return out


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


def seeds_of(args: argparse.Namespace) -> tuple[int, ...]:
    """Seeds asked for.

    Raises
    ------
    BadArgumentError
        One that is no whole number.
    """
    if args.seeds is None:
        return SEEDS[:1] if args.quick else SEEDS
    try:
        return tuple(int(seed) for seed in args.seeds)
    except ValueError:
        raise BadArgumentError(
            "whole numbers separated by commas", ",".join(args.seeds), "Correct --seeds."
        ) from None


def plan(
    args: argparse.Namespace, sorters: Sequence[str]
) -> list[tuple[str, Spec, list[tuple[str, str]]]]:
    """All recordings in the order in which they are made.

    First seeds come first, so that an interrupted run holds all kinds of recordings.

    Returns
    -------
    list of (block, Spec, list of (sorter, how))
    """
    unknown = sorted(set(args.blocks) - set(BLOCKS))
    if unknown:
        raise BadArgumentError(f"blocks among {BLOCKS}", f"{unknown}", "Correct --blocks.")
    out = []
    seeds = seeds_of(args)
    chosen = chosen_specs(args.recordings, args.quick)
    if "accuracy" in args.blocks:
        for turn, seed in enumerate(seeds):
            for spec in chosen:
                on = [s for s in sorters if s not in SLOW or turn < args.slow_seeds]
                steps = [(s, "nissl") for s in on]
                if turn == 0 and spec.name in args.direct:
                    steps += [(s, "direct") for s in on if s != OWN]
                out.append(("accuracy", spec.at(seed), steps))
    if "timing" in args.blocks:
        for spec in chosen_specs(TIMED, args.quick):
            steps = [(s, "timed") for s in sorters]
            steps += [(s, "direct") for s in sorters if s != OWN]
            out.append(("timing", spec.at(seeds[0]), steps))
    for block, specs in (("scale", SCALE), ("long", (LONG,))):
        if block in args.blocks and OWN in sorters:
            sized = [smaller(s) for s in specs[:2]] if args.quick else specs
            out += [(block, spec.at(seeds[0]), [(OWN, "nissl")]) for spec in sized]
    return out


def run(args: argparse.Namespace) -> dict[str, Any]:
    """All cells, in order; those that are kept are not computed again."""
    sorters, absent = installed(args.only, args.quick)
    results: dict[str, Any] = {
        "benchmark": "spikes",
        "nissl": nissl.__version__,
        "quick": args.quick,
        "side": args.side,
        "seeds": list(seeds_of(args)),
        "machine": machine() | {"anchor_s": round(anchor_s(), 4)},
        "sorters": sorters,
        "absent": absent,
        "recordings": {},
        "rows": [],
    }
    for block, spec, steps in plan(args, list(sorters)):
        if args.kept and not _is_kept(_prepare_cell(spec, args), args):
            continue
        prepared = _cell(_prepare_cell(spec, args), args)
        facts = prepared.get("result", {"error": prepared.get("error")})
        kind = results["recordings"].setdefault(spec.name, _kind(spec))
        kind["seeds"][str(spec.size["seed"])] = facts
        if "error" in facts:
            continue
        for sorter, how in steps:
            step = _Step(block, spec, sorter, how, _workers(args, block))
            cell = _sorter_cell(step, facts["fingerprint"], sorters[sorter], args)
            kept = _is_kept(cell, args)
            if args.kept and not kept:
                continue
            if not kept or args.rescore:
                _restore(spec, facts["fingerprint"], args)
            outcome = _cell(cell, args)
            if kept and args.rescore and "result" in outcome:
                outcome["result"] = rescored(scratch_of(args) / spec.place, outcome["result"])
                keep_outcome(cell, args.out / "cells", outcome)
            results["rows"].append(_row(step, outcome))
        if not args.keep and not args.kept:
            shutil.rmtree(scratch_of(args) / spec.place, ignore_errors=True)
    return dict(finite(results | {"summary": summarise(results)}))


def _kind(spec: Spec) -> dict[str, Any]:
    title = f"{spec.title}, {spec.size['n_channels']} channels"
    size = {k: v for k, v in spec.size.items() if k != "seed"}
    return {"name": spec.name, "make": spec.make, "size": size, "title": title, "seeds": {}}


class _Step:
    """One sorter on one recording."""

    def __init__(self, block: str, spec: Spec, sorter: str, how: str, workers: int) -> None:
        self.block, self.spec, self.sorter, self.how = block, spec, sorter, how
        self.workers = workers


def _workers(args: argparse.Namespace, block: str) -> int:
    if args.workers is not None:
        return int(args.workers)
    return 1 if block == "accuracy" else os.cpu_count() or 1


def own_source() -> str:
    """Digest of our sorter's source and weights: another is another sorter."""
    folder = Path(nissl.__file__).parent / "annotators" / "spikes" / "own"
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        if path.suffix in (".nbi", ".nbc"):  # what numba keeps
            continue
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def _sorter_cell(
    step: _Step, fingerprint: str, versions: Mapping[str, Any], args: argparse.Namespace
) -> Cell:
    key = {
        "recording": fingerprint,
        "sorter": step.sorter,
        "how": step.how,
        "motion": step.spec.moves,
        "versions": dict(versions),
        "machine": machine() | {"workers": step.workers},
    }
    if step.sorter == OWN:
        key["own"] = own_source()
    name = f"{step.spec.place}/{step.sorter}/{step.how}"
    return Cell(name, key, _command(args, step.how, step.spec, step.sorter, step.workers))


def _prepare_cell(spec: Spec, args: argparse.Namespace) -> Cell:
    key = {**spec.to_json(), "nissl": nissl.__version__}
    if spec.make == "hybrid":
        key |= {"side": args.side, "one_folder": one_folder(args.train, args.test)}
    return Cell(f"{spec.place}/prepare", key, _command(args, "prepare", spec, "", 1))


def _restore(spec: Spec, fingerprint: str, args: argparse.Namespace) -> None:
    """Make a recording's files again when they are gone, or another's stand there."""
    cell = _prepare_cell(spec, args)
    mark = scratch_of(args) / spec.place / "cell.txt"
    if mark.is_file() and mark.read_text(encoding="utf-8") == cell.digest:
        return
    made = run_cell(cell, args.out / "cells", timeout_s=args.timeout, fresh=True)
    again = made.get("result", {}).get("fingerprint")
    if again != fingerprint:
        raise EvaluationError(
            f"the same recording {spec.place} as before ({fingerprint[:12]})",
            f"{again}",
            "What makes it has changed: run once more, cells of the new one will be computed.",
        )


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
    mean = outcome.get("result", {}).get("accuracy_mean")
    told += f", accuracy {mean:.3f}" if mean is not None else ""
    print(f"{told}{kept}", flush=True)
    return outcome


def _command(
    args: argparse.Namespace, how: str, spec: Spec, sorter: str, workers: int
) -> tuple[str, ...]:
    work = {"how": how, "spec": spec.to_json(), "sorter": sorter, "workers": workers}
    paths = {"train": args.train, "test": args.test, "scratch": scratch_of(args)}
    options = [part for k, v in paths.items() for part in (f"--{k}", str(v.resolve()))]
    options += ["--side", args.side]
    return (sys.executable, __file__, *options, "--cell", json.dumps(work))


def _row(step: _Step, outcome: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: outcome.get(k) for k in ("process_s", "peak_memory_bytes", "anchor_s", "error")}
    about = {
        "block": step.block,
        "recording": step.spec.name,
        "seed": step.spec.size["seed"],
        "sorter": step.sorter,
        "how": step.how,
        "workers": step.workers,
    }
    found = {k: v for k, v in outcome.get("result", {}).items() if k != "spikes"}
    return found | kept | about


def work(args: argparse.Namespace) -> None:
    """Do what one cell is for, in this process."""
    task = json.loads(args.cell)
    spec = Spec(title="", **task["spec"])
    folder = scratch_of(args) / spec.place
    if task["how"] == "prepare":
        found = prepare(spec, (args.train, args.test), args.side, folder)
        (folder / "cell.txt").write_text(_prepare_cell(spec, args).digest, encoding="utf-8")
    else:
        place = folder / f"{task['how']}-{task['sorter']}"
        try:
            step = _STEPS[task["how"]]
            found = step(task["sorter"], folder, place, task["workers"], spec.moves)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    write_result(args.answer, found)


def write(results: Mapping[str, Any], out: Path, page: Path | None) -> None:
    """Write results.json, spikes.md and its pictures, and the page with what goes beside it."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (out / "results.json").write_text(text, encoding="utf-8")
    pictures = {}
    for name, draw in PLOTS.items():
        suffix = f"-{name}" if name else ""
        if draw(results, out / f"spikes{suffix}.png"):
            pictures[name] = f"spikes{suffix}.png"
    (out / "spikes.md").write_text(markdown(results, pictures), encoding="utf-8")
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        moved = {n: f.replace("spikes", page.stem, 1) for n, f in pictures.items()}
        for name, file in moved.items():
            shutil.copy(out / pictures[name], page.with_name(file))
        page.write_text(markdown(results, moved), encoding="utf-8")
        short = json.dumps(published(results), separators=(",", ":"), sort_keys=True)
        page.with_name(f"{page.stem}.results.json").write_text(short + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, or one of its cells."""
    args = parser().parse_args(argv)
    if args.cell:
        work(args)
        return 0
    results = run(args)
    write(results, args.out, args.page)
    if not args.keep and not args.kept:
        shutil.rmtree(scratch_of(args), ignore_errors=True)
    print(f"{args.out / 'results.json'}, spikes.md, spikes.png")
    failed = [row for row in results["rows"] if row["error"]]
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
