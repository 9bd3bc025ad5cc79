"""Second-order sections run over many channels at once, two sections in each pass.

The channels are the inner loop, so that vector instructions work on several of them; filters that
go along one channel after the other (SciPy's) wait for each product. Import this module only
where numba is needed anyway.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

FEW = 8
"""Channels below which pairs of sections do not pay."""


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def run_sections(
    x: Samples, sections: Samples, state: Samples, phase: int, step: int, out: Samples
) -> None:
    """Filter samples forwards and keep every `step`-th.

    Parameters
    ----------
    x : ndarray, shape (n, n_channels), float32
    sections : ndarray, shape (n_sections, 5), float32
        b0, b1, b2, a1, a2 of each.
    state : ndarray, shape (n_sections, 2, n_channels), float32
        Changed in place (transposed direct form II).
    phase : int
        Samples until the next one that is kept.
    step : int
    out : ndarray, shape (n_kept, n_channels), float32
        Written to; may be `x` itself where all are kept.
    """
    row = np.empty(x.shape[1], np.float32)
    k, wait = 0, phase
    for t in range(len(x)):
        late = x[t]
        for c in range(row.size):
            row[c] = late[c]
        _filter_row(row, sections, state)
        if wait == 0:
            kept = out[k]
            for c in range(row.size):
                kept[c] = row[c]
            k += 1
            wait = step
        wait -= 1


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def run_back(x: Samples, sections: Samples, state: Samples) -> None:
    """Filter samples in place, the last first; parameters as of `run_sections`."""
    for t in range(len(x) - 1, -1, -1):
        _filter_row(x[t], sections, state)


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _filter_row(row: Samples, sections: Samples, state: Samples) -> None:
    n_sections = len(sections)
    paired = n_sections - n_sections % 2 if row.size >= FEW else 0
    for s in range(0, paired, 2):
        b0, b1, b2 = sections[s, 0], sections[s, 1], sections[s, 2]
        a1, a2 = sections[s, 3], sections[s, 4]
        d0, d1, d2 = sections[s + 1, 0], sections[s + 1, 1], sections[s + 1, 2]
        e1, e2 = sections[s + 1, 3], sections[s + 1, 4]
        p, q, v, w = state[s, 0], state[s, 1], state[s + 1, 0], state[s + 1, 1]
        for c in range(row.size):
            x = row[c]
            y = b0 * x + p[c]
            p[c] = b1 * x - a1 * y + q[c]
            q[c] = b2 * x - a2 * y
            z = d0 * y + v[c]
            v[c] = d1 * y - e1 * z + w[c]
            w[c] = d2 * y - e2 * z
            row[c] = z
    for s in range(paired, n_sections):
        b0, b1, b2 = sections[s, 0], sections[s, 1], sections[s, 2]
        a1, a2 = sections[s, 3], sections[s, 4]
        p, q = state[s, 0], state[s, 1]
        for c in range(row.size):
            x = row[c]
            y = b0 * x + p[c]
            p[c] = b1 * x - a1 * y + q[c]
            q[c] = b2 * x - a2 * y
            row[c] = y
