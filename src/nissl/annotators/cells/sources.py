"""Sparse sources in a small block of movie: places of one cell's size that light up together.

The idea is that of sparse detection and of non-negative factorisation of calcium movies
(Pnevmatikakis et al., Neuron 89, 2016; Pachitariu et al., bioRxiv 061507, 2017): a map of the
energy of a matched filter above its noise; its highest peak; from there footprint and trace in
turn, each the least-squares answer to the other; then take the source away and go on. The code
and its numbers are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Block = npt.NDArray[np.float32]
DIFFERENCES = 300
LEAST_AREA = 0.35
"""Pixels of a source, over the square of a cell's diameter, at least."""
OUTLINE = 0.36
"""Part of the height at which a source is outlined: near half, as people outline."""
LONGEST = 2.0
"""Length over breadth of a source, at most: dendrites are longer."""


@dataclass(frozen=True)
class SourceSettings:
    """What counts as a source.

    Parameters
    ----------
    diameter_px : float
        Of a cell.
    active : float
        Noise deviations of the matched filter above which a block of time is active.
    energy : float
        Least root of the summed squares above `active`: where to stop.
    edge : float
        Part of a footprint's peak below which a pixel no longer belongs to it.
    most : int
        Sources of one block, at most.
    """

    diameter_px: float = 12.0
    active: float = 2.5
    energy: float = 3.5
    edge: float = 0.3
    most: int = 400


@dataclass(frozen=True, eq=False)
class Source:
    """One source of a block.

    Parameters
    ----------
    pixels : ndarray, int64
        Flat C-order pixels of the block's plane, increasing.
    weights : ndarray, float32
        Brightness of each relative to its noise, 1 at most.
    trace : ndarray, shape (n_blocks,), float32
        In units of its own noise.
    energy : float
        Of the matched filter at its seed when it was taken.
    """

    pixels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    trace: npt.NDArray[np.float32]
    energy: float


def standardised(block: Block, slow_blocks: float) -> Block:
    """Fluctuations of each pixel in units of its noise, without what is slow; NaN become 0.

    Parameters
    ----------
    block : ndarray, shape (n_blocks, y, x), float32
    slow_blocks : float
        Width of the running mean that is taken off.
    """
    from scipy.ndimage import uniform_filter1d

    known = np.isfinite(block)
    x = block if known.all() else _filled(block, known)
    width = max(min(int(slow_blocks), len(x)), 3)
    x = x - uniform_filter1d(x, width, axis=0, mode="reflect")
    return _in_noise(x)


def find_sources(values: Block, settings: SourceSettings) -> list[Source]:
    """Sources of a block, the strongest first.

    Parameters
    ----------
    values : ndarray, shape (n_blocks, y, x), float32
        See `standardised`; free of background. It is used up.
    settings : SourceSettings
    """
    from scipy.ndimage import uniform_filter

    width = max(round(0.7 * settings.diameter_px), 1)
    filtered = uniform_filter(values, (1, width, width), mode="constant")
    spread = np.maximum(_deviation(filtered), _lower_deviation(filtered))
    noise = np.maximum(uniform_filter(spread, width, mode="nearest"), 1e-6)
    filtered /= noise
    energy = _energy(filtered, settings.active)
    found: list[Source] = []
    refused = np.zeros(energy.shape, bool)
    while len(found) < settings.most:
        seed = int(np.argmax(np.where(refused, 0, energy)))
        y, x = divmod(seed, energy.shape[1])
        strength = float(energy[y, x])
        if refused[y, x] or strength < settings.energy:
            break
        window = _window(y, x, energy.shape, round(1.5 * settings.diameter_px))
        local = values[:, window[0], window[1]]
        at = (y - window[0].start, x - window[1].start)
        weights, trace = _factorised(local, filtered[:, y, x], at, settings)
        inside = weights > 0
        scale = max(float(_deviation(trace)), 1e-6)
        odd = inside.sum() < LEAST_AREA * settings.diameter_px**2 or _length(weights) > LONGEST
        if odd or trace.max() < (settings.active + 1) * scale:
            r = max(round(0.25 * settings.diameter_px), 1)
            refused[max(y - r, 0) : y + r + 1, max(x - r, 0) : x + r + 1] = True
        else:
            trimmed = _one_piece(weights, at, OUTLINE)
            inside = trimmed > 0
            rows, columns = np.nonzero(inside)
            flat = (rows + window[0].start) * energy.shape[1] + columns + window[1].start
            heavy = trimmed[inside] / trimmed.max()
            found.append(
                Source(
                    flat.astype(np.int64),
                    heavy.astype(np.float32),
                    (trace / scale).astype(np.float32),
                    strength,
                )
            )
            refused[y, x] = True
        explained = np.where(trace > scale, trace, np.float32(0))
        times = np.flatnonzero(explained)
        local[times] -= explained[times, None, None] * weights
        wide = _window(y, x, energy.shape, round(1.5 * settings.diameter_px) + width)
        spread = np.zeros(energy.shape, np.float32)[wide]
        top, left = window[0].start - wide[0].start, window[1].start - wide[1].start
        spread[top : top + weights.shape[0], left : left + weights.shape[1]] = weights
        spread = uniform_filter(spread, width, mode="constant") / noise[wide]
        part = filtered[:, wide[0], wide[1]]
        part[times] -= explained[times, None, None] * spread
        energy[wide] = _energy(part, settings.active)
    return found


def _factorised(
    local: Block, seed: npt.NDArray[np.float32], at: tuple[int, int], settings: SourceSettings
) -> tuple[Block, npt.NDArray[np.float32]]:
    """Footprint (y, x) and trace of the source at a place of a window, by turns."""
    trace = seed / max(float(seed.max()), 1e-6)
    limit = settings.active * float(_deviation(trace))
    weights = np.zeros(local.shape[1:], np.float32)
    for _ in range(4):
        times = np.flatnonzero(trace > max(float(limit), 0.25 * float(trace.max())))
        if not times.size:
            break
        now = trace[times]
        fitted = np.tensordot(now, local[times], 1) / float(now @ now)
        weights = _one_piece(fitted, at, settings.edge)
        if not weights.any():
            break
        inside = weights > 0
        trace = local[:, inside] @ weights[inside] / float((weights[inside] ** 2).sum())
        limit = settings.active * float(_deviation(trace))
    return weights, trace.astype(np.float32)


def _one_piece(fitted: npt.NDArray[Any], at: tuple[int, int], edge: float) -> Block:
    """The connected part, holes filled, of what exceeds `edge` of the height around a place."""
    from scipy.ndimage import binary_fill_holes, label, uniform_filter

    smooth = uniform_filter(fitted, 3, mode="nearest")
    y, x = at
    near = smooth[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
    height = float(near.max())
    if height <= 0:
        return np.zeros(fitted.shape, np.float32)
    parts: Any = label(smooth > edge * height)[0]
    top = np.unravel_index(int(np.argmax(near)), near.shape)
    mine = parts[max(y - 2, 0) + int(top[0]), max(x - 2, 0) + int(top[1])]
    piece = binary_fill_holes(parts == mine)
    return np.where(piece, np.maximum(fitted, 0.1 * height), 0).astype(np.float32)


def _length(weights: Block) -> float:
    """Length over breadth of a footprint: the ratio of its principal standard deviations."""
    y, x = np.nonzero(weights)
    if y.size < 3:
        return 1.0
    spread = np.cov(np.stack([y, x]), aweights=weights[y, x]) + np.eye(2) / 12
    low, high = np.linalg.eigvalsh(spread)
    return float(np.sqrt(high / low))


def _energy(filtered: Block, active: float) -> Block:
    above = np.maximum(filtered - np.float32(active), 0)
    return np.asarray(np.sqrt(np.einsum("tyx,tyx->yx", above, above)), np.float32)


def _window(y: int, x: int, shape: tuple[int, ...], reach: int) -> tuple[slice, slice]:
    return (
        slice(max(y - reach, 0), min(y + reach + 1, shape[0])),
        slice(max(x - reach, 0), min(x + reach + 1, shape[1])),
    )


def _in_noise(values: Block) -> Block:
    return np.asarray(values / np.maximum(_deviation(values), 1e-6), np.float32)


def _deviation(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Noise along the first axis; of long blocks from a part of their times."""
    step = max(len(values) // DIFFERENCES, 1)
    steps = np.abs(values[1::step] - values[:-1:step][: len(values[1::step])])
    if not len(steps):
        return np.ones(values.shape[1:], np.float32)
    return np.asarray(np.median(steps, axis=0) / 0.9539, np.float32)


def _lower_deviation(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Deviation of what lies below the median, along the first axis.

    Where neighbouring times are alike (movies that were smoothed, a background that is left),
    differences tell too little of the noise; transients only rise.
    """
    some = values[:: max(len(values) // DIFFERENCES, 1)]
    low, middle = np.quantile(some, (0.1587, 0.5), axis=0)
    return np.asarray(middle - low, np.float32)


def _filled(block: Block, known: npt.NDArray[np.bool_]) -> Block:
    count = known.sum(axis=0)
    mean = np.where(known, block, 0).sum(axis=0) / np.maximum(count, 1)
    return np.where(known, block, mean).astype(np.float32)
