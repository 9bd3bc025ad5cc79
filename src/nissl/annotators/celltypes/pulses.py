"""Light pulses of a session, and the windows in which spikes after them are compared.

Conventions: times are seconds of the spikes' clock. After every pulse a **window** is looked at,
from the dead time (in which light artefacts are mistaken for spikes) to its end. It is compared
with **baseline windows** of the same length: the whole pulse train moved back by a lag, the same
for all pulses, so that rhythms and slow changes of a unit are in the baseline as they are after
the pulses. A lag counts when its windows were recorded and dark for most pulses; a pulse counts
when that holds for all lags that are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, BadLabelsError, MissingInputError

Values = npt.NDArray[np.float64]

LEAST_PULSES = 10
"""Pulses below which no unit can be judged; see also `Criteria.min_pulses`."""

LEAST_WINDOWS = 15
MOST_WINDOWS = 200
_KEPT = 0.85
"""Share of the pulses that must be left when a lag is added to those before."""


@dataclass(frozen=True, eq=False)
class Pulses:
    """Light pulses.

    Parameters
    ----------
    onset_s : ndarray, shape (n_pulses,), float64, seconds
        Strictly increasing.
    duration_s : ndarray, shape (n_pulses,), float64, seconds
        NaN where it is not known.

    Raises
    ------
    MissingInputError
        No pulses.
    BadLabelsError
        Times that are not finite or increasing, or pulses that overlap.
    """

    onset_s: Values
    duration_s: Values

    def __post_init__(self) -> None:
        onset = np.array(self.onset_s, dtype=np.float64).reshape(-1)
        duration = np.array(np.broadcast_to(self.duration_s, onset.shape), dtype=np.float64)
        if not onset.size:
            raise MissingInputError(
                "light pulses", "none", "Name the line or the file that holds them."
            )
        if not np.all(np.isfinite(onset)) or np.any(np.diff(onset) <= 0):
            row = int(np.argmax(~(np.diff(onset) > 0))) + 1 if onset.size > 1 else 0
            raise BadLabelsError(
                "finite onsets of pulses, each after the one before",
                f"another one at pulse {row}",
                "Sort the pulses and remove doubles.",
            )
        if np.any(duration < 0) or np.any(onset[:-1] + duration[:-1] > onset[1:]):
            row = int(np.argmax(np.append(onset[:-1] + duration[:-1] > onset[1:], duration < 0)))
            raise BadLabelsError(
                "pulses that end before the next one begins",
                f"overlapping or negative durations, the first at pulse {row % onset.size}",
                "Give the pulses of one light source only.",
            )
        for name, values in (("onset_s", onset), ("duration_s", duration)):
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return int(self.onset_s.size)

    def __repr__(self) -> str:
        length = np.nanmedian(self.duration_s) if np.isfinite(self.duration_s).any() else np.nan
        return f"Pulses({len(self)} pulses, median {1e3 * length:.3g} ms)"


@dataclass(frozen=True, eq=False)
class Windows:
    """Which windows are compared, the same for all units; made by `windows_of`.

    Parameters
    ----------
    onset_s : ndarray, shape (n_pulses,), float64, seconds
        Pulses that count.
    offset_s : ndarray, shape (n_pulses,), float64, seconds
        Their ends, NaN where not known.
    lag_s : ndarray, shape (n_windows,), float64, seconds
        By how much the pulse train is moved back for each baseline window.
    light_s : ndarray, shape (n_all, 2), float64, seconds
        All times that may carry light or its after-effects, in order and apart.
    dead_s, within_s, look_s : float
        The window is ``[dead_s, within_s)`` after the onset; latencies are looked at up to
        `look_s`, so that a late response is seen to be late.
    n_given : int
        Pulses before any was left out.
    """

    onset_s: Values
    offset_s: Values
    lag_s: Values
    light_s: Values
    dead_s: float
    within_s: float
    look_s: float
    n_given: int

    @property
    def hole_s(self) -> Values:
        """Dead time at the end of each pulse, after the start of its window, (n_pulses, 2)."""
        begin = self.offset_s - self.onset_s - self.dead_s
        return np.stack([begin, begin + self.dead_s], axis=1)

    def dark(self, times_s: Values) -> npt.NDArray[np.bool_]:
        """Whether each time, shape (n,), lies outside all light."""
        after = np.searchsorted(self.light_s[:, 0], times_s, side="right") - 1
        inside = (after >= 0) & (times_s < self.light_s[np.maximum(after, 0), 1])
        return np.asarray(~inside)


def windows_of(
    pulses: Pulses,
    recorded_s: npt.ArrayLike,
    *,
    within_s: float,
    look_s: float,
    dead_s: float,
    recovery_s: float,
) -> Windows:
    """Lay out the windows of a session.

    Parameters
    ----------
    pulses : Pulses
    recorded_s : array-like, shape (n_segments, 2), seconds
        Begin and end of each gapless stretch.
    within_s, look_s, dead_s : float
        See `Windows`.
    recovery_s : float
        Time after the end of a pulse that does not serve as baseline.

    Raises
    ------
    BadArgumentError
        Impossible windows, pulses faster than them, or no dark baseline.
    BadLabelsError
        Pulses outside the recording, or too few.
    """
    if not (0 <= dead_s < within_s <= look_s and recovery_s >= 0):
        raise BadArgumentError(
            "a dead time shorter than the window, and the window within the time looked at",
            f"dead {dead_s} s, window {within_s} s, looked at {look_s} s",
            "Choose them in this order.",
        )
    segments = np.asarray(recorded_s, dtype=np.float64).reshape(-1, 2)
    onset = pulses.onset_s
    whole = _recorded(onset, onset + look_s, segments)
    if not whole.any():
        raise BadLabelsError(
            "pulses within the recording",
            f"all {len(pulses)} outside, {onset[0]:g} s to {onset[-1]:g} s of a recording of "
            f"{segments[0, 0]:g} s to {segments[-1, 1]:g} s",
            "Check that the pulses are on the clock of the spikes (nissl sync).",
        )
    apart = np.append(np.diff(onset) >= look_s, True)
    if np.mean(apart) < 0.5:
        raise BadArgumentError(
            f"pulses at least {1e3 * look_s:g} ms apart",
            f"a median of {1e3 * np.median(np.diff(onset)):.3g} ms",
            "Shorten the window, or give the first pulse of each train.",
        )
    light = _light(pulses, look_s, recovery_s)
    lags, kept = _lags(onset, whole & apart, segments, light, (dead_s, within_s, look_s))
    return Windows(
        onset[kept],
        (onset + pulses.duration_s)[kept],
        lags,
        light,
        dead_s,
        within_s,
        look_s,
        len(pulses),
    )


def first_spikes(spikes_s: Values, start_s: Values, length_s: float, hole_s: Values) -> Values:
    """Time from the start of each window to its first spike.

    Parameters
    ----------
    spikes_s : ndarray, shape (n_spikes,), float64, seconds
        Increasing.
    start_s : ndarray, shape (n_pulses, ...), float64, seconds
    length_s : float
    hole_s : ndarray, shape (n_pulses, 2), float64, seconds
        From where to where, after the start, spikes do not count; NaN for none.

    Returns
    -------
    ndarray, shape of `start_s`, float64, seconds
        Infinite where the window has no spike.
    """
    padded = np.append(spikes_s, np.inf)
    begin, end = (hole_s[:, k].reshape(-1, *(1,) * (start_s.ndim - 1)) for k in (0, 1))
    wait = padded[np.searchsorted(spikes_s, start_s)] - start_s
    behind = start_s + np.nan_to_num(end, nan=0.0)
    next_wait = padded[np.searchsorted(spikes_s, behind)] - start_s
    wait = np.where((wait >= begin) & (wait < end), next_wait, wait)
    return np.asarray(np.where(wait < length_s, wait, np.inf))


def count_spikes(spikes_s: Values, start_s: Values, length_s: float, hole_s: Values) -> float:
    """Mean number of spikes per window; parameters as of `first_spikes`."""
    begin, end = (hole_s[:, k].reshape(-1, *(1,) * (start_s.ndim - 1)) for k in (0, 1))

    def before(times: Values) -> npt.NDArray[np.intp]:
        return np.asarray(np.searchsorted(spikes_s, times))

    counts = before(start_s + length_s) - before(start_s)
    low, high = (np.clip(np.nan_to_num(x, nan=0.0), 0, length_s) for x in (begin, end))
    return float(np.mean(counts - (before(start_s + high) - before(start_s + low))))


def _light(pulses: Pulses, look_s: float, recovery_s: float) -> Values:
    """Union of the times of light and what follows it, shape (n, 2)."""
    start = pulses.onset_s
    length = np.fmax(np.nan_to_num(pulses.duration_s, nan=0.0) + recovery_s, look_s)
    stop = np.maximum.accumulate(start + length)
    new = np.append(True, start[1:] > stop[:-1])
    last = np.append(new[1:], True)
    return np.stack([start[new], stop[last]], axis=1)


def _recorded(start: Values, stop: Values, segments: Values) -> npt.NDArray[np.bool_]:
    which = np.clip(np.searchsorted(segments[:, 0], start, side="right") - 1, 0, None)
    return np.asarray((start >= segments[which, 0]) & (stop <= segments[which, 1] + 1e-9))


def _lags(
    onset: Values,
    usable: npt.NDArray[np.bool_],
    segments: Values,
    light: Values,
    window: tuple[float, float, float],
) -> tuple[Values, npt.NDArray[np.bool_]]:
    """Lags of the baseline windows, and the pulses for which all of them are dark."""
    dead, within, look = window
    step = within - dead
    span = float(segments[-1, 1] - segments[0, 0])
    lags: list[float] = []
    kept = usable.copy()
    for k in range(min(20 * MOST_WINDOWS, int(span / step))):
        lag = look + k * step
        start = onset - lag
        after = np.searchsorted(light[:, 1], start, side="right")
        clear = np.append(light[:, 0], np.inf)[after] >= start + look
        left = kept & clear & _recorded(start, start + look, segments)
        if left.sum() >= _KEPT * usable.sum():
            lags.append(lag)
            kept = left
        if len(lags) == MOST_WINDOWS:
            break
    if len(lags) < LEAST_WINDOWS:
        raise BadArgumentError(
            f"at least {LEAST_WINDOWS} dark windows of {1e3 * step:g} ms before most pulses, to "
            "compare with",
            f"{len(lags)}",
            "Pulses follow each other too closely for this window: shorten it, or give only "
            "pulses after a pause.",
        )
    if kept.sum() < LEAST_PULSES:
        raise BadLabelsError(
            f"at least {LEAST_PULSES} pulses with a dark, recorded time before them",
            f"{int(kept.sum())} of {onset.size}",
            "No unit can be judged by so few; give more pulses.",
        )
    return np.asarray(lags), kept
