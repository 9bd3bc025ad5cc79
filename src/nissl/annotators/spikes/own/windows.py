"""How long waveforms are, in samples of white signals."""

from __future__ import annotations

from dataclasses import dataclass

SCORED_MS = 2.1
SCORED_BEFORE_MS = 0.8
LONG_BEFORE_MS = 1.4
LONG_AFTER_MS = 3.6


@dataclass(frozen=True)
class Windows:
    """Sizes at one rate.

    Parameters
    ----------
    before, scored : int
        Samples before the peak, and in all, by which spikes are told.
    long_before, long : int
        The same of what a spike is subtracted with: tails of large spikes reach further.
    refractory : int
        One unit does not fire twice within so many samples.
    """

    before: int
    scored: int
    long_before: int
    long: int
    refractory: int

    @property
    def lead(self) -> int:
        """Samples by which the long window begins before the scored one."""
        return self.long_before - self.before

    @classmethod
    def at(cls, rate_hz: float) -> Windows:
        """Sizes at a rate, Hz."""

        def n(ms: float) -> int:
            return max(1, round(ms * rate_hz / 1000))

        scored = -(-n(SCORED_MS) // 4) * 4
        before, long_before = n(SCORED_BEFORE_MS), n(LONG_BEFORE_MS)
        return cls(before, scored, long_before, long_before + n(LONG_AFTER_MS), n(0.5))
