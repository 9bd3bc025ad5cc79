"""Units that displacement took apart, told as one.

No interpolation between contacts takes a narrow unit wholly back to rest: what is left changes its
waveform with the displacement, and discovery finds it in several pieces. Pieces of one unit are
alike, on channels that are seen wherever each of them fires, and where one fires the others do
not: how often each fires, displacement by displacement, tells them from neighbours, which fire
wherever the tissue is. Each piece keeps its own template, so spikes are matched as well as if the
template moved.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.regrouping import alike
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.templates.templates import Templates

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LIKENESS = 0.5
"""Correlation of templates from which two are looked at at all."""
SAME = 0.5
"""Likeness on channels that both are seen on, less `TOGETHER` times what they fire together, from
which two are pieces of one unit."""
TOGETHER = 0.7
MOST_LAG = 2.0
"""Samples by which templates of one unit come apart at most."""
LEAST_SEEN = 0.05
"""Share of each template's energy that must lie on channels that both are seen on."""
N_BINS = 10
LEAST_S = 1.0
"""Displacements at which the tissue stayed for less are not looked at."""


def rejoin(
    templates: Templates,
    spikes: Matched,
    block: Ints,
    displacement_um: Values,
    seen: Mask,
    rate_hz: float,
) -> Ints:
    """Which unit each template belongs to.

    Two groups of templates are joined at a time, first those that any two templates speak for most.

    Parameters
    ----------
    templates : Templates
    spikes : Matched
        Of the templates.
    block : ndarray, shape (n_samples,), int64
        Row of `displacement_um` that holds at each white sample; -1 outside the recording.
    displacement_um : ndarray, shape (n_blocks, n_channels), um
    seen : ndarray, shape (n_blocks, n_channels), bool
        Channels whose place at rest lies within the probe's view there.
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
    share = (count @ seen) / np.maximum(count.sum(axis=1), 1)[:, None]
    pairs = [
        (pair.one, pair.other, likeness(templates, pair.one, pair.other, share))
        for pair in alike(templates, LIKENESS)
        if abs(pair.lag) <= MOST_LAG
    ]
    pairs = [pair for pair in pairs if pair[2] > SAME]
    known: dict[tuple[int, int, int], float] = {}
    while True:
        best, joined = SAME, (-1, -1)
        for first, second, like in pairs:
            one, other = sorted((int(into[first]), int(into[second])))
            if one == other or like <= best:
                continue
            main = int(templates.main[first])
            if (one, other, main) not in known:
                fired = [count[into == unit].sum(axis=0) for unit in (one, other)]
                moved = displacement_um[:, main]
                known[one, other, main] = coactive(fired[0], fired[1], moved, stay)
            value = like - TOGETHER * known[one, other, main]
            if value > best:
                best, joined = value, (one, other)
        if best <= SAME:
            break
        into[into == joined[1]] = joined[0]
        known = {key: held for key, held in known.items() if not set(key[:2]) & set(joined)}
    return np.unique(into, return_inverse=True)[1].astype(np.int64)


def likeness(templates: Templates, one: int, other: int, seen: Values) -> float:
    """How alike two templates are, in shape and size, where both are seen.

    Parameters
    ----------
    templates : Templates
    one, other : int
    seen : ndarray, shape (n_templates, n_channels)
        Share of each one's spikes at which a channel was seen.

    Returns
    -------
    float
        1 less the energy of the difference over the energy of both, at the lag at which they are
        most alike; 0 where too little of either is seen in common.
    """
    both = (seen[one] > 0.5) & (seen[other] > 0.5)
    first, second = templates.waveforms[one], templates.waveforms[other]
    whole = [float(np.sum(wave.astype(np.float64) ** 2)) for wave in (first, second)]
    first, second = first[:, both].astype(np.float64), second[:, both].astype(np.float64)
    held = [float(np.sum(wave**2)) for wave in (first, second)]
    if min(held) <= 0 or min(h / w for h, w in zip(held, whole, strict=True)) < LEAST_SEEN:
        return 0.0
    product = np.sum(np.fft.rfft(first, axis=0) * np.conj(np.fft.rfft(second, axis=0)), axis=1)
    lags = np.arange(-MOST_LAG - 0.5, MOST_LAG + 0.55, 0.1)
    turns = np.exp(2j * np.pi * lags[:, None] * np.fft.rfftfreq(len(first))[None])
    common = float(np.max((turns[:, 1:] @ product[1:]).real)) * 2 / len(first)
    return 2 * common / (held[0] + held[1])


def coactive(one: Values, other: Values, moved_um: Values, stay_s: Values) -> float:
    """How far two units fire at the same displacement, 0 to 1.

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
        The most, over displacements, that both reach of their highest rates; 1 where there is but
        one displacement.
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
    parts = [rate / max(float(rate.max()), 1e-9) for rate in rates]
    return float(np.minimum(*parts).max())


def _counts(templates: Templates, spikes: Matched, block: Ints, n_blocks: int) -> Values:
    """Spikes of each template in each block, shape (n_templates, n_blocks)."""
    row = block[spikes.at]
    inside = row >= 0
    flat = spikes.unit[inside] * n_blocks + row[inside]
    counts = np.bincount(flat, minlength=len(templates) * n_blocks)
    return counts.reshape(len(templates), n_blocks).astype(np.float64)
