"""`events/artifacts`: blinks, muscle, flat stretches, bad segments and bad channels.

Everything is taken against the channel's own usual values or against the other channels, so a gain
does not matter. A blink is a positive deflection of frontal electrodes; muscle is a burst above
30 Hz; a bad segment is a swing far beyond the usual on a quarter of the channels or more at once; a
bad channel varies much more, or much less, than the others, or goes along with none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nissl.annotators.events.method import Found, SpanMethod, samples, together
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import (
    Values,
    around_peaks,
    at_rate,
    band,
    envelope,
    level,
    require_rate,
    runs,
    smooth,
    spread,
)
from nissl.data import Signal
from nissl.data.electrodes import electrodes

VOCABULARY = classes("blink", "muscle", "flat", "bad segment", "bad channel")
FRONTAL = ("Fp1", "Fp2", "Fpz", "AF7", "AF8", "AF3", "AF4")
RATE_HZ = 200.0
_N = len(VOCABULARY)


def detect(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Artifacts of a stretch: see `nissl.annotators.events.method.Detector`."""
    require_rate(signal.rate_hz, 40.0, "artifacts")
    names = [e.name for e in electrodes(signal.channels.ids)]
    frontal = [c for c in channels if names[c] in FRONTAL]
    rate = min(RATE_HZ, signal.rate_hz)
    back, length = signal.rate_hz / rate, stop - start
    parts: list[Found] = []
    swings, deviations, thinned = [], [], []
    eyes: list[Values] = []
    for c in channels:
        x = at_rate(samples(signal, start, stop, c), signal.rate_hz, rate)
        if len(x) < 2 * rate:
            continue
        parts += [
            _scaled("flat", flat(x, rate, parameters["flat_s"]), back, c),
            _scaled("muscle", muscle(x, rate, parameters["muscle_over"]), back, c),
        ]
        y = band(x, rate, 0.5, 40.0, 2)
        sd = max(float(spread(y)), 1e-9)
        deviations.append(float(spread(x)) if np.ptp(x) else 0.0)
        swings.append(_per_second(np.abs(y), rate) / sd)
        thinned.append(y[:: max(1, int(rate / 50))][:60_000])
        if c in frontal:
            eyes.append(y)
    if eyes:
        found = blinks(np.mean(eyes, axis=0), rate, parameters["blink_over"])
        parts.append(_scaled("blink", found, back, -1))
    if swings:
        parts.append(_segments(np.stack(swings), signal.rate_hz, parameters["swing_over"], length))
        bad = bad_channels(np.array(deviations), np.stack(thinned), parameters["channel_ratio"])
        for k in np.flatnonzero(bad).tolist():
            code = VOCABULARY.code("bad channel")
            parts.append(Found.of([0], [length], label=code, channel=channels[k], n_classes=_N))
    return together(parts)


def blinks(x: Values, rate_hz: float, over: float) -> tuple[Values, Values]:
    """Positive deflections of 0.1 to 0.8 s; start and stop in samples.

    Parameters
    ----------
    x : ndarray, shape (n_samples,), float64
        Mean of frontal channels, 0.5 to 40 Hz.
    rate_hz : float
    over : float
        Times the robust deviation (0.5 to 8 Hz) that the peak exceeds.
    """
    y = band(x, rate_hz, 0.5, 8.0, 2)
    start, stop = around_peaks(y, y > 0.35 * over * max(float(spread(y)), 1e-9), 0.3)
    peak = np.array([y[a:b].max() for a, b in zip(start, stop, strict=True)])
    lasts = (stop - start) / rate_hz
    keep = (peak > over * spread(y)) & (lasts >= 0.1) & (lasts <= 0.8) if peak.size else peak > 0
    return start[keep].astype(float), stop[keep].astype(float)


def muscle(x: Values, rate_hz: float, over: float) -> tuple[Values, Values]:
    """Bursts above 30 Hz of at least 0.3 s, those less than 0.2 s apart joined."""
    y = band(x, rate_hz, 30.0, None)
    for mains in (50.0, 60.0):  # a steady hum is no muscle
        if mains + 2 < 0.45 * rate_hz:
            y = y - band(y, rate_hz, mains - 2, mains + 2, 2)
    env = smooth(envelope(y), int(0.1 * rate_hz))
    usual = np.maximum(level(env, int(10 * rate_hz)), 1e-9)
    start, stop = runs(env > over * usual, least=int(0.3 * rate_hz), join=int(0.2 * rate_hz))
    return start.astype(float), stop.astype(float)


def flat(x: Values, rate_hz: float, least_s: float) -> tuple[Values, Values]:
    """Stretches in which nothing moves: steps below a thousandth of the usual."""
    step = np.abs(np.diff(x, append=x[-1:]))
    usual = max(float(np.median(step[step > 0])) if np.any(step > 0) else 0.0, 1e-12)
    still = smooth((step < 1e-3 * usual).astype(np.float64), max(1, int(0.1 * rate_hz))) > 0.9
    start, stop = runs(still, least=int(least_s * rate_hz))
    return start.astype(float), stop.astype(float)


def bad_channels(deviation: Values, x: Values, ratio: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each channel is unlike the others.

    Parameters
    ----------
    deviation : ndarray, shape (n_channels,), float64
        Robust deviation of each.
    x : ndarray, shape (n_channels, n_samples), float64
        The same stretch of all.
    ratio : float
        Times the median deviation, up or down, from which a channel is bad.
    """
    usual = max(float(np.median(deviation)), 1e-12)
    bad = (deviation > ratio * usual) | (deviation < usual / ratio)
    if len(x) >= 4:
        with np.errstate(all="ignore"):
            c = np.abs(np.nan_to_num(np.corrcoef(x)))
        np.fill_diagonal(c, 0)
        best = np.sort(c, axis=1)[:, -2:].mean(axis=1)
        bad |= (best < 0.1) & (np.median(best) > 0.3)
    return np.asarray(bad)


def _segments(swings: Values, rate_hz: float, over: float, length: int) -> Found:
    """Seconds in which a quarter of the channels or more swing far beyond the usual."""
    share = np.mean(swings > over, axis=0)
    least = max(0.25, 1.0 / len(swings) + 1e-9) if len(swings) > 2 else 0.5
    start, stop = runs(share >= least, join=1)
    edges = (np.minimum(np.rint(w * rate_hz), length) for w in (start, stop))
    return Found.of(*edges, label=VOCABULARY.code("bad segment"), n_classes=_N)


def _per_second(x: Values, rate_hz: float) -> Values:
    n = int(len(x) / rate_hz)
    edges = np.rint(np.arange(n) * rate_hz).astype(np.int64)
    return np.asarray(np.maximum.reduceat(x, edges)) if n else np.empty(0)


def _scaled(name: str, found: tuple[Values, Values], back: float, channel: int) -> Found:
    start, stop = (np.rint(edge * back) for edge in found)
    return Found.of(start, stop, label=VOCABULARY.code(name), channel=channel, n_classes=_N)


ARTIFACTS = SpanMethod(
    "events/artifacts",
    detect,
    VOCABULARY,
    {
        "blink_over": 5.0,
        "muscle_over": 3.0,
        "flat_s": 1.0,
        "swing_over": 12.0,
        "channel_ratio": 5.0,
    },
    types=("eeg", "meg", "seeg", "ecog", "lfp"),
    by_channel=False,
)
