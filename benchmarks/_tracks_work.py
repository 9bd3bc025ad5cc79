"""One cell of the benchmark of tracks: a method on one movie with some annotated volumes.

python _tracks_work.py simulated|points JSON ANSWER
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import _tracks_real as real
from _common import write_result
from _tracks_reader import Times, corrected
from _tracks_scores import confidence_of, distances, judged, reliability
from nissl.annotators.tracks.positions import Positions
from nissl.data import Recording
from nissl.labels import Author, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs
from nissl.tasks.registered import ANNOTATORS

WITHIN_UM = 2.0
"""About the radius of a nucleus."""
VOXELS = (3.0, 5.0)
PERSON = Author("person", "annotator")


def tracked(
    recording: Recording,
    given: Positions,
    method: str,
    parameters: Mapping[str, Any],
    seed: int = 0,
) -> tuple[Positions, dict[str, Any]]:
    """Positions that a method gives when some volumes are annotated, with time and memory."""
    annotator = ANNOTATORS.get(method)
    made_by = Provenance(task="tracks", source=recording.fingerprint, author=PERSON)
    labels: LabelSet = given.to_labels(made_by)
    inputs = Inputs(recording, next(iter(recording.movies)), labels={"tracks": labels})
    began, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as scratch, measure_peak() as peak:
        result = annotator.annotate(
            inputs, {**annotator.defaults(), **parameters}, Context(Path(scratch), seed=seed)
        )
    told = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "peak_memory_bytes": peak.bytes,
        "log": {k: v for k, v in result.log.items() if isinstance(v, (int, float, str))},
    }
    return Positions.from_labels(result.labels[0]), told


def simulated(how: Mapping[str, Any]) -> dict[str, Any]:
    """A simulated worm, some volumes annotated; scores on all others."""
    from nissl.annotators.tracks.simulate import simulate_worm

    worm = simulate_worm(
        np.random.default_rng(how["seed"]),
        n_neurons=how["neurons"],
        n_frames=how["frames"],
    )
    movies = {movie.name: movie for movie in worm.volumes.channels}
    recording = Recording(None, "array", {}, fingerprint="3" * 64, movies=movies)
    chosen = annotated_volumes(worm.volumes, how["annotated"], how["seed"])
    given = worm.positions.take(chosen)
    said, told = tracked(recording, given, how["method"], how["parameters"], how["seed"])
    spacing = worm.volumes.spacing_um
    if spacing is None:
        raise SystemExit("a simulated worm without a spacing")
    scale = np.asarray(spacing[::-1])
    rest = worm.positions.take(np.setdiff1d(np.arange(how["frames"]), chosen))
    sure, right = confidence_of(said, rest, scale, WITHIN_UM)
    return told | {
        "scores": judged(said, rest, scale, WITHIN_UM),
        "reliability": reliability(sure, right),
        "reader": _reader(said, worm.positions, scale, chosen),
        "by_frame": _by_frame(said, rest, scale),
    }


def annotated_volumes(volumes: Any, n: int, seed: int) -> npt.NDArray[np.int64]:
    """Volumes that a person annotates: as different in posture as possible, the same for all."""
    from nissl.annotators.tracks.posture import embed, farthest

    frames = np.arange(volumes.n_frames)
    latent = embed(volumes, frames, np.random.default_rng(seed))
    first = int(np.argmin(((latent - latent.mean(0)) ** 2).sum(1)))
    more = farthest(latent, np.array([first]), n - 1) if n > 1 else []
    return np.sort(np.array([first, *np.asarray(more, int).tolist()], np.int64))


def _reader(
    said: Positions, true: Positions, scale: npt.NDArray[np.float64], chosen: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """The reader's work on all neuron-frames; those of annotated volumes are right."""
    apart = distances(said, true, scale)
    right = apart <= WITHIN_UM
    sure = np.full(right.shape, np.nan)
    row = {int(frame): k for k, frame in enumerate(said.frames)}
    column = {int(item): k for k, item in enumerate(said.items)}
    for i, frame in enumerate(true.frames.tolist()):
        for j, item in enumerate(true.items.tolist()):
            if frame in row and item in column:
                sure[i, j] = said.confidence[row[frame], column[item]]
    right[chosen], sure[chosen] = True, 1.0
    there = true.seen
    n_annotated = int(there[chosen].sum())
    return corrected(right[there][None], sure[there][None], n_annotated, Times())


def _by_frame(said: Positions, true: Positions, scale: npt.NDArray[np.float64]) -> list[float]:
    apart = distances(said, true, scale)
    known = ~np.isnan(apart)
    good = (apart <= WITHIN_UM) & known
    return [float(g.sum() / max(k.sum(), 1)) for g, k in zip(good, known, strict=True)]


def points(how: Mapping[str, Any]) -> dict[str, Any]:
    """Real volumes: one left out, learnt from the others."""
    known = real.points(Path(how["test"]))
    if known is None:
        raise SystemExit("no volumes with points in the data folder")
    held = int(how["held"])
    rows = np.setdiff1d(np.arange(len(known.names)), [held])
    given = known.truth.take(rows)
    said, told = tracked(known.recording, given, how["method"], how["parameters"], how["seed"])
    truth = known.truth.take(np.array([held]))
    learnt = given.seen.any(axis=0)
    taught = Positions(
        truth.frames, truth.items[learnt], truth.xyz[:, learnt], truth.confidence[:, learnt]
    )
    scale = np.asarray(known.spacing_um[::-1])
    out = {f"{v:g} voxels": judged(said, taught, np.ones(3), v) for v in VOXELS}
    out[f"{WITHIN_UM:g} um"] = judged(said, taught, scale, WITHIN_UM)
    return told | {"name": known.names[held], "scores": out, "neurons": int(taught.seen.sum())}


if __name__ == "__main__":
    _part, _how, _answer = sys.argv[1:]
    _parts = {"simulated": simulated, "points": points}
    write_result(Path(_answer), _parts[_part](json.loads(_how)))
