"""Blocks of samples that come over a network, put in order; what is lost becomes a gap.

The sender numbers its samples. A block that comes before its turn is held until those before it
have come, or until `PATIENCE` blocks are held: what is missing then is lost, and a new segment
begins. What was given already is dropped, whether it is a copy or comes too late. A number that
goes back by more than `RESTART_S` is that of a sender that began anew.
"""

from __future__ import annotations

from nissl.live.contract import Samples
from nissl.live.sources import Chunk

PATIENCE = 8
RESTART_S = 10.0


class Ordered:
    """Puts blocks in order.

    Parameters
    ----------
    rate_hz : float
    patience : int
        Blocks that are held at most while an earlier one is missing.
    """

    def __init__(self, rate_hz: float, *, patience: int = PATIENCE) -> None:
        self._rate, self._patience = rate_hz, patience
        self._next: int | None = None
        self._lost_s: float | None = None
        self._held: dict[int, tuple[Samples, float]] = {}
        self.position = 0

    def push(self, first: int, samples: Samples, arrived_s: float) -> list[Chunk]:
        """Take a block and give what is in order by now.

        Parameters
        ----------
        first : int
            The sender's number of its first sample.
        samples : ndarray, shape (n, n_channels), float32, uV
        arrived_s : float
            When it came, `time.monotonic`.
        """
        given: list[Chunk] = []
        if self._next is None:
            self._next = first
        if first < self._next - RESTART_S * self._rate:
            given = self.flush()
            self._next, self._lost_s = first, 0.0
        known = self._held.get(first)
        if known is None or len(known[0]) < len(samples):
            self._held[first] = (samples, arrived_s)
        given += self._ready()
        while len(self._held) > self._patience:
            given += self._skip()
        return given

    def flush(self) -> list[Chunk]:
        """Give all that is held: nothing more is waited for."""
        given: list[Chunk] = []
        while self._held:
            given += self._skip()
        return given

    def _skip(self) -> list[Chunk]:
        first = min(self._held)
        before = first if self._next is None else self._next
        self._lost_s = (self._lost_s or 0.0) + (first - before) / self._rate
        self._next = first
        return self._ready()

    def _ready(self) -> list[Chunk]:
        given: list[Chunk] = []
        while self._held and (first := min(self._held)) <= (self._next or 0):
            samples, arrived_s = self._held.pop(first)
            fresh = samples[(self._next or 0) - first :]
            if not len(fresh):
                continue
            given.append(Chunk(fresh, self.position, self._lost_s, arrived_s))
            self._lost_s = None
            self.position += len(fresh)
            self._next = first + len(samples)
        return given


__all__ = ["PATIENCE", "RESTART_S", "Ordered"]
