"""Postures of the volumes of a desk, and which volume to annotate next.

The question is that of the policy `coverage`, over volumes instead of items: which one puts most
neuron-frames right, its own and those of volumes like it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from nissl.labels import Kind
from nissl.labels.replay.pointwise import ACCEPTED, ADDED
from nissl.review.point_desks import HIDDEN, LEAST, NOTHING, UNKNOWN, Grid, PointDesk
from nissl.review.policies.coverage import gains
from nissl.review.postures import postures

Floats = npt.NDArray[np.float64]

MISSING = 0.3
"""What a missing point counts against one that is certainly wrong; as in the view's own order."""
ANNOTATED = 0.9
"""Share of its points that is decided in a volume that counts as annotated."""
_STEPS = 255 - LEAST


@dataclass(frozen=True, eq=False)
class Postures:
    """How alike the volumes of a desk are.

    Parameters
    ----------
    latent : ndarray, shape (n_frames, k)
        Distances are in um (voxels without a spacing); NaN without points.
    taught : ndarray of int64
        Volumes that people annotated, from which the method proposed.
    """

    latent: Floats
    taught: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Next:
    """The volume to annotate next.

    Parameters
    ----------
    frame : int or None
        None where every point is decided.
    righted : float
        Neuron-frames that are expected to be right then and are not now.
    wrong : float
        Neuron-frames that are expected to be wrong now.
    helped : int
        Other volumes of which a tenth of the errors is expected to go.
    annotated : int
        Volumes that are annotated.
    calibrated : bool
        Whether the method says a confidence, without which these numbers are guesses.
    """

    frame: int | None
    righted: float = 0.0
    wrong: float = 0.0
    helped: int = 0
    annotated: int = 0
    calibrated: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return vars(self).copy()


def postures_of(desk: PointDesk) -> Postures:
    """Postures of a desk's volumes as proposed, computed on first call."""
    known = _POSTURES.get(desk)
    if known is None:
        known = _POSTURES[desk] = Postures(_latent(desk), _taught(desk))
    return known


def next_volume(desk: PointDesk, grid: Grid) -> Next:
    """Which volume to annotate next, as a reader's points stand.

    Parameters
    ----------
    desk : PointDesk
    grid : Grid
        Of the reader.
    """
    told = postures_of(desk)
    decided = (grid.said >= ACCEPTED) & (grid.said <= ADDED)
    open_ = (grid.sure >= UNKNOWN) & ~decided
    chance = 1 - (grid.sure.astype(np.float64) - LEAST) / _STEPS
    chance[grid.sure == UNKNOWN] = 0.5
    there = grid.sure != NOTHING
    wrong = np.where(open_, chance, 0).sum(axis=0)
    wrong += np.where(wrong > 0, MISSING * (~there).sum(axis=0), 0)
    n_there = np.maximum(there.sum(axis=0), 1)
    done = (decided | (grid.sure == HIDDEN)).sum(axis=0) >= ANNOTATED * n_there
    done &= decided.any(axis=0)
    done[told.taught[told.taught < done.size]] = True
    wrong[done] = 0.0
    known = told.latent[done]
    known = known[np.isfinite(known).all(axis=1)]
    calibrated = bool((grid.sure >= LEAST).any())
    if not (wrong > 0).any():
        return Next(None, annotated=int(done.sum()), calibrated=calibrated)
    found = gains(told.latent, wrong, known if len(known) else None)
    best = int(np.argmax(np.where(done[found.rows], -1.0, found.righted)))
    return Next(
        int(found.rows[best]),
        float(found.righted[best]),
        float(wrong.sum()),
        int(found.helped[best]),
        int(done.sum()),
        calibrated,
    )


def _latent(desk: PointDesk) -> Floats:
    labels = desk.desk.labels
    items, n = labels.items, desk.n_frames
    unit = (1.0, 1.0, 1.0) if desk.spacing_um is None else desk.spacing_um[::-1]
    frame = labels.column("frame")
    use = labels.column("visible") & (frame >= 0) & (frame < n)
    row, column = frame[use], np.searchsorted(items, labels.column("item")[use])
    places = np.full((n, items.size, 3), np.nan, np.float32)
    for axis, name in enumerate("xyz"):
        values = np.nan_to_num(np.asarray(labels.column(name)[use], np.float64))
        places[row, column, axis] = values * unit[axis]
    sure = np.full((n, items.size), np.nan, np.float32)
    sure[row, column] = labels.column("confidence")[use]
    return postures(places, sure)


def _taught(desk: PointDesk) -> npt.NDArray[np.int64]:
    """Volumes of the people's sets that the desk's set was made from."""
    found = [np.zeros(0, np.int64)]
    known = {row.digest: row for row in desk.desk.store.label_sets(task=desk.desk.row.task)}
    for digest in desk.desk.labels.provenance.made_from:
        row = known.get(digest)
        if row is not None and row.kind == Kind.POINTS.value and row.author.kind == "person":
            found.append(np.unique(desk.desk.store.get_labels(digest).column("frame")))
    return np.unique(np.concatenate(found)).astype(np.int64)


_POSTURES: WeakKeyDictionary[PointDesk, Postures] = WeakKeyDictionary()

__all__ = ["Next", "Postures", "next_volume", "postures_of"]
