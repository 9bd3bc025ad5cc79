"""Movements of tissue along a probe, over time: the same for simulations and for hybrids.

Conventions: a path is a displacement along the probe in micrometres at `PATH_HZ`, held between
its samples, 0 at first; tissue that moves by +10 um is seen 10 um further along.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

DRIFTS = ("rigid", "nonrigid", "bumps", "jumps")
DRIFT_UM = 30.0
"""Peak-to-peak excursion along the probe, micrometres."""
JUMP_UM = (50.0, 100.0)
"""Sizes of the sudden movements of "jumps", micrometres."""
PATH_HZ = 5.0

_GRADIENT = 0.5


def jump_path(
    rng: np.random.Generator, duration_s: float, sizes_um: tuple[float, float] = JUMP_UM
) -> npt.NDArray[np.float64]:
    """Three sudden movements, to and fro, the first after a rest.

    Parameters
    ----------
    rng : numpy.random.Generator
    duration_s : float
    sizes_um : tuple of float
        Smallest and largest movement; whole micrometres are drawn.

    Returns
    -------
    ndarray, shape (n,), micrometres
    """
    sign = rng.choice([-1.0, 1.0]) * np.asarray([1, -1, 1])
    level = np.append(0.0, np.cumsum(sign * np.round(rng.uniform(*sizes_um, 3))))
    at = duration_s / 4 * (np.arange(1, 4) + rng.uniform(-0.2, 0.2, 3))
    n = int(np.ceil(duration_s * PATH_HZ))
    path: npt.NDArray[np.float64] = level[np.searchsorted(at, np.arange(n) / PATH_HZ)]
    return path


def described(drift: str, duration_s: float) -> dict[str, Any]:
    """Movement as SpikeInterface's generator takes it.

    From a fifth of the recording on, so that a rest precedes it. "jumps" are not among its
    own: for them see `jump_path`.
    """
    motion: dict[str, Any] = {
        "drift_mode": "bump" if drift == "bumps" else "zigzag",
        "non_rigid_gradient": _GRADIENT if drift == "nonrigid" else None,
        "t_start_drift": duration_s / 5,
        "t_end_drift": None,
    }
    if drift == "bumps":
        motion["bump_interval_s"] = (duration_s / 10, duration_s / 4)
    else:
        motion["period_s"] = duration_s * 2 / 3
    return {
        "displacement_sampling_frequency": PATH_HZ,
        "drift_start_um": [0, DRIFT_UM / 2],
        "drift_stop_um": [0, -DRIFT_UM / 2],
        "drift_step_um": 1,
        "motion_list": [motion],
    }


def path_um(
    drift: str, duration_s: float, rng: np.random.Generator, size_um: float
) -> npt.NDArray[np.float64]:
    """Path of the part of the tissue that moves furthest.

    Parameters
    ----------
    drift : {"rigid", "nonrigid", "bumps", "jumps"}
    duration_s : float
    rng : numpy.random.Generator
    size_um : float
        Peak to peak; of "jumps" the largest movement, the smallest being half of it.

    Returns
    -------
    ndarray, shape (n,), micrometres

    Notes
    -----
    All but "jumps" are SpikeInterface's `generate_displacement_vector` (Garcia et al. 2024,
    eNeuro 11(2)).
    """
    if drift == "jumps":
        return jump_path(rng, duration_s, (size_um / 2, size_um))
    from spikeinterface.generation.drifting_generator import generate_displacement_vector

    # how far each depth moves is said by `shares`
    rigid = described("bumps" if drift == "bumps" else "rigid", duration_s)
    vectors = generate_displacement_vector(
        duration_s, np.zeros((1, 3)), **rigid, seed=int(rng.integers(2**31))
    )[1]
    return np.asarray(vectors[:, 1, 0] * (size_um / DRIFT_UM), dtype=np.float64)


def shares(
    drift: str, depth_um: npt.NDArray[np.float64], ends_um: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Part of the path that each depth takes: all of it, or from half of it to all ("nonrigid").

    Parameters
    ----------
    drift : str
    depth_um : ndarray, shape (n,), micrometres along the probe
    ends_um : tuple of float
        The probe's ends, the one that moves half as far first.
    """
    if drift != "nonrigid":
        return np.ones(len(depth_um))
    low, high = ends_um
    part = np.clip((depth_um - low) / max(high - low, 1e-9), 0.0, 1.0)
    return np.asarray(_GRADIENT + (1.0 - _GRADIENT) * part, dtype=np.float64)
