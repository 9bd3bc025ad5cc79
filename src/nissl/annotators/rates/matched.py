"""A matched filter on whitened noise, and the maxima of what it gives.

Template over power spectrum of the noise, subthreshold voltage being part of that noise. Spikes of
a burst stand on each other's flanks, so maxima are taken away and what is left is looked at again,
then the heights of neighbours are solved for together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.bleaching import SIGMA

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BEFORE_S, AFTER_S = 0.004, 0.010
"""What a template covers around the spike's peak."""
SEPARATE_S = 0.0018
"""Two maxima that are closer, or in frames side by side, are one spike."""
SOLVED = 2.5
"""Height from which on neighbours are told apart together."""
CLOSE, REMAINS = 2, 0.5
"""So many frames from a spike, another has at least this part of its height."""


def reach(rate_hz: float) -> tuple[int, int]:
    """Frames of a template before and after the peak."""
    return max(round(BEFORE_S * rate_hz), 1), max(round(AFTER_S * rate_hz), 2)


def first_template(rate_hz: float) -> Values:
    """A pulse that rises within half a millisecond and falls within one."""
    before, after = reach(rate_hz)
    fine = (np.arange(-before * 16, (after + 1) * 16) + 0.5) / 16 - 0.5
    t = fine / rate_hz
    pulse = np.exp(-np.abs(t) / np.where(t < 0, 0.0005, 0.001)).reshape(-1, 16).mean(axis=1)
    out: Values = pulse / pulse.max()
    return out


def filtered(
    x: Values, template: Values, rate_hz: float, *, noise: Values | None = None
) -> tuple[Values, Values, Values]:
    """Matched filter on whitened noise.

    Parameters
    ----------
    x : ndarray, shape (n_frames,), float64
    template : ndarray, shape (n_lags,), float64
        Peak after `BEFORE_S`.
    rate_hz : float
    noise : ndarray, shape (n_frames,), float64, optional
        Trace without spikes; `x` by default.

    Returns
    -------
    score : ndarray, shape (n_frames,), float64
        Standard deviation of its noise is 1; highest in the frame of a spike's peak.
    response : ndarray, shape (2 n + 1,), float64
        What a spike of the height of the template does to the score around its peak.
    left : ndarray, shape (n_frames,), float64
        The score of `noise`.
    """
    from scipy.signal import fftconvolve, welch

    n = 2 ** int(np.clip(np.ceil(np.log2(0.25 * rate_hz)), 5, np.floor(np.log2(x.size))))
    _, power = welch(x if noise is None else noise, rate_hz, nperseg=n, average="median")
    power = np.maximum(power, 1e-6 * float(np.median(power)) + 1e-30)
    before, _ = reach(rate_hz)
    ring = np.zeros(n)
    ring[: template.size] = template
    kernel = np.fft.irfft(np.fft.rfft(np.roll(ring, -before)) / power, n)
    kernel = np.roll(kernel, n // 2)
    kernel *= np.hanning(n + 1)[:n]

    def through(trace: Values) -> Values:
        out: Values = fftconvolve(trace - float(np.median(trace)), kernel[::-1], mode="full")
        return out[n // 2 - 1 :][: x.size]

    score = through(x)
    left = score if noise is None else through(noise)
    sd = SIGMA * float(np.median(np.abs(left - np.median(left)))) or 1.0
    whole = fftconvolve(np.roll(ring, n // 2 - before), kernel[::-1], mode="full")
    response = whole[n - 1 - n // 4 : n + n // 4]
    return score / sd, response / sd, left / sd


def maxima(score: Values, response: Values, rate_hz: float) -> tuple[Ints, Values]:
    """Local maxima of the score above 0, each without what its higher neighbours do to it.

    Returns
    -------
    frame : ndarray, shape (n,), int64
    height : ndarray, shape (n,), float64
    """
    from scipy.ndimage import maximum_filter1d
    from scipy.signal import find_peaks

    apart = max(round(SEPARATE_S * rate_hz), 2)
    rest, middle = score.copy(), response.size // 2
    frames: list[npt.NDArray[Any]] = []
    heights: list[Values] = []
    # spikes of a burst stand on each other's flanks: take the high ones away and look again
    for lowest in (6.0, 4.0, 0.0):
        frame, _ = find_peaks(rest, height=lowest, distance=apart)
        known = np.concatenate(frames) if frames else np.empty(0, np.int64)
        if known.size:
            # what the template leaves of a spike beside it is no spike
            tall = np.zeros(score.size)
            tall[known] = np.concatenate(heights)
            beside = maximum_filter1d(tall, 2 * CLOSE + 1)[frame]
            at_it = maximum_filter1d(tall, 2 * apart - 1)[frame] > 0
            frame = frame[(rest[frame] > REMAINS * beside) & ~at_it]
        height = rest[frame]
        frames.append(frame)
        heights.append(height)
        at_peak = np.zeros(score.size)
        at_peak[frame] = height / response[middle]
        if lowest:
            rest = rest - np.convolve(at_peak, response)[middle : middle + score.size]
    frame, height = np.concatenate(frames).astype(np.int64), np.concatenate(heights)
    order = np.argsort(frame, kind="stable")
    return frame[order], apart_from_others(score, frame[order], height[order], response)


def apart_from_others(score: Values, frame: Ints, height: Values, response: Values) -> Values:
    """Heights that together say the score, each maximum at its frame; small ones as they are.

    Neighbours are solved for together in a few rounds (Gauss and Seidel).
    """
    middle = response.size // 2
    one = response / response[middle]
    out = height.copy()
    tall = np.flatnonzero(height > SOLVED)
    near = np.flatnonzero(np.diff(frame[tall]) <= middle)
    left, right = tall[near], tall[near + 1]
    for _ in range(5):
        others = np.zeros(frame.size)
        effect = one[middle + frame[right] - frame[left]]
        np.add.at(others, left, effect * out[right])
        np.add.at(others, right, effect * out[left])
        both = np.union1d(left, right)
        out[both] += 0.7 * (score[frame[both]] - others[both] - out[both])
    return out


def minima(score: Values, rate_hz: float) -> Values:
    """Depths of a score's minima, as heights."""
    from scipy.signal import find_peaks

    apart = max(round(SEPARATE_S * rate_hz), 2)
    depth: Values = find_peaks(-score, height=0.0, distance=apart)[1]["peak_heights"]
    return depth
