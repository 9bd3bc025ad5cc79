"""Signal processing that detectors share; arrays of one channel, (n_samples,) float64.

All filters here run forwards and backwards (no phase shift), so they need the whole stretch;
live use has causal ones of its own.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from nissl.errors import BadMetadataError

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WORK_HZ = 100.0
"""Rate at which slow events are looked for, so that the rate of a recording changes little."""


def at_rate(x: npt.NDArray[np.floating], rate_hz: float, to_hz: float = WORK_HZ) -> Values:
    """Resample with an anti-aliasing FIR filter (`scipy.signal.resample_poly`).

    Parameters
    ----------
    x : ndarray, shape (n_samples,) or (n_samples, n_channels)
    rate_hz, to_hz : float

    Returns
    -------
    ndarray, about n_samples * to_hz / rate_hz samples, float64
    """
    from scipy.signal import resample_poly

    ratio = Fraction(to_hz / rate_hz).limit_denominator(500)
    values = np.asarray(x, np.float64)
    if ratio == 1 or not len(values):
        return values
    return np.asarray(resample_poly(values, ratio.numerator, ratio.denominator, axis=0))


def require_rate(rate_hz: float, least_hz: float, what: str) -> None:
    """Raise `BadMetadataError` when a rate is too low for what is looked for."""
    if rate_hz < least_hz:
        raise BadMetadataError(
            f"a rate of at least {least_hz:g} Hz for {what}",
            f"{rate_hz:g} Hz",
            "Choose the stream with the higher rate, or another method.",
        )


def band(
    x: Values, rate_hz: float, low_hz: float | None, high_hz: float | None, order: int = 4
) -> Values:
    """Butterworth filter, forwards and backwards, along the first axis.

    Parameters
    ----------
    x : ndarray, shape (n_samples, ...)
    rate_hz : float
    low_hz, high_hz : float or None
        None leaves that side open; an upper edge at or above 0.45 of the rate counts as open.
    order : int
        Of one pass.
    """
    from scipy.signal import butter, sosfiltfilt

    if high_hz is not None and high_hz >= 0.45 * rate_hz:
        high_hz = None
    if low_hz is None and high_hz is None:
        return x
    if low_hz is None:
        sos = butter(order, high_hz, "lowpass", fs=rate_hz, output="sos")
    elif high_hz is None:
        sos = butter(order, low_hz, "highpass", fs=rate_hz, output="sos")
    else:
        sos = butter(order, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    pad = min(len(x) - 1, int(3 * rate_hz / max(low_hz or 1.0, 0.1)))
    if pad < 1:
        return np.zeros_like(x)
    return np.asarray(sosfiltfilt(sos, x, axis=0, padlen=pad))


def envelope(x: Values) -> Values:
    """Amplitude of the analytic signal."""
    from scipy.fft import next_fast_len
    from scipy.signal import hilbert

    if not len(x):
        return x
    return np.asarray(np.abs(hilbert(x, next_fast_len(len(x)))[: len(x)]))


def smooth(x: Values, n: int) -> Values:
    """Moving average over n samples."""
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(x, max(1, n), axis=0, mode="nearest"))


def level(x: Values, block: int, n_blocks: int = 7) -> Values:
    """Slowly changing usual value: medians of blocks, their running median, interpolated.

    Parameters
    ----------
    x : ndarray, shape (n_samples,)
    block : int
        Samples of a block.
    n_blocks : int
        Blocks of the running median.
    """
    from scipy.ndimage import median_filter

    n = max(1, len(x) // block)
    parts = np.array_split(x, n)
    medians = np.array([np.median(part) for part in parts])
    medians = median_filter(medians, size=min(n_blocks, n), mode="nearest")
    middles = np.cumsum([len(part) for part in parts]) - np.array([len(p) / 2 for p in parts])
    return np.asarray(np.interp(np.arange(len(x)), middles, medians))


def spread(x: npt.NDArray[np.floating], axis: int | None = None) -> Values:
    """Robust standard deviation: 1.4826 times the median absolute deviation."""
    middle = np.median(x, axis=axis, keepdims=axis is not None)
    return np.asarray(1.4826 * np.median(np.abs(x - middle), axis=axis), np.float64)


def runs(mask: npt.NDArray[np.bool_], *, least: int = 1, join: int = 0) -> tuple[Ints, Ints]:
    """Half-open runs of True.

    Parameters
    ----------
    mask : ndarray, shape (n,), bool
    least : int
        Runs shorter than this, after joining, are dropped.
    join : int
        Runs at most so many samples apart become one.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    start, stop = edges[::2].astype(np.int64), edges[1::2].astype(np.int64)
    if join and start.size:
        apart = start[1:] - stop[:-1] > join
        start = start[np.concatenate([[True], apart])]
        stop = stop[np.concatenate([apart, [True]])]
    keep = stop - start >= least
    return start[keep], stop[keep]


def around_peaks(
    x: Values, mask: npt.NDArray[np.bool_], edge: float, least: int = 1
) -> tuple[Ints, Ints]:
    """Runs of a mask, trimmed to where x is at least `edge` of the run's largest value."""
    start, stop = runs(mask, least=1)
    for k, (a, b) in enumerate(zip(start.tolist(), stop.tolist(), strict=True)):
        inside = np.flatnonzero(x[a:b] >= edge * x[a:b].max())
        start[k], stop[k] = a + inside[0], a + inside[-1] + 1
    keep = stop - start >= least
    return start[keep], stop[keep]


def spectrum(x: Values, rate_hz: float, window_s: float = 2.0) -> tuple[Values, Values]:
    """Welch's spectrum with medians over windows: steady against few large events.

    Returns
    -------
    freqs_hz : ndarray, shape (n_freqs,)
    power : ndarray, shape (n_freqs,)
        Units of x squared per Hz.
    """
    from scipy.signal import welch

    n = min(len(x), int(window_s * rate_hz))
    freqs, power = welch(x, rate_hz, nperseg=n, average="median")
    return np.asarray(freqs), np.asarray(power)


def aperiodic(
    freqs_hz: Values, power: Values, low_hz: float = 2.0, high_hz: float = 40.0
) -> tuple[float, float]:
    """Offset and exponent of the 1/f part: ``log10 power = offset - exponent * log10 f``.

    A straight line in log-log is fitted, what lies above it is taken for oscillations and left
    out, and the line is fitted again (as specparam's first step without a knee; Donoghue et al.
    2020, Nat. Neurosci. 23, 1655-1665).
    """
    use = (freqs_hz >= low_hz) & (freqs_hz <= high_hz) & (power > 0)
    if use.sum() < 4:
        return float("nan"), float("nan")
    f, p = np.log10(freqs_hz[use]), np.log10(power[use])
    keep = np.ones(f.size, bool)
    line = np.polyfit(f, p, 1)
    for _ in range(5):
        line = np.polyfit(f[keep], p[keep], 1)
        residual = p - np.polyval(line, f)
        scale = max(float(spread(residual[keep])), 1e-6)
        again = residual < 1.0 * scale
        if again.sum() < max(4, f.size // 4) or np.array_equal(again, keep):
            break
        keep = again
    return float(line[1]), float(-line[0])
