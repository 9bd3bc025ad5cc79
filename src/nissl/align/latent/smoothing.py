"""Activity made ready for latents: variance made even, and smoothed within windows."""

from __future__ import annotations

import numpy as np

from nissl.align.fragments import Floats, Fragment, runs


def smoothed(fragment: Fragment, smooth_s: float) -> Floats:
    """Square roots of activity, smoothed by a Gaussian that does not cross a window's edge.

    The square root makes the variance of counts nearly that of one unit at all rates
    (Yu et al. 2009, J. Neurophysiol. 102:614-635, sect. Methods); of what falls below zero the
    root of its size is taken with its sign.

    Parameters
    ----------
    fragment : Fragment
    smooth_s : float
        Standard deviation, s; 0 does not smooth.

    Returns
    -------
    ndarray, shape (n_bins, n_units)
    """
    root = np.sign(fragment.activity) * np.sqrt(np.abs(fragment.activity))
    width = smooth_s / fragment.bin_s
    if width <= 0:
        return root
    reach = int(np.ceil(4 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    out = root.copy()
    for a, b in zip(*runs(fragment)[1:], strict=True):
        n = b - a
        if n <= 2 * reach + 1:
            apart = np.subtract.outer(np.arange(n), np.arange(n)) / width
            each = np.exp(-0.5 * apart**2)
            out[a:b] = (each / each.sum(axis=1, keepdims=True)) @ root[a:b]
            continue
        padded = np.zeros((n + 2 * reach, fragment.n_units))
        padded[reach : reach + n] = root[a:b]
        there = np.convolve(np.ones(n), kernel)[reach : reach + n]
        total = np.zeros((n, fragment.n_units))
        for k, weight in enumerate(kernel):
            total += weight * padded[k : k + n]
        out[a:b] = total / there[:, None]
    return out
