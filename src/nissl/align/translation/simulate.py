"""Simulated populations that follow a dynamical system, heard through units of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import About, Floats, Fragment


@dataclass(frozen=True, eq=False)
class System:
    """Turning planes, each with a pace and a decay, driven by noise.

    Parameters
    ----------
    step : ndarray, shape (n_latents, n_latents)
        From latents of a bin to those of the next (row vectors: z @ step).
    size : ndarray, shape (n_latents,)
        Of the states that windows begin in.
    noise : float
        That drives it, relative to size.
    """

    step: Floats
    size: Floats
    noise: float = 0.2


def simulate_system(
    rng: np.random.Generator,
    *,
    bin_s: float = 0.05,
    planes: int = 3,
    turns_hz: tuple[float, float] = (0.5, 2.5),
) -> System:
    """Draw a system: planes that turn so many times a second and decay within seconds.

    Parameters
    ----------
    rng : numpy.random.Generator
    bin_s : float
    planes : int
    turns_hz : tuple of float
        Slowest and fastest, turns per second.
    """
    pace = 2 * np.pi * bin_s * rng.uniform(*turns_hz, planes) * rng.choice([-1, 1], planes)
    decay = np.exp(-bin_s / rng.uniform(0.8, 3.0, planes))
    step = np.zeros((2 * planes, 2 * planes))
    for k in range(planes):
        c, s = decay[k] * np.cos(pace[k]), decay[k] * np.sin(pace[k])
        step[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[c, s], [-s, c]]
    size = np.repeat(np.linspace(1.0, 0.6, planes), 2) * np.tile([1.0, 0.8], planes)
    return System(step, size)


def simulate_population(
    rng: np.random.Generator,
    system: System,
    *,
    name: str = "population",
    n_units: int = 80,
    n_windows: int = 60,
    n_bins: int = 30,
    bin_s: float = 0.05,
    rate_hz: float = 12.0,
    depth: float = 0.7,
) -> Fragment:
    """Simulate counts of units whose log rates are random mixtures of the system's latents.

    Parameters
    ----------
    rng : numpy.random.Generator
    system : System
    name : str
    n_units, n_windows, n_bins : int
        Bins of each window.
    bin_s, rate_hz : float
    depth : float
        Standard deviation of log rates.
    """
    n = len(system.size)
    # Skewed, so that no turn of the states is as good as another.
    state = system.size * (rng.gamma(1.5, 1.0, (n_windows, n)) - 0.9)
    path = np.empty((n_windows, n_bins, n))
    for t in range(n_bins):
        path[:, t] = state
        drive = system.noise * system.size * rng.standard_normal(state.shape)
        state = state @ system.step + drive
    latents = path.reshape(-1, n)
    loading = rng.standard_normal((n, n_units))
    loading *= depth / np.std(latents @ loading, axis=0)
    base = np.log(rate_hz * bin_s) + 0.4 * rng.standard_normal(n_units)
    counts = rng.poisson(np.exp(np.clip(latents @ loading + base, -8, 3))).astype(float)
    about = About("simulated", "one", name, "nowhere", "windows", "spikes")
    return Fragment(name, counts, bin_s, np.repeat(np.arange(n_windows), n_bins), about=about)
