"""Filters for looking at traces: high-pass, low-pass and notch, without phase shift.

They are applied forwards and backwards (Gustafsson 1996 names the principle; SciPy's
`sosfiltfilt` extends the ends by odd reflection), so a Butterworth filter of order 2 acts as
one of order 4 and edges of spans stay where they are. A page is read with a halo, so that
its picture does not depend on where the page begins; the halo never crosses a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

ORDER = 2
NOTCH_QUALITY = 30.0
"""Centre frequency of the notch over its width at -3 dB."""

MOST_HALO_S = 10.0
_HALO_PERIODS = 2.0
_NOTCH_HALO_S = 1.0
_LEAST_PART = 1e-6
"""Of the sampling rate: below it the poles are not told from 1 in double precision."""


@dataclass(frozen=True)
class Filters:
    """What is filtered away before a trace is drawn; None leaves a filter out.

    Parameters
    ----------
    high_hz : float, optional
        Cut-off of the high-pass: what lies below is taken away.
    low_hz : float, optional
        Cut-off of the low-pass: what lies above is taken away.
    notch_hz : float, optional
        Mains frequency; its harmonics stay.
    """

    high_hz: float | None = None
    low_hz: float | None = None
    notch_hz: float | None = None

    def __post_init__(self) -> None:
        given = [f for f in (self.high_hz, self.low_hz, self.notch_hz) if f is not None]
        if any(not (np.isfinite(f) and f > 0) for f in given):
            raise BadArgumentError("frequencies above 0 Hz", repr(self), "Give them in Hz.")
        if self.high_hz is not None and self.low_hz is not None and self.high_hz >= self.low_hz:
            raise BadArgumentError(
                "a high-pass below the low-pass",
                f"high-pass {self.high_hz:g} Hz, low-pass {self.low_hz:g} Hz",
                "Lower the high-pass or raise the low-pass.",
            )

    def __bool__(self) -> bool:
        return any(f is not None for f in (self.high_hz, self.low_hz, self.notch_hz))

    @property
    def halo_s(self) -> float:
        """Seconds to read on either side of what is shown."""
        cuts = [f for f in (self.high_hz, self.low_hz) if f is not None]
        halo = max((_HALO_PERIODS / f for f in cuts), default=0.0)
        if self.notch_hz is not None:
            halo = max(halo, _NOTCH_HALO_S)
        return min(halo, MOST_HALO_S)

    def sections(self, rate_hz: float) -> npt.NDArray[np.float64]:
        """Second-order sections, shape (n_sections, 6).

        Raises
        ------
        BadArgumentError
            A frequency that is not below half the sampling rate, or so far below it that the
            filter cannot be computed.
        """
        from scipy import signal as dsp

        for name in ("high_hz", "low_hz", "notch_hz"):
            value = getattr(self, name)
            if value is not None and not _LEAST_PART * rate_hz <= value < rate_hz / 2:
                raise BadArgumentError(
                    f"{name} from {_LEAST_PART * rate_hz:g} Hz to below {rate_hz / 2:g} Hz, "
                    "half the sampling rate",
                    f"{value:g} Hz",
                    "Change the frequency, or leave the filter out.",
                )
        parts: list[Any] = []
        if self.high_hz is not None:
            parts.append(dsp.butter(ORDER, self.high_hz, "highpass", fs=rate_hz, output="sos"))
        if self.low_hz is not None:
            parts.append(dsp.butter(ORDER, self.low_hz, "lowpass", fs=rate_hz, output="sos"))
        if self.notch_hz is not None:
            b, a = dsp.iirnotch(self.notch_hz, NOTCH_QUALITY, fs=rate_hz)
            parts.append(dsp.tf2sos(b, a))
        return np.concatenate(parts) if parts else np.empty((0, 6))


def filtered(
    samples: npt.NDArray[np.float32], rate_hz: float, filters: Filters
) -> npt.NDArray[np.float32]:
    """Filter samples of one segment.

    Parameters
    ----------
    samples : ndarray, shape (n_samples, n_channels), float32, uV
        NaN stays NaN; the filter sees a straight line across it.
    rate_hz : float
    filters : Filters

    Returns
    -------
    ndarray, same shape, float32, uV
    """
    sections = filters.sections(rate_hz)
    if not len(sections) or not samples.size:
        return samples
    from scipy import signal as dsp

    missing = np.isnan(samples)
    whole = _bridged(samples, missing) if missing.any() else samples
    length = whole.shape[0]
    reach = min(3 * (2 * len(sections) + 1), length - 1)
    out = dsp.sosfiltfilt(sections, whole, axis=0, padlen=reach).astype(np.float32)
    out[missing] = np.nan
    return np.asarray(out)


def _bridged(
    samples: npt.NDArray[np.float32], missing: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Samples with straight lines where they are missing; zeros where a channel has none."""
    out = samples.copy()
    index = np.arange(samples.shape[0])
    for channel in np.flatnonzero(missing.any(axis=0)):
        there = ~missing[:, channel]
        values = samples[there, channel] if there.any() else np.zeros(1, np.float32)
        at = index[there] if there.any() else index[:1]
        out[:, channel] = np.interp(index, at, values)
    return out
