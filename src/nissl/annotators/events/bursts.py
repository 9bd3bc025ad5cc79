"""`events/bursts`: bursts of an oscillation, beta in local field potentials by default.

Steady lines go first (stimulation, mains and their aliases; `nissl.annotators.events.stimulation`).
Then the aperiodic part is removed: the spectrum is divided by its 1/f line (fitted robustly, see
`waves.aperiodic`), so a steeper background does not pass for slow oscillations. The peak within the
band is found anew for every `follow_s` and its frequency followed. Three definitions of a burst:

- "percentile": the envelope exceeds its own percentile (75 by default) for at least
  `shortest_s` (100 ms), as Tinkhauser et al. 2017 (Brain 140, 1053-1067). A quarter of the time
  is above that threshold by definition, so the rate hardly depends on how much there is.
- "background" (default): the envelope exceeds a multiple of what the whitened background alone
  gives, estimated from the band's surroundings; without an oscillation there are hardly any bursts.
- "cycles": cycle by cycle after Cole and Voytek 2019 (J. Neurophysiol. 122, 849-861): at least
  three cycles in a row whose amplitude and period are like their neighbours' and that rise and fall
  monotonically in a wider band.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.method import Found, SpanMethod, samples, together
from nissl.annotators.events.stimulation import without_lines
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import (
    Ints,
    Values,
    aperiodic,
    around_peaks,
    at_rate,
    band,
    envelope,
    require_rate,
    runs,
    smooth,
    spectrum,
)
from nissl.data import Signal
from nissl.errors import BadArgumentError

RATE_HZ = 250.0
DEFINITIONS = ("background", "percentile", "cycles")


def detect(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Bursts of a stretch: see `nissl.annotators.events.method.Detector`."""
    if parameters["definition"] not in DEFINITIONS:
        raise BadArgumentError(
            f"a definition among {DEFINITIONS}", repr(parameters["definition"]), "Choose one."
        )
    require_rate(signal.rate_hz, 2.5 * parameters["band_hz"][1], "these bursts")
    rate = min(RATE_HZ, signal.rate_hz)
    back = signal.rate_hz / rate
    parts = []
    for c in channels:
        x = at_rate(samples(signal, start, stop, c), signal.rate_hz, rate)
        removed: Values = np.empty(0)
        if parameters["remove_lines"]:
            x, removed = without_lines(x, rate)
        a, b = bursts_of(x, rate, parameters)
        found = Found.of(np.rint(a * back), np.rint(b * back), channel=c)
        told = _told(signal.channels.ids[c], x, rate, parameters)
        told["lines_hz"] = np.round(removed, 1).tolist()
        parts.append(replace(found, facts=(told,)))
    return together(parts)


def _told(channel: str, x: Values, rate_hz: float, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Exponent of the channel's aperiodic part and the frequencies that its peak went through."""
    if len(x) < 4 * rate_hz or np.ptp(x) == 0:
        return {"channel": channel}
    _, exponent = aperiodic(*spectrum(x, rate_hz), 2.0, min(45.0, 0.4 * rate_hz))
    low, high = parameters["band_hz"]
    peak = followed(whitened(x, rate_hz), rate_hz, low, high, parameters["follow_s"])
    told = {
        "channel": channel,
        "peak_hz": [round(float(peak.min()), 2), round(float(peak.max()), 2)],
    }
    return told | ({"exponent": round(float(exponent), 3)} if np.isfinite(exponent) else {})


def bursts_of(x: Values, rate_hz: float, parameters: Mapping[str, Any]) -> tuple[Ints, Ints]:
    """Start and stop of bursts in samples of `x`.

    Parameters
    ----------
    x : ndarray, shape (n_samples,), float64, uV
    rate_hz : float
    parameters : mapping
        `band_hz`, `definition`, `percentile`, `over`, `shortest_s`, `width_hz`, `follow_s`.
    """
    nothing = np.empty(0, np.int64), np.empty(0, np.int64)
    if len(x) < 4 * rate_hz or np.ptp(x) == 0:
        return nothing
    low, high = parameters["band_hz"]
    flat = whitened(x, rate_hz)
    centre = followed(flat, rate_hz, low, high, parameters["follow_s"])
    y = around(flat, rate_hz, centre, parameters["width_hz"])
    if parameters["definition"] == "cycles":
        limit = parameters["over"] * background(flat, rate_hz, low, high, parameters["width_hz"])
        return cycles(y, band(x, rate_hz, low / 2, 2 * high, 2), rate_hz, (low, high), limit)
    env = smooth(envelope(y), max(1, int(0.02 * rate_hz)))
    least = round(parameters["shortest_s"] * rate_hz)
    if parameters["definition"] == "percentile":
        return runs(env > np.percentile(env, parameters["percentile"]), least=least)
    limit = parameters["over"] * background(flat, rate_hz, low, high, parameters["width_hz"])
    return around_peaks(env, env > limit, 0.5, least)


def whitened(x: Values, rate_hz: float) -> Values:
    """The signal with its 1/f spectrum made flat."""
    _, exponent = aperiodic(*spectrum(x, rate_hz), 2.0, min(45.0, 0.4 * rate_hz))
    if not np.isfinite(exponent):
        return x
    freqs = np.fft.rfftfreq(len(x), 1 / rate_hz)
    return np.asarray(
        np.fft.irfft(np.fft.rfft(x) * np.maximum(freqs, 1.0) ** (exponent / 2), len(x))
    )


def followed(x: Values, rate_hz: float, low: float, high: float, follow_s: float) -> Values:
    """Frequency of the band's peak at every sample, Hz, interpolated between windows."""
    n = max(1, int(len(x) / (follow_s * rate_hz)))
    peaks, middles, begun = [], [], 0
    for part in np.array_split(x, n):
        from scipy.signal import welch

        freqs, power = welch(part, rate_hz, nperseg=min(len(part), int(2 * rate_hz)))
        use = (freqs >= low) & (freqs <= high)
        wide = np.convolve(power, np.ones(3) / 3, mode="same")
        peaks.append(float(freqs[use][int(wide[use].argmax())]))
        middles.append(begun + len(part) / 2)
        begun += len(part)
    return np.interp(np.arange(len(x)), middles, peaks)


def around(x: Values, rate_hz: float, centre_hz: Values, width_hz: float) -> Values:
    """Band of a constant width around a frequency that changes slowly."""
    steps = np.unique(np.rint(centre_hz / 2) * 2)
    if steps.size == 1 or np.ptp(centre_hz) < 2:
        mean = float(centre_hz.mean())
        return band(x, rate_hz, max(mean - width_hz / 2, 1.0), mean + width_hz / 2, 2)
    filtered = np.stack(
        [band(x, rate_hz, max(f - width_hz / 2, 1.0), f + width_hz / 2, 2) for f in steps]
    )
    place = np.interp(centre_hz, steps, np.arange(steps.size))
    below = np.minimum(place.astype(np.int64), steps.size - 2)
    share, at = place - below, np.arange(len(x))
    return np.asarray(filtered[below, at] * (1 - share) + filtered[below + 1, at] * share)


def background(x: Values, rate_hz: float, low: float, high: float, width_hz: float) -> float:
    """Usual envelope of a whitened background in a band of that width, beside the band."""
    beside = [
        (f, f + width_hz)
        for f in (low - width_hz, high)
        if f >= 1.0 and f + width_hz < 0.45 * rate_hz
    ]
    if not beside:
        return float(np.median(envelope(band(x, rate_hz, low, high, 2))))
    return float(np.min([np.median(envelope(band(x, rate_hz, *edges, 2))) for edges in beside]))


def cycles(
    y: Values, wide: Values, rate_hz: float, band_hz: tuple[float, float], limit: float
) -> tuple[Ints, Ints]:
    """Runs of at least three steady cycles between troughs.

    Amplitudes and periods of neighbours agree to a half and the period lies in the band, as by
    bycycle's rules; the swing is at least that of an envelope of `limit`; and in the wider band
    0.6 of the samples rise, and fall, as they should.

    Parameters
    ----------
    y : ndarray, shape (n_samples,), float64
        Around the band's peak.
    wide : ndarray, shape (n_samples,), float64
        An octave wider on both sides.
    rate_hz : float
    band_hz : tuple of float
    limit : float
        Least envelope of `y`.
    """
    trough = np.flatnonzero((y[1:-1] < y[:-2]) & (y[1:-1] <= y[2:])) + 1
    if trough.size < 4:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    period = np.diff(trough)
    pairs = list(zip(trough[:-1].tolist(), trough[1:].tolist(), strict=True))
    peak = np.array([a + int(y[a:b].argmax()) for a, b in pairs])
    size = y[peak] - (y[trough[:-1]] + y[trough[1:]]) / 2
    rises = np.concatenate([[0], np.cumsum(np.diff(wide) > 0)])
    up = (rises[peak] - rises[trough[:-1]]) / np.maximum(peak - trough[:-1], 1)
    down = 1 - (rises[trough[1:]] - rises[peak]) / np.maximum(trough[1:] - peak, 1)
    steady = _alike(size, 0.5) & _alike(period.astype(np.float64), 0.5)
    steady &= (period >= rate_hz / band_hz[1]) & (period <= rate_hz / band_hz[0])
    steady &= (size / 2 >= limit) & (np.minimum(up, down) >= 0.6)
    first, last = runs(steady, least=3)
    return trough[first].astype(np.int64), trough[last].astype(np.int64)


def _alike(x: Values, least: float) -> npt.NDArray[np.bool_]:
    """Whether each value and both neighbours are within a ratio."""
    ratio = np.minimum(x[1:], x[:-1]) / np.maximum(np.maximum(x[1:], x[:-1]), 1e-12)
    padded = np.concatenate([[1.0], ratio, [1.0]])
    return np.asarray(np.minimum(padded[:-1], padded[1:]) >= least)


BURSTS = SpanMethod(
    "events/bursts",
    detect,
    classes("beta burst"),
    {
        "band_hz": [13.0, 30.0],
        "definition": "background",
        "percentile": 75.0,
        "over": 2.5,
        "shortest_s": 0.1,
        "width_hz": 6.0,
        "follow_s": 60.0,
        "remove_lines": True,
    },
)
