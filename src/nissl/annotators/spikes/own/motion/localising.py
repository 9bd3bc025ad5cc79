"""Where a spike came from, from its amplitudes on neighbouring channels.

The amplitudes around the peak's channel are compared with those of point sources on a small grid
of places and widths, with amplitude falling off as a Gaussian of distance; the best place is
refined by parabolas. For each channel all likenesses are one matrix product.

Notes
-----
A centre of mass is drawn towards the middle of the probe, the more so near its ends; a monopole
(Boussard et al. 2021, NeurIPS, "Three-dimensional spike localization and improved motion
correction for Neuropixels recordings") follows a unit less well across the ends than a Gaussian.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RADIUS_UM = 75.0
REACH_UM = 40.0
STEP_UM = 2.5
MARGIN_UM = 20.0
N_ACROSS = 7
WIDTHS_UM = (13.0, 20.0, 28.0, 38.0, 53.0, 73.0)
NOISE_PTP = 5.0
"""Peak-to-peak amplitude of about 1.5 ms of noise alone, in noise SDs."""

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def neighbours(position_um: Places, radius_um: float = RADIUS_UM) -> Indices:
    """List the channels around each channel, nearest first.

    Parameters
    ----------
    position_um : ndarray, shape (C, 2), float64, um
    radius_um : float, um

    Returns
    -------
    ndarray, shape (C, K), int64
        Rows are filled up with -1; the first of each row is the channel itself.
    """
    apart = np.linalg.norm(position_um[:, None] - position_um[None], axis=2)
    near = apart <= radius_um
    order = np.argsort(np.where(near, apart, np.inf), axis=1, kind="stable")
    n_most = int(near.sum(axis=1).max())
    found = order[:, :n_most]
    return np.where(np.take_along_axis(near, found, axis=1), found, -1).astype(np.int64)


def localise(
    channel: Indices,
    amplitude: Floats,
    position_um: Places,
    neighbour: Indices,
    *,
    noise: float = NOISE_PTP,
) -> Places:
    """Estimate the places of spikes.

    Parameters
    ----------
    channel : ndarray, shape (n,), int64
        Each spike's largest channel.
    amplitude : ndarray, shape (n, K), float32, noise SDs
        Peak-to-peak on the channels of ``neighbour[channel]``; those of -1 are not read.
    position_um : ndarray, shape (C, 2), float64, um
        Across and along the probe.
    neighbour : ndarray, shape (C, K), int64
        As `neighbours` gives.
    noise : float, noise SDs
        Amplitude that noise alone has; taken off in quadrature.

    Returns
    -------
    ndarray, shape (n, 2), float64, um
        Across and along the probe.
    """
    place = np.empty((channel.size, 2))
    if not channel.size:
        return place
    order = np.argsort(channel, kind="stable")
    channels, starts = np.unique(channel[order], return_index=True)
    for c, rows in zip(channels, np.split(order, starts[1:]), strict=True):
        used = neighbour[c] >= 0
        around = position_um[neighbour[c][used]]
        low, high = around[:, 0].min() - MARGIN_UM, around[:, 0].max() + MARGIN_UM
        across = np.linspace(low, high, N_ACROSS)
        along = position_um[c, 1] + np.arange(-REACH_UM, REACH_UM + STEP_UM / 2, STEP_UM)
        size = amplitude[rows][:, used].astype(np.float32)
        size = np.sqrt(np.maximum(size**2 - np.float32(noise) ** 2, 1e-6))
        place[rows] = _best(size, around, across, along)
    return place


def _best(size: Floats, around: Places, across: Places, along: Places) -> Places:
    """Places on the grid whose fall-off looks most like the amplitudes, shape (n, 2)."""
    width = np.asarray(WIDTHS_UM)[:, None, None, None]
    apart = (across[:, None, None] - around[:, 0]) ** 2 + (along[:, None] - around[:, 1]) ** 2
    shape = np.exp(-apart / (2 * width**2))
    shape /= np.linalg.norm(shape, axis=-1, keepdims=True)
    flat = shape.reshape(-1, len(around)).T.astype(np.float32)
    size = size / np.linalg.norm(size, axis=1, keepdims=True)
    likeness = (size @ flat).reshape(len(size), width.size, across.size, along.size).max(axis=1)
    y = _refined(likeness.max(axis=1), along)
    x = _refined(likeness.max(axis=2), across)
    return np.stack([x, y], axis=1)


def _refined(likeness: Floats, node: Places) -> Places:
    """Place of the largest value of each row, refined by a parabola."""
    rows = np.arange(len(likeness))
    best = np.clip(likeness.argmax(axis=1), 1, node.size - 2)
    left, middle, right = (likeness[rows, best + o].astype(np.float64) for o in (-1, 0, 1))
    bend = np.minimum(left - 2 * middle + right, -1e-12)
    offset = np.clip(0.5 * (left - right) / bend, -1, 1)
    return np.asarray(node[best] + offset * (node[1] - node[0]), dtype=np.float64)
