"""Fit the weights of `nissl.annotators.tracks.confidence` on simulated worms, and print them.

Run as ``python -m nissl.annotators.tracks.train_confidence --worms 0 --annotated 3 5 10``; some
two minutes each on one core. Figures are told of other worms.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.confidence import FACTS, facts, fitted
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.posture import embed, farthest
from nissl.annotators.tracks.procedure import Plan, follow
from nissl.annotators.tracks.score import WITHIN_VOXELS
from nissl.annotators.tracks.seen import Looking, usual_diameter
from nissl.annotators.tracks.simulate import simulate_worm
from nissl.run.context import Context


def example(seed: int, n_annotated: int, n_frames: int) -> tuple[npt.NDArray[Any], ...]:
    """Facts, whether right, and whether a blob shows it, of each placed neuron of a worm."""
    made = simulate_worm(np.random.default_rng(seed), n_frames=n_frames)
    volumes, truth = made.volumes, made.positions
    spacing = made.worm.spacing_um
    posture = embed(volumes, np.arange(n_frames), np.random.default_rng(seed))
    rows = np.sort(farthest(posture, [], n_annotated))
    told = Positions.build(rows, truth.xyz[rows])
    looking = Looking(spacing, usual_diameter(volumes, rows[:5].tolist(), spacing), 5.0, None)
    with tempfile.TemporaryDirectory() as folder:
        found = follow(volumes, told, looking, Plan(), Context(Path(folder), seed=seed))
    placed = np.asarray(np.isfinite(found.xyz).all(axis=2))
    placed[rows] = False
    apart = np.linalg.norm(found.xyz - truth.xyz, axis=2)
    right = np.nan_to_num(apart, nan=np.inf) <= WITHIN_VOXELS
    shown = np.stack([each.blob >= 0 for each in found.named])
    return facts(found)[placed], right[placed], shown[placed]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worms", type=int, nargs="+", default=[0])
    parser.add_argument("--annotated", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--volumes", type=int, default=500)
    args = parser.parse_args(arguments)
    made = [example(seed, n, args.volumes) for seed in args.worms for n in args.annotated]
    told, right, shown = (np.concatenate(part) for part in zip(*made, strict=True))
    print("intercept", *FACTS)  # noqa: T201
    for name, rows in (("SHOWN", shown), ("HIDDEN", ~shown)):
        print(name, tuple(round(w, 3) for w in fitted(told[rows], right[rows])))  # noqa: T201


if __name__ == "__main__":
    main()
