"""Running a sorter in a process of its own: log, measured memory, resume, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.data.spikeinterface import signal_to_json
from nissl.errors import MethodFailedError
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import digest_json
from nissl.run.context import Context
from nissl.run.process import run_process

LOG = "sorter.log"
WORKER = (sys.executable, "-W", "ignore", "-m", "nissl.annotators.spikes.sorting_process")


@dataclass(frozen=True, eq=False)
class UnitFacts:
    """What a sorter says of its units beside their spikes.

    Parameters
    ----------
    missed : ndarray, shape (n_units,), float64
        Expected share of each unit's own spikes that were not found; NaN where nobody knows.
    split : ndarray, shape (n_units,), float64
        Probability that each holds two neurons; NaN where nobody knows.
    apart : tuple of (int, int, float)
        Pairs of similar units, and the log likelihood ratio of two neurons over one.
    """

    missed: npt.NDArray[np.float64]
    split: npt.NDArray[np.float64]
    apart: tuple[tuple[int, int, float], ...] = ()

    @classmethod
    def unknown(cls, n_units: int) -> UnitFacts:
        """Of units of which nothing is said."""
        return cls(np.full(n_units, np.nan), np.full(n_units, np.nan))

    def of(self, units: npt.NDArray[np.int64], first: int = 0) -> UnitFacts:
        """Facts of some units, increasing, that are numbered anew from `first` on."""
        number = {int(u): k + first for k, u in enumerate(units)}
        apart = [
            (number[a], number[b], told) for a, b, told in self.apart if {a, b} <= number.keys()
        ]
        return UnitFacts(self.missed[units], self.split[units], tuple(apart))

    def __add__(self, other: UnitFacts) -> UnitFacts:
        return UnitFacts(
            np.concatenate([self.missed, other.missed]),
            np.concatenate([self.split, other.split]),
            self.apart + other.apart,
        )


@dataclass(frozen=True, eq=False)
class Spikes:
    """What a sorter found.

    Parameters
    ----------
    sample : ndarray, shape (n_spikes,), int64
    unit : ndarray, shape (n_spikes,), int64
        0 to n_units - 1.
    wall_s : float
        Seconds the sorter's process took.
    peak_bytes : int
        Most resident memory of it and its children.
    confidence : ndarray, shape (n_spikes,), float32, optional
        Calibrated probability that each is a spike of its unit; None where the sorter has none.
    facts : UnitFacts, optional
        None where the sorter says nothing of its units.
    """

    sample: npt.NDArray[np.int64]
    unit: npt.NDArray[np.int64]
    wall_s: float
    peak_bytes: int
    confidence: npt.NDArray[np.float32] | None = None
    facts: UnitFacts | None = None


def sort_in_process(
    command: Sequence[str],
    job: Mapping[str, Any],
    folder: Path,
    context: Context,
    *,
    stage: str,
    unpack: Mapping[str, str] | None = None,
) -> Spikes:
    """Run ``command JOB.json`` and read the ``result.npz`` it leaves beside the job file.

    A finished job is not run again: its marker is written last, and in one piece. An unfinished
    one starts afresh.

    Parameters
    ----------
    command : sequence of str
    job : mapping
        JSON values, all that the process needs.
    folder : Path
        Of this job alone.
    context : Context
    stage : str
        Name for progress and errors.
    unpack : mapping of str to str, optional
        Further environment variables of the process.

    Raises
    ------
    MethodFailedError
        The process failed; its log is named.
    InterruptedRunError
        Ctrl-C; the process was ended.
    """
    key = digest_json(dict(job))
    done = _finished(folder, key)
    if done is not None:
        return done
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = folder / "job.json"
    path.write_text(json.dumps(dict(job)), encoding="utf-8")
    context.progress.start(stage, None, "s")
    try:
        own = {"NUMBA_CACHE_DIR": str(compiled())} | dict(unpack or {})
        wall_s, peak = run_process([*command, str(path)], folder / LOG, context, stage, own)
    finally:
        context.progress.finish(stage)
    facts = {"key": key, "wall_s": wall_s, "peak_bytes": peak}
    write_bytes(folder / "finished.json", json.dumps(facts).encode())
    shutil.rmtree(folder / "sorter", ignore_errors=True)
    found = _finished(folder, key)
    if found is None:
        raise MethodFailedError(
            f"the spikes that {stage!r} found in {folder / 'result.npz'}",
            "no such file",
            f"Read its log: {folder / LOG}",
        )
    return found


def _finished(folder: Path, key: str) -> Spikes | None:
    try:
        facts = json.loads((folder / "finished.json").read_text(encoding="utf-8"))
        if facts["key"] != key:
            return None
        with np.load(folder / "result.npz") as arrays:
            sample = arrays["sample"].astype(np.int64)
            unit = arrays["unit"].astype(np.int64)
    except (OSError, ValueError, KeyError):
        return None
    return Spikes(sample, unit, float(facts["wall_s"]), int(facts["peak_bytes"]))


def compiled() -> Path:
    """Folder of functions that numba has compiled for sorters; one per set of versions."""
    from importlib.metadata import PackageNotFoundError, version

    names = []
    for package in ("spikeinterface", "numba"):
        with contextlib.suppress(PackageNotFoundError):
            names.append(f"{package}-{version(package)}")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "nissl" / "numba" / "-".join(names)


def in_files(signal: Signal, folder: Path) -> Signal:
    """Signal that another process can open: itself, or a copy of samples held in memory.

    Parameters
    ----------
    signal : Signal
    folder : Path
        Where the copy goes; of this job alone.
    """
    if signal_to_json(signal) is not None:
        return signal
    from nissl.data.files import FilePart, FramesReader

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "samples.raw"
    stored = signal.dtype.newbyteorder("<") if signal.dtype.itemsize > 1 else signal.dtype
    size = signal.n_samples * signal.n_channels * stored.itemsize
    if not path.exists() or path.stat().st_size != size:
        part = folder / "samples.raw.part"
        with part.open("wb") as file:
            for start, stop in signal.blocks(max(1, round(signal.rate_hz * 4))):
                file.write(np.ascontiguousarray(signal.read_raw(start, stop), stored).tobytes())
        os.replace(part, path)
    reader = FramesReader(
        (FilePart(str(path), 0, signal.n_samples),), stored.str, signal.n_channels
    )
    return replace(signal, reader=reader)
