"""`tracks/nissl`: every annotated neuron in every volume, from a few annotated ones.

Blobs are named by a network that learns the arrangement of the neurons of this very animal, by
smooth displacements from volumes of like posture, and through time; well explained volumes are
targets to learn from again (`nissl.annotators.tracks.procedure`). The published way by a network
of whole volumes is an option (`nissl.annotators.tracks.images`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.annotated import annotated, channels_of
from nissl.annotators.tracks.confidence import confidence
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.registering import looked, made_by, require_sound
from nissl.annotators.tracks.seen import Looking
from nissl.annotators.tracks.swaps import swaps
from nissl.annotators.tracks.volumes import Volumes
from nissl.errors import BadArgumentError
from nissl.nets import backend
from nissl.run.context import Context
from nissl.run.execute import resumable
from nissl.run.installed import installed
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

WAYS = ("points", "points-once", "plain", "none")
"""What `targeted` may be."""
FEW = 4
"""Neurons of an annotated volume below which there is no arrangement to learn."""
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")


@dataclass(frozen=True)
class TracksMethod:
    """Targeted augmentation, of arrangements or of images."""

    name: str = "tracks/nissl"
    version: str = "1"
    promises: Promises = WHOLE
    needs: tuple[str, ...] = ("tracks",)
    from_people: bool = True

    def missing(self) -> Mapping[str, str]:
        """PyTorch, where it is not installed."""
        return backend.missing("torch")

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: installed(name) for name in ("numpy", "scipy", "torch")}

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values.

        `channels`: names of streams, the first for finding; null takes the annotated stream and
        the next of its shape. `spacing_um`: of a voxel along z, y, x, where the movie does not
        say it. `frames`: the volumes that a person annotated; null takes all of a person's set.
        `diameter_um`: of a nucleus; null looks for it. `threshold`: of blobs, in standard
        deviations of noise. `targeted`: "points" learns arrangements, and again from the
        volumes that it explains well; "points-once" from the annotated ones alone; "plain" is
        the published way, a network of images with synthetic volumes; "none" the same without
        them. `rounds`: of targeted augmentation. `steps`: of each training; null takes 600 of
        sets, or 800 volumes of images. `targets`: volumes of a round. `device`: "auto", "cpu"
        or "cuda".
        """
        return {
            "channels": None,
            "spacing_um": None,
            "frames": None,
            "diameter_um": None,
            "threshold": 5.0,
            "targeted": "points",
            "rounds": 1,
            "steps": None,
            "targets": 300,
            "device": "auto",
        }

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Find the annotated neurons in every volume.

        Raises
        ------
        BadArgumentError, BadMetadataError
            A parameter outside its values; a size of a voxel that nobody stated.
        BadLabelsError
            Annotations that contradict themselves or the movie.
        MissingDependencyError
            PyTorch is not installed.
        InterruptedRunError
            Ctrl-C; finished stages are kept.
        """
        began = time.perf_counter()
        _require(parameters)
        volumes = channels_of(inputs.recording, inputs.stream, parameters["channels"])
        told = annotated(inputs.labels["tracks"], volumes, parameters["frames"])
        # of many more blobs than neurons, the clearest are those that people annotate
        most = round(1.4 * int(told.seen.sum(axis=1).max())) + 5
        looking = looked(volumes, parameters, told.frames.tolist(), most)
        context.workdir.mkdir(parents=True, exist_ok=True)
        with measure_peak() as peak, resumable("tracks"), backend.one_thread():
            positions, facts, exchanged = _found(volumes, told, looking, parameters, context)
        labels = positions.to_labels(made_by(self, inputs, parameters, context))
        log = {
            "annotated_volumes": told.frames.tolist(),
            "neurons": int(told.items.size),
            "diameter_um": looking.diameter_um,
            "spacing_um": list(looking.spacing),
            **facts,
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
        }
        return Result(labels=(labels,), log=log, findings=(*exchanged, *_doubts(told, positions)))


def _found(
    volumes: Volumes,
    told: Positions,
    looking: Looking,
    parameters: Mapping[str, Any],
    context: Context,
) -> tuple[Positions, dict[str, Any], list[Finding]]:
    """Places with confidence, what the log tells of how, and neurons that may be swapped."""
    way, steps = parameters["targeted"], parameters["steps"]
    rounds, most = int(parameters["rounds"]), int(parameters["targets"])
    frames = np.arange(volumes.n_frames)
    if way in ("plain", "none"):
        from nissl.annotators.tracks.images import ImagePlan, predict_all

        plan = ImagePlan(
            rounds=rounds if way == "plain" else 0,
            steps=800 if steps is None else int(steps),
            targets=most,
            spacing=looking.spacing,
            device=parameters["device"],
        )
        said = predict_all(volumes, told, plan, context)
        # the probability of a class at its best voxel is no calibrated probability
        positions = Positions.build(frames, said.xyz, items=told.items)
        return positions, {"synthetic": said.synthetic}, []
    from nissl.annotators.tracks.procedure import Plan, follow

    arranged = Plan(
        rounds=rounds if way == "points" else 0,
        steps=600 if steps is None else int(steps),
        targets=most,
        device=parameters["device"],
    )
    followed = follow(volumes, told, looking, arranged, context)
    sure = _as_told(confidence(followed), told)
    positions = Positions.build(frames, followed.xyz, items=told.items, confidence=sure)
    named = [followed.named[frame].xyz for frame in told.frames.tolist()]
    step = np.asarray(looking.spacing[::-1], np.float64)
    return positions, followed.log, swaps(told, named, step, looking.diameter_um)


def _as_told(sure: npt.NDArray[np.float32], told: Positions) -> npt.NDArray[np.float32]:
    """Without a confidence where a person placed a neuron: that is no proposal."""
    out = sure.copy()
    for row, frame in enumerate(told.frames.tolist()):
        out[frame, told.seen[row]] = np.nan
    return out


def _require(parameters: Mapping[str, Any]) -> None:
    require_sound(parameters, ("rounds", 0, 10), ("targets", 1, 100_000))
    if parameters["targeted"] not in WAYS:
        raise BadArgumentError(
            f"targeted among {WAYS}", repr(parameters["targeted"]), "Choose one of them."
        )
    steps = parameters["steps"]
    if steps is not None and not (isinstance(steps, int) and 1 <= steps <= 1_000_000):
        raise BadArgumentError(
            "steps from 1 to 1,000,000, or null", repr(steps), "Leave it out for the default."
        )


def _doubts(told: Positions, found: Positions) -> list[Finding]:
    """What annotation cannot support, and volumes in which most neurons are in doubt."""
    doubts = []
    number = told.seen.sum(axis=1)
    if told.frames.size == 1:
        sentence = (
            "Only one volume is annotated: what is learnt of postures is made up from it. "
            "Annotate a second whose posture is far from it."
        )
        doubts.append(Finding("one_annotated_volume", "warning", sentence, value=1, limit=2))
    if number.max() < FEW:
        sentence = "So few neurons are annotated that their arrangement tells little."
        value = float(number.max())
        doubts.append(Finding("few_neurons", "warning", sentence, value=value, limit=FEW))
    once = int((told.seen.sum(axis=0) == 1).sum())
    if once and told.frames.size > 2:
        sentence = (
            f"{once} neurons are annotated in one volume only: a new name for a known neuron, "
            "or one that the others leave out."
        )
        doubts.append(Finding("annotated_once", "note", sentence, value=once, limit=0))
    with np.errstate(invalid="ignore"):
        unsure = np.array([_mean(row) for row in found.confidence])
        lost = int((unsure < 0.5).sum())
    if lost:
        worst = int(np.nanargmin(unsure))
        sentence = (
            f"In {lost} volumes most neurons are in doubt; volume {worst} is the worst, and "
            "would teach most if it were annotated."
        )
        doubts.append(Finding("lost", "warning", sentence, value=lost, limit=0, unit="volumes"))
    return doubts


def _mean(row: npt.NDArray[np.float32]) -> float:
    known = row[np.isfinite(row)]
    return float(known.mean()) if known.size else float("nan")


NISSL = TracksMethod()
