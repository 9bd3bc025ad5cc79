"""Spectrogram of one trace of a page, for the strip above or below the traces.

Each column is the mean periodogram of Hann windows spread over it, one around its middle where
it is no longer than a window (short-time Fourier transform; Harris 1978, Proc IEEE 66:51; Welch
1967, IEEE Trans Audio Electroacoust 15:70), in dB over its own page, so brightness compares
moments of a page and not pages. Filters are not applied. Where a page is longer than can be
read at once, columns are taken from the page in an order that spreads them evenly, until the
time budget is spent; columns that were not reached, or whose window meets a gap, are empty.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.data.montage import Montage
from nissl.errors import BadArgumentError
from nissl.review.traces import BUDGET_S, PAGE_VALUES, Page, chosen_traces, cut_to, spread_order

MOST_COLUMNS = 800
MOST_ROWS = 200
_WINDOWS_PER_PAGE = 25
_LONGEST_S = 4.0
_MOST_POINTS = 1 << 15
_FEWEST_POINTS = 32
_MOST_WINDOWS = 8
"""Windows of a column, where all samples of the page are read."""
PATIENT_S = 2.0
"""Budget of a spectrogram that is made once for a whole recording, seconds."""
_COLUMNS_AT_LEAST = 16
"""Columns whose samples together are as many as a page's; longer windows are shortened."""


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Power of one trace over time and frequency.

    Parameters
    ----------
    values : ndarray, shape (n_frequencies, n_columns), uint8
        1 to 255 from `low_db` to `high_db`; 0 where nothing is known.
    label : str
        The trace.
    first : int
        Sample at which column 0 begins.
    column_samples : float
        Samples per column.
    top_hz : float
        Upper end of the last row; rows begin at 0 Hz.
    low_db, high_db : float
        dB relative to 1 uV^2 per Hz.
    exact : bool
        Whether every column was computed.
    """

    values: npt.NDArray[np.uint8]
    label: str
    first: int
    column_samples: float
    top_hz: float
    low_db: float
    high_db: float
    exact: bool


def spectrogram(
    signal: Signal,
    page: Page,
    *,
    top_hz: float | None = None,
    budget_s: float = BUDGET_S,
    now: Callable[[], float] = time.monotonic,
) -> Spectrogram:
    """Spectrogram of the first trace of a page, in the page's montage.

    Parameters
    ----------
    signal : Signal
    page : Page
        `width` is the number of columns wanted, at most `MOST_COLUMNS`.
    top_hz : float, optional
        Highest frequency; by default half the sampling rate.
    budget_s : float
        Seconds for pages that are not read at once.
    now : callable
        Clock in seconds.

    Raises
    ------
    BadArgumentError
        As `nissl.review.traces.traces`; a top of 0 Hz or below.
    """
    start, stop = cut_to(page, signal)
    shown, chosen = chosen_traces(page, signal)
    top = signal.rate_hz / 2 if top_hz is None else min(top_hz, signal.rate_hz / 2)
    if not top > 0 or not chosen.size:
        raise BadArgumentError(
            "one trace and a top above 0 Hz", f"{chosen.size} traces, {top_hz} Hz", "Choose them."
        )
    n_columns = min(page.width, MOST_COLUMNS, stop - start)
    points = _points(signal, stop - start)
    many = _windows(signal, stop - start, n_columns, points)
    middles = start + (np.arange(n_columns * many) + 0.5) * (stop - start) / (n_columns * many)
    begins = np.rint(middles - points / 2).astype(np.int64)
    power, exact = _power(signal, (shown, chosen[:1]), begins, points, _deadline(budget_s, now))
    power = _mean_of(power, many)
    frequency = np.fft.rfftfreq(points, 1 / signal.rate_hz)
    rows = max(2, int(np.searchsorted(frequency, top, side="right")))
    step = -(-rows // MOST_ROWS)
    coarse = np.add.reduceat(power[:rows], np.arange(0, rows, step), axis=0) / step
    decibel = 10 * np.log10(np.maximum(coarse, np.float32(1e-12)))
    values, low, high = _as_bytes(decibel)
    spacing = float(frequency[1])
    return Spectrogram(
        values,
        shown.labels[int(chosen[0])],
        start,
        (stop - start) / n_columns,
        min(values.shape[0] * step * spacing, signal.rate_hz / 2),
        low,
        high,
        exact,
    )


def _points(signal: Signal, n_samples: int) -> int:
    """Samples of a window: a power of two, a part of the page, few where a page is only sampled."""
    wanted = min(n_samples / _WINDOWS_PER_PAGE, _LONGEST_S * signal.rate_hz, _MOST_POINTS)
    if n_samples * signal.n_channels > PAGE_VALUES:
        wanted = min(wanted, PAGE_VALUES / (_COLUMNS_AT_LEAST * signal.n_channels))
    return max(_FEWEST_POINTS, 1 << round(math.log2(max(wanted, 1))))


def _windows(signal: Signal, n_samples: int, n_columns: int, points: int) -> int:
    """Windows per column: as many as lie side by side in it, one where a page is only sampled."""
    if n_samples * signal.n_channels > PAGE_VALUES:
        return 1
    return int(np.clip(n_samples / n_columns // points, 1, _MOST_WINDOWS))


def _mean_of(power: npt.NDArray[np.float32], many: int) -> npt.NDArray[np.float32]:
    """Mean over the known ones of `many` neighbouring windows; NaN where none is known."""
    if many == 1:
        return power
    parts = power.reshape(power.shape[0], -1, many)
    known = np.isfinite(parts)
    total = np.where(known, parts, 0).sum(axis=2)
    n = known.sum(axis=2)
    mean = np.full(total.shape, np.nan, np.float32)
    np.divide(total, n, out=mean, where=n > 0)
    return mean


def _deadline(budget_s: float, now: Callable[[], float]) -> Callable[[], bool]:
    late = now() + budget_s
    return lambda: now() >= late


def _power(
    signal: Signal,
    shown: tuple[Montage, npt.NDArray[np.intp]],
    begins: npt.NDArray[np.int64],
    points: int,
    late: Callable[[], bool],
) -> tuple[npt.NDArray[np.float32], bool]:
    """Periodograms of the windows, shape (points // 2 + 1, n), uV^2 per Hz; NaN where none."""
    out = np.full((points // 2 + 1, begins.size), np.nan, dtype=np.float32)
    window = np.hanning(points + 1)[:-1].astype(np.float32)
    scale = 2 / (signal.rate_hz * float(np.sum(window**2)))
    columns = shown[0].columns(shown[1])
    exact = True
    for segment in signal.clock.segments:
        inside = np.flatnonzero((begins >= segment.start) & (begins + points <= segment.stop))
        if not inside.size:
            continue
        low, high = int(begins[inside[0]]), int(begins[inside[-1]]) + points
        if (high - low) * signal.n_channels <= PAGE_VALUES:
            read = signal.read(low, high, columns.tolist())
            trace = shown[0].apply(read, columns, shown[1])[:, 0]
            every = np.lib.stride_tricks.sliding_window_view(trace, points)
            out[:, inside] = _periodograms(every[begins[inside] - low], window) * scale
            continue
        for index in inside[spread_order(inside.size)]:
            if late():
                exact = False
                break
            read = signal.read(int(begins[index]), int(begins[index]) + points, columns.tolist())
            trace = shown[0].apply(read, columns, shown[1])[:, 0]
            out[:, index] = _periodograms(trace[None], window)[:, 0] * scale
    return out, exact


def _periodograms(
    windows: npt.NDArray[np.float32], window: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Squared spectra of windows of shape (n, points), shape (points // 2 + 1, n)."""
    centred = (windows - windows.mean(axis=1, keepdims=True)) * window
    spectrum = np.fft.rfft(centred, axis=1)
    return np.asarray((spectrum.real**2 + spectrum.imag**2).T, dtype=np.float32)


def _as_bytes(
    decibel: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.uint8], float, float]:
    known = np.isfinite(decibel)
    if not known.any():
        return np.zeros(decibel.shape, np.uint8), 0.0, 1.0
    low, high = (float(q) for q in np.percentile(decibel[known], [5, 99.8]))
    high = max(high, low + 1)
    scaled = 1 + 254 * np.clip((np.where(known, decibel, low) - low) / (high - low), 0, 1)
    return np.where(known, np.rint(scaled), 0).astype(np.uint8), low, high
