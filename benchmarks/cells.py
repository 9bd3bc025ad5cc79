"""Benchmark of the task "cells": regions against those of people, and against exact truth.

    python benchmarks/cells.py [--quick] [--test DATA] [--out DIR] [--page FILE]

Data: `imaging/two_photon_neurofinder` (one movie with human regions) and
`imaging/human_roi_masks` (several people's regions of other movies) in the data folder, and
simulated movies. Nothing is trained or tuned here: the network's weights come from simulations.
Peers run in processes of their own where NISSL_SUITE2P_PYTHON and NISSL_CELLPOSE_PYTHON name
their interpreters. Writes results.json, cells.md and cells.png.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _cells_human import human_agreement
from _cells_page import markdown, plot
from _cells_peers import cellpose, suite2p
from _cells_still import still
from _cells_work import SCENES, Human, against_people, against_truth, human_movie, ours
from _common import arguments, finite, machine

VARIANTS: dict[str, dict[str, Any]] = {
    "cells/nissl": {},
    "cells/nissl, shape alone": {"activity": False},
    "cells/nissl, activity alone": {"shape": False},
}


def run(data: Path, out: Path, *, quick: bool, timeout_s: float) -> dict[str, Any]:
    """Compute everything."""
    results: dict[str, Any] = {"machine": machine(), "quick": quick, "simulated": {}}
    for name in list(SCENES)[: 1 if quick else None]:
        results["simulated"][name] = against_truth(name, quick=quick)
        print(f"{name}: F1 {results['simulated'][name]['iou']['f1']:.3f}", flush=True)
    masks = data / "imaging" / "human_roi_masks"
    results["human"] = [vars(pair).copy() for pair in human_agreement(masks)]
    results["still"] = still(data, quick=quick)
    folder = data / "imaging" / "two_photon_neurofinder"
    if not quick and folder.is_dir():
        human = human_movie(folder)
        results["real"] = real(human, out, timeout_s) | {
            "n_true": len(human.cells),
            "n_active": int(human.active.sum()),
            "frames": human.movie.n_frames,
            "shape": list(human.movie.shape[1:]),
        }
    return results


def real(human: Human, out: Path, timeout_s: float) -> dict[str, Any]:
    """Scores of all methods on the real movie."""
    found: dict[str, Any] = {}
    for name, parameters in VARIANTS.items():
        cells, _, told = ours(human.movie, **parameters)
        found[name] = told | against_people(cells, human, np.random.default_rng(0))
        print(f"{name}: F1 {found[name]['iou']['f1']:.3f}", flush=True)
    peers = {
        "Suite2p": suite2p(human.movie, out / "peers" / "suite2p.npz", timeout_s),
        "Cellpose": cellpose(human.images["mean"][0], timeout_s),
    }
    for name, got in peers.items():
        if got is None or "error" in got:
            found[name] = {"error": "not installed" if got is None else got["error"]}
            continue
        for which in ("all", "called"):
            if which in got:
                label = f"{name}, {'all regions' if which == 'all' else 'called cells'}"
                scores = against_people(got[which], human, np.random.default_rng(0))
                found[label] = {"wall_s": got.get("wall_s")} | scores
    return {"methods": found}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its files."""
    parser = arguments("cells", (__doc__ or "").split("\n")[0])
    args = parser.parse_args(argv)
    results = finite(run(args.test, args.out, quick=args.quick, timeout_s=args.timeout))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    plot(results, args.out / "cells.png")
    (args.out / "cells.md").write_text(markdown(results, "cells.png"), encoding="utf-8")
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.out / "cells.png", args.page.with_suffix(".png"))
        shutil.copy(args.out / "results.json", args.page.with_suffix(".results.json"))
        page = markdown(results, args.page.with_suffix(".png").name)
        args.page.write_text(page, encoding="utf-8")
    print(f"{args.out / 'results.json'}, cells.md, cells.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
