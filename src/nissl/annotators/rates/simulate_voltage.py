"""Traces of voltage imaging with exact spikes and subthreshold voltage, of either polarity.

Voltage is a noise that forgets itself within some tens of milliseconds, a theta rhythm that waxes
and wanes and slow steps; spikes come where it is high, alone or in bursts that grow smaller. What
fluorescence shows of a spike is a narrow pulse blurred by the indicator's exponential, and the dip
after it. Fluorescence brightens or darkens with voltage, bleaches along two exponentials, moves
with the heart beat and the tissue, and is counted in photons.

A spike's time is that of the peak of its fluorescence. Signal-to-noise ratio is the height of a
spike in the frame of its peak, mean over where in the frame it falls, over the standard deviation
of the photons' noise in a frame at the start. Frame `k` covers ``[k, k + 1) / rate_hz`` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.indicators import Range, between
from nissl.annotators.rates.simulate import (
    Values,
    photons_of,
    rested,
    truth_of,
    wandering,
)
from nissl.data import ChannelTable, Recording, Signal, Subject
from nissl.errors import BadArgumentError
from nissl.labels import LabelSet
from nissl.labels.digest import digest_array

STEP_S = 2e-5
REFRACTORY_S = 0.002


@dataclass(frozen=True)
class Manner:
    """What varies over cells; evenly on a logarithmic scale.

    Parameters
    ----------
    pulse_s : tuple of float
        Standard deviation of a spike's pulse before the indicator.
    decay_s : tuple of float
        Time constant of the indicator.
    dip : tuple of float
        Depth of the dip after a spike in parts of the spike, 10 ms long.
    amplitude : tuple of float
        dF/F of a spike at its peak.
    subthreshold : tuple of float
        Standard deviation of subthreshold voltage in parts of a spike.
    firing_hz : tuple of float
        Mean rate without the further spikes of bursts.
    burst : tuple of float
        Probability that a spike is followed by another, 3-8 ms later and smaller.
    bleaching : tuple of float
        Part of fluorescence lost over the recording.
    heart : tuple of float
        Amplitude of the heart beat, dF/F.
    motion_per_min : tuple of float
        Movements of the tissue a minute.
    motion : tuple of float
        Part of the light that is lost in one, or gained; over 20 to 200 ms.
    """

    pulse_s: Range = (0.0003, 0.0006)
    decay_s: Range = (0.0005, 0.0025)
    dip: Range = (0.0, 0.2)
    amplitude: Range = (0.04, 0.15)
    subthreshold: Range = (0.1, 0.35)
    firing_hz: Range = (0.5, 20.0)
    burst: Range = (0.02, 0.3)
    bleaching: Range = (0.05, 0.5)
    heart: Range = (0.0, 0.005)
    motion_per_min: Range = (0.0, 20.0)
    motion: Range = (0.02, 0.2)


@dataclass(frozen=True, eq=False)
class Voltage:
    """One cell's trace with its truth.

    Parameters
    ----------
    fluorescence : ndarray, shape (n_frames,), float32, arbitrary units, positive
    spikes_s : ndarray, shape (n_spikes,), float64, seconds
        Times of the peaks of their fluorescence.
    subthreshold : ndarray, shape (n_frames,), float64, dF/F
        Without spikes; positive is depolarised, whatever the polarity.
    bleaching : ndarray, shape (n_frames,), float64
        Baseline in parts of that at the start.
    polarity : int
        1 where fluorescence brightens with a spike, -1 where it darkens.
    snr : float
    """

    fluorescence: npt.NDArray[np.float32]
    spikes_s: Values
    subthreshold: Values
    bleaching: Values
    polarity: int
    snr: float


def voltage(
    rate_hz: float,
    n_frames: int,
    snr: float,
    polarity: int,
    rng: np.random.Generator,
    manner: Manner | None = None,
) -> Voltage:
    """Draw the trace of one cell.

    Parameters
    ----------
    rate_hz : float
        Frames per second, from 200 on.
    n_frames : int
    snr : float
    polarity : {1, -1}
    rng : numpy.random.Generator
    manner : Manner, optional
    """
    if not (200 <= rate_hz < np.inf and n_frames > 1 and snr > 0 and polarity in (1, -1)):
        raise BadArgumentError(
            "at least 200 Hz, two frames, a signal-to-noise ratio above 0, a polarity of 1 or -1",
            f"{rate_hz} Hz, {n_frames} frames, {snr}, polarity {polarity}",
            "Mend the simulation's size.",
        )
    how = Manner() if manner is None else manner
    duration_s = n_frames / rate_hz
    slow = membrane(duration_s, rng)
    times, heights = _spikes(slow, duration_s, how, rng)
    pulse = Pulse.drawn(how, rng)
    amplitude = between(how.amplitude, rng)
    middle: Values = (np.arange(n_frames, dtype=np.float64) + 0.5) / rate_hz
    under = amplitude * between(how.subthreshold, rng) * np.interp(middle, *slow)
    glow = under + amplitude * pulse.frames(times, heights, rate_hz, n_frames)
    glow += between(how.heart, rng) * np.sin(2 * np.pi * between((7.0, 12.0), rng) * middle)
    curve = _bleaching(middle, between(how.bleaching, rng), rng)
    shown = curve * _moved(middle, how, rng)
    per_frame = (snr / (amplitude * pulse.height(rate_hz))) ** 2
    seen = photons_of(shown * (1 + polarity * glow), per_frame, rng)
    light = rng.uniform(500, 5000)
    return Voltage((light * seen).astype(np.float32), times, under, curve, polarity, snr)


def simulate_voltage(
    seed: int,
    *,
    n_cells: int = 4,
    duration_s: float = 30.0,
    rate_hz: float = 1000.0,
    snr: float | tuple[float, float] = (4.0, 8.0),
    polarity: int = -1,
    manner: Manner | None = None,
) -> tuple[Recording, LabelSet]:
    """Simulate the traces of one recording; see `nissl.annotators.rates.simulate.simulate`.

    The stream "fluorescence" is raw, not dF/F.
    """
    rng = np.random.default_rng(seed)
    levels = snr if isinstance(snr, tuple) else (snr, snr)
    n = round(duration_s * rate_hz)
    made = [
        voltage(rate_hz, n, between(levels, rng), polarity, rng, manner) for _ in range(n_cells)
    ]
    samples = np.stack([each.fluorescence for each in made], axis=1)
    table = ChannelTable.plain([str(k) for k in range(n_cells)], kind="fluorescence")
    signal = Signal.from_array(samples, rate_hz, name="fluorescence", channels=table)
    print_ = digest_array(samples)
    recording = Recording(
        path=None,
        format="simulated",
        streams={"fluorescence": signal},
        subject=Subject(id=f"simulated-{seed}"),
        fingerprint=print_,
    )
    return recording, truth_of([each.spikes_s for each in made], signal, print_, seed)


@dataclass(frozen=True, eq=False)
class Pulse:
    """What fluorescence shows of one spike.

    Parameters
    ----------
    time_s : ndarray, shape (n,), float64, seconds
        From the peak, in steps of `STEP_S`.
    area : ndarray, shape (n,), float64, seconds
        Integral of the pulse up to each time; its peak is 1.
    """

    time_s: Values
    area: Values

    @classmethod
    def drawn(cls, how: Manner, rng: np.random.Generator) -> Pulse:
        """Draw the pulse of a cell."""
        width, decay_s, dip = (between(r, rng) for r in (how.pulse_s, how.decay_s, how.dip))
        t = np.arange(-0.005, 0.06, STEP_S)
        after = np.clip(t, 0, None)
        voltage_ = np.exp(-0.5 * (t / width) ** 2)
        voltage_ -= dip * (after / 0.005) * np.exp(1 - after / 0.005)
        blur = np.exp(-np.arange(0, 8 * decay_s, STEP_S) / decay_s)
        shape = np.convolve(voltage_, blur)[: t.size]
        shape /= shape.max()
        return cls(t - t[int(np.argmax(shape))], np.cumsum(shape) * STEP_S)

    def frames(self, times_s: Values, heights: Values, rate_hz: float, n_frames: int) -> Values:
        """Mean over each frame of the pulses of spikes, shape (n_frames,)."""
        out = np.zeros(n_frames)
        reach = int(np.ceil(0.06 * rate_hz)) + 2
        for time, height in zip(times_s.tolist(), heights.tolist(), strict=True):
            first = int(np.floor((time - 0.006) * rate_hz))
            edges = np.arange(first, first + reach + 1)
            up_to = np.interp(edges / rate_hz - time, self.time_s, self.area)
            mean = height * rate_hz * np.diff(up_to)
            inside = (edges[:-1] >= 0) & (edges[:-1] < n_frames)
            out[edges[:-1][inside]] += mean[inside]
        return out

    def height(self, rate_hz: float) -> float:
        """Height in the frame of the peak, mean over where in the frame the peak falls."""
        phase = (np.arange(64) + 0.5) / 64 / rate_hz
        both = np.interp([-phase, 1 / rate_hz - phase], self.time_s, self.area)
        return float(np.mean(both[1] - both[0])) * rate_hz


def membrane(duration_s: float, rng: np.random.Generator) -> tuple[Values, Values]:
    """Times in steps of 1 ms, and subthreshold voltage there, standard deviation about 1."""
    n = int(np.ceil(duration_s * 1000)) + 2
    t = np.arange(n) / 1000
    noise = wandering(n, 10 ** rng.uniform(0.7, 1.7), rng)
    waxing = np.exp(wandering(n, 1000.0, rng) - 0.5)
    theta = waxing * np.sin(2 * np.pi * rng.uniform(5, 9) * t + rng.uniform(0, 2 * np.pi))
    smooth = wandering(n, 20.0, rng) * 0.3
    steps = np.tanh(3 * wandering(n, 500.0, rng)) + smooth
    weights = rng.dirichlet(np.ones(3))
    mixed = np.sqrt(weights) @ np.stack([noise, np.sqrt(2) * theta / 1.3, steps])
    return t, mixed


def _spikes(
    slow: tuple[Values, Values], duration_s: float, how: Manner, rng: np.random.Generator
) -> tuple[Values, Values]:
    """Times and heights of spikes: more where voltage is high; further ones of bursts smaller."""
    t, v = slow
    rate = np.exp(1.5 * np.clip(v, -3, 3))
    rate *= between(how.firing_hz, rng) / rate.mean()
    first = t[rng.random(t.size) < rate * 0.001] + rng.uniform(0, 0.001)
    length = rng.geometric(1 - between(how.burst, rng), first.size) - 1
    times, heights = [first], [np.ones(first.size)]
    for nth in range(1, int(length.max(initial=0)) + 1):
        more = length >= nth
        gap = rng.uniform(0.003, 0.008, first.size)
        first = first + gap
        times.append(first[more])
        heights.append(np.full(int(more.sum()), 0.85**nth))
    time, height = np.concatenate(times), np.concatenate(heights)
    order = np.argsort(time, kind="stable")
    time, height = time[order], height[order]
    inside = time < duration_s
    kept = rested(time[inside], REFRACTORY_S)
    return kept, height[np.searchsorted(time, kept)]


def _moved(t: Values, how: Manner, rng: np.random.Generator) -> Values:
    """What movements leave of the light."""
    out: Values = np.ones(t.size)
    a_minute, much = between(how.motion_per_min, rng), between(how.motion, rng)
    for _ in range(int(rng.poisson(a_minute * t[-1] / 60))):
        when, lasts = rng.uniform(0, t[-1]), 10 ** rng.uniform(-1.7, -0.7)
        out *= 1 - much * rng.uniform(-0.3, 1.0) * np.exp(-2 * ((t - when) / lasts) ** 2)
    return out


def _bleaching(t: Values, lost: float, rng: np.random.Generator) -> Values:
    """Two exponentials from 1 to ``1 - lost`` at the end."""
    fast, slow = t[-1] * 10 ** rng.uniform(-1.5, -0.7), t[-1] * 10 ** rng.uniform(-0.3, 0.5)
    part = rng.uniform(0.1, 0.6)
    fall = part * -np.expm1(-t / fast) + (1 - part) * -np.expm1(-t / slow)
    out: Values = 1 - lost * fall / fall[-1]
    return out
