"""How the field moves under the microscope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.simulate.scene import Scene

MOST_PX = 10.0
"""With the bend and an offset of lines this stays within the margin of the field."""


@dataclass(frozen=True, eq=False)
class Path:
    """Displacement of the content of each frame, pixels.

    What is at ``(y, x)`` of a still field is seen at ``(y, x) + shift + bend * u`` with
    ``u = 2 * row / (height - 1) - 1`` of the row on which it is seen.

    Parameters
    ----------
    shift : ndarray, shape (n_frames, 2), float64
        Along y and x; median 0.
    bend : ndarray, shape (n_frames, 2), float64
    """

    shift: npt.NDArray[np.float64]
    bend: npt.NDArray[np.float64]


def path(scene: Scene, rng: np.random.Generator) -> Path:
    """Fast jitter, slow drift, sudden jerks, and a bend within frames."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import lfilter

    n, rate = scene.n_frames, scene.rate_hz
    fast = lfilter([np.sqrt(1 - 0.5**2)], [1, -0.5], rng.standard_normal((n, 2)), axis=0)
    walk = np.cumsum(rng.standard_normal((n, 2)), axis=0)
    slow = gaussian_filter1d(walk, min(5 * rate, max(n / 20, 1)), axis=0, mode="nearest")
    span = np.ptp(slow, axis=0).max()
    slow *= scene.drift_px / span if span > 0 else 0.0
    starts = rng.random(n) < scene.jerks_per_min / 60 / rate
    jumps = starts[:, None] * rng.normal(0, 3.0, (n, 2))
    jerks = lfilter([1.0], [1.0, -np.exp(-1 / (0.2 * rate))], jumps, axis=0)
    shift = scene.jitter_px * fast + slow + jerks
    shift = np.clip(shift - np.median(shift, axis=0), -MOST_PX, MOST_PX)
    bend = np.clip(scene.bend_px * rng.standard_normal((n, 2)), -2.0, 2.0)
    return Path(shift, bend)


__all__ = ["MOST_PX", "Path", "path"]
