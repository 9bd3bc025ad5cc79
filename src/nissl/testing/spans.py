"""A night in small: scalp channels with planted spindles, seizures and artifacts.

Every span is planted in a slot of its own, so none overlap. Two authors label them: an expert,
who is always right, and a detector, which misses some, is loose at the edges, confuses classes
and says how sure it is: of spans with confidence c, the part c is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.atomic import make_folder
from nissl.project import Project, open_project
from nissl.project.adding import keep

RATE_HZ = 128.0
CHANNELS = ("Fp1", "F3", "C3", "P3", "O1", "Fp2", "F4", "C4", "P4", "O2", "Fz", "Cz", "Pz")
CLASSES = ("spindle", "seizure", "artifact")
TASK = "events"
_GAIN_UV = 0.1
_SHARES = (0.7, 0.1, 0.2)
_LEAST_SLOT_S = 1.5
_MISSED = 0.1


@dataclass(frozen=True, eq=False)
class Night:
    """Samples and who says what about them.

    Parameters
    ----------
    samples : ndarray, shape (n_samples, n_channels), int16
        In steps of 0.1 uV.
    start, stop : ndarray, shape (n_spans,), int64
        True spans, samples.
    label : ndarray, shape (n_spans,), int32
        Codes of `CLASSES`.
    """

    samples: npt.NDArray[np.int16]
    start: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]
    label: npt.NDArray[np.int32]

    def expert(self, source: str, stream: str) -> LabelSet:
        """SPANS as they are, by a person."""
        about = Provenance(TASK, source, Author("person", "expert"), stream)
        columns = {"start": self.start, "stop": self.stop, "label": self.label}
        return LabelSet.build(Kind.SPANS, columns, CLASSES, about)

    def detected(self, source: str, stream: str, rng: np.random.Generator) -> LabelSet:
        """SPANS of a detector that is right as often as its confidence says."""
        seen = rng.random(self.start.size) >= _MISSED
        truth, n = self.label[seen], int(seen.sum())
        confidence = rng.beta(4, 1.2, n)
        right = rng.random(n) < confidence
        other = (truth + rng.integers(1, len(CLASSES), n)) % len(CLASSES)
        label = np.where(right, truth, other)
        jitter = np.rint(rng.normal(0, 0.1 * RATE_HZ, (2, n))).astype(np.int64)
        start = np.clip(self.start[seen] + jitter[0], 0, self.samples.shape[0] - 2)
        stop = np.clip(np.maximum(self.stop[seen] + jitter[1], start + 8), 1, self.samples.shape[0])
        others = (1 - confidence) / (len(CLASSES) - 1)
        probabilities = np.repeat(others[:, None], len(CLASSES), axis=1)
        probabilities[np.arange(n), label] = confidence
        about = Provenance(TASK, source, Author("model", "events/threshold", "1"), stream)
        columns = {
            "start": start,
            "stop": stop,
            "label": label.astype(np.int32),
            "confidence": confidence.astype(np.float32),
            "probabilities": probabilities.astype(np.float32),
        }
        return LabelSet.build(Kind.SPANS, columns, CLASSES, about)


def simulate_night(
    rng: np.random.Generator,
    *,
    duration_s: float = 120.0,
    n_spans: int = 20,
    n_channels: int = 13,
) -> Night:
    """Simulate scalp channels with spans planted in them.

    Parameters
    ----------
    rng : numpy.random.Generator
    duration_s : float
    n_spans : int
        Each needs 1.5 s at least.
    n_channels : int
        At most 13.

    Returns
    -------
    Night
    """
    slot_s = duration_s / max(1, n_spans)
    if n_spans < 1 or slot_s < _LEAST_SLOT_S or not 1 <= n_channels <= len(CHANNELS):
        raise BadArgumentError(
            f"1 to {len(CHANNELS)} channels and at least {_LEAST_SLOT_S} s for each span",
            f"{n_channels} channels, {n_spans} spans in {duration_s} s",
            "Simulate a longer night or fewer spans.",
        )
    n = round(duration_s * RATE_HZ)
    label = rng.choice(len(CLASSES), n_spans, p=_SHARES).astype(np.int32)
    longest = np.minimum(np.choose(label, [1.4, 8.0, 3.0]), 0.9 * slot_s)
    length = longest * rng.uniform(0.5, 1.0, n_spans)
    begin = (np.arange(n_spans) + rng.uniform(0, 1, n_spans) * (1 - length / slot_s)) * slot_s
    start = np.rint(begin * RATE_HZ).astype(np.int64)
    stop = np.minimum(np.rint((begin + length) * RATE_HZ).astype(np.int64), n)
    samples = _background(n, n_channels, rng)
    for a, b, code in zip(start.tolist(), stop.tolist(), label.tolist(), strict=True):
        samples[a:b] += _shape(b - a, code, n_channels, rng)
    steps = np.clip(np.rint(samples / _GAIN_UV), -32768, 32767).astype(np.int16)
    return Night(steps, start, stop, label)


def span_project(
    folder: Path, rng: np.random.Generator, *, name: str = "night", **night: float
) -> Project:
    """Project with a simulated night as a file, labelled by a detector and by an expert.

    Parameters
    ----------
    folder : Path
        Gets ``<name>.npz`` and the project ``study``; may hold one already.
    rng : numpy.random.Generator
    name : str
        Of the recording.
    **night
        As for `simulate_night`.

    Returns
    -------
    Project
        Open; its newest set of the task "events" by a model is the detector's.
    """
    made = simulate_night(rng, **night)  # type: ignore[arg-type]
    path = make_folder(folder) / f"{name}.npz"
    np.savez(
        path,
        data=made.samples,
        rate_hz=RATE_HZ,
        gain_uv=_GAIN_UV,
        channel_names=np.asarray(CHANNELS[: made.samples.shape[1]]),
    )
    project = open_project(folder / "study")
    source = project.add(path)
    stream = source.recording.signal.name
    keep(project.store, made.expert(source.fingerprint, stream))
    keep(project.store, made.detected(source.fingerprint, stream, rng))
    return project


def _background(n: int, n_channels: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Noise of 12 uV whose power falls as one over the frequency, shape (n, n_channels)."""
    spectrum = np.fft.rfft(rng.standard_normal((n, n_channels), dtype=np.float32), axis=0)
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), 0.5)
    pink = np.fft.irfft(spectrum / np.sqrt(frequency)[:, None], n, axis=0)
    return np.asarray(12 * pink / pink.std(), dtype=np.float32)


def _shape(n: int, code: int, n_channels: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A spindle, seizure or artifact of `n` samples over all channels, uV."""
    time_s = np.arange(n) / RATE_HZ
    window = np.hanning(n)
    if CLASSES[code] == "spindle":
        wave = 35 * window * np.sin(2 * np.pi * rng.uniform(12, 15) * time_s)
        weight = rng.uniform(0.3, 1.0, n_channels)
    elif CLASSES[code] == "seizure":
        phase = (3.0 * time_s) % 1
        wave = (
            120 * np.minimum(1, 4 * window) * (np.exp(-(((phase - 0.2) / 0.05) ** 2)) - phase / 2)
        )
        weight = rng.uniform(0.6, 1.0, n_channels)
    else:
        wave = 200 * window * np.sin(2 * np.pi * rng.uniform(0.4, 1.0) * time_s)
        weight = (np.arange(n_channels) == rng.integers(n_channels)).astype(float)
    return np.asarray(wave[:, None] * weight, dtype=np.float32)
