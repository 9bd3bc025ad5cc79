"""An item of a checklist: one test of a claim, with what it says and on how much it rests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nissl.align.fragments import Floats
from nissl.trust.discoveries import benjamini_hochberg
from nissl.trust.intervals import binomial_interval

ALPHA = 0.05
HALF = 0.5
"""A claim generalises if it holds in more than this share of the units there are."""
Verdict = Literal["supported", "not supported", "not testable"]
VERDICTS: tuple[Verdict, ...] = ("supported", "not supported", "not testable")


@dataclass(frozen=True, eq=False)
class Item:
    """One test.

    Parameters
    ----------
    name, asks : str
        A short name, and the question.
    verdict : str
        One of `VERDICTS`.
    says : str
        The verdict in a sentence.
    needs : str
        What would be needed to test it, or to test it better; empty where nothing.
    statistic : str
        What `value` is.
    value, low, high : float
        NaN where there is none.
    null : float
        What chance gives on average.
    p, q : float
        `q` is adjusted for all tests of the claim.
    n : int
        Independent units.
    unit : str
        What generalises: days, individuals, conditions, sources, windows.
    scope : str
        What the verdict is about: "these sources", or "days" that were not recorded, and so on.
    facts : mapping
        Plain values behind it, of which its figure is drawn.
    """

    name: str
    asks: str
    verdict: Verdict
    says: str
    needs: str = ""
    statistic: str = ""
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    null: float = float("nan")
    p: float = float("nan")
    q: float = float("nan")
    n: int = 0
    unit: str = ""
    scope: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> str:
        """Number of independent units in words; empty where there are none."""
        if not self.n:
            return ""
        return f"{self.n} {self.unit if self.n != 1 else self.unit.removesuffix('s')}"


@dataclass(frozen=True)
class Share:
    """In how many units something holds.

    Parameters
    ----------
    holds, n : int
    low, high : float
        90 % interval of the share, exact binomial.
    p : float
        That it holds in half of the units there are, or in fewer.
    """

    holds: int
    n: int
    low: float
    high: float
    p: float


def majority(p: npt.ArrayLike, alpha: float = ALPHA) -> Share:
    """Does it hold in most units? A binomial test of how many single tests succeed.

    A unit in which it does not hold is significant in `alpha` of cases, one in which it holds in
    all at most; so under the null half of all units, and `alpha` of the rest, are.

    Parameters
    ----------
    p : array-like, shape (n_units,)
        Of each unit's own test.

    References
    ----------
    Allefeld, Goergen and Haynes 2016, NeuroImage 141:378-392, of the prevalence of an effect.
    """
    from scipy.stats import binom

    values = np.asarray(p, dtype=np.float64)
    n, holds = values.size, int((values <= alpha).sum())
    if not n:
        return Share(0, 0, 0.0, 1.0, 1.0)
    between = binomial_interval(holds, n, level=0.9)
    chance = HALF + (1 - HALF) * alpha
    p_value = float(binom.sf(holds - 1, n, chance))
    return Share(holds, n, float(between.low), float(between.high), p_value)


def fewest(alpha: float = ALPHA) -> int:
    """Units without which `majority` cannot be significant, even if it holds in all."""
    return int(np.ceil(np.log(alpha) / np.log(HALF + (1 - HALF) * alpha)))


def flipped(values: npt.ArrayLike, rng: np.random.Generator) -> float:
    """P value that the mean over units is not above 0: signs of units are exchanged.

    Parameters
    ----------
    values : array-like, shape (n_units,)
    rng : numpy.random.Generator
        Used above 12 units only; below, all signs are tried.
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    if n <= 12:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((signs @ x >= x.sum() - 1e-12).mean())
    signs = rng.choice([-1.0, 1.0], size=(9999, n))
    return exceeds(float(x.sum()), signs @ x)


def exceeds(value: float, null: Floats) -> float:
    """P value of a permutation test, the value itself counted (Phipson and Smyth 2010)."""
    return (1 + int((null >= value - 1e-12).sum())) / (1 + len(null))


def untestable(name: str, asks: str, says: str, needs: str, **more: Any) -> Item:
    """An item that these data cannot answer.

    Parameters
    ----------
    name, asks, says : str
        Of the item, its question, and why it has no answer.
    needs : str
        What would help.
    **more
        Other fields of `Item`.
    """
    return Item(name, asks, "not testable", says, needs, **more)


def corrected(items: Sequence[Item], alpha: float = ALPHA) -> tuple[Item, ...]:
    """Adjust P values for all tests of a claim, and take back what does not survive.

    Items that are not testable have none to adjust. Verdicts only become weaker.
    """
    tested = [i.p if i.verdict != "not testable" else float("nan") for i in items]
    q = benjamini_hochberg(tested)
    out = []
    for item, adjusted in zip(items, q.tolist(), strict=True):
        after = replace(item, q=adjusted)
        if item.verdict == "supported" and adjusted > alpha:
            says = f"{item.says} Among all tests of this claim that is not significant."
            after = replace(after, verdict="not supported", says=says)
        out.append(after)
    return tuple(out)
