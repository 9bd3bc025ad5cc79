"""Which units are added in each round, where, how large and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.footprints import N_PHASES, Footprint, footprint
from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.annotators.spikes.verifying.bed import Bed, peak_in_band
from nissl.annotators.spikes.verifying.firing import made_train
from nissl.annotators.spikes.verifying.own import OwnUnit, moved
from nissl.clock import Clock
from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]

APART_UM = 60.0
"""Distance that added units keep from each other and from where they came from, if they can."""
_PER_UM = 75.0
_MOST_PER_ROUND = 12
_CANDIDATES = 40
_RATES_HZ = (1.5, 8.0)
_LEAST_SPIKES = 40
_DEPTH_UM = (8.0, 25.0)
_BESIDE_UM = 8.0


@dataclass(frozen=True)
class Design:
    """How many units are added, and how large they are.

    Parameters
    ----------
    snr : tuple of float
        Sizes, in standard deviations of the noise on the unit's best channel; shared out evenly.
    rounds : int
        Copies of the recording with units added, each sorted again.
    units_per_round : int, optional
        By default one for each 75 um of probe, at most 12.
    most_extra : float
        Added spikes over those of the first sorting, at most, in each round.
    """

    snr: tuple[float, ...] = (4.0, 6.0, 8.0, 12.0, 20.0)
    rounds: int = 4
    units_per_round: int | None = None
    most_extra: float = 0.1

    def __post_init__(self) -> None:
        size = self.units_per_round
        fits = all(np.isfinite(x) and x > 0 for x in self.snr) and (size is None or size >= 1)
        if not (self.snr and fits and self.rounds >= 1 and 0 < self.most_extra <= 1):
            raise BadArgumentError(
                "signal-to-noise ratios above 0, at least one round and one unit, and a share of "
                "extra spikes above 0 and at most 1",
                f"{self.snr}, {self.rounds} rounds, {size} units, {self.most_extra}",
                "Correct the options.",
            )


@dataclass(frozen=True, eq=False)
class Added:
    """A unit as it is added.

    Parameters
    ----------
    name : str
        Where its waveform comes from.
    round : int
    print_uv : Footprint
        Its waveforms, before `scale`.
    scale : float
    channel : int
        Best channel.
    place_um : ndarray, shape (2,), um
        Of the best channel.
    snr : float
    amplitude_uv : float
        Largest deflection of its mean waveform in the band of spikes.
    ticks : ndarray, shape (n_spikes,), int64
        Spike times in 1/`N_PHASES` of a sample, increasing.
    factor : ndarray, shape (n_spikes,), float32
    """

    name: str
    round: int
    print_uv: Footprint = field(repr=False)
    scale: float
    channel: int
    place_um: Values
    snr: float
    amplitude_uv: float
    ticks: npt.NDArray[np.int64] = field(repr=False)
    factor: npt.NDArray[np.float32] = field(repr=False)

    @property
    def sample(self) -> npt.NDArray[np.int64]:
        """Sample nearest to each spike."""
        return (self.ticks + N_PHASES // 2) // N_PHASES

    @property
    def phase(self) -> npt.NDArray[np.int64]:
        """Which of the footprint's waveforms each spike takes."""
        return (self.ticks + N_PHASES // 2) % N_PHASES


def planned(
    units: Sequence[OwnUnit | HybridUnit],
    bed: Bed,
    clock: Clock,
    n_first: int,
    design: Design,
    rng: np.random.Generator,
) -> list[list[Added]]:
    """Units of every round.

    Parameters
    ----------
    units : sequence of OwnUnit or HybridUnit
        Drawn from in turn, in random order, over all rounds.
    bed : Bed
    clock : Clock
    n_first : int
        Spikes that the first sorting found.
    design : Design
    rng : numpy.random.Generator

    Returns
    -------
    list of lists of Added
        One list per round. Depths are stratified within a round; sizes are balanced over all units
        and, as far as rounds allow, within a stratum.
    """
    if not units:
        raise BadArgumentError("at least one unit to add", "none", "Add --units library.")
    per_round, n_spikes = _budget(bed, clock, n_first, design)
    total = per_round * design.rounds
    order = np.concatenate([rng.permutation(len(units)) for _ in range(-(-total // len(units)))])
    levels = rng.permutation(np.asarray(design.snr)).tolist()
    rounds = []
    for r in range(design.rounds):
        chosen = [units[k] for k in order[r * per_round : (r + 1) * per_round].tolist()]
        strata = rng.permutation(per_round).tolist()
        # a stratum of depth gets another size in each round, and sizes are shared out evenly
        first = r * per_round + (r if per_round % len(levels) == 0 else 0)
        sizes = [levels[(first + k) % len(levels)] for k in strata]
        targets = _targets(chosen, strata, bed, rng)
        rounds.append(
            [
                _added(unit, to, size, r, n_spikes, bed, clock, rng)
                for unit, to, size in zip(chosen, targets, sizes, strict=True)
            ]
        )
    return rounds


def _budget(bed: Bed, clock: Clock, n_first: int, design: Design) -> tuple[int, int]:
    """Units of a round, and spikes of each at most."""
    place = bed.position_um[bed.good]
    spans = [
        float(np.ptp(place[bed.shank[bed.good] == s], axis=0).max())
        for s in np.unique(bed.shank[bed.good])
    ]
    room = int(sum(span // _PER_UM for span in spans))
    n = design.units_per_round or min(max(1, room), _MOST_PER_ROUND)
    allowed = int(design.most_extra * n_first)
    if design.units_per_round is None:
        n = max(1, min(n, allowed // _LEAST_SPIKES))
    most = round(_RATES_HZ[1] * clock.duration_s)
    return n, max(_LEAST_SPIKES, min(most, allowed // n))


def _targets(
    units: Sequence[OwnUnit | HybridUnit],
    order: Sequence[int],
    bed: Bed,
    rng: np.random.Generator,
) -> list[int]:
    """Best channel of each unit: a stratum of depth each, far from the others and its source."""
    depth = bed.position_um[bed.good, 1] + 1e-6 * bed.position_um[bed.good, 0]
    ranked = bed.good[np.argsort(depth, kind="stable")]
    strata = np.array_split(ranked, len(units)) if len(units) <= len(ranked) else None
    taken: list[int] = []
    for unit, k in zip(units, order, strict=True):
        pool = ranked if strata is None else strata[k]
        taken.append(_best_of(unit, pool, taken, bed, rng))
    return taken


def _best_of(
    unit: OwnUnit | HybridUnit,
    pool: npt.NDArray[np.int64],
    taken: Sequence[int],
    bed: Bed,
    rng: np.random.Generator,
) -> int:
    candidates = pool
    avoid = [bed.position_um[c] for c in taken]
    if isinstance(unit, OwnUnit):
        home = bed.position_um[unit.channel]
        same_column = np.abs(bed.position_um[pool, 0] - home[0]) < 1.0
        if np.any(same_column & (pool != unit.channel)):
            candidates = pool[same_column]
        avoid.append(home)
    drawn = rng.permutation(candidates)[:_CANDIDATES]
    gaps = [
        min((float(np.linalg.norm(bed.position_um[c] - p)) for p in avoid), default=np.inf)
        for c in drawn.tolist()
    ]
    enough = [k for k, gap in enumerate(gaps) if gap >= APART_UM]
    return int(drawn[enough[0] if enough else int(np.argmax(gaps))])


def _added(
    unit: OwnUnit | HybridUnit,
    to_channel: int,
    snr: float,
    number: int,
    n_spikes: int,
    bed: Bed,
    clock: Clock,
    rng: np.random.Generator,
) -> Added:
    made = _made(unit, to_channel, bed, rng)
    channel, peak_uv = peak_in_band(made.template_uv, bed.rate_hz)
    if not np.isfinite(bed.noise_uv[channel]):
        channel = to_channel
    amplitude_uv = snr * float(bed.noise_uv[channel])
    most_hz = n_spikes / clock.duration_s
    rate_hz = min(float(np.exp(rng.uniform(*np.log(_RATES_HZ)))), most_hz)
    rate_hz = max(rate_hz, min(_LEAST_SPIKES / clock.duration_s, 20.0))
    train = made_train(rate_hz, clock.duration_s, rng)
    ticks = np.rint(train.times_s * bed.rate_hz * N_PHASES).astype(np.int64)
    inside = _within(ticks, made, clock)
    return Added(
        unit.name,
        number,
        made,
        amplitude_uv / peak_uv,
        channel,
        bed.position_um[channel].copy(),
        snr,
        amplitude_uv,
        ticks[inside],
        train.factor[inside],
    )


def _made(
    unit: OwnUnit | HybridUnit, to_channel: int, bed: Bed, rng: np.random.Generator
) -> Footprint:
    if isinstance(unit, OwnUnit):
        return moved(unit, to_channel, bed.position_um, bed.shank)
    beside = rng.uniform(-_BESIDE_UM, _BESIDE_UM, 2)
    place = np.append(bed.position_um[to_channel] + beside, rng.uniform(*_DEPTH_UM))
    made = footprint(unit, place, bed.position_um, bed.rate_hz)
    here = (bed.shank == bed.shank[to_channel]).astype(np.float32)
    return Footprint(made.waveforms_uv * here, made.n_before, made.decay_um, made.n_real_channels)


def _within(ticks: npt.NDArray[np.int64], made: Footprint, clock: Clock) -> npt.NDArray[np.bool_]:
    """Spikes whose whole waveform lies in one segment."""
    width = made.waveforms_uv.shape[1]
    onset = (ticks + N_PHASES // 2) // N_PHASES - made.n_before
    inside = np.zeros(ticks.size, np.bool_)
    for segment in clock.segments:
        inside |= (onset >= segment.start) & (onset + width <= segment.stop)
    return inside
