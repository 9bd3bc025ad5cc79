"""Series whose arrows are known: autoregressions, mixed sensors, delayed responses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Driven:
    """Series and what drives what.

    Parameters
    ----------
    series : ndarray, shape (n_series, n_samples), float64
    truth : ndarray, shape (n_series, n_series), bool
        From source (row) to target (column).
    """

    series: Values
    truth: npt.NDArray[np.bool_]


def autoregression(
    rng: np.random.Generator,
    *,
    n_series: int = 5,
    n_samples: int = 1000,
    n_arrows: int = 5,
    weight: float = 0.4,
    memory: float = 0.6,
    longest_delay: int = 1,
) -> Driven:
    """Series that drive each other without loops, each arrow after a delay.

    Parameters
    ----------
    rng : numpy Generator
    n_series, n_samples, n_arrows : int
    weight : float
        Of each arrow, either sign; noise has variance 1.
    memory : float
        How much of its last sample a series keeps.
    longest_delay : int
        Samples; delays are drawn from 1 to it.
    """
    order = rng.permutation(n_series)
    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    chosen = rng.choice(len(pairs), min(n_arrows, len(pairs)), replace=False)
    truth = np.zeros((n_series, n_series), dtype=np.bool_)
    weights = np.zeros((longest_delay, n_series, n_series))
    for at in chosen:
        source, target = pairs[at]
        truth[source, target] = True
        delay = int(rng.integers(longest_delay))
        weights[delay, target, source] = weight * rng.choice((-1, 1))
    warm = 200
    x = rng.standard_normal((n_series, n_samples + warm))
    for t in range(longest_delay, x.shape[1]):
        x[:, t] += memory * x[:, t - 1]
        for delay in range(longest_delay):
            x[:, t] += weights[delay] @ x[:, t - 1 - delay]
    return Driven(x[:, warm:], truth)


def mixed(
    rng: np.random.Generator,
    *,
    n_sensors: int = 5,
    n_samples: int = 1000,
    n_sources: int = 3,
    noise: float = 0.5,
) -> Driven:
    """Sensors that see the same independent sources, with noise of different strength.

    No sensor drives another, yet the pasts of all tell of all.

    Parameters
    ----------
    rng : numpy Generator
    n_sensors, n_samples, n_sources : int
    noise : float
        Largest standard deviation of the sensors' own noise, which has a memory too.
    """
    sources = _slow(rng, n_sources, n_samples, 0.9)
    seen = rng.standard_normal((n_sensors, n_sources)) @ sources
    strength = noise * rng.uniform(0.2, 1.0, (n_sensors, 1))
    own = strength * _slow(rng, n_sensors, n_samples, 0.5)
    truth = np.zeros((n_sensors, n_sensors), dtype=np.bool_)
    return Driven(seen + own, truth)


def _slow(rng: np.random.Generator, n: int, n_samples: int, memory: float) -> Values:
    from scipy.signal import lfilter

    noise = rng.standard_normal((n, n_samples + 200))
    return np.asarray(lfilter([1.0], [1.0, -memory], noise, axis=1)[:, 200:])


def response_of_blood(delay_s: float, interval_s: float) -> Values:
    """Haemodynamic response, two gamma functions, with its peak moved by a delay.

    Sampled every `interval_s` for 32 s after the delay.
    """
    from scipy.stats import gamma

    times = np.arange(0.0, 34.0, interval_s) - delay_s
    shape = gamma.pdf(times, 6.0) - gamma.pdf(times, 16.0) / 6.0
    return np.asarray(shape / np.abs(shape).sum())


def blood_flow(
    rng: np.random.Generator,
    *,
    n_series: int = 5,
    n_samples: int = 200,
    n_arrows: int = 5,
    interval_s: float = 2.0,
    lag_sd_s: float = 0.5,
    noise: float = 0.1,
) -> Driven:
    """Quick arrows of neurons, seen through slow responses whose delays differ by region.

    Parameters
    ----------
    rng : numpy Generator
    n_series, n_samples, n_arrows : int
    interval_s : float
        Of the scans, s.
    lag_sd_s : float
        Standard deviation of the delays of the regions' responses, s.
    noise : float
        Of the scanner, relative to the signal.
    """
    fine = 0.1
    per_scan = round(interval_s / fine)
    length = n_samples * per_scan + round(40 / fine)
    made = autoregression(
        rng, n_series=n_series, n_samples=length, n_arrows=n_arrows, weight=0.4, memory=0.8
    )
    seen = []
    for x in made.series:
        response = response_of_blood(1.0 + lag_sd_s * rng.standard_normal(), fine)
        slow = np.convolve(x, response)[: x.size][-n_samples * per_scan :: per_scan]
        seen.append(slow / slow.std() + noise * rng.standard_normal(n_samples))
    return Driven(np.asarray(seen), made.truth)
