"""What a population does in conditions that others share: two halves of its windows apart.

Rows are what fragments have in common: steps of conditions (targets, stimuli), or places of a
track. One half of the windows fits, the other is predicted, so that nothing is tested on what
fitted it, and a population's own halves say how well it could be predicted at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from nissl.align.fragments import About, Bools, Floats, Ints
from nissl.align.places.tuning import Tuning
from nissl.errors import BadArgumentError


@dataclass(frozen=True, eq=False)
class Responses:
    """Mean activity of the same rows in both halves of a fragment's windows.

    Parameters
    ----------
    name : str
    first, second : ndarray, shape (n_rows, n_units)
        Square roots of mean activity per bin.
    block : ndarray of int, shape (n_rows,)
        Rows of one block are left out together: all steps of a condition, or one place.
    path : ndarray of int, shape (n_rows,), optional
        Of places: the track (direction) that each lies on, in its order. Chance keeps neighbours:
        it shifts and turns the paths, where conditions come in any other order.
    about : About
    """

    name: str
    first: Floats
    second: Floats
    block: Ints
    path: Ints | None = None
    about: About = field(default_factory=About)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.first.shape[1])

    @property
    def rate(self) -> float:
        """Median over units of the mean activity per bin."""
        return float(np.median((self.first**2 + self.second**2).mean(axis=0) / 2))

    def select(self, units: Ints) -> Responses:
        """Only these units."""
        return replace(self, first=self.first[:, units], second=self.second[:, units])

    def take(self, rows: Ints) -> Responses:
        """Only these rows."""
        return replace(
            self,
            first=self.first[rows],
            second=self.second[rows],
            block=self.block[rows],
            path=None if self.path is None else self.path[rows],
        )


def of_tuning(tuning: Tuning, n_paths: int = 2, about: About | None = None) -> Responses:
    """Responses by place.

    Parameters
    ----------
    tuning : Tuning
        Two or more windows.
    n_paths : int
        Tracks or directions that the places lie on, one after the other.
    about : About, optional

    Raises
    ------
    BadArgumentError
        Of one window only.
    """
    if len(tuning.windows) < 2:
        raise BadArgumentError(
            f"two or more windows of {tuning.name!r}", "one", "Split it into laps."
        )
    odd: Bools = np.arange(len(tuning.windows)) % 2 == 1
    n_places = tuning.rates.shape[1]
    path = np.arange(n_places) * n_paths // n_places
    halves = [np.sqrt(np.maximum(tuning.mean(half), 0.0)) for half in (~odd, odd)]
    return Responses(tuning.name, halves[0], halves[1], np.arange(n_places), path, about or About())
