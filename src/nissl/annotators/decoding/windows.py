"""Windows around onsets, from a stream chunk by chunk; offline is the same code over a file.

The band-pass is causal (a Butterworth filter that carries its state on), so a window that was
cut from a stream equals the one cut from the file afterwards, bit for bit, however the chunks
fall. What that costs is the delay of the filter, `Windowing.delay_s`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.errors import BadArgumentError

ORDER = 2
BLOCK = 1 << 16
"""Samples that are read at once."""
KEEP_S = 10.0
"""Seconds of a stream that are kept for onsets that arrive late."""


@dataclass(frozen=True)
class Windowing:
    """What is cut around an onset, and how it is filtered before.

    Parameters
    ----------
    rate_hz : float
    start_s, stop_s : float
        Half-open window relative to the onset.
    band_hz : (float, float), optional
        Causal band-pass; None leaves the samples as they are.
    average : bool
        Whether the mean over channels is taken away from each sample.
    every : int
        Of each window every so many samples are kept; the band has to lie below half of what is
        left of the rate.
    """

    rate_hz: float
    start_s: float
    stop_s: float
    band_hz: tuple[float, float] | None = None
    average: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        if not (np.isfinite([self.start_s, self.stop_s]).all() and self.n_samples > 0):
            raise BadArgumentError(
                "a window that ends after it starts",
                f"{self.start_s:g} to {self.stop_s:g} s at {self.rate_hz:g} Hz",
                "Give start_s and stop_s in seconds from the onset.",
            )
        top = self.rate_hz / 2 / self.every
        if self.band_hz is not None and not 0 < self.band_hz[0] < self.band_hz[1] < top:
            raise BadArgumentError(
                f"a band between 0 and {top:g} Hz", f"{self.band_hz}", "Change the band."
            )

    @property
    def first(self) -> int:
        """First sample of the window relative to the onset."""
        return round(self.start_s * self.rate_hz)

    @property
    def n_samples(self) -> int:
        """Samples of the stream in a window; the windows have every `every`-th of them."""
        return round((self.stop_s - self.start_s) * self.rate_hz)

    def sections(self) -> npt.NDArray[np.float64]:
        """Second-order sections of the band-pass, (n_sections, 6)."""
        from scipy.signal import butter

        if self.band_hz is None:
            return np.empty((0, 6))
        return np.asarray(butter(ORDER, self.band_hz, "bandpass", fs=self.rate_hz, output="sos"))

    @property
    def delay_s(self) -> float:
        """Group delay of the band-pass in the middle (geometric) of its band, seconds."""
        if self.band_hz is None:
            return 0.0
        from scipy.signal import sosfreqz

        centre = float(np.sqrt(self.band_hz[0] * self.band_hz[1]))
        around = np.array([0.99, 1.01]) * centre
        phase = np.unwrap(np.angle(sosfreqz(self.sections(), around, fs=self.rate_hz)[1]))
        return float(-np.diff(phase)[0] / (2 * np.pi * np.diff(around)[0]))

    @property
    def latency_s(self) -> float:
        """Seconds from an onset to a complete window, without computing: its end and the delay."""
        return self.stop_s + self.delay_s


class Cutter:
    """Cuts windows from a stream.

    Parameters
    ----------
    settings : Windowing
    n_channels : int
    start : int
        Number of the first sample that will be pushed.
    """

    def __init__(self, settings: Windowing, n_channels: int, *, start: int = 0) -> None:
        self.settings = settings
        self._n_channels = n_channels
        self._sections = settings.sections()
        self._state: npt.NDArray[np.float64] | None = None
        self._kept = np.empty((0, n_channels))
        self._kept_from = start
        self._asked: list[int] = []
        self._length = max(settings.n_samples, round(KEEP_S * settings.rate_hz))

    @property
    def position(self) -> int:
        """Number of the next sample."""
        return self._kept_from + len(self._kept)

    def ask(self, onset: int) -> None:
        """Ask for the window of an onset, which may still lie ahead.

        Raises
        ------
        BadArgumentError
            Its samples are no longer kept.
        """
        if onset + self.settings.first < self._kept_from:
            raise BadArgumentError(
                f"an onset whose window begins at sample {self._kept_from} or later",
                f"onset {onset}",
                f"Ask within {KEEP_S:g} s, before the samples are forgotten.",
            )
        self._asked.append(onset)

    def push(self, samples: npt.NDArray[Any]) -> list[tuple[int, npt.NDArray[np.float64]]]:
        """Take the next samples and give every window that is complete by now.

        Parameters
        ----------
        samples : ndarray, shape (n_samples, n_channels), uV

        Returns
        -------
        list of (int, ndarray of shape (n_channels, n_kept), float64)
            Onset and window, in the order of the onsets.
        """
        if samples.ndim != 2 or samples.shape[1] != self._n_channels:
            raise BadArgumentError(
                f"samples of shape (n, {self._n_channels})", f"{samples.shape}", "Mend the chunk."
            )
        self._kept = np.concatenate([self._kept, self._filtered(samples)])
        done = []
        for onset in sorted(self._asked):
            begin = onset + self.settings.first - self._kept_from
            if begin + self.settings.n_samples <= len(self._kept):
                window = self._kept[begin : begin + self.settings.n_samples : self.settings.every]
                done.append((onset, window.T.copy()))
                self._asked.remove(onset)
        self._forget()
        return done

    def _filtered(self, samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        from scipy.signal import sosfilt, sosfilt_zi

        values = np.asarray(samples, dtype=np.float64)
        if self.settings.average:
            values = values - values.mean(axis=1, keepdims=True)
        if not len(self._sections) or not len(values):
            return values
        if self._state is None:  # as if the first sample had been there for ever
            self._state = sosfilt_zi(self._sections)[:, :, None] * values[0]
        out, self._state = sosfilt(self._sections, values, axis=0, zi=self._state)
        return np.asarray(out)

    def _forget(self) -> None:
        wanted = min(self._asked, default=self.position) + self.settings.first
        drop = min(self.position - self._length, wanted) - self._kept_from
        if drop > 0:
            self._kept = self._kept[drop:]
            self._kept_from += drop


def cut(
    signal: Signal, onsets: npt.NDArray[np.int64], settings: Windowing
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Windows of a recording, filtered from the start of each segment.

    Parameters
    ----------
    signal : Signal
    onsets : ndarray, shape (n,), int64
        Samples.
    settings : Windowing

    Returns
    -------
    windows : ndarray, shape (n_inside, n_channels, n_kept), float64
    inside : ndarray, shape (n,), bool
        Whether the window of each onset lies within one segment; others are left out.

    Raises
    ------
    BadArgumentError
        The signal has another rate than the settings.
    """
    if not np.isclose(signal.rate_hz, settings.rate_hz, rtol=1e-4):
        raise BadArgumentError(
            f"a signal at {settings.rate_hz:g} Hz, for which the window was set",
            f"{signal.rate_hz:g} Hz",
            "Set the window for this signal, or resample it.",
        )
    begin = np.asarray(onsets, np.int64) + settings.first
    found: dict[int, npt.NDArray[np.float64]] = {}
    inside = np.zeros(len(begin), bool)
    for segment in signal.clock.segments:
        own = (begin >= segment.start) & (begin + settings.n_samples <= segment.stop)
        inside |= own
        if not own.any():
            continue
        cutter = Cutter(settings, signal.n_channels, start=segment.start)
        asked = np.unique(np.asarray(onsets)[own])
        last = int(asked.max()) + settings.first + settings.n_samples
        for onset in asked.tolist():
            cutter.ask(onset)
        for a, b in _pieces(segment.start, last):
            found.update(cutter.push(signal.read(a, b)))
    n_kept = len(range(0, settings.n_samples, settings.every))
    windows = np.empty((int(inside.sum()), signal.n_channels, n_kept))
    for row, onset in enumerate(np.asarray(onsets)[inside].tolist()):
        windows[row] = found[onset]
    return windows, inside


def _pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for a in range(start, stop, BLOCK):
        yield a, min(a + BLOCK, stop)
