"""Probabilities that units are two neurons, from heaps of their spikes.

A logistic regression of two numbers: the log of one plus the log likelihood ratio of two heaps over
one, and the log of the smaller part's share. It is fitted to sorted simulated recordings
(`benchmarks/train_unit_doubts.py`), where each unit is one neuron: as it was found, and with some
spikes of another unit moved to within 2 to 10 noise SDs of its own, 8 to 50 % of the whole. One in
ten is weighed as such a mixture; how many are in a real sorting nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.doubting.heaps import (
    Heaps,
    looked,
    near_pairs,
    of_pair,
    of_unit,
)
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.data import Signal

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

INTERCEPT, BY_RATIO, BY_SHARE = -2.910, 1.771, 1.142
MIXTURES = 0.1
"""Share of the units that were weighed as mixtures."""
MOST = 4.0
"""Log likelihood ratios beyond are not believed."""


@dataclass(frozen=True, eq=False)
class Doubts:
    """What the sorter doubts about its units.

    Parameters
    ----------
    split : ndarray, shape (n_units,), float64
        Probability that each holds two neurons; NaN with too few spikes.
    apart : tuple of (int, int, float)
        Pairs of units with similar templates, and the log likelihood ratio of their spikes
        between two neurons and one.
    """

    split: Values
    apart: tuple[tuple[int, int, float], ...] = ()


def doubts(signal: Signal, fitted: Fitted, template: Ints, seed: int) -> Doubts:
    """Look once more at some seconds of the recording, and doubt the units.

    Parameters
    ----------
    signal : Signal
    fitted : Fitted
    template : ndarray, shape (n_units,), int64
        A template of each unit, from `sorter.match`.
    seed : int
    """
    if fitted.templates is None or not template.size:
        return Doubts(np.full(template.size, np.nan))
    at = looked(signal, fitted.front, fitted.templates)
    unit = fitted.unit if fitted.unit.size else np.arange(len(fitted.templates))
    number = {int(unit[k]): n for n, k in enumerate(template.tolist())}
    rng = np.random.default_rng(seed)
    parts = [of_unit(at, np.flatnonzero(unit == name), rng) for name in number]
    split = [np.nan if each is None else probability(each) for each in parts]
    apart: dict[tuple[int, int], float] = {}
    for pair in near_pairs(at, unit):
        ends = sorted(number.get(int(unit[k]), -1) for k in (pair.one, pair.other))
        heaps = of_pair(at, pair) if ends[0] >= 0 else None
        if heaps is not None:  # pieces of moving units: those that are most alike come first
            apart.setdefault((ends[0], ends[1]), evidence(heaps))
    return Doubts(np.asarray(split), tuple((a, b, told) for (a, b), told in apart.items()))


def probability(heaps: Heaps) -> float:
    """Probability that spikes are of two neurons, where one unit in ten is a mixture."""
    return float(1 / (1 + np.exp(-_score(heaps))))


def evidence(heaps: Heaps) -> float:
    """Log likelihood ratio of two neurons over one, at most `MOST` either way."""
    return float(np.clip(_score(heaps) - np.log(MIXTURES / (1 - MIXTURES)), -MOST, MOST))


def _score(heaps: Heaps) -> float:
    share = max(heaps.share, 1e-3)
    return float(INTERCEPT + BY_RATIO * np.log1p(heaps.ratio) + BY_SHARE * np.log(share))
