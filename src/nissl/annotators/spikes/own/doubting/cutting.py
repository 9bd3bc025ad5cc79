"""The cut that the sorter sees in a unit of labels: which of its spikes are of a second neuron.

Doubts are about some seconds of a recording (`heaps`); a cut is of all spikes. They are matched
once more where the unit fires, freed of all others, and divided as there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.doubting.heaps import PIECES, Heaps, Looked, parted
from nissl.annotators.spikes.own.explaining.recognising import Recognised, recognise
from nissl.annotators.spikes.own.explaining.surroundings import surroundings, units_of
from nissl.annotators.spikes.own.explaining.units import FOUND_MS
from nissl.annotators.spikes.own.finding.regrouping import cleaned
from nissl.annotators.spikes.own.matching.matching import Job, screen_of
from nissl.annotators.spikes.own.matching.sparing import pursue_screened
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.preprocessing.front import white
from nissl.annotators.spikes.own.screen.artifacts import Screen
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.data import Signal
from nissl.run.chunks import Chunk, plan_chunks

Ints = npt.NDArray[np.int64]
Samples = npt.NDArray[np.float32]

FEW = 12
"""Spikes by which the unit is recognised."""


@dataclass(frozen=True, eq=False)
class Parted:
    """A unit, cut in two.

    Parameters
    ----------
    second : ndarray, shape (n,), bool
        Which of its spikes are the smaller part.
    heaps : Heaps
    n_found : int
        Spikes that were found again; the others stay where they are.
    """

    second: npt.NDArray[np.bool_]
    heaps: Heaps
    n_found: int


def part_unit(
    signal: Signal,
    fitted: Fitted,
    samples: Ints,
    seed: int,
    told: Callable[[float], None] = lambda _: None,
) -> Parted:
    """Cut a unit of labels in two where its spikes are most unlike.

    Parameters
    ----------
    signal : Signal
    fitted : Fitted
    samples : ndarray, shape (n,), int64
        Its spikes in the labels, increasing.
    seed : int
    told : callable
        Given the seconds of the recording that were looked at, piece by piece.

    Returns
    -------
    Parted
        Without a second part where the sorter sees one heap, or too few spikes.
    """
    none = Parted(np.zeros(samples.size, bool), Heaps(), 0)
    templates = fitted.templates
    if templates is None or not samples.size:
        return none
    screen = screen_of(signal, fitted.front)
    few = samples[np.unique(np.linspace(0, samples.size - 1, FEW).round().astype(int))]
    around = [surroundings(signal, fitted, int(s), screen) for s in few]
    known = recognise(around, few, fitted, signal.rate_hz)
    if known.unit < 0:
        return none
    count = [np.bincount(each.spikes.unit, minlength=len(templates)) for each in around]
    own = units_of(fitted) == known.unit
    main = int(np.argmax(np.where(own, np.sum(count, axis=0), -1)))
    rows, features = [], []
    for chunk in plan_chunks(signal.clock, Job(signal, fitted.front, templates).size):
        low, high = np.searchsorted(samples, [chunk.start, chunk.stop])
        if high > low:
            at, found = _features(signal, fitted, screen, chunk, samples[low:high], known, main)
            rows.append(low + at)
            features.append(found)
        told(chunk.n_samples / signal.rate_hz)
    row, every = np.concatenate(rows), np.concatenate(features)
    if len(every) < 2:
        return none
    piece = samples[row] * PIECES // max(signal.n_samples, 1)
    size = float(np.sqrt(templates.norms[main]))
    heaps, smaller = parted(every, piece, size, np.random.default_rng(seed))
    none.second[row[smaller]] = True
    return Parted(none.second, heaps, row.size)


def _features(
    signal: Signal,
    fitted: Fitted,
    screen: Screen | None,
    chunk: Chunk,
    samples: Ints,
    known: Recognised,
    main: int,
) -> tuple[Ints, Samples]:
    """Features of the spikes of a chunk that are found again, and which of the labels' they are."""
    front, templates = fitted.front, fitted.templates
    if templates is None:
        raise ValueError("a fitted sorter with templates was expected; it has none")
    segment = next(s for s in signal.clock.segments if s.start <= chunk.start < s.stop)
    step, halo = front.band.step, 2 * templates.windows.long
    first = chunk.start - min(halo, (chunk.start - segment.start) // step) * step
    z = white(signal, front, segment, first, min(chunk.stop + halo * step, segment.stop))
    z, spikes = pursue_screened(z, templates, front.rate_hz, screen)
    at = Looked(templates, spikes, subtract(z, spikes, templates))
    exact = first + (spikes.at + spikes.shift.astype(np.float64)) * step
    late = np.round(exact).astype(np.int64) - front.delay - known.shift
    own = units_of(fitted)[spikes.unit] == known.unit
    which = np.asarray(
        [_nearest(late, own, int(s), round(FOUND_MS * signal.rate_hz / 1000)) for s in samples]
    )
    taken, place = np.unique(which[which >= 0], return_index=True)  # one spike of the labels each
    where = np.flatnonzero(which >= 0)[place]
    channels = at.channels(main)
    features = np.empty((len(spikes.at), len(templates.basis), channels.size), np.float32)
    for template in np.unique(spikes.unit[taken]).tolist():
        found, rows = cleaned(templates, at.residual, spikes, template, channels, most=len(z))
        features[rows] = found
    return where.astype(np.int64), features[taken]


def _nearest(late: Ints, own: npt.NDArray[np.bool_], sample: int, reach: int) -> int:
    """Row of the spike at a sample: of the unit itself, else of another that people put to it."""
    apart = np.abs(late - sample)
    for among in (own, ~own):
        rows = np.flatnonzero(among & (apart <= reach))
        if rows.size:
            return int(rows[np.argmin(apart[rows])])
    return -1
