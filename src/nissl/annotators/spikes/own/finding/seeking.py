"""Where and when units are looked for: stretches of the recording, zones of the probe.

Zones do not depend on one another: several are looked at at once, as memory allows, and the
result is the same with any number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.bursts import rejoin_bursts
from nissl.annotators.spikes.own.finding.discovery import discover
from nissl.annotators.spikes.own.finding.rejoining import rejoin
from nissl.annotators.spikes.own.finding.shapes import Shapes, learn_shapes
from nissl.annotators.spikes.own.keeping import Kept, kept_part
from nissl.annotators.spikes.own.matching.devices import CPU
from nissl.annotators.spikes.own.matching.pieces import mapped, threads
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.motion.resting import Rest
from nissl.annotators.spikes.own.preprocessing.front import Front, looks, white
from nissl.annotators.spikes.own.screen.artifacts import CAREFUL, Screen, silenced
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows
from nissl.annotators.spikes.own.zones import Part, Zone, front_of, joined, rest_of, zones_of
from nissl.data import Signal
from nissl.run.context import Context

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

DISCOVERY_S = 1800.0
"""So long at most: all of it where few channels make that cheap, for units that fire seldom."""
LOOK_S = 2.5
MOVING_LOOK_S = 0.5
"""Of moving tissue: few long looks would show each unit at a few displacements, as if it were
several."""
MOST_VALUES = 60_000_000
"""White samples times channels that units are looked for in; larger zones get less time."""
COPIES = 7
"""Arrays of that size that one zone takes at most; about five were seen."""


@dataclass(frozen=True, eq=False)
class Sought:
    """White samples that units are looked for in.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
        Stretches, with 10 ms of zeros after each.
    block : ndarray, shape (n,), int64
        Block of motion of each sample, -1 between stretches; empty where nothing moved.
    """

    z: Samples
    block: Ints


def sought(
    signal: Signal,
    front: Front,
    seconds: float = DISCOVERY_S,
    pool: ThreadPoolExecutor | None = None,
) -> Sought:
    """Stretches spread over the recording; of moving tissue many short ones."""
    n_channels, step = len(front.whitening.matrix), front.band.step
    seconds = min(seconds, MOST_VALUES / (front.rate_hz * n_channels))
    length_s = LOOK_S if front.rest is None else MOVING_LOOK_S
    gap = np.zeros((round(0.01 * front.rate_hz), n_channels), np.float32)
    pieces, blocks = [], []
    chosen = looks(signal, max(1, round(seconds / length_s)), length_s)
    for (_, start, _), z in zip(
        chosen, mapped(pool, lambda look: white(signal, front, *look), chosen), strict=True
    ):
        pieces += [z, gap]
        if front.rest is not None:
            blocks += [front.rest.block(start, len(z), step), np.full(len(gap), -1)]
    block = np.concatenate(blocks) if blocks else np.empty(0, np.int64)
    return Sought(np.concatenate(pieces), block)


def seek(
    signal: Signal,
    front: Front,
    position_um: Values,
    context: Context,
    stage: str,
    device: str = CPU,
    kept: Kept | None = None,
) -> tuple[Templates | None, Ints]:
    """Templates of the units of a probe, and which unit each belongs to.

    Parameters
    ----------
    signal : Signal
    front : Front
    position_um : ndarray, shape (n_channels, 2), um
    context : Context
        Its seed, memory and workers; only the seed changes the result.
    stage : str
        For progress.
    device : str
        From `devices.chosen`.
    kept : Kept, optional
        Where zones that are finished are kept.
    """
    zones = zones_of(position_um)
    if len(zones) > 1:
        return _seek_zones(signal, front, position_um, zones, context, stage, device, kept)
    context.progress.start(stage, None, "rounds")
    try:
        with threads(context.workers) as pool:
            part = sought(signal, front, pool=pool)
            found = discover(
                part.z,
                position_um,
                front.rate_hz,
                context.rng(),
                lambda _: context.progress.advance(stage, 1),
                pool=pool,
                device=device,
            )
        if found is None:
            return None, np.empty(0, np.int64)
        return found[0], units_of(*found, front.rest, part.block, front.rate_hz)
    finally:
        context.progress.finish(stage)


def units_of(
    templates: Templates, spikes: Matched, rest: Rest | None, block: Ints, rate_hz: float
) -> Ints:
    """Unit of each template: its own, but for pieces of a unit.

    Bursts take a unit apart, and displacement where the tissue moved.
    """
    if len(templates) < 2:
        return np.arange(len(templates))
    units = rejoin_bursts(templates, spikes, rate_hz)
    if rest is None:
        return units
    names, row = np.unique(block, return_inverse=True)
    gaps = int(np.searchsorted(names, 0))
    moved = rest.displacement(names[gaps:])
    pieces = rejoin(templates, spikes, row - gaps, moved, rest.seen(moved), rate_hz)
    return together(units, pieces)


def together(one: Ints, other: Ints) -> Ints:
    """Units of templates that are of one unit by either count, or by both in turn.

    Parameters
    ----------
    one, other : ndarray, shape (n_templates,), int64
        Two counts of which unit each template belongs to.

    Returns
    -------
    ndarray, shape (n_templates,), int64
        0 to n_units - 1, in order of the templates.
    """
    from scipy.sparse.csgraph import connected_components

    same = (one[:, None] == one) | (other[:, None] == other)
    return np.asarray(connected_components(same, directed=False)[1], dtype=np.int64)


def _seek_zones(
    signal: Signal,
    front: Front,
    position_um: Values,
    zones: Sequence[Zone],
    context: Context,
    stage: str,
    device: str,
    kept: Kept | None,
) -> tuple[Templates | None, Ints]:
    none = np.empty(0, np.int64)
    whole = sought(signal, front).z
    screen = Screen.on(position_um, front.rate_hz)
    shapes = learn_shapes(
        silenced(whole, screen, CAREFUL),
        position_um,
        front.rate_hz,
        Windows.at(front.rate_hz),
        context.rng(),
    )
    del whole
    if shapes is None:
        return None, none
    largest = max(zone.channels.size for zone in zones)
    seconds = min(DISCOVERY_S, MOST_VALUES / (front.rate_hz * largest))
    parts: list[Part | None] = []
    at_once = min(len(zones), zones_at_once(largest * seconds * front.rate_hz, context))
    spare = max(1, context.workers // at_once)
    context.progress.start(stage, float(len(zones)), "zones")
    try:
        with ThreadPoolExecutor(at_once) as pool:
            jobs = [
                (front, zone, shapes, position_um, seconds, (context.seed, number), spare, device)
                for number, zone in enumerate(zones)
            ]
            try:
                for part in pool.map(
                    lambda job: kept_part(kept, job[1], lambda: _seek_zone(signal, *job)), jobs
                ):
                    parts.append(part)
                    context.progress.advance(stage, 1)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        context.progress.finish(stage)
    found = joined([part for part in parts if part is not None], position_um, front.rate_hz)
    return (None, none) if found is None else found


def zones_at_once(values: float, context: Context) -> int:
    """Zones that fit into half of the budget, at least one, at most one per worker.

    Parameters
    ----------
    values : float
        White samples of the largest, times its channels.
    context : Context
    """
    fitting = int(context.memory_bytes * 0.75 / (values * 4 * COPIES))
    return max(1, min(context.workers, fitting))


def _seek_zone(
    signal: Signal,
    front: Front,
    zone: Zone,
    shapes: Shapes,
    position_um: Values,
    seconds: float,
    seed: tuple[int, int],
    workers: int,
    device: str,
) -> Part | None:
    place = position_um[zone.channels]
    rng = np.random.default_rng(seed)
    with threads(workers) as pool:
        part = sought(signal, front_of(front, zone, position_um), seconds, pool)
        found = discover(part.z, place, front.rate_hz, rng, shapes=shapes, pool=pool, device=device)
    if found is None or not len(found[0]):
        return None
    templates, spikes = found
    rest = None if front.rest is None else rest_of(front.rest, zone, position_um)
    unit = units_of(templates, spikes, rest, part.block, front.rate_hz)
    return Part(zone, templates, unit, spikes)
