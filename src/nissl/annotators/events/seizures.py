"""`events/seizures`: seizures over all channels, by a model of one-second windows.

Each window's features are taken against the record's own usual values (`baseline`), a model gives
its log odds, a running mean over `smooth_s` steadies them, and a stretch above the operating point
is an event; stretches closer than `join_s` are one, shorter ones than `shortest_s` none. The
operating point belongs to the model and was fixed on the data that it learnt from. Events are
counted by SzCORE's rules (`nissl.annotators.events.score.szcore`).

The shipped model knows simulated seizures alone. For a patient or species, fit one to marked
seizures (`fitted_seizures`), as the benchmark does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files as package_files
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.method import ALL_CHANNELS, Found, SpanMethod, together
from nissl.annotators.events.model import SpanModel, fitted
from nissl.annotators.events.seizure_features import NAMES, WINDOW_S, baseline, features_of
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import require_rate, runs, smooth
from nissl.data import Signal
from nissl.errors import BadSamplesError

Values = npt.NDArray[np.float64]
CLASSES = ("seizure", "nothing")
LEAST_S = 120.0
"""A record shorter than this is no baseline for itself."""


@dataclass(frozen=True, eq=False)
class SeizureModel:
    """A model of windows with its operating point.

    Parameters
    ----------
    windows : SpanModel
        Of the features as deviations from the record's baseline.
    threshold : float
        Smoothed log odds from which a stretch is an event.
    smooth_s, join_s, shortest_s : float
    event : tuple of float
        Slope and intercept of an event's log odds over its largest smoothed log odds; NaN where
        they are not known, and events then have no confidence.
    """

    windows: SpanModel
    threshold: float = 0.0
    smooth_s: float = 10.0
    join_s: float = 30.0
    shortest_s: float = 5.0
    event: tuple[float, float] = (float("nan"), float("nan"))

    def log_odds(self, values: Values) -> Values:
        """Smoothed log odds of windows, shape (n_windows,).

        Parameters
        ----------
        values : ndarray, shape (n_windows, len(NAMES)), float64
            Deviations from the baseline.
        """
        p = np.clip(self.windows.probabilities(values)[:, 0], 1e-6, 1 - 1e-6)
        return smooth(np.log(p / (1 - p)), round(self.smooth_s / WINDOW_S))

    def events(self, log_odds: Values) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Stretches above the operating point, in windows, half-open."""
        least, join = round(self.shortest_s / WINDOW_S), round(self.join_s / WINDOW_S)
        return runs(log_odds > self.threshold, least=least, join=join)

    def probability(self, peak: Values) -> Values | None:
        """Probability that events are seizures, from their largest smoothed log odds."""
        slope, intercept = self.event
        if not np.isfinite(slope):
            return None
        return np.asarray(1 / (1 + np.exp(-(slope * peak + intercept))))

    def to_bytes(self) -> bytes:
        """JSON."""
        value = {
            "windows": json.loads(self.windows.to_bytes()),
            "threshold": self.threshold,
            "smooth_s": self.smooth_s,
            "join_s": self.join_s,
            "shortest_s": self.shortest_s,
            "event": list(self.event) if np.isfinite(self.event).all() else None,
        }
        return json.dumps(value, indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> SeizureModel:
        """Inverse of `to_bytes`."""
        value = json.loads(content)
        windows = SpanModel.from_bytes(json.dumps(value.pop("windows")).encode())
        event = value.pop("event") or (float("nan"), float("nan"))
        return cls(windows=windows, event=(float(event[0]), float(event[1])), **value)


def detect(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Seizures of a stretch: see `nissl.annotators.events.method.Detector`.

    Parameters of the method: ``threshold``, smoothed log odds; null for the model's own.
    """
    segments = signal.clock.segments
    longest = max(s.stop - s.start for s in segments) / signal.rate_hz
    if (stop - start) / signal.rate_hz < LEAST_S <= longest:
        return together([])  # a short piece between gaps
    model = shipped_seizures()
    if parameters["threshold"] is not None:
        model = replace(model, threshold=float(parameters["threshold"]))
    return by_model(signal, start, stop, channels, model)


def by_model(
    signal: Signal, start: int, stop: int, channels: Sequence[int], model: SeizureModel
) -> Found:
    """Seizures of a stretch by a model.

    Raises
    ------
    BadMetadataError
        A rate below 60 Hz.
    BadSamplesError
        A stretch too short to be its own baseline.
    """
    require_rate(signal.rate_hz, 60.0, "seizures")
    if (stop - start) / signal.rate_hz < LEAST_S:
        raise BadSamplesError(
            f"at least {LEAST_S:g} s without a gap, to know what is usual in the record",
            f"{(stop - start) / signal.rate_hz:.1f} s",
            "Give a longer record; clips are classified by the benchmark's functions.",
        )
    values = np.concatenate(list(features_of(signal, start, stop, channels)))
    middle, scale = baseline(values)
    odds = model.log_odds((values - middle) / scale)
    first, last = model.events(odds)
    peak = np.array([odds[a:b].max() for a, b in zip(first, last, strict=True)])
    per_window = WINDOW_S * signal.rate_hz
    edges = (np.rint(w * per_window).astype(np.int64) for w in (first, last))
    return Found.of(*edges, channel=ALL_CHANNELS, probability=model.probability(peak))


def fitted_seizures(
    values: Values,
    label: npt.NDArray[np.int64],
    *,
    rng: np.random.Generator,
    trained_on: str = "",
) -> SeizureModel:
    """Model of windows that are known; its operating point is still 0.

    Parameters
    ----------
    values : ndarray, shape (n_windows, len(NAMES)), float64
        Deviations from each record's baseline.
    label : ndarray, shape (n_windows,), int64
        0 seizure, 1 nothing; both count as much together, whatever their numbers.
    rng : numpy.random.Generator
    trained_on : str
    """
    counts = np.maximum(np.bincount(label, minlength=2), 1)
    windows = fitted(
        values,
        label,
        len(label) / (2.0 * counts[label]),
        classes=CLASSES,
        features=NAMES,
        searches=(),
        rng=rng,
        trained_on=trained_on,
    )
    return SeizureModel(windows)


def operating_point(
    peaks: Values, hours: float, *, false_per_day: float = 1.0, least: float = 0.0
) -> float:
    """Threshold with at most so many false alarms a day on records without seizures.

    Parameters
    ----------
    peaks : ndarray, shape (n,), float64
        Largest smoothed log odds of each false event at a generous threshold.
    hours : float
        Length of the records.
    false_per_day : float
    least : float
        Never lower than this.
    """
    allowed = int(false_per_day * hours / 24)
    ordered = np.sort(peaks)[::-1]
    return max(least, float(ordered[allowed]) + 1e-6) if ordered.size > allowed else least


@cache
def shipped_seizures() -> SeizureModel:
    """Model of the package's weights, read once."""
    folder = package_files("nissl.annotators.events") / "weights"
    return SeizureModel.from_bytes((folder / "seizures.json").read_bytes())


SEIZURES = SpanMethod(
    "events/seizures", detect, classes("seizure"), {"threshold": None}, by_channel=False
)
