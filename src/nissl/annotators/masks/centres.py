"""`tracks/masks`: the centres of masks as tracks, for all that is done with tracks.

Light, responses, names and the view of tracks work on places; a neuron keeps its item and the
confidence of its mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nissl.annotators.masks.masks import Masks
from nissl.annotators.tracks.annotated import channels_of
from nissl.annotators.tracks.method import WHOLE
from nissl.annotators.tracks.registering import made_by, packages
from nissl.run.context import Context
from nissl.tasks import Inputs, Promises, Result


@dataclass(frozen=True)
class CentresMethod:
    """Mean place of the voxels of each mask."""

    name: str = "tracks/masks"
    version: str = "1"
    promises: Promises = WHOLE
    needs: tuple[str, ...] = ("masks",)

    def missing(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return packages()

    def defaults(self) -> Mapping[str, Any]:
        """No parameters."""
        return {}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Take the centres of the current masks.

        Raises
        ------
        BadLabelsError
            Masks that contradict themselves or the movie.
        """
        volumes = channels_of(inputs.recording, inputs.stream, None)
        masks = Masks.from_labels(inputs.labels["masks"], volumes.shape)
        labels = masks.centres().to_labels(made_by(self, inputs, parameters, context))
        return Result(labels=(labels,), log={"neurons": int(masks.items.size)})


CENTRES = CentresMethod()

__all__ = ["CENTRES", "CentresMethod"]
