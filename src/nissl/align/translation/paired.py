"""Paired translation: one recording predicted from another that ran at the same time.

The map reads the source at several lags and is explicit: a ridge of reduced rank (`linear`), or
that with a correction by a small network (`network`). Everything is chosen within the training
windows, networks stop early on some of these, and skill is told on windows that nothing was chosen
or fitted on, beside two nulls: windows paired at random, which keeps what is alike in all windows,
and the source's phases at random (Prichard and Theiler 1994, Phys. Rev. Lett. 73:951-954), which
keeps its spectra and what its channels share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from nissl.align.fragments import Bools, Floats, Fragment, Ints, runs, same_bins
from nissl.align.translation import linear
from nissl.align.translation.linear import Linear
from nissl.align.translation.scores import (
    paired_anew,
    paired_within,
    rare,
    scrambled,
    skill,
    within,
)
from nissl.errors import BadArgumentError


class Rule(Protocol):
    """A map from lagged columns to what is predicted: `Linear`, or `network.Networked`."""

    def predict(self, x: Floats) -> Floats:
        """What the columns say, shape (n, n_y)."""


T = TypeVar("T")
FEWEST_WINDOWS = 10
METHODS = ("ridge", "tcn", "transformer")
REFITTED = "the map was fitted anew to every null"
READ_ONLY = (
    "the fitted networks read every null in windows that they were not fitted on (paired at "
    "random among those of one fold); they were not fitted anew"
)
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Translation:
    """A map from one recording to another, and what it is worth.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    rule : Linear, or network.Networked
        Fitted on all windows, with the settings that were chosen most often.
    lags : tuple of int
        Bins by which the source is later than what it predicts.
    skill : ndarray, shape (n_y,)
        Variance explained in held-out windows; NaN for what never changes.
    shuffled, scrambled : ndarray, shape (n_null, n_y)
        The same with windows paired at random, and with the source's phases at random.
    null : str
        How the nulls were made, in words.
    precision : ndarray, shape (n_y,)
        Area under the curve of precision over recall for bins with events, of units that fire
        rarely; NaN for others. Chance is `base`.
    base : ndarray, shape (n_y,)
        Share of bins with events.
    by_window : ndarray, shape (n_windows,)
        Variance explained within each window: where it fails.
    bins : ndarray of int, shape (n,)
        Bins of the target that lie in windows.
    said : ndarray, shape (n, n_y)
        What was said of them by maps that had not seen their window.
    """

    method: str
    rule: Rule
    lags: tuple[int, ...]
    skill: Floats
    shuffled: Floats
    scrambled: Floats
    null: str
    precision: Floats
    base: Floats
    by_window: Floats
    bins: Ints
    said: Floats

    @property
    def overall(self) -> float:
        """Mean skill over what is predicted and changes."""
        return float(np.nanmean(self.skill))

    @property
    def p(self) -> float:
        """Share of both nulls whose mean skill reaches that of the map; the larger of the two."""
        out = []
        for null in (self.shuffled, self.scrambled):
            means = np.nanmean(null, axis=1)
            out.append((1 + int((means >= self.overall).sum())) / (1 + len(means)))
        return max(out)

    def predict(self, fragment: Fragment) -> Floats:
        """What the other recording would show, shape (n_bins, n_y)."""
        return self.rule.predict(lagged(fragment, self.lags))


def translate(
    source: Fragment,
    target: Fragment,
    rng: np.random.Generator,
    *,
    method: str = "ridge",
    lags: Sequence[int] = (-2, -1, 0, 1, 2),
    n_null: int = 49,
) -> Translation:
    """Fit a map between two recordings of the same windows, and test it on windows left out.

    Parameters
    ----------
    source, target : Fragment
        Bins at the same times: the same windows, of the same lengths, in the same order.
    rng : numpy.random.Generator
    method : {"ridge", "tcn", "transformer"}
        Networks need PyTorch.
    lags : sequence of int
    n_null : int
        Of each null.

    Raises
    ------
    BadArgumentError
        Bins or windows that do not fit, too few windows to tell anything, or a side that does
        not change within them.
    MissingDependencyError
        A network without PyTorch.
    """
    if method not in METHODS:
        raise BadArgumentError(f"a method among {list(METHODS)}", repr(method), "Choose one.")
    bins, there, window = _together(source, target)
    lags = tuple(int(k) for k in lags)
    x, y = lagged(source, lags)[bins], target.activity[there]
    _varied(source.name, x)
    _varied(target.name, y)
    fold = rng.permutation(np.arange(int(window.max()) + 1) % _FOLDS)[window]
    fits, rule = _fits(method, x, y, fold, lags, rng)
    said = _held_out(fits, x, fold)
    linear_map = isinstance(rule, Linear)

    def null(other: Floats) -> Floats:
        own = fits
        if isinstance(rule, Linear):
            own = _by_fold(lambda t: linear.fit(other[t], y[t], rule.penalty, rule.rank), fold)
        return skill(y, _held_out(own, other, fold))

    def mispaired() -> Ints:
        return paired_anew(window, rng) if linear_map else paired_within(window, fold, rng)

    shuffled = np.array([null(x[mispaired()]) for _ in range(n_null)])
    noise = np.array(
        [null(lagged(scrambled(source, bins, rng), lags)[bins]) for _ in range(n_null)]
    )
    precision, base = rare(y, said)
    return Translation(
        method, rule, lags, skill(y, said), shuffled, noise,
        REFITTED if linear_map else READ_ONLY, precision, base,
        within(y, said, window), there, said,
    )  # fmt: skip


def lagged(fragment: Fragment, lags: Sequence[int]) -> Floats:
    """Columns of every lag, (n_bins, n_lags * n_units), lag by lag.

    What lies outside a window is the window's own end.
    """
    columns = []
    _, start, stop = runs(fragment)
    for lag in lags:
        index = np.arange(fragment.n_bins)
        for a, b in zip(start, stop, strict=True):
            index[a:b] = np.clip(index[a:b] + lag, a, b - 1)
        columns.append(fragment.activity[index])
    return np.concatenate(columns, axis=1)


def _together(source: Fragment, target: Fragment) -> tuple[Ints, Ints, Ints]:
    """Bins of both that are of one time, and the window of each, numbered from 0."""
    same_bins((source, target))
    _, start, stop = runs(source)
    _, other_start, other_stop = runs(target)
    if len(start) != len(other_start) or ((stop - start) != (other_stop - other_start)).any():
        raise BadArgumentError(
            "the same windows in both recordings",
            f"{len(start)} and {len(other_start)}, {int((stop - start).sum())} and "
            f"{int((other_stop - other_start).sum())} bins",
            "Give both the same table of windows, on clocks that are mapped (nissl sync).",
        )
    if len(start) < FEWEST_WINDOWS:
        raise BadArgumentError(
            f"{FEWEST_WINDOWS} or more windows in which both were recorded",
            f"{len(start)}",
            "Too few to fit a map and to test it: record more windows. Pieces of one short window "
            "are alike and would tell of nothing but themselves.",
        )
    bins, there = (
        np.concatenate([np.arange(a, b) for a, b in zip(*ends, strict=True)])
        for ends in ((start, stop), (other_start, other_stop))
    )
    return bins, there, np.repeat(np.arange(len(start)), stop - start)


def _varied(name: str, values: Floats) -> None:
    if not np.ptp(values, axis=0).any():
        raise BadArgumentError(
            f"a unit or channel of {name!r} that changes within the windows",
            "none that does",
            "Nothing can be read from, or told of, what stays the same: choose other windows.",
        )


def _fits(
    method: str, x: Floats, y: Floats, fold: Ints, lags: Sequence[int], rng: np.random.Generator
) -> tuple[list[Rule], Rule]:
    """Maps that have not seen each fold, and one of all windows."""
    if method != "ridge":
        from nissl.align.translation import network

        def learnt(rows: Bools) -> Rule:
            left = fold[rows] == fold[rows].min()
            return network.fit(method, x[rows], y[rows], left, len(lags), rng)

        return _by_fold(learnt, fold), learnt(np.ones(len(fold), bool))
    among = linear.settings(y.shape[1])

    def ridge(rows: Bools) -> Linear:
        best = linear.chosen(x[rows], y[rows], fold[rows] == fold[rows].min(), among)
        return linear.fit(x[rows], y[rows], *best)

    fits = _by_fold(ridge, fold)
    used = [(rule.penalty, rule.rank) for rule in fits]
    return list(fits), linear.fit(x, y, *max(set(used), key=used.count))


def _by_fold(learn: Callable[[Bools], T], fold: Ints) -> list[T]:
    return [learn(fold != name) for name in np.unique(fold)]


def _held_out(fits: Sequence[Rule], x: Floats, fold: Ints) -> Floats:
    """Predictions of every fold by the map that has not seen it."""
    parts = [(fold == name, rule) for name, rule in zip(np.unique(fold), fits, strict=True)]
    out = np.empty((len(x), len(parts[0][1].predict(x[:1])[0])))
    for rows, rule in parts:
        out[rows] = rule.predict(x[rows])
    return out
