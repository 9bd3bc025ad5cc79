"""What tells rest from movement, on bins of a clock: signals, stages of sleep, populations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.annotators.windows.states import Floats, Ints, Stretches, restlessness
from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import LabelSet
from nissl.labels.remap import join_pieces

SPEED, PLACE, SHAKEN = "speed", "place", "shaken"
HOW: tuple[tuple[str, str], ...] = (
    (r"speed|veloc|(^|[_ .-])vel([_ .-]|$)|running|wheel", SPEED),
    (r"emg|acc(el)?([_ .-]|$)|acceler|gyro|motion|piezo", SHAKEN),
    (r"(^|[_ .-])pos(ition)?([_ .-]|$)", PLACE),
)
"""Channels by name, and how movement is read from them; the first kind that there is counts."""
ASLEEP = ("N1", "N2", "N3", "N4", "NREM", "SWS", "non-REM")
"""Stages that are rest of one kind; REM is left out, for the brain is not at rest there."""
SHORT = 20
"""Short bins per bin, by which a population's restlessness is counted."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Bins of a clock, none across a gap.

    Parameters
    ----------
    left : ndarray of int, shape (n_bins,)
        First sample of each.
    segment : ndarray of int, shape (n_bins,)
        Gapless stretch that each lies in.
    width : int
        Samples per bin.
    bin_s : float
    """

    left: Ints
    segment: Ints
    width: int
    bin_s: float

    @classmethod
    def of(cls, clock: Clock, bin_s: float) -> Grid:
        """Whole bins of every segment; what is left over at its end is left out."""
        rate_hz = clock.segments[0].rate_hz
        width = max(round(bin_s * rate_hz), 1)
        n = [(s.stop - s.start) // width for s in clock.segments]
        left = [s.start + width * np.arange(k) for s, k in zip(clock.segments, n, strict=True)]
        segment = np.repeat(np.arange(len(n)), n)
        return cls(np.concatenate(left).astype(np.int64), segment, width, width / rate_hz)

    def samples(self, found: Stretches) -> tuple[Ints, Ints]:
        """First sample of stretches, and the one after their last."""
        return self.left[found.start], self.left[found.stop - 1] + self.width


def moving_channels(ids: Sequence[str]) -> tuple[list[int], str]:
    """Channels that tell movement, and how; none where no name says so."""
    for pattern, how in HOW:
        found = [k for k, name in enumerate(ids) if re.search(pattern, name, re.IGNORECASE)]
        if found:
            return found, how
    return [], ""


def movement(signal: Signal, channels: Sequence[int], how: str, grid: Grid) -> Floats:
    """Amount of movement in every bin, shape (n_bins,), in no particular unit.

    Parameters
    ----------
    signal : Signal
    channels : sequence of int
    how : {"speed", "place", "shaken"}
        The size of velocity; the way between places; the spread within a bin (muscle tone,
        acceleration).
    grid : Grid
    """
    if how not in (SPEED, PLACE, SHAKEN):
        raise BadArgumentError(
            f"how movement is read, {SPEED}, {PLACE} or {SHAKEN}", repr(how), "Choose one."
        )
    out = np.full(len(grid.left), np.nan)
    step = max(1, (1 << 20) // grid.width)
    places = np.full((len(grid.left), len(channels)), np.nan)
    for a in range(0, len(grid.left), step):
        rows = np.arange(a, min(a + step, len(grid.left)))
        for part in np.split(rows, np.flatnonzero(np.diff(grid.segment[rows])) + 1):
            first, last = int(grid.left[part[0]]), int(grid.left[part[-1]]) + grid.width
            x = signal.read(first, last, list(channels)).astype(float)
            each = x.reshape(len(part), grid.width, len(channels))
            if how == SPEED:
                out[part] = np.sqrt((each**2).sum(axis=2)).mean(axis=1)
            elif how == SHAKEN:
                out[part] = np.sqrt(each.var(axis=1).sum(axis=1))
            places[part] = each.mean(axis=1)
    if how == PLACE:
        away = np.sqrt((np.diff(places, axis=0) ** 2).sum(axis=1)) / grid.bin_s
        away[np.diff(grid.segment) != 0] = np.nan
        out = np.r_[away[:1], away] if len(away) else out
    return out


def of_population(sample: Ints, grid: Grid) -> Floats:
    """Restlessness of all spikes together in every bin, shape (n_bins,).

    Parameters
    ----------
    sample : ndarray of int, shape (n_spikes,)
    grid : Grid
        Of `SHORT` samples per bin or more.
    """
    if not len(sample):
        raise BadArgumentError("units that fire", "no spike", "Are the units silent? Sort anew.")
    ordered = np.sort(sample)
    edges = grid.left[:, None] + np.rint(np.arange(SHORT + 1) * grid.width / SHORT).astype(np.int64)
    counts = np.diff(np.searchsorted(ordered, edges), axis=1).astype(float)
    return restlessness(counts.reshape(-1, 1), SHORT)


def asleep(stages: LabelSet, least: int) -> tuple[Ints, Ints, Floats]:
    """Stretches of quiet sleep of at least `least` samples: start, stop, mean confidence.

    Raises
    ------
    MissingInputError
        The set has no class of quiet sleep.
    """
    names = np.asarray(stages.vocabulary.names, dtype=np.str_)
    known = [k for k, name in enumerate(names.tolist()) if name in ASLEEP]
    if not known:
        raise MissingInputError(
            f"stages of sleep among {', '.join(ASLEEP)}",
            f"the classes {names.tolist()}",
            "Stage the recording: nissl annotate PROJECT --task sleep",
        )
    rows, start, stop = join_pieces(stages)
    own = np.isin(stages.column("label")[rows], known)
    sure = stages.column("confidence")[rows].astype(float)[own]
    start, stop = start[own], stop[own]
    order = np.argsort(start, kind="stable")
    start, stop, sure = start[order], stop[order], sure[order]
    begins = np.flatnonzero(np.r_[True, start[1:] > stop[:-1]]) if len(start) else start
    found = [
        (start[a], stop[b - 1], sure[a:b].mean())
        for a, b in zip(begins, np.r_[begins[1:], len(start)], strict=True)
        if stop[b - 1] - start[a] >= least
    ]
    columns = np.array(found, float).reshape(-1, 3)
    return columns[:, 0].astype(np.int64), columns[:, 1].astype(np.int64), columns[:, 2]


__all__ = ["ASLEEP", "Grid", "asleep", "movement", "moving_channels", "of_population"]
