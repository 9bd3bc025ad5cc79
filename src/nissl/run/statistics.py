"""Statistics of every channel of a signal: what the checks of a recording look at.

The signal is worked on in blocks of a fixed length (1 s, or 4 s below 1 kHz) from the start of
each segment. Counts and runs are exact integers; sums are taken block by block, in order. So
the result has the same bytes for any number of workers and any memory budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.errors import BadSamplesError
from nissl.run.chunks import plan_chunks
from nissl.run.context import Context
from nissl.run.execute import resumable, run_chunks
from nissl.run.identity import identity
from nissl.run.memory import fit_chunks
from nissl.run.results import Arrays, stage_key
from nissl.run.runs import join
from nissl.run.statistics_blocks import GROUP, LINE_HZ, chunk_statistics, shortest_run

VERSION = 1
STAGE = "recording statistics"
_MAD_TO_SD = 1.4826022185056018  # of a normal distribution
_CHUNK_BYTES = 64 * 10**6
_CHUNK_BLOCKS = 256

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SignalStatistics:
    """What the samples of each channel are like. Arrays have one value per channel.

    Parameters
    ----------
    channel_ids : tuple of str
    n_samples : int
        Samples per channel.
    rate_hz : float
    mean_uv, sd_uv : ndarray, shape (n_channels,), float64, uV
        Of the finite samples; NaN where there is none.
    noise_uv : ndarray, shape (n_channels,), float64, uV
        Robust noise: 1.4826 times the median absolute deviation from the median of (evenly
        spaced samples of) a block, median over blocks. It includes slow waves: of a wide-band
        signal high-pass first for the noise that spikes stand out from.
    min_uv, max_uv : ndarray, shape (n_channels,), float64, uV
    n_at_min, n_at_max : ndarray, shape (n_channels,), int64
        Samples that equal the channel's own smallest and largest value: many where it
        saturates, one or two otherwise.
    n_at_limit : ndarray, shape (n_channels,), int64
        Samples at the ends of the stored integer type; 0 for floating types.
    n_nan : ndarray, shape (n_channels,), int64
        Samples that are NaN or infinite.
    n_zero : ndarray, shape (n_channels,), int64
        Samples that are stored as 0.
    longest_constant : ndarray, shape (n_channels,), int64, samples
        Longest stretch without a change of value (1 where neighbours always differ).
    line_hz : tuple of float
        Line frequencies: 50 and 60 Hz.
    line_uv : ndarray, shape (n_channels, 2), float64, uV
        RMS of the line's fundamental, above its neighbours; NaN below 140 Hz sampling rate or
        where no block is complete.
    line_ratio : ndarray, shape (n_channels, 2), float64
        Power density at the line over that 4 to 8 Hz beside it; about 1 without line noise.
    zero_runs : ndarray, shape (n, 2), int64, samples
        Half-open stretches of at least `min_run` samples in which every channel is 0: what
        dropped packets leave behind.
    frozen_runs : ndarray, shape (n, 2), int64, samples
        Likewise where no channel changes; includes those of `zero_runs`.
    min_run : int
        Samples (0.5 ms, at least 4).
    """

    channel_ids: tuple[str, ...]
    n_samples: int
    rate_hz: float
    mean_uv: Floats
    sd_uv: Floats
    noise_uv: Floats
    min_uv: Floats
    max_uv: Floats
    n_at_min: Ints
    n_at_max: Ints
    n_at_limit: Ints
    n_nan: Ints
    n_zero: Ints
    longest_constant: Ints
    line_hz: tuple[float, ...]
    line_uv: Floats
    line_ratio: Floats
    zero_runs: Ints
    frozen_runs: Ints
    min_run: int

    def __repr__(self) -> str:
        return (
            f"SignalStatistics({len(self.channel_ids)} channels x "
            f"{self.n_samples / self.rate_hz:.1f} s, "
            f"median noise {np.nanmedian(self.noise_uv):.3g} uV)"
        )


def signal_statistics(signal: Signal, context: Context) -> SignalStatistics:
    """Statistics of every channel, over the whole signal.

    Parameters
    ----------
    signal : Signal
    context : Context
        Workers and budget; the stage resumes in ``context.workdir``.

    Returns
    -------
    SignalStatistics
        The same bytes for any number of workers and any budget.

    Raises
    ------
    BadSamplesError
        The signal has no samples or no channels.
    MemoryBudgetError
        The budget does not hold one block.
    """
    if signal.n_samples == 0 or signal.n_channels == 0:
        raise BadSamplesError(
            "a signal with samples",
            f"{signal.n_samples} samples of {signal.n_channels} channels",
            "Check the file; it may be truncated.",
        )
    block = max(4, round(signal.rate_hz * (1 if signal.rate_hz >= 1000 else 4)))
    item = signal.dtype.itemsize
    width = 2 * item * signal.n_channels
    fit = fit_chunks(
        width + (item + 40) * min(GROUP, signal.n_channels),
        context,
        minimum_samples=block,
        preferred_samples=block * int(np.clip(_CHUNK_BYTES // (width * block), 1, _CHUNK_BLOCKS)),
        fixed_bytes=32 * GROUP * block,
    )
    results = run_chunks(
        chunk_statistics,
        plan_chunks(signal.clock, fit.chunk_samples, halo=1),
        (signal, block),
        context,
        key=stage_key("statistics", _definition(signal, block)),
        memory_per_chunk=fit.memory_per_chunk,
        stage=STAGE,
        rate_hz=signal.rate_hz,
    )
    totals = _Totals(signal.n_channels)
    with resumable(STAGE):
        for arrays in results:
            totals.add(arrays)
    return _finish(signal, totals)


class _Totals:
    """Running totals over chunks, in order, in stored units."""

    def __init__(self, n_channels: int) -> None:
        self.count, self.mean, self.m2 = (np.zeros(n_channels) for _ in range(3))
        self.low, self.high = (np.full(n_channels, np.nan) for _ in range(2))
        self.n_low, self.n_high, self.n_nan, self.n_zero = (
            np.zeros(n_channels, np.int64) for _ in range(4)
        )
        self.constant, self.open = (np.zeros(n_channels, np.int64) for _ in range(2))
        self.line = np.zeros((n_channels, len(LINE_HZ), 2))
        self.n_line = np.zeros(n_channels)
        self.mad: list[npt.NDArray[np.float32]] = []
        self.zero: list[Ints] = []
        self.frozen: list[Ints] = []

    def add(self, chunk: Arrays) -> None:
        for count, mean, m2 in zip(chunk["count"], chunk["mean"], chunk["m2"], strict=True):
            self._add_moments(count, mean, m2)
        for lines, valid in zip(chunk["line"], chunk["line_valid"], strict=True):
            self.line += np.where(valid[:, None, None], lines, 0.0)
            self.n_line += valid
        self._add_extremes(chunk)
        self.n_nan += chunk["n_nan"]
        self.n_zero += chunk["n_zero"]
        n = chunk["n_samples"].item()
        joined = self.open + chunk["run_first"]
        self.constant = np.maximum(self.constant, np.maximum(joined, chunk["run_best"]))
        self.open = np.where(chunk["run_first"] == n, joined, chunk["run_last"])
        self.mad.append(chunk["mad"])
        self.zero.append(chunk["zero"])
        self.frozen.append(chunk["frozen"])

    def _add_moments(self, count: Floats, mean: Floats, m2: Floats) -> None:
        """Chan, Golub and LeVeque's update of mean and sum of squared deviations."""
        total = self.count + count
        share = np.divide(count, total, out=np.zeros_like(total), where=total > 0)
        step = np.where(count > 0, mean - self.mean, 0.0)
        self.m2 += np.where(count > 0, m2, 0.0) + step**2 * self.count * share
        self.mean += step * share
        self.count = total

    def _add_extremes(self, chunk: Arrays) -> None:
        for mine, number, better in (
            ("low", "n_low", np.fmin),
            ("high", "n_high", np.fmax),
        ):
            old, new = getattr(self, mine), chunk[mine]
            best = better(old, new)
            count = np.where(old == best, getattr(self, number), 0)
            setattr(self, number, count + np.where(new == best, chunk[number], 0))
            setattr(self, mine, best)


def _finish(signal: Signal, totals: _Totals) -> SignalStatistics:
    gain, offset = signal.channels.gain_uv, signal.channels.offset_uv
    size = np.abs(gain)
    low, high = totals.low * gain + offset, totals.high * gain + offset
    down = gain < 0
    seen = totals.count > 0
    count = np.where(seen, totals.count, np.nan)
    limit = np.zeros(signal.n_channels, np.int64)
    if signal.dtype.kind in "iu":
        ends = np.iinfo(signal.dtype)
        limit += np.where(totals.low == ends.min, totals.n_low, 0)
        limit += np.where(totals.high == ends.max, totals.n_high, 0)
    lines = totals.line / np.where(totals.n_line > 0, totals.n_line, np.nan)[:, None, None]
    peak, floor = lines[..., 0], lines[..., 1]
    starts = np.asarray([segment.start for segment in signal.clock.segments], dtype=np.int64)
    min_run = shortest_run(signal.rate_hz)
    frozen = join(totals.frozen, breaks=starts, at_least=min_run - 1)
    frozen[:, 0] -= 1  # from pairs of neighbours to samples
    return SignalStatistics(
        channel_ids=signal.channels.ids,
        n_samples=signal.n_samples,
        rate_hz=signal.rate_hz,
        mean_uv=np.where(seen, totals.mean * gain + offset, np.nan),
        sd_uv=np.sqrt(totals.m2 / count) * size,
        noise_uv=_median_over_blocks(np.concatenate(totals.mad)) * _MAD_TO_SD * size,
        min_uv=np.where(down, high, low),
        max_uv=np.where(down, low, high),
        n_at_min=np.where(down, totals.n_high, totals.n_low),
        n_at_max=np.where(down, totals.n_low, totals.n_high),
        n_at_limit=limit,
        n_nan=totals.n_nan,
        n_zero=totals.n_zero,
        longest_constant=totals.constant + 1,
        line_hz=LINE_HZ,
        line_uv=np.sqrt(np.maximum(peak - floor, 0.0)) * size[:, None],
        line_ratio=np.divide(peak, floor, out=np.full_like(peak, np.nan), where=floor > 0),
        zero_runs=join(totals.zero, breaks=starts, at_least=min_run),
        frozen_runs=frozen,
        min_run=min_run,
    )


def _median_over_blocks(values: npt.NDArray[np.float32]) -> Floats:
    """Median of each column's finite values; NaN where there is none."""
    ordered = np.sort(values.astype(np.float64), axis=0)  # NaNs go last
    n = np.count_nonzero(~np.isnan(ordered), axis=0)
    columns = np.arange(ordered.shape[1])
    lower, upper = np.maximum(n - 1, 0) // 2, n // 2
    upper = np.minimum(upper, np.maximum(n - 1, 0))
    middle = (ordered[lower, columns] + ordered[upper, columns]) / 2
    return np.asarray(np.where(n > 0, middle, np.nan))


def _definition(signal: Signal, block: int) -> dict[str, Any]:
    return {
        "version": VERSION,
        "signal": signal.name,
        "dtype": signal.dtype.str,
        "n_channels": signal.n_channels,
        "clock": signal.clock.to_json(),
        "reader": identity(signal.reader),
        "block": block,
    }
