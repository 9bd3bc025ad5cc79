"""Noise made white in time and across channels, from samples in which nothing near fires.

In time: one prediction-error filter, the autoregression of the noise common to all channels
(Yule and Walker). Across channels: each channel from those within a radius, so that
correlations far away on the probe, which are estimated badly, play no part (local ZCA, as in
Pachitariu et al. 2024, Nature Methods 21:914).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ORDER = 6
RADIUS_UM = 100.0
QUIET_SD = 4.0
QUIET_S = 0.7e-3
SHRINK = 1e-3
DENSE = 64
"""Up to so many channels the whole matrix is used; beyond, only what is not zero in it."""
SPARSE = 0.3
"""Share of the matrix above which that does not pay."""
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Whitening:
    """What makes the noise white.

    Parameters
    ----------
    prediction : ndarray, shape (order + 1,), float32
        Prediction-error filter, 1 first; y[t] = sum of prediction[k] x[t - k].
    matrix : ndarray, shape (n_channels, n_channels), float32
        White samples are ``y @ matrix.T``.
    noise_uv : ndarray, shape (n_channels,), float64
        Level of the noise in the band, robust standard deviation.
    """

    prediction: Samples
    matrix: Samples
    noise_uv: Values

    @property
    def order(self) -> int:
        """Samples before that a white sample needs."""
        return self.prediction.size - 1


def fit_whitening(
    pieces: Sequence[Samples],
    position_um: Values,
    rate_hz: float,
    lost: Values | None = None,
) -> Whitening:
    """Estimate the noise from stretches of band-passed samples.

    Parameters
    ----------
    pieces : sequence of ndarray, shape (n, n_channels), float32, uV
    position_um : ndarray, shape (n_channels, 2), um
        NaN where unknown: then all channels are neighbours.
    rate_hz : float
    lost : ndarray, shape (order + 1,), optional
        What the band took of white noise (`filtering.taken_away`). It is put back before the filter
        is estimated: whitening would otherwise raise what the band has just removed, and slow
        tails of spikes, longer than any template, with it.
    """
    every = np.concatenate(pieces)
    level = np.median(np.abs(every[::3]), axis=0).astype(np.float64) / 0.6745
    floor = max(float(np.median(level)) * 1e-3, 1e-9)
    level = np.maximum(level, floor)
    near = neighbours(position_um, RADIUS_UM)
    quiet = [_quiet(piece, level, near, rate_hz) for piece in pieces]
    gone = np.zeros(ORDER + 1) if lost is None else lost
    prediction, share = _prediction([(p / level).astype(np.float32) for p in pieces], quiet, gone)
    matrix = _spatial(pieces, quiet, prediction, near, level) * np.sqrt(share)
    return Whitening(prediction.astype(np.float32), matrix.astype(np.float32), level)


def apply_whitening(x: Samples, whitening: Whitening, matrix: Samples | None = None) -> Samples:
    """White samples, `order` fewer than came.

    Parameters
    ----------
    x : ndarray, shape (n, n_channels), float32, uV
    whitening : Whitening
    matrix : ndarray, optional
        In place of the whitening's own.
    """
    n = len(x) - whitening.order
    used = whitening.matrix if matrix is None else matrix
    if max(used.shape) > DENSE and np.count_nonzero(used) < SPARSE * used.size:
        return _from_near(x, whitening, used)
    y = x[whitening.order :] * whitening.prediction[0]
    for k in range(1, whitening.order + 1):
        y += whitening.prediction[k] * x[whitening.order - k : whitening.order - k + n]
    return np.asarray(y @ used.T, dtype=np.float32)


def _from_near(x: Samples, whitening: Whitening, matrix: Samples) -> Samples:
    """The same where most of the matrix is zero, block by block."""
    order = whitening.order
    most = int(np.max(np.sum(matrix != 0, axis=1)))
    near = np.argsort(matrix == 0, axis=1, kind="stable")[:, :most]
    weights = np.take_along_axis(matrix, near, axis=1)
    out = np.empty((len(x) - order, len(matrix)), np.float32)
    for first in range(0, len(out), BLOCK):
        cut = np.ascontiguousarray(x[first : first + BLOCK + order].T)
        part = np.empty((len(matrix), cut.shape[1] - order), np.float32)
        _whiten(cut, whitening.prediction, np.ascontiguousarray(near), weights, part)
        out[first : first + BLOCK] = part.T
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _whiten(x: Samples, prediction: Samples, near: Ints, weights: Samples, out: Samples) -> None:
    n = out.shape[1]
    order = prediction.shape[0] - 1
    y = np.empty((x.shape[0], n), np.float32)
    for c in range(x.shape[0]):
        for t in range(n):
            y[c, t] = prediction[0] * x[c, t + order]
        for k in range(1, order + 1):
            p, late = prediction[k], x[c, order - k :]
            for t in range(n):
                y[c, t] += p * late[t]
    for c in range(out.shape[0]):
        row = out[c]
        row[:] = 0
        for m in range(near.shape[1]):
            w, other = weights[c, m], y[near[c, m]]
            for t in range(n):
                row[t] += w * other[t]


def neighbours(position_um: Values, radius_um: float) -> npt.NDArray[np.bool_]:
    """Which channels lie within a radius of which; all of them where places are unknown."""
    apart = np.linalg.norm(position_um[:, None] - position_um[None], axis=2)
    return np.asarray(~(apart > radius_um))


def _quiet(
    x: Samples, level: Values, near: npt.NDArray[np.bool_], rate_hz: float
) -> npt.NDArray[np.bool_]:
    """Samples of each channel with nothing large on it or its neighbours, just before or after."""
    from scipy.ndimage import maximum_filter1d

    large = np.abs(x) > (QUIET_SD * level).astype(np.float32)
    width = 2 * round(QUIET_S * rate_hz) + 1
    spread = maximum_filter1d(large.view(np.uint8), width, axis=0).astype(np.float32)
    return np.asarray(spread @ near.astype(np.float32) < 0.5)


def _prediction(
    pieces: Sequence[Samples], quiet: Sequence[npt.NDArray[np.bool_]], lost: Values
) -> tuple[Values, float]:
    """Prediction-error filter, and which share of its output's variance lies within the band."""
    from scipy.linalg import solve_toeplitz, toeplitz

    sums, counts = np.zeros(ORDER + 1), np.zeros(ORDER + 1)
    for x, still in zip(pieces, quiet, strict=True):
        kept = np.where(still, x, 0).astype(np.float32)
        for lag in range(ORDER + 1):
            stop = len(x) - lag
            sums[lag] += float(np.sum(kept[:stop] * kept[lag:], dtype=np.float64))
            counts[lag] += float(np.sum(still[:stop] & still[lag:]))
    if counts.min() < 1000 or not sums[0] > 0:
        return np.concatenate([[1.0], np.zeros(ORDER)]), 1.0
    left = sums / counts
    left[0] *= 1 + SHRINK
    whole = left + left[0] * lost
    filtered = np.concatenate([[1.0], -solve_toeplitz(whole[:-1], whole[1:])])
    share = (filtered @ toeplitz(left) @ filtered) / (filtered @ toeplitz(whole) @ filtered)
    return filtered, float(share)


def _spatial(
    pieces: Sequence[Samples],
    quiet: Sequence[npt.NDArray[np.bool_]],
    prediction: Values,
    near: npt.NDArray[np.bool_],
    level: Values,
) -> Values:
    n_channels = level.size
    sums, counts = np.zeros((n_channels, n_channels)), np.zeros((n_channels, n_channels))
    order = prediction.size - 1
    for x, still in zip(pieces, quiet, strict=True):
        y = sum(prediction[k] * x[order - k : len(x) - k] for k in range(order + 1)) / level
        kept = still[order:]
        y = np.where(kept, y, 0).astype(np.float32)
        sums += y.T @ y
        counts += kept.T.astype(np.float32) @ kept.astype(np.float32)
    covariance = sums / np.maximum(counts, 1)
    scarce = counts.diagonal() < 1000
    covariance[scarce], covariance[:, scarce] = 0, 0
    covariance[scarce, scarce] = 1.0
    out = np.zeros_like(covariance)
    for c in range(n_channels):
        own = np.flatnonzero(near[c])
        block = covariance[np.ix_(own, own)]
        values, vectors = np.linalg.eigh((block + block.T) / 2)
        scale = 1 / np.sqrt(np.maximum(values, 0) + SHRINK * max(values.mean(), 1e-6))
        row = int(np.flatnonzero(own == c)[0])
        out[c, own] = (vectors[row] * scale) @ vectors.T
    return np.asarray(out / level)
