"""A map that follows slow drift: the population's coordinates turn, the geometry stays.

From block to block the units' means and the orientation of their latents wander. `follow` turns the
map a little towards what the block's windows say, by the same transport as between days, begun
from where it stands, so that no labels are needed; how far it may turn in one block is bounded,
and what it cannot explain is told instead of followed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nissl.align.fragments import Fragment
from nissl.align.latent.maps import Map
from nissl.align.latent.procrustes import rotation
from nissl.align.latent.trajectories import Trajectories, n_steps, trajectories
from nissl.align.latent.transport import refined

RATE = 0.5
"""Part of the way that a block moves the map."""
LIMIT = 0.6
"""Cosine below which a block is not followed: nothing slow turns that far."""


@dataclass(frozen=True, eq=False)
class Followed:
    """A block as it was followed.

    Parameters
    ----------
    map : Map
        To read the next block with.
    cosine : float
        Of the block's trajectories before and after the turn that it asked for; 1 is no drift.
    cost : float
        Of the block's windows under the new map, in units of the reference's mean square.
    followed : bool
    """

    map: Map
    cosine: float
    cost: float
    followed: bool


def follow(
    current: Map, reference: Trajectories, block: Fragment, *, rate: float = RATE
) -> Followed:
    """Let a map follow one block of windows without labels.

    Parameters
    ----------
    current : Map
        Into the reference's space.
    reference : Trajectories
        The reference's windows in its space.
    block : Fragment
        The newest windows of the population that `current` reads.
    rate : float
        0 stays, 1 goes all the way.
    """
    mean = (1 - rate) * current.mean + rate * current.prepared(block).mean(axis=0)
    shifted = replace(current, mean=mean)
    steps = min(n_steps(block), reference.values.shape[1])
    course = trajectories(block, shifted.transform(block), steps)
    goal = Trajectories(reference.values[:, :steps], reference.condition, reference.bins[:, :steps])
    found = refined(goal, course, np.eye(current.n_axes))
    flat = course.values.reshape(-1, current.n_axes)
    cosine = float(((flat @ found.turn) * flat).sum() / max(float((flat**2).sum()), 1e-12))
    if cosine < LIMIT:
        return Followed(current, cosine, found.cost, False)
    # The rotation nearest to a mixture of staying and turning.
    part = rotation(np.eye(current.n_axes), (1 - rate) * np.eye(current.n_axes) + rate * found.turn)
    return Followed(shifted.turned(part), cosine, found.cost, True)
