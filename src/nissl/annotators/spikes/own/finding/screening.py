"""Units that are none: what imperfect templates leave of others, sums of two, doubles.

Two questions are asked of each unit. Do its spikes come at one lag from larger units' spikes, more
often than chance has it? And is anything left unexplained without it: in stretches around some of
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
LOCKED_S, AT_ONE_S = 1e-3, 0.33e-3
"""How far lags are looked at, and within what they count as one."""
CERTAIN = 4.0
"""A lag counts where it is this many SDs more frequent than chance has it."""
LOCKED = 0.5
"""Share of spikes, beyond chance, at one lag from larger units' from which a unit is none."""
RARER = 0.5
"""Units with less than this part of a unit's spikes are left out where it is judged."""
N_STRETCHES = 25
LEAST_ENERGY = 6.0
"""Energy that each spike must explain which nothing else does. Of two units that differ by 4 noise
SDs one explained 9 that the other did not; what is no unit explains none."""
LEAST_PART = 0.15
"""And this part of its norm, squared: so much an imperfect template of another may leave."""


def locked(templates: Templates, spikes: Matched, n_samples: int, rate_hz: float) -> Values:
    """Share of each unit's spikes at one lag from those of larger units, beyond chance, (n_units,).

    Each larger unit has a lag of its own. What is left of a spike lies where the spike was; cells
    that are driven together do not fire at one lag.

    Parameters
    ----------
    templates : Templates
    spikes : Matched
    n_samples : int
        In which the spikes were found.
    rate_hz : float
    """
    reach = max(1, round(LOCKED_S * rate_hz))
    width = max(1, round(AT_ONE_S * rate_hz))
    trains = [spikes.at[spikes.unit == unit] for unit in range(len(templates))]
    out = np.zeros(len(templates))
    for unit in range(len(templates)):
        larger = templates.overlaps[unit] & (templates.norms > LARGER * templates.norms[unit])
        shares = [
            _at_one_lag(trains[unit], trains[other], reach, width, n_samples)
            for other in np.flatnonzero(larger)
        ]
        out[unit] = min(1.0, sum(shares))
    return out


def _at_one_lag(at: Ints, others: Ints, reach: int, width: int, n_samples: int) -> float:
    """Share of spikes with another's at the most frequent lag, beyond chance; 0 if it may be that.

    Parameters
    ----------
    at, others : ndarray, shape (n,), int64
        In order.
    reach, width, n_samples : int
        Longest lag, how wide a lag is, and how long spikes were looked for.
    """
    if not at.size or not others.size:
        return 0.0
    low, high = np.searchsorted(others, at - reach), np.searchsorted(others, at + reach, "right")
    counts = np.zeros(2 * reach + 1)
    for turn in range(int((high - low).max())):
        own = low + turn < high
        counts += np.bincount(others[(low + turn)[own]] - at[own] + reach, minlength=2 * reach + 1)
    most = float(np.convolve(counts, np.ones(width), "same").max())
    chance = at.size * others.size * width / n_samples
    return (most - chance) / at.size if most > chance + CERTAIN * chance**0.5 + 2 else 0.0


def explained_alone(
    z: Samples,
    templates: Templates,
    spikes: Matched,
    unit: int,
    rate_hz: float,
    floor: float,
    residual: Samples | None = None,
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
    residual : ndarray, shape (n, n_channels), optional
        White samples without the spikes; where it is given they are not matched once more.

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

    def energy(rest: Samples) -> Values:
        own = rest.reshape(at.size, -1, rest.shape[1])[:, :, channels]
        return np.asarray(np.sum(own.astype(np.float64) ** 2, axis=(1, 2)))

    def left(known: Templates) -> Values:
        rest = subtract(cut, pursue(cut, known, rate_hz, floor), known)
        rest = rest.reshape(at.size, 2 * half, -1)[:, middle]
        return energy(rest.reshape(-1, rest.shape[2]))

    others = templates.kept(np.arange(len(templates)) != unit)
    if residual is None:
        return float(np.median(left(others) - left(templates)))
    first = middle.start - half
    known = np.concatenate([residual[t + first : t + middle.stop - half] for t in at])
    return float(np.median(left(others) - energy(known)))


def needed(
    pieces: Pieces,
    templates: Templates,
    spikes: Matched,
    floor: float,
    residual: Samples | None = None,
) -> Mask:
    """Which units are units, shape (n_units,).

    What nothing misses goes first, the least missed before the others, each judged anew without
    those that went: of two units that stand for one, one stays. Units that are much rarer than the
    one that is judged are no explanation for it: they may be what was left of its own spikes.

    Parameters
    ----------
    pieces : Pieces
        White samples.
    templates : Templates
    spikes : Matched
        Found with them.
    floor : float
        Least amplitude of a spike.
    residual : ndarray, shape (n, n_channels), optional
        White samples without these spikes: units that share no channel with one that went are not
        matched once more to be judged.
    """
    z, rate_hz = pieces.z, pieces.rate_hz
    kept = locked(templates, spikes, len(z), rate_hz) < LOCKED
    count = np.bincount(spikes.unit, minlength=len(templates))

    def alone(unit: int) -> float:
        left = None if np.any(templates.overlaps[unit] & ~kept) else residual
        known = kept & (count >= RARER * count[unit])
        if known.all():
            return explained_alone(z, templates, spikes, unit, rate_hz, floor, left)
        here, own = int(np.sum(known[:unit])), spikes.of_units(known)
        return explained_alone(z, templates.kept(known), own, here, rate_hz, floor, left)

    share(templates)
    units = np.flatnonzero(kept).tolist()
    first = list(pieces.map(alone, units))
    for energy, unit in sorted(zip(first, units, strict=True)):
        least = max(LEAST_ENERGY, LEAST_PART**2 * float(templates.norms[unit]))
        if energy < least and alone(unit) < least:
            kept[unit] = False
    return kept
