"""From raw EEG to seven numbers per epoch and derivation.

The recipe is that of the 14 features of Sleep-EDF that nissl's weights were trained on: at
100 Hz, log10 of the mean power spectral density in five bands (uV^2/Hz, Welch 1967: Hann windows
of 4 s that overlap by half), log10 of the variance (uV^2) and Hjorth's mobility (Hjorth 1970,
Electroencephalogr. Clin. Neurophysiol. 29): the root of the variance of the difference from
sample to sample over that of the samples. Epochs shorter than 30 s are measured in the 30 s
around their middle, as far as the recording goes there, so that their numbers mean the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.run.progress import Progress, Silent

Values = npt.NDArray[np.float64]

RATE_HZ = 100.0
WINDOW_S = 30.0
WELCH_S = 4.0
BANDS = {
    "delta_0.5-4": (0.5, 4.0),
    "theta_4-8": (4.0, 8.0),
    "alpha_8-13": (8.0, 13.0),
    "beta_13-30": (13.0, 30.0),
    "gamma_30-50": (30.0, 50.0),
}
NAMES = (*(f"log10_bp_{band}" for band in BANDS), "log10_var", "hjorth_mobility")
UNITS = (*("log10(uV^2/Hz)",) * len(BANDS), "log10(uV^2)", "")
QUIET_UV2 = 1e-4
"""Variance below which a channel carries no signal, uV^2."""
_HALO_S = 2.0
_BATCH = 64


def powers(
    signal: Signal,
    columns: Sequence[int],
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    *,
    progress: Progress | None = None,
) -> Values:
    """The seven numbers of each epoch and channel, read batch by batch.

    Parameters
    ----------
    signal : Signal
    columns : sequence of int
        Channels.
    start, stop : ndarray, shape (n_epochs,), int64
        Samples of each epoch; none crosses a gap.
    progress : Progress, optional

    Returns
    -------
    ndarray, shape (n_epochs, n_channels, 7), float64
        In the order of `NAMES`; NaN where a channel carries no signal or samples that are not
        finite, and for bands above half the rate.
    """
    told = progress or Silent()
    told.start("read the night", float(start.size), "epochs")
    out = np.full((start.size, len(columns), len(NAMES)), np.nan)
    segment = _segments(signal, start)
    for first in range(0, start.size, _BATCH):
        rows = np.arange(first, min(first + _BATCH, start.size))
        for one in np.unique(segment[rows]):
            own = rows[segment[rows] == one]
            out[own] = _batch(signal, columns, start[own], stop[own], int(one))
        told.advance("read the night", float(rows.size))
    told.finish("read the night")
    return out


def _segments(signal: Signal, start: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    begins = np.asarray([segment.start for segment in signal.clock.segments])
    return np.searchsorted(begins, start, side="right") - 1


def _batch(
    signal: Signal,
    columns: Sequence[int],
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    segment: int,
) -> Values:
    rate = signal.rate_hz
    half = np.maximum(WINDOW_S * rate, stop - start) / 2
    middle = (start + stop) / 2
    whole = signal.clock.segments[segment]
    begin = np.clip(np.rint(middle - half), whole.start, whole.stop).astype(np.int64)
    end = np.clip(np.rint(middle + half), whole.start, whole.stop).astype(np.int64)
    halo = int(_HALO_S * rate)
    a = max(whole.start, int(begin.min()) - halo)
    b = min(whole.stop, int(end.max()) + halo)
    read = signal.read(a, b, list(columns)).astype(np.float64)
    samples, ratio = resampled(read, rate)
    i = np.floor((begin - a) * ratio + 1e-6).astype(int)
    j = np.minimum(np.floor((end - a) * ratio + 1e-6).astype(int), len(samples))
    out = np.stack([measured(samples[p:q], rate) for p, q in zip(i, j, strict=True)])
    return np.asarray(out)


def resampled(samples: Values, rate_hz: float) -> tuple[Values, float]:
    """Samples at 100 Hz by a polyphase filter, and the ratio of the rates.

    Parameters
    ----------
    samples : ndarray, shape (n, n_channels), float64
    rate_hz : float
    """
    if abs(rate_hz - RATE_HZ) < 1e-9:
        return samples, 1.0
    from scipy.signal import resample_poly

    ratio = Fraction(RATE_HZ / rate_hz).limit_denominator(2000)
    level = np.nanmean(samples, axis=0) if len(samples) else 0.0  # else the ends would ring
    out = resample_poly(samples - level, ratio.numerator, ratio.denominator, axis=0)
    return np.asarray(out + level), float(ratio)


def measured(samples: Values, rate_hz: float) -> Values:
    """The seven numbers of one stretch.

    Parameters
    ----------
    samples : ndarray, shape (n, n_channels), float64, uV
        At 100 Hz.
    rate_hz : float
        Rate of the recording: what lies above half of it was not recorded.

    Returns
    -------
    ndarray, shape (n_channels, 7), float64
    """
    from scipy.signal import welch

    n_channels = samples.shape[1]
    out = np.full((n_channels, len(NAMES)), np.nan)
    if len(samples) < RATE_HZ / 2:
        return out
    variance = samples.var(axis=0)
    good = np.isfinite(variance) & (variance > QUIET_UV2)
    if not good.any():
        return out
    x = samples[:, good]
    length = min(int(WELCH_S * RATE_HZ), len(x))
    frequency, density = welch(x, RATE_HZ, nperseg=length, noverlap=length // 2, axis=0)
    rows = np.flatnonzero(good)
    for k, (low, high) in enumerate(BANDS.values()):
        inside = (frequency >= low) & (frequency < high)
        if high <= rate_hz / 2 and inside.any():
            out[rows, k] = np.log10(np.maximum(density[inside].mean(axis=0), 1e-12))
    out[rows, len(BANDS)] = np.log10(variance[good])
    out[rows, len(BANDS) + 1] = np.sqrt(np.diff(x, axis=0).var(axis=0) / variance[good])
    return out


__all__ = ["BANDS", "NAMES", "UNITS", "measured", "powers", "resampled"]
