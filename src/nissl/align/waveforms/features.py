"""What two mean waveforms have in common: their place, size, shape, fall over space and path.

All is told of a pair after the probe's movement is undone (`nissl.align.waveforms.drift`); none of
it knows when a unit fired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.align.waveforms.templates import Floats, Singles, UnitTemplates

NEAR_UM = 100.0
"""Contacts around a unit's strongest that are compared."""
MOST_NEAR = 24
_LAG_MS = 0.15
_PATH_MS = (0.25, 0.5)
_SOFT_UM = 3.0
_CLIP = 0.9995
_FLOOR = 1e-9
SHAPE = ("likeness", "peak", "amplitude", "fall", "path")
"""Evidence apart from the distance."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Looks:
    """What is compared of each unit of a session.

    Parameters
    ----------
    wave : ndarray, shape (n_units, n_samples, n_channels), float32, uV
        Where the probe would have seen them without its movement.
    place_um : ndarray, shape (n_units, 2), float64
        Centre of the squared peak-to-peak amplitudes near the strongest contact; NaN without
        geometry.
    best : ndarray, shape (n_units,), int64
        Strongest channel.
    near : ndarray, shape (n_units, n_near), int64
        Channels around it, itself first; -1 where there are fewer.
    peak : ndarray, shape (n_units, n_samples), float64
        Waveform of the strongest channel, of length 1.
    size_uv : ndarray, shape (n_units,), float64
        Peak to peak on the strongest channel.
    path_um : ndarray, shape (n_units, n_path, 2), float64
        Centre of the energy at each sample around the peak, relative to the unit's place.
    energy : ndarray, shape (n_units, n_path), float64
        Energy at these samples, which sums to 1.
    shank : ndarray, shape (n_units,), int64
    rate_hz : float
    """

    wave: Singles
    place_um: Floats
    best: Rows
    near: Rows
    peak: Floats
    size_uv: Floats
    path_um: Floats
    energy: Floats
    shank: Rows
    rate_hz: float

    def __len__(self) -> int:
        return self.best.size


def looks(day: UnitTemplates, wave: Singles | None = None) -> Looks:
    """Measure every unit of a session.

    Parameters
    ----------
    day : UnitTemplates
        On channels that are all known.
    wave : ndarray, shape (n_units, n_samples, n_channels), float32, uV, optional
        Other waveforms of the same units, such as shifted ones; the mean by default.
    """
    wave = day.mean if wave is None else wave
    size = np.ptp(wave, axis=1).astype(np.float64)
    best = np.argmax(size, axis=1).astype(np.int64)
    near = _near(best, day.position_um, day.shank, day.has_geometry)
    at = np.arange(len(day))
    peak = wave[at, :, best].astype(np.float64)
    peak /= np.maximum(np.linalg.norm(peak, axis=1), _FLOOR)[:, None]
    here = np.maximum(near, 0)
    own = np.take_along_axis(size, here, axis=1) * (near >= 0)
    weight = own**2 / np.maximum((own**2).sum(axis=1), _FLOOR)[:, None]
    spots = day.position_um[here] if day.has_geometry else np.zeros((*here.shape, 2))
    place = (weight[..., None] * spots).sum(axis=1)
    path, energy = _path(wave, near, spots, place, _stretch(day))
    if not day.has_geometry:
        place = np.full((len(day), 2), np.nan)
    return Looks(
        wave, place, best, near, peak, size[at, best], path, energy, day.shank[best], day.rate_hz
    )


def _near(best: Rows, position: Floats, shank: Rows, geometry: bool) -> Rows:
    """Channels around each strongest one, the nearest first."""
    width = min(MOST_NEAR, len(position))
    out = np.full((best.size, width), -1, np.int64)
    for channel in np.unique(best).tolist():
        away = np.zeros(len(position))
        if geometry:
            away = np.linalg.norm(position - position[channel], axis=1)
        away[channel] = -1.0
        away[shank != shank[channel]] = np.inf
        order = np.argsort(away, kind="stable")[:width]
        order = order[away[order] <= NEAR_UM]
        out[best == channel, : order.size] = order
    return out


def _stretch(day: UnitTemplates) -> slice:
    before, after = (round(ms * day.rate_hz / 1000) for ms in _PATH_MS)
    return slice(max(day.n_before - before, 0), day.n_before + after + 1)


def _path(
    wave: Singles, near: Rows, spots: Floats, place: Floats, stretch: slice
) -> tuple[Floats, Floats]:
    here = np.maximum(near, 0)[:, None, :]
    own = np.take_along_axis(wave[:, stretch].astype(np.float64), here, axis=2)
    power = own**2 * (near >= 0)[:, None, :]
    total = power.sum(axis=2)
    centre = np.einsum("usc,ucd->usd", power, spots) / np.maximum(total, _FLOOR)[..., None]
    energy = total / np.maximum(total.sum(axis=1, keepdims=True), _FLOOR)
    return centre - place[:, None], energy


def distances(a: Looks, b: Looks, i: Rows, j: Rows) -> Floats:
    """Micrometres between the places of pairs; 0 without geometry.

    Parameters
    ----------
    a, b : Looks
    i, j : ndarray, shape (n_pairs,), int64
        Rows of `a` and of `b`.

    Returns
    -------
    ndarray, shape (n_pairs,)
    """
    if not np.isfinite(a.place_um).all() or not np.isfinite(b.place_um).all():
        return np.zeros(i.size)
    return np.asarray(np.linalg.norm(a.place_um[i] - b.place_um[j], axis=1), np.float64)


def near_pairs(a: Looks, b: Looks, reach_um: float) -> tuple[Rows, Rows]:
    """Pairs within reach on one shank, in order of the first and then of the second.

    Parameters
    ----------
    a, b : Looks
    reach_um : float
        Micrometres, at most.

    Returns
    -------
    i, j : ndarray, shape (n_pairs,), int64
        Rows of `a` and of `b`.
    """
    far = a.shank[:, None] != b.shank[None]
    if np.isfinite(a.place_um).all() and np.isfinite(b.place_um).all():
        away = np.linalg.norm(a.place_um[:, None] - b.place_um[None], axis=2)
        far |= away > reach_um
    i, j = np.nonzero(~far)
    return i.astype(np.int64), j.astype(np.int64)


def compared(a: Looks, b: Looks, i: Rows, j: Rows) -> Floats:
    """Shape evidence of pairs, on scales on which each kind of pair is about normal.

    Parameters
    ----------
    a, b : Looks
    i, j : ndarray, shape (n_pairs,), int64
        Rows of `a` and of `b`; `i` does not fall.

    Returns
    -------
    ndarray, shape (n_pairs, len(SHAPE)), float64
        Fisher's z of the greatest correlation of the waveforms on the channels around the first
        unit over small lags, and of the waveforms of the strongest channels; root of the absolute
        log ratio of the sizes; Fisher's z of the likeness of amplitudes over space; log of the
        root mean square between the paths of the centres.
    """
    lag = max(1, round(_LAG_MS * a.rate_hz / 1000))
    out = np.zeros((i.size, len(SHAPE)))
    rows, starts = np.unique(i, return_index=True)
    for row, own in zip(rows.tolist(), np.split(np.arange(i.size), starts[1:]), strict=True):
        others = j[own]
        near = a.near[row][a.near[row] >= 0]
        first = a.wave[row][:, near]
        second = b.wave[others][:, :, near]
        out[own, 0] = _z(_lagged(first, second, lag))
        out[own, 1] = _z(_lagged(a.peak[row][:, None], b.peak[others][:, :, None], lag))
        out[own, 3] = _z(_cosine(np.ptp(first, axis=0), np.ptp(second, axis=1)))
    out[:, 2] = np.sqrt(
        np.abs(np.log(np.maximum(a.size_uv[i], _FLOOR) / np.maximum(b.size_uv[j], _FLOOR)))
    )
    weight = np.sqrt(a.energy[i] * b.energy[j])
    apart = ((a.path_um[i] - b.path_um[j]) ** 2).sum(axis=2)
    path = np.sqrt((weight * apart).sum(axis=1) / np.maximum(weight.sum(axis=1), _FLOOR))
    out[:, 4] = np.log(path + _SOFT_UM)
    return out


def _lagged(first: Floats | Singles, second: Floats | Singles, most: int) -> Floats:
    """Greatest cosine over lags, shape (m,); `first` (n_samples, k), `second` (m, n_samples, k)."""
    n, k = first.shape
    core = first[most : n - most]
    n_lags, length = 2 * most + 1, float(np.linalg.norm(core))
    placed = np.zeros((n_lags, n, k), first.dtype)
    for lag in range(n_lags):
        placed[lag, lag : lag + len(core)] = core
    product = second.reshape(len(second), -1) @ placed.reshape(n_lags, -1).T
    power = np.einsum("msk,msk->ms", second, second, dtype=np.float64)
    below = np.concatenate([np.zeros((len(second), 1)), np.cumsum(power, axis=1)], axis=1)
    size = np.sqrt(np.maximum(below[:, len(core) :] - below[:, : n - len(core) + 1], 0))
    return np.asarray((product / np.maximum(size * length, _FLOOR)).max(axis=1), np.float64)


def _cosine(first: Floats | Singles, second: Floats | Singles) -> Floats:
    size = np.linalg.norm(second, axis=1) * np.linalg.norm(first)
    return np.asarray(second @ first / np.maximum(size, _FLOOR), np.float64)


def _z(correlation: Floats) -> Floats:
    return np.asarray(np.arctanh(np.clip(correlation, -_CLIP, _CLIP)), np.float64)


def log_distance(distance_um: Floats) -> Floats:
    """Distances on a scale on which those of one unit are about normal."""
    return np.asarray(np.log(distance_um + _SOFT_UM), np.float64)


__all__ = ["SHAPE", "Looks", "compared", "distances", "log_distance", "looks", "near_pairs"]
