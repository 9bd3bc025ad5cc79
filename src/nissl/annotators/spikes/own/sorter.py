"""The whole sorter: units are found on a part of the recording, then matched to all of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from nissl.annotators.spikes.own.discovery import discover
from nissl.annotators.spikes.own.front import Front, at_rest, fit_front, looks, white
from nissl.annotators.spikes.own.motion import Motion
from nissl.annotators.spikes.own.peaks import find_motion
from nissl.annotators.spikes.own.pursuit import pursue
from nissl.annotators.spikes.own.rejoining import rejoin
from nissl.annotators.spikes.own.templates import Templates
from nissl.clock import Segment
from nissl.data import Signal
from nissl.run.context import Context

Ints = npt.NDArray[np.int64]

DISCOVERY_S = 40.0
LOOK_S = 2.5
MOVING_LOOK_S = 0.5
"""Of moving tissue: few long looks would show each unit at a few displacements, as if it were
several."""
MOST_VALUES = 60_000_000
"""White samples times channels that units are looked for in; larger probes get less time."""
CHUNK_S = 2.0
FEWEST_SPIKES = 20


@dataclass(frozen=True, eq=False)
class Fitted:
    """A sorter that knows the units of some channels.

    Parameters
    ----------
    front : Front
    templates : Templates or None
        None where no units were found.
    unit : ndarray, shape (n_templates,), int64
        Which unit each template belongs to; moving units may have several.
    """

    front: Front
    templates: Templates | None
    unit: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def motion(self) -> Motion | None:
        """How the tissue moved; None where it stood still or nobody can tell."""
        return None if self.front.rest is None else self.front.rest.motion


@dataclass(frozen=True, eq=False)
class Found:
    """Spikes of a recording.

    Parameters
    ----------
    sample : ndarray, shape (n,), int64
    unit : ndarray, shape (n,), int64
        0 to n_units - 1, none empty.
    amplitude : ndarray, shape (n,), float32
        In templates.
    gain : ndarray, shape (n,), float32
        Log likelihood ratio against no spike.
    """

    sample: Ints
    unit: Ints
    amplitude: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float32]


def fit(
    signal: Signal, columns: list[int], band_hz: tuple[float, float], context: Context, stage: str
) -> Fitted:
    """Estimate the noise and find the units.

    Parameters
    ----------
    signal : Signal
    columns : list of int
        Channels that are sorted together.
    band_hz : tuple of float
    context : Context
        Its seed is the only source of randomness.
    stage : str
        For progress.
    """
    rng = context.rng()
    front = fit_front(signal, columns, *band_hz)
    motion = find_motion(signal, front, context.workers)
    if motion is not None:
        front = at_rest(signal, front, motion)
    sought = _sought(signal, front)
    position = np.asarray(signal.channels.position_um, dtype=np.float64)[columns, :2]
    context.progress.start(stage, None, "rounds")
    try:
        with threadpool_limits(1):
            templates = discover(
                sought.z,
                position,
                front.rate_hz,
                rng,
                lambda _: context.progress.advance(stage, 1),
            )
            return Fitted(front, templates, _units(templates, front, sought))
    finally:
        context.progress.finish(stage)


@dataclass(frozen=True, eq=False)
class _Sought:
    """White samples that units are looked for in, and the block of motion of each (-1: none)."""

    z: npt.NDArray[np.float32]
    block: Ints


def _sought(signal: Signal, front: Front) -> _Sought:
    """Stretches spread over the recording; of moving tissue many short ones."""
    n_channels, step = len(front.columns), front.band.step
    seconds = min(DISCOVERY_S, MOST_VALUES / (front.rate_hz * n_channels))
    length_s = LOOK_S if front.rest is None else MOVING_LOOK_S
    gap = np.zeros((round(0.01 * front.rate_hz), n_channels), np.float32)
    pieces, blocks = [], []
    for segment, start, stop in looks(signal, max(1, round(seconds / length_s)), length_s):
        z = white(signal, front, segment, start, stop)
        pieces += [z, gap]
        if front.rest is not None:
            blocks += [front.rest.block(start, len(z), step), np.full(len(gap), -1)]
    block = np.concatenate(blocks) if blocks else np.empty(0, np.int64)
    return _Sought(np.concatenate(pieces), block)


def _units(templates: Templates | None, front: Front, sought: _Sought) -> Ints:
    """Unit of each template: its own, but for pieces of a unit that displacement took apart."""
    if templates is None or front.rest is None or len(templates) < 2:
        return np.arange(0 if templates is None else len(templates))
    names, row = np.unique(sought.block, return_inverse=True)
    gaps = int(np.searchsorted(names, 0))
    spikes = pursue(sought.z, templates, front.rate_hz)
    moved = front.rest.displacement(names[gaps:])
    return rejoin(templates, spikes, row - gaps, moved, front.rate_hz)


def match(signal: Signal, fitted: Fitted, context: Context, stage: str) -> Found:
    """Spikes of the fitted units in the whole recording.

    Chunks lie on a grid of their own in each segment, so that the result does not depend on the
    number of workers.
    """
    templates, front = fitted.templates, fitted.front
    if templates is None or not len(templates):
        none = np.empty(0, np.int64)
        return Found(none, none, np.empty(0, np.float32), np.empty(0, np.float32))
    for name in ("echoes", "own", "norms", "weights"):
        getattr(templates, name)  # once, before threads share it
    size = round(CHUNK_S * front.rate_hz) * front.band.step
    chunks = [
        (segment, start, min(start + size, segment.stop))
        for segment in signal.clock.segments
        for start in range(segment.start, segment.stop, size)
    ]
    parts: list[Found] = []
    context.progress.start(stage, float(len(chunks)), "chunks")
    try:
        with threadpool_limits(1), ThreadPoolExecutor(max(1, context.workers)) as pool:
            try:
                for part in pool.map(lambda c: _chunk(signal, front, templates, *c), chunks):
                    parts.append(part)
                    context.progress.advance(stage, 1)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        context.progress.finish(stage)
    unit = fitted.unit if fitted.unit.size else np.arange(len(templates))
    return _joined(parts, unit)


def _chunk(
    signal: Signal, front: Front, templates: Templates, segment: Segment, start: int, stop: int
) -> Found:
    step = front.band.step
    halo = 2 * templates.windows.long
    before = min(halo, (start - segment.start) // step)
    first = start - before * step
    z = white(signal, front, segment, first, min(stop + halo * step, segment.stop))
    spikes = pursue(z, templates, front.rate_hz)
    exact = first + (spikes.at + spikes.shift.astype(np.float64)) * step
    own = (spikes.at >= before) & (first + spikes.at * step < stop)
    sample = np.round(exact[own]).astype(np.int64) - front.delay
    sample = np.clip(sample, segment.start, segment.stop - 1)
    return Found(sample, spikes.unit[own], spikes.amplitude[own], spikes.gain[own])


def _joined(parts: list[Found], unit_of: Ints) -> Found:
    sample, template, amplitude, gain = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("sample", "unit", "amplitude", "gain")
    )
    unit = unit_of[template]
    kept = np.bincount(unit, minlength=int(unit_of.max()) + 1) >= FEWEST_SPIKES
    number = np.cumsum(kept) - 1
    own = kept[unit]
    order = np.lexsort((number[unit[own]], sample[own]))
    return Found(
        sample[own][order],
        number[unit[own]][order].astype(np.int64),
        amplitude[own][order],
        gain[own][order],
    )
