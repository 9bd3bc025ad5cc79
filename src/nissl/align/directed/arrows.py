"""The one result of directed dependence: arrows, each with a test and a verdict.

A significant arrow is not yet a direction. Instantaneous dependence has none; noise of different
strength, or one source seen by two sensors, makes both series predict each other; and where each
region answers with a delay of its own, as blood flow does, the series that leads may be the one
that is driven. So a direction is claimed only if it turns when time is turned, and if it
stays when the source is held back by as much as delays of measurement may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.trust.discoveries import benjamini_hochberg

if TYPE_CHECKING:
    import pandas as pd

Values = npt.NDArray[np.float64]
Verdict = Literal["arrow", "no evidence", "direction not identifiable"]
VERDICTS: tuple[Verdict, ...] = ("arrow", "no evidence", "direction not identifiable")


@dataclass(frozen=True)
class Modality:
    """What may feign a direction in recordings of a kind.

    Parameters
    ----------
    mixing : bool
        Whether one source may be seen by several channels, or noise may differ between them:
        a direction must then turn when time is turned.
    lag_s : float
        How much the delays between activity and measurement may differ between channels, s.
    """

    mixing: bool
    lag_s: float = 0.0


SPIKES = Modality(mixing=False)
FIELDS = Modality(mixing=True)
BOLD = Modality(mixing=True, lag_s=2.0)
"""Times to peak of haemodynamic responses differ between regions by a second and more
(Handwerker, Ollinger and D'Esposito 2004, NeuroImage 21:1639)."""


@dataclass(frozen=True)
class Arrow:
    """One ordered pair.

    Parameters
    ----------
    source, target : int
    estimate : float
    p : float
        That the source adds nothing; NaN where it was not tested.
    q : float
        Adjusted for all arrows that were tested.
    together_p : float
        That the two are independent once all pasts are known (instantaneous dependence).
    direction_p : float
        That the direction is feigned; NaN where that was not asked.
    delay : int
        Samples; 0 where it was not looked for.
    null_high : float
        What chance stays below in 95 %; NaN where the test has a closed form.
    verdict : str
        One of `VERDICTS`.
    why : str
        The verdict in a sentence.
    """

    source: int
    target: int
    estimate: float
    p: float
    q: float = float("nan")
    together_p: float = float("nan")
    direction_p: float = float("nan")
    delay: int = 0
    null_high: float = float("nan")
    verdict: Verdict = "no evidence"
    why: str = ""


@dataclass(frozen=True)
class Arrows:
    """All arrows of a set of series.

    Parameters
    ----------
    names : tuple of str
    arrows : tuple of Arrow
        Ordered pairs, in order of source, then target.
    method : str
    unit : str
        Of the estimates, such as "nats".
    alpha : float
        False discovery rate of the claims.
    """

    names: tuple[str, ...]
    arrows: tuple[Arrow, ...]
    method: str
    unit: str
    alpha: float

    def table(self) -> pd.DataFrame:
        """One row per ordered pair, with names of source and target."""
        import pandas as pd

        rows = [vars(arrow) for arrow in self.arrows]
        out = pd.DataFrame(rows, columns=list(Arrow.__dataclass_fields__))
        for end in ("source", "target"):
            out[end] = [self.names[at] for at in out[end]]
        return out

    def matrix(self, column: str = "estimate") -> Values:
        """A column as a matrix, shape (n_sources, n_targets); NaN on the diagonal."""
        out = np.full((len(self.names), len(self.names)), np.nan)
        for arrow in self.arrows:
            out[arrow.source, arrow.target] = getattr(arrow, column)
        return out

    def claimed(self) -> npt.NDArray[np.bool_]:
        """Which ordered pairs are arrows, shape (n_sources, n_targets)."""
        out = np.zeros((len(self.names), len(self.names)), dtype=np.bool_)
        for arrow in self.arrows:
            out[arrow.source, arrow.target] = arrow.verdict == "arrow"
        return out


def judge(
    tested: Sequence[Arrow],
    names: Sequence[str],
    *,
    method: str,
    unit: str = "nats",
    alpha: float = 0.05,
    direction: Callable[[int, int], float] | None = None,
) -> Arrows:
    """Give each arrow its verdict.

    Parameters
    ----------
    tested : sequence of Arrow
        At most one per ordered pair; pairs that are missing were not tested.
    names : sequence of str
    method, unit : str
    alpha : float
        False discovery rate, of arrows, of directions and of instantaneous dependence each.
    direction : callable, optional
        ``direction(source, target)`` gives the P value that the direction is feigned; it is
        asked for significant arrows only. Where None, nothing can feign it.

    Returns
    -------
    Arrows

    Notes
    -----
    "arrow": significant, and its direction survives. "direction not identifiable": the pair
    depends on each other, by either arrow or at once, and no arrow of it survives. "no
    evidence": the rest.
    """
    if not 0 < alpha < 1:
        raise BadArgumentError("alpha between 0 and 1", f"{alpha}", "0.05 is usual.")
    ends = [(a.source, a.target) for a in tested]
    if len(set(ends)) != len(ends) or any(s == t for s, t in ends):
        raise BadArgumentError(
            "one arrow per ordered pair of two series", "some twice", "Give each pair once."
        )
    arrows = sorted(tested, key=lambda a: (a.source, a.target))
    q = benjamini_hochberg([a.p for a in arrows])
    arrows = [replace(a, q=float(v)) for a, v in zip(arrows, q, strict=True)]
    significant = [a.q <= alpha for a in arrows]
    together = _together([a.together_p for a in arrows], alpha)
    doubts = np.zeros(len(arrows))
    if direction is not None:
        asked = [
            direction(a.source, a.target) if s else float("nan")
            for a, s in zip(arrows, significant, strict=True)
        ]
        arrows = [replace(a, direction_p=p) for a, p in zip(arrows, asked, strict=True)]
        doubts = benjamini_hochberg(asked)
    sure = {
        (a.source, a.target): s and bool(d <= alpha)
        for a, s, d in zip(arrows, significant, doubts, strict=True)
    }
    tied = {
        (a.source, a.target): s or t for a, s, t in zip(arrows, significant, together, strict=True)
    }
    out = [_verdict(a, sure, tied, s) for a, s in zip(arrows, significant, strict=True)]
    return Arrows(tuple(names), tuple(out), method, unit, alpha)


def _together(p: Sequence[float], alpha: float) -> list[bool]:
    return [bool(v <= alpha) for v in benjamini_hochberg(p)]


def _verdict(
    arrow: Arrow,
    sure: dict[tuple[int, int], bool],
    tied: dict[tuple[int, int], bool],
    significant: bool,
) -> Arrow:
    ends, back = (arrow.source, arrow.target), (arrow.target, arrow.source)
    if sure[ends]:
        return replace(arrow, verdict="arrow", why="significant, and its direction survives")
    if significant:
        why = "significant, but what cannot be a direction explains it as well"
        return replace(arrow, verdict="direction not identifiable", why=why)
    if sure.get(back, False) or not (tied[ends] or tied.get(back, False)):
        return replace(arrow, verdict="no evidence", why="no more than chance")
    why = "the two depend on each other, and no direction survives"
    return replace(arrow, verdict="direction not identifiable", why=why)
