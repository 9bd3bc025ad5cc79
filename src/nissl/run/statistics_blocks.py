"""The part of `nissl.run.statistics` that runs in workers: one chunk, in stored units.

Channels are worked on a few at a time, as rows: what is worked on stays in the processor's
cache, and temporaries stay small beside the chunk.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.run.chunks import Chunk
from nissl.run.results import Arrays
from nissl.run.runs import intervals, longest

GROUP = 16  # channels
LINE_HZ = (50.0, 60.0)
_MEDIAN_SAMPLES = 2048  # of each block
_LINE_RATE_HZ = 1000.0  # for line noise the signal is averaged down to about this
_BESIDE_HZ = (4.0, 8.0)

Rows = npt.NDArray[Any]


def chunk_statistics(shared: tuple[Signal, int], chunk: Chunk) -> Arrays:
    """Counts of a chunk and moments of its blocks.

    Parameters
    ----------
    shared : tuple of Signal, int
        The signal and the samples of a block. The chunk starts at a multiple of it.
    chunk : Chunk
        With a halo of one sample, to see whether its first sample repeats the one before.

    Returns
    -------
    dict of str to ndarray
        Per channel ``(n_channels,)``: low, high, n_low, n_high, n_nan, n_zero, and in pairs of
        neighbours run_best, run_first, run_last. Per block ``(n_blocks, n_channels)``: count,
        mean, m2, mad, line ``(..., 2 lines, at and beside)``, line_valid. Of all channels
        together: zero and frozen, intervals ``(n, 2)``; n_samples.
    """
    signal, block = shared
    samples = signal.read_raw(chunk.read_start, chunk.stop)
    n, shortest = chunk.n_samples, shortest_run(signal.rate_hz)
    dropped, frozen = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    parts: list[Arrays] = []
    for first in range(0, signal.n_channels, GROUP):
        rows = np.ascontiguousarray(samples[:, first : first + GROUP].T)
        same = np.zeros((len(rows), n), dtype=bool)
        np.equal(rows[:, 1:], rows[:, :-1], out=same[:, n - (rows.shape[1] - 1) :])
        rows = rows[:, rows.shape[1] - n :]
        if dropped.any():
            dropped &= ~rows.any(axis=0)
        if frozen.any():
            frozen &= same.all(axis=0)
        best, head, tail = longest(same)
        parts.append(
            {"run_best": best, "run_first": head, "run_last": tail}
            | _counts(rows)
            | _blocks(rows, block, signal.rate_hz)
        )
    out = {
        name: np.concatenate([part[name] for part in parts], axis=min(parts[0][name].ndim - 1, 1))
        for name in parts[0]
    }
    return out | {
        "zero": _long(dropped, shortest) + chunk.start,
        "frozen": _long(frozen, shortest - 1) + chunk.start,
        "n_samples": np.asarray(n, dtype=np.int64),
    }


def shortest_run(rate_hz: float) -> int:
    """Samples from which on a stretch without change of any channel is told: 0.5 ms."""
    return max(4, round(rate_hz * 0.0005))


def _long(mask: npt.NDArray[np.bool_], at_least: int) -> npt.NDArray[np.int64]:
    """Intervals that are long enough, or that may go on in a neighbouring chunk."""
    found = intervals(mask)
    start, stop = found[:, 0], found[:, 1]
    keep = (stop - start >= at_least) | (start == 0) | (stop == mask.size)
    return np.asarray(found[keep], dtype=np.int64)


def _counts(rows: Rows) -> Arrays:
    bad = np.zeros(len(rows), np.int64)
    if rows.dtype.kind == "f":
        bad = np.count_nonzero(~np.isfinite(rows), axis=1).astype(np.int64)
        if bad.any():
            rows = np.where(np.isfinite(rows), rows, np.nan)
    low, high = np.fmin.reduce(rows, axis=1), np.fmax.reduce(rows, axis=1)
    return {
        "low": low.astype(np.float64),
        "high": high.astype(np.float64),
        "n_low": np.count_nonzero(rows == low[:, None], axis=1).astype(np.int64),
        "n_high": np.count_nonzero(rows == high[:, None], axis=1).astype(np.int64),
        "n_nan": bad,
        "n_zero": rows.shape[1] - np.count_nonzero(rows, axis=1).astype(np.int64),
    }


def _blocks(rows: Rows, block: int, rate_hz: float) -> Arrays:
    found = [
        _block(np.ascontiguousarray(rows[:, start : start + block]), block, rate_hz)
        for start in range(0, rows.shape[1], block)
    ]
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def _block(rows: Rows, block: int, rate_hz: float) -> Arrays:
    finite = np.isfinite(rows) if rows.dtype.kind == "f" else None
    if finite is not None and finite.all():
        finite = None
    count, mean, m2 = _moments(rows, finite)
    line = np.full((len(rows), len(LINE_HZ), 2), np.nan)
    valid = np.zeros(len(rows), dtype=bool)
    if rows.shape[1] == block and rate_hz >= 140:
        valid[:] = True if finite is None else finite.all(axis=1)
        line[valid] = _line_power(rows[valid], rate_hz)
    mad = _mad(rows, finite)
    return {"count": count, "mean": mean, "m2": m2, "mad": mad, "line": line, "line_valid": valid}


def _moments(rows: Rows, finite: npt.NDArray[np.bool_] | None) -> tuple[Rows, Rows, Rows]:
    """Count, mean, and sum of squared deviations from the mean, of finite samples."""
    n: Rows = np.full(len(rows), float(rows.shape[1]), dtype=np.float64)
    if rows.dtype in (np.int8, np.int16):
        total = rows.sum(axis=1, dtype=np.int64)
        squares = np.multiply(rows, rows, dtype=np.int32).sum(axis=1, dtype=np.int64)
        # exact until here: at most 2**53 for blocks of less than 8 million samples
        mean = total / n
        return n, mean, np.maximum(squares - total * mean, 0.0)
    values = rows.astype(np.float64)
    if finite is not None:
        n = np.count_nonzero(finite, axis=1).astype(np.float64)
        values = np.where(finite, values, 0.0)
    mean = values.sum(axis=1) / np.maximum(n, 1.0)
    values -= mean[:, None]
    if finite is not None:
        values[~finite] = 0.0
    return n, mean, np.square(values).sum(axis=1)


def _mad(rows: Rows, finite: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.float32]:
    """Median absolute deviation from the median, of evenly spaced samples; float32."""
    step = max(1, rows.shape[1] // _MEDIAN_SAMPLES)
    kind = np.float32 if rows.dtype.itemsize <= 2 else np.float64
    some: npt.NDArray[np.floating[Any]] = rows[:, ::step].astype(kind)
    if finite is None:
        middle = np.median(some, axis=1, keepdims=True)
        return np.asarray(np.median(np.abs(some - middle), axis=1), dtype=np.float32)
    out = np.full(len(rows), np.nan, dtype=np.float32)
    for index, (row, good) in enumerate(zip(some, finite[:, ::step], strict=True)):
        if good.any():
            out[index] = np.median(np.abs(row[good] - np.median(row[good])))
    return out


def _line_power(rows: Rows, rate_hz: float) -> npt.NDArray[np.float64]:
    """Power at each line frequency and the same bandwidth's power beside it.

    A periodogram with a Hann window of the block, after averaging neighbouring samples down
    to about 1 kHz. A sinusoid's power lies in three bins.

    Returns
    -------
    ndarray, shape (n_channels, 2 lines, 2), float64, squares of stored units
    """
    q = max(1, math.floor(rate_hz / _LINE_RATE_HZ))
    m = rows.shape[1] // q
    whole = np.int64 if rows.dtype.kind in "iu" else np.float64
    slow = rows[:, : m * q].reshape(len(rows), m, q).sum(axis=2, dtype=whole) / q
    window = np.hanning(m + 1)[:m]
    slow = (slow - slow.mean(axis=1, keepdims=True)) * window
    bin_hz = rate_hz / q / m
    power = 2 * np.abs(np.fft.rfft(slow, axis=1)) ** 2 / (m * np.square(window).sum())
    frequency_hz = np.arange(power.shape[1]) * bin_hz
    out = np.empty((len(rows), len(LINE_HZ), 2))
    for index, line_hz in enumerate(LINE_HZ):
        k = round(line_hz / bin_hz)
        away_hz = np.abs(frequency_hz - line_hz)
        beside = (away_hz >= _BESIDE_HZ[0]) & (away_hz <= _BESIDE_HZ[1])
        out[:, index, 0] = power[:, k - 1 : k + 2].sum(axis=1)
        out[:, index, 1] = 3 * power[:, beside].mean(axis=1)
    return out
