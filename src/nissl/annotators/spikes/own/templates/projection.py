"""White samples projected onto a few temporal shapes: what detection, features and scores share."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

N_PHASES = 10
"""Sub-sample shifts are told apart by a tenth of a sample."""


def project(z: Samples, basis: Samples) -> Samples:
    """Inner product of every channel with every shape, at every sample where it fits.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    basis : ndarray, shape (n_shapes, n_scored), float32

    Returns
    -------
    ndarray, shape (n_channels, n_shapes, n - n_scored + 1), float32
        Number t is of the window that begins at sample t. Time comes last, so that the inner loop
        is long and the weights of a stretch of channels take one product of matrices.
    """
    n = max(0, len(z) - basis.shape[1] + 1)
    out = np.empty((z.shape[1], len(basis), n), np.float32)
    if n:
        _project(np.ascontiguousarray(z.T), np.ascontiguousarray(basis), out)
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _project(z: Samples, basis: Samples, out: Samples) -> None:
    n_shapes, length = basis.shape
    n = out.shape[2]
    for c in range(out.shape[0]):
        x, rows = z[c], out[c]
        rows[:] = 0
        # three shapes at once: each sample is read once for all of them
        for k in range(0, n_shapes - 2, 3):
            r0, r1, r2 = rows[k], rows[k + 1], rows[k + 2]
            for j in range(0, length - 3, 4):
                a, b, d = basis[k, j:], basis[k + 1, j:], basis[k + 2, j:]
                a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
                b0, b1, b2, b3 = b[0], b[1], b[2], b[3]
                d0, d1, d2, d3 = d[0], d[1], d[2], d[3]
                x0, x1, x2, x3 = x[j:], x[j + 1 :], x[j + 2 :], x[j + 3 :]
                for t in range(n):
                    y0, y1, y2, y3 = x0[t], x1[t], x2[t], x3[t]
                    r0[t] += a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3
                    r1[t] += b0 * y0 + b1 * y1 + b2 * y2 + b3 * y3
                    r2[t] += d0 * y0 + d1 * y1 + d2 * y2 + d3 * y3
        for k in range(n_shapes - n_shapes % 3, n_shapes):
            for j in range(length - length % 4):
                _add(rows[k], basis[k, j], x[j:])
        for k in range(n_shapes):
            for j in range(length - length % 4, length):
                _add(rows[k], basis[k, j], x[j:])


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _add(row: Samples, weight: float, x: Samples) -> None:
    for t in range(row.size):
        row[t] += weight * x[t]


def shifted(shapes: Samples, shift: float) -> Samples:
    """Shapes moved later by a part of a sample along their last axis (band-limited, zero outside).

    Parameters
    ----------
    shapes : ndarray, shape (..., n), float32
    shift : float
        Samples.
    """
    n = shapes.shape[-1]
    padded = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(shapes, padded, axis=-1)
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(padded) * shift)
    return np.fft.irfft(spectrum * turn, padded, axis=-1)[..., :n].astype(np.float32)


def phases(shapes: Samples) -> Samples:
    """Shapes at all shifts of -0.5 to 0.5 samples, shape (11, ...)."""
    return np.stack([shifted(shapes, p / N_PHASES - 0.5) for p in range(N_PHASES + 1)])


def project_at(
    z: Samples,
    at: npt.NDArray[np.int64],
    shift: Samples,
    channels: npt.NDArray[np.int32],
    basis: Samples,
    before: int,
) -> Samples:
    """Features of single spikes, the part of a sample by which each is late taken out.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels)
    at : ndarray, shape (n_spikes,), int64
        Samples of the peaks; windows that do not fit read zeros.
    shift : ndarray, shape (n_spikes,), float32
        -0.5 to 0.5 samples.
    channels : ndarray, shape (n_spikes, n_near), int32
        Channels wanted of each spike; -1 gives 0.
    basis : ndarray, shape (11, n_shapes, n_scored)
        From `phases`.
    before : int

    Returns
    -------
    ndarray, shape (n_spikes, n_shapes, n_near), float32
    """
    phase = np.clip(np.round((shift + 0.5) * N_PHASES), 0, N_PHASES).astype(np.int64)
    out = np.zeros((len(at), basis.shape[1], channels.shape[1]), np.float32)
    _project_at(z, at, phase, channels, basis, before, out)
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _project_at(
    z: Samples,
    at: npt.NDArray[np.int64],
    phase: npt.NDArray[np.int64],
    channels: npt.NDArray[np.int32],
    basis: Samples,
    before: int,
    out: Samples,
) -> None:
    n_shapes, length = basis.shape[1:]
    cut = np.empty(length, np.float32)
    for i in range(len(at)):
        first = at[i] - before
        if first < 0 or first + length > len(z):
            continue
        shape = basis[phase[i]]
        for m in range(channels.shape[1]):
            c = channels[i, m]
            if c < 0:
                continue
            for j in range(length):
                cut[j] = z[first + j, c]
            for k in range(n_shapes):
                own = shape[k]
                total = np.float32(0)
                for j in range(length):
                    total += own[j] * cut[j]
                out[i, k, m] = total
