"""`celltypes/c4`: NeuroPyxels' classifier of cerebellar units, a program under the GPL.

Beau et al. 2025, Cell 188:2218-2234. It is run by its own Python and never imported; only files
go to and fro: spike times and mean waveforms in the layout of the C4 database in, classes with
probabilities out. Set NISSL_C4_PYTHON to the interpreter of an environment that holds
NeuroPyxels with its extra "c4"; at its first run it fetches its networks (some GB).

Probabilities are those that C4's ensemble gives. A unit stays "unknown" where the likeliest
class is not `threshold` times as likely as the next (C4's rule), and where C4 cannot be asked:
under 100 spikes, or no waveform. C4's own filter of periods with missed or foreign spikes needs
raw data and is left out; curation goes before.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.c4_units import usable, write_units
from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.celltypes.vocabulary import CEREBELLAR, UNKNOWN, canonical
from nissl.errors import BadArgumentError, MethodFailedError, MissingDependencyError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import canonical_json, digest_json
from nissl.run.context import Context
from nissl.run.process import run_process
from nissl.tasks import Inputs, Promises, Result

Values = npt.NDArray[np.float64]

PYTHON = "NISSL_C4_PYTHON"
INSTALL = (
    f"python3.11 -m venv c4 && c4/bin/pip install 'npyx[c4]' && export {PYTHON}=$PWD/c4/bin/python"
)
WORKER = Path(__file__).with_name("c4_worker.py")
LOG = "c4.log"
THRESHOLD = 2.0
WHOLE = Promises(chunked=False, deterministic=False, memory="measured")
_PROBE_S = 120


@dataclass(frozen=True)
class C4:
    """The classifier as a method of the task "celltypes"."""

    name: str = "celltypes/c4"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Nothing where the interpreter is set and exists; else how to get one."""
        python = os.environ.get(PYTHON, "")
        return {} if python and Path(python).is_file() else {"npyx": INSTALL}

    def packages(self) -> Mapping[str, str]:
        """Versions as the other interpreter states them."""
        own = {name: version(name) for name in ("numpy", "scipy")}
        python = os.environ.get(PYTHON, "")
        stated = _stated(python) if python and Path(python).is_file() else ()
        return own | {f"c4:{name}": text for name, text in stated}

    def defaults(self) -> Mapping[str, Any]:
        """How many times as likely as the next a class must be, and whether layers are used."""
        return {"threshold": THRESHOLD, "layer": False}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose a class for every unit of the current sorting.

        Raises
        ------
        MissingDependencyError
            No interpreter with NeuroPyxels.
        MethodFailedError
            It failed; its log is named.
        """
        from nissl.annotators.celltypes.features import units_of

        begun = time.perf_counter()
        threshold, layer = _checked(parameters)
        if self.missing():
            raise MissingDependencyError(
                f"{PYTHON} to name the Python of an environment with NeuroPyxels",
                repr(os.environ.get(PYTHON, "")),
                f"Install it apart, since its licence is the GPL: {INSTALL}",
            )
        spikes = inputs.labels["spikes"]
        units = units_of(spikes, inputs.items.get("spikes"))
        asked = [k for k, unit in enumerate(units) if usable(unit)]
        found, peak = Answer((), (), np.zeros((0, 1)), 0), 0
        if asked:
            folder = context.workdir / "c4"
            job = {
                "units": str(folder / "units.h5"),
                "layer": layer,
                "spikes": spikes.digest,
                "packages": dict(self.packages()),
            }
            ids = [int(spikes.items[k]) for k in asked]
            found, peak = _asked(folder, job, context, [units[k] for k in asked], ids)
        label, confidence, probability = _classes(found, len(units), asked, threshold)
        made = spikes.provenance
        labels = LabelSet.build(
            Kind.CLASSES,
            {
                "id": spikes.items,
                "item": spikes.items,
                "target": spikes.items,
                "label": label,
                "confidence": confidence,
                "probabilities": probability,
            },
            CEREBELLAR,
            Provenance(
                task="celltypes",
                source=made.source,
                stream=made.stream,
                author=Author("model", self.name, self.version),
                parameters=dict(parameters),
                seed=context.seed,
                made_from=(spikes.digest,),
                targets=(spikes.digest,),
                packages=dict(self.packages()),
            ),
        )
        log = {
            "wall_s": time.perf_counter() - begun,
            "peak_memory_bytes": peak,
            "not_asked": len(units) - len(asked),
            "n_models": found.n_models,
        }
        return Result((labels,), log=log)


@dataclass(frozen=True, eq=False)
class Answer:
    """What C4 says of the units that it was asked of.

    Parameters
    ----------
    place : tuple of int
        Position of each unit among those that it was asked of.
    classes : tuple of str
        Canonical names.
    probabilities : ndarray, shape (n_units, n_classes), float64
    n_models : int
        Networks that voted.
    """

    place: tuple[int, ...]
    classes: tuple[str, ...]
    probabilities: Values
    n_models: int


def _asked(
    folder: Path, job: Mapping[str, Any], context: Context, units: list[Unit], ids: list[int]
) -> tuple[Answer, int]:
    """Run the other Python, unless this job has finished before."""
    key = digest_json(dict(job))
    done = folder / "finished.json"
    stage = "celltypes/c4"
    try:
        facts = json.loads(done.read_text(encoding="utf-8"))
        if facts["key"] == key:
            return _read(folder), int(facts["peak_bytes"])
    except (OSError, ValueError, KeyError):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_units(Path(job["units"]), units, ids)
    path = folder / "job.json"
    path.write_bytes(canonical_json(dict(job)))
    command = [os.environ[PYTHON], str(WORKER), str(path)]
    context.progress.start(stage, None, "s")
    try:
        _, peak = run_process(command, folder / LOG, context, stage, {"MPLBACKEND": "Agg"})
    finally:
        context.progress.finish(stage)
    found = _read(folder)
    write_bytes(done, canonical_json({"key": key, "peak_bytes": peak}))
    return found, peak


def _read(folder: Path) -> Answer:
    """Its answer, which must be of classes that nissl knows."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        classes = tuple(canonical(name) for name in result["classes"])
        place = tuple(int(str(name).rpartition("_")[2]) for name in result["units"])
        p = np.asarray(result["probabilities"], np.float64)
        strange = sorted(set(classes) - set(CEREBELLAR.names))
        fits = p.shape == (len(place), len(classes)) and np.all(np.isfinite(p)) and np.all(p >= 0)
        if strange or not fits or len(set(place)) != len(place):
            raise ValueError(f"classes {list(classes)}, {len(place)} units, shape {p.shape}")
        return Answer(place, classes, p, int(result["n_models"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MethodFailedError(
            f"classes and probabilities of C4 in {folder / 'result.json'}",
            f"{type(error).__name__}: {error}"[:300],
            f"Read its log: {folder / LOG}",
        ) from None


def _classes(
    found: Answer, n: int, asked: list[int], threshold: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Labels, confidence and probabilities over `CEREBELLAR` of all units."""
    unknown = CEREBELLAR.names.index(UNKNOWN)
    p = np.zeros((n, len(CEREBELLAR)))
    p[:, unknown] = 1
    label = np.full(n, unknown, np.int32)
    confidence = np.full(n, np.nan, np.float32)
    for place, own in zip(found.place, found.probabilities, strict=True):
        row = asked[place]
        p[row] = 0
        for name, value in zip(found.classes, own, strict=True):
            p[row, CEREBELLAR.names.index(name)] += value
        p[row] /= p[row].sum()
        second, first = np.sort(p[row])[-2:]
        if first >= threshold * second:
            label[row] = int(p[row].argmax())
            confidence[row] = first
    return label, confidence, p.astype(np.float32)


def _checked(parameters: Mapping[str, Any]) -> tuple[float, bool]:
    threshold, layer = parameters["threshold"], parameters["layer"]
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not threshold >= 1:
        raise BadArgumentError(
            "a threshold of 1 or more, a ratio of probabilities", repr(threshold), "C4 takes 2."
        )
    if not isinstance(layer, bool):
        raise BadArgumentError("true or false for layer", repr(layer), "Write --set layer=true.")
    return float(threshold), layer


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


C4_METHOD = C4()
