"""Frames from a stage, compiled: light, displacement, photons, detector.

Noise of a pixel depends on the seed, the frame and the pixel alone, so that any block of frames
and rows has the same bytes. A count with mean m is ``(sqrt(m) + z / 2)^2 - 1 / 4`` of a normal z:
mean m, variance m + 1 / 8, and the skew of a Poisson variable; unlike it, not whole, as the
summed pulses of a photomultiplier are not.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.simulate.scene import Scene
from nissl.annotators.cells.simulate.stage import GRID_PX, Stage
from nissl.run.compiled import compiled

BITS = 14
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASK = np.uint32((1 << BITS) - 1)


@cache
def normal_table() -> npt.NDArray[np.float32]:
    """Standard normal at 2^14 evenly spaced probabilities; small enough for the fast cache."""
    from scipy.special import ndtri

    n = 1 << BITS
    return np.asarray(ndtri((np.arange(n) + 0.5) / n), np.float32)


def rendered(
    scene: Scene, stage: Stage, start: int, stop: int, rows: tuple[int, int]
) -> npt.NDArray[np.uint16]:
    """Frames [start, stop), rows [y0, y1), shape (t, y, x)."""
    out = np.empty((stop - start, rows[1] - rows[0], scene.width), np.uint16)
    shape = np.array([scene.height, scene.width, scene.margin, rows[0], rows[1]], np.int64)
    detector = np.array(
        [scene.gain, scene.offset, scene.read_noise, scene.saturation, scene.line_offset_px],
        np.float32,
    )
    seed = np.uint64(np.random.default_rng([scene.seed, 99]).integers(2**63))
    _render(
        out,
        start,
        shape,
        detector,
        seed,
        normal_table(),
        stage.still,
        stage.texture,
        stage.modes,
        stage.course,
        stage.starts,
        stage.pixels,
        stage.weights,
        stage.bodies.trace,
        stage.bleach,
        stage.path.shift,
        stage.path.bend,
    )
    return out


@compiled
def _key(x: Any) -> Any:
    """64 random bits from a counter (the finaliser of SplitMix64, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def _noise(bits: Any, key: Any) -> None:
    """32 random bits for each pixel of a line from the line's key."""
    low, high = np.uint32(key), np.uint32(key >> np.uint64(32))
    for x in range(bits.size):
        h = np.uint32(x) * np.uint32(0x9E3779B9) + low
        h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)) ^ high
        h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
        bits[x] = h ^ (h >> np.uint32(16))


@compiled
def _displaced(photons: Any, lit: Any, line: Any, at_y: float, at_x: float) -> None:
    """One line of a frame, taken from the still field at a fractional place."""
    wy, wx = np.empty(4, np.float32), np.empty(4, np.float32)
    iy, ix = int(np.floor(at_y)), int(np.floor(at_x))
    _cubic(at_y - iy, wy)
    _cubic(at_x - ix, wx)
    end = ix - 1 + line.size
    a, b = lit[iy - 1, ix - 1 : end], lit[iy, ix - 1 : end]
    c, d = lit[iy + 1, ix - 1 : end], lit[iy + 2, ix - 1 : end]
    w0, w1, w2, w3 = wy[0], wy[1], wy[2], wy[3]
    for x in range(line.size):
        line[x] = w0 * a[x] + w1 * b[x] + w2 * c[x] + w3 * d[x]
    w0, w1, w2, w3 = wx[0], wx[1], wx[2], wx[3]
    for x in range(photons.size):
        photons[x] = w0 * line[x] + w1 * line[x + 1] + w2 * line[x + 2] + w3 * line[x + 3]


@compiled
def _counted(out: Any, photons: Any, bits: Any, normal: Any, detector: Any) -> None:
    """Counts of one line."""
    gain, offset, read, most = detector[0], detector[1], detector[2], detector[3]
    none, half, quarter = np.float32(0.0), np.float32(0.5), np.float32(0.25)
    for x in range(photons.size):
        root = np.sqrt(max(photons[x], none)) + half * normal[bits[x] & _MASK]
        root = max(root, none)
        seen = root * root - quarter + read * normal[(bits[x] >> np.uint32(BITS)) & _MASK]
        out[x] = np.uint16(min(max(offset + gain * seen + half, none), most))


@compiled
def _cubic(f: Any, w: Any) -> None:
    """Weights of four neighbours for a point at `f` past the second (Catmull-Rom)."""
    w[0] = ((-0.5 * f + 1.0) * f - 0.5) * f
    w[1] = (1.5 * f - 2.5) * f * f + 1.0
    w[2] = ((-1.5 * f + 2.0) * f + 0.5) * f
    w[3] = (0.5 * f - 0.5) * f * f


@compiled
def _light(lit: Any, low: int, high: int, coarse: Any, t: int, stage: Any) -> None:
    """Photons that rows [low, high) of the still field would give in frame `t`."""
    still, texture, starts, pixels, weights, trace, dimmed = stage
    columns = still.shape[1]
    step = np.float32(1.0 / GRID_PX)
    edge = np.empty(coarse.shape[1], np.float32)
    for y in range(low, high):
        gy = y // GRID_PX
        fy = np.float32(y - gy * GRID_PX) * step
        for g in range(edge.size):
            edge[g] = coarse[gy, g] + fy * (coarse[gy + 1, g] - coarse[gy, g])
        for gx in range(edge.size - 1):
            first = gx * GRID_PX
            last = min(first + GRID_PX, columns)
            slope, change = (edge[gx + 1] - edge[gx]) * step, np.float32(1.0) + edge[gx]
            own, by_cells, by_field = (
                lit[y, first:last],
                still[y, first:last],
                texture[y, first:last],
            )
            for x in range(last - first):
                field = by_field[x] * (change + slope * np.float32(x))
                own[x] = dimmed[t] * (by_cells[x] + field)
    flat = lit.reshape(-1)
    begin, end = low * columns, high * columns
    for k in range(starts.size - 1):
        height = trace[t, k] * dimmed[t]
        if height != 0.0 and pixels[starts[k]] < end and pixels[starts[k + 1] - 1] >= begin:
            for p in range(starts[k], starts[k + 1]):
                if begin <= pixels[p] < end:
                    flat[pixels[p]] += weights[p] * height


@compiled
def _render(
    out: Any,
    start: int,
    shape: Any,
    detector: Any,
    seed: Any,
    normal: Any,
    still: Any,
    texture: Any,
    modes: Any,
    course: Any,
    starts: Any,
    pixels: Any,
    weights: Any,
    trace: Any,
    dimmed: Any,
    shift: Any,
    bend: Any,
) -> None:
    height, margin, y0, y1 = shape[0], shape[2], shape[3], shape[4]
    width, odd = out.shape[2], detector[4]
    lit = np.zeros(still.shape, np.float32)
    coarse = np.empty(modes.shape[1:], np.float32)
    line, photons = np.empty(width + 3, np.float32), np.empty(width, np.float32)
    bits = np.empty(width, np.uint32)
    parts = (still, texture, starts, pixels, weights, trace, dimmed)
    for index in range(out.shape[0]):
        t = start + index
        for gy in range(coarse.shape[0]):
            for gx in range(coarse.shape[1]):
                total = np.float32(0.0)
                for k in range(modes.shape[0]):
                    total += course[t, k] * modes[k, gy, gx]
                coarse[gy, gx] = max(total, np.float32(-0.9))
        _light(lit, y0, min(y1 + 2 * margin, still.shape[0]), coarse, t, parts)
        for y in range(y0, y1):
            u = 2.0 * y / (height - 1) - 1.0
            dy = shift[t, 0] + bend[t, 0] * u
            dx = shift[t, 1] + bend[t, 1] * u + (odd if y % 2 else 0.0)
            _displaced(photons, lit, line, y + margin - dy, margin - dx)
            _noise(bits, _key(seed + _GOLDEN * np.uint64(t * height + y)))
            _counted(out[index, y - y0], photons, bits, normal, detector)


__all__ = ["normal_table", "rendered"]
