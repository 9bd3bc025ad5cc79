"""Decoding on a stream: the same decoder as offline, chunk by chunk.

Windows come from the cutter that also cuts a file (`windows`), so what is said live equals what
is said offline, whatever the chunks. With `grow_s` a trial is decided as soon as the decoder is
sure enough (dynamic stopping), from windows that grow with time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.crossval import Bounded
from nissl.annotators.decoding.estimator import Chances, Fitted
from nissl.annotators.decoding.windows import Cutter, Windowing
from nissl.errors import BadArgumentError


@dataclass(frozen=True)
class Decision:
    """What is said of one trial.

    Parameters
    ----------
    onset : int
        Sample of the onset.
    probabilities : ndarray, shape (n_classes,)
    at : int
        Samples pushed when it was said.
    compute_s : float
        What the computation took.
    """

    onset: int
    probabilities: npt.NDArray[np.float64]
    at: int
    compute_s: float


class LiveDecoder:
    """Decides on trials of a stream.

    Parameters
    ----------
    settings : Windowing
    n_channels : int
    fitted : Fitted
        Decoder of windows of these settings.
    calibration : Bounded, optional
    """

    def __init__(
        self,
        settings: Windowing,
        n_channels: int,
        fitted: Fitted,
        calibration: Bounded | None = None,
    ) -> None:
        self.settings = settings
        self._cutter = Cutter(settings, n_channels)
        self._fitted = fitted
        self._calibration = calibration

    def onset(self, sample: int) -> None:
        """Say that a trial begins at a sample, up to ten seconds late."""
        self._cutter.ask(sample)

    def push(self, samples: npt.NDArray[Any]) -> list[Decision]:
        """Take a chunk (n_samples, n_channels) and decide on trials that are complete."""
        begun = time.perf_counter()
        found = self._cutter.push(samples)
        if not found:
            return []
        p = self._said(np.stack([window for _, window in found]))
        spent = time.perf_counter() - begun
        at = self._cutter.position
        return [Decision(onset, row, at, spent) for (onset, _), row in zip(found, p, strict=True)]

    def _said(self, x: npt.NDArray[np.float64]) -> Chances:
        p = self._fitted.predict_proba(x)
        return p if self._calibration is None else self._calibration.apply(p)


class SteadyStop:
    """Decides on trials of a stream as soon as one class is likely enough.

    Parameters
    ----------
    settings : Windowing
        Of the longest window.
    n_channels : int
    decoders : mapping of float to (Fitted, Bounded or None)
        Decoder for each length of the window in seconds; the last must be the longest.
    confidence : float
        At which a trial is decided early; the longest window decides in any case.
    """

    def __init__(
        self,
        settings: Windowing,
        n_channels: int,
        decoders: Mapping[float, tuple[Fitted, Bounded | None]],
        confidence: float,
    ) -> None:
        if not decoders or not 0 < confidence <= 1:
            raise BadArgumentError(
                "at least one window and a confidence above 0, at most 1",
                f"{sorted(decoders)} and {confidence}",
                "Mend the arguments.",
            )
        self.confidence = confidence
        self._live = {
            length: LiveDecoder(
                replace(settings, stop_s=settings.start_s + length), n_channels, *decoders[length]
            )
            for length in sorted(decoders)
        }
        self._decided: set[int] = set()

    def onset(self, sample: int) -> None:
        """Say that a trial begins at a sample."""
        for each in self._live.values():
            each.onset(sample)

    def push(self, samples: npt.NDArray[Any]) -> list[Decision]:
        """Take a chunk and decide on trials that are sure enough, or complete."""
        longest = max(self._live)
        out = []
        for length, each in self._live.items():
            for decision in each.push(samples):
                known = decision.onset in self._decided
                last = length == longest
                if not known and (last or decision.probabilities.max() >= self.confidence):
                    self._decided.add(decision.onset)
                    out.append(decision)
                if last:
                    self._decided.discard(decision.onset)
        return out


def stopped(
    probabilities: Sequence[Chances], lengths_s: Sequence[float], confidence: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Class and time of each trial's decision when growing windows stop at a confidence.

    Parameters
    ----------
    probabilities : sequence of ndarray, shape (n_trials, n_classes)
        For each length, increasing.
    lengths_s : sequence of float
    confidence : float

    Returns
    -------
    label : ndarray, shape (n_trials,), int64
    seconds : ndarray, shape (n_trials,), float64
    """
    sure = np.stack([p.max(axis=1) >= confidence for p in probabilities])
    sure[-1] = True
    first = sure.argmax(axis=0)
    label = np.stack([p.argmax(axis=1) for p in probabilities])
    rows = np.arange(label.shape[1])
    return label[first, rows].astype(np.int64), np.asarray(lengths_s, float)[first]
