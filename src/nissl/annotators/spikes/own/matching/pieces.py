"""White samples in pieces that do not touch, looked at by several threads at once.

Stretches of a recording stand apart by zeros, longer than any waveform: what is found in one does
not depend on the others, nor on how many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.devices import CPU
from nissl.annotators.spikes.own.matching.pursuit import Matched, no_spikes, pursue
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
A = TypeVar("A")
B = TypeVar("B")

GAP_S = 0.009
"""Zeros of at least so long lie between pieces."""
ON_DEVICE = 32_000_000
"""Scores and samples of pieces that are pursued together on a device: small ones wait for calls."""
SHARED = ("echoes", "own", "norms", "weights", "channels", "moved", "overlaps", "pairs")


@dataclass(frozen=True, eq=False)
class Pieces:
    """White samples, and threads to look at them with.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    rate_hz : float
    pool : ThreadPoolExecutor or None
        None: one thread.
    device : str
        From `devices.chosen`; where spikes are pursued.
    """

    z: Samples
    rate_hz: float
    pool: ThreadPoolExecutor | None = field(default=None)
    device: str = CPU

    @cached_property
    def edges(self) -> list[tuple[int, int]]:
        """First and last sample (not included) of each piece; together they are all samples."""
        cuts = gaps(self.z, round(GAP_S * self.rate_hz))
        ends = [0, *cuts.tolist(), len(self.z)]
        return [(a, b) for a, b in pairwise(ends) if b > a]

    @property
    def seconds(self) -> float:
        """How long they are."""
        return len(self.z) / self.rate_hz

    def some(self, every: int) -> tuple[Pieces, Ints]:
        """Each so many-th piece, and which samples these are."""
        rows = np.concatenate([np.arange(a, b) for a, b in self.edges[::every]])
        return Pieces(self.z[rows], self.rate_hz, self.pool, self.device), rows

    def map(self, function: Callable[[A], B], many: Iterable[A]) -> Iterator[B]:
        """Results in order."""
        return mapped(self.pool, function, many)

    def pursue(self, templates: Templates, least: float) -> Matched:
        """Spikes of all units, as `pursuit.pursue` finds them in each piece."""
        if not len(templates):
            return no_spikes()
        share(templates)

        def one(edge: tuple[int, int]) -> Matched:
            first, stop = edge
            own = self.z[first:stop]
            return pursue(own, templates, self.rate_hz, least, self.device).moved(first)

        parts = list(self.map(one, self._stretches(len(templates))))
        names = Matched.__dataclass_fields__
        return Matched(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

    def _stretches(self, n_units: int) -> list[tuple[int, int]]:
        """Pieces as they are pursued: each alone, on a device as many at once as fit there."""
        if self.device == CPU:
            return self.edges
        most = ON_DEVICE // (n_units + 2 * self.z.shape[1])
        out = self.edges[:1]
        for first, stop in self.edges[1:]:
            if stop - out[-1][0] <= most:
                out[-1] = out[-1][0], stop
            else:
                out.append((first, stop))
        return out

    def subtract(
        self, spikes: Matched, templates: Templates, out: Samples | None = None
    ) -> Samples:
        """White samples without the spikes, in `out` where it is given."""
        if len(spikes):
            share(templates)
        out = np.empty_like(self.z) if out is None else out
        bounds = np.searchsorted(spikes.at, [first for first, _ in self.edges] + [len(self.z)])

        def one(number: int) -> None:
            first, stop = self.edges[number]
            own = spikes.taken(np.arange(bounds[number], bounds[number + 1]))
            out[first:stop] = subtract(self.z[first:stop], own.moved(-first), templates)

        for _ in self.map(one, range(len(self.edges))):
            pass
        return out


def share(templates: Templates) -> None:
    """Derive once what pursuits need, before threads share it."""
    for name in SHARED:
        getattr(templates, name)


def gaps(z: Samples, least: int) -> Ints:
    """Middles of the runs of at least so many samples that are zero on all channels.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    least : int
        Samples. Runs at either end are no gaps.
    """
    zero = np.concatenate([[False], ~np.any(z, axis=1), [False]])
    change = np.flatnonzero(zero[1:] != zero[:-1])
    first, stop = change[::2], change[1::2]
    long = (stop - first >= least) & (first > 0) & (stop < len(z))
    return np.asarray((first[long] + stop[long]) // 2, dtype=np.int64)


def mapped(
    pool: ThreadPoolExecutor | None, function: Callable[[A], B], many: Iterable[A]
) -> Iterator[B]:
    """Results in order, by the pool's threads where there is one."""
    return map(function, many) if pool is None else pool.map(function, many)


@contextmanager
def threads(n: int) -> Iterator[ThreadPoolExecutor | None]:
    """Pool of so many threads, None for one; what waits is given up when the block is left."""
    if n < 2:
        yield None
        return
    pool = ThreadPoolExecutor(n)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
