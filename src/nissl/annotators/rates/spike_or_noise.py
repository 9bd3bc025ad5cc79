"""Which maxima of a matched filter are spikes, as a probability.

Noise is as often high as low. What the filter's minima reach is therefore what its maxima reach
without a spike, and the probability that a maximum is a spike follows from the mixture of both; it
is no setting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.bleaching import SIGMA

Values = npt.NDArray[np.float64]

SPREAD = 0.2
"""Standard deviation of spikes' heights in parts of their mean."""
LEAST_GAIN = 4.0
"""Least logarithm of the ratio of likelihoods with which a trace has spikes at all."""


SAID = (0.00046, 0.01694, 0.05298, 0.14114, 0.26665, 0.42035,
        0.57574, 0.73029, 0.8531, 0.94125, 0.98557, 0.99975)  # fmt: skip
TRUE = (0.00245, 0.03857, 0.10393, 0.24923, 0.3979, 0.54898,
        0.65007, 0.72887, 0.83968, 0.91086, 0.94491, 0.98481)  # fmt: skip
"""What the mixture says and how often it was a spike, on simulated traces; as `fit_calibration` of
`nissl.annotators.rates.train_voltage` gave them."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Heights of maxima as those of noise and those of spikes.

    Parameters
    ----------
    probability : ndarray, shape (n,), float64
        Of each maximum being a spike.
    mean : float
        Mean height of spikes; 0 where there are none.
    gain : float
        How much better both say the heights than noise alone does, natural logarithm of the ratio
        of likelihoods.
    """

    probability: Values
    mean: float
    gain: float


def mixture(height: Values, lows: Values) -> Mixture:
    """Tell spikes from noise by height.

    Heights without a spike are Gaussian as the depths of minima say, in the middle or in the tail,
    whichever is wider. Those of spikes are Gaussian with a variance of 1, which is the noise, and
    of the square of `SPREAD` of their mean. Mean and number are the most likely ones; above the
    mean a spike does not become less likely.
    """
    if height.size < 5 or lows.size < 20:
        return Mixture(np.zeros(height.size), 0.0, 0.0)
    zero, high = np.quantile(lows, [0.5, 0.995])
    sd0 = max(SIGMA * float(np.median(np.abs(lows - zero))), (high - zero) / 2.576, 0.2)
    top = float(np.sort(height)[-3])
    best = Mixture(np.zeros(height.size), 0.0, 0.0)
    low = zero + 2.5 * sd0
    for mean in np.arange(low, max(top, low) + 0.5, 0.25):
        sd1 = np.hypot(1.0, SPREAD * mean)

        def odds(x: Values, mean: float = mean, sd1: float = sd1) -> Values:
            log = 0.5 * ((height - zero) / sd0) ** 2 - 0.5 * ((x - mean) / sd1) ** 2
            out = np.exp(np.clip(log + np.log(sd0 / sd1), -50, 200))
            return np.where(height < zero, 0.0, out)

        ratio = odds(height)
        part = 0.02
        for _ in range(60):
            p = part * ratio / (part * ratio + 1 - part)
            before, part = part, float(np.clip(p.sum() / height.size, 1e-7, 0.6))
            if abs(part - before) < 1e-3 * before:
                break
        gain = float(np.log(part * ratio + 1 - part).sum())
        if gain > best.gain:
            sure = part * odds(np.minimum(height, mean))
            best = Mixture(sure / (sure + 1 - part), float(mean), gain)
    return best if best.gain > LEAST_GAIN else Mixture(np.zeros(height.size), 0.0, best.gain)


def calibrated(probability: Values) -> Values:
    """Probabilities of the mixture as they turn out on simulated traces.

    Spikes' heights are no Gaussian (bursts grow smaller, frames cut pulses), so the mixture is too
    sure of large maxima and not sure enough of small ones.
    """
    out: Values = _expit(np.interp(_logit(probability), _logit(SAID), _logit(TRUE)))
    return np.where(probability > 0, out, 0.0)


def _logit(p: npt.ArrayLike) -> Values:
    clipped = np.clip(np.asarray(p, np.float64), 1e-9, 1 - 1e-9)
    out: Values = np.log(clipped / (1 - clipped))
    return out


def _expit(x: Values) -> Values:
    return 1 / (1 + np.exp(-x))
