"""Spike trains with known answers to light, and Purkinje cells with known pauses.

Fast and seeded: for tests of error rates and power. Trains are renewal processes on a clock
that runs with the rate, so any slow change of the rate can be laid over any regularity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]

TRAINS = ("poisson", "regular", "bursty", "rhythmic")
ANSWERS = ("none", "direct", "network", "artefact")


def simulate_pulses(
    rng: np.random.Generator, *, n: int = 200, period_s: float = 1.0, jitter_s: float = 0.0
) -> Values:
    """Onsets of light pulses, shape (n,), seconds, the first after two periods."""
    onsets = period_s * (2 + np.arange(n)) + rng.uniform(-jitter_s, jitter_s, n)
    return np.asarray(np.sort(onsets))


def simulate_train(
    rng: np.random.Generator,
    duration_s: float,
    rate_hz: float,
    *,
    kind: str = "poisson",
    drift: float = 0.0,
    wave: float = 0.0,
    wave_hz: float = 0.05,
    phase: float = 0.0,
) -> Values:
    """Spike times of a unit that knows nothing of the light.

    Parameters
    ----------
    rng : numpy.random.Generator
    duration_s, rate_hz : float
    kind : {"poisson", "regular", "bursty", "rhythmic"}
        Regular: gamma intervals of order 4. Bursty: bursts of 2 to 5 spikes, 4 ms apart.
        Rhythmic: each spike at one phase of a 10 Hz rhythm whose period varies by 5 %.
    drift : float
        Relative change of the rate from the middle to the end, -1 to 1.
    wave, wave_hz, phase : float
        Relative size, frequency and phase (rad) of a slow change of the rate, 0 to 1.

    Returns
    -------
    ndarray, shape (n_spikes,), float64, seconds
    """
    grid = np.linspace(0, duration_s, max(200, int(20 * max(wave_hz, 0.05) * duration_s)))
    gain = 1 + drift * (2 * grid / duration_s - 1)
    gain = gain * (1 + wave * np.sin(2 * np.pi * wave_hz * grid + phase))
    gain = np.maximum(gain, 1e-3)
    operational = np.concatenate([[0.0], np.cumsum((gain[1:] + gain[:-1]) / 2 * np.diff(grid))])
    total = operational[-1]
    n = int(total * rate_hz * 1.5 + 100)
    if kind == "poisson":
        times = np.cumsum(rng.exponential(1 / rate_hz, n))
    elif kind == "regular":
        times = np.cumsum(rng.gamma(4, 1 / rate_hz / 4, n))
    elif kind == "bursty":
        size = rng.integers(2, 6, n)
        first = np.cumsum(rng.exponential(3.5 / rate_hz, n))
        order = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        times = np.sort(np.repeat(first, size) + 0.004 * order)
    elif kind == "rhythmic":
        cycles = np.cumsum(rng.normal(0.1, 0.005, int(total / 0.1 * 1.2 + 50)))
        fires = rng.random(cycles.size) < min(1.0, rate_hz * 0.1)
        times = np.sort(cycles[fires] + rng.normal(0, 0.003, int(fires.sum())))
    else:
        raise BadArgumentError(f"a train among {TRAINS}", repr(kind), "Choose one of them.")
    times = times[(times > 0) & (times < total)]
    return np.asarray(np.interp(times, operational, grid))


def simulate_answer(
    rng: np.random.Generator,
    spikes_s: Values,
    onset_s: Values,
    *,
    kind: str = "direct",
    reliability: float = 0.6,
    latency_s: float | None = None,
    jitter_s: float | None = None,
) -> Values:
    """Add the spikes that light evokes to a train.

    Parameters
    ----------
    rng : numpy.random.Generator
    spikes_s : ndarray, shape (n_spikes,), float64, seconds
    onset_s : ndarray, shape (n_pulses,), float64, seconds
    kind : {"none", "direct", "network", "artefact"}
        Direct: after 3 ms with a jitter of 0.5 ms. Network: after 14 ms with 4 ms. Artefact:
        after 1 ms exactly.
    reliability : float
        Share of the pulses that evoke a spike.
    latency_s, jitter_s : float, optional
        Mean and standard deviation instead of those.
    """
    known = {
        "none": (0.0, 0.0),
        "direct": (3e-3, 0.5e-3),
        "network": (14e-3, 4e-3),
        "artefact": (1e-3, 0.0),
    }
    if kind not in known:
        raise BadArgumentError(f"an answer among {ANSWERS}", repr(kind), "Choose one of them.")
    if kind == "none":
        return spikes_s
    latency = known[kind][0] if latency_s is None else latency_s
    jitter = known[kind][1] if jitter_s is None else jitter_s
    hit = onset_s[rng.random(onset_s.size) < reliability]
    after = np.maximum(rng.normal(latency, jitter, hit.size), 6e-4)
    return np.asarray(np.sort(np.concatenate([spikes_s, hit + after])))


@dataclass(frozen=True, eq=False)
class PurkinjeTrains:
    """Complex and simple spikes.

    Parameters
    ----------
    complex_s, simple_s : ndarray, shape (n,), float64, seconds
    """

    complex_s: Values
    simple_s: Values


def simulate_purkinje(
    rng: np.random.Generator,
    duration_s: float,
    *,
    linked: bool = True,
    complex_hz: float = 1.0,
    simple_hz: float = 60.0,
    pause_s: tuple[float, float] = (0.012, 0.035),
    wave: float = 0.0,
    wave_hz: float = 2.0,
    opposed: bool = False,
) -> PurkinjeTrains:
    """Trains of a Purkinje cell, or of two cells.

    Parameters
    ----------
    rng : numpy.random.Generator
    duration_s : float
    linked : bool
        Whether every complex spike silences the simple spikes for a while.
    complex_hz, simple_hz : float
    pause_s : tuple of float
        Shortest and longest pause.
    wave, wave_hz : float
        Relative size and frequency of a change of rate that both share.
    opposed : bool
        Whether one is high where the other is low.
    """
    simple = simulate_train(rng, duration_s, simple_hz, kind="regular", wave=wave, wave_hz=wave_hz)
    climbing = simulate_train(
        rng,
        duration_s,
        complex_hz,
        wave=wave,
        wave_hz=wave_hz,
        phase=np.pi if opposed else 0.0,
    )
    climbing = climbing[np.diff(climbing, prepend=-1.0) > 0.05]
    if linked and climbing.size:
        pause = rng.uniform(*pause_s, climbing.size)
        last = np.searchsorted(climbing, simple, side="right") - 1
        since = simple - climbing[np.maximum(last, 0)]
        silent = (last >= 0) & (since < pause[np.maximum(last, 0)])
        simple = simple[~silent]
    return PurkinjeTrains(climbing, simple)


@dataclass(frozen=True, eq=False)
class TaggedSession:
    """A recording with light pulses and units of known answers.

    Parameters
    ----------
    samples : ndarray, shape (n_samples, n_channels), int16
        The recording, 1 uV per step.
    rate_hz : float
    onset_s : ndarray, shape (n_pulses,), float64, seconds
        Of the pulses, 5 ms each.
    sample, item : ndarray, shape (n_spikes,), int64
        Spikes in order; the item is the unit.
    answers : tuple of str
        Of each unit, as `simulate_answer` takes them.
    """

    samples: npt.NDArray[np.int16]
    rate_hz: float
    onset_s: Values
    sample: npt.NDArray[np.int64]
    item: npt.NDArray[np.int64]
    answers: tuple[str, ...]


def simulate_session(
    seed: int,
    *,
    answers: tuple[str, ...] = ANSWERS,
    n_pulses: int = 60,
    period_s: float = 0.5,
    rate_hz: float = 20_000.0,
) -> TaggedSession:
    """Simulate a recording of one unit per channel, each with another answer to light.

    An artefact has a waveform of its own, the same on all channels, and is added to its unit.
    """
    rng = np.random.default_rng(seed)
    onsets = simulate_pulses(rng, n=n_pulses, period_s=period_s)
    duration_s = period_s * (n_pulses + 3)
    n, n_channels = int(duration_s * rate_hz), len(answers)
    traces = rng.normal(0, 8, (n, n_channels))
    ms = np.arange(-20, 40) / rate_hz * 1e3
    spike = -90 * np.exp(-0.5 * (ms / 0.12) ** 2) + 30 * np.exp(-0.5 * ((ms - 0.5) / 0.25) ** 2)
    strange = 120 * np.exp(-0.5 * (ms / 0.4) ** 2)
    samples, items = [], []
    for unit, answer in enumerate(answers):
        train = simulate_train(rng, duration_s, 6.0)
        both = simulate_answer(rng, train, onsets, kind=answer, reliability=0.7)
        at = np.unique(np.rint(both * rate_hz).astype(np.int64))
        at = at[(at > 20) & (at < n - 40)]
        own = np.isin(at, np.rint(train * rate_hz).astype(np.int64))
        for place, spontaneous in zip(at.tolist(), own.tolist(), strict=True):
            if answer == "artefact" and not spontaneous:
                traces[place - 20 : place + 40] += strange[:, None]
            else:
                traces[place - 20 : place + 40, unit] += spike
        samples.append(at)
        items.append(np.full(at.size, unit, np.int64))
    sample, item = np.concatenate(samples), np.concatenate(items)
    order = np.lexsort((item, sample))
    recording = np.rint(traces).astype(np.int16)
    return TaggedSession(recording, rate_hz, onsets, sample[order], item[order], answers)
