"""What is special about multiplexed silicon probes: their kind, and the field's order of steps.

A Neuropixels probe samples its channels one after the other within a sample period (its ADC
table), so the channels are first shifted onto one time; then high-pass, bad channels,
reference, per shank, and motion (International Brain Laboratory et al. 2022, "Spike sorting
pipeline for the International Brain Laboratory").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.data import ChannelTable


def is_multiplexed(channels: ChannelTable) -> bool:
    """Whether channels are sampled at different moments of a sample period."""
    return bool(np.any(channels.phase != channels.phase[0])) if len(channels) else False


def probe_name(channels: ChannelTable) -> str:
    """Name of the probe in words, from its description or its geometry.

    Returns
    -------
    str
        "Neuropixels 1.0", "Neuropixels 2.0 (4 shanks)", "Neuropixels Ultra", or "probe".
    """
    described = (channels.probe or {}).get("annotations", {})
    text = f"{described.get('name', '')} {described.get('model_name', '')}".strip()
    if is_multiplexed(channels) and channels.has_geometry:
        return _by_geometry(channels)
    return text or "probe"


def _by_geometry(channels: ChannelTable) -> str:
    steps = [_pitch(channels.position_um[channels.shank == k]) for k in np.unique(channels.shank)]
    pitch = float(np.median(steps))
    n_shanks = len(steps)
    if pitch <= 7:
        return "Neuropixels Ultra"
    if pitch < 18:
        return f"Neuropixels 2.0 ({n_shanks} shank{'s' if n_shanks > 1 else ''})"
    return "Neuropixels 1.0"


def _pitch(position_um: npt.NDArray[np.float64]) -> float:
    """Distance between rows of contacts along a shank, micrometres."""
    rows = np.unique(np.round(position_um[:, 1], 1))
    return float(np.min(np.diff(rows))) if rows.size > 1 else np.inf


def shank_groups(channels: ChannelTable) -> dict[int, npt.NDArray[np.intp]]:
    """Column indices of the channels of each shank; shanks are independent.

    Returns
    -------
    dict of int to ndarray of intp
        Shank number, in increasing order, to indices.
    """
    return {int(k): np.flatnonzero(channels.shank == k) for k in np.unique(channels.shank)}
