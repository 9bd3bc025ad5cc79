"""Simulated trials with exact truth: steady-state responses, P300, motor imagery.

Background: independent 1/f noise per channel plus sources that several channels share, uV. They
say whether code works, not how good a method is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Recording, Signal
from nissl.data.channels import ChannelTable
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance

Array = npt.NDArray[np.float64]

NAMES = ("Fz", "C3", "Cz", "C4", "P3", "Pz", "P4", "Oz")
STREAM = "eeg"
UNKNOWN = "unknown"
PARADIGMS = {
    "ssvep": ("13 Hz", "17 Hz", "21 Hz"),
    "p300": ("nontarget", "target"),
    "motor_imagery": ("left", "right"),
}


@dataclass(frozen=True)
class Simulated:
    """A recording with its trials.

    Parameters
    ----------
    recording : Recording
    trials : LabelSet
        SPANS; some are of the class "unknown".
    truth : LabelSet
        CLASSES of all trials; its vocabulary ends with "unknown", which it does not use.
    """

    recording: Recording
    trials: LabelSet
    truth: LabelSet


def simulate_trials(
    seed: int,
    *,
    paradigm: str = "motor_imagery",
    n_trials: int = 60,
    n_unknown: int = 20,
    rate_hz: float = 128.0,
    trial_s: float = 2.0,
    pause_s: float = 0.5,
    effect: float = 1.0,
) -> Simulated:
    """Simulate trials of known classes.

    Parameters
    ----------
    seed : int
    paradigm : {"ssvep", "p300", "motor_imagery"}
    n_trials : int
        Of which the last `n_unknown` are labelled "unknown" in `trials`.
    n_unknown : int
    rate_hz, trial_s, pause_s : float
    effect : float
        Size of the response; 0 makes classes that nobody can tell apart.
    """
    if paradigm not in PARADIGMS or not 0 <= n_unknown <= n_trials:
        raise BadArgumentError(
            f"a paradigm among {sorted(PARADIGMS)} and at most as many unknown as trials",
            f"{paradigm!r}, {n_unknown} of {n_trials}",
            "Mend the arguments.",
        )
    rng = np.random.default_rng(seed)
    classes = PARADIGMS[paradigm]
    codes = rng.permutation(np.arange(n_trials) % len(classes))
    length, step = round(trial_s * rate_hz), round((trial_s + pause_s) * rate_hz)
    onsets = step * np.arange(n_trials) + round(rate_hz)
    n = int(onsets[-1] if n_trials else 0) + step + round(rate_hz)
    samples = background(n, len(NAMES), rate_hz, rng)
    respond = {"ssvep": _steady, "p300": _p300, "motor_imagery": _mu}[paradigm]
    respond(samples, onsets, codes, length, rate_hz, effect, rng)
    channels = ChannelTable.plain(NAMES)
    signal = Signal.from_array(samples.astype(np.float32), rate_hz, name=STREAM, channels=channels)
    recording = Recording(
        None, "simulated", {STREAM: signal}, fingerprint=f"simulated/{paradigm}/{seed}"
    )
    vocabulary = (*classes, UNKNOWN)
    told = codes.copy()
    told[n_trials - n_unknown :] = len(classes)
    author = Author("person", "simulation")
    trials = LabelSet.build(
        Kind.SPANS,
        {"start": onsets, "stop": onsets + length, "label": told.astype(np.int32)},
        vocabulary,
        Provenance("trials", recording.fingerprint, author, STREAM, seed=seed),
    )
    items = np.arange(n_trials)
    truth = LabelSet.build(
        Kind.CLASSES,
        {"id": items, "item": items, "target": items, "label": codes.astype(np.int32)},
        vocabulary,
        Provenance(
            "decoding",
            recording.fingerprint,
            author,
            STREAM,
            seed=seed,
            targets=(trials.digest,),
        ),
    )
    return Simulated(recording, trials, truth)


def simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    """Recording and truth of `simulate_trials`."""
    made = simulate_trials(seed, **size)
    return made.recording, made.truth


def background(n: int, n_channels: int, rate_hz: float, rng: np.random.Generator) -> Array:
    """1/f noise, (n, n_channels), about 10 uV, a third of it shared between channels."""
    n_shared = 3
    sources = pink(n, n_channels + n_shared, rate_hz, rng)
    mixing = rng.standard_normal((n_shared, n_channels))
    return 10 * (0.8 * sources[:, :n_channels] + 0.35 * sources[:, n_channels:] @ mixing)


def pink(n: int, n_sources: int, rate_hz: float, rng: np.random.Generator) -> Array:
    """Noise whose power falls as 1/f above 1 Hz, variance 1, (n, n_sources)."""
    spectrum = np.fft.rfft(rng.standard_normal((n, n_sources)), axis=0)
    f = np.fft.rfftfreq(n, 1 / rate_hz)
    out = np.fft.irfft(spectrum / np.sqrt(np.maximum(f, 1.0))[:, None], n, axis=0)
    return np.asarray(out / out.std(axis=0))


def _steady(
    x: Array, onsets: Any, codes: Any, length: int, rate: float, effect: float, rng: Any
) -> None:
    """Add sines with a second harmonic over the back of the head, of the same phase each trial."""
    del rng
    t = np.arange(length) / rate
    field = np.array([0, 0, 0.1, 0, 0.5, 0.7, 0.5, 1.0])
    for onset, code in zip(onsets, codes, strict=True):
        f = float(PARADIGMS["ssvep"][code].split()[0])
        wave = np.sin(2 * np.pi * f * t) + 0.4 * np.sin(4 * np.pi * f * t)
        x[onset : onset + length] += 3 * effect * wave[:, None] * field


def _p300(
    x: Array, onsets: Any, codes: Any, length: int, rate: float, effect: float, rng: Any
) -> None:
    """Add a positive wave at 300 to 500 ms over the middle, of targets alone, jittered."""
    t = np.arange(length) / rate
    field = np.array([0.3, 0.5, 0.9, 0.5, 0.7, 1.0, 0.7, 0.4])
    for onset, code in zip(onsets, codes, strict=True):
        wave = np.exp(-0.5 * ((t - 0.38 - 0.02 * rng.standard_normal()) / 0.07) ** 2)
        x[onset : onset + length] += code * 12 * effect * wave[:, None] * field


def _mu(
    x: Array, onsets: Any, codes: Any, length: int, rate: float, effect: float, rng: Any
) -> None:
    """Add a mu rhythm over both hands' areas that weakens opposite to the imagined hand."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(3, (9, 13), "bandpass", fs=rate, output="sos")
    rhythm = sosfiltfilt(sections, rng.standard_normal((len(x), 2)), axis=0)
    rhythm *= 8 / rhythm.std(axis=0)
    for onset, code in zip(onsets, codes, strict=True):
        rhythm[onset : onset + length, 1 - code] *= np.exp(-effect)  # left hand: right side (C4)
    fields = np.zeros((2, len(NAMES)))
    fields[0, [1, 2, 4]] = 1.0, 0.3, 0.4  # C3
    fields[1, [3, 2, 6]] = 1.0, 0.3, 0.4  # C4
    x += rhythm @ fields
