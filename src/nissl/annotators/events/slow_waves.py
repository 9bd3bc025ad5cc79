"""`events/slow-waves`: single slow waves between zero crossings.

0.5 to 4 Hz; a negative half-wave of 0.25 to 1.25 s is followed by a positive one; the trough and
the swing from trough to peak exceed limits, of two definitions: "relative" (default) takes
multiples of the channel's own robust deviation in the band, so a gain does not matter; "absolute"
takes microvolts, by default the 75 uV peak to peak that AASM's manual asks of slow waves.
Where slow waves fill the record (N3) they raise that deviation and the relative limits miss many:
take the absolute ones there. Negative must be down: under a sign that is turned over the halves
swap roles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nissl.annotators.events.method import Found, SpanMethod, samples, together
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import WORK_HZ, Values, at_rate, band, require_rate, spread
from nissl.data import Signal
from nissl.errors import BadArgumentError

LIMITS = ("relative", "absolute")


def detect(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Slow waves of a stretch: see `nissl.annotators.events.method.Detector`."""
    require_rate(signal.rate_hz, 20.0, "slow waves")
    if parameters["limits"] not in LIMITS:
        raise BadArgumentError(
            f"limits among {LIMITS}", repr(parameters["limits"]), "Choose one of them."
        )
    back = signal.rate_hz / WORK_HZ
    parts = []
    for c in channels:
        x = at_rate(samples(signal, start, stop, c), signal.rate_hz)
        a, b = waves_of(x, parameters)
        parts.append(Found.of(np.rint(a * back), np.rint(b * back), channel=c))
    return together(parts)


def waves_of(x: Values, parameters: Mapping[str, Any]) -> tuple[Values, Values]:
    """Start and stop of slow waves, samples at `WORK_HZ`.

    Parameters
    ----------
    x : ndarray, shape (n_samples,), float64, uV
        At `WORK_HZ`.
    parameters : mapping
        `band_hz`, `negative_s`, `limits`, `trough_sd`, `swing_sd`, `swing_uv`.
    """
    nothing = np.empty(0), np.empty(0)
    if len(x) < 4 * WORK_HZ:
        return nothing
    low_hz, high_hz = parameters["band_hz"]
    y = band(x, WORK_HZ, low_hz, high_hz, 2)
    sd = float(spread(y))
    if sd <= 0:
        return nothing
    down = np.flatnonzero((y[:-1] >= 0) & (y[1:] < 0)) + 1
    up = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0)) + 1
    absolute = parameters["limits"] == "absolute"
    swing = parameters["swing_uv"] if absolute else parameters["swing_sd"] * sd
    trough = swing / 2 if absolute else parameters["trough_sd"] * sd
    low, high = (s * WORK_HZ for s in parameters["negative_s"])
    found = []
    for a, b in zip(down[:-1].tolist(), down[1:].tolist(), strict=True):
        middle = up[np.searchsorted(up, a) : np.searchsorted(up, b)]
        if middle.size != 1 or not low <= middle[0] - a <= high:
            continue
        least, most = float(y[a : middle[0]].min()), float(y[middle[0] : b].max())
        if -least >= trough and most - least >= swing and b - middle[0] <= high:
            found.append((a, b))
    edges = np.array(found, np.float64).reshape(-1, 2)
    return edges[:, 0], edges[:, 1]


SLOW_WAVES = SpanMethod(
    "events/slow-waves",
    detect,
    classes("slow wave"),
    {
        "band_hz": [0.5, 4.0],
        "negative_s": [0.25, 1.25],
        "limits": "relative",
        "trough_sd": 3.0,
        "swing_sd": 5.0,
        "swing_uv": 75.0,
    },
)
