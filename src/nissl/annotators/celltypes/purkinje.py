"""Purkinje cells: the complex-spike unit and the simple-spike unit of one cell.

A complex spike silences the cell's simple spikes for 10 ms and more. That pause is the one
criterion that the field accepts for calling two units one Purkinje cell (Beau et al. 2025, Cell
188:2218-2234; Thach 1967, J. Neurophysiol. 30:785-797). The two units stay two: they are linked,
never merged.

The test counts complex spikes that are followed by a simple spike within a window. It must be
fewer than in windows of the same length around the same complex spikes (slow changes that both
units share are in those too), fewer than in the window just before (a pause begins at once,
while a change that both share does not know the complex spike), and next to none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.exact_tests import fewer_hits, less_after
from nissl.errors import BadArgumentError
from nissl.trust.discoveries import benjamini_hochberg

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LINKED, NOT_LINKED, DOUBTFUL = "linked", "not linked", "doubtful"
COMPLEX_HZ, SIMPLE_HZ = (0.5, 3.0), (20.0, 200.0)
"""Rates that are usual; others are said, not refused."""

_BIN_S = 1e-3
_REACH_S = 0.2
_SMOOTH = 5
_RECOVERED = 0.5


@dataclass(frozen=True)
class Pause:
    """What is asked of a pair; written into the provenance of the links.

    Parameters
    ----------
    window_ms : float
        The window after a complex spike in which simple spikes must be missing.
    skip_ms : float
        Time around a complex spike that is not looked at: its own spikelets may be sorted as
        simple spikes.
    around_ms : float
        How far before a complex spike windows for comparison reach; as many are taken after
        it, from half that time on, for pauses may be long.
    max_ratio : float
        Simple spikes in the window, over those expected from the windows around.
    alpha, fdr : float
        Limit of the larger p value, and of it adjusted for the number of pairs.
    min_complex : int
        Complex spikes below which a pair is doubtful.
    min_expected : float
        Windows with a simple spike expected after all complex spikes, below which a pair is
        doubtful.
    near_um : float
        Distance of the units' positions beyond which they are no pair.
    """

    window_ms: float = 10.0
    skip_ms: float = 1.0
    around_ms: float = 100.0
    max_ratio: float = 0.25
    alpha: float = 0.01
    fdr: float = 0.05
    min_complex: int = 30
    min_expected: float = 10.0
    near_um: float = 200.0

    def __post_init__(self) -> None:
        if (
            not 0 <= self.skip_ms < self.window_ms
            or not self.around_ms >= 3 * self.window_ms
            or not (0 < self.alpha < 1 and 0 < self.fdr < 1 and 0 < self.max_ratio < 1)
        ):
            raise BadArgumentError(
                "skip_ms < window_ms, around_ms of three windows or more, limits between 0 and 1",
                f"{self}",
                "Mend the criteria.",
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class PairTest:
    """What the trains say of a pair.

    Parameters
    ----------
    complex_unit, simple_unit : int
        The one that fires less, and the other one.
    verdict : {"linked", "not linked", "doubtful"}
    sentence : str
    complex_hz, simple_hz : float
        Mean rates.
    n_complex : int
        Complex spikes whose surround was recorded.
    observed, expected : float
        Complex spikes followed by a simple spike within the window.
    ratio : float
        Observed over expected.
    p : float
        The larger of both tests.
    q : float
        Adjusted for the number of pairs.
    pause_ms : float
        Until the rate of simple spikes is back to half, NaN where it never falls below or does
        not come back within 200 ms.
    """

    complex_unit: int
    simple_unit: int
    verdict: str = ""
    sentence: str = ""
    complex_hz: float = np.nan
    simple_hz: float = np.nan
    n_complex: int = 0
    observed: float = np.nan
    expected: float = np.nan
    ratio: float = np.nan
    p: float = np.nan
    q: float = np.nan
    pause_ms: float = np.nan

    @property
    def linked(self) -> bool:
        """Whether the two are one Purkinje cell."""
        return self.verdict == LINKED

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for what could not be computed."""
        return {
            k: None if isinstance(v, float) and not np.isfinite(v) else v
            for k, v in asdict(self).items()
        }


def measured(
    units: tuple[int, int],
    complex_s: npt.ArrayLike,
    simple_s: npt.ArrayLike,
    recorded_s: npt.ArrayLike,
    pause: Pause,
) -> PairTest:
    """Numbers of one pair, without a verdict.

    Parameters
    ----------
    units : tuple of int
        Complex-spike unit, simple-spike unit.
    complex_s, simple_s : array-like, shape (n,), seconds
        Any order; times that are there twice count once.
    recorded_s : array-like, shape (n_segments, 2), seconds
    pause : Pause
    """
    climbing, simple = (np.unique(np.asarray(x, np.float64)) for x in (complex_s, simple_s))
    segments = np.asarray(recorded_s, dtype=np.float64).reshape(-1, 2)
    total = float(np.diff(segments, axis=1).sum())
    base = PairTest(*units, complex_hz=climbing.size / total, simple_hz=simple.size / total)
    around, window, skip = (x / 1e3 for x in (pause.around_ms, pause.window_ms, pause.skip_ms))
    reach = 1.5 * around + window
    which = np.clip(np.searchsorted(segments[:, 0], climbing, side="right") - 1, 0, None)
    whole = (climbing - reach >= segments[which, 0]) & (climbing + reach <= segments[which, 1])
    trigger = climbing[whole]
    if not trigger.size or not simple.size:
        return replace(base, n_complex=int(trigger.size))
    length = window - skip
    after = _hits(simple, trigger + skip, length)
    just_before = _hits(simple, trigger - skip - length, length)
    step = length * np.arange(int((around - skip) / length))
    starts = np.concatenate([-skip - length - step, around / 2 + step])
    others = _hits(simple, trigger[:, None] + starts, length)
    expected = float(others.mean() * trigger.size)
    return replace(
        base,
        n_complex=int(trigger.size),
        observed=float(after.sum()),
        expected=expected,
        ratio=float(after.sum() / expected) if expected else np.nan,
        p=max(fewer_hits(after, others), less_after(just_before, after)),
        pause_ms=_pause_ms(trigger, simple, around),
    )


def judged(pairs: Sequence[PairTest], pause: Pause) -> tuple[PairTest, ...]:
    """Verdicts of all pairs of a session together."""
    testable = [_enough(each, pause) for each in pairs]
    adjusted = benjamini_hochberg(
        [each.p if ok else np.nan for each, ok in zip(pairs, testable, strict=True)]
    )
    return tuple(
        _judged(replace(each, q=float(q)), pause) for each, q in zip(pairs, adjusted, strict=True)
    )


def _enough(pair: PairTest, pause: Pause) -> bool:
    return bool(pair.n_complex >= pause.min_complex and pair.expected >= pause.min_expected)


def _judged(pair: PairTest, pause: Pause) -> PairTest:
    counts = (
        f"{pair.observed:.0f} of {pair.n_complex} spikes of unit {pair.complex_unit} are followed "
        f"by one of unit {pair.simple_unit} within {pause.window_ms:g} ms, where "
        f"{pair.expected:.0f} are expected"
    )
    if not _enough(pair, pause):
        if np.isnan(pair.expected):
            counts = f"{pair.n_complex} spikes of unit {pair.complex_unit} have a whole surround"
        return replace(pair, verdict=DOUBTFUL, sentence=f"{counts}: too few to tell.")
    sure = pair.p < pause.alpha and pair.q < pause.fdr
    if sure and pair.ratio <= pause.max_ratio:
        length = "" if np.isnan(pair.pause_ms) else f"; the pause lasts {pair.pause_ms:.0f} ms"
        return replace(
            pair,
            verdict=LINKED,
            sentence=f"{counts} (p = {pair.p:.2g}){length}{_unusual(pair)}. They are complex and "
            "simple spikes of one Purkinje cell: link, do not merge.",
        )
    if sure:
        sentence = f"{counts} (p = {pair.p:.2g}): fewer, but no pause as of one Purkinje cell."
        return replace(pair, verdict=DOUBTFUL, sentence=sentence)
    return replace(pair, verdict=NOT_LINKED, sentence=f"{counts}: no pause (p = {pair.p:.2g}).")


def _unusual(pair: PairTest) -> str:
    odd = []
    for what, rate, (low, high) in (
        ("complex", pair.complex_hz, COMPLEX_HZ),
        ("simple", pair.simple_hz, SIMPLE_HZ),
    ):
        if not low <= rate <= high:
            odd.append(f"{rate:.2g} Hz is unusual for {what} spikes ({low:g} to {high:g} Hz)")
    return "; " + "; ".join(odd) if odd else ""


def _hits(spikes_s: Values, start_s: Values, length_s: float) -> Flags:
    """Whether each window has a spike, shape of `start_s`."""
    first, last = (np.searchsorted(spikes_s, x) for x in (start_s, start_s + length_s))
    return np.asarray(last > first)


def _pause_ms(trigger_s: Values, simple_s: Values, around_s: float) -> float:
    """Time from the complex spike until the rate of simple spikes is back to half, ms."""
    edges = np.arange(0, round(_REACH_S / _BIN_S) + 1) * _BIN_S
    counts = np.diff(np.searchsorted(simple_s, trigger_s[:, None] + edges)).sum(axis=0)
    first, last = (np.searchsorted(simple_s, trigger_s - x) for x in (around_s, 2 * _BIN_S))
    usual = float((last - first).sum()) / ((around_s - 2 * _BIN_S) / _BIN_S)
    smooth = np.convolve(counts, np.ones(_SMOOTH) / _SMOOTH, mode="valid")
    low = smooth < _RECOVERED * usual
    if not low[:_SMOOTH].any():
        return float("nan")
    begin = int(np.argmax(low))
    back = np.flatnonzero(~low[begin:])
    return float(begin + back[0] + _SMOOTH // 2) if back.size else float("nan")
