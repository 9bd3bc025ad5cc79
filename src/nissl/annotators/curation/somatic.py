"""Non-somatic units: told by the shape of their template, for no votes on them are published.

Axons and dendrites show waveforms that a soma near the probe does not: a peak larger than the
trough, or a narrow triphasic shape with a tall peak before it (Deligkaris, Bullmann and Frey 2016,
Front. Neurosci. 10:421; Barry 2015, J. Neurosci. Methods 240). The rules and their limits are
those of Bombcell (Fabre et al. 2023). UnitRefine's curators had no such class, so that nobody
knows here how often the rules are right: a neuron that they name counts as non-somatic with even
odds until decisions in a project say more, one that they do not name never does until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.labels import FeatureTable

Values = npt.NDArray[np.float64]

LARGEST_PEAK = 0.8
EARLY_LATE = 3.0
NARROW_EARLY_MS = 0.15
NARROW_TROUGH_MS = 0.2
"""Limits of Bombcell's defaults."""
EARLY_PEAK = 0.1
"""Of the trough; a smaller peak before it is not told from a ripple (a convention of nissl)."""
UNVOTED = (
    "no unit of this kind was among those that the model learnt from: the class is by rules alone"
)
_EVEN = 2.0  # decisions that the even odds count as, of either sign
_RARE = 50.0  # decisions against it that a unit counts as which no rule names


@dataclass(frozen=True)
class Shares:
    """How often neurons turned out to be non-somatic in decisions.

    Parameters
    ----------
    named, other : tuple of (int, int)
        Non-somatic ones and all, of neurons that a rule names and of others.
    """

    named: tuple[int, int] = (0, 0)
    other: tuple[int, int] = (0, 0)

    def of(self, named: npt.NDArray[np.bool_]) -> Values:
        """Probability that a neuron is non-somatic, shape (n,)."""
        yes = (self.named[0] + _EVEN) / (self.named[1] + 2 * _EVEN)
        no = self.other[0] / (self.other[1] + _RARE)
        return np.where(named, yes, no)

    def learnt(self, named: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> Shares:
        """Shares with more decided neurons counted in."""
        new = [(int(found[of].sum()), int(of.sum())) for of in (named, ~named)]
        old = (self.named, self.other)
        first, second = ((a + c, b + d) for (a, b), (c, d) in zip(old, new, strict=True))
        return Shares(first, second)

    @property
    def known(self) -> bool:
        """Whether decisions have shown how often the rules are right."""
        return self.named[1] >= 2 * _EVEN


def reasons(features: FeatureTable) -> tuple[str, ...]:
    """Which rule names each unit non-somatic, in words; "" where none does or can."""
    return tuple(
        _reason({name: float(v) for name, v in zip(features.names, row, strict=True)})
        for row in features.values
    )


def named(features: FeatureTable) -> npt.NDArray[np.bool_]:
    """Units that a rule names non-somatic, shape (n,)."""
    return np.asarray([bool(reason) for reason in reasons(features)], dtype=np.bool_)


def with_fourth(core: Values, share: Values) -> Values:
    """Probabilities with the share of neurons that are non-somatic set apart.

    Parameters
    ----------
    core : ndarray, shape (..., n, 3), float64
        Good, mua, noise.
    share : ndarray, shape (n,), float64

    Returns
    -------
    ndarray, shape (..., n, 4), float64
    """
    neuron = core[..., :2]
    rest = neuron * (1 - share)[:, None]
    apart = neuron.sum(axis=-1) * share
    return np.concatenate([rest, core[..., 2:], apart[..., None]], axis=-1)


def _reason(value: Mapping[str, float]) -> str:
    def get(name: str) -> float:
        return value.get(name, float("nan"))

    peak = get("largest_peak_ratio")
    if peak > LARGEST_PEAK:
        return f"non-somatic shape: it goes up {peak:.1f} times as far as down (limit 0.8)"
    narrow = get("early_peak_ms") < NARROW_EARLY_MS and get("half_width_ms") < NARROW_TROUGH_MS
    tall = get("early_peak_ratio") > EARLY_PEAK and get("early_late_ratio") > EARLY_LATE
    if narrow and tall:
        return (
            "non-somatic shape: narrow, with a peak before the trough "
            f"{get('early_late_ratio'):.1f} times that after it (limit 3)"
        )
    return ""
