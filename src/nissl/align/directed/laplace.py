"""Variational Laplace: posterior, and evidence for comparing models, of a nonlinear model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Predict = Callable[[Values], Values]


@dataclass(frozen=True, eq=False)
class Posterior:
    """A Gaussian posterior and a bound on the log evidence.

    Parameters
    ----------
    mean : ndarray, shape (n_parameters,), float64
    covariance : ndarray, shape (n_parameters, n_parameters), float64
        Zero for parameters whose prior is fixed.
    log_precision : ndarray, shape (n_outputs,), float64
        Of the noise of each output.
    free_energy : float
        Nats; differences between models of the same data are log Bayes factors.
    steps : int
    converged : bool
    """

    mean: Values
    covariance: Values
    log_precision: Values
    free_energy: float
    steps: int
    converged: bool

    def interval(self, level: float = 0.9) -> tuple[Values, Values]:
        """Central credible interval of each parameter, two arrays of shape (n_parameters,)."""
        from scipy.stats import norm

        reach = norm.ppf(0.5 + level / 2) * np.sqrt(np.diag(self.covariance))
        return self.mean - reach, self.mean + reach


def variational_laplace(
    predict: Predict,
    data: Values,
    prior_mean: Values,
    prior_variance: Values,
    *,
    noise_prior: tuple[float, float] = (4.0, 1.0),
    confounds: Values | None = None,
    most_steps: int = 60,
    tolerance: float = 0.01,
) -> Posterior:
    """Fit a model with Gaussian priors and Gaussian noise.

    Parameters
    ----------
    predict : callable
        From parameters, shape (n_sets, n_parameters), to outputs, (n_sets, n_samples,
        n_outputs); many sets at once, because derivatives are taken by differences.
    data : ndarray, shape (n_samples, n_outputs)
    prior_mean, prior_variance : ndarray, shape (n_parameters,)
        A variance of zero fixes a parameter.
    noise_prior : (float, float)
        Mean and variance of the log precision of each output's noise.
    confounds : ndarray, shape (n_samples, n_confounds), optional
        What is regressed out of data and predictions, such as a constant.
    most_steps : int
    tolerance : float
        Stop when the free energy gains less, four times in a row.

    Notes
    -----
    Gauss-Newton steps on the log joint, damped where a step made it worse, alternate with
    steps on the log precisions. The free energy is that of the Laplace approximation, entropy
    of the precisions included.

    References
    ----------
    Friston et al. 2007, NeuroImage 34:220.
    """
    free = np.flatnonzero(prior_variance > 0)
    n = len(data)
    clean = _without(confounds, n)
    y = clean(data)
    left = n - (0 if confounds is None else confounds.shape[1])
    weight = 1 / prior_variance[free]
    mean = prior_mean.astype(np.float64).copy()
    noise = np.full(data.shape[1], noise_prior[0])
    best: tuple[float, Values, Values, Values, Values, Values] | None = None
    damping, calm = -4.0, 0
    step = 0
    for step in range(1, most_steps + 1):  # noqa: B007
        value, slope = _slopes(predict, mean, free)
        error, jacobian = y - clean(value), np.stack([clean(each) for each in slope])
        noise, noise_variance = _noise(error, jacobian, weight, noise, noise_prior, left)
        energy, covariance = _energy(
            error,
            jacobian,
            mean[free] - prior_mean[free],
            weight,
            noise,
            noise_variance,
            noise_prior,
            left,
        )
        if best is not None and not energy > best[0]:
            damping = max(damping - 2.0, -12.0)
            mean, noise = best[1].copy(), best[2].copy()
            if damping <= -12.0:
                break
        else:
            gain = np.inf if best is None else energy - best[0]
            calm = calm + 1 if gain < tolerance else 0
            damping = min(damping + 0.5, 8.0)
            scaled = jacobian * np.exp(noise)
            gradient = np.einsum("pto,to->p", scaled, error)
            gradient -= weight * (mean[free] - prior_mean[free])
            best = energy, mean.copy(), noise.copy(), covariance, gradient, noise_variance
            if calm >= 4:
                break
        _, mean, noise, covariance, gradient, _ = best
        mean = mean.copy()
        mean[free] += _damped(covariance, gradient, damping)
    if best is None:
        return Posterior(mean, np.zeros((mean.size, mean.size)), noise, -np.inf, 0, False)
    energy, mean, noise, small, _, _ = best
    covariance = np.zeros((mean.size, mean.size))
    covariance[np.ix_(free, free)] = small
    return Posterior(mean, covariance, noise, float(energy), step, calm >= 4 or damping <= -12.0)


def _damped(covariance: Values, gradient: Values, damping: float) -> Values:
    """A step that is Newton's where damping is large and follows the gradient else."""
    width, axes = np.linalg.eigh(np.linalg.inv(covariance))
    width = np.maximum(width, 1e-12)
    time = np.exp(damping)
    # local linearisation: how far a flow along the gradient comes in that time
    share = -np.expm1(-width * time / np.median(width)) / width
    return np.asarray(axes @ (share * (axes.T @ gradient)))


def _slopes(predict: Predict, mean: Values, free: npt.NDArray[np.int64]) -> tuple[Values, Values]:
    step = 1e-4
    sets = np.tile(mean, (len(free) + 1, 1))
    sets[np.arange(1, len(sets)), free] += step
    out = predict(sets)
    with np.errstate(all="ignore"):
        return out[0], (out[1:] - out[0]) / step


def _noise(
    error: Values,
    jacobian: Values,
    weight: Values,
    noise: Values,
    prior: tuple[float, float],
    n: int,
) -> tuple[Values, Values]:
    """Log precisions for which the variational energy is highest, and their variances."""
    squares = np.einsum("pto,qto->opq", jacobian, jacobian)
    raw = (error**2).sum(axis=0)
    if not np.isfinite(raw).all():
        return noise, np.ones_like(noise)
    for _ in range(8):
        precision = np.exp(noise)
        covariance = np.linalg.inv(np.tensordot(precision, squares, 1) + np.diag(weight))
        expected = raw + np.einsum("opq,qp->o", squares, covariance)
        gradient = 0.5 * (n - precision * expected) - (noise - prior[0]) / prior[1]
        curvature = 0.5 * precision * expected + 1 / prior[1]
        noise = noise + np.clip(gradient / curvature, -2.0, 2.0)
    return noise, 1 / (0.5 * n + 1 / prior[1]) + np.zeros_like(noise)


def _energy(
    error: Values,
    jacobian: Values,
    moved: Values,
    weight: Values,
    noise: Values,
    noise_variance: Values,
    noise_prior: tuple[float, float],
    n: int,
) -> tuple[float, Values]:
    """Free energy at the present means, and the covariance of the free parameters."""
    if not (np.isfinite(error).all() and np.isfinite(jacobian).all()):
        return -np.inf, np.diag(1 / weight)
    precision = np.exp(noise)
    information = np.einsum("pto,o,qto->pq", jacobian, precision, jacobian) + np.diag(weight)
    covariance = np.linalg.inv(information)
    _, log_det = np.linalg.slogdet(information)
    fit = 0.5 * float((n * noise - precision * (error**2).sum(axis=0)).sum())
    fit -= 0.5 * n * error.shape[1] * np.log(2 * np.pi)
    complexity = 0.5 * float((weight * moved**2).sum() - np.log(weight).sum() + log_det)
    departed = (noise - noise_prior[0]) ** 2 / noise_prior[1]
    of_noise = 0.5 * float((departed - np.log(noise_variance / noise_prior[1])).sum())
    return fit - complexity - of_noise, covariance


def _without(confounds: Values | None, n: int) -> Callable[[Values], Values]:
    if confounds is None:
        return lambda values: values
    basis, _ = np.linalg.qr(confounds)
    return lambda values: np.asarray(values - basis @ (basis.T @ values))
