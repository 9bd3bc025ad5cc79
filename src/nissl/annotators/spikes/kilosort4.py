"""Kilosort4 as a plug-in: a program under the GPL, run by its own Python and never imported.

Only files go to and fro: raw samples and a job description in, spike times and clusters out.
Set NISSL_KILOSORT4_PYTHON to the interpreter of an environment that holds Kilosort4.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.spikes.adapter import SorterAdapter
from nissl.annotators.spikes.preprocess import Plan, apply_plan
from nissl.annotators.spikes.sampling import read_uv
from nissl.data import Signal
from nissl.errors import MissingDependencyError
from nissl.run.context import Context

PYTHON = "NISSL_KILOSORT4_PYTHON"
INSTALL = (
    "python -m venv kilosort4 && kilosort4/bin/pip install kilosort && "
    f"export {PYTHON}=$PWD/kilosort4/bin/python"
)
WORKER = Path(__file__).with_name("kilosort4_worker.py")
_PROBE_S = 120


class Kilosort4(SorterAdapter):
    """Kilosort4 in an environment and a process of its own.

    Parameters
    ----------
    sorter : Sorter
    """

    def missing(self) -> Mapping[str, str]:
        """Nothing where the interpreter is set and exists; else how to get one."""
        python = os.environ.get(PYTHON, "")
        return {} if python and Path(python).is_file() else {"kilosort": INSTALL}

    def packages(self) -> Mapping[str, str]:
        """Versions as the other interpreter states them."""
        own = {"spikeinterface": version("spikeinterface")}
        python = os.environ.get(PYTHON, "")
        return own | dict(_stated(python)) if python and Path(python).is_file() else own

    def process(
        self, signal: Signal, job: dict[str, Any], context: Context
    ) -> tuple[list[str], dict[str, Any]]:
        """Write the samples as they go in, in uV, and say where they lie."""
        python = os.environ.get(PYTHON, "")
        if self.missing():
            raise MissingDependencyError(
                f"{PYTHON} to name the Python of an environment with Kilosort4",
                repr(python) if python else "nothing",
                f"Install it apart, since its licence is the GPL: {INSTALL}",
            )
        names = set(job["channels"])
        columns = [i for i, name in enumerate(signal.channels.ids) if name in names]
        folder = context.workdir / f"kilosort4-{int(signal.channels.shank[columns[0]])}"
        folder.mkdir(parents=True, exist_ok=True)
        path = _write(signal, Plan.from_json(job["plan"]), job["channels"], folder)
        positions = signal.channels.position_um[columns]
        if not np.all(np.isfinite(positions)):
            positions = np.stack([np.zeros(len(columns)), 20.0 * np.arange(len(columns))], axis=1)
        described = {
            "samples": str(path),
            "dtype": "float32",
            "rate_hz": signal.rate_hz,
            "n_channels": len(columns),
            "position_um": positions.tolist(),
            "results": str(folder / "results"),
        }
        return [python, str(WORKER)], job | described


def _write(signal: Signal, plan: Plan, channels: list[str], folder: Path) -> Path:
    """Raw float32 samples, uV, of a shank; segments one after the other."""
    recording = apply_plan(signal, plan).select_channels(channels)
    path, part = folder / "samples.raw", folder / "samples.raw.part"
    with part.open("wb") as file:
        for start, stop in signal.blocks(max(1, round(signal.rate_hz))):
            block = read_uv(recording, signal.clock, start, stop)
            file.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
    os.replace(part, path)
    return path


@lru_cache(maxsize=4)
def _stated(python: str) -> tuple[tuple[str, str], ...]:
    try:
        answer = subprocess.run(
            [python, str(WORKER), "--versions"],
            capture_output=True,
            timeout=_PROBE_S,
            check=True,
            text=True,
        )
        stated = json.loads(answer.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return ()
    return tuple(sorted((str(k), str(v)) for k, v in stated.items()))
