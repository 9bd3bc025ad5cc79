"""EEG mixed from sources of known class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.components.icalabel import CLASSES
from nissl.data import ChannelTable, Recording, Signal
from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary

Values = npt.NDArray[np.float64]

ELECTRODES = {
    "Fp1": (-0.3, 0.95), "Fp2": (0.3, 0.95), "F7": (-0.8, 0.6), "F8": (0.8, 0.6),
    "F3": (-0.4, 0.5), "F4": (0.4, 0.5), "C3": (-0.5, 0.0), "C4": (0.5, 0.0),
    "T7": (-1.0, 0.0), "T8": (1.0, 0.0), "P3": (-0.4, -0.5), "P4": (0.4, -0.5),
    "O1": (-0.3, -0.95), "O2": (0.3, -0.95), "Cz": (0.0, 0.0), "Pz": (0.0, -0.5),
}  # fmt: skip
"""Right and front on a head of radius 1."""
SOURCES = (
    ("eye", (0.0, 1.1), 0.5, 60.0),
    ("brain", (-0.2, -0.8), 0.5, 12.0),
    ("brain", (0.4, 0.0), 0.4, 8.0),
    ("muscle", (-1.1, 0.1), 0.3, 15.0),
    ("muscle", (1.1, 0.1), 0.3, 15.0),
    ("line noise", (0.6, -0.4), 0.8, 10.0),
)
"""Class, place, reach over the head, and amplitude in uV."""


def simulate(
    seed: int, *, duration_s: float = 60.0, rate_hz: float = 250.0
) -> tuple[Recording, LabelSet]:
    """Sixteen electrodes over six sources, and the class of each source.

    The sources are the items, in the order of `SOURCES`; a decomposition finds them in its own.
    """
    rng = np.random.default_rng(seed)
    n = round(duration_s * rate_hz)
    places = np.array(list(ELECTRODES.values()))
    x = rng.standard_normal((n, len(places)))
    for name, where, reach, size in SOURCES:
        pattern = np.exp(-np.sum((places - where) ** 2, axis=1) / (2 * reach**2))
        x += size * _course(name, n, rate_hz, rng)[:, None] * pattern
    channels = ChannelTable.plain(list(ELECTRODES), kind="eeg")
    signal = Signal.from_array(x.astype(np.float32), rate_hz, name="eeg", channels=channels)
    codes = [CLASSES.index(name) for name, *_ in SOURCES]
    truth = LabelSet.build(
        Kind.CLASSES,
        {"target": np.arange(len(codes)), "item": np.arange(len(codes)), "label": codes},
        Vocabulary(CLASSES),
        Provenance("components", "", Author("model", "simulation", "1"), stream="eeg"),
    )
    return Recording(None, "simulation", {"eeg": signal}), truth


def _course(name: str, n: int, rate_hz: float, rng: np.random.Generator) -> Values:
    """Course of a source in units of its amplitude."""
    from scipy.signal import butter, sosfilt

    t = np.arange(n) / rate_hz
    if name == "line noise":
        return np.asarray(np.sin(2 * np.pi * 50 * t + rng.uniform(0, 2 * np.pi)))
    if name == "eye":
        course = np.zeros(n)
        for begin in np.cumsum(rng.uniform(2, 5, int(t[-1] / 2) + 1)):
            course += np.exp(-((t - begin) ** 2) / (2 * 0.08**2))
        return course
    band = (8, 12) if name == "brain" else (30, 100)
    sos = butter(2, band, "bandpass", fs=rate_hz, output="sos")
    course = np.asarray(sosfilt(sos, rng.standard_normal(n)))
    if name == "muscle":  # it comes and goes
        course *= np.repeat(rng.random(n // round(rate_hz) + 1) < 0.3, round(rate_hz))[:n]
    return np.asarray(course / max(course.std(), 1e-12))


__all__ = ["ELECTRODES", "SOURCES", "simulate"]
