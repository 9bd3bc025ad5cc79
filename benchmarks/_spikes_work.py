"""The work of `spikes.py` that happens inside a cell: make a recording, sort it, score it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import _spikes_score
from _common import anchor_s
from _spikes_score import facts_of, packed, unpacked
from _spikes_specs import Spec
from _spikes_trains import drawn, most_bursting, with_shared_spikes
from nissl.annotators.spikes.adapter import PARALLEL_FROM
from nissl.annotators.spikes.background import load_locust
from nissl.annotators.spikes.groundtruth import GroundTruth, grid_um
from nissl.annotators.spikes.hybrid import HybridOptions, build_hybrid
from nissl.annotators.spikes.hybrid_units import (
    HybridUnit,
    load_cellexplorer,
    split_by_animal,
)
from nissl.annotators.spikes.rawfile import describe_raw, raw_options
from nissl.annotators.spikes.simulate import simulate_truth
from nissl.errors import EvaluationError
from nissl.labels import Kind, LabelSet
from nissl.labels.serialise import read_labels, write_labels

NOISE_UV = 6.0
LEAST_SNR = 5.0
SHARED_S = 1e-3


def sides(train: Path, test: Path) -> tuple[tuple[HybridUnit, ...], tuple[HybridUnit, ...]]:
    """Units to tune on and units to report, no animal on both sides.

    Of one folder the animals are shared out; two folders must not share one.
    """
    if train.resolve() == test.resolve():
        return split_by_animal(load_cellexplorer(test))
    tune, report = load_cellexplorer(train), load_cellexplorer(test)
    shared = sorted({u.animal for u in tune} & {u.animal for u in report})
    if shared:
        raise EvaluationError(
            "animals that are in the training or in the test folder",
            f"{shared} in both",
            "Separate them, or give one folder: it is then split by animal.",
        )
    return tune, report


def make(spec: Spec, folders: tuple[Path, Path], side: str, path: Path) -> GroundTruth:
    """Build a recording into a raw file."""
    size = dict(spec.size)
    seed = size.pop("seed")
    if spec.make == "simulated":
        return simulate_truth(seed, path=path, **size)
    train, test = folders
    units = sides(train, test)[("tune", "report").index(side)]
    chosen = _units([u for u in units if u.amplitude_uv >= LEAST_SNR * NOISE_UV], seed, size)
    options = HybridOptions(
        noise_uv=NOISE_UV,
        snr=tuple(size["snr"]) if "snr" in size else None,
        spatial=size.get("spatial", "fitted"),
        burst_loss=size.get("burst_loss", 0.0),
        overlaps=size.get("overlaps", 0.0),
        drift=size.get("drift"),
        drift_um=size.get("drift_um"),
    )
    position = grid_um(size["n_channels"], pitch_um=size.get("pitch_um", 20.0))
    return build_hybrid(
        chosen,
        load_locust(test),
        position,
        seed=seed,
        duration_s=size["duration_s"],
        options=options,
        path=path,
    )


def _units(loud: list[HybridUnit], seed: int, size: Mapping[str, Any]) -> list[HybridUnit]:
    rng = np.random.default_rng(seed)
    if not size.get("bursting"):
        return drawn(loud, size["n_units"], rng)
    chosen = most_bursting(loud, size["n_units"])
    return with_shared_spikes(chosen, size["duration_s"], size["shared"], SHARED_S, rng)


def prepare(spec: Spec, folders: tuple[Path, Path], side: str, folder: Path) -> dict[str, Any]:
    """Make a recording's files: raw samples, probe, header, truth; give its facts."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.perf_counter()
    made = make(spec, folders, side, folder / "recording.bin")
    describe_raw(made.recording.signal, folder / "recording.bin")
    write_labels(made.truth, folder / "truth.parquet")
    groups = [unit.get("animal", "") for unit in made.declaration.units]
    facts = facts_of(made.items, groups)
    (folder / "units.json").write_text(json.dumps(facts), encoding="utf-8")
    return {
        "made_in_s": time.perf_counter() - began,
        "fingerprint": made.recording.fingerprint,
        "truth": made.truth.digest,
        "n_spikes": made.truth.n_rows,
        "snr": made.items.table.column("snr").to_pylist(),
        "declaration": made.declaration.to_json(),
    }


def score(folder: Path, labels: LabelSet, rate_hz: float) -> dict[str, Any]:
    """Score a sorting of a prepared recording; see `_spikes_score.score`."""
    truth = read_labels(folder / "truth.parquet")
    facts = json.loads((folder / "units.json").read_text(encoding="utf-8"))
    return _spikes_score.score(truth, labels, facts, rate_hz) | {"spikes": packed(labels)}


def rescored(folder: Path, result: Mapping[str, Any]) -> dict[str, Any]:
    """Score kept spikes of a prepared recording anew; everything else stays as it was."""
    truth = read_labels(folder / "truth.parquet")
    labels = LabelSet.build(Kind.EVENTS, unpacked(result["spikes"]), ("unit",), truth.provenance)
    rate_hz = raw_options(folder / "recording.bin")["rate_hz"]
    return dict(result) | score(folder, labels, rate_hz) | {"spikes": result["spikes"]}


def directly(
    sorter: str, folder: Path, scratch: Path, workers: int, motion: bool
) -> dict[str, Any]:
    """Call a sorter as its users do, without nissl: SpikeInterface's reader and `run_sorter`.

    With as many processes as nissl gives it, so that only what nissl adds differs.
    """
    began, used = time.perf_counter(), cpu_s()
    import spikeinterface.full as si
    from probeinterface import read_probeinterface

    header = raw_options(folder / "recording.bin")
    recording = si.read_binary(
        folder / "recording.bin",
        sampling_frequency=header["rate_hz"],
        num_channels=header["n_channels"],
        dtype=header["dtype"],
        gain_to_uV=header["gain_uv"],
        offset_to_uV=0.0,
    )
    load = recording.get_num_samples() * recording.get_num_channels()
    n_jobs = max(1, min(workers, load // PARALLEL_FROM))
    si.set_global_job_kwargs(n_jobs=n_jobs, chunk_duration="1s", progress_bar=False)
    recording.set_probegroup(read_probeinterface(header["probe"]))
    opened = time.perf_counter()
    shutil.rmtree(scratch, ignore_errors=True)
    known = si.get_default_sorter_params(sorter)
    more = {"apply_motion_correction": motion} if "apply_motion_correction" in known else {}
    sorting = si.run_sorter(sorter, recording, folder=scratch, remove_existing_folder=True, **more)
    spikes = sorting.to_spike_vector()
    sorted_at = time.perf_counter()
    truth = read_labels(folder / "truth.parquet")
    columns = {"item": spikes["unit_index"], "sample": spikes["sample_index"]}
    labels = LabelSet.build(Kind.EVENTS, columns, ("unit",), truth.provenance)
    return score(folder, labels, header["rate_hz"]) | {
        "wall_s": sorted_at - began,
        "sorter_wall_s": sorted_at - opened,
        "cpu_s": cpu_s() - used,
    }


def through_nissl(
    sorter: str, folder: Path, scratch: Path, workers: int, motion: bool
) -> dict[str, Any]:
    """Add and annotate in a fresh project, and score."""
    return _annotated(sorter, folder, scratch, workers, motion)[0]


def timed(sorter: str, folder: Path, scratch: Path, workers: int, motion: bool) -> dict[str, Any]:
    """Sort twice: with nothing compiled, and then with what the first call compiled and kept.

    Report and export are timed after the second. Functions that numba compiles are kept in a
    folder of this cell alone.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    for name in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        place = scratch / name.lower()
        place.mkdir(parents=True)
        os.environ[name] = str(place)
    if "numba" in sys.modules:
        raise EvaluationError("a process that has not loaded numba", "it has", "Load it later.")
    before = long_anchor_s()
    cold, _ = _annotated(sorter, folder, scratch / "cold", workers, motion)
    between = long_anchor_s()
    warm, steps = _annotated(sorter, folder, scratch / "warm", workers, motion, whole=True)
    return warm | {
        "anchors_s": [before, between, long_anchor_s()],
        "cold": {name: cold[name] for name in ("wall_s", "annotate_s", "sorter_wall_s", "cpu_s")},
        **steps,
    }


def _annotated(
    sorter: str, folder: Path, scratch: Path, workers: int, motion: bool, whole: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    began, used = time.perf_counter(), cpu_s()
    from nissl.project import Resources, open_project
    from nissl.tasks import ANNOTATORS

    shutil.rmtree(scratch, ignore_errors=True)
    options = raw_options(folder / "recording.bin")
    method = f"spikes/{sorter}"
    parameters = motion_parameters(ANNOTATORS.get(method).defaults(), motion)
    with open_project(scratch) as project:
        source = project.add(folder / "recording.bin", subject="benchmark", **options)
        added = time.perf_counter()
        draft = project.annotate(
            source, method, head=True, resources=Resources(workers=workers), parameters=parameters
        )
        annotated, spent = time.perf_counter(), cpu_s()
        log = dict(draft.log)
        found = score(folder, draft.labels, options["rate_hz"]) | {
            "wall_s": annotated - began,
            "add_s": added - began,
            "annotate_s": annotated - added,
            "cpu_s": spent - used,
            "sorter_wall_s": log.get("sorter_wall_s"),
            "corrected": bool(log.get("motion", {}).get("corrected", False)),
            "n_findings": len(draft.findings),
            "settings": log.get("sorter", {}),
        }
        steps = {}
        if whole:
            steps["report_s"] = _timed(lambda: project.report(source, "spikes"))
            steps["nwb_s"] = _timed(lambda: project.export(source, "nwb", scratch / "x.nwb"))
    return found, steps


def motion_parameters(defaults: Mapping[str, Any], moves: bool) -> dict[str, Any]:
    """Parameters that switch motion correction on, for methods that have the choice."""
    can = defaults.get("motion_correction", "off") != "off"
    return {"motion_correction": "on"} if moves and can else {}


def cpu_s() -> float:
    """Processor seconds of this process and of its children that have ended."""
    import resource

    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(u.ru_utime + u.ru_stime for u in used)


def long_anchor_s() -> float:
    """Median of five anchors: what each timing is to be read beside."""
    return float(np.median([anchor_s() for _ in range(5)]))


def _timed(step: Callable[[], Any]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
