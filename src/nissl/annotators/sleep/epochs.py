"""Epochs: how a night is cut for scoring.

Epochs have one length and begin with each segment of the recording; none crosses a gap, and
what is left at the end of a segment and is shorter than an epoch is not scored.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import BadArgumentError

SHORTEST_S, LONGEST_S = 1.0, 60.0


def epochs_of(clock: Clock, epoch_s: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First sample of each epoch, and the one after its last.

    Parameters
    ----------
    clock : Clock
    epoch_s : float
        Length, seconds; rounded to whole samples from each segment's start, so that rates
        with a fraction do not add up to a shift.

    Returns
    -------
    start, stop : ndarray, shape (n_epochs,), int64

    Raises
    ------
    BadArgumentError
        A length out of range, or a recording without a whole epoch.
    """
    if not SHORTEST_S <= epoch_s <= LONGEST_S:
        raise BadArgumentError(
            f"epochs of {SHORTEST_S:g} to {LONGEST_S:g} s",
            f"{epoch_s:g} s",
            "People are scored in 30 s, rodents in 4 to 10 s.",
        )
    starts, stops = [], []
    for segment in clock.segments:
        n = int((segment.stop - segment.start) / clock.rate_hz / epoch_s + 1e-9)
        edges = segment.start + np.rint(np.arange(n + 1) * epoch_s * clock.rate_hz)
        starts.append(edges[:-1].astype(np.int64))
        stops.append(edges[1:].astype(np.int64))
    start, stop = np.concatenate(starts), np.concatenate(stops)
    if not start.size:
        raise BadArgumentError(
            f"a recording of {epoch_s:g} s or longer",
            f"{clock.duration_s:.1f} s in {len(clock.segments)} segments",
            "Shorten the epochs: --set epoch_s=10",
        )
    return start, stop


__all__ = ["epochs_of"]
