"""What a population does in conditions that others share: two halves of its windows apart.

Rows are what fragments have in common: steps of conditions (targets, stimuli), or places of a
track. One half of the windows fits, the other is predicted, so that nothing is tested on what
fitted it, and a population's own halves say how well it could be predicted at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nissl.align.fragments import About, Bools, Floats, Fragment, Ints, conditions
from nissl.align.latent.smoothing import smoothed
from nissl.align.latent.trajectories import n_steps, trajectories
from nissl.align.tuning import Tuning
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


def of_windows(fragments: Sequence[Fragment], smooth_s: float = 0.06) -> list[Responses]:
    """Responses by condition and step, over the conditions that all fragments have.

    Parameters
    ----------
    fragments : sequence of Fragment
    smooth_s : float

    Raises
    ------
    BadArgumentError
        Where fewer than three conditions are shared by all with two windows each.
    """
    steps = n_steps(*fragments)
    kept = [trajectories(f, smoothed(f, smooth_s), steps) for f in fragments]
    common = set.intersection(*(_twice(conditions(f)) for f in fragments))
    if len(common) < 3:
        raise BadArgumentError(
            "three or more conditions that all fragments have, two windows of each",
            f"{len(common)}",
            "Choose fragments of one task, or state the conditions of windows.",
        )
    out = []
    for fragment, course in zip(fragments, kept, strict=True):
        halves = []
        for half in (0, 1):
            rows = [course.values[course.condition == c][half::2].mean(0) for c in sorted(common)]
            halves.append(np.concatenate(rows))
        block = np.repeat(np.arange(len(common)), steps).astype(np.int64)
        out.append(Responses(fragment.name, halves[0], halves[1], block, None, fragment.about))
    return out


def _twice(of_windows: Ints) -> set[int]:
    values, counts = np.unique(of_windows[of_windows >= 0], return_counts=True)
    return set(values[counts >= 2].tolist())
