"""Why a unit is one of its own: its spikes' explanations, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.confidence.expectations import Expected, expected, least_amplitudes
from nissl.annotators.spikes.own.explaining.recognising import Recognised, recognise
from nissl.annotators.spikes.own.explaining.spikes import Explained, deciding, explain
from nissl.annotators.spikes.own.explaining.surroundings import surroundings, units_of
from nissl.annotators.spikes.own.matching.matching import screen_of
from nissl.annotators.spikes.own.matching.pursuit import LEAST_AMPLITUDE, PRIOR, costs
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.data import Signal

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

MOST_SPIKES = 200
"""A unit is told by so many of its spikes, spread evenly over them."""
FOUND_MS = 0.35


@dataclass(frozen=True, eq=False)
class Rival:
    """A unit that was the runner-up of some spikes.

    Parameters
    ----------
    unit : int
        Of the fitted sorter.
    share : float
        Of the explained spikes.
    confusion : float
        Expected share of the explained spikes that are the rival's, by the gains alone.
    apart_sd : float
        Distance between the two templates where they are most alike, noise SDs.
    llr : ndarray, shape (n_channels,), float64
        Mean part of each channel in the log likelihood ratio against it.
    deciding : tuple of int
        Channels by which the two are told apart, columns of the signal, the weightiest first.
    """

    unit: int
    share: float
    confusion: float
    apart_sd: float
    llr: Values
    deciding: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class UnitExplained:
    """A unit.

    Parameters
    ----------
    unit : int
        Of the fitted sorter.
    n_spikes : int
        That were asked about, of the labels.
    n_explained : int
        Of those that were looked at, found again.
    n_looked_at : int
    recognised : Recognised
    energy_before, energy_after : float
        Means over spikes; see `Explained`.
    least_amplitude : float
        Below it no spike of this unit is found, in templates.
    margin : ndarray, shape (3,), float64
        Gain over that of the runner-up, or of no spike: 5th, 50th and 95th percentile.
    no_rival : float
        Share of spikes of which no other unit explains anything.
    rivals : tuple of Rival
        The most frequent first.
    chance : float
        Expected share that is noise, by the gains alone.
    expected : Expected
        False positives and negatives. Without confidences of spikes by the gains alone.
    spikes : tuple of Explained
    """

    unit: int
    n_spikes: int
    n_explained: int
    n_looked_at: int
    recognised: Recognised
    energy_before: float
    energy_after: float
    least_amplitude: float
    margin: Values
    no_rival: float
    rivals: tuple[Rival, ...]
    chance: float
    expected: Expected
    spikes: tuple[Explained, ...]

    @property
    def confusion(self) -> float:
        """Expected share of spikes that are other units', by the gains alone."""
        return float(sum(rival.confusion for rival in self.rivals))


def explain_unit(
    signal: Signal,
    fitted: Fitted,
    samples: Ints,
    confidence: npt.ArrayLike | None = None,
    most: int = MOST_SPIKES,
) -> UnitExplained | None:
    """Explain a unit of labels by some of its spikes; only their surroundings are read.

    Parameters
    ----------
    signal : Signal
    fitted : Fitted
    samples : ndarray, shape (n,), int64
        Its spikes in the labels.
    confidence : array_like, shape (n,), optional
        Probability that each is the unit's.
    most : int
        Spikes that are looked at.

    Returns
    -------
    UnitExplained or None
        None where the sorter has no unit that fires with these spikes.
    """
    templates = fitted.templates
    if templates is None or not samples.size:
        return None
    rows = np.unique(np.linspace(0, samples.size - 1, min(most, samples.size)).round().astype(int))
    screen = screen_of(signal, fitted.front)
    around = [surroundings(signal, fitted, int(s), screen) for s in samples[rows]]
    found = recognise(around, samples[rows], fitted, signal.rate_hz)
    if found.unit < 0:
        return None
    reach = round(FOUND_MS * signal.rate_hz / 1000)
    units = units_of(fitted)
    spikes, held = [], []
    for row, each in zip(rows.tolist(), around, strict=True):
        own = units[each.spikes.unit] == found.unit
        which = each.nearest(int(samples[row]) + found.shift, own, reach)
        if which is not None:
            spikes.append(explain(each, which, fitted))
            held.append(row)
    odds = np.asarray([spike.odds for spike in spikes])
    sure = odds[:, 0] if confidence is None else np.asarray(confidence, np.float64)[held]
    size = np.asarray([spike.amplitude for spike in spikes])
    least = _least(templates, fitted, spikes)
    return UnitExplained(
        unit=found.unit,
        n_spikes=samples.size,
        n_explained=len(spikes),
        n_looked_at=rows.size,
        recognised=found,
        energy_before=float(np.mean([spike.energy_before for spike in spikes])),
        energy_after=float(np.mean([spike.energy_after for spike in spikes])),
        least_amplitude=least,
        margin=np.percentile([s.gain - s.rival_gain for s in spikes], [5, 50, 95]),
        no_rival=float(np.mean([spike.rival < 0 for spike in spikes])),
        rivals=_rivals(spikes, odds, templates),
        chance=float(odds[:, 2].mean()),
        expected=expected(found.unit, size, sure, least),
        spikes=tuple(spikes),
    )


def _least(templates: Templates, fitted: Fitted, spikes: Sequence[Explained]) -> float:
    """Least amplitude that is found, the mean over the spikes' templates."""
    every = least_amplitudes(
        templates.norms.astype(np.float64),
        costs(templates, fitted.front.rate_hz).astype(np.float64),
        PRIOR,
        LEAST_AMPLITUDE,
    )
    return float(np.mean(every[[spike.template for spike in spikes]]))


def _rivals(spikes: Sequence[Explained], odds: Values, templates: Templates) -> tuple[Rival, ...]:
    name = np.asarray([spike.rival for spike in spikes])
    out = []
    for unit in np.unique(name[name >= 0]).tolist():
        own = np.flatnonzero(name == unit).tolist()
        llr = np.mean([spikes[k].llr for k in own], axis=0)
        pairs = {(spikes[k].template, spikes[k].rival_template) for k in own}
        out.append(
            Rival(
                unit,
                len(own) / len(spikes),
                float(odds[own, 1].sum() / len(spikes)),
                min(apart(templates, a, b) for a, b in pairs),
                llr,
                tuple(spikes[0].columns[c] for c in deciding(llr)),
            )
        )
    return tuple(sorted(out, key=lambda rival: (-rival.share, rival.unit)))


def apart(templates: Templates, a: int, b: int) -> float:
    """Distance between two templates where they are most alike, noise SDs."""
    start, columns = templates.pairs
    norms = templates.norms
    held = columns[start[a] : start[a + 1]]
    at = np.flatnonzero(held == b)
    shared = float(templates.echoes[start[a] + at[0]].max()) if at.size else 0.0
    return float(np.sqrt(max(float(norms[a] + norms[b]) - 2 * shared, 0.0)))


def explain_at(
    signal: Signal, fitted: Fitted, sample: int, recognised: Recognised
) -> Explained | None:
    """Explain one spike of labels, of a unit that was recognised.

    Parameters
    ----------
    signal : Signal
    fitted : Fitted
    sample : int
        Where the labels have it.
    recognised : Recognised

    Returns
    -------
    Explained or None
        None where the sorter has no spike of the unit there.
    """
    around = surroundings(signal, fitted, sample, screen_of(signal, fitted.front))
    own = units_of(fitted)[around.spikes.unit] == recognised.unit
    reach = round(FOUND_MS * signal.rate_hz / 1000)
    which = around.nearest(sample + recognised.shift, own, reach)
    return None if which is None else explain(around, which, fitted)
