"""What speaks for each spike: the columns that its confidence is computed from.

Nothing here needs the samples again; all of it comes from what matching has found. Half of the
columns are of the spike, and known with it; the others are of its unit (`usual`), from all spikes
of a recording.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.confidence.usual import Usual, usual_of
from nissl.annotators.spikes.own.matching.pursuit import PRIOR
from nissl.annotators.spikes.own.templates.templates import Templates

Ints = npt.NDArray[np.int64]
Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

COLUMNS = (
    "gain",
    "lead",
    "offset",
    "odds",
    "crowd",
    "norm",
    "spread",
    "share",
    "locked",
    "refractory",
    "likeness",
    "rate",
)
NEAR_S = 1e-3
ROWS = 500_000
"""Spikes that are worked on at once: hours of a large probe have millions."""


def evidence(
    at: Values,
    unit: Ints,
    amplitude: Samples,
    gain: Samples,
    rival_gain: Samples,
    templates: Templates,
    seconds: float,
    rate_hz: float,
) -> Values:
    """Columns of evidence of all spikes of a recording, one row per spike.

    Parameters
    ----------
    at : ndarray, shape (n,), float64
        White samples, increasing.
    unit : ndarray, shape (n,), int64
        Rows of the templates.
    amplitude, gain, rival_gain : ndarray, shape (n,)
        From `pursuit.pursue`.
    templates : Templates
    seconds : float
        How long was sorted.
    rate_hz : float
        Of the white samples.

    Returns
    -------
    ndarray, shape (n, n_columns), float64
        In the order of `COLUMNS`. Of the spike: `gain` (log of its log likelihood ratio), `lead`
        (before the best other unit, log), `offset` (how unusual the amplitude is, SDs), `odds` (log
        odds of a usual amplitude against chance), `crowd` (log norm of larger spikes within 1 ms).
        Of its unit: `norm` (log), `spread` (of amplitudes, over what noise gives), `share` (of
        spikes that are not chance), `locked` (to larger units), `refractory` (intervals below
        1.5 ms, over those of chance), `likeness` (to the most similar unit), `rate` (log Hz).
    """
    crowd = crowds(at, unit, templates, rate_hz)
    usual = usual_of(at, unit, amplitude, crowd, templates, seconds, rate_hz)
    out = np.empty((unit.size, len(COLUMNS)))
    for first in range(0, unit.size, ROWS):
        k = slice(first, first + ROWS)
        out[k] = evidence_given(
            unit[k], amplitude[k], gain[k], rival_gain[k], crowd[k], templates, usual
        )
    return out


def evidence_given(
    unit: Ints,
    amplitude: Samples,
    gain: Samples,
    rival_gain: Samples,
    crowd: Values,
    templates: Templates,
    usual: Usual,
) -> Values:
    """Columns of evidence of some spikes of units of which it is known what is usual.

    Parameters
    ----------
    unit, amplitude, gain, rival_gain
        As for `evidence`.
    crowd : ndarray, shape (n,)
        From `crowds`.
    templates : Templates
    usual : Usual
    """
    out = np.empty((unit.size, len(COLUMNS)))
    norm = np.sqrt(templates.norms.astype(np.float64))
    a = amplitude.astype(np.float64)
    better = gain.astype(np.float64) - rival_gain.astype(np.float64)
    out[:, 0] = np.log1p(np.maximum(gain.astype(np.float64), 0))
    out[:, 1] = np.log1p(np.maximum(better, 0))
    offset = np.abs(a - usual.median[unit]) / np.hypot(1 / norm, PRIOR**-0.5)[unit]
    out[:, 2] = np.minimum(offset, 8)
    out[:, 3] = np.clip(usual.chance.odds(a, unit), -8, 8)
    out[:, 4] = np.log1p(crowd / norm[unit])
    out[:, 5] = np.log(norm)[unit]
    out[:, 6:] = usual.columns[unit]
    return out


def crowds(at: Values, unit: Ints, templates: Templates, rate_hz: float) -> Values:
    """Norm of the largest spike of other units within 1 ms of each that shares channels with it.

    Parameters
    ----------
    at : ndarray, shape (n,), float64
        White samples, increasing.
    unit : ndarray, shape (n,), int64
    templates : Templates
    rate_hz : float
        Of the white samples.

    Returns
    -------
    ndarray, shape (n,), float64
        0 where there is none.
    """
    norm = np.sqrt(templates.norms.astype(np.float64))
    return np.asarray(_crowd(at, unit, norm, templates.overlaps, NEAR_S * rate_hz), np.float64)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _crowd(
    at: Values, unit: Ints, norm: Values, overlaps: npt.NDArray[np.bool_], reach: float
) -> Values:
    """Largest norm among other units' spikes within reach that share channels."""
    out = np.zeros(at.size)
    first = 0
    for i in range(at.size):
        while at[first] < at[i] - reach:
            first += 1
        j = first
        while j < at.size and at[j] <= at[i] + reach:
            if unit[j] != unit[i] and overlaps[unit[i], unit[j]]:
                out[i] = max(out[i], norm[unit[j]])
            j += 1
    return out
