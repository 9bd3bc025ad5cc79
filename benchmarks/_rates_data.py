"""Paired recordings of fluorescence and spikes, on the frames of a rate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.model import NEAR
from nissl.annotators.rates.training import Paired, paired

FOLDER = Path("imaging") / "spike_inference"
SIMULATED = "X-NAOMi"
SHORTEST = 64
"""Frames of the shortest trace that counts."""


def sets(data: Path) -> list[str]:
    """Names of the sets in a data folder."""
    return sorted(path.stem for path in (data / FOLDER).glob("*.npz"))


def traces(data: Path, name: str, rate_hz: float, sigma_s: float) -> list[Paired]:
    """Traces of a set that was recorded fast enough; empty where it was not."""
    with np.load(data / FOLDER / f"{name}.npz") as file:
        meta = json.loads(str(file["meta"]))
        out = []
        for facts in meta["records"]:
            times, dff, spikes = _record(file, facts)
            if 1 / float(np.median(np.diff(times))) < NEAR * rate_hz:
                continue
            if (times[-1] - times[0]) * rate_hz < SHORTEST:
                continue
            out.append(
                paired(times, dff, spikes, rate_hz=rate_hz, sigma_s=sigma_s,
                       cell=str(facts["cell"]), group=name)
            )  # fmt: skip
    return out


def _record(
    file: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    key = facts["key"]
    dff = file[f"{key}_f"].astype(np.float64) * facts["f_scale"] + facts["f_offset"]
    if f"{key}_t" in file:
        times = file[f"{key}_t"].astype(np.float64)
    else:
        times = facts["t0"] + facts["dt"] * np.arange(facts["n"])
    return times, dff, file[f"{key}_spk"].astype(np.float64)


def kept(
    data: Path, out: Path, rate_hz: float, sigma_s: float, names: Sequence[str]
) -> dict[str, list[Paired]]:
    """Traces of some sets, resampled once and kept in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in names:
        path = out / f"{name}-{rate_hz:g}.npz"
        if not path.is_file():
            _keep(path, traces(data, name, rate_hz, sigma_s))
        with np.load(path) as file:
            cells = [str(c) for c in file["cells"]]
            found[name] = [
                Paired(file[f"x{k}"], file[f"y{k}"], cell, name) for k, cell in enumerate(cells)
            ]
    return {name: each for name, each in found.items() if each}


def _keep(path: Path, made: Sequence[Paired]) -> None:
    arrays: dict[str, Any] = {"cells": np.array([each.cell for each in made], dtype=str)}
    for k, each in enumerate(made):
        arrays |= {f"x{k}": each.dff, f"y{k}": each.rate}
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.replace(path)
