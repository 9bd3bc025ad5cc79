"""A recording with planted spikes, and the templates that a perfect sorter would have of it."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from nissl.annotators.spikes.own.confidence.evidence import crowds
from nissl.annotators.spikes.own.confidence.usual import usual_of
from nissl.annotators.spikes.own.live.taught import TaughtShank, TaughtSorter
from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.preprocessing.filtering import design, fresh_state, run_filter
from nissl.annotators.spikes.own.preprocessing.front import Front, white
from nissl.annotators.spikes.own.preprocessing.whitening import Whitening, apply_whitening
from nissl.annotators.spikes.own.templates.projection import phases
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise
from nissl.annotators.spikes.own.windows import Windows
from nissl.data import Signal

RATE_HZ = 30_000.0
N_CHANNELS, N_UNITS = 6, 4
NOISE_UV = 10.0
BEFORE, AFTER = 30, 75
DELAY = 5


@dataclass(frozen=True)
class Planted:
    """Samples in uV, and the spikes within."""

    signal: Signal
    sample: np.ndarray
    unit: np.ndarray


def wave(unit, width=1.0):
    """Waveform of a unit, shape (105, n_channels), uV; its trough is at sample 30."""
    t = np.arange(-BEFORE, AFTER) / 30.0
    narrow = (0.12 + 0.03 * unit) * width
    shape = -np.exp(-0.5 * (t / narrow) ** 2) + 0.3 * np.exp(-0.5 * ((t - 0.5) / 0.3) ** 2)
    fall = np.exp(-np.abs(np.arange(N_CHANNELS) - (1.4 * unit + 0.3)))
    return (70.0 + 10.0 * unit) * shape[:, None] * fall


@cache
def front():
    """Filter and whitening of white noise of 10 uV."""
    band = design(RATE_HZ)
    noise = np.random.default_rng(0).normal(0, NOISE_UV, (60_000, N_CHANNELS)).astype(np.float32)
    y, _ = run_filter(noise, band, fresh_state(band, N_CHANNELS))
    sd = y[500:].std(axis=0)
    prediction = np.concatenate([[1.0], np.zeros(6)]).astype(np.float32)
    whitening = Whitening(prediction, np.diag(1 / sd).astype(np.float32), sd.astype(np.float64))
    return Front(tuple(range(N_CHANNELS)), band, whitening, DELAY)


def template(unit):
    """Its waveform as the sorter's white samples have it, in the long window."""
    windows, held = Windows.at(front().rate_hz), front()
    x = np.zeros((600, N_CHANNELS), np.float32)
    x[300 - BEFORE : 300 + AFTER] = wave(unit)
    y, _ = run_filter(x, held.band, fresh_state(held.band, N_CHANNELS))
    z = apply_whitening(np.concatenate([np.zeros((6, N_CHANNELS), np.float32), y]), held.whitening)
    first = (300 + DELAY) // held.band.step - windows.long_before
    return z[first : first + windows.long]


@cache
def templates():
    """Of all units."""
    windows = Windows.at(front().rate_hz)
    waves = without_noise(np.stack([template(u) for u in range(N_UNITS)]))
    cut = waves[:, windows.lead : windows.lead + windows.scored].transpose(0, 2, 1)
    every = phases(np.ascontiguousarray(cut)).reshape(-1, windows.scored)
    basis = np.linalg.svd(every, full_matrices=False)[2][:6].astype(np.float32)
    return Templates(waves, np.ascontiguousarray(basis), np.full(N_UNITS, 20.0), windows)


@cache
def planted(seconds=6.0, rate=20.0, seed=100, widen=0.0, channels=None):
    """Spikes at random, 20 in a second of each unit; waveforms widen by a share until the end."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    x = rng.normal(0, NOISE_UV, (n, N_CHANNELS))
    samples, units = [], []
    for u in range(N_UNITS):
        at = np.sort(rng.integers(300, n - 600, round(rate * seconds)))
        at = at[np.diff(at, prepend=-100) > 60]
        for a in at:
            x[a - BEFORE : a + AFTER] += rng.normal(1, 0.05) * wave(u, 1 + widen * a / n)
        samples.append(at)
        units.append(np.full(at.size, u))
    signal = Signal.from_array(x.astype(np.float32), RATE_HZ, channels=channels)
    return Planted(signal, np.concatenate(samples), np.concatenate(units))


@cache
def usual():
    """What is usual for the planted spikes of each unit."""
    signal = planted().signal
    z = white(signal, front(), signal.clock.segments[0], 0, signal.n_samples)
    found = pursue(z, templates(), front().rate_hz)
    at = np.asarray(found.at + found.shift, np.float64)
    order = np.argsort(at, kind="stable")
    at, unit, rate_hz = at[order], found.unit[order], front().rate_hz
    crowd = crowds(at, unit, templates(), rate_hz)
    size = found.amplitude[order]
    return usual_of(at, unit, size, crowd, templates(), signal.duration_s, rate_hz)


def taught():
    """The sorter that knows all units but the last, which it matches and does not tell."""
    number = np.asarray([1, 0, 2, -1])
    place = np.stack([np.zeros(N_UNITS), 20.0 * np.arange(N_UNITS)], axis=1).astype(np.float32)
    amplitude = np.asarray([-70, -80, -90, np.nan], np.float32)
    channel = np.asarray([0, 2, 3, -1])
    shank = TaughtShank(
        front(), templates(), number, np.asarray([0, 2, -1, 0]), channel, amplitude, place
    )
    ids = tuple(str(k) for k in range(N_CHANNELS))
    origin = {"source": "f", "stream": "ap", "seed": 0, "parameters": {}, "version": "1"}
    return TaughtSorter(RATE_HZ, ids, (shank,), origin)
