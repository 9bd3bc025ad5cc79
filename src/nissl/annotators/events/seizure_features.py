"""Numbers of one-second windows over all channels, for seizures.

Per channel: line length, variance, power in bands, spectral edge, Hjorth mobility; over channels
their mean, spread and a high quantile, so that any number of channels gives the same numbers.
Between channels: mean correlation and the share of the largest eigenvalue, of the signal and of its
derivative, which rise as a seizure spreads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from nissl.data import Signal

Values = npt.NDArray[np.float64]

WINDOW_S = 1.0
BANDS_HZ = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 60.0), (60.0, 120.0))
EDGE = 0.9
BLOCK_S = 300.0

_PER_CHANNEL = (
    "line_length",
    "variance",
    "mobility",
    "edge",
    *(f"power_{low:g}_{high:g}" for low, high in BANDS_HZ),
)
_OVER = ("mean", "sd", "high")
_BETWEEN = ("correlation", "eigenvalue", "correlation_fast", "eigenvalue_fast")
NAMES: tuple[str, ...] = (*(f"{n}_{over}" for n in _PER_CHANNEL for over in _OVER), *_BETWEEN)


def window_features(windows: npt.NDArray[np.floating], rate_hz: float) -> Values:
    """Features of windows.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_samples, n_channels), uV
    rate_hz : float

    Returns
    -------
    ndarray, shape (n_windows, len(NAMES)), float64
        Logarithms where numbers are positive; NaN where the rate is too low for a band, and
        between channels where there is but one.
    """
    from scipy.fft import rfft

    x = np.ascontiguousarray(np.asarray(windows, np.float32).transpose(0, 2, 1))
    if not len(x):
        return np.empty((0, len(NAMES)))
    if not np.isfinite(x).all():
        x = np.nan_to_num(x)
    x = x - x.mean(axis=2, keepdims=True)
    step, tiny, n = np.diff(x, axis=2), 1e-6, x.shape[2]
    variance = x.var(axis=2, dtype=np.float64) + tiny
    spectrum = rfft(x * np.hanning(n).astype(np.float32), axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float64)
    freqs = np.fft.rfftfreq(n, 1 / rate_hz)
    total = np.cumsum(power[:, :, freqs >= 1.0], axis=2)
    edge = freqs[freqs >= 1.0][np.argmax(total >= EDGE * total[:, :, -1:], axis=2)]
    columns = [
        np.log10(np.abs(step).mean(axis=2, dtype=np.float64) * rate_hz + tiny),
        np.log10(variance),
        np.log10((step.var(axis=2, dtype=np.float64) * rate_hz**2 + tiny) / variance),
        np.log10(np.maximum(edge, 1.0)),
    ]
    for low, high in BANDS_HZ:
        use = (freqs >= low) & (freqs < high)
        known = high <= rate_hz / 2 or (low < 0.35 * rate_hz and use.any())
        columns.append(
            np.log10(power[:, :, use].mean(axis=2) + tiny)
            if known
            else np.full(variance.shape, np.nan)
        )
    out = [f(c) for c in columns for f in (_mean, _sd, _high)]
    out += [*_between(x), *_between(step)]
    return np.stack(out, axis=1)


def features_of(signal: Signal, start: int, stop: int, channels: Sequence[int]) -> Iterator[Values]:
    """Features of successive one-second windows of a stretch, in blocks; the rest is left out.

    A window begins at sample ``start + round(k * rate)``; at most five minutes are in memory.
    """
    n = round(WINDOW_S * signal.rate_hz)
    count = int((stop - start) / (WINDOW_S * signal.rate_hz))
    per_block = int(BLOCK_S / WINDOW_S)
    for first in range(0, count, per_block):
        index = np.arange(first, min(first + per_block, count))
        begin = np.rint(index * WINDOW_S * signal.rate_hz).astype(np.int64)
        begin = np.minimum(begin, stop - start - n)
        low = int(begin[0])
        x = signal.read(start + low, start + int(begin[-1]) + n, list(channels))
        windows = np.stack([x[b - low : b - low + n] for b in begin.tolist()])
        yield window_features(windows, signal.rate_hz)


def baseline(values: Values) -> tuple[Values, Values]:
    """Usual value and robust deviation of each feature over windows, (n_features,) each.

    Seizures are rare, so a whole record is its own baseline.
    """
    with np.errstate(all="ignore"):
        middle = np.median(values, axis=0)
        scale = 1.4826 * np.median(np.abs(values - middle), axis=0)
    return middle, np.where(scale > 0.02, scale, 0.02)


def _mean(x: Values) -> Values:
    return np.asarray(x.mean(axis=1))


def _sd(x: Values) -> Values:
    return np.asarray(x.std(axis=1))


def _high(x: Values) -> Values:
    """Quantile 0.9 over channels, as `numpy.quantile` has it and faster."""
    place = 0.9 * (x.shape[1] - 1)
    low = int(place)
    order = np.sort(x, axis=1)
    return np.asarray(
        order[:, low] + (place - low) * (order[:, min(low + 1, len(order[0]) - 1)] - order[:, low])
    )


def _between(x: npt.NDArray[np.float32]) -> list[Values]:
    """Mean correlation and largest eigenvalue's share; x is (n_windows, n_channels, n_samples)."""
    n = x.shape[1]
    if n < 2:
        return [np.full(len(x), np.nan)] * 2
    z = x - x.mean(axis=2, keepdims=True)
    z = z / (np.sqrt((z**2).sum(axis=2, keepdims=True)) + 1e-9)
    c = (z @ z.transpose(0, 2, 1)).astype(np.float64)
    off = (np.abs(c).sum(axis=(1, 2)) - np.abs(np.trace(c, axis1=1, axis2=2))) / (n * (n - 1))
    return [off, np.linalg.eigvalsh(c)[:, -1] / n]
