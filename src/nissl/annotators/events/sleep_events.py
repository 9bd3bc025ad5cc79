"""`events/arousals`, `events/respiration`, `events/limb-movements`: what a sleep report counts.

Simple detectors in the words of the AASM's manual, for a first draft that a person goes through;
none has a confidence. They do not know sleep stages, so what they find in wakefulness is to be
rejected; thresholds are parameters. Arousal: an abrupt shift to theta, alpha or above 16 Hz
(without spindles) of 3 s or more after 10 s of steadier sleep. Apnoea: the airflow's excursion
drops by 90 % or more of what it was before for 10 s or more; hypopnoea: by 30 % or more, with a
desaturation of 3 % where oxygen is recorded. Apnoeas are obstructive where the effort goes on,
central where it ceases, unspecified without effort channels. Leg movement: the EMG rises 8 uV
above rest for 0.5 to 10 s; four or more with 5 to 90 s between onsets are periodic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.method import Found, SpanMethod, samples, together
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import (
    WORK_HZ,
    Ints,
    Values,
    at_rate,
    band,
    envelope,
    level,
    require_rate,
    runs,
    smooth,
)
from nissl.data import Signal

APNOEA, CENTRAL, UNSURE, HYPOPNOEA = (
    "obstructive apnoea",
    "central apnoea",
    "apnoea",
    "hypopnoea",
)
RESPIRATORY = classes(APNOEA, CENTRAL, UNSURE, HYPOPNOEA)
LIMBS = classes("limb movement", "periodic limb movement")
SLOW_HZ = 10.0
_FLOW = ("flow", "nasal", "cannula", "pressure", "therm", "airflow")
_EFFORT = ("thor", "chest", "abd", "effort", "rip")
_OXYGEN = ("spo2", "sao2", "oxy", "o2sat")


def arousals(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Arousals on any of the channels: see `nissl.annotators.events.method.Detector`."""
    require_rate(signal.rate_hz, 64.0, "arousals")
    over = np.zeros(0, bool)
    for c in channels:
        own = shifted(at_rate(samples(signal, start, stop, c), signal.rate_hz), parameters)
        over = own if not over.size else over | own
    a, b = runs(over, least=int(parameters["shortest_s"] * WORK_HZ), join=int(0.5 * WORK_HZ))
    lasts = (b - a) / WORK_HZ
    steady = np.diff(a, prepend=-int(1e9)) / WORK_HZ - np.concatenate([[0.0], lasts[:-1]]) >= 10.0
    keep = steady & (lasts <= parameters["longest_s"])
    back = signal.rate_hz / WORK_HZ
    return Found.of(np.rint(a[keep] * back), np.rint(b[keep] * back))


def shifted(x: Values, parameters: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """Where faster rhythms exceed a multiple of what they were in the minute around."""
    out = np.zeros(len(x), bool)
    if len(x) < 30 * WORK_HZ:
        return out
    for low, high in ((4.0, 8.0), (8.0, 11.0), (16.0, 30.0)):
        env = smooth(envelope(band(x, WORK_HZ, low, high)), int(1.0 * WORK_HZ))
        out |= env > parameters["over"] * np.maximum(level(env, int(10 * WORK_HZ)), 1e-9)
    return out


def respiration(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Apnoeas and hypopnoeas: see `nissl.annotators.events.method.Detector`.

    Channels count by their names: one of airflow, and, where there are any, of effort and oxygen.
    """
    names = {c: signal.channels.ids[c].lower() for c in channels}
    flow = [c for c, n in names.items() if any(w in n for w in _FLOW)] or list(channels)[:1]
    effort = [c for c, n in names.items() if any(w in n for w in _EFFORT)]
    oxygen = [c for c, n in names.items() if any(w in n for w in _OXYGEN)]
    read = {c: at_rate(samples(signal, start, stop, c), signal.rate_hz, SLOW_HZ)
            for c in (*flow, *effort, *oxygen)}  # fmt: skip
    share = np.max([excursion(read[c]) for c in flow], axis=0)
    trying = np.max([excursion(read[c]) for c in effort], axis=0) if effort else None
    least = int(parameters["shortest_s"] * SLOW_HZ)
    gone = runs(share <= 1 - parameters["apnoea_drop"], least=least)
    low = runs(share <= 1 - parameters["hypopnoea_drop"], least=least)
    parts, back = [], signal.rate_hz / SLOW_HZ
    for a, b in zip(*gone, strict=True):
        name = UNSURE if trying is None else APNOEA if np.median(trying[a:b]) > 0.3 else CENTRAL
        parts.append(_one(a, b, back, name))
    for a, b in zip(*low, strict=True):
        apnoea = any(min(b, d) > max(a, c) for c, d in zip(*gone, strict=True))
        fell = not oxygen or max(_fall(read[c], a, b) for c in oxygen) >= parameters["oxygen_drop"]
        if not apnoea and fell and (b - a) / SLOW_HZ <= 120:
            parts.append(_one(a, b, back, HYPOPNOEA))
    return together(parts)


def excursion(x: Values) -> Values:
    """Breathing's peak-to-peak within 5 s as a share of its usual one in the two minutes before."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d, percentile_filter

    if len(x) < 60 * SLOW_HZ:
        return np.ones(len(x))
    y = band(x, SLOW_HZ, 0.1, 1.0, 2)
    n = int(5 * SLOW_HZ)
    swing = maximum_filter1d(y, n) - minimum_filter1d(y, n)
    step = int(SLOW_HZ)
    window = 120
    coarse = percentile_filter(swing[::step], 70, size=window, origin=window // 2 - 1)
    usual = np.interp(np.arange(len(x)), np.arange(len(coarse)) * step, coarse)
    return np.asarray(swing / np.maximum(usual, 1e-9))


def limbs(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Leg movements channel by channel: see `nissl.annotators.events.method.Detector`."""
    require_rate(signal.rate_hz, 64.0, "limb movements")
    rate = min(signal.rate_hz, 200.0)
    back, parts = signal.rate_hz / rate, []
    for c in channels:
        x = at_rate(samples(signal, start, stop, c), signal.rate_hz, rate)
        a, b = movements(x, rate, float(parameters["above_uv"]))
        code = periodic(a / rate).astype(np.int64)
        found = Found.of(np.rint(a * back), np.rint(b * back), channel=c, n_classes=len(LIMBS))
        parts.append(Found(found.start, found.stop, code, found.channel))
    return together(parts)


def movements(x: Values, rate_hz: float, above_uv: float) -> tuple[Ints, Ints]:
    """Start and stop of leg movements, samples.

    They begin 8 uV (or what is given) above rest and end where the EMG stays under a quarter of
    that for half a second.
    """
    if len(x) < 10 * rate_hz:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    env = smooth(envelope(band(x, rate_hz, 10.0, None)), int(0.1 * rate_hz))
    rest = level(env, int(10 * rate_hz))
    start, stop = runs(env > rest + above_uv / 4, join=int(0.5 * rate_hz))
    peak = np.array([np.max((env - rest)[a:b]) for a, b in zip(start, stop, strict=True)])
    lasts = (stop - start) / rate_hz
    keep = (peak >= above_uv) & (lasts >= 0.5) & (lasts <= 10) if peak.size else np.zeros(0, bool)
    return start[keep], stop[keep]


def periodic(onset_s: Values) -> npt.NDArray[np.bool_]:
    """Whether each movement belongs to four or more with 5 to 90 s between onsets."""
    n = len(onset_s)
    out = np.zeros(n, bool)
    apart = np.diff(onset_s)
    first, last = runs((apart >= 5) & (apart <= 90), least=3)
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        out[a : b + 1] = True
    return out


def _fall(x: Values, a: int, b: int) -> float:
    """How far oxygen falls until half a minute after an event, in its own unit."""
    before = x[max(a - int(30 * SLOW_HZ), 0) : a + 1]
    after = x[a : b + int(30 * SLOW_HZ)]
    return float(np.max(before) - np.min(after))


def _one(a: int, b: int, back: float, name: str) -> Found:
    return Found.of([round(a * back)], [round(b * back)], label=RESPIRATORY.code(name))


AROUSALS = SpanMethod(
    "events/arousals",
    arousals,
    classes("arousal"),
    {"over": 2.5, "shortest_s": 3.0, "longest_s": 30.0},
    types=("eeg",),
    by_channel=False,
)
RESPIRATION = SpanMethod(
    "events/respiration",
    respiration,
    RESPIRATORY,
    {"apnoea_drop": 0.9, "hypopnoea_drop": 0.3, "shortest_s": 10.0, "oxygen_drop": 3.0},
    types=("resp",),
    by_channel=False,
)
LIMB_MOVEMENTS = SpanMethod(
    "events/limb-movements", limbs, LIMBS, {"above_uv": 8.0}, types=("emg",)
)
