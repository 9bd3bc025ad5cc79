"""What neurons of a simulated worm do, and how their light changes with it.

Activity is bursts that share a drive, and states that last some seconds, as many neurons of worms
have; an indicator's kinetics make fluorescence of both. Some neurons never do anything. What
motion does to light is the same in both channels and belongs to no neuron's activity.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.simulate import spiking
from nissl.annotators.tracks.simulate.body import Floats, wander
from nissl.annotators.tracks.simulate.scene import Worm

STATE_HZ = 6.0
"""Events per second within a state; the indicator makes a plateau of them."""


def activity(worm: Worm, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """dF/F of each neuron, shape (n_frames, n_neurons); zeros in silent ones."""
    drive = spiking.shared_drive(worm.n_frames, worm.rate_hz, rng)
    indicator = spiking.INDICATORS[worm.indicator]
    silent = np.zeros(worm.n_neurons, bool)
    silent[rng.permutation(worm.n_neurons)[: round(worm.silent * worm.n_neurons)]] = True
    out = np.zeros((worm.n_frames, worm.n_neurons), np.float32)
    for k in np.flatnonzero(~silent):
        often = worm.events_hz * rng.lognormal(0, 0.7)
        sign = rng.choice([1.0, -1.0], p=[0.8, 0.2])
        times = spiking.spike_times(sign * drive, worm.rate_hz, often, rng)
        if rng.random() < 0.5:
            times = np.sort(np.concatenate([times, _states(worm, often, rng)]))
        out[:, k] = spiking.fluorescence(times, worm.n_frames, worm.rate_hz, indicator)
    return out


def flicker(posture: Floats, worm: Worm, rng: np.random.Generator) -> Floats:
    """Factor by which motion changes each neuron's light, shape (n_frames, n_neurons).

    Half of it follows the posture, in a way of each neuron's own; half is by itself.
    """
    scale = posture.std(axis=0)
    z = (posture - posture.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    loads = rng.standard_normal((posture.shape[1], worm.n_neurons)) / np.sqrt(posture.shape[1])
    alone = wander(worm.n_frames, worm.rate_hz, 1.5, worm.n_neurons, rng)
    return np.asarray(np.exp(worm.flicker * np.sqrt(0.5) * (z @ loads + alone)))


def _states(worm: Worm, often: float, rng: np.random.Generator) -> Floats:
    """Times of events within states that come and last some seconds, s."""
    duration = worm.n_frames / worm.rate_hz
    starts = np.sort(rng.uniform(0, duration, rng.poisson(0.4 * often * duration)))
    times = [
        at + rng.uniform(0, lasts, rng.poisson(STATE_HZ * lasts))
        for at, lasts in zip(starts, rng.gamma(2.0, 2.5, starts.size), strict=True)
    ]
    every = np.concatenate([np.zeros(0), *times])
    return np.sort(every[every < duration])


__all__ = ["activity", "flicker"]
