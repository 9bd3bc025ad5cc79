"""dF/F of voltage imaging: over what bleaches and nothing else.

Bleaching is a sum of falling exponentials, none negative, fitted to medians over stretches: it can
fall and nothing else, so slow voltage stays where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.deconvolution import filled
from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]

SLOWEST_HZ = 200.0
"""Frame rate below which a spike of a millisecond cannot be seen."""
DARK = 0.3
"""A frame with less than this part of the light at rest was dropped or shut out, and is missing."""
SIGMA = 1.4826
"""Standard deviation of a Gaussian over its median absolute deviation."""


@dataclass(frozen=True, eq=False)
class Relative:
    """A trace over what bleaches.

    Parameters
    ----------
    dff : ndarray, shape (n_frames,), float64, dF/F
    baseline : ndarray, shape (n_frames,), float64
        In the unit of the trace.
    even : ndarray, shape (n_frames,), float64
        What makes shot noise of dF/F equal over a trace that bleaches, when multiplied.
    """

    dff: Values
    baseline: Values
    even: Values


def relative(trace: npt.ArrayLike, rate_hz: float) -> Relative:
    """Take bleaching off a trace.

    Raises
    ------
    BadArgumentError
        A rate below `SLOWEST_HZ`, fewer than 50 ms of frames, or a trace that is not positive.
    """
    y = np.asarray(trace, np.float64)
    if not SLOWEST_HZ <= rate_hz < np.inf or y.ndim != 1 or y.size < 0.05 * rate_hz:
        raise BadArgumentError(
            f"a trace of shape (n_frames,) of at least 50 ms at {SLOWEST_HZ:g} Hz or more",
            f"shape {y.shape} at {rate_hz:g} Hz",
            "Spikes in voltage need fast movies; use rates/nissl for calcium.",
        )
    if not np.isfinite(y).any() or np.isinf(y).any():
        raise BadArgumentError(
            "a trace with finite values",
            "none, or infinite ones",
            "Leave cells without a trace out.",
        )
    y = filled(y)
    spread = SIGMA * float(np.median(np.abs(y - np.median(y))))
    is_relative = abs(float(np.median(y))) < 3 * max(spread, 1e-12) or float(np.median(y)) < 0
    light = y + 1 if is_relative else y
    curve = bleaching(light, rate_hz)
    dark = light < DARK * curve
    if dark.any() and not dark.all():
        light = filled(np.where(dark, np.nan, light))
    even: Values = np.sqrt(curve / curve.mean())
    return Relative(light / curve - 1, curve - 1 if is_relative else curve, even)


def bleaching(light: Values, rate_hz: float) -> Values:
    """Falling exponentials through the medians of stretches, shape (n_frames,), positive.

    Raises
    ------
    BadArgumentError
        Light that is not positive.
    """
    from scipy.optimize import nnls

    step = max(int(min(0.25 * rate_hz, light.size / 200)), 1)
    n_bins = max(light.size // step, 1)
    medians = np.median(light[: n_bins * step].reshape(n_bins, -1), axis=1)
    if float(np.median(medians)) <= 0:
        raise BadArgumentError(
            "fluorescence above 0, or dF/F around 0",
            f"a median of {float(np.median(medians)):g}",
            "Subtract no background that is brighter than the cell.",
        )
    if n_bins < 8:
        return np.full(light.size, float(np.median(light)))
    at = (np.arange(n_bins) + 0.5) * step / light.size
    taus = np.geomspace(0.01, 3.0, 12)
    basis = np.column_stack([np.ones(n_bins), np.exp(-at[:, None] / taus)])
    weight = np.ones(n_bins)
    for _ in range(5):
        amount, _ = nnls(basis * weight[:, None], medians * weight)
        off = np.abs(medians - basis @ amount)
        usual = max(SIGMA * float(np.median(off)), 1e-9 * float(medians.max()))
        weight = np.sqrt(np.minimum(1.0, 1.5 * usual / np.maximum(off, 1e-300)))
    frames = (np.arange(light.size) + 0.5) / light.size
    curve = np.full(light.size, amount[0])
    for tau, much in zip(taus, amount[1:], strict=True):
        curve += much * np.exp(-frames / tau)
    floor = 0.05 * float(np.median(medians))
    out: Values = np.maximum(curve, floor)
    return out
