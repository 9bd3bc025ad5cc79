"""Numbers about a trace as a whole, by which one unlike the training sets is told.

They never reach the network; see `nissl.annotators.rates.network`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.network import SMOOTH_S
from nissl.annotators.rates.noise import noise_level, sd_of

LAGS_S = (0.27, 1.07, 4.27)
NAMES = (
    "log noise level",
    "log range of dF/F",
    "log range over noise",
    "median within the range",
    "90th percentile within the range",
    *(f"autocorrelation at {lag:g} s" for lag in LAGS_S),
)


def described(dff: npt.NDArray[Any], rate_hz: float) -> npt.NDArray[np.float64]:
    """Numbers of `NAMES` for one trace.

    Parameters
    ----------
    dff : ndarray, shape (n_frames,), dF/F; finite
    rate_hz : float

    Returns
    -------
    ndarray, shape (len(NAMES),), float64
        NaN for lags that the trace is too short for.
    """
    from scipy.ndimage import gaussian_filter1d

    x = np.asarray(dff, np.float64)
    sd = sd_of(x) + 1e-6
    low, middle, most, high = np.percentile(
        gaussian_filter1d(x, SMOOTH_S * rate_hz), (10, 50, 90, 99)
    )
    span = max(float(high - low), 1e-6)
    off = x - x.mean()
    variance = float(off @ off) / x.size + 1e-12
    auto = [_at_lag(off, max(round(lag * rate_hz), 1)) / variance for lag in LAGS_S]
    level = max(noise_level(x, rate_hz), 1e-6)
    relative = ((middle - low) / span, (most - low) / span)
    return np.array([np.log(level), np.log(span), np.log(span / sd), *relative, *auto])


def _at_lag(off: npt.NDArray[np.float64], lag: int) -> float:
    return float(off[lag:] @ off[:-lag]) / (off.size - lag) if off.size > 2 * lag else float("nan")


__all__ = ["NAMES", "described"]
