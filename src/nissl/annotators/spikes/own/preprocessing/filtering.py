"""Band-pass and decimation, causal and stateful: the same offline and live.

Second-order Butterworth high-pass, eighth-order elliptic-like (Chebyshev, type 2) low-pass, then
every `step`-th sample. All that 6 kHz of band need is kept at about 15 kHz, and every later
step costs a fraction of what it would cost at the rate of the recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.sections import run_sections
from nissl.errors import BadMetadataError

Samples = npt.NDArray[np.float32]

KEPT_RATE_HZ = 15_000.0
"""Least rate after decimation, where the recording has more."""
MIN_RATE_HZ = 5_000.0
SETTLE_S = 0.03
"""After so long the filter has forgotten where it began, to a thousandth."""
LOW_PASS_ORDER = 6
STOP_DB = 40.0


@dataclass(frozen=True, eq=False)
class Band:
    """A designed filter.

    Parameters
    ----------
    rate_hz : float
        Of the samples that come.
    step : int
        Every so many-th sample is kept.
    sections : ndarray, shape (n_sections, 5), float32
        Second-order sections b0, b1, b2, a1, a2.
    """

    rate_hz: float
    step: int
    sections: Samples

    @property
    def kept_hz(self) -> float:
        """Rate of the samples that are kept."""
        return self.rate_hz / self.step


def design(rate_hz: float, low_hz: float = 300.0, high_hz: float = 6000.0) -> Band:
    """Design the band-pass of a rate.

    Parameters
    ----------
    rate_hz : float
    low_hz, high_hz : float
        Corners; the upper one is lowered where the rate asks for it.

    Raises
    ------
    BadMetadataError
        Below 5 kHz, or corners out of order.
    """
    from scipy.signal import butter, cheby2

    if rate_hz < MIN_RATE_HZ or not 0 < low_hz < high_hz:
        raise BadMetadataError(
            f"at least {MIN_RATE_HZ:g} Hz, and a band from low to high",
            f"{rate_hz:g} Hz, band {low_hz:g} to {high_hz:g} Hz",
            "Give the wide-band stream, or correct the band.",
        )
    step = max(1, int(rate_hz / KEPT_RATE_HZ * 1.0001))
    nyquist = rate_hz / 2
    sos = butter(2, low_hz / nyquist, "highpass", output="sos")
    stop = min(high_hz * 1.3, 0.53 * rate_hz / step)
    if stop < 0.98 * nyquist:
        sos = np.concatenate([cheby2(LOW_PASS_ORDER, STOP_DB, stop / nyquist, output="sos"), sos])
    sections = np.concatenate([sos[:, :3], sos[:, 4:]], axis=1)
    return Band(rate_hz, step, np.ascontiguousarray(sections, dtype=np.float32))


def taken_away(band: Band, n_lags: int, n_frequencies: int = 512) -> npt.NDArray[np.float64]:
    """Autocovariance of what the band takes of white noise, over the variance of what it leaves.

    Parameters
    ----------
    band : Band
    n_lags : int
        Samples at the kept rate, from lag 0.
    n_frequencies : int
        Of the sum over frequencies.
    """
    turn = np.pi * (np.arange(n_frequencies) + 0.5) / n_frequencies
    z = np.exp(-1j * turn / band.step)
    power = np.ones(n_frequencies)
    for b0, b1, b2, a1, a2 in band.sections.astype(np.float64):
        power *= np.abs((b0 + b1 * z + b2 * z**2) / (1 + a1 * z + a2 * z**2)) ** 2
    lost = np.maximum(1 - power, 0)
    lags = np.arange(n_lags)[:, None]
    return np.asarray(np.mean(lost * np.cos(turn * lags), axis=1) / np.mean(power))


def fresh_state(band: Band, n_channels: int) -> Samples:
    """State of a filter that has seen nothing."""
    return np.zeros((len(band.sections), 2, n_channels), np.float32)


def run_filter(x: Samples, band: Band, state: Samples, phase: int = 0) -> tuple[Samples, int]:
    """Filter a chunk and keep every `step`-th sample; the state goes on.

    Parameters
    ----------
    x : ndarray, shape (n, n_channels), float32
    band : Band
    state : ndarray
        From `fresh_state`, changed in place.
    phase : int
        Samples until the next one that is kept.

    Returns
    -------
    y : ndarray, shape (about n / step, n_channels), float32
    phase : int
        For the next chunk.
    """
    n = len(x)
    n_kept = max(0, -(-(n - phase) // band.step))
    out = np.empty((n_kept, x.shape[1]), np.float32)
    samples = np.ascontiguousarray(x, dtype=np.float32)
    run_sections(samples, band.sections, state, phase, band.step, out)
    return out, phase + n_kept * band.step - n
