"""Glue, part "cebra": CEBRA beside the aligners, where a variable names an interpreter with it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from _glue_days import LABELLED, VELOCITY, real_days, split, summary
from nissl.align.fragments import Fragment
from nissl.align.latent.decoding import r2, ridge
from nissl.align.latent.smoothing import smoothed

PYTHON = "NISSL_CEBRA_PYTHON"
METHOD = "cebra"
SPLITS = 1
_LIMIT_S = 900


def cebra_part(data: Path, *, quick: bool) -> dict[str, Any] | None:
    """Both directions over several splits; None without the data or the interpreter."""
    days, python = real_days(data), os.environ.get(PYTHON)
    if days is None or not python:
        return None
    splits = 1 if quick else SPLITS
    out: dict[str, Any] = {"splits": splits, "directions": {}}
    seconds, version = [], ""
    for a, b in ((0, 1), (1, 0)):
        rows = []
        for seed in range(splits):
            for labelled in [k for k in LABELLED if k]:
                calibration, test = split(days[b], labelled, np.random.default_rng([seed, 1]))
                score, spent, version = _scored(python, days[a], calibration, test)
                seconds.append(spent)
                row = {"method": METHOD, "labelled": labelled, "r2": score, "probability": None}
                rows.append({**row, "half_by_units": np.nan, "units": test.n_units})
                print(f"cebra {days[a].name} {seed} {labelled}: {score:.2f}", flush=True)
        out["directions"][f"{days[a].name} to {days[b].name}"] = summary(rows)
    return {**out, "seconds": float(np.median(seconds)), "version": version}


def _scored(
    python: str, reference: Fragment, calibration: Fragment, test: Fragment
) -> tuple[float, float, str]:
    """Velocity of the test part, read by a ridge of both days' labelled embeddings."""
    known = np.isfinite(calibration.behaviour[VELOCITY]).all(axis=1)
    # The same preparation as for our own spaces, so that only the embedding differs.
    x = [smoothed(f, 0.06) for f in (reference, calibration, test)]
    y = reference.behaviour[VELOCITY], calibration.behaviour[VELOCITY][known]
    size = y[0].std(axis=0)
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(
            given, reference=x[0], labelled=x[1][known], test=x[2],
            reference_y=y[0] / size, labelled_y=y[1] / size,
        )  # fmt: skip
        script = Path(__file__).with_name("_glue_cebra.py")
        command = [python, str(script), str(given), str(made)]
        clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        subprocess.run(command, check=True, timeout=_LIMIT_S, env=clean, capture_output=True)
        with np.load(made, allow_pickle=False) as held:
            both = np.concatenate([held["reference"], held["labelled"]])
            later, seconds, version = held["test"], float(held["seconds"]), str(held["version"])
    weight = np.repeat([1 / len(y[0]), 1 / len(y[1])], [len(y[0]), len(y[1])]) * len(y[0])
    scale = both.std()
    weights, offset = ridge(both / scale, np.concatenate(y), weight)
    return r2(test.behaviour[VELOCITY], later / scale @ weights + offset), seconds, version
