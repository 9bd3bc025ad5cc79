"""Peak-to-peak amplitudes of spikes on a few channels each.

Import this module only where numba is needed anyway.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def heights(x: Floats, at: Ints, near: Ints, before: int, after: int) -> Floats:
    """Largest less smallest sample around each spike.

    Parameters
    ----------
    x : ndarray, shape (n, n_channels), float32
    at : ndarray, shape (n_spikes,), int64
    near : ndarray, shape (n_spikes, n_near), int64
        Channels of each; -1 for none, whose height is 0.
    before, after : int
        Samples before the spike, and from it on, as far as there are any.

    Returns
    -------
    ndarray, shape (n_spikes, n_near), float32
    """
    out = np.zeros(near.shape, np.float32)
    for i in range(at.size):
        first, stop = max(at[i] - before, 0), min(at[i] + after, len(x))
        for m in range(near.shape[1]):
            c = near[i, m]
            if c < 0 or stop <= first:
                continue
            low = high = x[first, c]
            for t in range(first + 1, stop):
                low, high = min(low, x[t, c]), max(high, x[t, c])
            out[i, m] = high - low
    return out
