"""Teach `events/nissl` from marks in a recording: the spans one person drew, and what was read.

Where a person has read a stretch and marked all events of a kind, every other candidate of the
stretch is an example of "nothing". Taught once on candidates of all bands, the detector knows
where such events lie; taught again on the candidates found there, it knows what to tell them from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.candidates import EVERYTHING, Search, candidates
from nissl.annotators.events.features import NAMES, UNITS, Channel
from nissl.annotators.events.learner import EventLearner
from nissl.annotators.events.method import samples
from nissl.annotators.events.train import HIT, best_overlap
from nissl.annotators.events.vocabulary import NOTHING
from nissl.annotators.events.waves import WORK_HZ, at_rate
from nissl.data import Signal
from nissl.labels import FeatureTable
from nissl.tasks import Examples

Ints = npt.NDArray[np.int64]


def taught(
    signal: Signal,
    channel: int,
    marks: tuple[Ints, Ints],
    read: tuple[int, int],
    *,
    name: str,
    rng: np.random.Generator,
) -> EventLearner:
    """Detector of the events that were marked on one channel of a stretch.

    Parameters
    ----------
    signal : Signal
    channel : int
    marks : tuple of ndarray, shape (n_marks,) each, int64
        Start and stop, samples.
    read : tuple of int
        Stretch in which all events are marked, samples, half-open, without a gap.
    name : str
        Class of the events.
    rng : numpy.random.Generator

    Raises
    ------
    MissingInputError
        Fewer than five marks, or than five candidates that are none.
    """
    segment = next(s for s in signal.clock.segments if s.start <= read[0] < s.stop)
    x = at_rate(samples(signal, segment.start, segment.stop, channel), signal.rate_hz)
    ready, scale = Channel(x), WORK_HZ / signal.rate_hz
    start, stop = (np.rint((m - segment.start) * scale).astype(np.int64) for m in marks)
    low, high = ((edge - segment.start) * scale for edge in read)
    inside = (start >= low) & (stop <= high)
    start, stop = start[inside], np.maximum(stop[inside], start[inside] + 1)

    def learnt(learner: EventLearner, searches: Sequence[Search]) -> EventLearner:
        found = [candidates(x, search) for search in searches]
        a, b = (np.concatenate([f[k] for f in found]) for k in (0, 1))
        own = (a >= low) & (b <= high)
        a, b = a[own], b[own]
        hit = best_overlap(a, b, start, stop) >= HIT
        missed = best_overlap(start, stop, a[hit], b[hit]) < HIT
        values = np.vstack([ready.measured(start[missed], stop[missed]), ready.measured(a, b)])
        label = np.concatenate([np.zeros(missed.sum(), np.int64), (~hit).astype(np.int64)])
        weight = np.ones(len(label))
        weight[label == 0] *= start.size / max(int((label == 0).sum()), 1)  # one mark, one vote
        return learner.fit(_examples(values, label, weight, (name, NOTHING)), rng=rng)

    first = learnt(EventLearner(), EVERYTHING)
    return learnt(first, first.known.searches)


def _examples(
    values: npt.NDArray[np.float64],
    label: Ints,
    weight: npt.NDArray[np.float64],
    names: tuple[str, ...],
) -> Examples:
    n = len(label)
    table = FeatureTable(np.arange(n), NAMES, values, UNITS, ("",) * n, ("",) * n)
    return Examples(table, label, weight, classes=names)
