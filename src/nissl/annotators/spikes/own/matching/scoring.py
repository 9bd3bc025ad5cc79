"""Scores of all templates at all samples, block by block: no array is larger than the scores.

A template weighs the projections of its own channels only. Units that lie near one another are
scored together, on the stretch of channels that any of them has, in one product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.templates.projection import project
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

BLOCK = 640
"""Samples whose projections are held at once: they stay in the cache. Rows of a power of two fall
on the same lines of it, and take half as long again."""
FEW_CHANNELS = 48
"""So many channels are one stretch."""
UNITS_TOGETHER = 8
MOST_PRODUCTS = 900_000
"""Products of a few units are taken in parts of so many multiplications: the routines for small
matrices, which do not copy what they multiply, are two to three times as fast."""


def scores_of(z: Samples, templates: Templates) -> Samples:
    """Scores of templates.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    templates : Templates

    Returns
    -------
    ndarray, shape (n_units, n - n_scored + 1), float32
        Number t is of the scored window that begins at sample t.
    """
    n_scored = templates.windows.scored
    n = max(0, len(z) - n_scored + 1)
    out = np.empty((len(templates), n), np.float32)
    together = list(groups(templates.weights))
    for first in range(0, n, BLOCK):
        stop = min(first + BLOCK, n)
        rows = project(z[first : stop + n_scored - 1], templates.basis)
        for units, low, high, weights in together:
            here = rows[low:high].reshape(-1, stop - first)
            step = columns_at_once(weights.size)
            for a in range(0, stop - first, step):
                b = min(a + step, stop - first)
                out[units, first + a : first + b] = weights @ here[:, a:b]
    return out


def columns_at_once(n_weights: int) -> int:
    """Columns that so many weights are multiplied with at once, for the sake of `MOST_PRODUCTS`."""
    return max(MOST_PRODUCTS // n_weights // 64, 1) * 64


def groups(weights: Samples) -> Iterator[tuple[Ints, int, int, Samples]]:
    """Units that are scored together.

    Parameters
    ----------
    weights : ndarray, shape (n_units, n_shapes, n_channels)

    Yields
    ------
    units : ndarray, shape (n_together,), int64
    low, high : int
        The stretch of channels outside which none of them has weights.
    weights : ndarray, shape (n_together, (high - low) * n_shapes), float32
        By channel, then shape.
    """
    n_units, _, n_channels = weights.shape
    if n_channels <= FEW_CHANNELS:
        flat = np.ascontiguousarray(weights.transpose(0, 2, 1)).reshape(n_units, -1)
        yield np.arange(n_units), 0, n_channels, flat
        return
    held = np.any(weights != 0, axis=1)
    low = np.argmax(held, axis=1)
    high = np.where(held.any(axis=1), n_channels - np.argmax(held[:, ::-1], axis=1), low + 1)
    order = np.argsort(low + high, kind="stable")
    for first in range(0, n_units, UNITS_TOGETHER):
        units = np.sort(order[first : first + UNITS_TOGETHER])
        a, b = int(low[units].min()), int(high[units].max())
        cut = weights[units][:, :, a:b].transpose(0, 2, 1)
        yield units, a, b, np.ascontiguousarray(cut).reshape(units.size, -1)
