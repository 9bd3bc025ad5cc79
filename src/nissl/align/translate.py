"""Paired translation: one recording predicted from another that ran at the same time.

The map is explicit: ridge regression over lags, of a reduced rank where that predicts better
(Izenman 1975, J. Multivar. Anal. 5:248-264). Penalty and rank are chosen within the training
windows, skill is told on windows that nothing was chosen or fitted on, beside two nulls: windows
paired at random, which keeps what is alike in all windows, and the source's phases at random
(Prichard and Theiler 1994, Phys. Rev. Lett. 73:951-954), which keeps its spectra and what its
channels share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints, runs, same_bins
from nissl.errors import BadArgumentError

FEWEST_WINDOWS = 10
PART = 0.01
PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""In hundredths (`PART`) of the mean sum of squares of a column."""
RANKS = (1, 2, 4, 8, 16)
RARE = 0.2
"""Events per bin below which hits of single bins are told too."""
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Translation:
    """A map from one recording to another, and what it is worth.

    Parameters
    ----------
    weights : ndarray, shape (n_lags * n_x, n_y)
        Fitted on all windows with the penalty and rank that were chosen most often.
    offset : ndarray, shape (n_y,)
    lags : tuple of int
        Bins by which the source is later than what it predicts.
    rank : int
    penalty : float
    skill : ndarray, shape (n_y,)
        Variance explained in held-out windows.
    shuffled, scrambled : ndarray, shape (n_null, n_y)
        The same with windows paired at random, and with the source's phases at random.
    precision : ndarray, shape (n_y,)
        Area under the curve of precision over recall for bins with events, of units that fire
        rarely; NaN for others. Chance is `base`.
    base : ndarray, shape (n_y,)
        Share of bins with events.
    by_window : ndarray, shape (n_windows,)
        Variance explained within each window: where it fails.
    """

    weights: Floats
    offset: Floats
    lags: tuple[int, ...]
    rank: int
    penalty: float
    skill: Floats
    shuffled: Floats
    scrambled: Floats
    precision: Floats
    base: Floats
    by_window: Floats

    @property
    def overall(self) -> float:
        """Mean skill over what is predicted."""
        return float(self.skill.mean())

    @property
    def p(self) -> float:
        """Share of both nulls whose mean skill reaches that of the map; the larger of the two."""
        out = []
        for null in (self.shuffled, self.scrambled):
            means = null.mean(axis=1)
            out.append((1 + int((means >= self.overall).sum())) / (1 + len(means)))
        return max(out)

    def predict(self, fragment: Fragment) -> Floats:
        """What the other recording would show, shape (n_bins, n_y)."""
        return np.asarray(_lagged(fragment, self.lags) @ self.weights + self.offset, float)


def translate(
    source: Fragment,
    target: Fragment,
    rng: np.random.Generator,
    *,
    lags: Sequence[int] = (-2, -1, 0, 1, 2),
    n_null: int = 49,
) -> Translation:
    """Fit a map between two recordings of the same windows, and test it on windows left out.

    Parameters
    ----------
    source, target : Fragment
        Bins at the same times: the same windows, of the same lengths, in the same order.
    rng : numpy.random.Generator
    lags : sequence of int
    n_null : int
        Of each null.

    Raises
    ------
    BadArgumentError
        Bins or windows that do not fit, or too few windows to tell anything.
    """
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
            "Too few to fit a map and to test it: record more windows, or cut long ones in pieces.",
        )
    bins = np.concatenate([np.arange(a, b) for a, b in zip(start, stop, strict=True)])
    window = np.repeat(np.arange(len(start)), stop - start)
    there = np.concatenate([np.arange(a, b) for a, b in zip(other_start, other_stop, strict=True)])
    lags = tuple(int(k) for k in lags)
    x, y = _lagged(source, lags)[bins], target.activity[there]
    fold = rng.permutation(np.arange(len(start)) % _FOLDS)[window]
    said, chosen = _held_out(x, y, fold)
    penalty, rank = max(set(chosen), key=chosen.count)
    shuffled = np.array(
        [_skill(y, _held_out(x[_paired(window, rng)], y, fold, [(penalty, rank)])[0])
         for _ in range(n_null)]
    )  # fmt: skip
    scrambled = []
    for _ in range(n_null):
        noise = _scrambled(source, start, stop, rng)
        scrambled.append(
            _skill(y, _held_out(_lagged(noise, lags)[bins], y, fold, [(penalty, rank)])[0])
        )
    weights, offset = _fitted(x, y, penalty, rank)
    precision, base = _rare(y, said)
    return Translation(
        weights, offset, lags, rank, penalty, _skill(y, said), shuffled, np.array(scrambled),
        precision, base, _within(y, said, window),
    )  # fmt: skip


def _lagged(fragment: Fragment, lags: Sequence[int]) -> Floats:
    """Columns of every lag; what lies outside a window is the window's own end."""
    columns = []
    _, start, stop = runs(fragment)
    for lag in lags:
        index = np.arange(fragment.n_bins)
        for a, b in zip(start, stop, strict=True):
            index[a:b] = np.clip(index[a:b] + lag, a, b - 1)
        columns.append(fragment.activity[index])
    return np.concatenate(columns, axis=1)


def _fitted(x: Floats, y: Floats, penalty: float, rank: int) -> tuple[Floats, Floats]:
    """Reduced-rank ridge regression: weights and offset."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    known = x - mean_x
    gram = known.T @ known
    damping = penalty * PART * np.trace(gram) / len(gram) + 1e-9
    weights = np.linalg.solve(gram + damping * np.eye(len(gram)), known.T @ (y - mean_y))
    if rank < min(weights.shape):
        axes = np.linalg.svd(known @ weights, full_matrices=False)[2][:rank]
        weights = weights @ axes.T @ axes
    return np.asarray(weights, float), np.asarray(mean_y - mean_x @ weights, float)


def _held_out(
    x: Floats, y: Floats, fold: Ints, among: list[tuple[float, int]] | None = None
) -> tuple[Floats, list[tuple[float, int]]]:
    """Predictions of every fold by the others, and the settings that each chose."""
    out, chosen = np.empty_like(y), []
    for name in np.unique(fold):
        left = fold == name
        settings = among or _settings(y.shape[1])
        best = settings[0]
        if len(settings) > 1:
            best = _chosen(x[~left], y[~left], fold[~left], settings)
        weights, offset = _fitted(x[~left], y[~left], *best)
        out[left] = x[left] @ weights + offset
        chosen.append(best)
    return out, chosen


def _settings(n_y: int) -> list[tuple[float, int]]:
    ranks = [r for r in RANKS if r < n_y] + [n_y]
    return [(p, r) for p in PENALTIES for r in ranks]


def _chosen(
    x: Floats, y: Floats, fold: Ints, settings: list[tuple[float, int]]
) -> tuple[float, int]:
    """Penalty and rank that predict one training fold best from the others."""
    left = fold == np.unique(fold)[0]
    errors = []
    for each in settings:
        weights, offset = _fitted(x[~left], y[~left], *each)
        errors.append(float(((y[left] - x[left] @ weights - offset) ** 2).sum()))
    return settings[int(np.argmin(errors))]


def _skill(y: Floats, said: Floats) -> Floats:
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    left = ((y - said) ** 2).sum(axis=0)
    return np.asarray(1 - left / np.where(total > 0, total, np.inf), float)


def _within(y: Floats, said: Floats, window: Ints) -> Floats:
    mean = y.mean(axis=0)
    left = np.bincount(window, weights=((y - said) ** 2).sum(axis=1))
    total = np.bincount(window, weights=((y - mean) ** 2).sum(axis=1))
    return np.asarray(1 - left / np.maximum(total, 1e-12), float)


def _rare(y: Floats, said: Floats) -> tuple[Floats, Floats]:
    """Precision of single bins where events are rare."""
    from sklearn.metrics import average_precision_score

    hit = y > 0
    base = hit.mean(axis=0)
    counts = (y >= 0).all(axis=0) & (np.floor(y) == y).all(axis=0)
    told = counts & (base > 0) & (base < RARE)
    out = np.full(y.shape[1], np.nan)
    for k in np.flatnonzero(told):
        out[k] = average_precision_score(hit[:, k], said[:, k])
    return out, np.asarray(base, float)


def _paired(window: Ints, rng: np.random.Generator) -> Ints:
    """Rows of other windows, step by step; a shorter one stays at its end."""
    rows = [np.flatnonzero(window == k) for k in range(int(window.max()) + 1)]
    order = rng.permutation(len(rows))
    while len(rows) > 1 and (order == np.arange(len(rows))).any():
        order = rng.permutation(len(rows))
    out = np.empty(len(window), np.int64)
    for k, own in enumerate(rows):
        other = rows[order[k]]
        out[own] = other[np.minimum(np.arange(len(own)), len(other) - 1)]
    return out


def _scrambled(source: Fragment, start: Ints, stop: Ints, rng: np.random.Generator) -> Fragment:
    """The source with the phases of the windows' joined activity at random, alike in all units."""
    inside = np.concatenate([np.arange(a, b) for a, b in zip(start, stop, strict=True)])
    activity = source.activity.copy()
    spectrum = np.fft.rfft(activity[inside] - activity[inside].mean(axis=0), axis=0)
    turn = np.exp(2j * np.pi * rng.random((len(spectrum), 1)))
    turn[0] = 1
    if len(inside) % 2 == 0:
        turn[-1] = 1
    mean = activity[inside].mean(axis=0)
    activity[inside] = np.fft.irfft(spectrum * turn, len(inside), axis=0) + mean
    return replace(source, activity=activity)
