"""What a person looks at to tell a component: its map, its spectrum, its course."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

SIDE = 40
"""Pixels along each side of a map."""
SECONDS = 10.0
HIGHEST_HZ = 60.0


def maps(mixing: Values, places: Values) -> npt.NDArray[np.float32]:
    """Maps of components on the head seen from above, nose up.

    Electrodes lie where an azimuthal equidistant projection of the head puts them; between them
    is the thin-plate spline through them, and nothing (NaN) beyond the outermost.

    Parameters
    ----------
    mixing : ndarray, shape (n_channels, n_components), float64
    places : ndarray, shape (n_channels, 3), float64
        Right, front and up, in any unit.

    Returns
    -------
    ndarray, shape (n_components, SIDE, SIDE), float32
        Each from -1 to 1.
    """
    from scipy.interpolate import RBFInterpolator

    flat = _projected(places)
    reach = 1.02 * np.linalg.norm(flat, axis=1).max()
    line = np.linspace(-reach, reach, SIDE)
    x, y = np.meshgrid(line, -line)
    spline = RBFInterpolator(flat, mixing, kernel="thin_plate_spline", smoothing=1e-6)
    drawn = spline(np.column_stack([x.ravel(), y.ravel()])).T.reshape(-1, SIDE, SIDE)
    most = np.maximum(np.abs(mixing).max(axis=0), 1e-30)[:, None, None]
    drawn = np.clip(drawn / most, -1, 1)
    drawn[:, np.hypot(x, y) > reach] = np.nan
    return np.asarray(drawn, np.float32)


def _projected(places: Values) -> Values:
    unit = places / np.linalg.norm(places, axis=1, keepdims=True)
    from_top = np.arccos(np.clip(unit[:, 2], -1, 1))
    around = np.arctan2(unit[:, 1], unit[:, 0])
    return np.column_stack([from_top * np.cos(around), from_top * np.sin(around)])


def spectra(activations: Values, rate_hz: float) -> tuple[npt.NDArray[np.float32], Values]:
    """Power of activations in dB, shape (n_components, n_frequencies), and the frequencies, Hz."""
    from scipy.signal import welch

    n = min(len(activations), round(2 * rate_hz))
    hz, power = welch(activations, rate_hz, nperseg=n, axis=0)
    use = (hz > 0) & (hz <= HIGHEST_HZ)
    return np.asarray(10 * np.log10(np.maximum(power[use].T, 1e-30)), np.float32), hz[use]


def courses(activations: Values, rate_hz: float) -> npt.NDArray[np.float32]:
    """The first seconds of activations, shape (n_components, n_samples), in their spread."""
    first = activations[: round(SECONDS * rate_hz)]
    return np.asarray((first / np.maximum(activations.std(axis=0), 1e-30)).T, np.float32)


__all__ = ["courses", "maps", "spectra"]
