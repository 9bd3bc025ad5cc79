"""`masks/registration`: the masks of the annotated volume that explains each volume best, bent.

Centres of the annotated masks are found in every volume by non-rigid registration of blobs, as
`tracks/registration` does, and a smooth field through them carries the masks there. Nothing is
learnt; it is what learning is compared with.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.masks.annotated import Told, annotated
from nissl.annotators.masks.everywhere import as_told, draw_all, probability_signal
from nissl.annotators.tracks.annotated import channels_of
from nissl.annotators.tracks.fields import fit_field
from nissl.annotators.tracks.following import Known, Placed, learnt, place
from nissl.annotators.tracks.mask_synthesis import tidied
from nissl.annotators.tracks.method import WHOLE
from nissl.annotators.tracks.registering import looked, made_by, packages, require_sound
from nissl.run.context import Context
from nissl.run.execute import resumable
from nissl.run.memory import measure_peak
from nissl.tasks import Inputs, Promises, Result


@dataclass(frozen=True)
class RegistrationMethod:
    """Annotated masks, carried by the field that their centres follow."""

    name: str = "masks/registration"
    version: str = "1"
    promises: Promises = WHOLE
    needs: tuple[str, ...] = ("masks",)
    from_people: bool = True

    def missing(self) -> Mapping[str, str]:
        """Nothing: it computes with NumPy and SciPy."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return packages()

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values; those of `tracks/registration`."""
        return {
            "channels": None,
            "spacing_um": None,
            "frames": None,
            "diameter_um": None,
            "threshold": 4.0,
            "votes": 3,
        }

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Carry the annotated masks into every volume.

        Raises
        ------
        BadArgumentError, BadMetadataError
            A parameter outside its values; a size of a voxel that nobody stated.
        BadLabelsError
            Masks that contradict themselves or the movie.
        InterruptedRunError
            Ctrl-C; finished blocks are kept.
        """
        began = time.perf_counter()
        require_sound(parameters, ("votes", 1, 20))
        volumes = channels_of(inputs.recording, inputs.stream, parameters["channels"])
        told = annotated(inputs.labels["masks"], volumes, parameters["frames"])
        context.workdir.mkdir(parents=True, exist_ok=True)
        with measure_peak() as peak, resumable("masks"):
            centres = told.masks.centres()
            most = round(1.4 * int(centres.seen.sum(axis=1).max())) + 5
            looking = looked(volumes, parameters, told.frames.tolist(), most)
            known = learnt(centres, volumes, looking)
            votes = int(parameters["votes"])

            def draw(frame: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
                placed = place(volumes[frame], known, n_votes=votes)
                return _carried(placed, known, told), placed.score

            found = draw_all(volumes.n_frames, draw, "registration", context)
        log = {
            "annotated_volumes": told.frames.tolist(),
            "neurons": int(told.items.size),
            "diameter_um": looking.diameter_um,
            "spacing_um": list(looking.spacing),
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
        }
        labels = as_told(found, told).to_labels(made_by(self, inputs, parameters, context))
        return Result(
            labels=(labels,), sources=(probability_signal(found, told, volumes),), log=log
        )


def _carried(placed: Placed, known: Known, told: Told) -> npt.NDArray[np.int32]:
    """Masks of the reference, moved by the field that its centres follow."""
    shape = told.masks.shape
    reference = next((each for each in known.references if each.frame == placed.source), None)
    if reference is None:
        return np.zeros(shape, np.int32)
    spacing = known.looking.spacing
    xyz = reference.um / np.asarray(spacing[::-1]) + known.habit
    target, trust = placed.xyz[reference.columns], placed.score[reference.columns]
    if not np.isfinite(target).all(axis=1).any():
        return np.zeros(shape, np.int32)
    field = fit_field(xyz, target, shape, spacing, weights=np.maximum(trust, 1e-3))
    moved: npt.NDArray[np.int32] = tidied(field.warp_labels(told.volume(reference.frame)))
    return moved


REGISTRATION = RegistrationMethod()

__all__ = ["REGISTRATION", "RegistrationMethod"]
