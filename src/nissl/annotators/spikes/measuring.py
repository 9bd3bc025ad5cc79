"""Measuring spikes on the samples: templates, amplitudes and positions, in one chunked pass.

Everything is measured on unwhitened, filtered uV (see `preprocess.apply_plan`). First a few
spikes of each unit are looked at, to know its channels; then one pass over the recording, chunk
by chunk, measures every spike and averages up to 500 of each unit. Sums are taken chunk by
chunk, in order: the same bytes for any number of workers.

A spike's place is that of the point source whose fall-off over channels is most like its
peak-to-peak amplitudes within half a millisecond (`own.motion.localising`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.motion.localising import localise
from nissl.annotators.spikes.preprocess import Plan, apply_plan, kept_channels
from nissl.annotators.spikes.sampling import noise_uv, read_uv
from nissl.data import Signal
from nissl.labels.digest import digest_array, digest_json
from nissl.run.chunks import Chunk, plan_chunks
from nissl.run.context import Context
from nissl.run.execute import run_chunks

BEFORE_MS, AFTER_MS = 1.0, 2.0
N_LOCATED = 20  # spikes of a unit that say where it is
N_AVERAGED = 500
N_COMPARED = 100  # spikes of a unit whose waveforms are kept, for isolation
N_CANDIDATES = 3
N_NEAR = 10
NEAR_UM = 100.0
CHUNK_VALUES = 4_000_000
"""Samples times channels that are read at once."""
SUMS_PER_CHUNK = 1 / 16
"""Sums of waveforms, which each chunk keeps in a file, over what was read for it, about."""
MAX_SHIFT_MS = 0.5
LOCATED_MS = 0.5
NOISE_PTP = 4.0
"""Peak-to-peak amplitude of twice `LOCATED_MS` of noise alone, in noise SDs."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Located:
    """Where units are, from a few of their spikes.

    Parameters
    ----------
    candidates : ndarray, shape (n_units, n_candidates), int64
        Kept channels with the largest mean deflection, the largest first.
    near : ndarray, shape (n_units, n_near), int64
        Kept channels around the first candidate, itself first; -1 where there are fewer.
    shift : ndarray, shape (n_units,), int64
        Samples from a spike as given to the peak of the unit's mean waveform.
    """

    candidates: Ints
    near: Ints
    shift: Ints


@dataclass(frozen=True, eq=False)
class Work:
    """What every chunk needs; pickled where workers are elsewhere."""

    signal: Signal
    plan: Plan
    sample: Ints
    unit: Ints
    averaged: npt.NDArray[np.bool_]
    compared: npt.NDArray[np.bool_]
    located: Located
    window: tuple[int, int]
    noise: npt.NDArray[np.float64]
    block: int

    @cached_property
    def recording(self) -> Any:
        """Preprocessed recording, uV."""
        return apply_plan(self.signal, self.plan)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "recording"}


@dataclass(frozen=True, eq=False)
class Measured:
    """What the samples say of spikes and units. Channels are columns of the whole signal.

    Parameters
    ----------
    template : ndarray, shape (n_units, n_samples, n_channels), float32, uV
        NaN on channels that were left out.
    n_before : int
        Samples before the peak.
    best : ndarray, shape (n_units,), int64
        Channel of the largest deflection.
    noise : ndarray, shape (n_channels,), float64, uV
    amplitude : ndarray, shape (n_spikes,), float32, uV
        On the unit's best channel, signed.
    y : ndarray, shape (n_spikes,), float32, um
        Centre of mass of the spike's squared peak-to-peak amplitudes along the probe; NaN
        without geometry.
    place : ndarray, shape (n_spikes, 2), float32, um
        Where each spike came from, across and along the probe; NaN without geometry.
    waveforms : ndarray, shape (n_compared, n_samples, n_near), float32, uV
    compared : ndarray, shape (n_compared,), int64
        Unit of each of them.
    near : ndarray, shape (n_units, n_near), int64
        Channels of `waveforms`, -1 for none.
    """

    template: Floats
    n_before: int
    best: Ints
    noise: npt.NDArray[np.float64]
    amplitude: Floats
    y: Floats
    place: Floats
    waveforms: Floats
    compared: Ints
    near: Ints


def window_samples(rate_hz: float) -> tuple[int, int]:
    """Samples before and after the peak in a template."""
    return round(BEFORE_MS * rate_hz / 1000), round(AFTER_MS * rate_hz / 1000)


def choose_spikes(unit: Ints, n_units: int, n: int, seed: int) -> npt.NDArray[np.bool_]:
    """Mark up to `n` spikes of each unit, at random.

    Parameters
    ----------
    unit : ndarray, shape (n_spikes,), int64
    n_units, n, seed : int
    """
    rank = np.random.default_rng(seed).random(unit.size)
    order = np.lexsort((rank, unit))
    first = np.searchsorted(unit[order], np.arange(n_units))
    place = np.arange(unit.size) - first[unit[order]]
    chosen = np.zeros(unit.size, bool)
    chosen[order[place < n]] = True
    return chosen


def locate(
    signal: Signal,
    plan: Plan,
    sample: Ints,
    unit: Ints,
    *,
    seed: int,
    shank: Ints | None = None,
) -> Located:
    """Find each unit's channels and the offset of its peak from a few spikes.

    Parameters
    ----------
    signal : Signal
    plan : Plan
    sample, unit : ndarray, shape (n_spikes,), int64
        Units 0 to n - 1, all with spikes.
    seed : int
        Of the choice of spikes.
    shank : ndarray, shape (n_units,), int64, optional
        Shank on which each unit was found; its channels are looked for there alone.
    """
    recording = apply_plan(signal, plan)
    kept = kept_channels(signal, plan)
    shanks = signal.channels.shank[kept]
    n_units = int(unit.max()) + 1 if unit.size else 0
    reach = 2 * max(1, round(MAX_SHIFT_MS * signal.rate_hz / 1000))
    total = np.zeros((n_units, 2 * reach + 1, recording.get_num_channels()))
    for i in np.flatnonzero(choose_spikes(unit, n_units, N_LOCATED, seed)).tolist():
        part = _snippet(recording, signal, int(sample[i]), reach)
        if part is not None:
            total[unit[i]] += part
    if shank is not None:
        total *= (shanks[None] == shank[:, None])[:, None]
    shift = _peak_shift(total, reach)
    size = np.abs(total).max(axis=1) if n_units else np.zeros((0, total.shape[2]))
    candidates = np.argsort(-size, axis=1, kind="stable")[:, :N_CANDIDATES]
    deflects = np.take_along_axis(size, candidates, axis=1) > 0
    candidates = np.where(deflects, candidates, candidates[:, :1])
    near = near_channels(candidates[:, 0], signal.channels.position_um[kept], shanks)
    return Located(candidates, near, shift)


def near_channels(centre: Ints, position_um: npt.NDArray[np.float64], shank: Ints) -> Ints:
    """Channels around each centre: the nearest first, on its shank, padded with -1.

    Without geometry every channel is a neighbour.
    """
    n_channels = len(position_um)
    near = np.full((centre.size, min(N_NEAR, n_channels)), -1, np.int64)
    for row, channel in enumerate(centre.tolist()):
        distance = np.linalg.norm(position_um - position_um[channel], axis=1)
        distance = np.where(np.isfinite(distance), distance, 1.0)
        distance[channel] = -1.0
        distance[shank != shank[channel]] = np.inf
        order = np.argsort(distance, kind="stable")[: near.shape[1]]
        order = order[distance[order] <= NEAR_UM]
        near[row, : order.size] = order
    return near


def measure(
    signal: Signal,
    plan: Plan,
    sample: Ints,
    unit: Ints,
    located: Located,
    context: Context,
) -> Measured:
    """Measure every spike, and every unit's template.

    Parameters
    ----------
    signal : Signal
    plan : Plan
    sample, unit : ndarray, shape (n_spikes,), int64
        In order of samples; units 0 to n - 1, all with spikes.
    located : Located
    context : Context
    """
    n_units, window = len(located.candidates), window_samples(signal.rate_hz)
    block = max(round(signal.rate_hz), CHUNK_VALUES // signal.n_channels)
    work = Work(
        signal,
        plan,
        sample,
        unit,
        choose_spikes(unit, n_units, N_AVERAGED, context.seed),
        choose_spikes(unit, n_units, N_COMPARED, context.seed + 1),
        located,
        window,
        noise_uv(apply_plan(signal, plan), signal.clock, context.seed),
        block,
    )
    many = round(n_units * sum(window) / (SUMS_PER_CHUNK * block))
    chunks = plan_chunks(signal.clock, max(1, many) * block, halo=sum(window))
    values = (block + 2 * sum(window)) * 10 + n_units * sum(window)
    key = digest_json(
        {
            "sample": digest_array(sample),
            "unit": digest_array(unit),
            "plan": plan.to_json(),
            "seed": context.seed,
            "measured": 3,
        }
    )
    parts = run_chunks(
        measure_chunk,
        chunks,
        work,
        context,
        key=f"spikes-{key[:20]}",
        memory_per_chunk=values * signal.n_channels * 4 + 64 * 10**6,
        stage="measuring spikes",
        rate_hz=signal.rate_hz,
        threads=True,
    )
    return _gather(work, parts)


def measure_chunk(work: Work, chunk: Chunk) -> dict[str, npt.NDArray[Any]]:
    """Sums of waveforms, amplitudes and positions of the spikes of one chunk.

    It is read block by block; the sums are of the whole chunk.
    """
    first, last = np.searchsorted(work.sample, [chunk.start, chunk.stop])
    units = np.unique(work.unit[first:last][work.averaged[first:last]])
    sums = np.zeros((units.size, sum(work.window), len(work.noise)), np.float32)
    counts = np.zeros(units.size, np.int64)
    parts = []
    for start in range(chunk.start, chunk.stop, work.block):
        stop, halo = min(start + work.block, chunk.stop), sum(work.window)
        read = max(start - halo, chunk.read_start), min(stop + halo, chunk.read_stop)
        x = read_uv(work.recording, work.signal.clock, *read)
        rows = slice(*np.searchsorted(work.sample, [start, stop]))
        parts.append(_measured(work, x, read[0], rows, (units, sums, counts)))
    out = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    y, place = _places(out.pop("height"), work.unit[first:last], work)
    return {"units": units, "sums": sums, "counts": counts, "y": y, "place": place, **out}


def _measured(
    work: Work, x: Floats, start: int, rows: slice, total: tuple[Ints, Floats, Ints]
) -> dict[str, npt.NDArray[Any]]:
    """Amplitudes of some spikes; their windows are added to the sums.

    `x` begins at sample `start`; `total` is of units in order, with sums and counts.
    """
    from nissl.annotators.spikes.heights import heights  # numba takes a second to load

    before, after = work.window
    unit, at = work.unit[rows], work.sample[rows] - start
    whole = (at >= before) & (at + after < len(x))
    averaged, compared = whole & work.averaged[rows], whole & work.compared[rows]
    units, sums, counts = total
    row = np.searchsorted(units, unit[averaged])
    for k, sample in zip(row.tolist(), at[averaged].tolist(), strict=True):
        sums[k] += x[sample - before : sample + after]
    counts += np.bincount(row, minlength=units.size)
    reach = max(1, round(LOCATED_MS * work.signal.rate_hz / 1000))
    return {
        "amplitude": x[at[:, None], work.located.candidates[unit]],
        "height": heights(x, at, work.located.near[unit], reach, reach),
        "waveforms": _near(x, at[compared], work.located.near[unit[compared]], (before, after)),
        "compared": unit[compared],
    }


def _near(x: Floats, at: Ints, near: Ints, window: tuple[int, int]) -> Floats:
    """Windows on a few channels each, shape (n, n_samples, n_near); 0 where there is none."""
    rows = np.clip(at[:, None] + np.arange(-window[0], window[1]), 0, len(x) - 1)
    out: Floats = x[rows[:, :, None], np.maximum(near, 0)[:, None, :]]
    out *= (near >= 0)[:, None, :]
    return out


def _places(height: Floats, unit: Ints, work: Work) -> tuple[Floats, Floats]:
    """Centre of mass of each spike along the probe, and its place, micrometres.

    `height` is peak-to-peak on the channels near the unit, shape (n_spikes, n_near), uV.
    """
    n = len(height)
    if not work.signal.channels.has_geometry or not n:
        return np.full(n, np.nan, np.float32), np.full((n, 2), np.nan, np.float32)
    near = work.located.near[unit]
    position = work.signal.channels.position_um[kept_channels(work.signal, work.plan), :2]
    size = height.astype(np.float64) ** 2
    weight = np.sum(size, axis=1)
    y = np.sum(size * position[np.maximum(near, 0), 1], axis=1) / np.where(
        weight > 0, weight, np.nan
    )
    level = np.where(work.noise > 0, work.noise, np.inf)
    around = np.full((len(position), near.shape[1]), -1, np.int64)
    around[work.located.near[:, 0]] = work.located.near
    scaled = (height / level[np.maximum(near, 0)]).astype(np.float32)
    place = localise(near[:, 0], scaled, position, around, noise=NOISE_PTP)
    place[weight <= 0] = np.nan
    return y.astype(np.float32), place.astype(np.float32)


def _snippet(recording: Any, signal: Signal, sample: int, reach: int) -> Floats | None:
    inside = [s for s in signal.clock.segments if s.start <= sample < s.stop]
    if not inside or sample - reach < inside[0].start or sample + reach + 1 > inside[0].stop:
        return None
    return read_uv(recording, signal.clock, sample - reach, sample + reach + 1)


def _peak_shift(total: npt.NDArray[np.float64], reach: int) -> Ints:
    """Offset of the largest deflection, looked for in the inner half of the window."""
    inner = slice(reach // 2, reach + reach // 2 + 1)
    size = np.abs(total[:, inner]).max(axis=2) if len(total) else np.zeros((0, reach + 1))
    shift = np.argmax(size, axis=1) - reach // 2
    return np.where(size.max(axis=1, initial=0.0) > 0, shift, 0).astype(np.int64)


def _gather(work: Work, parts: Any) -> Measured:
    n_units = len(work.located.candidates)
    kept = np.asarray(kept_channels(work.signal, work.plan), dtype=np.int64)
    total = np.zeros((n_units, sum(work.window), kept.size))
    counts = np.zeros(n_units, np.int64)
    columns: dict[str, list[npt.NDArray[Any]]] = {
        name: [] for name in ("amplitude", "y", "place", "waveforms", "compared")
    }
    for part in parts:
        total[part["units"]] += part["sums"]
        counts[part["units"]] += part["counts"]
        for name, values in columns.items():
            values.append(part[name])
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    mean = total / np.where(counts > 0, counts, np.nan)[:, None, None]
    place, size = best_candidate(mean, work.located.candidates, work.window[0])
    template = np.full((n_units, mean.shape[1], work.signal.n_channels), np.nan, np.float32)
    template[:, :, kept] = mean
    noise = np.full(work.signal.n_channels, np.nan)
    noise[kept] = work.noise
    near = work.located.near
    return Measured(
        template=template,
        n_before=work.window[0],
        best=kept[size],
        noise=noise,
        amplitude=joined["amplitude"][np.arange(work.unit.size), place[work.unit]],
        y=joined["y"],
        place=joined["place"],
        waveforms=joined["waveforms"],
        compared=joined["compared"],
        near=np.where(near >= 0, kept[np.maximum(near, 0)], -1),
    )


def best_candidate(
    mean: npt.NDArray[np.float64], candidates: Ints, peak: int
) -> tuple[npt.NDArray[np.intp], Ints]:
    """Which candidate channel deflects most at the peak: its rank, and the channel."""
    rows = np.arange(len(candidates))[:, None]
    size = np.nan_to_num(np.abs(mean[rows, peak, candidates]), nan=0.0)
    place = np.argmax(size, axis=1)
    return place, candidates[np.arange(len(candidates)), place]
