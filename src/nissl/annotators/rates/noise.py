"""Noise of a trace, in the field's unit, and more of it.

The level is the median absolute difference of successive frames of dF/F in %, over the square root
of the frame rate (Rupprecht et al. 2021, Nature Neuroscience 24, 1324-1337): white noise has the
same level at any rate at which its frames are averaged.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PER_SD = 0.9538725524089585
"""Median absolute difference of successive values of white noise of standard deviation 1."""


def noise_level(dff: npt.ArrayLike, rate_hz: float) -> float:
    """Noise level of a trace, % per sqrt(Hz).

    Parameters
    ----------
    dff : array-like, shape (n_frames,)
        dF/F, 1 = 100 %; NaN where a frame is missing.
    rate_hz : float
        Frames per second.
    """
    return 100 * sd_of(np.asarray(dff, np.float64)) * PER_SD / float(np.sqrt(rate_hz))


def sd_of(dff: npt.NDArray[np.float64]) -> float:
    """Standard deviation of white noise with the same differences of frames; 0 for one frame."""
    steps = np.abs(np.diff(dff))
    known = steps[np.isfinite(steps)]
    return float(np.median(known)) / PER_SD if known.size else 0.0


def with_level(
    dff: npt.NDArray[np.float32], rate_hz: float, level: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Add white noise until a trace has a level; one that is noisier is returned as it is.

    Parameters
    ----------
    dff : ndarray, shape (n_frames,), float32, dF/F
    rate_hz : float
    level : float
        % per sqrt(Hz).
    rng : numpy.random.Generator
    """
    lacking = level**2 - noise_level(dff, rate_hz) ** 2
    if lacking <= 0:
        return dff
    sd = np.sqrt(lacking * rate_hz) / 100 / PER_SD
    return dff + rng.normal(0.0, sd, dff.size).astype(np.float32)


__all__ = ["PER_SD", "noise_level", "sd_of", "with_level"]
