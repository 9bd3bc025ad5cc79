"""What hybrid units are added to: a real recording, or noise made like it.

A real background keeps the spikes of its own cells. They are not in the truth, so units that a
sorter finds beside the true ones may well be real, and true units can be merged with them: on
real backgrounds count such units as "unmatched", not as false. A surrogate is Gaussian: it has
the spectrum and the covariance between channels of the real one and no spikes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.groundtruth import grid_um
from nissl.errors import BadMetadataError, SourceNotFoundError

LOCUST = Path("ephys/paired_raw/locust20010201_tetrode_trial01.npz")
"""Where the locust tetrode recording lies within the data folder."""

BAND_HZ = (300.0, 6000.0)
"""Band in which the level of a background is stated."""

_FADE_S = 0.05
_SEGMENT_S = (3.0, 8.0)
_FFT_S = 1.0
_N_WELCH = 512
_BANDS = 48


@dataclass(frozen=True, eq=False)
class Background:
    """A recording without known spikes.

    Parameters
    ----------
    samples : ndarray, shape (n_samples, n_channels)
        In uV, or in any unit when the level is to be set.
    rate_hz : float
    position_um : ndarray, shape (n_channels, 2), float64, micrometres
        Needed for surrogates: over which distances the covariance holds.
    name : str
    """

    samples: npt.NDArray[np.float32]
    rate_hz: float
    position_um: npt.NDArray[np.float64]
    name: str

    def __post_init__(self) -> None:
        samples = np.array(self.samples, dtype=np.float32)
        position = np.array(self.position_um, dtype=np.float64)
        if samples.ndim != 2 or position.shape != (samples.shape[1], 2):
            raise BadMetadataError(
                "samples (n_samples, n_channels) and one position (x, y) per channel",
                f"shapes {samples.shape} and {position.shape}",
                "Give both for the same channels.",
            )
        if samples.shape[0] < self.rate_hz:
            raise BadMetadataError(
                "a background of at least 1 s",
                f"{samples.shape[0] / self.rate_hz:.3g} s",
                "Give a longer one.",
            )
        samples -= np.median(samples, axis=0)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "position_um", position)

    @property
    def duration_s(self) -> float:
        """Its length, seconds."""
        return float(self.samples.shape[0] / self.rate_hz)

    def resampled(self, rate_hz: float) -> npt.NDArray[np.float32]:
        """Samples at another rate, shape (n, n_channels); band-limited, nothing is made up."""
        from scipy.signal import resample_poly

        ratio = Fraction(rate_hz / self.rate_hz).limit_denominator(1000)
        if ratio == 1:
            return self.samples
        up = resample_poly(self.samples, ratio.numerator, ratio.denominator, axis=0)
        return np.asarray(up, dtype=np.float32)

    def level(self) -> float:
        """Robust standard deviation in `BAND_HZ`, mean over channels, in the samples' unit.

        Median absolute deviation over 0.6745 (Quiroga, Nadasdy and Ben-Shaul 2004, Neural
        Computation 16), so that spikes count little.
        """
        from scipy.signal import butter, sosfiltfilt

        high = min(BAND_HZ[1], 0.45 * self.rate_hz)
        sos = butter(3, (BAND_HZ[0], high), btype="band", fs=self.rate_hz, output="sos")
        filtered = sosfiltfilt(sos, self.samples, axis=0)
        return float(np.mean(np.median(np.abs(filtered), axis=0)) / 0.6745)


def load_locust(data_dir: Path) -> Background:
    """Read the locust tetrode recording: 28.8 s, 15 kHz, 4 channels, no labels.

    Its gain is not known, so its level must be set when it is used. The places of its contacts
    are taken as a square of 25 um.

    Raises
    ------
    SourceNotFoundError
        The file is not in the data folder.
    """
    path = Path(data_dir) / LOCUST
    if not path.is_file():
        raise SourceNotFoundError(
            f"the locust tetrode recording at {LOCUST} of the data folder",
            "no such file",
            "Point NISSL_DATA (or --train, --test) at the data folder.",
        )
    with np.load(path, allow_pickle=False) as stored:
        samples, rate_hz = stored["data"].astype(np.float32), float(stored["fs"])
    return Background(samples, rate_hz, grid_um(4, pitch_um=25.0), "locust antennal lobe tetrode")


def real_blocks(
    background: Background, n_samples: int, rate_hz: float, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.float32]]:
    """Background of any length from a real recording, in its own unit.

    A recording that is long enough is cut. A shorter one is continued by pieces of 3 to 8 s
    from random places, each faded over 50 ms into the next with constant power, so that no
    period as long as the recording itself appears; what it holds does come again.

    Yields
    ------
    ndarray, shape (n, n_channels), float32
        Together `n_samples`.
    """
    samples = background.resampled(rate_hz)
    if len(samples) >= n_samples:
        start = int(rng.integers(0, len(samples) - n_samples + 1))
        yield samples[start : start + n_samples]
        return
    fade = int(_FADE_S * rate_hz)
    pieces = _pieces(samples, rate_hz, rng)
    yield from _faded(pieces, fade, n_samples)


def _pieces(
    samples: npt.NDArray[np.float32], rate_hz: float, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.float32]]:
    low, high = (min(int(s * rate_hz), len(samples)) for s in _SEGMENT_S)
    while True:
        n = int(rng.integers(low, high + 1))
        start = int(rng.integers(0, len(samples) - n + 1))
        yield samples[start : start + n]


def _faded(
    pieces: Iterator[npt.NDArray[np.float32]], fade: int, n_samples: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Join pieces, the end of each faded into the start of the next; variances are kept."""
    angle = (np.arange(fade, dtype=np.float32)[:, None] + 0.5) / fade * np.float32(np.pi / 2)
    rise, fall = np.sin(angle), np.cos(angle)
    tail: npt.NDArray[np.float32] | None = None
    left = n_samples
    while left > 0:
        piece = next(pieces)
        body = piece[:-fade].copy()
        if tail is not None:
            body[:fade] = body[:fade] * rise + tail * fall
        tail = piece[-fade:]
        yield body[:left]
        left -= len(body)


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Gaussian noise with the spectrum and spatial covariance of a real background.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n_frequencies,)
    power : ndarray, shape (n_frequencies,)
        Power spectral density, unit^2 / Hz, median over channels.
    decay_um : ndarray, shape (n_frequencies,)
        Distance over which the coherence between contacts falls to 1/e.
    """

    frequency_hz: npt.NDArray[np.float64]
    power: npt.NDArray[np.float64]
    decay_um: npt.NDArray[np.float64]

    def level(self) -> float:
        """Standard deviation in `BAND_HZ`, in the background's own unit."""
        inside = (self.frequency_hz >= BAND_HZ[0]) & (self.frequency_hz <= BAND_HZ[1])
        step_hz = float(self.frequency_hz[1] - self.frequency_hz[0])
        return float(np.sqrt(np.sum(self.power[inside]) * step_hz))

    @classmethod
    def fit(cls, background: Background) -> Surrogate:
        """Measure spectrum and covariance; needs at least two channels.

        Spectra are medians over windows (Welch's method), so that spikes count little. The
        real part of the coherence at each frequency, from means over windows (medians of cross
        spectra are biased) and over pairs of channels, is taken to fall off exponentially with
        distance; at the mean distance of the real contacts it is the measured one.
        """
        from scipy.signal import csd, welch

        samples, rate = background.samples, background.rate_hz
        n = samples.shape[1]
        if n < 2:
            raise BadMetadataError(
                "a background of at least two channels", f"{n}", "Give a multichannel one."
            )
        options = {"fs": rate, "nperseg": _N_WELCH, "axis": 0}
        frequency, power = welch(samples, average="median", **options)
        mean = welch(samples, **options)[1]
        pairs = [(i, j) for i in range(n) for j in range(i)]
        coherence = np.zeros(frequency.size)
        distance = 0.0
        for i, j in pairs:
            cross = csd(samples[:, i], samples[:, j], **options)[1].real
            coherence += cross / np.sqrt(mean[:, i] * mean[:, j]) / len(pairs)
            between = background.position_um[i] - background.position_um[j]
            distance += float(np.hypot(*between)) / len(pairs)
        smooth = np.convolve(np.pad(coherence, 2, mode="edge"), np.full(5, 0.2), mode="valid")
        decay = -distance / np.log(np.clip(smooth, 0.01, 0.95))
        # above the anti-aliasing filter of the real recording there is nothing to measure
        top = np.searchsorted(frequency, 0.45 * rate)
        spectrum = np.median(power, axis=1)
        spectrum[top:] = spectrum[top - 1]
        spectrum[0] = 0.0
        return cls(frequency, spectrum, decay)

    def blocks(
        self,
        position_um: npt.NDArray[np.float64],
        n_samples: int,
        rate_hz: float,
        rng: np.random.Generator,
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Noise on contacts at given places, in the background's own unit.

        Yields
        ------
        ndarray, shape (n, n_channels), float32
            Together `n_samples`. Above the measured frequencies the spectrum stays level.
        """
        n_fft = int(_FFT_S * rate_hz)
        frequency = np.fft.rfftfreq(n_fft, 1.0 / rate_hz).astype(np.float64)
        # E|X|^2 of an unnormalised DFT of noise with one-sided density P is P * rate * n / 2
        size = np.sqrt(np.interp(frequency, self.frequency_hz, self.power) * rate_hz * n_fft / 2)
        mixing = self._mixing(position_um, frequency)
        fade = int(_FADE_S * rate_hz)
        pieces = _gaussian(size.astype(np.float32), mixing, n_fft, rng)
        yield from _faded(pieces, fade, n_samples)

    def _mixing(
        self, position_um: npt.NDArray[np.float64], frequency: npt.NDArray[np.float64]
    ) -> list[tuple[int, int, npt.NDArray[np.float32]]]:
        """Cholesky factors of the spatial covariance, one per band of frequencies."""
        between = position_um[:, None, :] - position_um[None, :, :]
        distance = np.hypot(between[..., 0], between[..., 1])
        edges = np.geomspace(20.0, frequency[-1], _BANDS)
        stops = np.unique(np.append(np.searchsorted(frequency, edges), frequency.size))
        factors, start = [], 0
        for stop in stops[stops > 0].tolist():
            middle = 0.5 * (frequency[start] + frequency[stop - 1])
            decay = float(np.interp(middle, self.frequency_hz, self.decay_um))
            covariance = np.exp(-distance / decay) + 1e-9 * np.eye(len(distance))
            factors.append((start, stop, np.linalg.cholesky(covariance).astype(np.float32)))
            start = stop
        return factors


def _gaussian(
    size: npt.NDArray[np.float32],
    mixing: list[tuple[int, int, npt.NDArray[np.float32]]],
    n_fft: int,
    rng: np.random.Generator,
) -> Iterator[npt.NDArray[np.float32]]:
    n_channels = len(mixing[0][2])
    while True:
        draws = rng.standard_normal((2, size.size, n_channels), dtype=np.float32)
        draws *= (size * np.float32(np.sqrt(0.5)))[None, :, None]
        for start, stop, factor in mixing:
            draws[:, start:stop] = draws[:, start:stop] @ factor.T
        spectrum = draws[0] + 1j * draws[1]
        yield np.fft.irfft(spectrum, n=n_fft, axis=0).astype(np.float32)
