"""A recording whose spikes are known, and a sorter that knows its two units, made in a moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from nissl.annotators.spikes.own.preprocessing.front import fit_front, white
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.annotators.spikes.own.templates.estimating import mean_waveforms
from nissl.annotators.spikes.own.templates.projection import phases
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise
from nissl.annotators.spikes.own.windows import Windows
from nissl.clock import Clock, Segment
from nissl.data import Signal

RATE_HZ = 30_000.0
LEVELS = np.asarray([[1.0, 0.6, 0.2, 0.0], [0.6, 1.0, 0.2, 0.0]]) * 130.0
"""Of the two units on four channels, uV; the noise has 10."""


@dataclass(frozen=True, eq=False)
class Known:
    """What there is.

    Parameters
    ----------
    signal : Signal
    fitted : Fitted
    trains : tuple of ndarray
        Samples at which each of the two units peaks.
    """

    signal: Signal
    fitted: Fitted
    trains: tuple[npt.NDArray[np.int64], ...]


def shape() -> npt.NDArray[np.float64]:
    """A spike of 3 ms, its peak at sample 30."""
    t = np.arange(-30, 60) / 30.0
    return np.asarray(-np.exp(-0.5 * (t / 0.15) ** 2) + 0.4 * np.exp(-0.5 * ((t - 0.6) / 0.3) ** 2))


def samples_of(
    trains: tuple[npt.NDArray[np.int64], ...], n: int, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Noise of 10 uV with the spikes of two units."""
    x = np.random.default_rng(seed).normal(0, 10, (n, 4))
    for level, train in zip(LEVELS, trains, strict=True):
        for at in train:
            x[at - 30 : at + 60] += shape()[:, None] * level
    return x.astype(np.float32)


def make(seconds: int = 8, seed: int = 0, gap: bool = False) -> Known:
    """The recording and its sorter.

    Parameters
    ----------
    seconds : int
    seed : int
    gap : bool
        Whether half of it was recorded a minute later.
    """
    rng, n = np.random.default_rng(seed), int(seconds * RATE_HZ)
    slots = 400 + 300 * np.arange((n - 1000) // 300) + rng.integers(0, 200, (n - 1000) // 300)
    slots = slots[np.abs(slots - n // 2) > 400]
    whose = rng.integers(0, 8, slots.size)
    trains = tuple(slots[whose == u].astype(np.int64) for u in range(2))
    clock = Clock.regular(RATE_HZ, n)
    if gap:
        clock = Clock((Segment(0, n // 2, 0.0, RATE_HZ), Segment(n // 2, n, 60.0, RATE_HZ)))
    signal = Signal.from_array(samples_of(trains, n, seed), RATE_HZ, clock=clock)
    front = fit_front(signal, range(4), 300.0, 6000.0)
    windows, step = Windows.at(front.rate_hz), front.band.step
    segment = signal.clock.segments[0]
    z = white(signal, front, segment, segment.start, segment.stop)
    means = []
    for train in trains:
        at, late = np.divmod(train[train < segment.stop - 400] + front.delay, step)
        late = (late / step).astype(np.float32)
        zeros = np.zeros(at.size, np.int64)
        means.append(mean_waveforms(z, at, late, zeros, 1, windows.long_before, windows.long)[0])
    waves = without_noise(np.stack(means))
    cut = waves[:, windows.lead : windows.lead + windows.scored].transpose(0, 2, 1)
    every = phases(np.ascontiguousarray(cut)).reshape(-1, windows.scored)
    basis = np.linalg.svd(every, full_matrices=False)[2][:6].astype(np.float32)
    rate = np.asarray([train.size / seconds for train in trains])
    templates = Templates(waves, np.ascontiguousarray(basis), rate, windows)
    return Known(signal, Fitted(front, templates, np.arange(2)), trains)


@pytest.fixture(scope="session")
def known():
    """The recording and its sorter: `known(seconds=8, gap=False)`."""
    return make
