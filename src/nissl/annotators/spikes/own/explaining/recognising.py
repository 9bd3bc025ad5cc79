"""Which unit of a fitted sorter a list of spikes is: labels are renumbered, merged and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.explaining.surroundings import Surroundings, units_of
from nissl.annotators.spikes.own.sorter import Fitted

Ints = npt.NDArray[np.int64]

NEAR_MS = 1.5
"""Spikes of labels stand on the peak of the mean waveform, at most so far from the sorter's."""
SAME_MS = 0.2


@dataclass(frozen=True)
class Recognised:
    """A unit of the fitted sorter, in labels.

    Parameters
    ----------
    unit : int
        Of the fitted sorter; -1 where none fires with the labels.
    shift : int
        Samples by which the sorter puts spikes later than the labels do.
    share : float
        Share of the labels' spikes that it fires with.
    """

    unit: int
    shift: int
    share: float


def recognise(
    around: Sequence[Surroundings], samples: Ints, fitted: Fitted, rate_hz: float
) -> Recognised:
    """Find the unit that fires with most of some spikes, always equally late.

    Parameters
    ----------
    around : sequence of Surroundings
        Of each spike.
    samples : ndarray, shape (n,), int64
        Where the labels have it.
    fitted : Fitted
    rate_hz : float
        Of the recording.
    """
    near, same = round(NEAR_MS * rate_hz / 1000), round(SAME_MS * rate_hz / 1000)
    units = units_of(fitted)
    late: dict[int, list[tuple[int, int]]] = {}
    for row, (each, sample) in enumerate(zip(around, samples.tolist(), strict=True)):
        apart = each.sample - sample
        for k in np.flatnonzero(np.abs(apart) <= near):
            unit = int(units[each.spikes.unit[k]])
            late.setdefault(unit, []).append((row, int(apart[k])))
    best = Recognised(-1, 0, 0.0)
    for unit, pairs in sorted(late.items()):
        lag = np.asarray([b for _, b in pairs])
        together = np.abs(lag[:, None] - lag[None]) <= same
        middle = int(np.argmax(together.sum(axis=1)))
        held = together[middle]
        rows = {row for (row, _), own in zip(pairs, held, strict=True) if own}
        share = len(rows) / max(samples.size, 1)
        if share > best.share:
            best = Recognised(unit, int(np.median(lag[held])), share)
    return best
