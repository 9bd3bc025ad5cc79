"""`events/microstates`: quasi-stable scalp topographies, by modified k-means.

Pascual-Marqui, Michel and Lehmann 1995 (IEEE Trans. Biomed. Eng. 42, 658-665): maps of unit length
are fitted to the potentials at peaks of the global field power, whatever their polarity; every
sample then belongs to the map that it correlates with most, and pieces shorter than
`shortest_s` go to their neighbours. What the maps explain is told as GEV, the global explained
variance. Maps are numbered by how much they explain; they are no letters of the literature until a
person has compared them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.method import ALL_CHANNELS, Found, SpanMethod, together
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import at_rate, band, require_rate
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError

Values = npt.NDArray[np.float64]
RATE_HZ = 125.0
FEWEST = 8
"""Channels below which a topography says nothing."""
N_MAPS = 4
PEAKS = 20_000
"""Peaks of the field power that maps are fitted to, evenly drawn where there are more."""


@dataclass(frozen=True, eq=False)
class Maps:
    """Topographies and what they explain.

    Parameters
    ----------
    maps : ndarray, shape (n_maps, n_channels), float64
        Of unit length and mean 0; the sign means nothing.
    gev : ndarray, shape (n_maps,), float64
        Share of the variance at peaks of the field power that each explains; falling.
    """

    maps: Values
    gev: Values


def detect(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Microstates of a stretch: see `nissl.annotators.events.method.Detector`."""
    require_rate(signal.rate_hz, 60.0, "microstates")
    if len(channels) < FEWEST:
        raise MissingInputError(
            f"at least {FEWEST} scalp channels for topographies",
            f"{len(channels)}",
            "Use a recording with more electrodes.",
        )
    rate = min(RATE_HZ, signal.rate_hz)
    found = maps_of(signal, channels, parameters)
    x = _prepared(signal, start, stop, channels, rate, parameters)
    if not len(x):
        return together([])
    state = settled(assigned(x, found.maps), round(parameters["shortest_s"] * rate))
    edges = np.flatnonzero(np.diff(state)) + 1
    first, last = np.concatenate([[0], edges]), np.concatenate([edges, [len(state)]])
    back = signal.rate_hz / rate
    label = state[first].astype(np.int64)
    return Found(
        np.rint(first * back).astype(np.int64),
        np.rint(last * back).astype(np.int64),
        label,
        np.full(label.size, ALL_CHANNELS, np.int64),
        facts=(
            {
                "gev": [round(float(g), 4) if np.isfinite(g) else None for g in found.gev],
                "gev_total": _gev(x, found.maps),
                "maps": found.maps.round(6).tolist(),
            },
        ),
    )


def maps_of(signal: Signal, channels: Sequence[int], parameters: Mapping[str, Any]) -> Maps:
    """Maps as given, or fitted to the longest stretch: one set for all pieces.

    Parameters
    ----------
    signal : Signal
    channels : sequence of int
    parameters : mapping
        Those of the method, complete.
    """
    if parameters["maps"] is None:
        longest = max(signal.clock.segments, key=lambda s: s.stop - s.start)
        rate = min(RATE_HZ, signal.rate_hz)
        x = _prepared(signal, longest.start, longest.stop, channels, rate, parameters)
        rng = np.random.default_rng(int(parameters["seed"]))
        return fitted_maps(x[field_peaks(x)], N_MAPS, rng)
    given = np.asarray(parameters["maps"], np.float64)
    if given.shape != (N_MAPS, len(channels)) or not np.isfinite(given).all():
        raise BadArgumentError(
            f"{N_MAPS} maps of {len(channels)} channels",
            f"shape {given.shape}",
            "Take the maps of a recording with the same channels: its log tells them.",
        )
    maps = _unit(given - given.mean(axis=1, keepdims=True))
    return Maps(maps, np.full(N_MAPS, np.nan))


def _prepared(
    signal: Signal,
    start: int,
    stop: int,
    channels: Sequence[int],
    rate: float,
    parameters: Mapping[str, Any],
) -> Values:
    """A stretch within the band, against the average of the channels."""
    x = at_rate(np.nan_to_num(signal.read(start, stop, list(channels))), signal.rate_hz, rate)
    low_hz, high_hz = parameters["band_hz"]
    x = band(x - x.mean(axis=0), rate, low_hz, high_hz, 2)
    return np.asarray(x - x.mean(axis=1, keepdims=True))


def field_peaks(x: Values) -> npt.NDArray[np.intp]:
    """Samples at which the global field power peaks, at most `PEAKS`.

    Parameters
    ----------
    x : ndarray, shape (n_samples, n_channels), float64
        Against the average of the channels.
    """
    power = x.std(axis=1)
    peaks = np.flatnonzero((power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:])) + 1
    if peaks.size > PEAKS:
        peaks = peaks[np.linspace(0, peaks.size - 1, PEAKS).astype(np.intp)]
    return peaks


def fitted_maps(x: Values, n: int, rng: np.random.Generator, *, restarts: int = 10) -> Maps:
    """Maps by modified k-means, the best of several starts.

    Parameters
    ----------
    x : ndarray, shape (n_peaks, n_channels), float64
    n : int
        Number of maps.
    rng : numpy.random.Generator
    restarts : int
    """
    if len(x) < n:
        raise MissingInputError(
            f"at least {n} peaks of the global field power", f"{len(x)}", "Give a longer record."
        )
    total = max(float(np.sum(x**2)), 1e-12)
    best, best_gev = np.zeros((n, x.shape[1])), -1.0
    for _ in range(restarts):
        maps = _unit(x[rng.choice(len(x), n, replace=False)])
        before = -1.0
        for _ in range(200):
            fit = x @ maps.T
            state = np.abs(fit).argmax(axis=1)
            for k in range(n):
                own = x[state == k]
                if len(own):
                    maps[k] = np.linalg.eigh(own.T @ own)[1][:, -1]
            gev = float(np.sum((x @ maps.T)[np.arange(len(x)), state] ** 2)) / total
            if gev - before < 1e-6:
                break
            before = gev
        if gev > best_gev:
            best, best_gev = maps.copy(), gev
    fit = x @ best.T
    state = np.abs(fit).argmax(axis=1)
    each = np.array([np.sum(fit[state == k, k] ** 2) for k in range(n)]) / total
    order = np.argsort(-each, kind="stable")
    return Maps(best[order], each[order])


def assigned(x: Values, maps: Values) -> npt.NDArray[np.int64]:
    """Map that each sample correlates with most, whatever the polarity."""
    return np.asarray(np.abs(x @ maps.T).argmax(axis=1), np.int64)


def settled(state: npt.NDArray[np.int64], least: int) -> npt.NDArray[np.int64]:
    """States without pieces shorter than `least` samples: halves go to either neighbour."""
    out = state.copy()
    for _ in range(least):
        edges = np.flatnonzero(np.diff(out)) + 1
        first, last = np.concatenate([[0], edges]), np.concatenate([edges, [len(out)]])
        short = np.flatnonzero(last - first < least)
        if not short.size or len(first) == 1:
            return out
        for k in short[np.argsort((last - first)[short], kind="stable")].tolist():
            a, b = int(first[k]), int(last[k])
            middle = (a + b + 1) // 2
            left = out[a - 1] if a > 0 else out[min(b, len(out) - 1)]
            right = out[b] if b < len(out) else left
            out[a:middle], out[middle:b] = left, right
    return out


def _gev(x: Values, maps: Values) -> float:
    fit = np.abs(x @ maps.T).max(axis=1)
    return round(float(np.sum(fit**2) / max(np.sum(x**2), 1e-12)), 4)


def _unit(x: Values) -> Values:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


MICROSTATES = SpanMethod(
    "events/microstates",
    detect,
    classes(*(f"microstate {k + 1}" for k in range(N_MAPS))),
    {"band_hz": [2.0, 20.0], "shortest_s": 0.03, "seed": 0, "maps": None},
    types=("eeg",),
    by_channel=False,
)
