"""How calcium indicators turn spikes into fluorescence, and how cell types fire.

A spike adds ``(1 - exp(-t / rise)) exp(-t / decay)``, scaled to a peak of 1, to the calcium that an
indicator sees; fluorescence is a Hill function of calcium over a resting level, scaled so that one
spike from rest gives `amplitude`. With a coefficient above 1 a second spike adds more than the
first at low calcium (GCaMP), with 1 it adds less (OGB-1); both saturate.

The ranges are drawn from, evenly on a logarithmic scale, one draw per cell. They are round numbers
that span what cells of one preparation vary by, set with an eye on Chen et al. 2013 (Nature 499,
295-300; GCaMP6, GCaMP5), Dana et al. 2016 (eLife 5, e12727; jRGECO1a), Dana et al. 2019 (Nature
Methods 16, 649-657; jGCaMP7) and Zhang et al. 2023 (Nature 615, 884-891; jGCaMP8); they measure no
preparation in particular.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Indicator:
    """Kinetics of an indicator as ranges over cells.

    Parameters
    ----------
    rise_s, decay_s : tuple of float
        Time constants, seconds.
    amplitude : tuple of float
        dF/F at the peak after one spike from rest, 1 = 100 %.
    hill : tuple of float
        Coefficient of the Hill function.
    half : tuple of float
        Calcium at half saturation, in what one spike adds.
    """

    rise_s: Range
    decay_s: Range
    amplitude: Range
    hill: Range
    half: Range


@dataclass(frozen=True)
class Kinetics:
    """One draw of an `Indicator`: what one cell does.

    Parameters
    ----------
    rise_s, decay_s, amplitude, hill, half : float
        As there.
    rest : float
        Calcium at rest, in what one spike adds.
    """

    rise_s: float
    decay_s: float
    amplitude: float
    hill: float
    half: float
    rest: float


INDICATORS = {
    "OGB1": Indicator((0.003, 0.02), (0.4, 1.5), (0.05, 0.15), (1.0, 1.0), (10, 40)),
    "GCaMP5k": Indicator((0.03, 0.08), (0.3, 0.8), (0.03, 0.1), (1.8, 2.8), (5, 15)),
    "GCaMP6f": Indicator((0.01, 0.05), (0.15, 0.6), (0.08, 0.3), (1.5, 2.6), (5, 15)),
    "GCaMP6s": Indicator((0.04, 0.15), (0.6, 1.8), (0.1, 0.4), (1.7, 3.0), (5, 15)),
    "GCaMP7f": Indicator((0.01, 0.05), (0.2, 0.7), (0.1, 0.4), (1.5, 3.1), (5, 15)),
    "GCaMP8f": Indicator((0.002, 0.01), (0.06, 0.25), (0.1, 0.5), (1.2, 2.2), (5, 20)),
    "jGECO1a": Indicator((0.01, 0.05), (0.25, 0.9), (0.05, 0.25), (1.2, 2.0), (5, 20)),
}
"""Indicators by the names that data sets go by."""

REST: Range = (0.25, 0.6)
"""Calcium at rest in parts of that at half saturation."""
CEILING = 8.0
"""dF/F of a saturated indicator that no draw exceeds."""


def draw(indicator: Indicator, rng: np.random.Generator) -> Kinetics:
    """Kinetics of one cell."""
    half, hill = between(indicator.half, rng), between(indicator.hill, rng)
    rest = half * between(REST, rng)
    zero, one = (1 / (1 + (half / x) ** hill) for x in (rest, rest + 1))
    most = CEILING * (one - zero) / (1 - zero)
    return Kinetics(
        rise_s=between(indicator.rise_s, rng),
        decay_s=between(indicator.decay_s, rng),
        amplitude=min(between(indicator.amplitude, rng), most),
        hill=hill,
        half=half,
        rest=rest,
    )


@dataclass(frozen=True)
class CellType:
    """How a type of cell fires, as ranges over cells.

    Parameters
    ----------
    rate_hz : tuple of float
        Mean rate without the spikes that bursts add.
    modulation : tuple of float
        Standard deviation of the logarithm of the slowly varying rate.
    slow_s : tuple of float
        Time over which that rate varies.
    burst : tuple of float
        Probability that a spike is followed by another of its burst.
    within_s : tuple of float
        Interval between spikes of a burst.
    refractory_s : float
        Shortest interval.
    """

    rate_hz: Range
    modulation: Range
    slow_s: Range
    burst: Range
    within_s: Range
    refractory_s: float


CELL_TYPES = {
    "pyramidal": CellType((0.03, 2), (0.5, 2), (0.2, 20), (0.1, 0.6), (0.003, 0.03), 0.002),
    "fast-spiking": CellType((3, 25), (0.1, 0.7), (0.2, 20), (0, 0.1), (0.003, 0.01), 0.001),
    "interneuron": CellType((0.5, 12), (0.3, 1.2), (0.2, 20), (0.02, 0.3), (0.004, 0.03), 0.002),
    "zebrafish": CellType((0.1, 3), (0.5, 2), (0.5, 10), (0.1, 0.6), (0.005, 0.05), 0.002),
}
"""Types of cells; "zebrafish" stands for the fore- and midbrain of its larva."""


def between(limits: Range, rng: np.random.Generator) -> float:
    """A number drawn evenly on a logarithmic scale (on a plain one where it starts at 0)."""
    low, high = limits
    if low <= 0:
        return float(rng.uniform(low, high))
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
