"""The work of `spikes.py` that happens inside a cell: make a recording, sort it, score it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.spikes.adapter import PARALLEL_FROM
from nissl.annotators.spikes.background import load_locust
from nissl.annotators.spikes.groundtruth import GroundTruth, grid_um
from nissl.annotators.spikes.hybrid import HybridOptions, build_hybrid
from nissl.annotators.spikes.hybrid_units import (
    HybridUnit,
    choose,
    load_cellexplorer,
    split_by_animal,
)
from nissl.annotators.spikes.rawfile import describe_raw, raw_options
from nissl.annotators.spikes.simulate import simulate_truth
from nissl.errors import EvaluationError
from nissl.labels import Kind, LabelSet
from nissl.labels.compare import compare
from nissl.labels.serialise import read_labels, write_labels

NOISE_UV = 6.0
LEAST_SNR = 5.0
TOLERANCE_S = 0.4e-3


@dataclass(frozen=True)
class Spec:
    """A recording of the benchmark.

    Parameters
    ----------
    name : str
    title : str
    make : {"simulated", "hybrid"}
    size : mapping
        Seed, channels, units, duration and the rest; JSON values.
    """

    name: str
    title: str
    make: str
    size: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the title."""
        return {"name": self.name, "make": self.make, "size": dict(self.size)}


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
    loud = [u for u in units if u.amplitude_uv >= LEAST_SNR * NOISE_UV]
    chosen = choose(loud, size["n_units"], np.random.default_rng(seed))
    options = HybridOptions(noise_uv=NOISE_UV, spatial=size.get("spatial", "fitted"))
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


def prepare(spec: Spec, folders: tuple[Path, Path], side: str, folder: Path) -> dict[str, Any]:
    """Make a recording's files: raw samples, probe, header, truth; give its facts."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.perf_counter()
    made = make(spec, folders, side, folder / "recording.bin")
    describe_raw(made.recording.signal, folder / "recording.bin")
    write_labels(made.truth, folder / "truth.parquet")
    groups = [unit.get("animal", "") for unit in made.declaration.units]
    (folder / "groups.json").write_text(json.dumps(groups), encoding="utf-8")
    return {
        "made_in_s": time.perf_counter() - began,
        "fingerprint": made.recording.fingerprint,
        "truth": made.truth.digest,
        "n_spikes": made.truth.n_rows,
        "snr": made.items.table.column("snr").to_pylist(),
        "declaration": made.declaration.to_json(),
    }


def score(folder: Path, labels: LabelSet, rate_hz: float) -> dict[str, Any]:
    """Accuracy over true units, by SpikeForest's definition."""
    truth = read_labels(folder / "truth.parquet")
    tolerance = round(TOLERANCE_S * rate_hz)
    names = json.loads((folder / "groups.json").read_text(encoding="utf-8"))
    animals = {i: names[i] for i in truth.items.tolist()} if any(names) else None
    found = compare(truth, labels, groups=animals, tolerance=tolerance, by_item=True)
    interval = found.intervals["accuracy"]
    metrics = found.metrics
    return {
        "accuracy_mean": metrics["accuracy"],
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "accuracy_median": metrics["accuracy_median"],
        "precision_mean": metrics["precision"],
        "recall_mean": metrics["recall"],
        "n_true": int(truth.items.size),
        "n_good": int(metrics["n_good"]),
        "n_false_positive": int(metrics["n_false_positive"]),
        "n_redundant": int(metrics["n_redundant"]),
        "n_found": int(labels.items.size),
        "accuracy_by_unit": found.items.column("accuracy").to_pylist(),
    }


def directly(sorter: str, folder: Path, scratch: Path, workers: int) -> dict[str, Any]:
    """Call a sorter as its users do, without nissl: SpikeInterface's reader and `run_sorter`.

    With as many processes as nissl gives it, so that only what nissl adds differs.
    """
    began = time.perf_counter()
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
    sorting = si.run_sorter(sorter, recording, folder=scratch, remove_existing_folder=True)
    spikes = sorting.to_spike_vector()
    sorted_at = time.perf_counter()
    truth = read_labels(folder / "truth.parquet")
    columns = {"item": spikes["unit_index"], "sample": spikes["sample_index"]}
    labels = LabelSet.build(Kind.EVENTS, columns, ("unit",), truth.provenance)
    return score(folder, labels, header["rate_hz"]) | {
        "wall_s": sorted_at - began,
        "sorter_wall_s": sorted_at - opened,
    }


def through_nissl(sorter: str, folder: Path, scratch: Path, workers: int) -> dict[str, Any]:
    """Add, annotate, report and export in a fresh project, each step timed."""
    began = time.perf_counter()
    from nissl.project import Resources, open_project

    shutil.rmtree(scratch, ignore_errors=True)
    options = raw_options(folder / "recording.bin")
    with open_project(scratch) as project:
        source = project.add(folder / "recording.bin", subject="benchmark", **options)
        added = time.perf_counter()
        resources = Resources(workers=workers)
        draft = project.annotate(source, f"spikes/{sorter}", head=True, resources=resources)
        annotated = time.perf_counter()
        report_s = _timed(lambda: project.report(source, "spikes"))
        nwb_s = _timed(lambda: project.export(source, "nwb", scratch / "export.nwb"))
        log = dict(draft.log)
        return score(folder, draft.labels, options["rate_hz"]) | {
            "wall_s": annotated - began,
            "add_s": added - began,
            "annotate_s": annotated - added,
            "sorter_wall_s": log.get("sorter_wall_s"),
            "report_s": report_s,
            "nwb_s": nwb_s,
            "n_findings": len(draft.findings),
            "settings": log.get("sorter", {}),
        }


def _timed(step: Callable[[], Any]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
