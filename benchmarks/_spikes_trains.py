"""Units of hybrids that burst, and whose spikes overlap more often than chance would have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.hybrid_units import HybridUnit, choose
from nissl.annotators.spikes.trains import fit_train

BURST_S = 0.010
_NEXT = (1, 2, 3)


def drawn(units: Sequence[HybridUnit], n: int, rng: np.random.Generator) -> list[HybridUnit]:
    """Choose `n` units; where there are fewer, some stand twice, with a name of their own.

    The second stands elsewhere and with another stretch of its train.
    """
    chosen: list[HybridUnit] = []
    while len(chosen) < n:
        turn = choose(units, min(n - len(chosen), len(units)), rng)
        again = len(chosen) // max(1, len(units))
        chosen += [replace(u, name=f"{u.name}/{again}") for u in turn] if again else turn
    return chosen


def most_bursting(units: Sequence[HybridUnit], n: int) -> list[HybridUnit]:
    """The `n` units with most intervals below 10 ms; ties by name."""
    share = {u.name: float(np.mean(np.diff(u.times_s) < BURST_S)) for u in units}
    return sorted(units, key=lambda u: (-share[u.name], u.name))[:n]


def with_shared_spikes(
    units: Sequence[HybridUnit],
    duration_s: float,
    share: float,
    window_s: float,
    rng: np.random.Generator,
) -> list[HybridUnit]:
    """Cut trains to the recording, and let units fire with others.

    Parameters
    ----------
    units : sequence of HybridUnit
    duration_s : float
    share : float
        Of a unit's spikes, with each of which one of the next units (in turn) fires too, for each
        of three next units.
    window_s : float
        At most so far apart.
    rng : numpy.random.Generator

    Returns
    -------
    list of HybridUnit
        Trains of `duration_s`, which building a hybrid takes as they are.
    """
    trains = [fit_train(u.times_s, duration_s, rng)[0] for u in units]
    more: list[list[npt.NDArray[np.float64]]] = [[train] for train in trains]
    for k, train in enumerate(trains):
        for step in _NEXT:
            other = (k + step) % len(trains)
            if other == k or not train.size:
                continue
            picked = train[rng.random(train.size) < share]
            more[other].append(picked + rng.uniform(-window_s, window_s, picked.size))
    out = []
    for unit, parts in zip(units, more, strict=True):
        times = np.sort(np.concatenate(parts))
        times = times[(times > 0) & (times < duration_s)]
        # spans the recording exactly, so that no other stretch can be cut from it
        out.append(replace(unit, times_s=np.concatenate([[0.0], times, [duration_s]])))
    return out
