"""What people annotated: the volumes whose masks methods learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.masks.masks import Ints, Masks
from nissl.annotators.tracks.annotated import require_looked_at
from nissl.annotators.tracks.volumes import Volumes
from nissl.errors import BadLabelsError
from nissl.labels import LabelSet


@dataclass(frozen=True, eq=False)
class Told:
    """Annotated volumes of a movie.

    Parameters
    ----------
    masks : Masks
    frames : ndarray, shape (n_annotated,), int64
    items : ndarray, shape (n_neurons,), int64
    """

    masks: Masks
    frames: Ints
    items: Ints

    def volume(self, frame: int) -> npt.NDArray[np.int32]:
        """Neurons of a volume by their place in `items`, from 1, (z, y, x)."""
        return self.masks.volume(frame, self.items)

    def only(self, frames: npt.NDArray[np.int64]) -> Told:
        """Some of the volumes; every neuron is kept."""
        kept = self.masks.take(np.isin(self.masks.frame, frames))
        return Told(kept, np.sort(frames), self.items)


def annotated(labels: LabelSet, volumes: Volumes, frames: Sequence[int] | None = None) -> Told:
    """Masks that people drew.

    Parameters
    ----------
    labels : LabelSet
        REGIONS with a frame each; the neuron is the item.
    volumes : Volumes
    frames : sequence of int, optional
        Which volumes a person annotated; by default all that a person's set speaks of.

    Raises
    ------
    BadLabelsError
        No mask, masks that overlap or lie outside; a machine's proposal, of which nobody says
        which volumes a person looked at.
    """
    masks = Masks.from_labels(labels, volumes.shape)
    require_looked_at(labels, masks.frames.tolist(), frames, "masks")
    if frames is not None:
        masks = masks.take(np.isin(masks.frame, np.asarray(list(frames), np.int64)))
    if not masks.frame.size:
        raise BadLabelsError("a volume with a mask at least", "none", "Draw some masks first.")
    late = masks.frames[(masks.frames < 0) | (masks.frames >= volumes.n_frames)]
    if late.size:
        raise BadLabelsError(
            f"volumes from 0 to {volumes.n_frames - 1}",
            f"masks in volume {int(late[0])}",
            "The labels belong to another movie, or count volumes from 1.",
        )
    return Told(masks, masks.frames, masks.items)


__all__ = ["Told", "annotated"]
