"""`masks/nissl`: every annotated neuron's voxels in every volume, from a few annotated ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.masks.annotated import Told, annotated
from nissl.annotators.masks.everywhere import (
    Everywhere,
    as_told,
    draw_all,
    probability_signal,
)
from nissl.annotators.masks.learning import Plan, believed, taught
from nissl.annotators.masks.trust import Trust
from nissl.annotators.tracks.annotated import channels_of, spacing_of
from nissl.annotators.tracks.method import WHOLE
from nissl.annotators.tracks.registering import made_by
from nissl.errors import BadArgumentError
from nissl.nets import backend
from nissl.run.context import Context
from nissl.run.execute import resumable
from nissl.run.installed import installed
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

LEAST_TO_CALIBRATE = 4
"""Annotated volumes from which some are left out to learn how far the network can be believed."""
RANGES = (("rounds", 0, 10), ("steps", 1, 1_000_000), ("targets", 1, 1000), ("folds", 0, 20))


@dataclass(frozen=True)
class MasksMethod:
    """A network of whole volumes, taught with targeted augmentation."""

    name: str = "masks/nissl"
    version: str = "1"
    promises: Promises = WHOLE
    needs: tuple[str, ...] = ("masks",)
    from_people: bool = True

    def missing(self) -> Mapping[str, str]:
        """PyTorch, where it is not installed."""
        return backend.missing("torch")

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: installed(name) for name in ("numpy", "scipy", "scikit-image", "torch")}

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values.

        `channels`: names of streams, the first for targets; null takes the annotated stream and
        the next of its shape. `spacing_um`: of a voxel along z, y, x, where the movie does not
        say it. `frames`: the volumes that a person annotated; null takes all of a person's set.
        `targeted`: whether later rounds learn from synthetic volumes too. `rounds`: of teaching
        after the first. `steps`: volumes that each teaching shows. `targets`: synthetic volumes
        of a round, at most. `folds`: parts of the annotated volumes that are left out in turn to
        calibrate the confidence; 0 for none. `device`: "auto", "cpu" or "cuda".
        """
        return {
            "channels": None,
            "spacing_um": None,
            "frames": None,
            "targeted": True,
            "rounds": 1,
            "steps": 300,
            "targets": 24,
            "folds": 3,
            "device": "auto",
        }

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Draw the annotated neurons in every volume.

        Raises
        ------
        BadArgumentError, BadMetadataError
            A parameter outside its values; a size of a voxel that nobody stated.
        BadLabelsError
            Masks that contradict themselves or the movie.
        MissingDependencyError
            PyTorch is not installed.
        InterruptedRunError
            Ctrl-C; finished stages are kept.
        """
        began = time.perf_counter()
        _require(parameters)
        volumes = channels_of(inputs.recording, inputs.stream, parameters["channels"])
        told = annotated(inputs.labels["masks"], volumes, parameters["frames"])
        plan = Plan(
            rounds=int(parameters["rounds"]),
            targeted=bool(parameters["targeted"]),
            steps=int(parameters["steps"]),
            targets=int(parameters["targets"]),
            folds=int(parameters["folds"]) if told.frames.size >= LEAST_TO_CALIBRATE else 0,
            spacing=spacing_of(volumes, parameters["spacing_um"]),
            device=parameters["device"],
        )
        context.workdir.mkdir(parents=True, exist_ok=True)
        with measure_peak() as peak, resumable("masks"), backend.one_thread():
            trust = believed(volumes, told, plan, context) if plan.folds > 1 else None
            drawer, synthetic = taught(volumes, told, plan, context)

            def draw(frame: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
                drawn = drawer(volumes[frame])
                return drawn.mask, drawn.probability

            found = draw_all(volumes.n_frames, draw, "masks", context)
        sure = None if trust is None else _sure(found, trust, drawer.usual)
        masks = as_told(found, told, sure)
        log = {
            "annotated_volumes": told.frames.tolist(),
            "neurons": int(told.items.size),
            "synthetic": synthetic,
            "calibrated": trust is not None,
            "spacing_um": list(plan.spacing),
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
        }
        return Result(
            labels=(masks.to_labels(made_by(self, inputs, parameters, context)),),
            sources=(probability_signal(found, told, volumes),),
            log=log,
            findings=tuple(_doubts(told, trust)),
        )


def _sure(
    found: Everywhere, trust: Trust, usual: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    size = found.sizes / np.maximum(usual[found.number], 1)
    return trust(found.thought, size)


def _require(parameters: Mapping[str, Any]) -> None:
    for name, low, high in RANGES:
        value = parameters[name]
        if not (isinstance(value, int) and low <= value <= high):
            raise BadArgumentError(
                f"{name} as a whole number from {low} to {high:,}",
                repr(value),
                "Leave it out for the default.",
            )


def _doubts(told: Told, trust: Trust | None) -> list[Finding]:
    doubts = []
    n = int(told.frames.size)
    if n == 1:
        sentence = (
            "Only one volume is annotated: what is learnt of postures is made up from it. Draw "
            "the masks of a second whose posture is far from it."
        )
        doubts.append(Finding("one_annotated_volume", "warning", sentence, value=1, limit=2))
    if trust is None:
        sentence = (
            f"Masks have no confidence: {n} annotated volumes leave too little aside to tell how "
            "far the network can be believed; `mask_score` has what it says itself."
        )
        doubts.append(Finding("uncalibrated", "note", sentence, value=n, limit=LEAST_TO_CALIBRATE))
    return doubts


NISSL = MasksMethod()
