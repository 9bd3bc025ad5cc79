"""Features of mean waveforms, by the definitions of SpikeInterface before version 0.103.

They are taken on the channel of the deepest trough, upsampled ten times; what is said of space,
on the channels within 100 um of it. Later versions of SpikeInterface look for the trough by
prominence, which agrees on waveforms of one trough and one later peak.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

TEMPLATE_FEATURES = (
    "trough_to_peak_ms",
    "half_width_ms",
    "peak_trough_ratio",
    "repolarization_uv_per_ms",
    "recovery_uv_per_ms",
    "positive_peaks",
    "negative_peaks",
    "spread_um",
    "decay_per_um",
)
RULED_FEATURES = (
    "largest_peak_ratio",
    "early_peak_ratio",
    "early_late_ratio",
    "early_peak_ms",
    "baseline_ratio",
)
"""Features that rules read; see `nissl.annotators.curation.features.RULED`."""
UPSAMPLING = 10
MOST_RATIO = 99.0
"""What a ratio to a deflection that is not there counts as."""
NEAR_UM = 100.0
PEAK_HEIGHT, PEAK_WIDTH_MS = 0.2, 0.1
RECOVERY_MS = 0.7
SPREAD_HEIGHT, SPREAD_SMOOTH_UM = 0.2, 20.0
DECAY_MIN_R2 = 0.5
MIN_CHANNELS = 4
"""Channels with a template that anything can be said of space by."""


def template_features(
    template: npt.NDArray[np.float32],
    rate_hz: float,
    *,
    position_um: Values | None = None,
    in_uv: bool = True,
) -> dict[str, Values]:
    """Features of each unit's template.

    Parameters
    ----------
    template : ndarray, shape (n_units, n_samples, n_channels), float32
        NaN on channels without one.
    rate_hz : float
        Samples per second.
    position_um : ndarray, shape (n_channels, 2), float64, optional
        x and y, micrometres.
    in_uv : bool
        Whether values are microvolts; otherwise slopes are NaN.

    Returns
    -------
    dict of str to ndarray, each of shape (n_units,), float64
        `TEMPLATE_FEATURES` and `RULED_FEATURES`; NaN where a template does not tell.
    """
    names = (*TEMPLATE_FEATURES, *RULED_FEATURES)
    out = {name: np.full(len(template), np.nan) for name in names}
    if 0 in template.shape:
        return out
    for k, each in enumerate(np.asarray(template, np.float64)):
        known = np.all(np.isfinite(each), axis=0) & np.any(each != 0, axis=0)
        if not np.any(known):
            continue
        main = int(np.flatnonzero(known)[np.argmin(each[:, known].min(axis=0))])
        found = shape(each[:, main], rate_hz, in_uv=in_uv) | peaks(each[:, main], rate_hz)
        if position_um is not None:
            near = known & (np.linalg.norm(position_um - position_um[main], axis=1) <= NEAR_UM)
            if np.sum(near) >= MIN_CHANNELS:
                found["spread_um"] = spread_um(each[:, near], position_um[near])
                found["decay_per_um"] = decay_per_um(each[:, near], position_um[near])
        for name, value in found.items():
            out[name][k] = value
    return out


def shape(waveform: Values, rate_hz: float, *, in_uv: bool) -> dict[str, float]:
    """Features of one waveform.

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,), float64
        On the main channel.
    rate_hz : float
    in_uv : bool

    Returns
    -------
    dict of str to float
        Durations in ms, slopes in uV/ms.
    """
    from scipy.signal import resample_poly

    fine = resample_poly(waveform, UPSAMPLING, 1)
    per_ms = rate_hz * UPSAMPLING / 1000
    trough = int(np.argmin(fine))
    peak = trough + int(np.argmax(fine[trough:]))
    out = {
        "trough_to_peak_ms": (peak - trough) / per_ms,
        "half_width_ms": _half_width(fine, trough) / per_ms,
        "peak_trough_ratio": fine[peak] / fine[trough] if fine[trough] else np.nan,
        "positive_peaks": _peaks(fine, per_ms),
        "negative_peaks": _peaks(-fine, per_ms),
    }
    if in_uv:
        back = np.flatnonzero(fine[trough:] >= 0)
        rising = fine[trough : trough + back[0]] if back.size and trough else fine[:0]
        out["repolarization_uv_per_ms"] = _slope(rising, per_ms)
        window = fine[peak : min(peak + int(RECOVERY_MS * per_ms), fine.size)]
        out["recovery_uv_per_ms"] = _slope(window, per_ms)
    return {name: float(value) for name, value in out.items()}


def peaks(waveform: Values, rate_hz: float) -> dict[str, float]:
    """Upward deflections of one waveform beside its trough, as rules want them.

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,), float64
        On the channel of the deepest trough.
    rate_hz : float

    Returns
    -------
    dict of str to float
        Ratios, at most `MOST_RATIO`, and the width of the peak before the trough at half of its
        height, ms. `baseline_ratio` is the largest value in the first half of the time before
        the trough over the largest of the waveform.
    """
    from scipy.signal import resample_poly

    fine = resample_poly(waveform, UPSAMPLING, 1)
    trough = int(np.argmin(fine))
    deep = max(-float(fine[trough]), 0.0)
    early = max(float(fine[:trough].max(initial=0.0)), 0.0)
    late = max(float(fine[trough:].max(initial=0.0)), 0.0)
    largest = max(deep, early, late)
    out = {
        "largest_peak_ratio": _ratio(max(early, late), deep),
        "early_peak_ratio": _ratio(early, deep),
        "early_late_ratio": _ratio(early, late),
        "early_peak_ms": float("nan"),
        "baseline_ratio": float("nan"),
    }
    if early > 0:
        at = int(np.argmax(fine[:trough]))
        low = np.flatnonzero(fine < 0.5 * early)
        first = low[low < at].max(initial=-1)
        last = low[low > at].min(initial=fine.size)
        out["early_peak_ms"] = float(last - first - 1) * 1000 / (rate_hz * UPSAMPLING)
    if trough // 2 >= UPSAMPLING and largest > 0:
        out["baseline_ratio"] = float(np.abs(fine[: trough // 2]).max()) / largest
    return out


def _ratio(of: float, to: float) -> float:
    if not of and not to:
        return float("nan")
    return min(of / to, MOST_RATIO) if to else MOST_RATIO


def spread_um(template: Values, position_um: Values) -> float:
    """Extent along the probe of the channels that reach a fifth of the largest amplitude.

    Parameters
    ----------
    template : ndarray, shape (n_samples, n_channels), float64
    position_um : ndarray, shape (n_channels, 2), float64, um
    """
    from scipy.ndimage import gaussian_filter1d

    order = np.argsort(position_um[:, 1], kind="stable")
    size, depth = np.ptp(template, axis=0)[order], position_um[order, 1]
    steps = np.diff(np.unique(depth))
    if not steps.size:
        return float("nan")
    size = gaussian_filter1d(size, SPREAD_SMOOTH_UM / float(np.median(steps)))
    return float(np.ptp(depth[size > SPREAD_HEIGHT * size.max()]))


def decay_per_um(template: Values, position_um: Values) -> float:
    """Constant of the exponential fall of amplitude with distance from the largest channel.

    Parameters
    ----------
    template : ndarray, shape (n_samples, n_channels), float64
    position_um : ndarray, shape (n_channels, 2), float64, um

    Returns
    -------
    float
        1/um; NaN where the fit explains less than half of the variance.
    """
    from scipy.optimize import curve_fit

    size = np.ptp(template, axis=0)
    distance = np.linalg.norm(position_um - position_um[np.argmax(size)], axis=1)
    order = np.argsort(distance, kind="stable")
    x, y = distance[order], size[order]
    top, floor = y[0], y.min()
    bounds = ([1e-5, 0.5 * top, 0.0], [2.0, 1.5 * top, max(2 * floor, 1e-9)])
    try:
        fitted, _ = curve_fit(_decay, x, y, p0=[1e-3, top, floor], bounds=bounds)
    except (RuntimeError, ValueError):
        return float("nan")
    rest, total = np.sum((y - _decay(x, *fitted)) ** 2), np.sum((y - y.mean()) ** 2)
    return float(fitted[0]) if total > 0 and 1 - rest / total >= DECAY_MIN_R2 else float("nan")


def _decay(x: Values, rate: float, top: float, floor: float) -> Values:
    return np.asarray(top * np.exp(-rate * x) + floor)


def _half_width(fine: Values, trough: int) -> float:
    """Samples between the outermost crossings of half the trough's depth."""
    half = 0.5 * fine[trough]
    before, after = np.flatnonzero(fine[:trough] < half), np.flatnonzero(fine[trough:] < half)
    if not before.size or not after.size:
        return float("nan")
    return float(after[-1] + 1 + trough - (before[0] - 1))


def _peaks(fine: Values, per_ms: float) -> int:
    from scipy.signal import find_peaks

    height = PEAK_HEIGHT * np.max(np.abs(fine))
    return len(find_peaks(fine, height=height, width=int(PEAK_WIDTH_MS * per_ms))[0])


def _slope(values: Values, per_ms: float) -> float:
    """Slope of the regression line, per millisecond; NaN with fewer than three samples."""
    if values.size < 3:
        return float("nan")
    at = np.arange(values.size) / per_ms
    return float(np.polyfit(at, values, 1)[0])
