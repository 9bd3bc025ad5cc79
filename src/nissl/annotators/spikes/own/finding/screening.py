"""Units that are none: what imperfect templates leave of others, sums of two, doubles.

Two questions are asked of each unit. Do its spikes come with larger units' spikes, more often
than those are frequent? And is anything left unexplained without it: in stretches around some of
its spikes, all units are matched with and without it, and the energy of what is left is compared.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.pieces import Pieces, share
from nissl.annotators.spikes.own.matching.pursuit import Matched, pursue
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LARGER = 6.0
"""Squared norm of a larger unit, in squared norms of the one that is judged."""
LOCKED_S = 1e-3
LOCKED = 0.5
"""Share of spikes, beyond chance, that come with larger units' from which a unit is none."""
N_STRETCHES = 25
LEAST_ENERGY = 6.0
"""Energy that each spike must explain which nothing else does. Of two units that differ by 4 noise
SDs one explained 9 that the other did not; what is no unit explains none."""
LEAST_PART = 0.15
"""And this part of its norm, squared: so much an imperfect template of another may leave."""


def locked(templates: Templates, spikes: Matched, n_samples: int, rate_hz: float) -> Values:
    """Share of each unit's spikes near spikes of much larger units, beyond chance, (n_units,).

    Parameters
    ----------
    templates : Templates
    spikes : Matched
    n_samples : int
        In which the spikes were found.
    rate_hz : float
    """
    reach = max(1, round(LOCKED_S * rate_hz))
    out = np.zeros(len(templates))
    for unit in range(len(templates)):
        larger = templates.overlaps[unit] & (templates.norms > LARGER * templates.norms[unit])
        at, others = spikes.at[spikes.unit == unit], spikes.at[larger[spikes.unit]]
        out[unit] = _together(at, others, reach, n_samples)
    return out


def _together(at: Ints, others: Ints, reach: int, n_samples: int) -> float:
    """Share of spikes near those of others, beyond chance."""
    if not at.size or not others.size:
        return 0.0
    after = np.searchsorted(others, at)
    near = np.minimum(
        np.abs(at - others[np.maximum(after - 1, 0)]),
        np.abs(at - others[np.minimum(after, others.size - 1)]),
    )
    chance = 1 - np.exp(-others.size * (2 * reach + 1) / n_samples)
    return float((float(np.mean(near <= reach)) - chance) / max(1 - chance, 1e-9))


def explained_alone(
    z: Samples, templates: Templates, spikes: Matched, unit: int, rate_hz: float, floor: float
) -> float:
    """Energy per spike that nothing but this unit explains: median over some of its spikes.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
        White samples.
    templates : Templates
    spikes : Matched
    unit : int
    rate_hz : float
    floor : float
        Least amplitude of a spike.

    Returns
    -------
    float
        Infinite where no spike lies far enough from the ends to be looked at.
    """
    half = 2 * templates.windows.long
    at = spikes.at[spikes.unit == unit]
    at = at[(at >= half) & (at < len(z) - half)]
    if not at.size:
        return float("inf")
    at = at[np.linspace(0, at.size - 1, min(at.size, N_STRETCHES)).astype(np.int64)]
    cut = np.concatenate([z[t - half : t + half] for t in at])
    channels = templates.channels[unit]
    channels = channels[channels >= 0]
    middle = slice(half - templates.windows.long // 2, half + templates.windows.long)

    def left(known: Templates) -> Values:
        rest = subtract(cut, pursue(cut, known, rate_hz, floor), known)
        rest = rest.reshape(at.size, 2 * half, -1)[:, middle][:, :, channels]
        return np.asarray(np.sum(rest.astype(np.float64) ** 2, axis=(1, 2)))

    others = templates.kept(np.arange(len(templates)) != unit)
    return float(np.median(left(others) - left(templates)))


def needed(pieces: Pieces, templates: Templates, spikes: Matched, floor: float) -> Mask:
    """Which units are units, shape (n_units,).

    What nothing misses goes first, the least missed before the others, each judged anew without
    those that went: of two units that stand for one, one stays.

    Parameters
    ----------
    pieces : Pieces
        White samples.
    templates : Templates
    spikes : Matched
        Found with them.
    floor : float
        Least amplitude of a spike.
    """
    z, rate_hz = pieces.z, pieces.rate_hz
    kept = locked(templates, spikes, len(z), rate_hz) < LOCKED

    def alone(unit: int) -> float:
        here = int(np.sum(kept[:unit]))
        own = spikes.of_units(kept)
        return explained_alone(z, templates.kept(kept), own, here, rate_hz, floor)

    share(templates)
    units = np.flatnonzero(kept).tolist()
    first = list(pieces.map(alone, units))
    for energy, unit in sorted(zip(first, units, strict=True)):
        least = max(LEAST_ENERGY, LEAST_PART**2 * float(templates.norms[unit]))
        if energy < least and alone(unit) < least:
            kept[unit] = False
    return kept
