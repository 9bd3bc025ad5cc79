"""Finding units by peeling: the loud ones first, then what is left without them.

Each round detects events in the residual, clusters them by features on the channels around
each, makes templates of the clusters, and matches all templates to the samples anew.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.clustering import LEAST, cluster, reduce_features, steady
from nissl.annotators.spikes.own.finding.completing import completed
from nissl.annotators.spikes.own.finding.detection import (
    APART_UM,
    Detected,
    footprints,
    matched,
)
from nissl.annotators.spikes.own.finding.regrouping import merge, split
from nissl.annotators.spikes.own.finding.screening import needed
from nissl.annotators.spikes.own.finding.shapes import Shapes, learn_shapes
from nissl.annotators.spikes.own.matching.devices import CPU
from nissl.annotators.spikes.own.matching.pieces import Pieces
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours
from nissl.annotators.spikes.own.screen.artifacts import (
    CAREFUL,
    Screen,
    compact,
    neuronal,
    silenced,
    without_artifacts,
)
from nissl.annotators.spikes.own.templates.estimating import mean_waveforms, refine
from nissl.annotators.spikes.own.templates.projection import phases, project_at
from nissl.annotators.spikes.own.templates.templates import Templates, on_their_peaks, without_noise
from nissl.annotators.spikes.own.windows import Windows

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Round:
    """What one round looks for, and in how much of the samples.

    Parameters
    ----------
    threshold : float
        Of matched detection, noise SDs.
    apart_s, apart_um : float
        How far apart events are: the tails of large spikes would be events of their own as long as
        these are there.
    seconds : float
        About so much is looked at, spread over all there is.
    turns : int
        How often units are matched, merged and refined at most, before a split; once less after.
    """

    threshold: float
    apart_s: float
    apart_um: float
    seconds: float
    turns: int = 3


ROUNDS = (
    Round(20.0, 3e-3, 150.0, 20.0),
    Round(12.0, 2e-3, 150.0, 20.0),
    Round(7.0, 1e-3, 100.0, 40.0),
    Round(5.2, 0.5e-3, 75.0, 40.0),
    Round(7.0, 1e-3, 100.0, float("inf"), 2),
)
"""Large units first, then small ones, then those that fire too seldom for the others."""
LEAST_SCORE = min(each.threshold for each in ROUNDS)
MOST_IN_GROUP = 4000
LEFT = 0.05
LEFT_UM = 150.0
"""Of a large spike this part of its norm may be left, on channels within this distance."""
FLOOR = 0.65
"""Least amplitude while units are looked for: a spike of half a template is rather of a unit that
has not been found yet."""
LEAST_SPIKES = 15
LEAST_NORM = 25.0
"""Squared norm of a template below which nothing can be told from noise: five SDs."""


def discover(
    z: Samples,
    position_um: Values,
    rate_hz: float,
    rng: np.random.Generator,
    told: Callable[[str], None] | None = None,
    screened: bool = True,
    shapes: Shapes | None = None,
    pool: ThreadPoolExecutor | None = None,
    device: str = CPU,
) -> tuple[Templates, Matched] | None:
    """Templates of the units in white samples, and their spikes in these.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    position_um : ndarray, shape (n_channels, 2)
    rate_hz : float
    rng : numpy Generator
    told : callable, optional
        Given a line after each round.
    screened : bool
        Whether events and units that are artifacts are left out; see `artifacts`.
    shapes : Shapes, optional
        Learnt from these samples where they are not given.
    pool : ThreadPoolExecutor, optional
        Its threads share the work; how many there are changes no result.
    device : str
        From `devices.chosen`; where templates are matched.

    Returns
    -------
    templates : Templates
    spikes : Matched
    None
        In place of both, where there are too few spikes to learn shapes from.
    """
    windows = Windows.at(rate_hz)
    screen = Screen.on(position_um, rate_hz) if screened else None
    whole = Looked(Pieces(silenced(z, screen, CAREFUL), rate_hz, pool, device), z)
    if shapes is None:
        shapes = learn_shapes(whole.pieces.z, position_um, rate_hz, windows, rng)
    if shapes is None:
        return None
    prints = footprints(position_um)
    around = neighbours(position_um, APART_UM)
    waveforms = np.empty((0, windows.long, z.shape[1]), np.float32)
    templates = Templates(waveforms, shapes.basis, np.empty(0), windows)
    seen, part = 0.0, whole
    for each in ROUNDS:
        if each.seconds != seen:
            seen, part = each.seconds, whole.part(each.seconds)
            spikes = part.pieces.pursue(templates, FLOOR)
            residual = part.pieces.subtract(spikes, templates)
        found = matched(
            residual,
            shapes.basis,
            shapes.prototypes,
            prints,
            neighbours(position_um, each.apart_um),
            each.threshold,
            windows.before,
            max(1, round(each.apart_s * rate_hz)),
            pool,
        )
        found = beside(found, spikes, templates, windows, position_um)
        if screen is not None:
            found = without_artifacts(found, part.raw, screen)
        rare = each is ROUNDS[-1]
        means, counts = _templates_of(residual, found, shapes, around, windows, rng, rare)
        if len(means):
            new = Templates(without_noise(means), shapes.basis, counts / part.seconds, windows)
            templates = joined(templates, new.kept(compact(new, counts)))
        if len(means) or not rare:
            templates, residual, spikes = settle(part.pieces, templates, residual, each.turns)
        parts, of = split(templates, residual, spikes, rng, pool)
        units = needed(part.pieces, templates, spikes, FLOOR, residual)
        if len(parts) > len(templates) or not units.all():
            templates = parts.kept(units[of])
            templates, residual, spikes = settle(part.pieces, templates, residual, each.turns - 1)
        if told is not None:
            told(f"threshold {each.threshold:g}: {found.at.size} events, {len(templates)} units")
    units = needed(part.pieces, templates, spikes, FLOOR, residual)
    if screen is not None:
        units &= neuronal(templates, spikes, part.raw, screen)
    return templates.kept(units), spikes.of_units(units)


def joined(templates: Templates, new: Templates) -> Templates:
    """Templates and new ones, these moved onto their peaks."""
    moved = on_their_peaks(new.waveforms, new.windows)
    waves = np.concatenate([templates.waveforms, moved])
    rates = np.concatenate([templates.rate_hz, new.rate_hz])
    return Templates(waves, templates.basis, rates, templates.windows)


@dataclass(frozen=True, eq=False)
class Looked:
    """Samples that a round looks at.

    Parameters
    ----------
    pieces : Pieces
        Artifacts silenced.
    raw : ndarray, shape (n, n_channels), float32
        The same samples as they are.
    """

    pieces: Pieces
    raw: Samples

    @property
    def seconds(self) -> float:
        """How long they are."""
        return self.pieces.seconds

    def part(self, seconds: float) -> Looked:
        """About so much of it, evenly taken from all."""
        every = max(1, int(self.seconds / seconds))
        if every == 1:
            return self
        pieces, rows = self.pieces.some(every)
        return Looked(pieces, self.raw[rows])


def beside(
    found: Detected, spikes: Matched, templates: Templates, windows: Windows, position_um: Values
) -> Detected:
    """Events that are larger than what an imperfect template leaves of a large spike near it."""
    if not len(spikes):
        return found
    size = LEFT * np.sqrt(templates.norms[spikes.unit])
    large = np.flatnonzero(size > 0.4 * LEAST_SCORE)
    at, left, main = spikes.at[large], size[large], templates.main[spikes.unit[large]]
    low = np.searchsorted(at, found.at - windows.long)
    high = np.searchsorted(at, found.at + windows.long_before)
    kept = np.ones(found.at.size, bool)
    for i in range(found.at.size):
        own = slice(low[i], high[i])
        apart = np.linalg.norm(position_um[main[own]] - position_um[found.channel[i]], axis=1)
        kept[i] = not np.any(~(apart >= LEFT_UM) & (left[own] > 0.4 * found.score[i]))
    return found.taken(kept)


def settle(
    pieces: Pieces, templates: Templates, room: Samples, turns: int
) -> tuple[Templates, Samples, Matched]:
    """Match, merge, refine and drop until the units stay as they are, or so many times.

    The residual is written into `room`.
    """
    for _ in range(turns):
        spikes = pieces.pursue(templates, FLOOR)
        residual = pieces.subtract(spikes, templates, room)
        merged, into = merge(templates, residual, spikes, pieces.pool)
        settled = len(merged) == into.size
        spikes = replace(spikes, unit=into[spikes.unit])
        count = np.bincount(spikes.unit, minlength=len(merged))
        refined = refine(merged, residual, spikes, pieces.seconds, pieces.rate_hz)
        templates = sound(completed(refined, spikes), count)
        if settled and len(templates) == len(merged):
            break
    spikes = pieces.pursue(templates, FLOOR)
    return templates, pieces.subtract(spikes, templates, room), spikes


def sound(templates: Templates, count: Ints) -> Templates:
    """Templates with spikes enough, above the noise, as short as spikes."""
    enough = (count >= LEAST_SPIKES) & (templates.norms >= LEAST_NORM)
    return templates.kept(enough & compact(templates, count))


def _templates_of(
    z: Samples,
    found: Detected,
    shapes: Shapes,
    near: npt.NDArray[np.bool_],
    windows: Windows,
    rng: np.random.Generator,
    steady_only: bool = False,
) -> tuple[Samples, Ints]:
    """Mean waveforms of clusters of events, and how many events each has."""
    basis = phases(shapes.basis)
    waves, counts = [np.empty((0, windows.long, z.shape[1]), np.float32)], [np.empty(0, np.int64)]
    for channel in range(z.shape[1]):
        own = np.flatnonzero(found.channel == channel)
        if own.size < LEAST:
            continue
        if own.size > MOST_IN_GROUP:
            own = own[np.linspace(0, own.size - 1, MOST_IN_GROUP).astype(np.int64)]
        channels = np.flatnonzero(near[channel]).astype(np.int32)
        at = found.at[own]
        features = project_at(
            z,
            at,
            found.shift[own],
            np.ascontiguousarray(np.broadcast_to(channels, (own.size, channels.size))),
            basis,
            windows.before,
        )
        labels = cluster(reduce_features(features), rng)
        n = int(labels.max()) + 1
        count = np.bincount(labels, minlength=n)
        mean = mean_waveforms(z, at, found.shift[own], labels, n, windows.long_before, windows.long)
        kept = count >= LEAST
        if steady_only:
            kept &= steady(features, labels)
        waves.append(mean[kept])
        counts.append(count[kept])
    return np.concatenate(waves), np.concatenate(counts)
