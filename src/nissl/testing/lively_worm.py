"""A small worm of two channels whose neurons do what a test says, as a file with its tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.testing.files import write_targettrack

RATE_HZ = 4.0
SPACING_UM = (1.5, 0.65, 0.65)
SHAPE = (7, 24, 64)

Values = npt.NDArray[np.float64]


def process(rng: np.random.Generator, n: int, seconds: float) -> Values:
    """Process of Ornstein and Uhlenbeck of size 1, (n,), with a memory of some seconds."""
    a = np.exp(-1 / (seconds * RATE_HZ))
    out = np.zeros(n)
    for t in range(1, n):
        out[t] = a * out[t - 1] + np.sqrt(1 - a * a) * rng.standard_normal()
    return out


def write_worm(path: Path, activity: Values, seed: int = 0) -> Values:
    """Write volumes of neurons in a row that sway and flicker; returns their flicker.

    Parameters
    ----------
    path : Path
    activity : ndarray, shape (n_frames, n_neurons)
        dF/F of the indicator; zeros in silent ones.
    seed : int
    """
    rng = np.random.default_rng(seed)
    n_frames, n = activity.shape
    sway = 2.0 * process(rng, n_frames, 3.0)
    flicker = np.stack([0.2 * process(rng, n_frames, 1.5) for _ in range(n)], 1)
    xyz = np.empty((n_frames, n, 3), np.float32)
    xyz[..., 0] = np.linspace(8, SHAPE[2] - 9, n)[None] + np.clip(sway, -5, 5)[:, None]
    xyz[..., 1] = 12 + 4 * np.sin(np.arange(n))[None] + 0.3 * sway[:, None]
    xyz[..., 2] = 3
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]].astype(np.float32)
    volumes = np.full((n_frames, 2, *SHAPE), 20.0, np.float32)
    for t in range(n_frames):
        for k in range(n):
            dx, dy, dz = (g - c for g, c in zip((x, y, z), xyz[t, k], strict=True))
            blob = np.exp(-((dx**2 + dy**2) * 0.42 + dz**2 * 2.25) / 2)
            volumes[t, 0] += 150 * (1 + flicker[t, k]) * blob
            volumes[t, 1] += 100 * (1 + flicker[t, k]) * (1 + activity[t, k]) * blob
    noisy = rng.poisson(np.maximum(volumes, 0) * 2) / 2
    write_targettrack(path, noisy.round().astype(np.int16), xyz)
    return flicker
