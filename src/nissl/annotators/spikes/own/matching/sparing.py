"""Matching with artifacts silenced, spikes spared: what templates explain is no artifact.

To the network some overlaps, and the spikes of very large units, look like artifacts. All is
matched first; where what looked like an artifact is all but gone with the spikes, it was spikes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.devices import CPU
from nissl.annotators.spikes.own.matching.pursuit import Matched, pursue
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours
from nissl.annotators.spikes.own.screen.artifacts import (
    SILENCE_UM,
    SURE,
    Screen,
    artifacts_of,
    without,
)
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

EXPLAINED = 0.8
"""Part of an event's energy that spikes take away, from which it was spikes."""
WINDOW_S = 0.7e-3, 1.5e-3
"""Before and after the event."""


def pursue_screened(
    z: Samples,
    templates: Templates,
    rate_hz: float,
    screen: Screen | None,
    device: str = CPU,
) -> tuple[Samples, Matched]:
    """Spikes of all units, none in artifacts.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
        White samples.
    templates : Templates
    rate_hz : float
    screen : Screen or None
        None knows no artifacts.
    device : str
        From `devices.chosen`; for the pursuit.

    Returns
    -------
    z : ndarray, shape (n, n_channels), float32
        With zeros where artifacts are; the samples themselves where there are none.
    spikes : Matched
    """
    spikes = pursue(z, templates, rate_hz, device=device)
    if screen is None:
        return z, spikes
    at, channel = artifacts_of(z, screen, SURE)
    if at.size and len(spikes):
        left = explained(z, subtract(z, spikes, templates), at, channel, screen) < EXPLAINED
        at, channel = at[left], channel[left]
    if not at.size:
        return z, spikes
    quiet = without(z, screen, at, channel)
    return quiet, pursue(quiet, templates, rate_hz, device=device)


def explained(
    z: Samples, residual: Samples, at: Ints, channel: Ints, screen: Screen
) -> npt.NDArray[np.float64]:
    """Part of the energy around events that is not in the residual, noise taken off both.

    Parameters
    ----------
    z, residual : ndarray, shape (n, n_channels), float32
    at, channel : ndarray, shape (n_events,), int64
    screen : Screen

    Returns
    -------
    ndarray, shape (n_events,)
    """
    near = neighbours(screen.position_um, SILENCE_UM)
    before, after = (round(s * screen.rate_hz) for s in WINDOW_S)
    out = np.zeros(at.size)
    for i, (t, c) in enumerate(zip(at.tolist(), channel.tolist(), strict=True)):
        rows = slice(max(t - before, 0), t + after + 1)
        whole, left = (x[rows][:, near[c]].astype(np.float64) for x in (z, residual))
        energy = max(float(np.sum(whole**2)) - whole.size, 1e-9)
        out[i] = 1 - (float(np.sum(left**2)) - whole.size) / energy
    return out
