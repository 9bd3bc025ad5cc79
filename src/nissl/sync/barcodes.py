"""Barcodes: pulse groups that carry a number, so that no group is mistaken for another.

A barcode is a start mark, then `n_bits` bars of equal length, high for 1 and low for 0, and
a quiet time until the next. The generators in use differ in the start mark: Open Ephys'
example sends 20 ms high and 20 ms low, others 10 ms high, low and high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import AmbiguousClockError, BadArgumentError
from nissl.sync.clockmap import Times
from nissl.sync.pulses import Indices, PulseMatch, checked_times, sort_out


@dataclass(frozen=True)
class BarcodeFormat:
    """How a generator writes its numbers.

    Parameters
    ----------
    bit_s : float
        Length of one bar, seconds.
    n_bits : int
        Bars of one barcode, 1 to 63.
    mark_s : tuple of float
        Start mark: lengths of its levels, high, low, high, ..., seconds.
    quiet_s : float
        The line rests at least this long before a barcode, seconds; longer than the longest
        run of low bars.
    least_first : bool
        Whether the first bar is the least significant bit.
    """

    bit_s: float
    n_bits: int = 32
    mark_s: tuple[float, ...] = (0.02, 0.02)
    quiet_s: float = 1.0
    least_first: bool = True

    def __post_init__(self) -> None:
        if not (1 <= self.n_bits <= 63 and self.bit_s > 0 and self.mark_s and min(self.mark_s) > 0):
            raise BadArgumentError(
                "1 to 63 bits, bars longer than 0 s and a start mark",
                f"{self.n_bits} bits, bit_s {self.bit_s}, mark_s {self.mark_s}",
                "Read the numbers from the generator's program.",
            )

    @property
    def length_s(self) -> float:
        """Start mark and bars together, seconds."""
        return sum(self.mark_s) + self.n_bits * self.bit_s


@dataclass(frozen=True, eq=False)
class Barcodes:
    """Barcodes that one device saw.

    Parameters
    ----------
    times_s : ndarray, shape (n,), float64, seconds
        First rising edge of each barcode.
    values : ndarray, shape (n,), int64
    rejected_s : ndarray, shape (k,), float64, seconds
        Groups of edges that are no whole barcode: without their start mark, cut off by the
        end of the recording, or with an edge away from the border of a bar.
    """

    times_s: Times
    values: npt.NDArray[np.int64]
    rejected_s: Times


def decode_barcodes(
    rising_s: npt.ArrayLike, falling_s: npt.ArrayLike, code: BarcodeFormat, *, until_s: float
) -> Barcodes:
    """Read the barcodes of a digital line.

    Parameters
    ----------
    rising_s, falling_s : array-like, shape (n,), seconds
        Edges of the line on one device's clock.
    code : BarcodeFormat
    until_s : float
        End of the recording on that clock, seconds: low bars after the last edge are only
        known up to there.

    Raises
    ------
    BadMetadataError
        Edges that do not increase.
    """
    rising, falling = checked_times(rising_s, "line"), checked_times(falling_s, "line")
    edges = np.concatenate([rising, falling])
    levels = np.concatenate([np.ones(rising.size, bool), np.zeros(falling.size, bool)])
    order = np.argsort(edges, kind="stable")
    edges, levels = edges[order], levels[order]
    starts = np.flatnonzero(np.diff(edges, prepend=-np.inf) >= code.quiet_s)
    stops = np.append(starts, edges.size)[1:]
    times, values, rejected = [], [], []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        value = _read(edges[start:stop], levels[start:stop], code)
        if value is None or edges[start] + code.length_s > until_s:
            rejected.append(edges[start])
        else:
            times.append(edges[start])
            values.append(value)
    return Barcodes(
        np.asarray(times, dtype=np.float64),
        np.asarray(values, dtype=np.int64),
        np.asarray(rejected, dtype=np.float64),
    )


def _read(edges: Times, levels: npt.NDArray[np.bool_], code: BarcodeFormat) -> int | None:
    """Value of one group of edges, or None where it is no whole barcode."""
    alternates = bool(np.all(levels[1:] != levels[:-1]))
    if not (levels[0] and not levels[-1] and alternates and _has_mark(edges, code)):
        return None
    bars = (edges - edges[0] - sum(code.mark_s)) / code.bit_s
    inside = bars[(bars > -0.25) & (bars < code.n_bits + 0.25)]
    if np.any(np.abs(inside - np.rint(inside)) > 0.25):
        return None
    middles = np.arange(code.n_bits) + 0.5
    bits = levels[np.searchsorted(bars, middles) - 1]
    places = np.arange(code.n_bits) if code.least_first else np.arange(code.n_bits)[::-1]
    return int(sum(1 << int(p) for p in places[bits]))


def _has_mark(edges: Times, code: BarcodeFormat) -> bool:
    """Whether the first edges are those within the start mark."""
    inner = np.cumsum(code.mark_s)[:-1]
    found = edges[1 : inner.size + 1] - edges[0]
    return found.size == inner.size and bool(
        np.all(np.abs(found - inner) <= 0.25 * min(code.mark_s))
    )


def match_barcodes(a: Barcodes, b: Barcodes) -> PulseMatch:
    """Match the barcodes of two devices by their numbers.

    The times of the match are the first rising edges. A number that comes twice on a device
    is ambiguous and left out.

    Raises
    ------
    AmbiguousClockError
        Fewer than two numbers in common, or numbers that come in another order.
    """
    once_a, once_b = _once(a.values), _once(b.values)
    common, in_a, in_b = np.intersect1d(
        a.values[once_a], b.values[once_b], assume_unique=True, return_indices=True
    )
    pairs = np.stack([once_a[in_a], once_b[in_b]], axis=1)
    pairs = pairs[np.argsort(pairs[:, 0])]
    if common.size < 2 or np.any(np.diff(pairs[:, 1]) <= 0):
        raise AmbiguousClockError(
            "at least two barcodes seen by both devices, in one order",
            f"{common.size} in common" + (", in another order" if common.size > 1 else ""),
            "Check bit_s, n_bits and mark_s, and that both lines carry one generator.",
        )
    repeated = tuple(
        np.setdiff1d(np.arange(x.values.size), once) for x, once in ((a, once_a), (b, once_b))
    )
    return sort_out(a.times_s, b.times_s, pairs, (repeated[0], repeated[1]), 0.0)


def _once(values: npt.NDArray[np.int64]) -> Indices:
    _, first, counts = np.unique(values, return_index=True, return_counts=True)
    return np.sort(first[counts == 1]).astype(np.int64)
