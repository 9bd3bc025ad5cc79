"""`events/spikes-interictal` and `events/hfo`: short events of epilepsy, as candidates.

Interictal spikes: the envelope of 10 to 60 Hz is compared with a log-normal distribution fitted to
its last seconds, and exceeds a multiple of that distribution's mode plus median, after Janca et
al. 2015 (Brain Topogr. 28, 172-183; 3.65 times there, 2.5 times here, for there are
further conditions, and so chosen on simulations); a candidate must also be sharp (its largest
half-wave lasts 10 to 200 ms), stand out of the plain trace, and be no wave among
others like it. High-frequency oscillations: the root mean square in 3 ms of
80 to 250 Hz exceeds five deviations for 6 ms or more with at least six rectified peaks over three
deviations, after Staba et al. 2002 (J. Neurophysiol. 88, 1743-1752), with robust deviations.
Both are proposals to look at; neither has a confidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nissl.annotators.events.method import Found, SpanMethod, samples, together
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import (
    Ints,
    Values,
    around_peaks,
    at_rate,
    band,
    envelope,
    require_rate,
    runs,
    smooth,
    spread,
)
from nissl.data import Signal

RATE_HZ = 200.0
ALONE = 1.5
"""A spike is so many times as high as the waves beside it; those of a spindle are alike."""


def spikes(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Interictal spikes of a stretch: see `nissl.annotators.events.method.Detector`."""
    require_rate(signal.rate_hz, 125.0, "interictal spikes")
    rate = min(RATE_HZ, signal.rate_hz)
    back = signal.rate_hz / rate
    parts = []
    for c in channels:
        x = at_rate(samples(signal, start, stop, c), signal.rate_hz, rate)
        a, b = spikes_of(x, rate, float(parameters["over"]))
        parts.append(Found.of(np.rint(a * back), np.rint(b * back), channel=c))
    return together(parts)


def spikes_of(x: Values, rate_hz: float, over: float) -> tuple[Ints, Ints]:
    """Start and stop of spike candidates, samples; from 100 ms before the peak to 250 ms after.

    Parameters
    ----------
    x : ndarray, shape (n_samples,), float64
    rate_hz : float
    over : float
        Times mode plus median of the envelope.
    """
    nothing = np.empty(0, np.int64)
    if len(x) < 5 * rate_hz or np.ptp(x) == 0:
        return nothing, nothing
    for mains in (50.0, 60.0):  # within the band
        if mains + 2 < 0.45 * rate_hz:
            x = x - band(x, rate_hz, mains - 2, mains + 2, 2)
    env = envelope(band(x, rate_hz, 10.0, 60.0))
    log = np.log(np.maximum(env, 1e-9 * env.max()))
    n = int(5 * rate_hz)
    mean = smooth(log, n)
    sd = np.sqrt(np.maximum(smooth(log**2, n) - mean**2, 1e-6))
    limit = over * (np.exp(mean - sd**2) + np.exp(mean))
    start, stop = around_peaks(env, env > limit, 0.3)
    wide = band(x, rate_hz, 1.0, 70.0, 2)
    quick = band(wide, rate_hz, 4.0, None, 2)
    usual = max(float(spread(wide)), 1e-9)
    peaks = []
    for a, b in zip(start.tolist(), stop.tolist(), strict=True):
        at = a + int(np.abs(wide[a:b]).argmax())
        width = _half_wave(quick, at) / rate_hz
        large = abs(wide[at]) > 3 * usual and 0.01 <= width <= 0.2
        if large and abs(wide[at]) > ALONE * _beside(quick, at, rate_hz):
            peaks.append(at)
    at = np.array(peaks, np.int64)
    if at.size:  # one event per 120 ms, the largest
        order = np.argsort(-np.abs(wide[at]), kind="stable")
        kept: list[int] = []
        for k in order.tolist():
            if all(abs(at[k] - other) > 0.12 * rate_hz for other in kept):
                kept.append(int(at[k]))
        at = np.sort(np.array(kept, np.int64))
    before, after = int(0.1 * rate_hz), int(0.25 * rate_hz)
    return np.maximum(at - before, 0), np.minimum(at + after, len(x))


def _beside(x: Values, at: int, rate_hz: float) -> float:
    """Largest deflection of the same sign 60 to 200 ms beside a peak."""
    near, far = int(0.06 * rate_hz), int(0.2 * rate_hz)
    sides = np.concatenate([x[max(at - far, 0) : max(at - near, 0)], x[at + near : at + far]])
    return float((sides * np.sign(x[at])).max(initial=0.0))


def _half_wave(x: Values, at: int) -> int:
    """Samples for which a deflection keeps its sign."""
    sign = np.sign(x[at])
    a, b = at, at
    while a > 0 and x[a - 1] * sign > 0:
        a -= 1
    while b < len(x) - 1 and x[b + 1] * sign > 0:
        b += 1
    return b - a + 1


def oscillations(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Candidates of high-frequency oscillations: see `Detector`."""
    low, high = parameters["band_hz"]
    require_rate(signal.rate_hz, 2.5 * high, "high-frequency oscillations")
    parts = []
    for c in channels:
        x = samples(signal, start, stop, c)
        a, b = oscillations_of(x, signal.rate_hz, (low, high), float(parameters["over"]))
        parts.append(Found.of(a, b, channel=c))
    return together(parts)


def oscillations_of(
    x: Values, rate_hz: float, band_hz: tuple[float, float], over: float
) -> tuple[Ints, Ints]:
    """Start and stop of candidates, samples."""
    nothing = np.empty(0, np.int64)
    if len(x) < rate_hz or np.ptp(x) == 0:
        return nothing, nothing
    y = band(x, rate_hz, *band_hz)
    rms = np.sqrt(np.maximum(smooth(y**2, max(1, round(0.003 * rate_hz))), 0))
    limit = np.median(rms) + over * spread(rms)
    start, stop = runs(rms > limit, least=round(0.006 * rate_hz), join=round(0.010 * rate_hz))
    rectified = np.abs(y)
    peak = np.zeros(len(y), bool)
    peak[1:-1] = (rectified[1:-1] > rectified[:-2]) & (rectified[1:-1] >= rectified[2:])
    peak &= rectified > 3 * spread(y)
    count = np.concatenate([[0], np.cumsum(peak)])
    keep = count[stop] - count[start] >= 6
    return start[keep], stop[keep]


SPIKES_INTERICTAL = SpanMethod(
    "events/spikes-interictal", spikes, classes("interictal spike"), {"over": 2.5}
)
HFO = SpanMethod(
    "events/hfo",
    oscillations,
    classes("high-frequency oscillation"),
    {"band_hz": [80.0, 250.0], "over": 5.0},
    types=("seeg", "ecog", "lfp", "eeg"),
)
