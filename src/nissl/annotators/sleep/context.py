"""What surrounds an epoch: the features that a scorer's eye takes in.

An epoch is scored by what it is, by how it differs from the night's usual, and by what is around
it. From the numbers of each epoch come: the numbers themselves and the log ratios of bands; the
same on the night's own scale (its median and its range from the 5th to the 95th percentile);
these averaged with triangles of several widths (as Vallat and Walker 2021, eLife 10, do with one);
their spread around an epoch; those of the epochs before and after; and the time since the start.
Widths are in minutes, so epochs of any length have the same features.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

TRIANGLES_MIN = (1.0, 2.0, 4.0, 8.0, 15.5)
"""Full width at half height of each triangle, minutes."""
SPREADS_MIN = (2.0, 5.5)
LAGS_MIN = (-1.5, -1.0, -0.5, 0.5, 1.0, 1.5)
_BAND = "log10_bp_"


def with_ratios(values: Values, names: Sequence[str]) -> tuple[Values, tuple[str, ...]]:
    """Numbers of epochs with the log ratios of bands, within and between derivations.

    Parameters
    ----------
    values : ndarray, shape (n_epochs, n), float64
    names : sequence of str
        "derivation:quantity"; bands are called "log10_bp_...".
    """
    place = {name: k for k, name in enumerate(names)}
    bands: dict[str, list[str]] = {}
    for name in names:
        derivation, _, quantity = name.partition(":")
        if quantity.startswith(_BAND):
            bands.setdefault(derivation, []).append(quantity)
    pairs = [(f"{d}:{a}", f"{d}:{b}") for d, own in bands.items() for a, b in combinations(own, 2)]
    for one, other in combinations(bands, 2):
        shared = [q for q in bands[one] if q in bands[other]]
        pairs += [(f"{one}:{quantity}", f"{other}:{quantity}") for quantity in shared]
    ratios = [values[:, place[a]] - values[:, place[b]] for a, b in pairs]
    told = tuple(f"{a}/{b.replace(_BAND, '')}" for a, b in pairs)
    return np.column_stack([values, *ratios]), (*names, *told)


def context(values: Values, names: Sequence[str], epoch_s: float) -> tuple[Values, tuple[str, ...]]:
    """Features of every epoch of a night.

    Parameters
    ----------
    values : ndarray, shape (n_epochs, n), float64
        Numbers of each epoch, in the order of time; NaN where missing.
    names : sequence of str, length n
    epoch_s : float

    Returns
    -------
    ndarray, shape (n_epochs, n_features), float64
    tuple of str
    """
    plain, told = with_ratios(values, names)
    z = on_own_scale(plain)
    blocks, labels = [plain, z], [told, tuple(f"{n}|night" for n in told)]
    for width in TRIANGLES_MIN:
        blocks.append(_smoothed(z, _triangle(width, epoch_s)))
        labels.append(tuple(f"{n}|mean {width:g} min" for n in told))
    for width in SPREADS_MIN:
        blocks.append(_spread(z, _triangle(width, epoch_s)))
        labels.append(tuple(f"{n}|spread {width:g} min" for n in told))
    for lag in LAGS_MIN:
        blocks.append(_lagged(z, _epochs(lag, epoch_s)))
        labels.append(tuple(f"{n}|{lag:+g} min" for n in told))
    minutes = np.arange(len(z)) * epoch_s / 60
    share = minutes / max(float(minutes[-1]), 1.0) if len(z) else minutes
    blocks.append(np.column_stack([minutes / 60, share]))
    labels.append(("hours since the start", "share of the recording"))
    return np.hstack(blocks), tuple(name for own in labels for name in own)


def own_numbers(names: Sequence[str]) -> list[int]:
    """Places of the numbers of an epoch itself among the names of its features."""
    return [k for k, name in enumerate(names) if ":" in name and not set(name) & set("|/")]


def on_own_scale(values: Values) -> Values:
    """Values less the night's median, over its range from the 5th to the 95th percentile."""
    out = np.full(values.shape, np.nan)
    for k in range(values.shape[1]):
        known = values[:, k][np.isfinite(values[:, k])]
        if known.size:
            low, middle, high = np.percentile(known, [5, 50, 95])
            out[:, k] = (values[:, k] - middle) / max(high - low, 1e-6)
    return out


def _epochs(minutes: float, epoch_s: float) -> int:
    size = max(1, round(abs(minutes) * 60 / epoch_s))
    return size if minutes > 0 else -size


def _triangle(width_min: float, epoch_s: float) -> Values:
    half = _epochs(width_min, epoch_s)
    kernel = np.bartlett(2 * half + 1)[1:-1] if half > 1 else np.asarray([0.5, 1.0, 0.5])
    return np.asarray(kernel / kernel.sum())


def _smoothed(values: Values, kernel: Values) -> Values:
    """Weighted mean over what is known; the ends repeat the first and the last epoch."""
    from scipy.ndimage import convolve1d

    known = np.isfinite(values)
    total = convolve1d(np.where(known, values, 0.0), kernel, axis=0, mode="nearest")
    weight = convolve1d(known.astype(np.float64), kernel, axis=0, mode="nearest")
    return np.asarray(np.where(weight > 0.05, total / np.maximum(weight, 1e-9), np.nan))


def _spread(values: Values, kernel: Values) -> Values:
    square = _smoothed(values**2, kernel) - _smoothed(values, kernel) ** 2
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))


def _lagged(values: Values, lag: int) -> Values:
    return values[np.clip(np.arange(len(values)) + lag, 0, len(values) - 1)]


__all__ = ["context", "on_own_scale", "own_numbers", "with_ratios"]
