"""Units that displacement took apart, told as one.

No interpolation between contacts takes a narrow unit wholly back to rest: what is left changes its
waveform with the displacement, and discovery finds it in several pieces. Pieces of one unit are
alike, and where one fires the others do not: how often each fires, displacement by displacement,
tells them from neighbours, which fire wherever the tissue is. Each piece keeps its own template,
so spikes are matched as well as if the template moved.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.regrouping import alike
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.templates.templates import Templates

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

LIKENESS = 0.75
"""Correlation of templates from which two units may be pieces of one."""
MOST_LAG = 2.0
"""Samples by which templates of one unit come apart at most."""
SHARED = 0.4
"""Share of their firing, over displacements, that pieces have in common at most; two units that
fire independently share about 1, with 20 spikes each about 0.7."""
N_BINS = 10
LEAST_S = 1.0
"""Displacements at which the tissue stayed for less are not looked at."""


def rejoin(
    templates: Templates, spikes: Matched, block: Ints, displacement_um: Values, rate_hz: float
) -> Ints:
    """Which unit each template belongs to.

    Parameters
    ----------
    templates : Templates
    spikes : Matched
        Of the templates.
    block : ndarray, shape (n_samples,), int64
        Row of `displacement_um` that holds at each white sample; -1 outside the recording.
    displacement_um : ndarray, shape (n_blocks, n_channels), um
    rate_hz : float
        Of the white samples.

    Returns
    -------
    ndarray, shape (n_templates,), int64
        0 to n_units - 1, in order of the templates.
    """
    into = np.arange(len(templates))
    stay = np.bincount(block[block >= 0], minlength=len(displacement_um)) / rate_hz
    count = _counts(templates, spikes, block, len(displacement_um))
    for pair in alike(templates, LIKENESS):
        one, other = into[pair.one], into[pair.other]
        if one == other or abs(pair.lag) > MOST_LAG:
            continue
        moved = displacement_um[:, templates.main[pair.one]]
        first, second = (count[into == unit].sum(axis=0) for unit in (one, other))
        if shared(first, second, moved, stay) < SHARED:
            into[into == max(one, other)] = min(one, other)
    return np.unique(into, return_inverse=True)[1].astype(np.int64)


def shared(one: Values, other: Values, moved_um: Values, stay_s: Values) -> float:
    """Firing that two units have in common over displacements, 0 to 1.

    Parameters
    ----------
    one, other : ndarray, shape (n_blocks,)
        Spikes of each in each block of time.
    moved_um : ndarray, shape (n_blocks,), um
    stay_s : ndarray, shape (n_blocks,), s
        How long each block was looked at.

    Returns
    -------
    float
        1 where there is but one displacement.
    """
    order = np.argsort(moved_um, kind="stable")
    passed = np.cumsum(stay_s[order]) - stay_s[order] / 2
    level = np.empty(order.size, np.int64)
    level[order] = np.minimum(passed / max(float(stay_s.sum()), 1e-9) * N_BINS, N_BINS - 1)
    # blocks of one displacement are of one level
    _, same = np.unique(moved_um, return_inverse=True)
    lowest = np.full(same.max() + 1, N_BINS)
    np.minimum.at(lowest, same, level)
    level = lowest[same]
    stay = np.bincount(level, stay_s, N_BINS)
    used = stay >= LEAST_S
    if used.sum() < 2:
        return 1.0
    rates = [np.bincount(level, n, N_BINS)[used] / stay[used] for n in (one, other)]
    parts = [rate / max(float(rate.sum()), 1e-9) for rate in rates]
    return float(np.minimum(*parts).sum())


def _counts(templates: Templates, spikes: Matched, block: Ints, n_blocks: int) -> Values:
    """Spikes of each template in each block, shape (n_templates, n_blocks)."""
    row = block[spikes.at]
    inside = row >= 0
    flat = spikes.unit[inside] * n_blocks + row[inside]
    counts = np.bincount(flat, minlength=len(templates) * n_blocks)
    return counts.reshape(len(templates), n_blocks).astype(np.float64)
