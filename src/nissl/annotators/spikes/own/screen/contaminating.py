"""Artifacts made by rule, to add to recordings: what a stage that knows artifacts is taught with.

Stimulation with its decay, steps and swings of movement, the mains and its harmonics, muscles,
discharges and single wrong samples; each on all channels, on a block of them, or falling with
distance from a place. Levels are in uV before any filter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

PER_S = 5.0
"""Artifacts (trains of pulses count as one) that begin in a second."""
LEVEL_UV = (60.0, 6000.0)
RAIL_UV = (1500.0, 6000.0)


def contamination(
    n: int, position_um: Values, rate_hz: float, rng: np.random.Generator, *, per_s: float = PER_S
) -> Samples:
    """Artifacts of all kinds at random times.

    Parameters
    ----------
    n : int
        Samples.
    position_um : ndarray, shape (n_channels, 2), um
    rate_hz : float
    rng : numpy.random.Generator
    per_s : float
        How often one begins.

    Returns
    -------
    ndarray, shape (n, n_channels), float32, uV
    """
    out = np.zeros((n, len(position_um)), np.float32)
    kinds = tuple(KINDS.values())
    for _ in range(rng.poisson(per_s * n / rate_hz)):
        course = kinds[rng.integers(len(kinds))](rate_hz, rng)
        level = np.exp(rng.uniform(*np.log(LEVEL_UV)))
        first = int(rng.integers(n))
        course = course[: n - first]
        gain = _gains(position_um, rng) * level
        out[first : first + len(course)] += np.outer(course, gain).astype(np.float32)
    return out


def saturated(samples_uv: Samples, rng: np.random.Generator) -> Samples:
    """Samples cut at the rails of an amplifier, at a level that is drawn."""
    rail = np.exp(rng.uniform(*np.log(RAIL_UV)))
    return np.clip(samples_uv, -rail, rail)


def _gains(position_um: Values, rng: np.random.Generator) -> Values:
    """Gain of each channel, up to about 1 with either sign."""
    n = len(position_um)
    gain = 1 + rng.choice([0.03, 0.1, 0.3]) * rng.standard_normal(n)
    form = rng.integers(3)
    if form == 1:  # a block of channels, a head stage or a shank
        first, size = rng.integers(n), rng.integers(max(1, n // 4), n + 1)
        gain = np.where((np.arange(n) - first) % n < size, gain, 0.0)
    if form == 2 and not np.isnan(position_um).any():
        source = position_um[rng.integers(n)]
        apart = np.linalg.norm(position_um - source, axis=1)
        gain = gain / (1 + apart / np.exp(rng.uniform(np.log(150), np.log(1500))))
    return np.asarray(gain * rng.choice([-1.0, 1.0]))


def _time(seconds: float, rate_hz: float) -> Values:
    return np.arange(max(2, round(seconds * rate_hz))) / rate_hz


def _pulses(rate_hz: float, rng: np.random.Generator) -> Values:
    """Train of stimulation pulses, one or two phases, each with a decay."""
    phase_s, tau_s = rng.uniform(0.05e-3, 0.5e-3), np.exp(rng.uniform(*np.log((0.3e-3, 8e-3))))
    t = _time(6 * tau_s + 2 * phase_s, rate_hz)
    one = np.where(t < phase_s, 1.0, 0.0)
    if rng.random() < 0.7:
        one -= np.where((t >= phase_s) & (t < 2 * phase_s), rng.uniform(0.3, 1.0), 0.0)
    late = t >= 2 * phase_s
    one[late] += rng.uniform(-0.5, 0.5) * np.exp(-(t[late] - 2 * phase_s) / tau_s)
    gap = round(rate_hz / rng.uniform(10, 150))
    count = int(rng.integers(1, 20))
    out = np.zeros(gap * (count - 1) + len(one))
    for k in range(count):
        out[k * gap : k * gap + len(one)] += one * (1 + 0.02 * rng.standard_normal())
    return out


def _step(rate_hz: float, rng: np.random.Generator) -> Values:
    """Step of the level that decays: a cable or an electrode that moved."""
    rise_s, tau_s = np.exp(rng.uniform(*np.log((5e-5, 2e-3)))), rng.uniform(5e-3, 0.1)
    t = _time(4 * tau_s, rate_hz)
    return np.asarray((1 - np.exp(-t / rise_s)) * np.exp(-t / tau_s))


def _swing(rate_hz: float, rng: np.random.Generator) -> Values:
    """Slow swings with corners."""
    t = _time(rng.uniform(0.05, 0.4), rate_hz)
    corners = np.cumsum(rng.standard_normal(int(rng.integers(4, 30))))
    corners[0] = corners[-1] = 0
    out = np.interp(t, np.linspace(0, t[-1], corners.size), corners)
    return np.asarray(out / max(np.abs(out).max(), 1e-9))


def _mains(rate_hz: float, rng: np.random.Generator) -> Values:
    """Burst of 50 or 60 Hz with sharp harmonics, as dimmers and pumps make."""
    t = _time(rng.uniform(0.1, 0.8), rate_hz)
    turn = (t * rng.choice([50.0, 60.0, 100.0, 120.0]) + rng.random()) % 1.0
    width = rng.uniform(0.005, 0.05)
    spike = np.exp(-0.5 * ((turn - 0.5) / width) ** 2)
    return np.asarray((np.sin(2 * np.pi * turn) + rng.uniform(0.3, 2) * spike) / 3)


def _muscle(rate_hz: float, rng: np.random.Generator) -> Values:
    """Burst of a muscle: potentials of motor units that overlap."""
    from scipy.signal import lfilter

    n = max(2, round(rng.uniform(0.03, 0.4) * rate_hz))
    width = rng.uniform(0.3e-3, 1.5e-3) * rate_hz
    x = (np.arange(round(6 * width)) - 3 * width) / width
    shape = x * np.exp(-0.5 * x**2) if rng.random() < 0.5 else (1 - x**2) * np.exp(-0.5 * x**2)
    train = np.where(rng.random(n) < rng.uniform(60, 600) / rate_hz, rng.standard_normal(n), 0.0)
    out = lfilter(shape, [1.0], train) * np.hanning(n) ** 0.3
    return np.asarray(0.3 * out / max(np.abs(out).max(), 1e-9))


def _discharge(rate_hz: float, rng: np.random.Generator) -> Values:
    """Damped oscillation: static electricity, a touch of the cage."""
    tau_s, f_hz = np.exp(rng.uniform(*np.log((0.2e-3, 4e-3)))), rng.uniform(300, 5000)
    t = _time(6 * tau_s, rate_hz)
    return np.asarray(np.sin(2 * np.pi * (f_hz * t + rng.random())) * np.exp(-t / tau_s))


def _glitch(rate_hz: float, rng: np.random.Generator) -> Values:
    """A few wrong samples, as links that lose bits give."""
    out = np.zeros(int(rng.integers(2, 9)))
    out[:-1] = rng.choice([1.0, rng.standard_normal()], out.size - 1)
    return out


KINDS: dict[str, Callable[[float, np.random.Generator], Values]] = {
    "pulses": _pulses,
    "step": _step,
    "swing": _swing,
    "mains": _mains,
    "muscle": _muscle,
    "discharge": _discharge,
    "glitch": _glitch,
}
