"""PulseMatch: which pulse of one device is which pulse of another, and what is left over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadMetadataError
from nissl.sync.clockmap import ClockMap, Times

Indices = npt.NDArray[np.int64]

# A pulse that follows a matched one by less than this part of the shortest regular interval
# cannot be a pulse of the train that the other device lost.
_EXTRA = 0.9


@dataclass(frozen=True, eq=False)
class PulseMatch:
    """Pulses of two devices, matched; every pulse of both is in exactly one of the lists.

    Parameters
    ----------
    a_s, b_s : ndarray, shape (n_a,) and (n_b,), float64, seconds
        All pulses, each on its own clock.
    pairs : ndarray, shape (n_pairs, 2), int64
        Index into `a_s` and index into `b_s`, both increasing.
    missing_a : ndarray, int64
        Pulses of b (indices into `b_s`) that device a should have seen and did not.
    missing_b : ndarray, int64
        Pulses of a (indices into `a_s`) that device b should have seen and did not.
    extra_a, extra_b : ndarray, int64
        Pulses that stand closer to a matched pulse than the train ever does: glitches. One
        that keeps the train's distance from its neighbours cannot be told from a pulse that
        the other device missed, and is listed there.
    outside_a, outside_b : ndarray, int64
        Pulses from before or after the time that both devices recorded.
    ambiguous_a, ambiguous_b : ndarray, int64
        Pulses with several candidates within the tolerance; none of them was chosen.
    """

    a_s: Times
    b_s: Times
    pairs: Indices
    missing_a: Indices
    missing_b: Indices
    extra_a: Indices
    extra_b: Indices
    outside_a: Indices
    outside_b: Indices
    ambiguous_a: Indices
    ambiguous_b: Indices

    @property
    def n_pairs(self) -> int:
        """Number of matched pulses."""
        return int(self.pairs.shape[0])

    def clock_map(self, *, a: str = "a", b: str = "b") -> ClockMap:
        """Map through all matched pulses; `BadMetadataError` below two."""
        return ClockMap.through(self.a_s[self.pairs[:, 0]], self.b_s[self.pairs[:, 1]], a=a, b=b)

    def summary(self) -> dict[str, Any]:
        """Count of every list."""
        names = ("missing_a", "missing_b", "extra_a", "extra_b", "outside_a", "outside_b")
        counts = {n: int(getattr(self, n).size) for n in (*names, "ambiguous_a", "ambiguous_b")}
        return {"pairs": self.n_pairs, **counts}

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in self.summary().items() if n)
        return f"PulseMatch({counts or 'no pulses'})"


def checked_times(times_s: npt.ArrayLike, device: str) -> Times:
    """Pulse times as float64, shape (n,); `BadMetadataError` unless strictly increasing."""
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1:
        raise BadMetadataError(
            f"pulse times of device {device} of shape (n,)", f"shape {times.shape}", "Flatten them."
        )
    bad = np.flatnonzero(~np.isfinite(times))
    falls = np.flatnonzero(~(np.diff(times) > 0)) + 1
    if bad.size or falls.size:
        where = bad[0] if bad.size else falls[0]
        raise BadMetadataError(
            f"finite, strictly increasing pulse times of device {device}",
            f"{times[where]} s at index {where}",
            "Check the line's edges; nissl does not reorder them.",
        )
    return times


def left_over(taken: Indices, n: int) -> Indices:
    """Return those of 0..n-1 that are not among `taken`, increasing."""
    left = np.ones(n, dtype=bool)
    left[taken] = False
    return np.flatnonzero(left)


def sort_out(
    a_s: Times, b_s: Times, pairs: Indices, ambiguous: tuple[Indices, Indices], reach_s: float
) -> PulseMatch:
    """Put every pulse that is in no pair into the list it belongs to.

    Parameters
    ----------
    a_s, b_s : ndarray, shape (n,), seconds
    pairs : ndarray, shape (n_pairs, 2), n_pairs >= 2
    ambiguous : tuple of ndarray
        Indices into a and into b of pulses with several candidates.
    reach_s : float
        How far beyond the other device's pulses a pulse may lie and still be common time.
    """
    clock_map = ClockMap.through(a_s[pairs[:, 0]], b_s[pairs[:, 1]])
    rows = []
    for side, times, on_a in ((0, a_s, a_s), (1, b_s, clock_map.inverse()(b_s))):
        left = left_over(np.concatenate([pairs[:, side], ambiguous[side]]), times.size)
        other = clock_map.inverse()(b_s) if side == 0 else a_s
        outside = (on_a[left] < other[0] - reach_s) | (on_a[left] > other[-1] + reach_s)
        extra = ~outside & _too_close(times[left], times[pairs[:, side]])
        rows.append((left[~outside & ~extra], left[extra], left[outside]))
    (missing_b, extra_a, outside_a), (missing_a, extra_b, outside_b) = rows
    return PulseMatch(
        a_s,
        b_s,
        pairs=pairs,
        missing_a=missing_a,
        missing_b=missing_b,
        extra_a=extra_a,
        extra_b=extra_b,
        outside_a=outside_a,
        outside_b=outside_b,
        ambiguous_a=ambiguous[0],
        ambiguous_b=ambiguous[1],
    )


def _too_close(times: Times, matched: Times) -> npt.NDArray[np.bool_]:
    shortest = float(np.percentile(np.diff(matched), 1)) if matched.size > 1 else 0.0
    after = np.searchsorted(matched, times)
    gap_before = times - matched[np.maximum(after - 1, 0)]
    gap_after = matched[np.minimum(after, matched.size - 1)] - times
    nearest = np.minimum(np.abs(gap_before), np.abs(gap_after))
    return np.asarray(nearest < _EXTRA * shortest)
