"""Windows as trajectories of one length, so that those of two recordings can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints, conditions, runs
from nissl.errors import BadArgumentError

REACHED = 0.8
"""Share of windows that reach the last bin that is compared."""


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Latents over the first bins of every window.

    Parameters
    ----------
    values : ndarray, shape (n_windows, n_steps, n_axes)
        A window that is shorter stays where it ended.
    condition : ndarray, shape (n_windows,)
        -1 where unknown.
    bins : ndarray, shape (n_windows, n_steps)
        Bins of the fragment that values are of.
    """

    values: Floats
    condition: Ints
    bins: Ints

    @property
    def flat(self) -> Floats:
        """One row per window."""
        return self.values.reshape(len(self.values), -1)


def n_steps(*fragments: Fragment) -> int:
    """Bins of a window that most windows of all fragments have."""
    lengths = []
    for fragment in fragments:
        _, start, stop = runs(fragment)
        if not len(start):
            raise BadArgumentError(
                f"windows (trials, laps) in {fragment.name!r}",
                "none",
                "There is no overlap: mark a stretch that both recordings share.",
            )
        lengths.append(int(np.quantile(stop - start, 1 - REACHED, method="lower")))
    return max(min(lengths), 1)


def trajectories(fragment: Fragment, latents: Floats, steps: int) -> Trajectories:
    """Lay the first bins of all windows over each other.

    Parameters
    ----------
    fragment : Fragment
    latents : ndarray, shape (n_bins, n_axes)
    steps : int
    """
    _, start, stop = runs(fragment)
    bins = np.minimum(start[:, None] + np.arange(steps), stop[:, None] - 1)
    return Trajectories(latents[bins], conditions(fragment), bins)


def course(fragment: Fragment) -> Ints:
    """Bin within its window of every bin, -1 outside."""
    out = np.full(fragment.n_bins, -1, np.int64)
    for a, b in zip(*runs(fragment)[1:], strict=True):
        out[a:b] = np.arange(b - a)
    return out


def paired_means(a: Trajectories, b: Trajectories) -> tuple[Floats, Floats, Floats]:
    """Means of each condition that both have, step by step.

    Returns
    -------
    a, b : ndarray, shape (n_conditions * n_steps, n_axes)
    weight : ndarray, shape (n_conditions * n_steps,)
        Harmonic mean of the numbers of windows.
    """
    shared = np.intersect1d(a.condition[a.condition >= 0], b.condition[b.condition >= 0])
    if len(shared) < 2:
        raise BadArgumentError(
            "two or more conditions that both fragments have",
            f"{len(shared)}",
            "State the condition (target, stimulus) of windows, or align without labels: "
            "method 'transport'.",
        )
    pairs, weight = [], []
    for c in shared.tolist():
        own = [t.values[t.condition == c] for t in (a, b)]
        pairs.append([x.mean(axis=0) for x in own])
        weight.append(2 / (1 / len(own[0]) + 1 / len(own[1])))
    steps = a.values.shape[1]
    first, second = (np.concatenate([p[k] for p in pairs]) for k in (0, 1))
    return first, second, np.repeat(np.array(weight, float), steps)
