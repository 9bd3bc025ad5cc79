"""Which units a prediction rests on: a good score that a few units carry is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Floats, Fragment
from nissl.align.latent.decoding import Decoder


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each unit adds to a decoder's prediction.

    Parameters
    ----------
    share : ndarray, shape (n_units,)
        Part of the prediction's variance that comes through the unit; sums to 1, and single ones
        may be below 0 where a unit works against the rest.
    """

    share: Floats

    @property
    def effective(self) -> float:
        """Number of units that carry the prediction: 1 / sum of squared parts."""
        part = np.abs(self.share) / max(float(np.abs(self.share).sum()), 1e-12)
        return float(1 / (part**2).sum()) if part.any() else 0.0

    def carried_by(self, part: float = 0.5) -> int:
        """Fewest units that together carry this part of the prediction."""
        largest = np.sort(self.share)[::-1].cumsum()
        return min(int(np.searchsorted(largest, part)) + 1, len(largest))


def contributions(decoder: Decoder, fragment: Fragment) -> Contributions:
    """Take a prediction's variance apart by units.

    The prediction is a sum over units, so its covariance with each term gives parts that sum to
    the whole.

    Parameters
    ----------
    decoder : Decoder
    fragment : Fragment
    """
    x = decoder.reads.prepared(fragment) - decoder.reads.mean
    x = x - x.mean(axis=0)
    weights = decoder.reads.weights @ decoder.weights
    said = x @ weights
    parts = (x.T @ said * weights).sum(axis=1)
    whole = float((said**2).sum())
    return Contributions(parts / whole if whole else np.zeros(len(parts)))
