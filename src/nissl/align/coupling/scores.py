"""How well one population is predicted from another through a map of the windows used so far.

A map is fitted on the conditions' mean courses of the windows used, one group of conditions left
out, and predicts the other source's windows of those in another part of its recording. What all
conditions share, step by step, is taken off: a skill of 0 is the mean course, 1 is all that windows
repeat of their condition (their signal power; Sahani and Linden 2003, NIPS 15). What is predicted
stays the same whatever the map's smoothing and axes are, so that settings can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Bools, Floats, Fragment, Ints, conditions, runs, same_bins
from nissl.align.latent.canonical import canonical
from nissl.align.latent.maps import Map
from nissl.align.latent.procrustes import rotation
from nissl.align.latent.smoothing import smoothed
from nissl.align.latent.spaces import own_space
from nissl.align.latent.trajectories import n_steps, trajectories
from nissl.errors import BadArgumentError

RULES = ("linear", "procrustes", "cca")
N_FOLDS = 5
_FEWEST = 2
_MOST_KEPT = 200


@dataclass(frozen=True)
class How:
    """Settings of the map of a pair.

    Parameters
    ----------
    rule : {"linear", "procrustes", "cca"}
    n_axes : int
    smooth_s : float
        Standard deviation of the Gaussian over activity, s.
    penalty : float
        Of the linear rule, relative to the variance of an axis.
    """

    rule: str = "linear"
    n_axes: int = 8
    smooth_s: float = 0.06
    penalty: float = 0.3


@dataclass(frozen=True, eq=False)
class Skill:
    """Skill of one direction of a pair.

    Parameters
    ----------
    gained : ndarray, shape (n_windows,)
        By how much the map is nearer to each window than the mean course, squared.
    signal : float
        What windows repeat of their condition, squared and summed over them; NaN where nothing.
    """

    gained: Floats
    signal: float

    @property
    def value(self) -> float:
        """Part of the signal that is predicted; below 0 where the mean course is nearer."""
        return float(self.gained.sum() / self.signal)

    @property
    def useful(self) -> float:
        """The same, 0 where a map is worse than none, for then none is used."""
        return max(self.value, 0.0)

    def error(self, other: Skill | None = None) -> float:
        """Standard error over windows, of the skill or of its difference to another one."""
        each = self.gained - (0 if other is None else other.gained)
        return float(each.std(ddof=1) * np.sqrt(len(each)) / self.signal)


@dataclass(frozen=True, eq=False)
class _Goal:
    """Windows that are predicted: condition, course, squared distance from the mean course."""

    of: Ints
    windows: Floats
    without: Floats
    signal: float


Used = Sequence[Ints]
"""Numbers of the windows of each source that maps may be fitted on."""


class Bench:
    """Two parts of all sources, laid out for fitting on one and scoring on the other.

    Parameters
    ----------
    fit, score : sequence of Fragment
        The same sources in the same order.
    """

    def __init__(self, fit: Sequence[Fragment], score: Sequence[Fragment]) -> None:
        same_bins((*fit, *score))
        self.fit, self.score = tuple(fit), tuple(score)
        self.steps = n_steps(*fit)
        names = np.unique(np.concatenate([conditions(f) for f in (*fit, *score)]))
        self.names: Ints = names[names >= 0]
        self.numbers = [runs(f)[0] for f in fit]
        self.of_fit = [self._index(f) for f in fit]
        self.of_score = [self._index(f) for f in score]
        self.fold = np.arange(len(self.names)) % N_FOLDS
        self._target = [self._laid(f, 0.0) for f in score]
        self._goals: dict[tuple[int, int], _Goal] = {}
        self._averages: dict[tuple[int, float, bytes], tuple[Floats, Ints]] = {}
        self._laid_out: dict[tuple[int, float], Floats] = {}
        self._maps: dict[tuple[int, bytes, int, float], Map] = {}

    @property
    def n(self) -> int:
        """Number of sources."""
        return len(self.fit)

    def counts(self, source: int, used: Ints) -> Ints:
        """Windows used of each condition, shape (n_conditions,)."""
        chosen = np.isin(self.numbers[source], used)
        return np.bincount(self.of_fit[source][chosen], minlength=len(self.names))

    def skill(self, i: int, j: int, how: How, used: Used, order: Ints | None = None) -> Skill:
        """Predict windows of source j from source i.

        Parameters
        ----------
        i, j : int
        how : How
        used : sequence of ndarray of int
        order : ndarray of int, shape (n_conditions,), optional
            Which condition of i is taken for each, to see what chance gives.
        """
        goal = self._goal(i, j)
        said = self.predicted(i, j, how, used, order)[goal.of]
        left = ((goal.windows - said) ** 2).sum(axis=(1, 2))
        return Skill(goal.without - left, goal.signal)

    def _goal(self, i: int, j: int) -> _Goal:
        """Windows of j whose condition i has too, and what there is to predict in them."""
        if (i, j) in self._goals:
            return self._goals[i, j]
        of, windows = self.of_score[j], self._target[j]
        told = np.isin(of, np.flatnonzero(np.bincount(of, minlength=len(self.names)) >= _FEWEST))
        told &= np.isin(of, self.of_fit[i])
        of, windows = of[told], windows[told]
        known = np.unique(of)
        if len(known) < _FEWEST:
            raise BadArgumentError(
                f"two or more conditions that {self.fit[i].name!r} and {self.fit[j].name!r} share",
                f"{len(known)}",
                "There is no overlap: choose sources of one task, or state conditions alike.",
            )
        means = np.stack([windows[of == c].mean(axis=0) for c in known])
        without = ((windows - means.mean(axis=0)) ** 2).sum(axis=(1, 2))
        noise = 0.0
        for c, mean in zip(known.tolist(), means, strict=True):
            own = windows[of == c]
            noise += float(((own - mean) ** 2).sum()) * len(own) / (len(own) - 1)
        signal = float(without.sum()) - noise
        goal = _Goal(of, windows, without, signal if signal > 0 else float("nan"))
        self._goals[i, j] = goal
        return goal

    def predicted(self, i: int, j: int, how: How, used: Used, order: Ints | None = None) -> Floats:
        """Mean courses of j's conditions as the map says, shape (n_conditions, steps, n_units)."""
        x, n_x = self._latents(i, how, used[i])
        y, n_y = self._averaged(j, 0.0, used[j])
        if order is not None:
            x, n_x = x[order], n_x[order]
        if how.rule != "linear":
            z, _ = self._latents(j, how, used[j])
            back = np.linalg.pinv(self._map(j, how, used[j]).weights)
        n_conditions = len(self.names)
        own = np.flatnonzero(n_y)
        mean = y[own].mean(axis=0) if len(own) else np.zeros(y.shape[1:])
        out = np.repeat(mean[None], n_conditions, axis=0)
        for name in np.unique(self.fold):
            train = np.flatnonzero((n_x > 0) & (n_y > 0) & (self.fold != name))
            goal = np.flatnonzero((self.fold == name) & (n_x > 0))
            rest = own[self.fold[own] != name]
            out[self.fold == name] = y[rest].mean(axis=0) if len(rest) else mean
            if len(train) < _FEWEST or not len(goal):
                continue
            weight = 2 / (1 / n_x[train] + 1 / n_y[train])
            part = weight / weight.sum()
            mean_x = np.tensordot(part, x[train], axes=1)
            rows_x = (x[train] - mean_x).reshape(-1, x.shape[2])
            root = np.repeat(np.sqrt(weight / weight.mean()), self.steps)[:, None]
            mean_y = np.tensordot(part, y[train], axes=1)
            if how.rule == "linear":
                turn = _ridge(
                    rows_x * root, (y[train] - mean_y).reshape(len(rows_x), -1) * root, how.penalty
                )
            else:
                mean_z = np.tensordot(part, z[train], axes=1)
                rows_z = (z[train] - mean_z).reshape(len(rows_x), -1)
                turn = _turn(how.rule, rows_x * root, rows_z * root) @ back
            out[goal] = mean_y + (x[goal] - mean_x) @ turn
        return out

    def _latents(self, source: int, how: How, used: Ints) -> tuple[Floats, Ints]:
        """Mean courses of the conditions of the windows used, in the source's own axes."""
        own = self._map(source, how, used)
        means, counts = self._averaged(source, how.smooth_s, used)
        return (means - own.mean) @ own.weights, counts

    def _averaged(self, source: int, smooth_s: float, used: Ints) -> tuple[Floats, Ints]:
        key = (source, smooth_s, np.sort(used).tobytes())
        if key not in self._averages:
            chosen: Bools = np.isin(self.numbers[source], used)
            values = self._lay(source, smooth_s)[chosen]
            if len(self._averages) > _MOST_KEPT:
                self._averages.clear()
            self._averages[key] = self._condition_means(values, self.of_fit[source][chosen])
        return self._averages[key]

    def _condition_means(self, values: Floats, of: Ints) -> tuple[Floats, Ints]:
        counts = np.bincount(of, minlength=len(self.names))
        hot = (of[None] == np.arange(len(self.names))[:, None]).astype(float)
        total = np.tensordot(hot, values, axes=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total / counts[:, None, None], float), counts

    def _map(self, source: int, how: How, used: Ints) -> Map:
        key = (source, np.sort(used).tobytes(), how.n_axes, how.smooth_s)
        if key not in self._maps:
            if len(self._maps) > _MOST_KEPT:
                self._maps.clear()
            part = self.fit[source].in_windows(used)
            n_axes = min(how.n_axes, part.n_units, part.n_bins - 1)
            while True:
                try:
                    found = own_space(part, n_axes=n_axes, smooth_s=how.smooth_s)
                    break
                except BadArgumentError:
                    if n_axes == 1:
                        raise
                    n_axes = n_axes - 1
            weights = np.zeros((part.n_units, how.n_axes))
            weights[:, :n_axes] = found.weights
            self._maps[key] = Map(found.mean, weights, how.smooth_s)
        return self._maps[key]

    def _lay(self, source: int, smooth_s: float) -> Floats:
        key = (source, smooth_s)
        if key not in self._laid_out:
            self._laid_out[key] = self._laid(self.fit[source], smooth_s)
        return self._laid_out[key]

    def _laid(self, fragment: Fragment, smooth_s: float) -> Floats:
        return trajectories(fragment, smoothed(fragment, smooth_s), self.steps).values

    def _index(self, fragment: Fragment) -> Ints:
        of = conditions(fragment)
        if (of < 0).any():
            raise BadArgumentError(
                f"a condition for every window of {fragment.name!r}",
                f"{int((of < 0).sum())} windows without",
                "State what was the same in windows (target, stimulus), or leave those out.",
            )
        return np.searchsorted(self.names, of).astype(np.int64)


def _ridge(x: Floats, y: Floats, penalty: float) -> Floats:
    gram = x.T @ x
    damping = penalty * np.trace(gram) / len(gram) + 1e-12
    return np.asarray(np.linalg.solve(gram + damping * np.eye(len(gram)), x.T @ y), float)


def _turn(rule: str, x: Floats, z: Floats) -> Floats:
    """Matrix from latents of the one to latents of the other."""
    if rule == "procrustes":
        return rotation(x, z)
    wa, wb, _ = canonical(x, z)
    return np.asarray(wa @ np.linalg.pinv(wb), float)
