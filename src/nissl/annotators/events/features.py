"""Numbers that describe a span on one channel, against its surroundings and the recording.

All but the first of `ABSOLUTE` are ratios, so they do not change with the amplitude's scale;
none but "skew" changes with its sign. Relative band power, covariance and correlation between a
band and the broad-band signal follow A7 (Lacourse et al. 2019, J. Neurosci. Methods 316, 3-11).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.waves import WORK_HZ, Values, band, envelope, smooth, spread

Ints = npt.NDArray[np.int64]

BANDS: dict[str, tuple[float, float]] = {
    "delta": (0.5, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 11.0),
    "sigma": (11.0, 16.0),
    "beta": (16.0, 30.0),
    "gamma": (30.0, 44.0),
}
SURROUND_S = 5.0
_STEP = 5
"""Samples between the kept values of band powers, at `WORK_HZ`."""

SHAPES = (
    ("log_duration", ""),
    ("peak_frequency", "octaves over 1 Hz"),
    ("peak_prominence", ""),
    ("sharpness", ""),
    ("line_length", ""),
    ("range", ""),
    ("skew", ""),
    ("kurtosis", ""),
    ("envelope_peak", ""),
    ("envelope_place", ""),
    ("covariance", ""),
    ("correlation", ""),
)
NAMES: tuple[str, ...] = (
    *(name for name, _ in SHAPES),
    *(f"{name}_over_surround" for name in BANDS),
    *(f"{name}_over_record" for name in BANDS),
    *(f"{name}_share" for name in BANDS),
)
UNITS: tuple[str, ...] = (*(unit for _, unit in SHAPES), *("",) * (3 * len(BANDS)))
ABSOLUTE = ("duration_s", "peak_hz", "amplitude_uv")
"""What `describe` shows in the field's own units."""

SAYS = {
    "log_duration": "log10 duration {:.2f}",
    "peak_frequency": "strongest {:.2f} octaves above 1 Hz",
    "peak_prominence": "its peak stands 10^{:.2f} over the spectrum's slope",
    "sharpness": "log sharpness {:.2f}",
    "line_length": "log line length {:.2f} of the surroundings",
    "range": "log peak-to-peak {:.2f} in standard deviations of the recording",
    "skew": "skewness {:.2f}",
    "kurtosis": "kurtosis {:.2f}",
    "envelope_peak": "log peak over mean envelope {:.2f}",
    "envelope_place": "strongest at {:.2f} of its length",
    "covariance": "log covariance with its band {:.2f}",
    "correlation": "correlation with its band {:.2f}",
} | {
    f"{name}_{against}": f"log10 {name} power {{:.2f}} {words}"
    for name in BANDS
    for against, words in (
        ("over_surround", "of the surroundings"),
        ("over_record", "of the recording"),
        ("share", "of all bands"),
    )
}


class Channel:
    """A channel at `WORK_HZ`, prepared once for any number of spans.

    Parameters
    ----------
    x : ndarray, shape (n_samples,), float64, uV
        At `WORK_HZ`.
    """

    def __init__(self, x: Values) -> None:
        self.x = band(x, WORK_HZ, 0.3, None, 2) if len(x) > 10 else x
        self.scale = max(float(spread(self.x)), 1e-9) if len(x) else 1.0
        self.in_band = {name: band(self.x, WORK_HZ, *edges) for name, edges in BANDS.items()}
        self.power = {
            name: smooth(envelope(y) ** 2, 10)[::_STEP] + 1e-12 * self.scale**2
            for name, y in self.in_band.items()
        }
        self.usual = {name: float(np.median(p)) for name, p in self.power.items() if len(p)}
        self.sums = {n: np.concatenate([[0.0], np.cumsum(p)]) for n, p in self.power.items()}
        self.steps = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(self.x)))])

    def measured(self, start: Ints, stop: Ints) -> Values:
        """Features of spans.

        Parameters
        ----------
        start, stop : ndarray, shape (n,), int64
            Samples at `WORK_HZ`, half-open.

        Returns
        -------
        ndarray, shape (n, len(NAMES)), float64
            NaN where a span is too short for a number.
        """
        out = np.full((start.size, len(NAMES)), np.nan)
        if not start.size:
            return out
        powers = self._powers(start, stop)
        out[:, len(SHAPES) :] = powers
        shares = powers[:, 2 * len(BANDS) :]
        for k, (a, b) in enumerate(zip(start.tolist(), stop.tolist(), strict=True)):
            out[k, : len(SHAPES)] = self._shape(a, b, shares[k])
        return out

    def _powers(self, start: Ints, stop: Ints) -> Values:
        n = len(next(iter(self.power.values())))
        a = np.clip(start // _STEP, 0, n - 1)
        b = np.clip(-(-stop // _STEP), a + 1, n)
        wide = int(SURROUND_S * WORK_HZ / _STEP)
        low, high = np.maximum(a - wide, 0), np.minimum(b + wide, n)
        inside, around = [], []
        for sums in self.sums.values():
            own = sums[b] - sums[a]
            inside.append(own / (b - a))
            rest = np.maximum((high - low) - (b - a), 1)
            around.append(np.maximum(sums[high] - sums[low] - own, 1e-12) / rest)
        mine = np.log10(np.stack(inside, axis=1))
        usual = np.log10(np.array(list(self.usual.values())))
        total = np.log10(np.sum(10**mine, axis=1, keepdims=True))
        return np.hstack([mine - np.log10(np.stack(around, axis=1)), mine - usual, mine - total])

    def _shape(self, a: int, b: int, shares: Values) -> list[float]:
        x = self.x[a:b]
        if len(x) < 5:
            return [float(np.log10(max(b - a, 1) / WORK_HZ)), *[np.nan] * (len(SHAPES) - 1)]
        x = x - x.mean()
        sd = max(float(x.std()), 1e-9)
        peak_hz, prominence = peak_of(self.x[max(a - 25, 0) : b + 25])
        near = _band_near(peak_hz)
        y = self.in_band[near][a:b]
        env = np.sqrt(np.interp(np.arange(a, b) / _STEP, *self._grid(near, a, b)))
        wide = int(SURROUND_S * WORK_HZ)
        low, high = max(a - wide, 0), min(b + wide, len(self.x) - 1)
        length = (self.steps[high] - self.steps[low]) / max(high - low, 1)
        covariance = float(np.mean(x * y))
        del shares
        return [
            float(np.log10((b - a) / WORK_HZ)),
            float(np.log2(max(peak_hz, 0.25))),
            prominence,
            float(np.log10(max(np.abs(np.diff(x, 2)).max() / sd, 1e-6))),
            float(np.log10(max(np.abs(np.diff(x)).mean() / max(length, 1e-9), 1e-6))),
            float(np.log10(max(np.ptp(x) / self.scale, 1e-6))),
            float(np.mean(x**3) / sd**3),
            float(np.mean(x**4) / sd**4),
            float(np.log10(max(env.max() / max(env.mean(), 1e-9), 1e-6))),
            float(env.argmax() / len(env)),
            float(np.log10(max(covariance, 1e-9 * self.scale**2) / self.scale**2)),
            covariance / (sd * max(float(y.std()), 1e-9)),
        ]

    def _grid(self, name: str, a: int, b: int) -> tuple[Values, Values]:
        first, last = max(a // _STEP - 1, 0), b // _STEP + 2
        p = self.power[name][first:last]
        return np.arange(first, first + len(p), dtype=np.float64), p


def peak_of(x: Values, low_hz: float = 0.5, high_hz: float = 45.0) -> tuple[float, float]:
    """Frequency that stands out most from the slope of the spectrum, and log10 by how much.

    Parameters
    ----------
    x : ndarray, shape (n_samples,), at `WORK_HZ`
    low_hz, high_hz : float
    """
    n = max(256, len(x))
    power = np.abs(np.fft.rfft((x - x.mean()) * np.hanning(len(x)), n)) ** 2
    freqs = np.fft.rfftfreq(n, 1 / WORK_HZ)
    use = (freqs >= max(low_hz, WORK_HZ / max(len(x), 1))) & (freqs <= high_hz) & (power > 0)
    if use.sum() < 4:
        return float("nan"), float("nan")
    f, p = np.log10(freqs[use]), np.log10(power[use])
    slope = p + 1.5 * f
    best = int(slope.argmax())
    return float(freqs[use][best]), float(slope[best] - np.median(slope))


def _band_near(peak_hz: float) -> str:
    for name, (_, high) in BANDS.items():
        if peak_hz < high:
            return name
    return "gamma"
