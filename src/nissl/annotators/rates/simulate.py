"""Fluorescence traces of calcium with exact spikes: what networks train on and tests hold to.

Spikes fall at any time, not on a grid: a slowly varying rate, bursts, a refractory period.
Fluorescence follows from them as in `nissl.annotators.rates.indicators`, is averaged over each
frame, and is counted in photons, so its noise is shot noise of a stated level. What real traces
have besides is added before the photons are counted: drift, bleaching, a residue of neuropil that
cells of one recording share, brief dips when the tissue moves.

Noise level is in the field's unit, % per sqrt(Hz): the median absolute difference of successive
frames of dF/F in % over the square root of the frame rate (Rupprecht et al. 2021, Nature
Neuroscience 24, 1324-1337). Frame `k` covers ``[k, k + 1) / rate_hz`` seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.indicators import (
    CELL_TYPES,
    INDICATORS,
    CellType,
    Kinetics,
    Range,
    between,
    draw,
)
from nissl.annotators.rates.vocabulary import SPIKES
from nissl.data import ChannelTable, Recording, Signal, Subject
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_array

Values = npt.NDArray[np.float64]
Traces = npt.NDArray[np.float32]

PER_SD = 0.9538725524089585
"""Median absolute difference of successive values of white noise of standard deviation 1."""
FINEST_S = 1 / 120
"""Longest step at which fluorescence is computed before frames are averaged."""


@dataclass(frozen=True)
class Nuisance:
    """What moves a trace besides spikes, as ranges over cells; dF/F, 1 = 100 %.

    Parameters
    ----------
    offset : tuple of float
        Error of the baseline.
    drift : tuple of float
        Standard deviation of a random walk held to its mean over some minutes.
    bleaching : tuple of float
        Part of the fluorescence that bleaches, within some minutes.
    neuropil : tuple of float
        Standard deviation of the residue of neuropil, which has the indicator's kinetics.
    motion_per_min : tuple of float
        Movements of the tissue a minute.
    motion : tuple of float
        Largest loss of fluorescence in one.
    """

    offset: Range = (-0.05, 0.05)
    drift: Range = (0.0, 0.05)
    bleaching: Range = (0.0, 0.1)
    neuropil: Range = (0.0, 0.05)
    motion_per_min: Range = (0.0, 2.0)
    motion: Range = (0.0, 0.15)


CLEAN = Nuisance((0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0))
"""Nothing but spikes and photons."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Traces with their truth.

    Parameters
    ----------
    dff : ndarray, shape (n_traces, n_frames), float32, dF/F (1 = 100 %)
    counts : ndarray, shape (n_traces, n_frames), float32, spikes
        True spikes in each frame.
    spikes_s : tuple of ndarray, each of shape (n_spikes,), float64, seconds
        True spike times from the start of the first frame.
    kinetics : tuple of Kinetics
        What each cell's indicator did.
    noise_level : ndarray, shape (n_traces,), float64, % per sqrt(Hz)
        That of the photons alone at the baseline.
    rate_hz : float
        Frames per second.
    """

    dff: Traces
    counts: Traces
    spikes_s: tuple[Values, ...]
    kinetics: tuple[Kinetics, ...]
    noise_level: Values
    rate_hz: float


def batch(
    rate_hz: float,
    noise_level: float | tuple[float, float],
    n_traces: int,
    n_frames: int,
    rng: np.random.Generator,
    *,
    indicators: Sequence[str] = tuple(INDICATORS),
    cell_types: Sequence[str] = tuple(CELL_TYPES),
    nuisance: Nuisance | None = None,
    shared: bool = False,
) -> Batch:
    """Draw traces of one frame rate and noise level.

    Parameters
    ----------
    rate_hz : float
        Frames per second, any.
    noise_level : float or tuple of float, % per sqrt(Hz)
        Or a range to draw from, evenly on a logarithmic scale.
    n_traces, n_frames : int
    rng : numpy.random.Generator
    indicators, cell_types : sequence of str
        Names of `INDICATORS` and `CELL_TYPES` to draw from, evenly.
    nuisance : Nuisance, optional
    shared : bool
        Whether the cells stand in one recording: one indicator, neuropil and movements.
    """
    _check(rate_hz, noise_level, n_traces, n_frames, indicators, cell_types)
    besides = Nuisance() if nuisance is None else nuisance
    levels = noise_level if isinstance(noise_level, tuple) else (noise_level, noise_level)
    duration_s = n_frames / rate_hz
    common = Common.drawn(duration_s, besides, rng)
    indicator = INDICATORS[indicators[int(rng.integers(len(indicators)))]]
    dff = np.empty((n_traces, n_frames), np.float32)
    counts = np.empty((n_traces, n_frames), np.float32)
    spikes, kinetics, noise = [], [], np.empty(n_traces)
    for k in range(n_traces):
        if k and not shared:
            common = Common.drawn(duration_s, besides, rng)
            indicator = INDICATORS[indicators[int(rng.integers(len(indicators)))]]
        cell = CELL_TYPES[cell_types[int(rng.integers(len(cell_types)))]]
        one = draw(indicator, rng)
        # calcium of before the first frame still glows in it
        before = 5 * one.decay_s
        times = spike_train(cell, duration_s + before, rng) - before
        noise[k] = between(levels, rng)
        clean = fluorescence(times, one, rate_hz, n_frames)
        clean += unspiking(rate_hz, n_frames, one, besides, common, rng)
        dff[k] = photons(clean, noise[k], rate_hz, rng)
        spikes.append(times[times >= 0])
        kinetics.append(one)
        counts[k] = counted(spikes[-1], rate_hz, n_frames)
    return Batch(dff, counts, tuple(spikes), tuple(kinetics), noise, rate_hz)


def simulate(
    seed: int,
    *,
    n_cells: int = 12,
    duration_s: float = 120.0,
    rate_hz: float = 30.0,
    noise_level: float | tuple[float, float] = (1.0, 3.0),
    indicator: str = "GCaMP6f",
    cell_types: Sequence[str] = ("pyramidal",),
    nuisance: Nuisance | None = None,
) -> tuple[Recording, LabelSet]:
    """Simulate the traces of one recording.

    Parameters
    ----------
    seed : int
        Of all randomness; same seed and size, same bytes.
    n_cells : int
    duration_s, rate_hz : float
    noise_level : float or tuple of float, % per sqrt(Hz)
    indicator : str
    cell_types : sequence of str
    nuisance : Nuisance, optional

    Returns
    -------
    recording : Recording
        In memory, with one stream "fluorescence" of dF/F; channels are named by their item.
    truth : LabelSet
        EVENTS, one row per true spike: `item` its cell, `sample` its frame.
    """
    rng = np.random.default_rng(seed)
    made = batch(
        rate_hz,
        noise_level,
        n_cells,
        round(duration_s * rate_hz),
        rng,
        indicators=(indicator,),
        cell_types=cell_types,
        nuisance=nuisance,
        shared=True,
    )
    samples = np.ascontiguousarray(made.dff.T)
    table = ChannelTable.plain([str(k) for k in range(n_cells)], kind="fluorescence")
    signal = Signal.from_array(samples, rate_hz, name="fluorescence", channels=table)
    print_ = digest_array(samples)
    recording = Recording(
        path=None,
        format="simulated",
        streams={"fluorescence": signal},
        subject=Subject(id=f"simulated-{seed}"),
        fingerprint=print_,
    )
    return recording, truth_of(made.spikes_s, signal, print_, seed)


def truth_of(spikes_s: Sequence[Values], signal: Signal, source: str, seed: int) -> LabelSet:
    """EVENTS of exact spikes; `item` is the index of the cell."""
    frames = [frames_of(times, signal.rate_hz, signal.n_samples) for times in spikes_s]
    cells = np.repeat(np.arange(len(frames)), [len(each) for each in frames])
    columns = {"item": cells, "sample": np.concatenate(frames), "channel": cells}
    provenance = Provenance(
        task="rates",
        source=source,
        author=Author("model", "simulator", "1"),
        stream=signal.name,
        seed=seed,
    )
    return LabelSet.build(Kind.EVENTS, columns, SPIKES, provenance)


def spike_train(cell: CellType, duration_s: float, rng: np.random.Generator) -> Values:
    """Draw the spike times of one cell, seconds from 0, sorted."""
    slow_s, spread = between(cell.slow_s, rng), between(cell.modulation, rng)
    step_s = min(slow_s / 5, 0.1)
    n = max(int(np.ceil(duration_s / step_s)), 1)
    level = spread * wandering(n, slow_s / step_s, rng)
    rate = between(cell.rate_hz, rng) * np.exp(level - spread**2 / 2)
    # no cell of these fires faster than this for as long as the rate varies
    n_first = rng.poisson(np.minimum(rate, 200.0) * step_s)
    first = (np.repeat(np.arange(n), n_first) + rng.random(int(n_first.sum()))) * step_s
    length = rng.geometric(1 - between(cell.burst, rng), first.size) - 1
    gaps = rng.exponential(between(cell.within_s, rng), int(length.sum()))
    gaps += cell.refractory_s
    after = np.cumsum(gaps)
    begin = np.repeat(np.concatenate([[0.0], after])[np.cumsum(length) - length], length)
    times = np.sort(np.concatenate([first, np.repeat(first, length) + after - begin]))
    return rested(times[times < duration_s], cell.refractory_s)


def rested(times: Values, refractory_s: float) -> Values:
    """Spike times without those that follow a kept one too soon."""
    kept, last = np.zeros(times.size, bool), -np.inf
    for k, time in enumerate(times.tolist()):
        if time - last >= refractory_s:
            kept[k], last = True, time
    return times[kept]


def fluorescence(spikes_s: Values, cell: Kinetics, rate_hz: float, n_frames: int) -> Values:
    """Noiseless dF/F of spikes, the mean over each frame.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64, seconds
        May begin before the first frame.
    cell : Kinetics
    rate_hz : float
    n_frames : int

    Returns
    -------
    ndarray, shape (n_frames,), float64
    """
    fold = max(int(np.ceil(1 / (rate_hz * FINEST_S))), 1)
    seen = saturated(calcium(spikes_s, cell, rate_hz * fold, n_frames * fold), cell)
    means: Values = seen.reshape(n_frames, fold).mean(axis=1)
    return means


def calcium(spikes_s: Values, cell: Kinetics, rate_hz: float, n_steps: int) -> Values:
    """Calcium over rest in the middle of each step, in what one spike adds; exact in time."""
    rise, decay = cell.rise_s, cell.decay_s
    # (1 - exp(-t / rise)) exp(-t / decay), as a difference of two exponentials
    fast = rise * decay / (rise + decay)
    peak_s = np.log1p(decay / rise) * rise
    peak = np.exp(-peak_s / decay) - np.exp(-peak_s / fast)
    tails = [_tail(spikes_s, tau, rate_hz, n_steps) for tau in (decay, fast)]
    out: Values = (tails[0] - tails[1]) / peak
    return out


def _tail(spikes_s: Values, tau_s: float, rate_hz: float, n_steps: int) -> Values:
    """Sum of exponential tails of spikes, in the middle of each step."""
    from scipy.signal import lfilter

    middle = np.ceil(spikes_s * rate_hz - 0.5)
    early = middle < 0
    new = np.zeros(n_steps)
    if early.any():
        new[0] = np.exp((spikes_s[early] - 0.5 / rate_hz) / tau_s).sum()
    inside = ~early & (middle < n_steps)
    k = middle[inside].astype(np.int64)
    np.add.at(new, k, np.exp(-((k + 0.5) / rate_hz - spikes_s[inside]) / tau_s))
    out: Values = lfilter([1.0], [1.0, -np.exp(-1 / (rate_hz * tau_s))], new)
    return out


def saturated(calcium_: Values, cell: Kinetics) -> Values:
    """dF/F of calcium over rest: a Hill function through 0 that is `amplitude` at 1."""

    def hill(x: Values) -> Values:
        powered = np.maximum(x, 0.0) ** cell.hill
        out: Values = powered / (powered + cell.half**cell.hill)
        return out

    zero, one = hill(np.array([cell.rest, cell.rest + 1.0]))
    out: Values = cell.amplitude * (hill(cell.rest + calcium_) - zero) / (one - zero)
    return out


@dataclass(frozen=True, eq=False)
class Common:
    """What cells of one recording share.

    Parameters
    ----------
    neuropil : ndarray, shape (n,), float64
        Its course, standard deviation 1, in steps of `step_s`.
    step_s : float
    moved_s : ndarray, shape (n_movements,), float64, seconds
    lasts_s : ndarray, shape (n_movements,), float64, seconds
    """

    neuropil: Values
    step_s: float = 0.1
    moved_s: Values = field(default_factory=lambda: np.empty(0))
    lasts_s: Values = field(default_factory=lambda: np.empty(0))

    @classmethod
    def drawn(cls, duration_s: float, besides: Nuisance, rng: np.random.Generator) -> Common:
        """Draw the neuropil and the movements of a recording."""
        n = max(int(np.ceil(duration_s / 0.1)) + 1, 2)
        a_minute = between(besides.motion_per_min, rng)
        n_moved = int(rng.poisson(a_minute * duration_s / 60))
        return cls(
            neuropil=wandering(n, 10 ** rng.uniform(0.5, 1.5), rng),
            moved_s=np.sort(rng.uniform(0, duration_s, n_moved)),
            lasts_s=10 ** rng.uniform(-1.3, 0.3, n_moved),
        )


def unspiking(
    rate_hz: float,
    n_frames: int,
    cell: Kinetics,
    besides: Nuisance,
    common: Common,
    rng: np.random.Generator,
) -> Values:
    """What a trace does without spikes, dF/F, shape (n_frames,)."""
    from scipy.signal import lfilter

    t = (np.arange(n_frames) + 0.5) / rate_hz
    steps = np.arange(common.neuropil.size) * common.step_s
    keep = np.exp(-common.step_s / cell.decay_s)
    glow = lfilter([1 - keep], [1.0, -keep], common.neuropil)
    glow /= max(float(glow.std()), 1e-9)
    out: Values = between(besides.neuropil, rng) * np.interp(t, steps, glow)
    every_s = 10 ** rng.uniform(1.0, 2.0)
    knots = np.arange(0.0, t[-1] + every_s, every_s / 10)
    out += between(besides.drift, rng) * np.interp(t, knots, wandering(knots.size, 10.0, rng))
    out += between(besides.bleaching, rng) * np.expm1(-t / 10 ** rng.uniform(1.5, 3.0))
    out += between(besides.offset, rng)
    loss = between(besides.motion, rng)
    for begins, lasts in zip(common.moved_s.tolist(), common.lasts_s.tolist(), strict=True):
        a, b = np.searchsorted(t, [begins - 2 * lasts, begins + 2 * lasts])
        out[a:b] -= loss * rng.uniform(-0.3, 1.0) * np.exp(-2 * ((t[a:b] - begins) / lasts) ** 2)
    return out


def photons(dff: Values, noise_level: float, rate_hz: float, rng: np.random.Generator) -> Values:
    """dF/F as counted in photons whose noise at the baseline is `noise_level` % per sqrt(Hz)."""
    if noise_level <= 0:
        return dff
    per_frame = (PER_SD * 100 / (noise_level * np.sqrt(rate_hz))) ** 2
    return photons_of(1 + dff, per_frame, rng) - 1.0


def photons_of(light: Values, per_frame: float, rng: np.random.Generator) -> Values:
    """Light as counted where 1 means `per_frame` photons in a frame."""
    out: Values = rng.poisson(per_frame * np.maximum(light, 0.0)) / per_frame
    return out


def wandering(n: int, over: float, rng: np.random.Generator) -> Values:
    """Gaussian noise that forgets itself over `over` steps, standard deviation 1, shape (n,)."""
    from scipy.signal import lfilter

    keep = float(np.exp(-1 / max(over, 1e-6)))
    fresh = float(np.sqrt(1 - keep**2))
    white = rng.standard_normal(n)
    white[1:] *= fresh
    out: Values = lfilter([1.0], [1.0, -keep], white)
    return out


def frames_of(spikes_s: Values, rate_hz: float, n_frames: int) -> npt.NDArray[np.int64]:
    """Frame in which each spike falls; a spike at the very end falls in the last one."""
    return np.minimum(spikes_s * rate_hz, n_frames - 1).astype(np.int64)


def counted(spikes_s: Values, rate_hz: float, n_frames: int) -> Traces:
    """Spikes in each frame, shape (n_frames,), float32."""
    frames = frames_of(spikes_s, rate_hz, n_frames)
    out: Traces = np.bincount(frames, minlength=n_frames).astype(np.float32)
    return out


def _check(
    rate_hz: float,
    noise_level: float | tuple[float, float],
    n_traces: int,
    n_frames: int,
    indicators: Sequence[str],
    cell_types: Sequence[str],
) -> None:
    unknown = sorted({*indicators} - {*INDICATORS}) + sorted({*cell_types} - {*CELL_TYPES})
    low, high = noise_level if isinstance(noise_level, tuple) else (noise_level, noise_level)
    named = len(indicators) > 0 and len(cell_types) > 0
    positive = rate_hz > 0 and np.isfinite(rate_hz) and 0 <= low <= high
    if unknown or not named or not positive or n_traces < 1 or n_frames < 1:
        raise BadArgumentError(
            f"indicators among {sorted(INDICATORS)}, cell types among {sorted(CELL_TYPES)}, a rate "
            "above 0 Hz, a noise level from 0 on, at least one trace and one frame",
            f"unknown {unknown}, {rate_hz} Hz, noise {noise_level}, {n_traces} x {n_frames}",
            "Mend the simulation's size.",
        )
