"""Spikes by non-negative deconvolution, and the rectified derivative: what networks are held to.

`deconvolve` fits calcium of first order (`nissl.annotators.rates.pools`: it jumps at spikes and
decays) or of second order (`nissl.annotators.rates.second_order`: it rises, then decays), after
Friedrich, Zhou and Paninski 2017 (PLoS Computational Biology 13, e1005423). What it needs to know
it takes from the trace: the noise from differences of frames, the decay from autocovariances at
lags that noise does not reach (Pnevmatikakis et al. 2016, Neuron 89, 285-299), and the penalty as
the largest with which the residual is still noise.

One number serves as baseline and penalty: in the problem of first order the penalty takes off
every frame the same as a baseline would. The trace less their sum determines calcium, the mean
residual then says which part was baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.simulate import PER_SD
from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]

DECAY_S = (0.05, 3.0)
"""Shortest and longest decay that is believed; outside of it an estimate is moved to the end."""
HALVINGS = 18


@dataclass(frozen=True, eq=False)
class Deconvolved:
    """A trace taken apart.

    Parameters
    ----------
    spikes : ndarray, shape (n_frames,), float64
        What calcium gains in each frame, in the unit of the trace; not negative.
    calcium : ndarray, shape (n_frames,), float64
        Denoised fluorescence over the baseline.
    baseline : float
    noise_sd : float
        Standard deviation of the noise of a frame.
    penalty : float
        See `nissl.annotators.rates.pools`.
    g : tuple of float
        What remains of calcium after one frame, and after two where it is of second order.
    """

    spikes: Values
    calcium: Values
    baseline: float
    noise_sd: float
    penalty: float
    g: tuple[float, ...]


def deconvolve(
    dff: npt.ArrayLike,
    rate_hz: float,
    *,
    decay_s: float | None = None,
    rise_s: float = 0.0,
    least: float = 0.0,
    penalty: float | None = None,
    baseline: float | None = None,
    noise_sd: float | None = None,
) -> Deconvolved:
    """Take a trace apart into spikes, calcium, baseline and noise.

    Parameters
    ----------
    dff : array-like, shape (n_frames,)
        dF/F, or fluorescence in any unit; NaN where a frame is missing.
    rate_hz : float
        Frames per second.
    decay_s : float, optional
        Time constant of the indicator; by default estimated from the trace.
    rise_s : float
        Above 0 calcium is of second order.
    least : float
        Smallest jump in standard deviations of the noise, instead of a penalty (first order).
    penalty : float, optional
        In the unit of `dff`; by default as large as noise allows.
    baseline : float, optional
        In the unit of `dff`; by default fitted.
    noise_sd : float, optional
        By default estimated.

    Raises
    ------
    BadArgumentError
        A trace with fewer than three frames that count, or a parameter outside its values.
    """
    y = np.asarray(dff, np.float64)
    _check(y, rate_hz, decay_s, rise_s, least, penalty)
    sd = noise_of(y) if noise_sd is None else noise_sd
    tau = decay_of(y, rate_hz, sd) if decay_s is None else decay_s
    d = float(np.exp(-1 / (rate_hz * tau)))
    first = _First(y, d, least * sd)
    if penalty is None and least > 0:
        penalty = 0.0
    taken = first.taken(sd, penalty, baseline)
    fit = first.fit(taken)
    base = float(np.nanmean(y - fit)) if baseline is None else baseline
    strength = max(taken - base, 0.0) / (1 - d) if penalty is None else penalty
    if rise_s > 0:
        return _second(y, rate_hz, tau, rise_s, base, sd, strength)
    spikes = np.diff(fit, prepend=0.0) + (1 - d) * np.concatenate([[0.0], fit[:-1]])
    spikes[: _first_frame(y) + 1] = 0
    return Deconvolved(np.maximum(spikes, 0.0), fit, base, sd, strength, (d,))


@dataclass(frozen=True, eq=False)
class _First:
    """Fits of first order to one trace."""

    y: Values
    g: float
    least: float

    def fit(self, taken: float) -> Values:
        """Calcium of the trace less `taken`: baseline and penalty together."""
        from nissl.annotators.rates import pools

        return pools.calcium(self.y - taken, self.g, least=self.least)

    def taken(self, sd: float, penalty: float | None, baseline: float | None) -> float:
        """Baseline and penalty together: as stated, or the most that leaves only noise."""
        if penalty is not None and baseline is not None:
            return baseline + penalty * (1 - self.g)
        low, high = float(np.nanmin(self.y)), float(np.nanmax(self.y))
        if high <= low:
            return low

        def too_much(taken: float) -> bool:
            rest = self.y - self.fit(taken)
            base = float(np.nanmean(rest)) if baseline is None else baseline
            if penalty is not None:
                return taken - base > penalty * (1 - self.g)
            return float(np.nanmean((rest - base) ** 2)) > sd**2

        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if too_much(middle) else (middle, high)
        return low


def taken_of(y: Values, g: float, sd: float) -> float:
    """Baseline and penalty together that `deconvolve` takes off a trace that decays by `g`."""
    return _First(y, g, 0.0).taken(sd, None, None)


def _second(
    y: Values, rate_hz: float, tau: float, rise_s: float, base: float, sd: float, penalty: float
) -> Deconvolved:
    """Take apart with rise and decay; baseline and strength of the penalty are given."""
    from nissl.annotators.rates import second_order

    d, r = np.exp(-1 / (rate_hz * tau)), np.exp(-(1 / tau + 1 / rise_s) / rate_hz)
    g = (float(d + r), float(-d * r))
    # the penalty on a jump of first order and on one of second order weigh the same calcium
    fit = second_order.calcium(y - base, *g, penalty=penalty * (1 - r))
    spikes = second_order.innovations(fit, *g)
    spikes[: _first_frame(y) + 2] = 0
    return Deconvolved(np.maximum(spikes, 0.0), fit, base, sd, penalty, g)


def noise_of(y: Values) -> float:
    """Standard deviation of a trace's noise, from differences of successive frames.

    The median is not moved by transients as long as most frames lie outside a rise.
    """
    steps = np.abs(np.diff(y))
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) / PER_SD if steps.size else float("nan")


def decay_of(y: Values, rate_hz: float, sd: float, *, longest_s: float = 1.0) -> float:
    """Time constant with which a trace's autocovariance decays, seconds.

    Least squares over lags up to `longest_s`, noise taken off lag 0, within `DECAY_S`.
    """
    n_lags = int(np.clip(longest_s * rate_hz, 3, max((y.size - 1) // 2, 1)))
    x = np.nan_to_num(y - np.nanmean(y))
    covariance = np.array([x[: x.size - k] @ x[k:] for k in range(n_lags + 1)]) / x.size
    covariance[0] -= sd**2
    before, after = covariance[:-1], covariance[1:]
    power = float(before @ before)
    g = float(before @ after) / power if power > 0 else 0.0
    shortest, longest = (np.exp(-1 / (rate_hz * tau)) for tau in DECAY_S)
    return float(-1 / (rate_hz * np.log(np.clip(g, shortest, longest))))


def derivative(dff: npt.ArrayLike, rate_hz: float, *, smooth_s: float = 0.1) -> Values:
    """Rectified derivative of a smoothed trace, per second.

    Parameters
    ----------
    dff : array-like, shape (n_frames,)
    rate_hz : float
    smooth_s : float
        Standard deviation of the Gaussian that smooths; at least half a frame.
    """
    from scipy.ndimage import gaussian_filter1d

    y = np.asarray(dff, np.float64)
    smooth = gaussian_filter1d(filled(y), max(smooth_s * rate_hz, 0.5))
    return np.maximum(np.gradient(smooth) * rate_hz, 0.0) if y.size > 1 else np.zeros(y.size)


def filled(y: Values) -> Values:
    """A trace whose missing frames are interpolated; zeros where all are missing."""
    known = np.isfinite(y)
    if known.all():
        return y
    if not known.any():
        return np.zeros(y.size)
    t = np.arange(y.size)
    out: Values = np.interp(t, t[known], y[known])
    return out


def _first_frame(y: Values) -> int:
    return int(np.argmax(np.isfinite(y)))


def _check(
    y: Values,
    rate_hz: float,
    decay_s: float | None,
    rise_s: float,
    least: float,
    penalty: float | None,
) -> None:
    positive = rate_hz > 0 and (decay_s is None or decay_s > 0) and rise_s >= 0
    if y.ndim != 1 or int(np.isfinite(y).sum()) < 3:
        raise BadArgumentError(
            "a trace of shape (n_frames,) with at least three finite values",
            f"shape {y.shape}, {int(np.isfinite(y).sum())} finite",
            "Give one cell's trace; leave cells without one out.",
        )
    if not positive or least < 0 or (penalty or 0.0) < 0 or np.any(np.isinf(y)):
        raise BadArgumentError(
            "a rate and time constants above 0, a penalty and a least jump from 0 on, no infinity",
            f"{rate_hz} Hz, decay {decay_s}, rise {rise_s}, least {least}, penalty {penalty}",
            "Mend the parameters.",
        )
