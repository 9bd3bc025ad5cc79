"""Constant lags between fluorescence and spikes of a data set.

Spikes and frames of a paired recording are put on one clock by whoever recorded them, and sets
differ by some tens of milliseconds: in where within a frame its time stands, in delays that nobody
corrected, in how fast fluorescence rises in such cells. What is of the set alone blurs what a
network learns from several; what cells of a kind share it should learn. One network, which knows
none of the sets, says where spikes were; the lag of a set is how much its truth lies behind that,
and a part of it is taken away before training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.training import Paired

Values = npt.NDArray[np.float64]

LONGEST_S = 0.15
PARTS = 4
"""Lags that are tried within one frame."""
ALIKE = 0.002
"""Lags whose correlation is this near to the best are as good; the shortest of them is taken."""
OWN = 0.5
"""Part of a lag that is taken away as the set's own. Without any, networks are less sharp on sets
that they have not seen; with the whole of it they no longer know what cells of a kind share."""
ENOUGH_S = 240.0
"""Seconds of a cell from which its part is learnt."""


def shifted(rate: npt.NDArray[Any], frames: float) -> Values:
    """A rate later by some frames, whole or not; its ends are held.

    Parameters
    ----------
    rate : ndarray, shape (n_frames,), spikes/s
    frames : float
        Negative for earlier.
    """
    at = np.arange(rate.size)
    return np.asarray(np.interp(at - frames, at, rate), np.float64)


def correlations(said: Sequence[Values], true: Sequence[Values], lags: Sequence[float]) -> Values:
    """Median over cells of Pearson's r at each lag of the truth behind the prediction.

    Parameters
    ----------
    said, true : sequence of ndarray, each of shape (n_frames,), spikes/s
        Predicted and true rate of each cell.
    lags : sequence of float, frames

    Returns
    -------
    ndarray, shape (n_lags,), float64
        NaN where no cell varies.
    """
    varies = [k for k in range(len(true)) if np.std(true[k]) > 0 and np.std(said[k]) > 0]
    if not varies:
        return np.full(len(lags), np.nan)
    r = [[np.corrcoef(shifted(said[k], lag), true[k])[0, 1] for lag in lags] for k in varies]
    return np.asarray(np.median(r, axis=0), np.float64)


def lag_of(
    said: Sequence[Values], true: Sequence[Values], rate_hz: float, longest_s: float = LONGEST_S
) -> float:
    """Frames by which the truth of a set lies behind what was predicted; 0 where none is better.

    Parameters
    ----------
    said, true : sequence of ndarray, each of shape (n_frames,), spikes/s
        Predicted and true rate of each cell.
    rate_hz : float
        Frames per second.
    longest_s : float
        Longest lag either way, seconds.
    """
    n = int(longest_s * rate_hz * PARTS)
    lags = np.arange(-n, n + 1) / PARTS
    r = correlations(said, true, lags.tolist())
    if not np.isfinite(r).all():
        return 0.0
    good = lags[r >= r.max() - ALIKE]
    return float(good[np.argmin(np.abs(good))])


def lags_of(
    known: Sequence[Paired], network: Callable[[npt.NDArray[np.float32]], Values], rate_hz: float
) -> dict[str, float]:
    """Lag of each group behind what a network says, frames."""
    most = int(ENOUGH_S * rate_hz)
    said: dict[str, dict[str, list[Values]]] = {}
    true: dict[str, dict[str, list[Values]]] = {}
    for each in known:
        taken = sum(part.size for part in said.get(each.group, {}).get(each.cell, []))
        if taken < most:
            dff, rate = each.dff[:most], each.rate[:most].astype(np.float64)
            said.setdefault(each.group, {}).setdefault(each.cell, []).append(network(dff))
            true.setdefault(each.group, {}).setdefault(each.cell, []).append(rate)
    return {
        group: lag_of(
            [np.concatenate(parts) for parts in cells.values()],
            [np.concatenate(parts) for parts in true[group].values()],
            rate_hz,
        )
        for group, cells in said.items()
    }


def aligned(known: Sequence[Paired], lags: Mapping[str, float], share: float = OWN) -> list[Paired]:
    """Traces with their truth earlier by a share of the lag of their group.

    Parameters
    ----------
    known : sequence of Paired
    lags : mapping of str to float
        Frames, by group; those that are not named have none.
    share : float
    """
    out = []
    for each in known:
        lag = share * lags.get(each.group, 0.0)
        rate = shifted(each.rate, -lag).astype(np.float32) if lag else each.rate
        out.append(replace(each, rate=rate))
    return out


__all__ = ["LONGEST_S", "OWN", "aligned", "correlations", "lag_of", "lags_of", "shifted"]
