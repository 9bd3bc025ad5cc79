"""Where, how large and when the units of a hybrid appear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.background import Background
from nissl.annotators.spikes.bursting import burst_factors
from nissl.annotators.spikes.footprints import N_PHASES, Footprint, footprint
from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.annotators.spikes.trains import fit_train
from nissl.errors import BadArgumentError

_DEPTH_UM = (5.0, 25.0)
_APART_UM = 15.0


@dataclass(frozen=True)
class HybridOptions:
    """How a hybrid is made.

    Parameters
    ----------
    rate_hz : float
        Samples per second; waveforms, trains and background are brought to it.
    noise_uv : float, optional
        Level of the background in 300-6000 Hz (robust standard deviation, uV) that it is
        scaled to; None keeps a background that already is in uV as it is.
    snr : tuple of float, optional
        Range from which each unit's signal-to-noise ratio (extreme value over the level of the
        background) is drawn, the waveform scaled accordingly; None keeps real amplitudes.
    spatial : {"fitted", "measured"}
        Amplitudes across contacts; see `nissl.annotators.spikes.footprints.footprint`.
    surrogate : bool, optional
        Synthetic instead of real background; None: real where it has as many channels as the
        probe.
    amplitude_sd : float
        Relative standard deviation of spike amplitudes (Gaussian, cut at 0.5 and 1.5).
    refractory_s : float
        Spikes of a train closer than this to the one before are left out.
    burst_loss : float
        Part of its amplitude that a spike takes away from those that follow within some 10 ms;
        see `nissl.annotators.spikes.bursting`.
    """

    rate_hz: float = 30_000.0
    noise_uv: float | None = 6.0
    snr: tuple[float, float] | None = None
    spatial: str = "fitted"
    surrogate: bool | None = None
    amplitude_sd: float = 0.0
    refractory_s: float = 1e-3
    burst_loss: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.snr or (1.0, 1.0)
        level = 1.0 if self.noise_uv is None else self.noise_uv
        if not (self.rate_hz > 0 and level > 0 and 0 < low <= high):
            raise BadArgumentError(
                "a rate, a noise level and signal-to-noise ratios above 0, low to high",
                f"{self.rate_hz} Hz, {self.noise_uv} uV, {self.snr}",
                "Correct the options.",
            )
        if not (0 <= self.amplitude_sd <= 0.3 and 0 <= self.refractory_s <= 0.01):
            raise BadArgumentError(
                "amplitude_sd of 0 to 0.3 and refractory_s of 0 to 0.01 s",
                f"{self.amplitude_sd} and {self.refractory_s}",
                "Correct the options.",
            )
        if not 0 <= self.burst_loss <= 0.6:
            raise BadArgumentError(
                "burst_loss of 0 to 0.6", f"{self.burst_loss}", "Correct the options."
            )


@dataclass(frozen=True, eq=False)
class Bed:
    """What the units of a hybrid are laid into.

    Parameters
    ----------
    background : Background
    real : bool
        Whether it is used itself; otherwise a surrogate of it.
    level_uv : float
        Its level in the hybrid.
    n_channels : int
    duration_s : float
    """

    background: Background
    real: bool
    level_uv: float
    n_channels: int
    duration_s: float


@dataclass(frozen=True, eq=False)
class Placed:
    """A unit in the recording: where, how large, when.

    Parameters
    ----------
    unit : HybridUnit
    print_uv : Footprint
        Its waveforms on the contacts, before `scale`.
    place_um : ndarray, shape (3,), micrometres
    scale : float
    ticks : ndarray, shape (n_spikes,), int64
        Spike times in 1/`N_PHASES` of a sample, increasing.
    factor : ndarray, shape (n_spikes,), float32
        Relative amplitude of each spike.
    joined : bool
        Whether copies of the train were joined.
    """

    unit: HybridUnit
    print_uv: Footprint
    place_um: npt.NDArray[np.float64]
    scale: float
    ticks: npt.NDArray[np.int64]
    factor: npt.NDArray[np.float32]
    joined: bool

    @property
    def sample(self) -> npt.NDArray[np.int64]:
        """Sample nearest to each spike."""
        return (self.ticks + N_PHASES // 2) // N_PHASES

    @property
    def phase(self) -> npt.NDArray[np.int64]:
        """Which of the footprint's waveforms each spike takes."""
        return (self.ticks + N_PHASES // 2) % N_PHASES


def place_units(
    units: Sequence[HybridUnit],
    position_um: npt.NDArray[np.float64],
    bed: Bed,
    streams: tuple[np.random.Generator, np.random.Generator],
    options: HybridOptions,
) -> list[Placed]:
    """Place units beside a probe and fit their trains to the recording.

    Parameters
    ----------
    units : sequence of HybridUnit
    position_um : ndarray, shape (n_channels, 2), micrometres
    bed : Bed
    streams : tuple of numpy.random.Generator
        Randomness of places and amplitudes, and of spike times.
    options : HybridOptions
    """
    where, when = streams
    places = _places(len(units), position_um, where)
    placed = []
    for unit, place in zip(units, places, strict=True):
        made = footprint(unit, place, position_um, options.rate_hz, spatial=options.spatial)
        scale = 1.0
        if options.snr is not None:
            peak = float(np.max(np.abs(made.template_uv[made.n_before])))
            scale = float(where.uniform(*options.snr)) * bed.level_uv / peak
        ticks, joined = _ticks(unit, bed.duration_s, when, options)
        varied = 1.0 + options.amplitude_sd * when.standard_normal(ticks.size)
        factor = np.clip(varied, 0.5, 1.5).astype(np.float32)
        if options.burst_loss:
            factor *= burst_factors(ticks / (options.rate_hz * N_PHASES), options.burst_loss)
        placed.append(Placed(unit, made, place, scale, ticks, factor, joined))
    return placed


def _ticks(
    unit: HybridUnit, duration_s: float, rng: np.random.Generator, options: HybridOptions
) -> tuple[npt.NDArray[np.int64], bool]:
    # the real times are known to a sample of their recording: spread them over it, and keep
    # the refractory period all the same
    period_s = 1.0 / unit.rate_hz
    dead_s = options.refractory_s + period_s
    times, joined = fit_train(unit.times_s, duration_s, rng, refractory_s=dead_s)
    times = times + rng.uniform(-0.5, 0.5, times.size) * period_s
    ticks = np.rint(times * options.rate_hz * N_PHASES).astype(np.int64)
    n_samples = round(duration_s * options.rate_hz)
    return ticks[(ticks >= 0) & (ticks <= (n_samples - 1) * N_PHASES)], joined


def _places(
    n: int, position_um: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Random places beside the probe, 15 um apart as far as can be; shape (n, 3), um."""
    low, high = position_um.min(axis=0) - 5.0, position_um.max(axis=0) + 5.0
    places: list[npt.NDArray[np.float64]] = []
    for _ in range(n):
        best, gap = np.empty(0), -1.0
        for _ in range(100):
            place = np.append(rng.uniform(low, high), rng.uniform(*_DEPTH_UM))
            near = min((float(np.linalg.norm(place - p)) for p in places), default=np.inf)
            if near > gap:
                best, gap = place, near
            if gap >= _APART_UM:
                break
        places.append(best)
    return np.asarray(places)
