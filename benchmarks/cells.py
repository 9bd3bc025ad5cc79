"""Benchmark of the task "cells": regions against those of people, and against exact truth.

    python benchmarks/cells.py [--quick] [--parts NAMES] [--test DATA] [--out DIR] [--page FILE]

Data: `imaging/two_photon_neurofinder` (one movie with human regions), `imaging/human_roi_masks`
(several people's regions of other movies), `imaging/roi_curation` (decisions on regions) and
`imaging/nuclei_sample` in the data folder, and simulated movies. Nothing of `cells/nissl` is
trained or tuned here: the network's weights come from simulations. Peers run in processes of
their own where NISSL_SUITE2P_PYTHON and NISSL_CELLPOSE_PYTHON name their interpreters. Every part
is kept in the output folder and computed again with --fresh only; --parts names those to compute
now, and the page tells of all that are kept. Writes results.json, cells.md and its pictures.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import _cells_days
import _cells_quality
import _cells_speed
from _cells_human import human_agreement
from _cells_page import markdown, plot
from _cells_peers import cellpose, suite2p
from _cells_still import still
from _cells_work import SCENES, Human, against_people, against_truth, human_movie, ours
from _common import arguments, finite, machine, names

VARIANTS: dict[str, dict[str, Any]] = {
    "cells/nissl": {},
    "cells/nissl, shape alone": {"activity": False},
    "cells/nissl, activity alone": {"shape": False},
}
PICTURES = ("cells.png", "cells_quality.png")


def simulated(args: argparse.Namespace) -> dict[str, Any]:
    """Scores on simulated movies."""
    found = {}
    for name in list(SCENES)[: 1 if args.quick else None]:
        found[name] = against_truth(name, quick=args.quick)
        print(f"{name}: F1 {found[name]['iou']['f1']:.3f}", flush=True)
    return found


def people(args: argparse.Namespace) -> list[dict[str, Any]]:
    """How far people agree with each other."""
    masks = args.test / "imaging" / "human_roi_masks"
    return [vars(pair).copy() for pair in human_agreement(masks)]


def real(args: argparse.Namespace) -> dict[str, Any]:
    """Scores of all methods on the real movie."""
    folder = args.test / "imaging" / "two_photon_neurofinder"
    if args.quick or not folder.is_dir():
        return {}
    human = human_movie(folder)
    found: dict[str, Any] = {}
    for name, parameters in VARIANTS.items():
        cells, _, told = ours(human.movie, **parameters)
        found[name] = told | against_people(cells, human, np.random.default_rng(0))
        print(f"{name}: F1 {found[name]['iou']['f1']:.3f}", flush=True)
    return {
        "methods": found | peers(human, args),
        "n_true": len(human.cells),
        "n_active": int(human.active.sum()),
        "frames": human.movie.n_frames,
        "shape": list(human.movie.shape[1:]),
    }


def peers(human: Human, args: argparse.Namespace) -> dict[str, Any]:
    """Scores of Suite2p and Cellpose, or why there are none."""
    found: dict[str, Any] = {}
    kept = args.out / "peers" / "suite2p.npz"
    for name, got in (
        ("Suite2p", suite2p(human.movie, kept, args.timeout)),
        ("Cellpose", cellpose(human.images["mean"][0], args.timeout)),
    ):
        if got is None or "error" in got:
            found[name] = {"error": "not installed" if got is None else got["error"]}
            continue
        for which in ("all", "called"):
            if which in got:
                label = f"{name}, {'all regions' if which == 'all' else 'called cells'}"
                scores = against_people(got[which], human, np.random.default_rng(0))
                found[label] = {"wall_s": got.get("wall_s")} | scores
    return found


PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "simulated": simulated,
    "human": people,
    "real": real,
    "still": lambda args: still(args.test, quick=args.quick),
    "quality": lambda args: _cells_quality.run(args.train, args.test, quick=args.quick),
    "days": lambda args: _cells_days.run(args.test, quick=args.quick),
    "speed": lambda args: _cells_speed.run(
        args.out / "speed", quick=args.quick, timeout_s=args.timeout, fresh=args.fresh
    ),
}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Compute the parts that are asked for, and gather all that are kept."""
    results: dict[str, Any] = {"machine": machine(), "quick": args.quick}
    folder = args.out / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    for name, compute in PARTS.items():
        kept = folder / f"{name}{'-quick' if args.quick else ''}.json"
        if name in names(args.parts) and (args.fresh or not kept.is_file()):
            text = json.dumps(finite(compute(args)), sort_keys=True, allow_nan=False)
            kept.write_text(text, encoding="utf-8")
        if kept.is_file():
            results[name] = json.loads(kept.read_text(encoding="utf-8"))
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("cells", (__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="a comma list of parts to compute")
    args = parser.parse_args(argv)
    results = run(args)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / PICTURES[0])
    if results.get("quality"):
        _cells_quality.plot(results["quality"], args.out / PICTURES[1])
    (args.out / "cells.md").write_text(markdown(results, *PICTURES), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        for name in PICTURES:
            if (args.out / name).is_file():
                shutil.copy(args.out / name, args.page.parent / name)
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        shutil.copy(args.out / "cells.md", args.page)
    print(f"{args.out / 'results.json'}, cells.md and its pictures")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
