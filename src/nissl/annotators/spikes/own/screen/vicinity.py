"""White samples around events as a small network sees them, on any probe and at any rate.

Rows are the channels nearest to an event's own, nearest first, and one row more: the level of all
channels farther away. Columns are samples at 15 kHz around the peak.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

N_NEAR = 8
"""Channels of a vicinity; those that a probe lacks are zeros."""
RATE_HZ = 15_000.0
LENGTH = 51
"""Samples at `RATE_HZ`, 3.4 ms, the peak in the middle."""


def nearest(position_um: Values) -> npt.NDArray[np.int32]:
    """Channels nearest to each, itself first, shape (n_channels, N_NEAR); -1 fills up.

    Parameters
    ----------
    position_um : ndarray, shape (n_channels, 2), um
        NaN where unknown: then the order of channels is the order of distance.
    """
    apart = np.linalg.norm(position_um[:, None] - position_um[None], axis=2)
    n = len(apart)
    index = np.abs(np.arange(n)[:, None] - np.arange(n)[None]).astype(np.float64)
    apart = np.where(np.isnan(apart), index, apart)
    np.fill_diagonal(apart, -1.0)
    order = np.argsort(apart, axis=1, kind="stable")[:, :N_NEAR]
    out = np.full((n, N_NEAR), -1, np.int32)
    out[:, : order.shape[1]] = order
    return out


def vicinities(
    z: Samples, at: Ints, channel: Ints, near: npt.NDArray[np.int32], rate_hz: float
) -> Samples:
    """Windows around events.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
        Noise SDs.
    at, channel : ndarray, shape (n_events,), int64
        Peak and channel of each; beyond the ends of `z` there are zeros.
    near : ndarray, shape (n_channels, N_NEAR)
        From `nearest`.
    rate_hz : float
        Of `z`; other rates than `RATE_HZ` are interpolated linearly.

    Returns
    -------
    ndarray, shape (n_events, N_NEAR + 1, LENGTH), float32
        The inverse hyperbolic sine of the samples, which leaves noise as it is and makes hundreds
        of SDs into a handful. The last row is of the root mean square over all farther channels,
        zeros where there are none.
    """
    out = np.zeros((at.size, N_NEAR + 1, LENGTH), np.float32)
    _cut(np.ascontiguousarray(z), at, channel, near, rate_hz / RATE_HZ, out)
    return np.arcsinh(out, out=out)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _cut(
    z: Samples,
    at: Ints,
    channel: Ints,
    near: npt.NDArray[np.int32],
    step: float,
    out: Samples,
) -> None:
    n, n_channels = z.shape
    n_near = near.shape[1]
    middle = out.shape[2] // 2
    power = np.full(n, -1.0)  # of all channels, where it is known
    for i in range(at.size):
        row = near[channel[i]]
        held = 0
        for m in range(n_near):
            held += row[m] >= 0
        far = n_channels - held
        for j in range(out.shape[2]):
            place = at[i] + (j - middle) * step
            first = int(np.floor(place))
            part = np.float32(place - first)
            if first < 0 or first >= n:
                continue
            after = min(first + 1, n - 1)
            total = power[first] if part == 0 else -1.0
            if total < 0:
                total = 0.0
                for c in range(n_channels):
                    value = (1 - part) * z[first, c] + part * z[after, c]
                    total += value * value
            if part == 0:
                power[first] = total
            for m in range(n_near):
                c = row[m]
                if c < 0:
                    continue
                value = (1 - part) * z[first, c] + part * z[after, c]
                total -= value * value
                out[i, m, j] = value
            if far > 0:
                out[i, n_near, j] = np.sqrt(max(total, np.float32(0)) / far)
