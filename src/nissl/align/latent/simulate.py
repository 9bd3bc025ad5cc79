"""Simulated populations in a task that comes again and again, heard through other units each day.

A subject reaches for targets on a circle. A few latents move as the movement does, with a part
that is the same for all targets, a part of higher harmonics, and a part of their own; each day
other units are heard, whose rates are exponential in random mixtures of the latents and whose
counts are Poisson. What is true is known: the behaviour, the latents, and the conditions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import About, Floats, Fragment


@dataclass(frozen=True, eq=False)
class SimulatedDay:
    """A day with its truth.

    Parameters
    ----------
    fragment : Fragment
        Behaviour "velocity", shape (n_bins, 2).
    latents : ndarray, shape (n_bins, n_latents)
    """

    fragment: Fragment
    latents: Floats


@dataclass(frozen=True, eq=False)
class Subject:
    """What stays the same over days.

    Parameters
    ----------
    mix : ndarray, shape (n_latents, 8)
        From harmonics of direction and time to latents.
    lag : ndarray, shape (8,)
        By how much of the movement each harmonic leads, s.
    """

    mix: Floats
    lag: Floats


def simulate_subject(rng: np.random.Generator, n_latents: int = 8) -> Subject:
    """Draw a subject; directions are as unequal as its mixture is."""
    size = np.array([1.0, 1.0, 0.8, 0.5, 0.45, 0.45, 0.3, 0.3])
    return Subject(
        rng.standard_normal((n_latents, 8)) * size / np.sqrt(n_latents), rng.uniform(0, 0.15, 8)
    )


def simulate_day(
    rng: np.random.Generator,
    subject: Subject,
    *,
    name: str = "day",
    n_units: int = 120,
    n_trials: int = 160,
    n_conditions: int = 8,
    bin_s: float = 0.1,
    rate_hz: float = 3.0,
    depth: float = 1.5,
    noise: float = 0.35,
    change: float = 0.0,
) -> SimulatedDay:
    """Simulate one day of reaches.

    Parameters
    ----------
    rng : numpy.random.Generator
    subject : Subject
    name : str
    n_units, n_trials, n_conditions : int
    bin_s : float
    rate_hz : float
        Median rate of units.
    depth : float
        How much units follow the latents (standard deviation of log rate).
    noise : float
        Of latents that the behaviour does not explain, relative to the rest.
    change : float
        How much the subject's mixture has changed since, relative to it.
    """
    mix = subject.mix + change * subject.mix.std() * rng.standard_normal(subject.mix.shape)
    number, condition, latents, velocity = [], [], [], []
    order = rng.permutation(np.arange(n_trials) % n_conditions)
    for trial, c in enumerate(order.tolist()):
        lasts = rng.uniform(0.45, 0.75)
        t = np.asarray((np.arange(int(np.ceil(lasts / bin_s))) + 0.5) * bin_s, float)
        angle = 2 * np.pi * c / n_conditions + 0.1 * rng.standard_normal()
        vigour = 1 + 0.15 * rng.standard_normal()

        wave = np.stack([_bell(t + float(x), lasts) for x in subject.lag], axis=1) * vigour
        turn = np.array([np.cos(angle), np.sin(angle), 1.0, np.cos(2 * angle)])
        rest = np.array([np.sin(2 * angle), 0.6, np.cos(3 * angle), np.sin(3 * angle)])
        drive = wave * np.concatenate([turn, rest])
        private = rng.standard_normal((len(t), mix.shape[0])) * noise * mix.std() * np.sqrt(8)
        latents.append(drive @ mix.T + private)
        speed = 20 * vigour * _bell(t, lasts)
        velocity.append(speed[:, None] * [np.cos(angle), np.sin(angle)])
        number += [trial] * len(t)
        condition += [c] * len(t)
    z = np.concatenate(latents)
    loading = rng.standard_normal((mix.shape[0], n_units))
    loading *= depth / np.maximum(np.std(z @ loading, axis=0), 1e-9)
    loading *= rng.uniform(0.1, 1.0, n_units)
    base = np.log(rate_hz * bin_s) + 0.8 * rng.standard_normal(n_units)
    counts = rng.poisson(np.exp(np.clip(z @ loading + base, -10, 4))).astype(float)
    moved = np.concatenate(velocity) + rng.standard_normal((len(z), 2))
    fragment = Fragment(
        name,
        counts,
        bin_s,
        np.array(number),
        np.array(condition),
        {"velocity": moved},
        about=About("simulated", "one", name, "M1", "reaching", "spikes"),
    )
    return SimulatedDay(fragment, z)


def _bell(t: Floats, lasts: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((t - lasts / 2) / (lasts / 3.5)) ** 2), float)
