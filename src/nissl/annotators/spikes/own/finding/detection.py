"""Events in white samples: crossings of one channel, and matched detection by prototypes.

Matched detection scores every sample and channel with a few temporal prototypes times
footprints that fall off exponentially with distance; each score has unit variance in noise.
What it gives are local extremes in time and over the channels within a radius.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.scoring import columns_at_once
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours
from nissl.annotators.spikes.own.templates.projection import project

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

APART_S = 0.5e-3
APART_UM = 75.0
SIZES_UM = (12.0, 25.0, 50.0)
BLOCK = 640
"""Samples that are scored at once, and what lies beside them; see `scoring.BLOCK`."""
NAMES = ("at", "channel", "score", "shift")


@dataclass(frozen=True, eq=False)
class Detected:
    """Events.

    Parameters
    ----------
    at : ndarray, shape (n,), int64
        Samples.
    channel : ndarray, shape (n,), int64
    score : ndarray, shape (n,), float32
        Noise SDs.
    shift : ndarray, shape (n,), float32
        Parts of a sample by which each came later, -0.5 to 0.5; 0 where not estimated.
    """

    at: Ints
    channel: Ints
    score: Samples
    shift: Samples

    def taken(self, which: npt.NDArray[np.bool_] | Ints) -> Detected:
        """Some of them."""
        return Detected(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def crossings(z: Samples, position_um: Values, threshold: float, rate_hz: float) -> Detected:
    """Local extremes of single channels beyond a threshold, in noise SDs."""
    near = neighbours(position_um, APART_UM)
    reach = max(1, round(APART_S * rate_hz))
    return _peaks(np.abs(z), near, threshold, reach, 0)


def footprints(position_um: Values) -> Samples:
    """Unit-norm footprints around each channel, shape (n_sizes, n_channels, n_channels).

    Row c of each is the footprint whose centre lies at channel c.
    """
    apart = np.linalg.norm(position_um[:, None] - position_um[None], axis=2)
    if np.isnan(apart).any():
        return np.eye(len(apart), dtype=np.float32)[None]
    prints = [np.where(apart <= 3 * size, np.exp(-apart / size), 0) for size in SIZES_UM]
    out = np.stack([p / np.linalg.norm(p, axis=1, keepdims=True) for p in prints])
    return out.astype(np.float32)


def matched(
    z: Samples,
    basis: Samples,
    prototypes: Samples,
    prints: Samples,
    near: npt.NDArray[np.bool_],
    threshold: float,
    before: int,
    reach: int,
    pool: ThreadPoolExecutor | None = None,
) -> Detected:
    """Matched detection.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    basis : ndarray, shape (n_shapes, n_scored)
        Orthonormal.
    prototypes : ndarray, shape (n_prototypes, n_shapes)
        Of unit norm, in the basis.
    prints : ndarray
        From `footprints`.
    near : ndarray of bool, shape (n_channels, n_channels)
        Channels that share an event.
    threshold : float
        Noise SDs.
    before : int
        Samples from the beginning of the scored window to the peak.
    reach : int
        Events of near channels are farther apart than this, samples.
    pool : ThreadPoolExecutor, optional
        Blocks are shared among its threads, with the same result.
    """
    n_channels = z.shape[1]
    halo = basis.shape[1] - 1
    step = columns_at_once(n_channels**2)

    def block(start: int) -> Detected:
        first, stop = max(start - reach, 0), min(start + BLOCK + reach, len(z) - halo)
        shapes = project(z[first : stop + halo], basis)
        single = np.matmul(prototypes, shapes)
        most = np.zeros((n_channels, stop - first), np.float32)
        for a in range(0, stop - first, step):
            here = slice(a, a + step)
            for print_ in prints:
                for p in range(len(prototypes)):
                    np.maximum(most[:, here], print_ @ single[:, p, here], out=most[:, here])
        best: Samples = np.ascontiguousarray(most.T)
        one = _peaks(best, near, threshold, reach, 0)
        one = one.taken((one.at + first >= start) & (one.at + first < start + BLOCK))
        shift = _sub_sample(shapes, one.at, one.channel, prototypes, prints)
        return Detected(one.at + first + before, one.channel, one.score, shift)

    starts = range(0, max(len(z) - halo, 0), BLOCK)
    found = list(map(block, starts) if pool is None else pool.map(block, starts))
    if not found:
        i, f = np.empty(0, np.int64), np.empty(0, np.float32)
        return Detected(i, i, f, f)
    return Detected(*(np.concatenate([getattr(f, k) for f in found]) for k in NAMES))


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _sub_sample(
    shapes: Samples, at: Ints, channel: Ints, prototypes: Samples, prints: Samples
) -> Samples:
    """Vertex of the parabola through the best score of each event and those before and after it."""
    n_channels, n_shapes, n = shapes.shape
    out = np.zeros(at.size, np.float32)
    single = np.empty((len(prototypes), n_channels), np.float32)
    score = np.empty(3, np.float32)
    for i in range(at.size):
        best_p, best_s, middle = 0, 0, np.float32(-np.inf)
        for p in range(len(prototypes)):
            for c in range(n_channels):
                total = np.float32(0)
                for k in range(n_shapes):
                    total += prototypes[p, k] * shapes[c, k, at[i]]
                single[p, c] = total
            for s in range(len(prints)):
                total = np.float32(0)
                for c in range(n_channels):
                    total += prints[s, channel[i], c] * single[p, c]
                if total > middle:
                    best_p, best_s, middle = p, s, total
        for late in range(-1, 2):
            t = min(max(at[i] + late, 0), n - 1)
            total = np.float32(0)
            for c in range(n_channels):
                one = np.float32(0)
                for k in range(n_shapes):
                    one += prototypes[best_p, k] * shapes[c, k, t]
                total += prints[best_s, channel[i], c] * one
            score[late + 1] = total
        bend = max(2 * score[1] - score[0] - score[2], np.float32(1e-6))
        out[i] = min(max(0.5 * (score[2] - score[0]) / bend, -0.5), 0.5)
    return out


def _peaks(
    size: Samples, near: npt.NDArray[np.bool_], threshold: float, reach: int, first: int
) -> Detected:
    at, channel = _local_maxima(size, near, np.float32(threshold), reach)
    return Detected(at + first, channel, size[at, channel], np.zeros(at.size, np.float32))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _local_maxima(  # noqa: C901
    size: Samples, near: npt.NDArray[np.bool_], threshold: np.float32, reach: int
) -> tuple[Ints, Ints]:
    n, n_channels = size.shape
    at = np.empty(1024, np.int64)
    channel = np.empty(1024, np.int64)
    count = 0
    beside = np.empty((n_channels, n_channels), np.int64)
    many = np.zeros(n_channels, np.int64)
    for c in range(n_channels):
        for d in range(n_channels):
            if near[c, d]:
                beside[c, many[c]] = d
                many[c] += 1
    for t in range(n):
        row, over = size[t], 0
        for c in range(n_channels):
            over += row[c] >= threshold
        if over == 0:
            continue
        for c in range(n_channels):
            value = row[c]
            if value < threshold:
                continue
            if t > 0 and size[t - 1, c] > value:
                continue
            if t + 1 < n and size[t + 1, c] >= value:
                continue
            largest = True
            for d in beside[c, : many[c]]:  # most are told by the same sample
                if row[d] > value or (row[d] == value and d < c):
                    largest = False
                    break
            if not largest:
                continue
            for s in range(max(t - reach, 0), min(t + reach + 1, n)):
                for d in beside[c, : many[c]]:
                    other = size[s, d]
                    if other > value or (other == value and s < t):
                        largest = False
                        break
                if not largest:
                    break
            if largest:
                if count == at.size:
                    at = np.concatenate((at, np.empty(count, np.int64)))
                    channel = np.concatenate((channel, np.empty(count, np.int64)))
                at[count], channel[count] = t, c
                count += 1
    return at[:count], channel[:count]
