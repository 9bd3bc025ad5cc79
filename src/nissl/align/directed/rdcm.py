"""Regression DCM: linear dynamic causal models of large networks, one regression per region.

In the frequency domain the linear model is ``i w Y = A Y + C H U``, with H a fixed response of
blood flow, so each row of A and C is a Bayesian linear regression of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.directed.arrows import Arrow, Arrows, judge
from nissl.align.directed.dcm import STABLE_HZ, Model, predicted
from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Regression:
    """Posterior of a linear network.

    Parameters
    ----------
    a : ndarray, shape (n_regions, n_regions), float64
        From region (column) to region (row), 1/s.
    a_sd : ndarray, shape (n_regions, n_regions), float64
    c : ndarray, shape (n_regions, n_inputs), float64
    c_sd : ndarray, shape (n_regions, n_inputs), float64
    free_energy : float
        Nats, of all regions.
    """

    a: Values
    a_sd: Values
    c: Values
    c_sd: Values
    free_energy: float

    def arrows(self, names: tuple[str, ...] | None = None, *, alpha: float = 0.05) -> Arrows:
        """Connections that are not zero, and whether the way back would do as well.

        P values are two-sided tails of the posteriors; a direction is taken for feigned where
        the way back may be as strong.
        """
        from scipy.stats import norm

        n = len(self.a)
        z = np.abs(self.a) / self.a_sd
        arrows = [
            Arrow(j, i, float(self.a[i, j]), float(2 * norm.sf(z[i, j])))
            for j in range(n)
            for i in range(n)
            if i != j
        ]

        def direction(source: int, target: int) -> float:
            there, back = self.a[target, source], self.a[source, target]
            spread = np.hypot(self.a_sd[target, source], self.a_sd[source, target])
            return float(norm.sf((abs(there) - abs(back)) / spread))

        return judge(
            arrows,
            names or tuple(str(at) for at in range(n)),
            method="regression DCM",
            unit="1/s",
            alpha=alpha,
            direction=direction,
        )


def fit(
    signal: Values,
    inputs: Values | None = None,
    *,
    interval_s: float,
    highest_hz: float = 0.2,
    most_steps: int = 100,
) -> Regression:
    """Fit a linear network to the signals of blood flow.

    Parameters
    ----------
    signal : ndarray, shape (n_scans, n_regions)
    inputs : ndarray, shape (n_scans, n_inputs), optional
        None at rest.
    interval_s : float
        Between scans, s.
    highest_hz : float
        Blood flow carries nothing that is faster; derivatives would only raise its noise.
    most_steps : int
        Of the variational updates of each region.

    Notes
    -----
    Unlike the original, derivatives are those of the frequencies themselves, not differences of
    neighbouring scans: a difference lies half a scan after its scan, which tilts directions.

    References
    ----------
    Frässle et al. 2017, NeuroImage 155:406.
    """
    y = np.asarray(signal, dtype=np.float64)
    n, n_regions = y.shape
    if n < 2 * n_regions:
        raise BadArgumentError(
            f"at least {2 * n_regions} scans for {n_regions} regions",
            f"{n}",
            "Give longer recordings, or fewer regions.",
        )
    y = y - y.mean(axis=0)
    scale = y.std()
    u = np.zeros((n, 0)) if inputs is None else np.asarray(inputs, dtype=np.float64)
    regressors = np.column_stack([y / scale, seen_through_blood(u, interval_s)])
    regressors = regressors - regressors.mean(axis=0)
    hz = np.fft.rfftfreq(n, interval_s)
    kept = (hz > 0) & (hz <= highest_hz)
    spectrum = np.fft.rfft(regressors, axis=0)[kept] * np.sqrt(2 / n)
    x = np.concatenate([spectrum.real, spectrum.imag])
    rates = spectrum[:, :n_regions] * (2j * np.pi * hz[kept])[:, None]
    rates = np.concatenate([rates.real, rates.imag])
    variance = np.full(x.shape[1], 0.3**2)
    variance[n_regions:] = 1.0
    means, spreads, energy = [], [], 0.0
    for region in range(n_regions):
        prior, width = np.zeros(x.shape[1]), variance.copy()
        prior[region], width[region] = -0.5, 0.25**2
        found = _regression(x, rates[:, region], prior, width, most_steps)
        means.append(found[0])
        spreads.append(found[1])
        energy += found[2]
    mean, sd = np.asarray(means), np.asarray(spreads)
    return Regression(
        mean[:, :n_regions],
        sd[:, :n_regions],
        scale * mean[:, n_regions:],
        scale * sd[:, n_regions:],
        float(energy),
    )


def seen_through_blood(inputs: Values, interval_s: float) -> Values:
    """Inputs as the Balloon model at its usual parameters would show them, were they neurons.

    Parameters
    ----------
    inputs : ndarray, shape (n_scans, n_inputs)
    interval_s : float

    Returns
    -------
    ndarray, shape (n_scans, n_inputs), float64
    """
    fine, weak = 0.1, 1e-3
    every = max(1, round(interval_s / fine))
    step = interval_s / every
    pulse = np.zeros((round(40 / step), 1))
    pulse[0] = weak / step
    alone = Model(np.zeros((1, 1), dtype=np.bool_), np.ones((1, 1), dtype=np.bool_))
    parameters = np.zeros((1, len(alone.names)))
    parameters[0, alone.names.index("c00")] = 1.0
    seen = predicted(alone, parameters, pulse, interval_s=step, step_s=step)[0, :, 0] / weak
    # undo the region's own decay: what is left is the response to neurons
    response = np.gradient(seen, step) + STABLE_HZ * seen
    held = np.repeat(inputs, every, axis=0)
    out = [np.convolve(column, response)[: len(held)][every - 1 :: every] for column in held.T]
    return np.asarray(out).reshape(inputs.shape[1], len(inputs)).T * step


def _regression(
    x: Values, y: Values, prior: Values, variance: Values, most_steps: int
) -> tuple[Values, Values, float]:
    """Variational Bayes with a Gaussian prior of weights and a gamma prior of precision."""
    from scipy.special import digamma, gammaln

    shape0, rate0, n = 2.0, 1.0, len(y)
    squares, cross = x.T @ x, x.T @ y
    inverse = np.diag(1 / variance)
    shape = shape0 + n / 2
    precision, last = shape0 / rate0, -np.inf
    mean: Values = prior
    covariance: Values = np.diag(variance)
    energy = -np.inf
    for _ in range(most_steps):
        information = inverse + precision * squares
        covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
        mean = covariance @ (precision * cross + prior / variance)
        error = y - x @ mean
        expected: Any = error @ error + np.einsum("ij,ji->", covariance, squares)
        rate = rate0 + expected / 2
        precision = shape / rate
        log_precision = digamma(shape) - np.log(rate)
        fit = 0.5 * (n * (log_precision - np.log(2 * np.pi)) - precision * expected)
        moved = mean - prior
        weights = 0.5 * (
            np.linalg.slogdet(covariance)[1]
            - np.log(variance).sum()
            + len(mean)
            - (moved**2 / variance).sum()
            - (np.diag(covariance) / variance).sum()
        )
        noise = shape0 * np.log(rate0) - gammaln(shape0) + (shape0 - 1) * log_precision
        noise -= rate0 * precision
        noise += shape - np.log(rate) + gammaln(shape) + (1 - shape) * digamma(shape)
        energy = float(fit + weights + noise)
        if energy - last < 1e-6:
            break
        last = energy
    return mean, np.sqrt(np.diag(covariance)), energy
