"""What speaks for each spike: the columns that its confidence is computed from.

Nothing here needs the samples again; all of it comes from what matching has found.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.regrouping import alike
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
REFRACTORY_S = 1.5e-3
TURNS = 25
LEAST_SHARE = 0.02


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
    """Columns of evidence, one row per spike.

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
    n_units = len(templates)
    norm = np.sqrt(templates.norms.astype(np.float64))
    out = np.zeros((at.size, len(COLUMNS)))
    size = norm[unit]
    gain, rival = gain.astype(np.float64), rival_gain.astype(np.float64)
    out[:, 0] = np.log1p(np.maximum(gain, 0))
    out[:, 1] = np.log1p(np.maximum(gain - rival, 0))
    per_unit = np.zeros((n_units, 6))
    per_unit[:, 4] = _likeness(templates)
    for u in range(n_units):
        own = np.flatnonzero(unit == u)
        if not own.size:
            continue
        a = amplitude[own].astype(np.float64)
        noise = 1 / norm[u]
        low, middle, high = np.percentile(a, [16, 50, 84])
        spread = max(float(high - low) / 2, noise, 1e-6)
        odds, share = chance(a, middle, spread, noise)
        out[own, 2] = np.minimum(np.abs(a - middle) / np.hypot(noise, PRIOR**-0.5), 8)
        out[own, 3] = np.clip(odds, -8, 8)
        intervals = np.diff(at[own])
        expected = own.size * (1 - np.exp(-own.size / seconds * REFRACTORY_S))
        short = float(np.sum(intervals < REFRACTORY_S * rate_hz))
        per_unit[u, 0] = np.log(spread / noise)
        per_unit[u, 1] = share
        per_unit[u, 3] = min(short / max(expected, 1.0), 2.0)
        per_unit[u, 5] = np.log(own.size / seconds)
    crowd = _crowd(at, unit, norm, templates.overlaps, NEAR_S * rate_hz)
    out[:, 4] = np.log1p(crowd / size)
    by_crowd = np.bincount(unit, crowd > 2 * size, n_units)
    per_unit[:, 2] = by_crowd / np.maximum(np.bincount(unit, minlength=n_units), 1)
    out[:, 5] = np.log(size)
    out[:, 6:] = per_unit[unit]
    return out


def chance(amplitude: Values, middle: float, spread: float, noise: float) -> tuple[Values, float]:
    """Log odds of each amplitude between a unit's Gaussian and an exponential of chance events.

    Chance events are those that exceed the threshold by little: the exponential begins at the
    least amplitude, with a noise SD for scale.

    Parameters
    ----------
    amplitude : ndarray, shape (n,)
        In templates.
    middle, spread : float
        Where the Gaussian starts from.
    noise : float
        SD of amplitudes by noise alone.

    Returns
    -------
    odds : ndarray, shape (n,)
    share : float
        Of spikes in the Gaussian.
    """
    least, scale = float(amplitude.min()), noise
    share = 0.9
    odds = np.zeros(amplitude.size)
    for _ in range(TURNS):
        z = (amplitude - middle) / spread
        usual = -0.5 * z**2 - np.log(spread * np.sqrt(2 * np.pi))
        by_chance = -(amplitude - least) / scale - np.log(scale)
        odds = usual - by_chance + np.log(share / (1 - share))
        p = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        weight = p.sum()
        if weight < 1 or weight > amplitude.size - 0.5:
            break
        share = float(np.clip(weight / amplitude.size, LEAST_SHARE, 1 - LEAST_SHARE / 10))
        middle = float((p * amplitude).sum() / weight)
        spread = max(float(np.sqrt((p * (amplitude - middle) ** 2).sum() / weight)), noise)
        scale = max(float(((1 - p) * (amplitude - least)).sum() / (1 - p).sum()), 0.2 * noise)
    return odds, share


def _likeness(templates: Templates) -> Values:
    out = np.zeros(len(templates))
    for pair in alike(templates, 0.3):
        for unit in (pair.one, pair.other):
            out[unit] = max(out[unit], pair.likeness)
    return np.minimum(out, 1.0)


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
