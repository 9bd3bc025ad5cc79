"""Steady lines in a spectrum, such as stimulation of the brain and mains leave, and their removal.

A regular train of pulses stands in the spectrum as lines at multiples of its rate, and, where the
recording's rate is low, at their aliases, some of which may fall into the band of interest. A line
is narrower than any oscillation of the brain: it stands far above both sides within a hertz.
"""

from __future__ import annotations

import numpy as np

from nissl.annotators.events.waves import Values, band

RESOLUTION_S = 10.0
OVER = 15.0
"""Times the median power within 2 Hz beside it that a line has."""
HALF_HZ = 0.4
"""Half of the width that is taken out."""


def lines(x: Values, rate_hz: float) -> Values:
    """Frequencies of steady lines, Hz, increasing.

    Parameters
    ----------
    x : ndarray, shape (n_samples,), float64
        At least half a minute; shorter ones have no lines.
    rate_hz : float
    """
    from scipy.signal import welch

    if len(x) < 3 * RESOLUTION_S * rate_hz or np.ptp(x) == 0:
        return np.empty(0)
    n = int(RESOLUTION_S * rate_hz)
    freqs, power = welch(x, rate_hz, nperseg=n, average="median")
    step = freqs[1]
    near, far = round(HALF_HZ / step), round(2.0 / step)
    found = []
    for k in range(near + 1, len(freqs) - near - 1):
        own = power[k - near : k + near + 1]
        if power[k] < own.max():
            continue
        sides = np.concatenate([power[max(k - far, 1) : k - near], power[k + near + 1 : k + far]])
        if sides.size and power[k] > OVER * np.median(sides) and power[k] > 4 * sides.max():
            found.append(float(freqs[k]))
    return np.array(found)


def without_lines(x: Values, rate_hz: float) -> tuple[Values, Values]:
    """The signal without its steady lines, and their frequencies in Hz."""
    found = lines(x, rate_hz)
    for f in found.tolist():
        low, high = max(f - HALF_HZ, 0.1), f + HALF_HZ
        if high < 0.45 * rate_hz:
            x = x - band(x, rate_hz, low, high, 2)
    return x, found
