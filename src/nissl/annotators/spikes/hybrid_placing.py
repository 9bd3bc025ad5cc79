"""Where, how large and when the units of a hybrid appear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.background import Background
from nissl.annotators.spikes.bursting import burst_factors
from nissl.annotators.spikes.footprints import N_PHASES, Footprint, field_of
from nissl.annotators.spikes.hybrid_options import HybridOptions
from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.annotators.spikes.motion_paths import PATH_HZ, path_um, shares
from nissl.annotators.spikes.moving_footprints import MovingFootprint
from nissl.annotators.spikes.overlapping import OVERLAP_S, nearest_pairs, overlapping
from nissl.annotators.spikes.trains import fit_train
from nissl.errors import BadArgumentError

_DEPTH_UM = (5.0, 25.0)
_APART_UM = 15.0
_STEP_UM = 0.5  # displacements are rounded to it

Values = npt.NDArray[np.float64]


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
    moving : MovingFootprint
        Its waveforms where it has moved to, before `scale`.
    displacement_um : ndarray, shape (n_spikes,), micrometres
        How far from `place_um` along the probe it is at each spike.
    """

    unit: HybridUnit
    print_uv: Footprint
    place_um: npt.NDArray[np.float64]
    scale: float
    ticks: npt.NDArray[np.int64]
    factor: npt.NDArray[np.float32]
    joined: bool
    moving: MovingFootprint
    displacement_um: Values

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
    streams: Sequence[np.random.Generator],
    options: HybridOptions,
) -> list[Placed]:
    """Place units beside a probe and fit their trains to the recording.

    Parameters
    ----------
    units : sequence of HybridUnit
    position_um : ndarray, shape (n_channels, 2), micrometres
    bed : Bed
    streams : sequence of numpy.random.Generator
        Randomness of places and amplitudes, of spike times, of the movement, of overlaps.
    options : HybridOptions

    Raises
    ------
    BadArgumentError
        The probe is shorter than the movement.
    """
    where, when, motion, pairing = streams
    path = np.zeros(1)
    if options.drift is not None:
        path = path_um(options.drift, bed.duration_s, motion, options.range_um)
    places = _places(len(units), position_um, where, (float(path.min()), float(path.max())))
    placed = []
    for unit, place in zip(units, places, strict=True):
        field = field_of(unit, place, position_um, options.rate_hz, spatial=options.spatial)
        made = field.footprint
        scale = 1.0
        if options.snr is not None:
            peak = float(np.max(np.abs(made.template_uv[made.n_before])))
            scale = float(where.uniform(*options.snr)) * bed.level_uv / peak
        ticks, joined = _ticks(unit, bed.duration_s, when, options)
        factor = _factors(ticks, when, options)
        moving = MovingFootprint(field, place, position_um)
        still = np.zeros(ticks.size)
        placed.append(Placed(unit, made, place, scale, ticks, factor, joined, moving, still))
    if options.overlaps:
        placed = _overlapped(placed, bed.duration_s, pairing, options)
    if options.drift is None:
        return placed
    ends = float(position_um[:, 1].min()), float(position_um[:, 1].max())
    part = shares(options.drift, places[:, 1], ends)
    return [_displaced(p, path * part[k], options.rate_hz) for k, p in enumerate(placed)]


def _factors(
    ticks: npt.NDArray[np.int64], rng: np.random.Generator, options: HybridOptions
) -> npt.NDArray[np.float32]:
    """Relative amplitude of each spike."""
    varied = 1.0 + options.amplitude_sd * rng.standard_normal(ticks.size)
    factor: npt.NDArray[np.float32] = np.clip(varied, 0.5, 1.5).astype(np.float32)
    if options.burst_loss:
        factor *= burst_factors(ticks / (options.rate_hz * N_PHASES), options.burst_loss)
    return factor


def _overlapped(
    placed: Sequence[Placed], duration_s: float, rng: np.random.Generator, options: HybridOptions
) -> list[Placed]:
    """Let one unit of each pair of neighbours, that with fewer spikes, fire with the other."""
    out = list(placed)
    per_s = options.rate_hz * N_PHASES
    window, dead = int(OVERLAP_S * per_s), int(np.ceil(options.refractory_s * per_s))
    for pair in nearest_pairs(np.asarray([p.place_um for p in placed])):
        few, many = sorted(pair, key=lambda k: out[k].ticks.size)
        ticks = overlapping(out[few].ticks, out[many].ticks, options.overlaps, window, dead, rng)
        ticks = ticks[_inside(ticks, duration_s, options)]
        still, factor = np.zeros(ticks.size), _factors(ticks, rng, options)
        out[few] = replace(out[few], ticks=ticks, factor=factor, displacement_um=still)
    return out


def _displaced(placed: Placed, path: Values, rate_hz: float) -> Placed:
    """Say where the unit is at each of its spikes."""
    at = np.minimum((placed.sample * (PATH_HZ / rate_hz)).astype(np.int64), len(path) - 1)
    return replace(placed, displacement_um=np.round(path[at] / _STEP_UM) * _STEP_UM)


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
    return ticks[_inside(ticks, duration_s, options)], joined


def _inside(
    ticks: npt.NDArray[np.int64], duration_s: float, options: HybridOptions
) -> npt.NDArray[np.bool_]:
    n_samples = round(duration_s * options.rate_hz)
    return (ticks >= 0) & (ticks <= (n_samples - 1) * N_PHASES)


def _places(
    n: int, position_um: Values, rng: np.random.Generator, reach_um: tuple[float, float]
) -> Values:
    """Random places beside the probe, 15 um apart as far as can be; shape (n, 3), um.

    Units that move as far as `reach_um` along the probe stay beside it.
    """
    low, high = position_um.min(axis=0) - 5.0, position_um.max(axis=0) + 5.0
    low[1] -= reach_um[0]
    high[1] -= reach_um[1]
    if low[1] > high[1]:
        raise BadArgumentError(
            f"a movement within the probe's {np.ptp(position_um[:, 1]):g} um",
            f"one of {reach_um[1] - reach_um[0]:g} um from end to end",
            "Take a longer probe, or a smaller drift_um.",
        )
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
