"""`events/background`: continuity and asymmetry of the background, and periodic discharges.

In the terms of the American Clinical Neurophysiology Society (Hirsch et al. 2021, J. Clin.
Neurophysiol. 38, 1-29), minute by minute. Continuity is the share of a minute that is suppressed
(below 10 uV): under 1 % continuous, under 10 % nearly continuous, under 50 % discontinuous, over it
burst suppression, over 99 % suppressed. Asymmetry compares the voltage of homologous electrodes:
from a half on the lower side is marked. Periodic discharges are sharp waves that recur at nearly
the same interval six times or more; lateralised where one side has three quarters of them. A first
draft to look at, without a confidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nissl.annotators.events.method import ALL_CHANNELS, Found, SpanMethod, samples
from nissl.annotators.events.sharp import RATE_HZ, spikes_of
from nissl.annotators.events.suppression import suppressed, swing
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import WORK_HZ, Values, at_rate, band, require_rate
from nissl.data import Signal
from nissl.data.electrodes import electrodes

CONTINUITY = (
    "continuous",
    "nearly continuous",
    "discontinuous",
    "burst suppression",
    "suppressed",
)
LIMITS = (0.01, 0.10, 0.50, 0.99)
"""Suppressed shares at which the next class begins."""
VOCABULARY = classes(*CONTINUITY, "marked asymmetry", "periodic discharges, generalised",
                     "periodic discharges, lateralised")  # fmt: skip
PAGE_S = 60.0
FEWEST = 6
"""Discharges in a row that make a pattern."""
STEADY = 0.5
"""How much each interval may differ from the pattern's median, as a share of it."""


def detect(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Background minute by minute: see `nissl.annotators.events.method.Detector`."""
    require_rate(signal.rate_hz, 125.0, "the background")
    below = float(parameters["below_uv"])
    swings, voltages, times = [], [], []
    for c in channels:
        x = samples(signal, start, stop, c)
        slow = at_rate(x, signal.rate_hz)
        swings.append(swing(slow))
        voltages.append(np.abs(band(slow, WORK_HZ, 0.5, 30.0, 2)))
        rate = min(RATE_HZ, signal.rate_hz)
        peaks = spikes_of(at_rate(x, signal.rate_hz, rate), rate, 2.5)[0]
        times.append(np.asarray(peaks / rate + 0.1, np.float64))
    quiet = np.zeros(len(swings[0]), bool)
    for a, b in zip(*suppressed(np.median(swings, axis=0), below, 0.5), strict=True):
        quiet[a:b] = True
    sides = [side(e.name) for e in electrodes([signal.channels.ids[c] for c in channels])]
    rows: list[tuple[float, float, str]] = []
    page = int(PAGE_S * WORK_HZ)
    for a in range(0, max(len(quiet) - page // 2, 1), page):
        b = min(a + page, len(quiet))
        rows.append((a / WORK_HZ, b / WORK_HZ, continuity(float(quiet[a:b].mean()))))
        if asymmetry(np.array([v[a:b].mean() for v in voltages]), sides) >= 0.5:
            rows.append((a / WORK_HZ, b / WORK_HZ, "marked asymmetry"))
    rows += periodic(times, sides)
    seconds = np.array([r[:2] for r in rows], np.float64).reshape(-1, 2)
    first, last = np.rint(seconds.T * signal.rate_hz).astype(np.int64)
    label = np.array([VOCABULARY.code(r[2]) for r in rows], np.int64)
    return Found(first, last, label, np.full(len(rows), ALL_CHANNELS, np.int64))


def continuity(share: float) -> str:
    """Class of a suppressed share."""
    return CONTINUITY[int(np.searchsorted(LIMITS, share, side="right"))]


def side(name: str) -> int:
    """-1 left, 1 right, 0 midline or unknown: odd numbers stand on the left."""
    digits = "".join(ch for ch in name if ch.isdigit())
    return 0 if not digits else (-1 if int(digits) % 2 else 1)


def asymmetry(voltage: Values, sides: Sequence[int]) -> float:
    """How much lower the lower side is, as a share of the higher; 0 without both sides."""
    own = np.asarray(sides)
    if not (own < 0).any() or not (own > 0).any():
        return 0.0
    low, high = sorted((float(voltage[own < 0].mean()), float(voltage[own > 0].mean())))
    return 1 - low / high if high > 0 else 0.0


def periodic(times: Sequence[Values], sides: Sequence[int]) -> list[tuple[float, float, str]]:
    """Start, stop and class of runs of discharges at a steady interval of 0.3 to 3 s.

    Parameters
    ----------
    times : sequence of ndarray, one per channel
        Seconds of its sharp waves.
    sides : sequence of int
        See `side`.
    """
    every = np.sort(np.concatenate(list(times))) if len(times) else np.empty(0)
    if every.size < FEWEST:
        return []
    new = np.concatenate([[True], np.diff(every) > 0.15])  # channels see one discharge together
    at = every[new]
    out, first = [], 0
    apart = np.diff(at)
    for k in range(1, len(at) + 1):
        own = apart[first : k - 1]
        usual = float(np.median(own)) if own.size else 1.0
        ends = k == len(at)
        if not ends:
            step = apart[k - 1]
            ends = not (0.3 <= step <= 3.0 and abs(step - usual) <= STEADY * usual)
            ends = ends and not (own.size == 0 and 0.3 <= step <= 3.0)
        if ends:
            if k - first >= FEWEST:
                low, high = float(at[first]) - 0.1, float(at[k - 1]) + 0.25
                out.append((max(low, 0.0), high, _lateral(times, sides, low, high)))
            first = k
    return out


def _lateral(times: Sequence[Values], sides: Sequence[int], low: float, high: float) -> str:
    counts = {-1: 0, 0: 0, 1: 0}
    for t, where in zip(times, sides, strict=True):
        counts[where] += int(np.sum((t >= low) & (t <= high)))
    both = counts[-1] + counts[1]
    one_sided = both > 0 and max(counts[-1], counts[1]) >= 0.75 * both
    return f"periodic discharges, {'lateralised' if one_sided else 'generalised'}"


BACKGROUND = SpanMethod(
    "events/background",
    detect,
    VOCABULARY,
    {"below_uv": 10.0},
    types=("eeg",),
    by_channel=False,
)
