"""Windows of a population laid over each other: what halves are taken from, and matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nissl.align.errormap.responses import Responses
from nissl.align.fragments import About, Floats, Fragment, Ints, runs
from nissl.align.latent.smoothing import smoothed
from nissl.align.latent.trajectories import n_steps, trajectories
from nissl.errors import BadArgumentError

HALVES = ("turns", "time")


@dataclass(frozen=True, eq=False)
class Windowed:
    """Activity in every window.

    Parameters
    ----------
    name : str
    values : ndarray, shape (n_windows, n_steps, n_units)
        Square roots of activity per bin, smoothed; windows in order of time.
    condition : ndarray of int, shape (n_windows,)
        -1 where unknown.
    state : ndarray, shape (n_windows,)
        Activity per bin and unit, or the behaviour that fragments call "state".
    units : ndarray of int, shape (n_units,)
        Identity.
    bin_s : float
    resolution_s : float
        What is slower than this was not recorded faster: the time between samples of a signal.
    about : About
    """

    name: str
    values: Floats
    condition: Ints
    state: Floats
    units: Ints
    bin_s: float = 0.05
    resolution_s: float = 0.0
    about: About = field(default_factory=About)

    def select(self, units: Ints) -> Windowed:
        """Only these units."""
        return replace(self, values=self.values[:, :, units], units=self.units[units])

    def coarser(self, resolution_s: float) -> Windowed:
        """As if recorded with so much time between samples: means that are held."""
        width = round(resolution_s / self.bin_s)
        if width < 2:
            return self
        n = self.values.shape[1]
        group = np.arange(n) // width
        # Means of activity, not of its roots: that is what a slower device averages.
        means = np.stack([(self.values[:, group == g] ** 2).mean(axis=1) for g in group], axis=1)
        return replace(self, values=np.sqrt(means), resolution_s=resolution_s)

    def among(self, windows: Ints) -> Windowed:
        """Only these windows, in order of time."""
        chosen = np.sort(windows)
        return replace(
            self,
            values=self.values[chosen],
            condition=self.condition[chosen],
            state=self.state[chosen],
        )


def windowed(
    fragments: Sequence[Fragment],
    smooth_s: float = 0.06,
    resolutions_s: Sequence[float] | None = None,
) -> list[Windowed]:
    """Lay the windows of fragments over each other.

    Parameters
    ----------
    fragments : sequence of Fragment
    smooth_s : float
    resolutions_s : sequence of float, optional
        Time between samples of each fragment's recording.
    """
    steps = n_steps(*fragments)
    out = []
    for k, fragment in enumerate(fragments):
        course = trajectories(fragment, smoothed(fragment, smooth_s), steps)
        _, start, stop = runs(fragment)
        told = fragment.behaviour.get("state")
        level = fragment.activity.mean(axis=1) if told is None else told[:, 0]
        state = np.array([level[a:b].mean() for a, b in zip(start, stop, strict=True)])
        units = np.arange(fragment.n_units) if fragment.units is None else fragment.units
        out.append(
            Windowed(
                fragment.name,
                course.values,
                course.condition,
                state,
                np.asarray(units, np.int64),
                fragment.bin_s,
                0.0 if resolutions_s is None else float(resolutions_s[k]),
                fragment.about,
            )
        )
    return out


def shared(windows: Sequence[Windowed]) -> Ints:
    """Conditions that all have, two windows of each.

    Raises
    ------
    BadArgumentError
        Where there are fewer than three.
    """
    common = set.intersection(*(_twice(w.condition) for w in windows))
    if len(common) < 3:
        raise BadArgumentError(
            "three or more conditions that all fragments have, two windows of each",
            f"{len(common)}",
            "Choose fragments of one task, or state the conditions of windows.",
        )
    return np.array(sorted(common), np.int64)


def halved(one: Windowed, common: Ints, how: str = "turns") -> Responses:
    """Mean responses by condition and step in two halves of the windows.

    Parameters
    ----------
    one : Windowed
    common : ndarray of int
        Conditions, two or more windows of each.
    how : {"turns", "time"}
        Windows by turns, or early and late ones: then what drifts within the fragment is lost.

    Raises
    ------
    BadArgumentError
        Of another way of halving.
    """
    if how not in HALVES:
        raise BadArgumentError(f"halves among {list(HALVES)}", repr(how), "Choose one.")
    first, second = [], []
    for c in common.tolist():
        own = one.values[one.condition == c]
        middle = (len(own) + 1) // 2
        parts = (own[::2], own[1::2]) if how == "turns" else (own[:middle], own[middle:])
        first.append(parts[0].mean(axis=0))
        second.append(parts[1].mean(axis=0))
    block = np.repeat(np.arange(len(common)), one.values.shape[1]).astype(np.int64)
    return Responses(
        one.name, np.concatenate(first), np.concatenate(second), block, None, one.about
    )


def halved_at_random(one: Windowed, common: Ints, rng: np.random.Generator) -> Responses:
    """As `halved` by turns, of windows in another order.

    Parameters
    ----------
    one : Windowed
    common : ndarray of int
        Conditions, two or more windows of each.
    rng : numpy.random.Generator
    """
    order = rng.permutation(len(one.condition))
    other = replace(one, values=one.values[order], condition=one.condition[order])
    return halved(other, common)


def of_windows(
    fragments: Sequence[Fragment], smooth_s: float = 0.06, how: str = "turns"
) -> list[Responses]:
    """Responses by condition and step, over the conditions that all fragments have.

    Raises
    ------
    BadArgumentError
        Where fewer than three conditions are shared by all with two windows each.

    Parameters
    ----------
    fragments : sequence of Fragment
        With conditions, of bins of one length.
    smooth_s : float
        Standard deviation of the Gaussian over activity, s.
    how : {"turns", "time"}
        As of `halved`.
    """
    found = windowed(fragments, smooth_s)
    common = shared(found)
    return [halved(one, common, how) for one in found]


def _twice(of_windows: Ints) -> set[int]:
    values, counts = np.unique(of_windows[of_windows >= 0], return_counts=True)
    return set(values[counts >= 2].tolist())
