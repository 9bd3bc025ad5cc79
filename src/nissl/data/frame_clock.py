"""Clocks of movies: what is stated of the frame rate, what is given, and time stamps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import BadMetadataError

PLAUSIBLE_HZ = (0.01, 20_000.0)
"""Frame rates outside are taken for a header's mistake."""
AGREEMENT = 0.01
"""A given rate may differ from the stated one by this share, for people round."""
UNTIMED_HZ = 1.0
"""Rate of a single image, which has no time."""


def plausible(rate_hz: float) -> bool:
    """Whether a microscope or camera may run at a rate."""
    return PLAUSIBLE_HZ[0] <= rate_hz <= PLAUSIBLE_HZ[1]


def frame_clock(
    name: str,
    n_frames: int,
    *,
    stated_hz: float | None = None,
    given_hz: float | None = None,
    stamps_s: npt.NDArray[np.float64] | None = None,
    hint: str = "",
) -> tuple[Clock, tuple[str, ...]]:
    """Clock of a movie, and sentences on what was odd.

    Time stamps come first: where one is longer than half a frame late, frames were dropped and
    a new segment begins. A stated rate is not overruled, unless it is implausible.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    n_frames : int
    stated_hz, given_hz : float, optional
        By the file, and by the caller.
    stamps_s : ndarray, shape (n_frames,), seconds, optional
    hint : str
        What else to do where no rate is known.

    Raises
    ------
    BadMetadataError
        No rate at all; an implausible one; two that differ.
    """
    notes: tuple[str, ...] = ()
    if stamps_s is not None and stamps_s.size == n_frames > 1 and np.isfinite(stamps_s).all():
        if bool(np.all(np.diff(stamps_s) > 0)):
            clock = Clock.from_times(stamps_s)
            if plausible(clock.rate_hz):
                _agree(name, clock.rate_hz, given_hz)
                return clock, notes
        notes = (f"The time stamps of {name} do not increase; they were not used.",)
    if stated_hz is not None and (given_hz is None or plausible(stated_hz)):
        if not plausible(stated_hz):
            raise BadMetadataError(
                f"a frame rate from {PLAUSIBLE_HZ[0]:g} to {PLAUSIBLE_HZ[1]:g} Hz in {name}",
                f"{stated_hz:g} Hz",
                "Give the right one in Hz with --rate.",
            )
        _agree(name, stated_hz, given_hz)
        return Clock.regular(stated_hz, n_frames), notes
    if given_hz is not None:
        return Clock.regular(given_hz, n_frames), notes
    if n_frames == 1:
        return Clock.regular(UNTIMED_HZ, 1), notes
    raise BadMetadataError(
        f"the frame rate of {name}",
        "nothing that says it",
        f"Give it in Hz with --rate.{' ' if hint else ''}{hint}",
    )


def _agree(name: str, stated_hz: float, given_hz: float | None) -> None:
    if given_hz is not None and abs(given_hz - stated_hz) > AGREEMENT * stated_hz:
        raise BadMetadataError(
            f"{stated_hz:g} Hz, as {name} says",
            f"{given_hz:g} Hz",
            "Leave --rate out; where the file is wrong, mend it there.",
        )
