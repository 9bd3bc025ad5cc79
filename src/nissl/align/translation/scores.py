"""What a prediction is worth, and what it is worth by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints

RARE = 0.2
"""Share of bins with events below which hits of single bins are told too."""


def skill(y: Floats, said: Floats) -> Floats:
    """Variance explained by column, shape (n_y,); NaN for columns that never change."""
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    left = ((y - said) ** 2).sum(axis=0)
    return np.asarray(1 - left / np.where(np.ptp(y, axis=0) > 0, total, np.nan), float)


def within(y: Floats, said: Floats, window: Ints) -> Floats:
    """Variance explained in each window, about the mean over all, shape (n_windows,).

    Parameters
    ----------
    y, said : ndarray, shape (n_bins, n_y)
        What came, and what was predicted.
    window : ndarray of int, shape (n_bins,)
        Number of the window of each bin.
    """
    left = np.bincount(window, weights=((y - said) ** 2).sum(axis=1))
    total = np.bincount(window, weights=((y - y.mean(axis=0)) ** 2).sum(axis=1))
    return np.asarray(1 - left / np.maximum(total, 1e-12), float)


def rare(y: Floats, said: Floats) -> tuple[Floats, Floats]:
    """Area under precision over recall for bins with events where events are rare.

    Returns
    -------
    precision : ndarray, shape (n_y,)
        NaN for columns that are no counts, that are silent, or whose events are not rare.
    base : ndarray, shape (n_y,)
        Share of bins with events, which is what chance gives.
    """
    from sklearn.metrics import average_precision_score

    hit = y > 0
    base = hit.mean(axis=0)
    counts = (y >= 0).all(axis=0) & (np.floor(y) == y).all(axis=0)
    out = np.full(y.shape[1], np.nan)
    for k in np.flatnonzero(counts & (base > 0) & (base < RARE)):
        out[k] = average_precision_score(hit[:, k], said[:, k])
    return out, np.asarray(base, float)


def paired_anew(window: Ints, rng: np.random.Generator) -> Ints:
    """Rows of other windows, step by step; a shorter one stays at its end.

    Parameters
    ----------
    window : ndarray of int, shape (n,)
        Numbers from 0.
    rng : numpy.random.Generator
    """
    order = np.arange(int(window.max()) + 1)
    while len(order) > 1 and (order == np.arange(len(order))).any():
        order = rng.permutation(len(order))
    return _rows(window, order)


def paired_within(window: Ints, fold: Ints, rng: np.random.Generator) -> Ints:
    """The same, windows changing places within their fold only; one at least does.

    Parameters
    ----------
    window, fold : ndarray of int, shape (n,)
    rng : numpy.random.Generator
    """
    names, first = np.unique(window, return_index=True)
    own, same = fold[first], np.arange(len(names))
    order = same.copy()
    while len(names) > len(np.unique(own)) and (order == same).all():
        for k in np.unique(own):
            order[own == k] = rng.permutation(same[own == k])
    return _rows(window, order)


def _rows(window: Ints, order: Ints) -> Ints:
    rows = [np.flatnonzero(window == k) for k in range(len(order))]
    out = np.empty(len(window), np.int64)
    for own, k in zip(rows, order.tolist(), strict=True):
        out[own] = rows[k][np.minimum(np.arange(len(own)), len(rows[k]) - 1)]
    return out


def scrambled(
    source: Fragment, bins: Ints, rng: np.random.Generator, *, alike: bool = True
) -> Fragment:
    """The source with phases of the joined activity of some bins at random.

    Prichard and Theiler (1994, Phys. Rev. Lett. 73:951-954): spectra stay, and what columns share
    too where they are turned alike.

    Parameters
    ----------
    source : Fragment
    bins : ndarray of int
        Those of windows, in order of time.
    rng : numpy.random.Generator
    alike : bool
        One phase for all columns; without, each has its own, and what columns share is lost.
    """
    activity = source.activity.copy()
    mean = activity[bins].mean(axis=0)
    spectrum = np.fft.rfft(activity[bins] - mean, axis=0)
    size = (len(spectrum), 1 if alike else source.n_units)
    turn = np.exp(2j * np.pi * rng.random(size))
    turn[0] = 1
    if len(bins) % 2 == 0:
        turn[-1] = 1
    activity[bins] = np.fft.irfft(spectrum * turn, len(bins), axis=0) + mean
    return replace(source, activity=activity)
