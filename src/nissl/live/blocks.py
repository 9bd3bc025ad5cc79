"""Chunks of any size made into blocks of known size.

A method that only ever sees blocks, cut at the same samples of a segment, cannot depend on how
the samples arrived. All that is vectorised over time is vectorised over blocks, so even the last
bit of a sum is the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from nissl.live.contract import Claim, Samples, StreamInfo, check_chunk

Mask = npt.NDArray[np.bool_]


class Blocks(ABC):
    """Base of methods that work block by block.

    Parameters
    ----------
    stream : StreamInfo
    columns : list of int
        Channels that are looked at.
    """

    def __init__(self, stream: StreamInfo, columns: list[int]) -> None:
        self.stream = stream
        self.columns = columns
        self._take = slice(None) if columns == list(range(stream.n_channels)) else columns
        self._held = self._size = 0
        self._values: Samples = np.empty((0, len(columns)), np.float32)
        self._missing: Mask = np.empty((0, len(columns)), bool)
        self._begin(0)

    @abstractmethod
    def edge(self, k: int) -> int:
        """Sample, counted from the start of a segment, at which block `k` begins."""

    @abstractmethod
    def step(self, block: Samples, missing: Mask, first: int) -> list[Claim]:
        """Say what follows from one more block.

        Parameters
        ----------
        block : ndarray, shape (edge(k + 1) - edge(k), n_columns), float32, uV
            Missing values hold the last one that was there, 0 before any.
        missing : ndarray, shape of `block`, bool
            Values that were not finite.
        first : int
            Number of its first sample.
        """

    @abstractmethod
    def forget(self) -> None:
        """Begin a new segment: drop what must not cross a gap."""

    def push(self, chunk: Samples, first_sample: int) -> list[Claim]:
        """See `nissl.live.contract.LiveMethod`."""
        check_chunk(chunk, self.stream.n_channels, first_sample, self._next)
        own = np.asarray(chunk, np.float32)[:, self._take]
        self._next += len(own)
        values, missing = self._filled(own)
        claims: list[Claim] = []
        done = 0
        while done < len(values):
            n = min(self._size - self._held, len(values) - done)
            self._values[self._held : self._held + n] = values[done : done + n]
            self._missing[self._held : self._held + n] = missing[done : done + n]
            self._held, done = self._held + n, done + n
            if self._held == self._size:
                first = self._start + self.edge(self._k)
                claims += self.step(self._values, self._missing, first)
                self._open(self._k + 1)
        return claims

    def reset(self, first_sample: int) -> None:
        """See `nissl.live.contract.LiveMethod`."""
        self._begin(first_sample)
        self.forget()

    def _begin(self, first: int) -> None:
        self._start = self._next = first
        self._last = np.zeros(len(self.columns), np.float32)
        self._open(0)

    def _open(self, k: int) -> None:
        self._k, self._held = k, 0
        self._size = self.edge(k + 1) - self.edge(k)
        self._values = np.empty((self._size, len(self.columns)), np.float32)
        self._missing = np.empty((self._size, len(self.columns)), bool)

    def _filled(self, own: Samples) -> tuple[Samples, Mask]:
        missing = ~np.isfinite(own)
        if len(own) and missing.any():
            whole = np.concatenate([self._last[None], own])
            known = np.concatenate([np.ones((1, own.shape[1]), bool), ~missing])
            place = np.where(known, np.arange(len(whole))[:, None], 0)
            whole = np.take_along_axis(whole, np.maximum.accumulate(place, axis=0), axis=0)
            own = whole[1:]
        if len(own):
            self._last = own[-1].copy()
        return own, missing


__all__ = ["Blocks", "Mask"]
