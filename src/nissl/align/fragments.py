"""A fragment: an interval of one recording's population, with what is known of it.

Conventions of alignment: activity is binned, `(n_bins, n_units)`; a window is a stretch that comes
again and again (a trial, a lap, a rest), numbered, and -1 outside; bins of a window are counted
from its beginning, so that windows of two recordings can be laid over each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class About:
    """What one has to know of a fragment to compare it with another; empty where unknown.

    Parameters
    ----------
    species, subject, session, region, state, modality : str
    """

    species: str = ""
    subject: str = ""
    session: str = ""
    region: str = ""
    state: str = ""
    modality: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what is not known."""
        return tuple(f.name for f in fields(self) if not getattr(self, f.name))

    @property
    def completeness(self) -> float:
        """Share that is known, 0 to 1."""
        return 1.0 - len(self.missing) / len(fields(self))


@dataclass(frozen=True, eq=False)
class Fragment:
    """Binned activity of a population.

    Parameters
    ----------
    name : str
    activity : ndarray, shape (n_bins, n_units)
        Spikes per bin, or any signal; without NaN.
    bin_s : float
    window : ndarray of int, shape (n_bins,), optional
        Number of the trial, lap or rest that a bin lies in, -1 outside all. Bins of one window are
        contiguous. Without, all bins are one window.
    condition : ndarray of int, shape (n_bins,), optional
        What was the same in several windows (target, stimulus), -1 where unknown.
    behaviour : mapping of str to ndarray, shape (n_bins,) or (n_bins, k)
        NaN where it was not measured.
    units : ndarray, shape (n_units,), optional
        Identity of units; equal numbers in two fragments are the same unit only if the caller
        says so (`shared`). Without, they are numbered.
    about : About

    Raises
    ------
    BadArgumentError
        Of shapes that do not fit, NaN, an empty or a silent population.
    """

    name: str
    activity: Floats
    bin_s: float
    window: Ints | None = None
    condition: Ints | None = None
    behaviour: Mapping[str, Floats] = field(default_factory=dict)
    units: Ints | None = None
    about: About = About()

    def __post_init__(self) -> None:
        activity = np.asarray(self.activity, float)
        if activity.ndim != 2 or not activity.size:
            raise BadArgumentError(
                f"activity of {self.name!r} as bins x units",
                f"an array of shape {activity.shape}",
                "Is the session empty? Choose another interval or other units.",
            )
        if not np.isfinite(activity).all():
            raise BadArgumentError(
                f"activity of {self.name!r} without NaN",
                f"{int((~np.isfinite(activity)).sum())} values that are not finite",
                "Leave those bins out.",
            )
        if not np.ptp(activity, axis=0).any():
            raise BadArgumentError(
                f"units of {self.name!r} that fire",
                "activity that never changes",
                "Is it the right interval? Are the units of this recording silent?",
            )
        if not self.bin_s > 0:
            raise BadArgumentError("a bin longer than nothing", f"{self.bin_s} s", "State bin_s.")
        object.__setattr__(self, "activity", activity)
        n_bins, n_units = activity.shape
        for key, value, n in (
            ("window", self.window, n_bins),
            ("condition", self.condition, n_bins),
            ("units", self.units, n_units),
        ):
            if value is not None:
                object.__setattr__(self, key, self._fits(key, np.asarray(value, np.int64), n))
        known = {key: np.asarray(value, float) for key, value in self.behaviour.items()}
        known = {key: v[:, None] if v.ndim == 1 else v for key, v in known.items()}
        for key, measured in known.items():
            self._fits(key, measured, n_bins)
        object.__setattr__(self, "behaviour", known)

    def _fits(self, key: str, value: npt.NDArray[np.generic], n: int) -> npt.NDArray[np.generic]:
        if len(value) != n:
            raise BadArgumentError(
                f"{n} values of {key!r} in {self.name!r}",
                f"{len(value)}",
                "Bin behaviour and activity on the same clock.",
            )
        return value

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.activity.shape[0])

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.activity.shape[1])

    @property
    def windows(self) -> Ints:
        """Number of the window of every bin; one window where none are stated."""
        return np.zeros(self.n_bins, np.int64) if self.window is None else self.window

    def take(self, bins: npt.NDArray[np.generic]) -> Fragment:
        """Only these bins (indices, or a mask)."""
        return replace(
            self,
            activity=self.activity[bins],
            window=None if self.window is None else self.window[bins],
            condition=None if self.condition is None else self.condition[bins],
            behaviour={key: value[bins] for key, value in self.behaviour.items()},
        )

    def select(self, units: npt.NDArray[np.generic]) -> Fragment:
        """Only these units (indices, or a mask)."""
        names = np.arange(self.n_units) if self.units is None else self.units
        return replace(self, activity=self.activity[:, units], units=names[units])

    def in_windows(self, numbers: npt.ArrayLike) -> Fragment:
        """Only the bins of these windows."""
        return self.take(np.isin(self.windows, numbers))

    def without_conditions(self) -> Fragment:
        """The same with every condition and behaviour hidden."""
        return replace(self, condition=None, behaviour={})


def runs(fragment: Fragment) -> tuple[Ints, Ints, Ints]:
    """Windows in order of time: number, first bin, and bin after the last.

    Raises
    ------
    BadArgumentError
        Where a window comes again after it was left.
    """
    number = fragment.windows
    edges = np.flatnonzero(np.diff(number)) + 1
    start = np.concatenate([[0], edges]).astype(np.int64)
    stop = np.concatenate([edges, [len(number)]]).astype(np.int64)
    kept = number[start] >= 0
    start, stop = start[kept], stop[kept]
    if len(np.unique(number[start])) != len(start):
        raise BadArgumentError(
            f"windows of {fragment.name!r} of contiguous bins",
            "a number that comes again after another window",
            "Number every trial or lap anew.",
        )
    return number[start], start, stop


def conditions(fragment: Fragment) -> Ints:
    """Condition of every window, -1 where unknown or where it changes within."""
    _, start, stop = runs(fragment)
    if fragment.condition is None:
        return np.full(len(start), -1, np.int64)
    pairs = zip(start, stop, strict=True)
    each = [np.unique(fragment.condition[a:b]) for a, b in pairs]
    return np.array([c[0] if len(c) == 1 else -1 for c in each], np.int64)


def same_bins(fragments: tuple[Fragment, ...]) -> None:
    """Raise `BadArgumentError` unless all have bins of one length."""
    lengths = sorted({f.bin_s for f in fragments})
    if len(lengths) > 1 and not np.allclose(lengths, lengths[0], rtol=1e-6):
        raise BadArgumentError(
            "fragments with bins of one length",
            ", ".join(f"{f.name!r}: {f.bin_s * 1e3:g} ms" for f in fragments),
            "Bin them anew with one bin_s.",
        )
