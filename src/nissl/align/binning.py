"""Events and signals in bins that begin where windows begin."""

from __future__ import annotations

import numpy as np

from nissl.align.fragments import Floats, Ints
from nissl.clock import Clock
from nissl.errors import BadArgumentError


def bins_of(start: Ints, stop: Ints, width: int) -> tuple[Ints, Ints]:
    """Whole bins of windows, each from its window's first sample on.

    Parameters
    ----------
    start, stop : ndarray of int, shape (n_windows,)
    width : int
        Samples per bin.

    Returns
    -------
    left : ndarray of int, shape (n_bins,)
        First sample of each bin.
    window : ndarray of int, shape (n_bins,)
        Index of its window. Windows shorter than a bin have none.
    """
    n = np.maximum((stop - start) // width, 0)
    window = np.repeat(np.arange(len(start)), n)
    within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    return np.asarray(start[window] + within * width, np.int64), window.astype(np.int64)


def counted(sample: Ints, unit: Ints, units: Ints, left: Ints, width: int) -> Floats:
    """Events of each unit in each bin, shape (n_bins, n_units).

    Parameters
    ----------
    sample, unit : ndarray of int, shape (n_events,)
    units : ndarray of int, shape (n_units,)
        Which units, in the order of columns.
    left : ndarray of int, shape (n_bins,)
        First samples; bins may overlap.
    width : int
    """
    out = np.zeros((len(left), len(units)))
    order = np.lexsort((sample, unit))
    sample, unit = sample[order], unit[order]
    first, last = (np.searchsorted(unit, units, side=s) for s in ("left", "right"))
    for column, (a, b) in enumerate(zip(first, last, strict=True)):
        own = sample[a:b]
        out[:, column] = np.searchsorted(own, left + width) - np.searchsorted(own, left)
    return out


def averaged(values: Floats, left: Ints, width: int) -> Floats:
    """Mean of a signal in each bin, shape (n_bins, n_channels).

    Parameters
    ----------
    values : ndarray, shape (n_samples, n_channels)
    left : ndarray of int, shape (n_bins,)
    width : int
    """
    if len(left) and (left.min() < 0 or left.max() + width > len(values)):
        raise BadArgumentError(
            f"bins within {len(values)} samples",
            f"one from {left.min()} to {left.max() + width}",
            "Leave out windows that were not recorded.",
        )
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray((total[left + width] - total[left]) / width, float)


def width_of(clock: Clock, bin_s: float) -> int:
    """Samples per bin; `BadArgumentError` where a bin is shorter than a sample."""
    width = round(bin_s * clock.segments[0].rate_hz)
    if width < 1:
        raise BadArgumentError(
            f"bins of at least one sample at {clock.segments[0].rate_hz:g} Hz",
            f"{bin_s * 1e3:g} ms",
            "Ask for longer bins: --bin 0.1",
        )
    return width
