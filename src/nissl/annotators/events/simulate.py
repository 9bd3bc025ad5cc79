"""Recordings with planted events: 1/f backgrounds of a stated slope, and exact truth.

They say whether code works and how rates and durations are biased over slope and signal-to-noise
ratio, not how well experts are met: real backgrounds and real events are more varied.

An event's signal-to-noise ratio is the peak of its envelope over the standard deviation of the
background in the event's band. Spans of one kind lie apart; kinds may overlap each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.method import ALL_CHANNELS, preprocessing
from nissl.annotators.events.vocabulary import VOCABULARY
from nissl.annotators.events.waves import band
from nissl.data import ChannelTable, Recording, Signal, Subject
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_array

Values = npt.NDArray[np.float64]

NAMES = ("C3", "Fp1", "O1", "F3", "P3", "C4", "Fp2", "O2", "F4", "P4", "Fz", "Cz", "Pz")


@dataclass(frozen=True)
class Sort:
    """How a kind of event is made.

    Parameters
    ----------
    band_hz : tuple of float
        Where its signal-to-noise ratio is defined.
    lasts_s : tuple of float
        Shortest and longest.
    wave : callable
        ``(t_s, lasts_s, rng) -> (n,) float64``, peak of its envelope 1.
    everywhere : bool
        On all channels at once; its row then has no channel.
    """

    band_hz: tuple[float, float]
    lasts_s: tuple[float, float]
    wave: Callable[[Values, float, np.random.Generator], Values]
    everywhere: bool = False


def simulate(
    seed: int,
    *,
    kinds: Mapping[str, float] | None = None,
    duration_s: float = 300.0,
    rate_hz: float = 256.0,
    n_channels: int = 2,
    slope: float = 1.5,
    snr: float | tuple[float, float] = 4.0,
    background_uv: float = 20.0,
    line_uv: float = 0.0,
    channel_names: Sequence[str] = (),
) -> tuple[Recording, LabelSet]:
    """Simulate a recording with planted events.

    Parameters
    ----------
    seed : int
        Of all randomness; same seed and size, same bytes.
    kinds : mapping of str to float, optional
        Events per minute by kind (of `SORTS`); by default four spindles a minute.
    duration_s, rate_hz : float
    n_channels : int
        Backgrounds are independent but for a third of their power.
    slope : float
        Exponent of the background: power falls with frequency to this power.
    snr : float or tuple of float
        Or a range to draw from, evenly.
    background_uv : float
        Standard deviation of the background between 0.5 and 45 Hz.
    line_uv : float
        Amplitude of a 50-Hz line.
    channel_names : sequence of str
        Electrodes; by default of the 10-20 system.

    Returns
    -------
    recording : Recording
        In memory, with the fingerprint of its samples.
    truth : LabelSet
        SPANS over the task's vocabulary; the channel is null for events of the whole head.
    """
    kinds = {"spindle": 4.0} if kinds is None else kinds
    unknown = sorted(set(kinds) - set(SORTS))
    names = tuple(channel_names) or NAMES[:n_channels]
    if unknown or len(names) != n_channels or duration_s * rate_hz < 2 or n_channels < 1:
        raise BadArgumentError(
            f"kinds among {sorted(SORTS)}, a name per channel (at most {len(NAMES)} by default)",
            f"kinds {unknown}, {len(names)} names of {n_channels} channels, {duration_s} s",
            "Mend the simulation's size.",
        )
    rng = np.random.default_rng(seed)
    n = round(duration_s * rate_hz)
    x = backgrounds(n, n_channels, rate_hz, slope, rng) * background_uv
    rows: list[tuple[int, int, int, int]] = []
    clean = x.copy()
    for kind, per_minute in kinds.items():
        sort, code = SORTS[kind], VOCABULARY.code(kind)
        sds = [max(float(band(clean[:, c], rate_hz, *sort.band_hz).std()), 1e-6)
               for c in range(n_channels)]  # fmt: skip
        for c in [ALL_CHANNELS] if sort.everywhere else range(n_channels):
            for start, stop in slots(duration_s, per_minute, sort.lasts_s, rng):
                a, b = round(start * rate_hz), round(stop * rate_hz)
                strength = float(rng.uniform(*snr)) if isinstance(snr, tuple) else snr
                wave = sort.wave(np.arange(b - a) / rate_hz, (b - a) / rate_hz, rng)
                for each in range(n_channels) if c == ALL_CHANNELS else [c]:
                    fall = 1.0 if c != ALL_CHANNELS else _spread_of(kind, names[each])
                    x[a:b, each] += strength * sds[each] * fall * wave
                rows.append((a, b, code, c))
    if line_uv:
        x += line_uv * np.sin(2 * np.pi * 50.0 * np.arange(n) / rate_hz)[:, None]
    samples = x.astype(np.float32)
    table = ChannelTable.plain(names, kind="eeg")
    signal = Signal.from_array(samples, rate_hz, name="eeg", channels=table)
    print_ = digest_array(samples)
    recording = Recording(
        path=None,
        format="simulated",
        streams={"eeg": signal},
        subject=Subject(id=f"simulated-{seed}"),
        fingerprint=print_,
    )
    return recording, _truth(rows, print_, seed, signal)


def backgrounds(
    n: int, n_channels: int, rate_hz: float, slope: float, rng: np.random.Generator
) -> Values:
    """Noise whose power falls as frequency to the power of `slope` above 0.5 Hz, (n, channels).

    Standard deviation 1 between 0.5 and 45 Hz; flat below 0.5 Hz.
    """
    freqs = np.fft.rfftfreq(n, 1 / rate_hz)
    shape = np.maximum(freqs, 0.5) ** (-slope / 2)
    shape[0] = 0
    white = rng.standard_normal((n, n_channels + 1))
    mixed = np.sqrt(2 / 3) * white[:, :-1] + np.sqrt(1 / 3) * white[:, -1:]
    spectrum = np.fft.rfft(mixed, axis=0) * shape[:, None]
    inside = (freqs >= 0.5) & (freqs <= 45)
    power = 2 * np.sum(np.abs(spectrum[inside]) ** 2, axis=0) / n**2
    return np.asarray(np.fft.irfft(spectrum, n, axis=0) / np.sqrt(power))


def slots(
    duration_s: float, per_minute: float, lasts_s: tuple[float, float], rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Start and stop of events, seconds: each somewhere in a slot of its own."""
    count = int(rng.poisson(per_minute * duration_s / 60)) if per_minute * duration_s < 6e5 else 0
    least = lasts_s[1] * 1.15 + 0.1
    count = max(1, min(count, int(duration_s / least))) if duration_s > least else 0
    if not count:
        return []
    width = duration_s / count
    out = []
    for k in range(count):
        lasts = float(rng.uniform(*lasts_s))
        start = k * width + float(rng.uniform(0.05, max(width - lasts - 0.05, 0.06)))
        out.append((start, min(start + lasts, duration_s - 0.01)))
    return out


def _truth(
    rows: list[tuple[int, int, int, int]], source: str, seed: int, signal: Signal
) -> LabelSet:
    ordered = sorted(rows)
    start, stop, label, channel = (
        (list(c) for c in zip(*ordered, strict=True)) if rows else ([],) * 4
    )
    about = Provenance(
        "events",
        source,
        Author("model", "simulation"),
        signal.name,
        parameters={"preprocessing": preprocessing(signal)},
        seed=seed,
    )
    columns = {
        "start": np.asarray(start, np.int64),
        "stop": np.asarray(stop, np.int64),
        "label": np.asarray(label, np.int32),
        "channel": [None if c == ALL_CHANNELS else c for c in channel],
    }
    return LabelSet.build(Kind.SPANS, columns, VOCABULARY, about)


def _spread_of(kind: str, name: str) -> float:
    """How much of an event of the whole head reaches an electrode."""
    if kind != "blink":
        return 1.0
    return 1.0 if name.startswith("Fp") else 0.4 if name.startswith("F") else 0.08


def _taper(t: Values, lasts: float) -> Values:
    """Rises and falls over a fifth of the length each; half height at a tenth."""
    edge = 0.2 * lasts
    up = np.clip(t / edge, 0, 1)
    down = np.clip((lasts - t) / edge, 0, 1)
    return np.asarray(np.sin(np.pi / 2 * np.minimum(up, down)) ** 2)


def _oscillation(low: float, high: float, drift: float = 0.5) -> Callable[..., Values]:
    def wave(t: Values, lasts: float, rng: np.random.Generator) -> Values:
        f = rng.uniform(low, high)
        phase = 2 * np.pi * (f * t - drift * t**2 / 2) + rng.uniform(0, 2 * np.pi)
        return np.asarray(_taper(t, lasts) * np.sin(phase))

    return wave


def _slow_wave(t: Values, lasts: float, rng: np.random.Generator) -> Values:
    """A negative half-wave, then a positive one of two thirds its height."""
    del rng
    turn = 0.45 * lasts
    down = -np.sin(np.pi * np.clip(t / turn, 0, 1))
    up = 0.65 * np.sin(np.pi * np.clip((t - turn) / (lasts - turn), 0, 1))
    return np.asarray(np.where(t < turn, down, up))


def _blink(t: Values, lasts: float, rng: np.random.Generator) -> Values:
    skewed = (t / lasts) ** rng.uniform(0.7, 0.95)
    return np.asarray(np.sin(np.pi * skewed) ** 2)


def _spike(t: Values, lasts: float, rng: np.random.Generator) -> Values:
    """A sharp negative wave of 20 to 70 ms, then a slow positive one of a third its height."""
    width = rng.uniform(0.020, 0.070) / 2.355
    sharp = -np.exp(-((t - 0.05) ** 2) / (2 * (width * 0.6) ** 2))
    slow = 0.35 * np.sin(np.pi * np.clip((t - 0.1) / max(lasts - 0.1, 0.05), 0, 1))
    return np.asarray(sharp + slow)


def _muscle(t: Values, lasts: float, rng: np.random.Generator) -> Values:
    return np.asarray(_taper(t, lasts) * rng.standard_normal(t.size))


def _seizure(t: Values, lasts: float, rng: np.random.Generator) -> Values:
    """Spikes and waves that slow from about 7 to 3 per second while they grow."""
    first, last = rng.uniform(5, 8), rng.uniform(2, 4)
    phase = 2 * np.pi * (first * t + (last - first) * t**2 / (2 * lasts)) + rng.uniform(0, 6.28)
    grows = 0.4 + 0.6 * np.clip(t / (0.4 * lasts), 0, 1)
    wave = np.sin(phase) + 0.6 * np.cos(2 * phase) + 0.3 * np.cos(3 * phase + 1)
    return np.asarray(_taper(t, lasts) ** 0.2 * grows * wave / 1.6)


SORTS: Mapping[str, Sort] = {
    "spindle": Sort((11, 16), (0.5, 2.0), _oscillation(11.5, 15.5)),
    "slow wave": Sort((0.5, 4), (0.8, 1.8), _slow_wave),
    "beta burst": Sort((13, 30), (0.15, 0.8), _oscillation(18, 22, 0.0)),
    "blink": Sort((0.5, 8), (0.25, 0.45), _blink, everywhere=True),
    "interictal spike": Sort((3, 45), (0.30, 0.40), _spike),
    "high-frequency oscillation": Sort((80, 250), (0.04, 0.1), _oscillation(100, 200, 0.0)),
    "seizure": Sort((2, 30), (20.0, 90.0), _seizure, everywhere=True),
    "muscle": Sort((20, 100), (0.5, 4.0), _muscle),
}
"""Kinds that can be planted."""
