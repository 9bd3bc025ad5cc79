"""Units whose later spikes in a burst are smaller, told as one.

In a burst the amplitude falls to half, and discovery finds large and small spikes as two units of
one waveform. They are told by their order: small ones follow large ones within some milliseconds,
much more often than by chance and than the other way round. Each keeps its own template.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.regrouping import alike
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.templates.templates import Templates

Ints = npt.NDArray[np.int64]

LIKENESS = 0.88
"""Correlation of templates from which they may be one unit's."""
MOST_LAG = 1.0
"""Samples by which templates of one unit come apart at most."""
SMALLER = 0.95
"""Norm of what follows over the norm of what it follows, at most."""
AFTER_S = (2e-3, 15e-3)
EXCESS, SHARE = 2.5, 0.3
"""Follow more often than by chance by this factor, and so many of them. Of two like units some of
whose spikes are taken for the other's, a few follow as well."""
ORDERED = 1.4
"""And small ones follow large ones more often, by this factor, than large ones follow small ones;
where both do as they please these numbers are equal."""

SHAPE, IN_ORDER = 0.97, 4.0
"""Those of one shape are one at whatever share where they follow more often by this factor: in long
bursts a small spike follows small ones."""
FEWEST = 30
"""So many must follow then."""


def rejoin_bursts(templates: Templates, spikes: Matched, rate_hz: float) -> Ints:
    """Which unit each template belongs to.

    Parameters
    ----------
    templates : Templates
    spikes : Matched
        Of the templates.
    rate_hz : float
        Of the white samples.

    Returns
    -------
    ndarray, shape (n_templates,), int64
        0 to n_units - 1, in order of the templates.
    """
    into = np.arange(len(templates))
    trains = [np.sort(spikes.at[spikes.unit == unit]) for unit in range(len(templates))]
    size = np.sqrt(templates.norms)
    for pair in alike(templates, LIKENESS):
        large, small = sorted((pair.one, pair.other), key=lambda unit: -size[unit])
        if abs(pair.lag) > MOST_LAG or size[small] > SMALLER * size[large]:
            continue
        large_hz = float(templates.rate_hz[large])
        shape = pair.likeness >= SHAPE
        if follows(trains[small], trains[large], rate_hz, large_hz, shape):
            into[into == into[small]] = into[large]
    return np.unique(into, return_inverse=True)[1].astype(np.int64)


def follows(
    small: Ints, large: Ints, rate_hz: float, large_hz: float, one_shape: bool = False
) -> bool:
    """Whether one train's spikes come soon after another's, rather than before.

    Parameters
    ----------
    small, large : ndarray, shape (n,), int64
        Samples, in order.
    rate_hz : float
        Samples per second.
    large_hz : float
        How often the large one fires.
    one_shape : bool
        Whether their waveforms differ in size alone.
    """
    after, before = n_after(small, large, rate_hz), n_after(large, small, rate_hz)
    chance = np.exp(-large_hz * AFTER_S[0]) - np.exp(-large_hz * AFTER_S[1])
    if one_shape and after >= max(FEWEST, IN_ORDER * before, float(chance) * small.size):
        return True
    least = max(SHARE, EXCESS * float(chance)) * small.size
    return small.size > 0 and after >= least and after >= ORDERED * before


def n_after(train: Ints, others: Ints, rate_hz: float) -> int:
    """How many spikes come soon after one of another train."""
    if not others.size:
        return 0
    least, most = (s * rate_hz for s in AFTER_S)
    before = np.searchsorted(others, train) - 1
    late = np.where(before >= 0, train - others[np.maximum(before, 0)], np.inf)
    return int(np.sum((late > least) & (late < most)))
