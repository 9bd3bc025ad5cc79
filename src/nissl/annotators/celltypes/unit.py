"""One sorted unit as bare arrays: what features are computed from, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Unit:
    """Spikes, mean waveform and place of one unit; what is not known is None.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64, optional
        Spike times, seconds, not decreasing. Times may repeat: a spike found twice is counted
        once (see `trains.once`).
    duration_s : float, optional
        Length of the recording. Without it the span from the first to the last spike stands in.
    waveform : ndarray, shape (n_samples, n_channels), float64, optional
        Mean spike; channels without one are NaN or 0 throughout.
    rate_hz : float, optional
        Samples per second of `waveform`.
    position_um : ndarray, shape (n_channels, 2), float64, optional
        x (across) and y (along the probe, larger is higher) of each channel, micrometres.
    in_uv : bool
        Whether the waveform is in microvolts; no feature depends on it.
    depth_um : float, optional
        Depth below the reference of the recording (the surface of the cortex, say).
    layer : str
        Name of the layer, "" where unknown.

    Raises
    ------
    BadArgumentError
        For times that decrease or are not finite, and for shapes that do not match.
    """

    spikes_s: Values | None = None
    duration_s: float | None = None
    waveform: Values | None = None
    rate_hz: float | None = None
    position_um: Values | None = None
    in_uv: bool = True
    depth_um: float | None = None
    layer: str = ""

    def __post_init__(self) -> None:
        for name in ("spikes_s", "waveform", "position_um"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value, np.float64))
        _check_spikes(self.spikes_s, self.duration_s)
        _check_waveform(self.waveform, self.rate_hz, self.position_um)


def _check_spikes(spikes_s: Values | None, duration_s: float | None) -> None:
    if duration_s is not None and not (np.isfinite(duration_s) and duration_s > 0):
        raise BadArgumentError(
            "a duration above 0 s", f"{duration_s}", "Give the length of the recording, or None."
        )
    if spikes_s is None:
        return
    if spikes_s.ndim != 1 or not np.all(np.isfinite(spikes_s)):
        raise BadArgumentError(
            "one finite time per spike, shape (n_spikes,)",
            f"shape {spikes_s.shape} with {int(np.sum(~np.isfinite(spikes_s)))} not finite",
            "Leave out spikes without a time.",
        )
    back = np.flatnonzero(np.diff(spikes_s) < 0)
    if back.size:
        k = int(back[0])
        raise BadArgumentError(
            "spike times that do not decrease",
            f"{spikes_s[k]:.6f} s before {spikes_s[k + 1]:.6f} s at spike {k}",
            "Sort the times of each unit.",
        )
    if spikes_s.size and duration_s is not None and np.ptp(spikes_s) > duration_s:
        raise BadArgumentError(
            f"spikes within a recording of {duration_s:g} s",
            f"{np.ptp(spikes_s):g} s from the first to the last",
            "Give both times and duration in seconds.",
        )


def _check_waveform(
    waveform: Values | None, rate_hz: float | None, position_um: Values | None
) -> None:
    if waveform is None:
        return
    if waveform.ndim != 2:
        raise BadArgumentError(
            "a waveform of shape (n_samples, n_channels)",
            f"shape {waveform.shape}",
            "Give a single channel as (n_samples, 1).",
        )
    if rate_hz is None or not (np.isfinite(rate_hz) and rate_hz > 0):
        raise BadArgumentError(
            "the sampling rate of the waveform", f"{rate_hz}", "Give rate_hz, samples per second."
        )
    if position_um is not None and position_um.shape != (waveform.shape[1], 2):
        raise BadArgumentError(
            f"positions of shape ({waveform.shape[1]}, 2)",
            f"shape {position_um.shape}",
            "Give x and y of every channel of the waveform.",
        )


__all__ = ["Unit"]
