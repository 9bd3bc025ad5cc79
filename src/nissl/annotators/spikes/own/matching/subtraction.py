"""Spikes taken out of white samples: each by its template, as late and as large as it was."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.pursuit import (
    LEAST_AMPLITUDE,
    MOST_AMPLITUDE,
    PRIOR,
    Matched,
)
from nissl.annotators.spikes.own.templates.projection import N_PHASES
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def subtract(z: Samples, spikes: Matched, templates: Templates) -> Samples:
    """White samples without the spikes.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    spikes : Matched
    templates : Templates

    Returns
    -------
    ndarray, shape (n, n_channels), float32
    """
    out = z.copy()
    amplitude = used_amplitude(spikes, templates)
    _subtract(
        out,
        spikes.at - templates.windows.long_before,
        spikes.unit,
        spikes.shift,
        amplitude,
        templates.channels,
        templates.moved,
    )
    return out


def used_amplitude(spikes: Matched, templates: Templates) -> Samples:
    """Amplitude with the prior in it: what was subtracted."""
    norm = templates.norms[spikes.unit]
    shrunk = (spikes.amplitude * norm + PRIOR) / (norm + PRIOR)
    return np.clip(shrunk, LEAST_AMPLITUDE, MOST_AMPLITUDE).astype(np.float32)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _subtract(
    z: Samples,
    first: Ints,
    unit: Ints,
    shift: Samples,
    amplitude: Samples,
    channels: npt.NDArray[np.int32],
    moved: Samples,
) -> None:
    n_long = moved.shape[2]
    for i in range(len(first)):
        u = unit[i]
        place = (shift[i] + 0.5) * N_PHASES
        p = min(max(int(place), 0), N_PHASES - 1)
        part = np.float32(place - p)
        w0, w1 = amplitude[i] * (1 - part), amplitude[i] * part
        for j in range(n_long):
            t = first[i] + j
            if t < 0 or t >= len(z):
                continue
            for m in range(channels.shape[1]):
                c = channels[u, m]
                if c < 0:
                    break
                z[t, c] -= w0 * moved[u, p, j, m] + w1 * moved[u, p + 1, j, m]
