"""`events/suppression`: suppressed stretches of the whole head, as under deep anaesthesia.

Suppressed is where the peak-to-peak voltage within half a second stays below `below_uv` on
all channels taken together (their median) for `shortest_s` or more. The ACNS terminology (Hirsch et
al. 2021, J. Clin. Neurophysiol. 38, 1-29) calls voltages below 10 uV suppressed, and a record
"burst suppression" when it is suppressed for more than half of the time; the share is told as
`ratio` of the functions here. It needs true microvolts: a wrong gain moves everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nissl.annotators.events.method import Found, SpanMethod, samples
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import (
    WORK_HZ,
    Ints,
    Values,
    at_rate,
    band,
    require_rate,
    runs,
)
from nissl.data import Signal
from nissl.labels import LabelSet

WINDOW_S = 0.5


def detect(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Suppressed stretches: see `nissl.annotators.events.method.Detector`."""
    require_rate(signal.rate_hz, 60.0, "suppression")
    swings = [swing(at_rate(samples(signal, start, stop, c), signal.rate_hz)) for c in channels]
    a, b = suppressed(
        np.median(swings, axis=0), float(parameters["below_uv"]), float(parameters["shortest_s"])
    )
    back = signal.rate_hz / WORK_HZ
    found = Found.of(np.rint(a * back), np.rint(b * back))
    share = float(np.sum(b - a)) * back / max(stop - start, 1)
    return replace(found, facts=({"suppressed": round(share, 4)},))


def swing(x: Values) -> Values:
    """Peak-to-peak within half a second around every sample at `WORK_HZ`, 0.5 to 30 Hz, uV."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    if len(x) < WORK_HZ:
        return np.full(len(x), np.inf)
    y, n = band(x, WORK_HZ, 0.5, 30.0, 2), int(WINDOW_S * WORK_HZ)
    return np.asarray(maximum_filter1d(y, n) - minimum_filter1d(y, n))


def suppressed(swing_uv: Values, below_uv: float, shortest_s: float) -> tuple[Ints, Ints]:
    """Stretches with swings below a limit, samples at `WORK_HZ`; windows' halves are given back."""
    half = int(WINDOW_S * WORK_HZ / 2)
    start, stop = runs(swing_uv < below_uv, least=1)
    start = np.where(start > 0, start - half, start)
    stop = np.where(stop < len(swing_uv), stop + half, stop)
    keep = stop - start >= shortest_s * WORK_HZ
    return start[keep], stop[keep]


def ratio(labels: LabelSet, n_samples: int) -> float:
    """Burst suppression ratio: the share of the record that is suppressed."""
    own = labels.column("label") == labels.vocabulary.code("suppression")
    return float(np.sum((labels.column("stop") - labels.column("start"))[own]) / n_samples)


SUPPRESSION = SpanMethod(
    "events/suppression",
    detect,
    classes("suppression"),
    {"below_uv": 10.0, "shortest_s": 0.5},
    by_channel=False,
)
