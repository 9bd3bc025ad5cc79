"""What units are added to: contacts, noise and the converter's range of the user's recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.preprocess import apply_plan, kept_channels, make_plan
from nissl.annotators.spikes.sampling import noise_uv
from nissl.data import Signal
from nissl.run.context import Context
from nissl.run.statistics import signal_statistics

Values = npt.NDArray[np.float64]

BAND_HZ = (300.0, 6000.0)
_LINE_UM = 20.0
_STUCK = 10
_RAIL_STEPS = 500


@dataclass(frozen=True, eq=False)
class Bed:
    """The recording as a place for further units.

    Parameters
    ----------
    position_um : ndarray, shape (n_channels, 2), float64, um
    known_geometry : bool
        Where it is not, contacts are taken as a line, 20 um apart, as sorters are told.
    shank : ndarray, shape (n_channels,), int64
    good : ndarray, shape (n_good,), int64
        Columns that are sorted.
    noise_uv : ndarray, shape (n_channels,), float64, uV
        Robust standard deviation in the band of spikes; NaN on bad channels.
    rate_hz : float
    low, high : ndarray, shape (n_channels,), float64, stored steps
        Ends of the converter's range where the recording reaches them; infinite elsewhere.
    """

    position_um: Values
    known_geometry: bool
    shank: npt.NDArray[np.int64]
    good: npt.NDArray[np.int64]
    noise_uv: Values
    rate_hz: float
    low: Values
    high: Values

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.position_um)


def bed_of(signal: Signal, context: Context) -> Bed:
    """Look at a recording: bad channels, noise, ends of the range.

    Noise is measured after nissl's own preprocessing (300 to 6000 Hz, reference), at random
    looks. A channel saturates where at least 10 samples equal its extreme value and that lies
    500 steps from 0 or more; injected spikes are then cut there too.
    """
    plan = make_plan(signal, {}, context.seed)
    good = kept_channels(signal, plan)
    noise = np.full(signal.n_channels, np.nan)
    noise[good] = noise_uv(apply_plan(signal, plan), signal.clock, context.seed)
    position = np.array(signal.channels.position_um, np.float64)
    known = bool(np.isfinite(position).all())
    if not known:
        position = np.column_stack([np.zeros(len(position)), _LINE_UM * np.arange(len(position))])
    statistics = signal_statistics(signal, context)
    gain, offset = signal.channels.gain_uv, signal.channels.offset_uv
    low, high = (
        _rail((extreme - offset) / gain, count)
        for extreme, count in (
            (statistics.min_uv, statistics.n_at_min),
            (statistics.max_uv, statistics.n_at_max),
        )
    )
    whole = np.issubdtype(signal.dtype, np.integer)
    return Bed(
        position,
        known,
        np.asarray(signal.channels.shank, np.int64),
        np.asarray(good, np.int64),
        noise,
        signal.rate_hz,
        np.where(np.isfinite(low) & whole & (low < 0), low, -np.inf),
        np.where(np.isfinite(high) & whole & (high > 0), high, np.inf),
    )


def _rail(steps: Values, count: npt.NDArray[np.int64]) -> Values:
    """End of the range in steps, NaN where the channel does not saturate."""
    there = (count >= _STUCK) & (np.abs(steps) >= _RAIL_STEPS)
    return np.where(there, np.rint(steps), np.nan)


def peak_in_band(template_uv: npt.NDArray[np.float32], rate_hz: float) -> tuple[int, float]:
    """Channel and size of a template's largest deflection in the band of spikes, uV.

    Parameters
    ----------
    template_uv : ndarray, shape (n_samples, n_channels), uV
    rate_hz : float
    """
    from scipy.signal import butter, sosfiltfilt

    edge = min(BAND_HZ[1], 0.45 * rate_hz)
    sos = butter(3, (BAND_HZ[0], edge), btype="band", fs=rate_hz, output="sos")
    pad = round(0.02 * rate_hz)
    filtered = np.abs(sosfiltfilt(sos, np.pad(template_uv, ((pad, pad), (0, 0))), axis=0))
    size = filtered.max(axis=0)
    channel = int(np.argmax(size))
    return channel, float(size[channel])
