"""What the spike train of a unit tells: its intervals and its autocorrelogram.

A sorter finds some spikes twice; spikes less than 0.2 ms after the one before are the same
spike and are left out before anything is computed (`once`), as correlograms of spike pairs do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import LOG_EDGES_S, LOG_S, N_LOG
from nissl.annotators.celltypes.lags import (
    NARROW_MS,
    Lags,
    counts_by_ms,
    log_counts,
    log_intervals,
    narrow_counts,
)
from nissl.annotators.spikes.correlograms import CENSORED_MS

Values = npt.NDArray[np.float64]

INTERVAL_FEATURES = (
    "firing_rate_hz",
    "log_n_spikes",
    "cv",
    "cv2",
    "lv",
    "lvr",
    "isi_mode_ms",
    "isi_median_ms",
    "burst_mizuseki",
    "rate_instability",
)
ACG_FEATURES = (
    "burst_royer",
    "burst_doublets",
    "theta_modulation",
    "refractory_ms",
)

MIN_SPIKES = 100
"""Spikes that an autocorrelogram needs."""

MIN_INTERVALS = 30
MIN_BASE_PAIRS = 20
BASE_S = (1.0, 10.0)
BURST_S = 0.006
REFRACTORY_R_S = 0.005
RATE_BIN_S = 180.0
MIN_RATE_BINS = 4


def once(spikes_s: Values) -> Values:
    """Spike times without those less than 0.2 ms after the one before."""
    return np.asarray(spikes_s[np.diff(spikes_s, prepend=-np.inf) >= CENSORED_MS / 1000])


def duplicated(spikes_s: Values) -> float:
    """Fraction of spikes found twice: less than 0.2 ms after the one before."""
    return 1 - once(spikes_s).size / spikes_s.size if spikes_s.size else float("nan")


def interval_features(
    spikes_s: Values, duration_s: float | None, share: Values
) -> dict[str, float]:
    """Features of rate and intervals.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64
        Seconds, increasing, each spike once.
    duration_s : float, optional
        Of the recording.
    share : ndarray, shape (100,), float64
        As `log_isi` gives it.

    Returns
    -------
    dict of str to float
        `INTERVAL_FEATURES`; NaN with fewer than thirty intervals.

    Notes
    -----
    - firing_rate_hz: spikes over the duration.
    - log_n_spikes: logarithm to base 10 of their number, for how far the rest can be relied on.
    - cv: standard deviation of intervals over their mean.
    - cv2: mean of 2 abs(b - a) / (a + b) of neighbouring intervals (Holt et al. 1996, J
      Neurophysiol 75:1806-1814).
    - lv, lvr: mean of 3 ((a - b) / (a + b))**2 (Shinomoto et al. 2003, Neural Comput
      15:2823-2842), and the same corrected for a refractory period of 5 ms (Shinomoto et al.
      2009, PLoS Comput Biol 5:e1000433).
    - isi_mode_ms: mode of intervals on the logarithmic axis.
    - isi_median_ms: median interval.
    - burst_mizuseki: fraction of spikes with a neighbour within 6 ms (Mizuseki et al. 2012,
      Hippocampus 22:1659-1680).
    - rate_instability: median change of rate from one 180-s bin to the next over the mean rate
      (CellExplorer `firingRateInstability`); four bins at least.
    """
    out = dict.fromkeys(INTERVAL_FEATURES, float("nan"))
    n = spikes_s.size
    span = duration_s if duration_s is not None else (float(np.ptp(spikes_s)) if n > 1 else 0.0)
    if span > 0:
        out["firing_rate_hz"] = n / span
    if n:
        out["log_n_spikes"] = float(np.log10(n))
    interval = np.diff(spikes_s)
    if interval.size < MIN_INTERVALS:
        return out
    a, b = interval[:-1], interval[1:]
    both = a + b
    out["cv"] = float(np.std(interval) / np.mean(interval))
    out["cv2"] = float(np.mean(2 * np.abs(b - a) / both))
    out["lv"] = float(3 * np.mean(((a - b) / both) ** 2))
    regular = (1 - 4 * a * b / both**2) * (1 + 4 * REFRACTORY_R_S / both)
    out["lvr"] = float(3 * np.mean(regular))
    out["isi_median_ms"] = float(np.median(interval) * 1000)
    out["isi_mode_ms"] = isi_mode_ms(share)
    short = interval < BURST_S
    out["burst_mizuseki"] = float(np.mean(short[1:] | short[:-1]))
    out["rate_instability"] = _instability(spikes_s, span)
    return out


def log_isi(spikes_s: Values) -> Values:
    """Share of intervals per bin of `axes.LOG_EDGES_S`, of those within the axis.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64
        Seconds, increasing, each spike once.

    Returns
    -------
    ndarray, shape (100,), float64
        Sums to 1; NaN with fewer than thirty intervals on the axis. Short intervals are
        smoothed over the grid of samples, see `lags`.
    """
    interval = np.diff(spikes_s)
    inside = (interval >= LOG_EDGES_S[0]) & (interval < LOG_EDGES_S[-1])
    if np.sum(inside) < MIN_INTERVALS:
        return np.full(N_LOG, np.nan)
    counts = log_intervals(interval)
    return np.asarray(counts / counts.sum())


def isi_mode_ms(share: Values) -> float:
    """Mode of intervals on the logarithmic axis, smoothed over some bins; see `log_isi`."""
    if not np.all(np.isfinite(share)):
        return float("nan")
    return float(LOG_S[np.argmax(np.convolve(share, np.hanning(9)[1:-1], mode="same"))] * 1000)


def log_acg(lags: Lags | None) -> Values:
    """Rate at each lag over the mean rate at lags of 1 to 10 s.

    Parameters
    ----------
    lags : Lags, optional

    Returns
    -------
    ndarray, shape (100,), float64
        On `axes.LOG_S`, corrected for the pairs that the recording's end cuts off; NaN at lags
        that the recording is not twice as long as, and throughout with fewer than a hundred
        spikes or twenty pairs at 1 to 10 s.
    """
    nothing = np.full(N_LOG, np.nan)
    if lags is None or lags.n_spikes < MIN_SPIKES:
        return nothing
    counts, width, lag = log_counts(lags), np.diff(LOG_EDGES_S), np.array(LOG_S)
    seen = np.where(lag < lags.duration_s / 2, 1 - lag / lags.duration_s, np.nan)
    base = (lag > BASE_S[0]) & (lag < BASE_S[1]) & np.isfinite(seen)
    if counts[base].sum() < MIN_BASE_PAIRS:
        return nothing
    level = counts[base].sum() / np.sum(width[base] * seen[base])
    return np.asarray(counts / (width * seen) / level)


def narrow_acg(lags: Lags) -> Values:
    """Rate in bins of 0.5 ms centred on lags of 0.5 to 50 ms, shape (100,), float64, Hz."""
    return np.asarray(narrow_counts(lags) / lags.n_spikes / (NARROW_MS / 1000))


def acg_features(lags: Lags | None) -> dict[str, float]:
    """Features of the autocorrelogram; NaN with fewer than a hundred spikes.

    See `correlogram_features`.
    """
    if lags is None or lags.n_spikes < MIN_SPIKES:
        return dict.fromkeys(ACG_FEATURES, float("nan"))
    return correlogram_features(narrow_acg(lags), counts_by_ms(lags))


def correlogram_features(narrow: Values, by_ms: Values) -> dict[str, float]:
    """Features of an autocorrelogram, whoever counted it.

    Parameters
    ----------
    narrow : ndarray, shape (100,), float64
        In bins of 0.5 ms centred on 0.5 to 50 ms, in any unit.
    by_ms : ndarray, shape (n,), float64
        In bins of 1 ms centred on 0, 1, .. ms, to 300 ms at least, in any unit.

    Returns
    -------
    dict of str to float
        `ACG_FEATURES`; NaN where nothing is counted that a ratio needs.

    Notes
    -----
    As CellExplorer's `calc_ACG_metrics` (Petersen et al. 2021, Neuron 109:3594-3608). Stored
    values of older versions differ: theta modulation has the other sign there, and the burst
    index of Royer et al. is three times as large.

    - burst_royer: rate at 3 to 5 ms over that at 200 to 300 ms (Royer et al. 2012, Nat Neurosci
      15:769-775; Senzai and Buzsaki 2017, Neuron 93:691-704).
    - burst_doublets: largest rate at 2.5 to 8 ms over the mean one at 8 to 11.5 ms (Petersen
      et al. 2021).
    - theta_modulation: rate at 100 to 140 ms minus that at 50 to 70 ms over their sum (Cacucci
      et al. 2004, J Neurosci 24:8265-8277).
    - refractory_ms: lag at which the autocorrelogram on its way to its peak first climbs by
      more than one standard deviation of its steps (Royer et al. 2012).
    """
    late, early = by_ms[200:301].mean(), by_ms[3:6].mean()
    trough, peak = by_ms[50:71].mean(), by_ms[100:141].mean()
    after = narrow[15:23].mean()
    nan = float("nan")
    return {
        "burst_royer": float(early / late) if late > 0 else nan,
        "burst_doublets": float(narrow[4:16].max() / after) if after > 0 else nan,
        "theta_modulation": float((peak - trough) / (peak + trough)) if peak + trough > 0 else nan,
        "refractory_ms": _refractory_ms(narrow),
    }


def _refractory_ms(narrow: Values) -> float:
    rising = np.diff(np.concatenate([[0.0], narrow[: int(np.argmax(narrow)) + 1]]))
    if rising.size < 2 or not np.any(narrow > 0):
        return float("nan")
    steep = np.flatnonzero(rising > np.std(rising))
    return float((steep[0] + 1) * NARROW_MS) if steep.size else float("nan")


def _instability(spikes_s: Values, span: float) -> float:
    n_bins = int(span / RATE_BIN_S)
    if n_bins < MIN_RATE_BINS:
        return float("nan")
    start = min(float(spikes_s[0]), 0.0) if spikes_s[-1] <= span else float(spikes_s[0])
    edges = start + RATE_BIN_S * np.arange(n_bins + 1)
    counts = np.diff(np.searchsorted(spikes_s, edges))
    return float(np.median(np.abs(np.diff(counts))) / counts.mean()) if counts.any() else np.nan


__all__ = [
    "ACG_FEATURES",
    "INTERVAL_FEATURES",
    "acg_features",
    "correlogram_features",
    "duplicated",
    "interval_features",
    "isi_mode_ms",
    "log_acg",
    "log_isi",
    "narrow_acg",
    "once",
]
