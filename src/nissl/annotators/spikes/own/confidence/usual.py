"""What is usual for the spikes of each template, from all of a recording.

It is kept with a sorter that a recording taught, so that a spike on a stream is held against what
that recording has shown of its unit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.regrouping import alike
from nissl.annotators.spikes.own.templates.templates import Templates

Ints = npt.NDArray[np.int64]
Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

N_OF_UNIT = 6
"""Columns of evidence that are of the unit alone: the last ones."""
REFRACTORY_S = 1.5e-3
LARGER = 2.0
"""Spikes of other units are larger when their norm is more than this of the unit's own."""
TURNS = 25
LEAST_SHARE = 0.02


@dataclass(frozen=True, eq=False)
class Chance:
    """A unit's Gaussian of amplitudes, and an exponential of chance events, of each template.

    Parameters
    ----------
    middle, spread : ndarray, shape (n_templates,)
        Of the Gaussian, in templates.
    share : ndarray, shape (n_templates,)
        Of spikes in it.
    least, scale : ndarray, shape (n_templates,)
        Where the exponential begins, and how fast it falls.
    """

    middle: Values
    spread: Values
    share: Values
    least: Values
    scale: Values

    def odds(self, amplitude: Values, unit: Ints) -> Values:
        """Log odds of each amplitude between the Gaussian and chance, shape (n,)."""
        spread, scale = self.spread[unit], self.scale[unit]
        z = (amplitude - self.middle[unit]) / spread
        usual = -0.5 * z**2 - np.log(spread * np.sqrt(2 * np.pi))
        by_chance = -(amplitude - self.least[unit]) / scale - np.log(scale)
        share = self.share[unit]
        return np.asarray(usual - by_chance + np.log(share / (1 - share)), np.float64)


@dataclass(frozen=True, eq=False)
class Usual:
    """What a recording says of the spikes of each template.

    Parameters
    ----------
    median : ndarray, shape (n_templates,)
        Of amplitudes, in templates.
    chance : Chance
    columns : ndarray, shape (n_templates, N_OF_UNIT)
        The last columns of `evidence.COLUMNS`.
    """

    median: Values
    chance: Chance
    columns: Values

    def arrays(self) -> dict[str, Values]:
        """All of it as plain arrays, by name."""
        of_chance = {field.name: getattr(self.chance, field.name) for field in fields(Chance)}
        return {"median": self.median, **of_chance, "columns": self.columns}

    @classmethod
    def of_arrays(cls, arrays: dict[str, Values]) -> Usual:
        """Inverse of `arrays`; KeyError where one is missing."""
        chance = Chance(*(arrays[field.name] for field in fields(Chance)))
        return cls(arrays["median"], chance, arrays["columns"])


def usual_of(
    at: Values,
    unit: Ints,
    amplitude: Samples,
    crowd: Values,
    templates: Templates,
    seconds: float,
    rate_hz: float,
) -> Usual:
    """Look at all spikes of each template.

    Parameters
    ----------
    at : ndarray, shape (n,), float64
        White samples, increasing.
    unit : ndarray, shape (n,), int64
        Rows of the templates.
    amplitude : ndarray, shape (n,)
        In templates.
    crowd : ndarray, shape (n,)
        From `evidence.crowds`.
    templates : Templates
    seconds : float
        How long was sorted.
    rate_hz : float
        Of the white samples.
    """
    n = len(templates)
    norm = np.sqrt(templates.norms.astype(np.float64))
    median, columns = np.ones(n), np.zeros((n, N_OF_UNIT))
    found = np.tile([1.0, 1.0, 0.5, 0.0, 1.0], (n, 1))
    columns[:, 4] = _likeness(templates)
    for u in np.unique(unit).tolist():
        own = np.flatnonzero(unit == u)
        a, noise = amplitude[own].astype(np.float64), 1 / norm[u]
        low, median[u], high = np.percentile(a, [16, 50, 84])
        spread = max(float(high - low) / 2, noise, 1e-6)
        found[u], columns[u, 1] = chance(a, float(median[u]), spread, float(noise))
        expected = own.size * (1 - np.exp(-own.size / seconds * REFRACTORY_S))
        short = float(np.sum(np.diff(at[own]) < REFRACTORY_S * rate_hz))
        columns[u, 0] = np.log(spread / noise)
        columns[u, 3] = min(short / max(expected, 1.0), 2.0)
        columns[u, 5] = np.log(own.size / seconds)
    locked = np.bincount(unit, crowd > LARGER * norm[unit], n)
    columns[:, 2] = locked / np.maximum(np.bincount(unit, minlength=n), 1)
    return Usual(median, Chance(*found.T), columns)


def chance(amplitude: Values, middle: float, spread: float, noise: float) -> tuple[Values, float]:
    """A unit's Gaussian of amplitudes, told from an exponential of chance events.

    Chance events are those that exceed the threshold by little: the exponential begins at the
    least amplitude, with a noise SD for scale.

    Parameters
    ----------
    amplitude : ndarray, shape (n,)
        In templates.
    middle, spread : float
        Where the Gaussian starts from.
    noise : float
        SD of amplitudes by noise alone.

    Returns
    -------
    parameters : ndarray, shape (5,)
        In the order of those of `Chance`.
    share : float
        Of spikes in the Gaussian.
    """
    one = np.zeros(1, np.int64)
    held = now = np.asarray([middle, spread, 0.9, float(amplitude.min()), noise])
    for _ in range(TURNS):
        odds = Chance(*now[:, None]).odds(amplitude, one)
        p = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        held, weight = now, p.sum()
        if weight < 1 or weight > amplitude.size - 0.5:
            break
        middle = float((p * amplitude).sum() / weight)
        off = float(((1 - p) * (amplitude - held[3])).sum() / (1 - p).sum())
        now = np.asarray(
            [
                middle,
                max(float(np.sqrt((p * (amplitude - middle) ** 2).sum() / weight)), noise),
                float(np.clip(weight / amplitude.size, LEAST_SHARE, 1 - LEAST_SHARE / 10)),
                held[3],
                max(off, 0.2 * noise),
            ]
        )
    return held, float(now[2])


def _likeness(templates: Templates) -> Values:
    out = np.zeros(len(templates))
    for pair in alike(templates, 0.3):
        for unit in (pair.one, pair.other):
            out[unit] = max(out[unit], pair.likeness)
    return np.minimum(out, 1.0)
