"""Two neurons that an annotator may have taken for each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.tasks import Finding


def swaps(
    told: Positions,
    named_um: Sequence[npt.NDArray[Any]],
    step_um: npt.NDArray[np.float64],
    radius_um: float,
) -> list[Finding]:
    """Pairs that lie where the other was placed, by what all other volumes say.

    Parameters
    ----------
    told : Positions
        Annotated volumes, voxels.
    named_um : sequence of ndarray, each (n_neurons, 3), um
        The same neurons in each annotated volume as the method would name them, had nobody
        placed them; NaN for none.
    step_um : ndarray, shape (3,)
        Size of a voxel along x, y and z.
    radius_um : float
        Of a nucleus.
    """
    doubts = []
    for row, frame in enumerate(told.frames.tolist()):
        placed = told.xyz[row] * step_um
        apart = np.linalg.norm(placed[:, None] - np.asarray(named_um[row])[None], axis=2)
        with np.errstate(invalid="ignore"):
            near, own = apart < radius_um, np.diagonal(apart) > radius_um
        for a, b in np.argwhere(np.triu(near & near.T, 1) & own[:, None] & own[None]).tolist():
            one, other = int(told.items[a]), int(told.items[b])
            sentence = (
                f"In volume {frame} neurons {one} and {other} lie where the other would be by all "
                "other volumes: they may have been taken for each other."
            )
            doubts.append(Finding("annotated_swap", "warning", sentence, item=one))
    return doubts
