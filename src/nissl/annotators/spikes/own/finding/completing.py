"""Templates that are a part of a spike only, completed by what always comes with them.

Two templates that explain one spike together, the second a fixed time after the first, stay as
they are when all templates are refined: what both leave has no mean. The larger one gets what the
smaller one explains; the smaller one keeps the spikes that it has without the larger, if any.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.templates.projection import shifted
from nissl.annotators.spikes.own.templates.templates import Templates

Values = npt.NDArray[np.float64]

ALWAYS = 0.7
"""Share of a unit's spikes that come with another's, at one lag."""
LAG_SAMPLES = 1.5
"""How far from the usual lag is still that lag."""


def completed(templates: Templates, spikes: Matched) -> Templates:
    """Templates with what always comes with them put in.

    Parameters
    ----------
    templates : Templates
    spikes : Matched
        Found with them.
    """
    exact = spikes.at + spikes.shift.astype(np.float64)
    trains = [np.sort(exact[spikes.unit == unit]) for unit in range(len(templates))]
    reach = templates.windows.long // 2
    waves = templates.waveforms.copy()
    norms = templates.norms
    for unit, at in enumerate(trains):
        for other in np.flatnonzero(templates.overlaps[unit] & (norms < norms[unit])):
            lag = usual_lag(at, trains[other], reach)
            if lag is not None:
                amplitude = np.median(spikes.amplitude[spikes.unit == other])
                waves[unit] += amplitude * shifted(templates.waveforms[other].T, lag).T
    if np.array_equal(waves, templates.waveforms):
        return templates
    return replace(templates, waveforms=waves)


def usual_lag(at: Values, others: Values, reach: int) -> float | None:
    """Lag at which spikes come with others nearly always; None where they do not.

    Parameters
    ----------
    at, others : ndarray, shape (n,), float64
        In order, samples.
    reach : int
        Lags beyond this are not looked at.
    """
    if not at.size or others.size < ALWAYS * at.size:
        return None
    after = np.searchsorted(others, at)
    before = at - others[np.maximum(after - 1, 0)]
    late = others[np.minimum(after, others.size - 1)] - at
    lag = np.where(np.abs(late) < np.abs(before), late, -before)
    near = lag[np.abs(lag) <= reach]
    if near.size < ALWAYS * at.size:
        return None
    middle = float(np.median(near))
    with_it = np.abs(near - middle) <= LAG_SAMPLES
    return middle if int(with_it.sum()) >= ALWAYS * at.size else None
