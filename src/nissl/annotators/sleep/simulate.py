"""Simulated nights: signals of known spectrum, and the hypnogram that they were made from.

Stages follow each other as a Markov chain whose rates change through the night (deep sleep
early, REM late). Each stage has its mixture of a 1/f background, slow waves, theta, alpha,
spindles and muscle tone; nothing was fitted to recordings, so a score on these nights says that
a method works, not how well it does on people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.data.recording import Session, Subject
from nissl.labels import Author, Kind, LabelSet, Provenance

Values = npt.NDArray[np.float64]

EPOCH_S = 30.0
CHANNELS = ("EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal", "EMG submental")
_STAY = np.array([0.90, 0.55, 0.90, 0.92, 0.94])
_NEXT = np.array(
    [
        [0, 0.9, 0.1, 0, 0],
        [0.2, 0, 0.7, 0, 0.1],
        [0.15, 0.2, 0, 0.4, 0.25],
        [0.1, 0.05, 0.85, 0, 0],
        [0.3, 0.2, 0.5, 0, 0],
    ]
)
# amplitude in uV of background, delta, theta, alpha and spindles, and of muscle, per stage
_FRONT = np.array(
    [
        [14, 6, 5, 5, 0, 20],
        [14, 9, 9, 3, 0, 10],
        [14, 22, 9, 3, 9, 6],
        [14, 55, 9, 2, 4, 5],
        [13, 9, 8, 2, 0, 2],
    ],
    float,
)
_BACK = np.array(
    [
        [9, 4, 4, 14, 0, 0],
        [9, 6, 6, 4, 0, 0],
        [9, 14, 6, 3, 4, 0],
        [9, 35, 6, 2, 2, 0],
        [9, 6, 6, 4, 0, 0],
    ],
    float,
)
_BANDS = ((0.6, 2.0), (4.5, 7.0), (8.5, 11.0), (12.0, 14.5))


def simulate_night(
    seed: int,
    *,
    hours: float = 2.0,
    rate_hz: float = 100.0,
    gain: float = 1.0,
    channels: tuple[str, ...] = CHANNELS,
) -> tuple[Recording, LabelSet]:
    """A night with its hypnogram.

    Parameters
    ----------
    seed : int
    hours : float
    rate_hz : float
    gain : float
        What all amplitudes are multiplied by.
    channels : tuple of str
        Names; see `CHANNELS` for what the first four carry, further ones are EEG.

    Returns
    -------
    Recording
        One stream "signal", float32, uV.
    LabelSet
        SPANS, one per epoch.
    """
    rng = np.random.default_rng(seed)
    n_epochs = int(hours * 3600 / EPOCH_S)
    stage = hypnogram(n_epochs, rng)
    per_epoch = round(EPOCH_S * rate_hz)
    n = n_epochs * per_epoch
    columns = []
    for k, name in enumerate(channels):
        kind = "eog" if name.startswith("EOG") else "emg" if name.startswith("EMG") else "eeg"
        if kind == "emg":
            tone = _slow(_FRONT[stage, 5], per_epoch, rng, 0.15)
            columns.append(tone * rng.standard_normal(n))
            continue
        table = _FRONT if k % 2 == 0 else _BACK
        wave = _eeg(table, stage, per_epoch, rate_hz, rng)
        columns.append(
            _eyes(stage, per_epoch, rate_hz, rng) + 0.3 * wave if kind == "eog" else wave
        )
    samples = (gain * np.column_stack(columns)).astype(np.float32)
    clock = Clock.regular(rate_hz, n)
    fingerprint = f"{seed:08x}" * 8
    signal = Signal.from_array(
        samples, rate_hz, channels=ChannelTable.plain(channels, kind="eeg"), clock=clock
    )
    recording = Recording(
        None,
        "simulated",
        {"signal": signal},
        subject=Subject(f"simulated-{seed}"),
        session=Session("night"),
        fingerprint=fingerprint,
    )
    start = np.arange(n_epochs, dtype=np.int64) * per_epoch
    truth = LabelSet.build(
        Kind.SPANS,
        {"start": start, "stop": start + per_epoch, "label": stage.astype(np.int32)},
        HUMAN,
        Provenance("sleep", fingerprint, Author("model", "simulator", "1"), "signal"),
    )
    return recording, truth


def hypnogram(n_epochs: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Codes of stages, shape (n_epochs,)."""
    stage = np.zeros(n_epochs, np.int64)
    for k in range(1, n_epochs):
        was, late = int(stage[k - 1]), k / n_epochs
        if rng.random() < _STAY[was]:
            stage[k] = was
            continue
        chance = _NEXT[was] * np.array([1, 1, 1, 1.6 * (1 - late), 0.3 + 1.7 * late])
        stage[k] = rng.choice(5, p=chance / chance.sum())
    return stage


def _eeg(
    table: Values,
    stage: npt.NDArray[np.int64],
    per_epoch: int,
    rate_hz: float,
    rng: np.random.Generator,
) -> Values:
    n = stage.size * per_epoch
    out = _slow(table[stage, 0], per_epoch, rng, 0.05) * _pink(n, rng)
    for k, (low, high) in enumerate(_BANDS):
        wave = _band(n, low, high, rate_hz, rng)
        if k == 3:  # spindles come in bursts
            gate = np.convolve(rng.random(n) < 1 / (8 * rate_hz), np.hanning(int(rate_hz)), "same")
            wave = wave * np.minimum(gate, 1) * 2
        out += _slow(table[stage, k + 1], per_epoch, rng, 0.2) * wave
    return np.asarray(out)


def _eyes(
    stage: npt.NDArray[np.int64], per_epoch: int, rate_hz: float, rng: np.random.Generator
) -> Values:
    """Blinks awake, rapid movements in REM, slow ones in N1; uV."""
    n = stage.size * per_epoch
    rate = np.repeat(np.array([0.3, 0.02, 0.0, 0.0, 0.4])[stage], per_epoch) / rate_hz
    size = rng.normal(0, 90, n) * (rng.random(n) < rate)
    pulse = np.hanning(max(int(0.4 * rate_hz), 3))
    slow = np.repeat((stage == 1) * 60.0, per_epoch) * _band(n, 0.2, 0.5, rate_hz, rng)
    return np.asarray(np.convolve(size, pulse, "same") + slow)


def _slow(values: Values, per_epoch: int, rng: np.random.Generator, spread: float) -> Values:
    """One amplitude per sample from one per epoch, with a variation of its own."""
    return np.repeat(values * np.exp(rng.normal(0, spread, values.size)), per_epoch)


def _pink(n: int, rng: np.random.Generator) -> Values:
    """Noise whose power falls as 1/f, of unit variance."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
    spectrum[: max(2, n // 100_000)] = 0
    out = np.fft.irfft(spectrum, n)
    return np.asarray(out / out.std())


def _band(n: int, low: float, high: float, rate_hz: float, rng: np.random.Generator) -> Values:
    """Noise of one band, of unit variance."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / rate_hz)
    spectrum[(frequency < low) | (frequency > high)] = 0
    out = np.fft.irfft(spectrum, n)
    return np.asarray(out / max(float(out.std()), 1e-12))


def simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    """See `simulate_night`; the form that a task gives."""
    given: Mapping[str, Any] = size
    return simulate_night(seed, **given)


__all__ = ["CHANNELS", "EPOCH_S", "hypnogram", "simulate", "simulate_night"]
