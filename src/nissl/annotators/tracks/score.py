"""How well tracks agree with truth: which neuron-frames are right.

A *neuron-frame* is one neuron in one volume. Only volumes in which the truth has a neuron count,
so that a few annotated volumes of a long movie can be the truth. Distances are in raw voxels
unless a spacing is given: planes lie further apart than pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.errors import BadArgumentError
from nissl.labels import ItemTable, LabelSet

WITHIN_VOXELS = 3.0
"""How far a place may be from the true one, about the radius of a nucleus in pixels."""
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Counts:
    """Neuron-frames of the volumes that the truth speaks of.

    Parameters
    ----------
    true, proposed : int
    found : int
        True ones near which something was proposed, one to one within a volume.
    right : int
        True ones near which the same neuron was proposed.
    linked : int
        As `right`, after the tracks were renamed one to one so that most are right: what
        tracks are worth that know nothing of the truth's identities.
    """

    true: int
    proposed: int
    found: int
    right: int
    linked: int

    def metrics(self) -> dict[str, float]:
        """Fractions; NaN where nothing can be divided."""
        return {
            "right": _ratio(self.right, self.true),
            "recall": _ratio(self.found, self.true),
            "precision": _ratio(self.found, self.proposed),
            "identity": _ratio(self.right, self.found),
            "linked": _ratio(self.linked, self.true),
        }


def count(
    proposal: Positions,
    truth: Positions,
    *,
    within: float = WITHIN_VOXELS,
    spacing_um: Spacing | None = None,
) -> Counts:
    """Count the neuron-frames that are right.

    Parameters
    ----------
    proposal, truth : Positions
    within : float
        Largest distance of a right place: micrometres with `spacing_um`, raw voxels without.
    spacing_um : tuple of float, along z, y, x, optional

    Raises
    ------
    BadArgumentError
        A distance that is not above zero.
    """
    from scipy.optimize import linear_sum_assignment

    if not within > 0:
        raise BadArgumentError("a distance above 0", f"{within}", "Give `within`.")
    scale = np.asarray((1.0, 1.0, 1.0) if spacing_um is None else spacing_um[::-1])
    true = proposed = found = 0
    shared = np.zeros((truth.items.size, proposal.items.size), np.int64)
    row_of = {int(frame): row for row, frame in enumerate(proposal.frames)}
    for row, frame in enumerate(truth.frames.tolist()):
        here = np.flatnonzero(truth.seen[row])
        true += here.size
        other = row_of.get(frame)
        if other is None or not here.size:
            continue
        there = np.flatnonzero(proposal.seen[other])
        proposed += there.size
        step = (truth.xyz[row, here][:, None] - proposal.xyz[other, there][None]) * scale
        near = np.linalg.norm(step, axis=2) <= within
        shared[np.ix_(here, there)] += near
        found += most_pairs(near)[0].size
    _, mine, theirs = np.intersect1d(truth.items, proposal.items, return_indices=True)
    left, right = linear_sum_assignment(shared, maximize=True)
    return Counts(
        true, proposed, found, int(shared[mine, theirs].sum()), int(shared[left, right].sum())
    )


def most_pairs(near: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """As many pairs as possible of rows and columns that are near, one to one."""
    from scipy.optimize import linear_sum_assignment

    left, right = linear_sum_assignment(near, maximize=True)
    kept = near[left, right]
    return left[kept], right[kept]


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Score tracks within three raw voxels, in the volumes that the truth speaks of.

    Returns
    -------
    mapping
        `right`: neuron-frames with the right identity at the right place; `recall` and
        `precision` of detection, whoever it is; `identity`, right among the detected; `linked`:
        right after tracks were renamed one to one, for methods that do not know identities.
    """
    return count(Positions.from_labels(proposal), Positions.from_labels(truth)).metrics()


def match(
    old: LabelSet,
    new: LabelSet,
    old_items: ItemTable | None = None,
    new_items: ItemTable | None = None,
) -> dict[int, int]:
    """Tracks of two runs that are mostly at the same places, one to one: {old: new}."""
    from scipy.optimize import linear_sum_assignment

    del old_items, new_items
    a, b = Positions.from_labels(old), Positions.from_labels(new)
    _, mine, theirs = np.intersect1d(a.frames, b.frames, return_indices=True)
    shared = np.zeros((a.items.size, b.items.size), np.int64)
    for row, other in zip(mine, theirs, strict=True):
        step = a.xyz[row][:, None] - b.xyz[other][None]
        shared += np.linalg.norm(step, axis=2) <= WITHIN_VOXELS
    fewer = np.minimum(a.seen.sum(0)[:, None], b.seen.sum(0)[None])
    left, right = linear_sum_assignment(shared, maximize=True)
    kept = 2 * shared[left, right] > fewer[left, right]
    pairs = zip(a.items[left[kept]].tolist(), b.items[right[kept]].tolist(), strict=True)
    return dict(pairs)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
