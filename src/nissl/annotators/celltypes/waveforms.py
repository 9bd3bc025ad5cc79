"""What the mean spike of a unit looks like, in time and over the probe.

All that is said of time is read from a cubic spline through the samples, on one fine grid
whatever the sampling rate was, around the largest deflection of the main channel (the channel
that has the largest). A spike whose largest deflection is upwards is turned over for the
durations, as CellExplorer does (Petersen et al. 2021, Neuron 109:3594-3608); `polarity` keeps
the sign, and so does the waveform on the common axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import N_WAVE, WAVE_MS
from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.curation.templates import spread_um

Values = npt.NDArray[np.float64]

WAVEFORM_FEATURES = (
    "polarity",
    "trough_to_peak_ms",
    "trough_to_peak_derivative_ms",
    "half_width_ms",
    "peak_trough_ratio",
    "ab_ratio",
    "repolarization_per_ms",
    "recovery_per_ms",
    "positive_peaks",
    "negative_peaks",
)
SPACE_FEATURES = (
    "spread_um",
    "decay_per_um",
    "velocity_above_s_per_m",
    "velocity_below_s_per_m",
)

STEP_MS = 0.005
BEFORE_MS, AFTER_MS = 0.8, 1.2
"""The stretch around the largest deflection in which shapes are read."""

SURE_REACH_MS = 0.6
"""A spike still rising so long after its trough has its peak at the end of what is known."""

LEVEL_MS = 0.8
"""To either side: the level above which `ab_ratio` counts is the mean of this stretch."""

STEEP_MS = (-0.5, 0.25)
PEAK_HEIGHT, PEAK_WIDTH_MS = 0.2, 0.1
RECOVERY_MS, MIN_SLOPE_MS = 0.7, 0.05
NEAR_UM, COLUMN_UM = 100.0, 30.0
MIN_CHANNELS = 4
DECAY_HEIGHT, VELOCITY_HEIGHT = 0.1, 0.15
TRAVEL_MS = 0.5
MIN_SAMPLES = 8


@dataclass(frozen=True)
class Shape:
    """The spike on its main channel.

    Parameters
    ----------
    main : int
        Index of the channel.
    peak_ms : float
        Time of the largest deflection from the first sample.
    size : float
        Its signed size, in the unit of the template.
    ms : ndarray, shape (n_fine,), float64
        Times from the largest deflection, `STEP_MS` apart, 0 among them.
    fine : ndarray, shape (n_fine,), float64
        Waveform over the absolute size; the sign is kept.
    on_axis : ndarray, shape (61,), float64
        The same on `axes.WAVE_MS`, NaN beyond the known stretch.
    """

    main: int
    peak_ms: float
    size: float
    ms: Values
    fine: Values
    on_axis: Values


def known_channels(waveform: Values) -> npt.NDArray[np.bool_]:
    """Channels of a template (n_samples, n_channels) that are finite and not flat."""
    finite = np.all(np.isfinite(waveform), axis=0)
    return np.asarray(finite & (np.ptp(np.where(finite, waveform, 0.0), axis=0) > 0))


def shape_of(unit: Unit) -> Shape | None:
    """Align the spike of the main channel to its largest deflection.

    Parameters
    ----------
    unit : Unit

    Returns
    -------
    Shape or None
        None without a waveform, with a flat one, and with fewer than eight samples.

    Notes
    -----
    The deflection is found on the spline, to a thousandth of a sample, so that a shift or
    another rate of the same signal changes hardly anything.
    """
    from scipy.interpolate import CubicSpline

    if unit.waveform is None or unit.rate_hz is None or len(unit.waveform) < MIN_SAMPLES:
        return None
    known = known_channels(unit.waveform)
    if not np.any(known):
        return None
    largest = np.where(known, np.max(np.abs(np.where(known, unit.waveform, 0.0)), axis=0), -1.0)
    main = int(np.argmax(largest))
    samples = unit.waveform[:, main]
    step = 1000.0 / unit.rate_hz
    spline = CubicSpline(np.arange(samples.size) * step, samples)
    peak_ms = _extremum(spline, int(np.argmax(np.abs(samples))), samples.size, step)
    size = float(spline(peak_ms))
    end_ms = (samples.size - 1) * step

    def read(at_ms: npt.NDArray[np.floating[Any]]) -> Values:
        inside = (at_ms >= -1e-9) & (at_ms <= end_ms + 1e-9)
        values = spline(np.clip(at_ms, 0.0, end_ms)) / abs(size)
        return np.asarray(np.where(inside, values, np.nan))

    first = -int(min(peak_ms, BEFORE_MS) / STEP_MS + 1e-6)
    last = int(min(end_ms - peak_ms, AFTER_MS) / STEP_MS + 1e-6)
    ms = np.asarray(np.arange(first, last + 1) * STEP_MS, np.float64)
    return Shape(main, peak_ms, size, ms, read(peak_ms + ms), read(peak_ms + WAVE_MS))


def on_axis(shape: Shape | None) -> Values:
    """Waveform on `axes.WAVE_MS` over its size, shape (61,); all NaN without one."""
    return np.full(N_WAVE, np.nan) if shape is None else shape.on_axis


def waveform_features(shape: Shape | None) -> dict[str, float]:
    """Features of the spike on the main channel.

    Parameters
    ----------
    shape : Shape, optional

    Returns
    -------
    dict of str to float
        `WAVEFORM_FEATURES`; NaN where the waveform does not tell.

    Notes
    -----
    - polarity: (p - n) / (p + n) of the largest upward and downward deflections; -1 is a spike
      without any upward part.
    - trough_to_peak_ms: from the trough to the highest point after it (Petersen et al. 2021;
      Bartho et al. 2004, J Neurophysiol 92:600-608). A spike still rising at the end of what is
      known has its peak there if that is 0.6 ms after the trough or later, and none otherwise.
    - trough_to_peak_derivative_ms: from the steepest fall (0.5 ms before to 0.25 ms after the
      trough) to the steepest rise after it (Petersen et al. 2021, `troughtoPeakDerivative`).
    - half_width_ms: width of the trough at half its depth (SpikeInterface `half_width`).
    - peak_trough_ratio: height of the peak after the trough over the trough's depth.
    - ab_ratio: (b - a) / (a + b) of the peaks before (a) and after (b) the trough, above the
      mean of the waveform within 0.8 ms (Petersen et al. 2021; Sirota et al. 2008, Neuron
      60:683-697).
    - repolarization_per_ms, recovery_per_ms: slope of the regression line of the waveform over
      its size, from the trough back to 0, and over 0.7 ms after the peak (Jia et al. 2019, J
      Neurophysiol 121:1831-1847; SpikeInterface).
    - positive_peaks, negative_peaks: peaks of at least a fifth of the largest deflection and
      0.1 ms wide (SpikeInterface), by the sign that the recording gives them.
    """
    out = dict.fromkeys(WAVEFORM_FEATURES, float("nan"))
    if shape is None:
        return out
    up, down = max(float(shape.fine.max()), 0.0), max(-float(shape.fine.min()), 0.0)
    out["polarity"] = (up - down) / (up + down)
    out["positive_peaks"] = float(_peaks(shape.fine))
    out["negative_peaks"] = float(_peaks(-shape.fine))
    wave = -np.sign(shape.size) * shape.fine
    trough = int(np.argmin(np.abs(shape.ms)))
    out["half_width_ms"] = _half_width(wave, trough)
    out["trough_to_peak_derivative_ms"] = _between_slopes(wave, shape.ms)
    out["ab_ratio"] = _ab_ratio(wave, shape.ms, trough)
    peak = trough + int(np.argmax(wave[trough:]))
    if peak == wave.size - 1 and shape.ms[-1] < SURE_REACH_MS:
        return out
    out["trough_to_peak_ms"] = float(shape.ms[peak])
    out["peak_trough_ratio"] = float(wave[peak])
    back = np.flatnonzero(wave[trough:] >= 0)
    out["repolarization_per_ms"] = _slope(
        wave[trough : trough + back[0] + 1] if back.size else wave[:0]
    )
    window = wave[peak : peak + round(RECOVERY_MS / STEP_MS) + 1]
    out["recovery_per_ms"] = _slope(window)
    return out


def space_features(unit: Unit, shape: Shape | None) -> dict[str, float]:
    """What the template tells about the reach and the travel of the spike along the probe.

    Parameters
    ----------
    unit : Unit
    shape : Shape, optional

    Returns
    -------
    dict of str to float
        `SPACE_FEATURES`; NaN without positions or with fewer than four channels.

    Notes
    -----
    - spread_um: extent along the probe of the channels within 100 um that reach a fifth of the
      largest peak-to-peak amplitude (Jia et al. 2019; SpikeInterface `spread`).
    - decay_per_um: slope of the logarithm of the amplitude against distance, through the main
      channel, over channels within 100 um above a tenth of its amplitude (SpikeInterface
      `exp_decay`, here without an offset).
    - velocity_above_s_per_m, velocity_below_s_per_m: slope of the time of the largest
      deflection against distance along the probe (the inverse of a velocity, so that a
      simultaneous spike has 0), for the channels above and below within 100 um along and 30 um
      across that reach 15 % of the main channel's deflection; four channels at least, the main
      one among them (Jia et al. 2019; Allen Institute's `velocity_above`, `velocity_below`).
    """
    out = dict.fromkeys(SPACE_FEATURES, float("nan"))
    position = unit.position_um
    if shape is None or unit.waveform is None or position is None:
        return out
    apart = np.linalg.norm(position - position[shape.main], axis=1)
    near = known_channels(unit.waveform) & np.isfinite(apart) & (apart <= NEAR_UM)
    if np.sum(near) < MIN_CHANNELS:
        return out
    template, at = unit.waveform[:, near], position[near]
    out["spread_um"] = spread_um(template, at)
    out["decay_per_um"] = _decay_per_um(template, apart[near])
    above, below = _velocities(unit, shape, template, at - position[shape.main])
    out["velocity_above_s_per_m"], out["velocity_below_s_per_m"] = above, below
    return out


def _extremum(spline: object, sample: int, n_samples: int, step: float) -> float:
    """Time of the spline's largest absolute value within a sample of the largest sample."""
    low, high = max(sample - 1, 0) * step, min(sample + 1, n_samples - 1) * step
    for _ in range(3):
        grid = np.linspace(low, high, 41)
        best = int(np.argmax(np.abs(spline(grid))))  # type: ignore[operator]
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 40)]
    return float(grid[best])


def _half_width(wave: Values, trough: int) -> float:
    half = 0.5 * wave[trough]
    before = np.flatnonzero(wave[:trough] >= half)
    after = np.flatnonzero(wave[trough:] >= half)
    if not before.size or not after.size:
        return float("nan")
    left, right = int(before[-1]), trough + int(after[0])
    part_left = (half - wave[left]) / (wave[left + 1] - wave[left])
    part_right = (half - wave[right]) / (wave[right - 1] - wave[right])
    return float((right - part_right - left - part_left) * STEP_MS)


def _between_slopes(wave: Values, ms: Values) -> float:
    steep, at = np.diff(wave), ms[:-1]
    window = np.flatnonzero((at >= STEEP_MS[0]) & (at <= STEEP_MS[1]))
    if window.size < 2 or ms[0] > -0.1:
        return float("nan")
    fall = int(window[np.argmin(steep[window])])
    rise = fall + int(np.argmax(steep[fall:]))
    return float((rise - fall) * STEP_MS)


def _ab_ratio(wave: Values, ms: Values, trough: int) -> float:
    if ms[0] > -0.25 or ms[-1] < 0.25:
        return float("nan")
    level = np.mean(wave[np.abs(ms) <= LEVEL_MS])
    before = max(float(np.max(wave[: trough + 1]) - level), 0.0)
    after = max(float(np.max(wave[trough:]) - level), 0.0)
    return (after - before) / (after + before) if after + before > 0 else float("nan")


def _peaks(wave: Values) -> int:
    from scipy.signal import find_peaks

    return len(find_peaks(wave, height=PEAK_HEIGHT, width=PEAK_WIDTH_MS / STEP_MS)[0])


def _slope(values: Values) -> float:
    """Slope of the regression line per millisecond; NaN over less than `MIN_SLOPE_MS`."""
    if values.size * STEP_MS < MIN_SLOPE_MS:
        return float("nan")
    at = np.arange(values.size) * STEP_MS
    at -= at.mean()
    return float(np.sum(at * values) / np.sum(at**2))


def _decay_per_um(template: Values, apart: Values) -> float:
    size = np.ptp(template, axis=0)
    top = size[np.argmin(apart)]
    used = (apart > 0) & (size > DECAY_HEIGHT * top)
    if np.sum(used) < MIN_CHANNELS - 1:
        return float("nan")
    x, y = apart[used], -np.log(size[used] / top)
    return float(np.sum(x * y) / np.sum(x**2))


def _velocities(unit: Unit, shape: Shape, template: Values, offset: Values) -> tuple[float, float]:
    """Slopes above and below, s/m; `offset` (n_channels, 2), um from the main channel."""
    from scipy.interpolate import CubicSpline

    step = 1000.0 / float(unit.rate_hz or np.nan)
    end_ms = (len(template) - 1) * step
    low, high = max(shape.peak_ms - TRAVEL_MS, 0.0), min(shape.peak_ms + TRAVEL_MS, end_ms)
    first, last = int(low / step), min(int(np.ceil(high / step)), len(template) - 1)
    if last - first < MIN_SAMPLES:
        return float("nan"), float("nan")
    times = np.arange(first, last + 1) * step
    grid = np.arange(low, high, STEP_MS)
    fine = np.sign(shape.size) * CubicSpline(times, template[first : last + 1])(grid)
    at_ms = grid[np.argmax(fine, axis=0)] - shape.peak_ms
    seen = (np.max(fine, axis=0) >= VELOCITY_HEIGHT * abs(shape.size)) & (
        np.abs(offset[:, 0]) <= COLUMN_UM
    )
    found = []
    for side in (1.0, -1.0):
        rows = seen & (side * offset[:, 1] >= 0)
        x, y = np.abs(offset[rows, 1]), at_ms[rows]
        if x.size < MIN_CHANNELS or np.unique(x).size < 3:
            found.append(float("nan"))
            continue
        x = x - x.mean()
        found.append(float(np.sum(x * y) / np.sum(x**2)) * 1000.0)
    return found[0], found[1]


__all__ = [
    "SPACE_FEATURES",
    "WAVEFORM_FEATURES",
    "Shape",
    "known_channels",
    "on_axis",
    "shape_of",
    "space_features",
    "waveform_features",
]
