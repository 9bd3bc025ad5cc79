"""`cells/suite2p`, `cells/cellpose` and `cells/caiman`: other programs, run and never imported.

Suite2p and CaImAn are under the GPL and Cellpose brings packages of its own, so each runs in its
own process under the Python that a variable names (NISSL_SUITE2P_PYTHON, ...). Only files go to
and fro: raw frames and a job description in, outlines, flags and traces out. A program that finds
cells on pictures (Cellpose) makes them itself of the frames; traces are then read by nissl.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.vocabulary import CELL, CELLS, NOT_CELL
from nissl.data import ChannelTable, Movie, Signal
from nissl.data.signal import ArrayReader
from nissl.errors import BadArgumentError, MethodFailedError, MissingDependencyError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import canonical_json, digest_json
from nissl.run.context import Context
from nissl.run.process import run_process
from nissl.tasks import Inputs, Promises, Result

FRAMES = "frames.raw"
RESULT = "result.npz"
LOG = "log.txt"
TRACES = {"raw": "fluorescence", "neuropil": "fluorescence", "deconvolved": "rate"}
"""Derived signals that a program may give, and the kind of each."""
WHOLE = Promises(chunked=False, deterministic=False, memory="measured")
_BLOCK = 200
_PROBE_S = 120


@dataclass(frozen=True)
class Peer:
    """Another program as a method.

    Parameters
    ----------
    program : str
        Name of the package.
    settings : mapping
        Parameters with their defaults, JSON values; those of the program's own names.
    """

    program: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = "1"
    promises: Promises = WHOLE

    @property
    def name(self) -> str:
        """Name of the method."""
        return f"cells/{self.program}"

    @property
    def variable(self) -> str:
        """Environment variable that names its interpreter."""
        return f"NISSL_{self.program.upper()}_PYTHON"

    @property
    def worker(self) -> Path:
        """Script that runs under that interpreter."""
        return Path(__file__).with_name(f"{self.program}_worker.py")

    @property
    def install(self) -> str:
        """Commands that make an environment."""
        home = self.program
        return (
            f"python -m venv {home} && {home}/bin/pip install {self.program} && "
            f"export {self.variable}=$PWD/{home}/bin/python"
        )

    def missing(self) -> Mapping[str, str]:
        """Nothing where the interpreter is set and exists; else how to get one."""
        python = os.environ.get(self.variable, "")
        return {} if python and Path(python).is_file() else {self.program: self.install}

    def packages(self) -> Mapping[str, str]:
        """Versions as the other interpreter states them."""
        python = os.environ.get(self.variable, "")
        stated = () if self.missing() else _stated(python, str(self.worker))
        return {"numpy": version("numpy")} | {f"{self.program}:{k}": v for k, v in stated}

    def defaults(self) -> Mapping[str, Any]:
        """Settings of the program that nissl passes on, by its own names."""
        return dict(self.settings)

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Let the program find the cells of a movie.

        Raises
        ------
        MissingDependencyError
            No interpreter with the program.
        MethodFailedError
            It failed; its log is named.
        BadArgumentError
            A movie of several planes.
        """
        begun = time.perf_counter()
        if self.missing():
            raise MissingDependencyError(
                f"{self.variable} to name the Python of an environment with {self.program}",
                repr(os.environ.get(self.variable, "")),
                f"Install it apart: {self.install}",
            )
        movie = inputs.movie
        if movie.n_planes != 1:
            raise BadArgumentError(
                "a movie of one plane", f"{movie.n_planes} planes", "Annotate the planes apart."
            )
        folder = context.workdir / self.program
        job = {
            "frames": str(folder / FRAMES),
            "shape": [movie.n_frames, *movie.shape[1:]],
            "dtype": "int16",
            "rate_hz": movie.rate_hz,
            "seed": context.seed,
            "settings": dict(parameters),
            "results": str(folder / "results"),
        }
        key = digest_json({**job, "source": inputs.recording.fingerprint, "v": self.packages()})
        found, peak = self._run(movie, job, key, context, folder)
        labels = self._labels(found, movie, inputs, parameters, context)
        log = {"wall_s": time.perf_counter() - begun, "peak_memory_bytes": peak}
        if "trace:raw" in found or not labels.n_rows:
            signals = tuple(_signals(found, labels, movie))
            return Result((labels,), (_items(found, labels, movie),), signals, log)
        return Result((labels,), (), _own_traces(labels, movie, context), log)

    def _run(
        self, movie: Movie, job: Mapping[str, Any], key: str, context: Context, folder: Path
    ) -> tuple[Mapping[str, npt.NDArray[Any]], int]:
        """Run the other Python, unless this job has finished before."""
        done = folder / "finished.json"
        try:
            facts = json.loads(done.read_text(encoding="utf-8"))
            if facts["key"] == key:
                return self._read(folder, movie), int(facts["peak_bytes"])
        except (OSError, ValueError, KeyError):
            pass
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "results").mkdir(parents=True)
        write_frames(movie, folder / FRAMES)
        path = folder / "job.json"
        path.write_bytes(canonical_json(dict(job)))
        command = [os.environ[self.variable], str(self.worker), str(path)]
        context.progress.start(self.name, None, "s")
        try:
            _, peak = run_process(command, folder / LOG, context, self.name, {"MPLBACKEND": "Agg"})
        finally:
            context.progress.finish(self.name)
            (folder / FRAMES).unlink(missing_ok=True)
        found = self._read(folder, movie)
        write_bytes(done, canonical_json({"key": key, "peak_bytes": peak}))
        return found, peak

    def _read(self, folder: Path, movie: Movie) -> Mapping[str, npt.NDArray[Any]]:
        """What the worker wrote, checked."""
        try:
            with np.load(folder / RESULT, allow_pickle=False) as held:
                found = {name: held[name] for name in held.files}
            lengths, pixels = found["lengths"], found["pixels"]
            n_pixels = int(np.prod(movie.shape))
            fits = lengths.sum() == pixels.size == found["weights"].size
            if not fits or np.any(lengths < 1) or np.any((pixels < 0) | (pixels >= n_pixels)):
                raise ValueError(f"{lengths.size} regions of {pixels.size} pixels")
            for name in ("cell", *(k for k in found if k.startswith("fact:"))):
                if found[name].shape != lengths.shape:
                    raise ValueError(f"{name} of shape {found[name].shape}")
            return found
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MethodFailedError(
                f"outlines of {self.program} in {folder / RESULT}",
                f"{type(error).__name__}: {error}"[:300],
                f"Read its log: {folder / LOG}",
            ) from None

    def _labels(
        self,
        found: Mapping[str, npt.NDArray[Any]],
        movie: Movie,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        context: Context,
    ) -> LabelSet:
        """Its regions, as it called them and without confidence: its scores are not calibrated."""
        cuts = np.cumsum(found["lengths"])[:-1]
        parts = [np.split(found[name], cuts) for name in ("pixels", "weights")]
        n = found["lengths"].size
        drawn = Footprints.build(movie.shape, *parts) if n else Footprints.build(movie.shape, [])
        made = Provenance(
            task="cells",
            source=inputs.recording.fingerprint,
            stream=inputs.stream,
            author=Author("model", self.name, self.version),
            parameters=dict(parameters),
            seed=context.seed,
            packages=dict(self.packages()),
        )
        table = drawn.to_labels(made).table
        columns: dict[str, Any] = {
            name: table.column(name) for name in ("item", "pixels", "weights")
        }
        columns["label"] = np.where(found["cell"] > 0, CELL, NOT_CELL).astype(np.int32)
        return LabelSet.build(Kind.REGIONS, columns, CELLS, made)


def write_frames(movie: Movie, path: Path) -> None:
    """Frames of a movie as raw int16, scaled down together where they do not fit.

    Suite2p works on int16; other types lose no more than the last bit of their range.
    """
    info = np.iinfo(np.int16)
    largest = 0.0
    for a, b in movie.blocks(_BLOCK):
        largest = max(largest, float(np.nanmax(np.abs(movie.frames(a, b).astype(np.float64)))))
    whole = movie.dtype.kind in "iu" and largest <= info.max
    scale = 1.0 if whole or largest == 0 else info.max / largest
    with path.open("wb") as file:
        for a, b in movie.blocks(_BLOCK):
            block = np.nan_to_num(movie.frames(a, b).astype(np.float64)) * scale
            file.write(np.rint(block).astype("<i2").tobytes())


def _items(found: Mapping[str, npt.NDArray[Any]], labels: LabelSet, movie: Movie) -> ItemTable:
    facts = {k.removeprefix("fact:"): v for k, v in found.items() if k.startswith("fact:")}
    columns = {name: np.asarray(values, np.float64) for name, values in facts.items()}
    context = {"grid": list(movie.shape), "rate_hz": movie.rate_hz}
    return ItemTable(labels.digest, pa.table({"item": labels.items, **columns}), {}, {}, context)


def _signals(found: Mapping[str, npt.NDArray[Any]], labels: LabelSet, movie: Movie) -> list[Signal]:
    ids = [str(item) for item in labels.column("item").tolist()]
    out = []
    for name, kind in TRACES.items():
        values = found.get(f"trace:{name}")
        if values is not None and values.shape == (len(ids), movie.n_frames) and ids:
            reader = ArrayReader(np.ascontiguousarray(values.T, np.float32))
            channels = ChannelTable.plain(ids, kind=kind)
            out.append(Signal(name, reader, channels, movie.clock, {"unit": "a.u."}))
    return out


def _own_traces(labels: LabelSet, movie: Movie, context: Context) -> tuple[Signal, ...]:
    """Traces by nissl, for programs that find cells and read none."""
    from nissl.annotators.cells.method import sources
    from nissl.annotators.cells.traces import TraceSettings, extract

    cells = Footprints.from_labels(labels, movie.shape)
    traces = extract(movie, cells, context, TraceSettings())
    return tuple(sources(traces, labels, movie.clock))


@lru_cache(maxsize=8)
def _stated(python: str, worker: str) -> tuple[tuple[str, str], ...]:
    try:
        answer = subprocess.run(
            [python, worker, "--versions"],
            capture_output=True,
            timeout=_PROBE_S,
            check=True,
            text=True,
        )
        stated = json.loads(answer.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return ()
    return tuple(sorted((str(k), str(v)) for k, v in stated.items()))


SUITE2P = Peer("suite2p", {"tau": 1.0, "registration": True, "diameter": None})
CELLPOSE = Peer("cellpose", {"diameter": None, "flow_threshold": 0.4, "cellprob_threshold": 0.0})
CAIMAN = Peer("caiman", {"gSig": 5, "decay_time": 0.4, "motion": True, "K": None})

__all__ = ["CAIMAN", "CELLPOSE", "SUITE2P", "Peer", "write_frames"]
