"""When stimuli came, in frames of the traces that may answer to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.sync.intervals import event_samples, span_samples

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

OUTSIDE = ("error", "drop")


@dataclass(frozen=True, eq=False)
class Stimuli:
    """Trials of stimuli, by the time of their beginning.

    Parameters
    ----------
    names : tuple of str
    which : ndarray, shape (n_trials,), int64
        Index into `names`.
    start, stop : ndarray, shape (n_trials,), int64
        Frames [start, stop); at least one each.
    """

    names: tuple[str, ...]
    which: Ints
    start: Ints
    stop: Ints

    def of(self, name: str) -> Stimuli:
        """Trials of one stimulus."""
        return self.take(self.which == self.names.index(name))

    def take(self, trials: Mask) -> Stimuli:
        """Some of the trials."""
        return Stimuli(self.names, self.which[trials], self.start[trials], self.stop[trials])

    def whole(self, clock: Clock, before: int, after: int) -> Mask:
        """Trials that were recorded with the frames around them, without a gap, (n_trials,)."""
        begins = np.asarray([each.start for each in clock.segments])
        ends = np.asarray([each.stop for each in clock.segments])
        first, last = self.start - before, self.stop + after
        segment = np.clip(np.searchsorted(begins, first, side="right") - 1, 0, begins.size - 1)
        return np.asarray((first >= begins[segment]) & (last <= ends[segment]))

    @classmethod
    def from_seconds(
        cls,
        clock: Clock,
        start_s: npt.ArrayLike,
        stop_s: npt.ArrayLike,
        names: npt.ArrayLike,
        *,
        outside: str = "error",
    ) -> tuple[Stimuli, int]:
        """Stimuli by times on a clock, and how many were left out because nothing was recorded.

        What is shorter than a frame takes the frame in which it began.

        Parameters
        ----------
        clock : Clock
            Of the traces.
        start_s, stop_s : array-like, shape (n,), seconds
        names : array-like of str, shape (n,)
        outside : {"error", "drop"}
            What to do with stimuli at times that were not recorded.

        Raises
        ------
        BadLabelsError
            No stimulus; one at a time that was not recorded.
        """
        begin, end = np.asarray(start_s, np.float64), np.asarray(stop_s, np.float64)
        called = np.asarray(names, dtype=np.str_)
        if outside not in OUTSIDE:
            raise BadArgumentError(f"outside among {OUTSIDE}", repr(outside), "Use one of them.")
        if begin.size == 0:
            raise BadLabelsError(
                "a stimulus at least", "none", "Give onset, duration and stimulus, a row each."
            )
        start, known = event_samples(clock, begin)
        stop = np.maximum(span_samples(clock, begin, end)[1], start + 1)
        known &= stop <= clock.n_samples
        lost = np.flatnonzero(~known)
        if lost.size and outside == "error":
            raise BadLabelsError(
                f"stimuli while the traces were recorded, until {_end_s(clock):.6g} s",
                f"{lost.size} of {begin.size} at other times, the first from "
                f"{begin[lost[0]]:.6g} to {end[lost[0]]:.6g} s",
                "Check that times are seconds of this recording, or leave these out with "
                "--outside drop.",
            )
        if not known.any():
            raise BadLabelsError(
                f"stimuli while the traces were recorded, until {_end_s(clock):.6g} s",
                f"none of {begin.size}",
                "Check that times are seconds of this recording.",
            )
        order = np.flatnonzero(known)[np.argsort(start[known], kind="stable")]
        distinct, which = np.unique(called[order], return_inverse=True)
        made = cls(tuple(distinct.tolist()), which.astype(np.int64), start[order], stop[order])
        return made, int(lost.size)


def _end_s(clock: Clock) -> float:
    return float(clock.segments[-1].end_s)


__all__ = ["OUTSIDE", "Stimuli"]
