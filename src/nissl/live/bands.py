"""Causal filters with their state, and what is usual so far.

Second-order sections run forwards only (`scipy.signal.sosfilt`), sample after sample, and carry
their state from block to block. Their delay is known and taken off the spans that they give.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]


class Band:
    """A causal Butterworth band-pass of several channels.

    Parameters
    ----------
    rate_hz, low_hz, high_hz : float
    order : int
    """

    def __init__(self, rate_hz: float, low_hz: float, high_hz: float, order: int = 2) -> None:
        from scipy.signal import butter

        if not 0 < low_hz < high_hz < rate_hz / 2:
            raise BadArgumentError(
                f"a band between 0 and {rate_hz / 2:g} Hz, half the rate",
                f"{low_hz:g} to {high_hz:g} Hz",
                "Change the band, or have the amplifier send a higher rate.",
            )
        self._sections = butter(order, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
        self._state: Values | None = None
        self.delay_s = _delay_s(self._sections, rate_hz, float(np.sqrt(low_hz * high_hz)))

    def __call__(self, x: Values) -> Values:
        """Filter the next samples, shape (n, n_channels)."""
        from scipy.signal import sosfilt, sosfilt_zi

        if self._state is None:  # as if the first sample had been there for ever
            self._state = sosfilt_zi(self._sections)[:, :, None] * x[0]
        out, self._state = sosfilt(self._sections, x, axis=0, zi=self._state)
        return np.asarray(out)

    def forget(self) -> None:
        """Begin anew."""
        self._state = None


class Amplitude:
    """Amplitude of an oscillation: root of twice the smoothed square (one pole).

    Parameters
    ----------
    rate_hz : float
    time_s : float
        Time constant, by which the amplitude also lags.
    """

    def __init__(self, rate_hz: float, time_s: float) -> None:
        self._keep = float(np.exp(-1 / (time_s * rate_hz)))
        self._state: Values | None = None

    def __call__(self, y: Values) -> Values:
        """Amplitude of the next filtered samples, shape (n, n_channels)."""
        from scipy.signal import lfilter

        if self._state is None:
            self._state = np.zeros((1, y.shape[1]))
        power, self._state = lfilter(
            [1 - self._keep], [1, -self._keep], y**2, axis=0, zi=self._state
        )
        return np.asarray(np.sqrt(2 * np.maximum(power, 0.0)))

    def forget(self) -> None:
        """Begin anew."""
        self._state = None


class Usual:
    """Median over the last blocks of a number per block and channel.

    Parameters
    ----------
    n_channels : int
    longest, least : int
        Blocks that are remembered, and from which on something is said.
    every : int
        Blocks after which it is worked out anew.
    """

    def __init__(self, n_channels: int, *, longest: int, least: int, every: int) -> None:
        self._ring = np.full((longest, n_channels), np.nan)
        self._least, self._every = least, every
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._n = 0
        self._median: Values | None = None

    def add(self, value: Values) -> Values | None:
        """Median per channel, shape (n_channels,), with one more value; None before enough."""
        self._ring[self._n % len(self._ring)] = value
        self._n += 1
        if self._n >= self._least and (self._median is None or self._n % self._every == 0):
            self._median = np.median(self._ring[: self._n], axis=0)
        return self._median


def _delay_s(sections: Values, rate_hz: float, at_hz: float) -> float:
    """Group delay at a frequency, seconds."""
    from scipy.signal import sosfreqz

    around = np.array([0.99, 1.01]) * at_hz
    phase = np.unwrap(np.angle(sosfreqz(sections, around, fs=rate_hz)[1]))
    return float(-np.diff(phase)[0] / (2 * np.pi * np.diff(around)[0]))


__all__ = ["Amplitude", "Band", "Usual"]
