"""Footprints of units that move along the probe: a continuous function of the displacement.

Where a unit is placed, each contact has a shape and an amplitude. As it moves, the amplitude on
a contact follows the distance between them by the unit's own law, and the shape that a contact
sees is blended from the two contacts of its column that were as far along from the unit before:
moved by one pitch the unit looks one contact further along as it looked before, up to amplitudes,
and in between it changes little by little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.footprints import Field, Footprint, distances_um


@dataclass(frozen=True, eq=False)
class MovingFootprint:
    """A unit's waveforms on the contacts, wherever the unit has moved to.

    Parameters
    ----------
    field : Field
        Shapes and amplitudes at rest.
    place_um : ndarray, shape (3,), micrometres
        At rest: x, y in the plane of the probe and the distance from it.
    position_um : ndarray, shape (n_channels, 2), micrometres
        Contacts.
    """

    field: Field
    place_um: npt.NDArray[np.float64]
    position_um: npt.NDArray[np.float64]

    def at(self, displacement_um: float) -> Footprint:
        """Waveforms of the unit moved along the probe (y) by so many micrometres.

        At 0 exactly those at rest. Nearer to a contact than it ever was at rest the unit is
        larger than at rest.
        """
        field = self.field
        if displacement_um == 0.0:
            return field.footprint
        low, high, weight = seen_between(self.position_um, displacement_um)
        shapes = field.shapes[:, :, low] * (1.0 - weight) + field.shapes[:, :, high] * weight
        excess = field.log_excess[low] * (1.0 - weight) + field.log_excess[high] * weight
        moved = self.place_um + np.asarray([0.0, displacement_um, 0.0])
        beyond = distances_um(moved, self.position_um) - field.nearest_um
        amplitude = field.peak_uv * np.exp(excess - beyond / field.decay_um)
        waveforms = (shapes * amplitude).astype(np.float32)
        return Footprint(waveforms, field.n_before, field.decay_um, field.n_real_channels)


def seen_between(
    position_um: npt.NDArray[np.float64], displacement_um: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Contacts at rest between which each contact lies, seen from the unit that has moved.

    Parameters
    ----------
    position_um : ndarray, shape (n_channels, 2), micrometres
    displacement_um : float
        Of the unit, along y.

    Returns
    -------
    low, high : ndarray, shape (n_channels,), int64
        Contacts of the same column; both its end beyond it.
    weight : ndarray, shape (n_channels,)
        Of `high`; `low` has the rest of 1.
    """
    low = np.arange(len(position_um))
    high, weight = low.copy(), np.zeros(len(low))
    column = np.round(position_um[:, 0], 1)
    for x in np.unique(column):
        members = np.flatnonzero(column == x)
        order = members[np.argsort(position_um[members, 1], kind="stable")]
        depth = position_um[order, 1]
        wanted = np.clip(position_um[members, 1] - displacement_um, depth[0], depth[-1])
        before = np.clip(np.searchsorted(depth, wanted, side="right") - 1, 0, len(order) - 1)
        after = np.minimum(before + 1, len(order) - 1)
        gap = depth[after] - depth[before]
        low[members], high[members] = order[before], order[after]
        weight[members] = (wanted - depth[before]) / np.where(gap > 0, gap, 1.0)
    return low, high, weight
