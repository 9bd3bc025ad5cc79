"""Automatic acceptance: on only while an audit of these very items keeps the budget.

Two steps. A threshold comes from labelled subjects (`nissl.trust.selection`); it says what could
be accepted if the new group were like them. It may not be: another animal has other classes and
other scores. So an audit sample of what would be accepted in the new group is answered by people,
and acceptance is on only if its bound lies within the budget (`nissl.trust.audit`). The audit
needs no assumption about the animal; the threshold only decides how often it is passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.trust.checked import Names, Truths, plain
from nissl.trust.residual import BudgetState, Residual
from nissl.trust.selection import Selection


@dataclass(frozen=True)
class Acceptance:
    """Whether labels of a group are accepted without review, and why.

    Parameters
    ----------
    on : bool
    budget : float
    threshold : float
        Least confidence; infinite where no threshold keeps the budget.
    reason : str
        A sentence for people.
    needed : int
        Further audit items, all of them right, that would switch it on; 0 where that is not what
        is missing.
    off_in : mapping of str to str
        Named groups ("region: CA1") in which it is off all the same, and why.
    """

    on: bool
    budget: float
    threshold: float
    reason: str
    needed: int
    off_in: Mapping[str, str]

    def accepts(
        self, confidence: npt.ArrayLike, names: Mapping[str, Names] | None = None
    ) -> Truths:
        """Which items are accepted without review.

        Parameters
        ----------
        confidence : array-like, shape (n_items,)
            NaN is never accepted.
        names : mapping of str to sequence of length n_items, optional
            Attributes of the items ("region", "probe"), needed where `off_in` names groups.

        Returns
        -------
        ndarray, shape (n_items,), bool

        Raises
        ------
        BadArgumentError
            An attribute that `off_in` speaks of is missing or does not fit.
        """
        p = np.asarray(confidence, dtype=np.float64)
        mask = np.asarray((p >= self.threshold) & self.on)
        for group in self.off_in:
            attribute, _, name = group.partition(": ")
            values = None if names is None else names.get(attribute)
            if values is None or len(values) != p.size:
                raise BadArgumentError(
                    f"the {attribute} of each of {p.size} items, as acceptance is off in {group}",
                    "none" if values is None else str(len(values)),
                    "Give the attribute of each item.",
                )
            mask &= np.array([str(value) != name for value in values], dtype=np.bool_)
        return mask

    def to_json(self) -> dict[str, Any]:
        """Plain values; an infinite threshold is None."""
        return {
            "on": self.on,
            "budget": self.budget,
            "threshold": plain(self.threshold),
            "reason": self.reason,
            "needed": self.needed,
            "off_in": dict(self.off_in),
        }


def judge(
    selection: Selection,
    residual: Residual | None,
    *,
    budget: float | None = None,
    novel: str | None = None,
    off_in: Mapping[str, str] | None = None,
) -> Acceptance:
    """Decide on automatic acceptance in a new group.

    Parameters
    ----------
    selection : Selection
        Threshold from labelled subjects.
    residual : Residual or None
        Of the audit sample drawn from what the threshold accepts in the new group, at the level
        of the selection; None before it is drawn.
    budget : float, optional
        That of the selection by default. A selection for half the budget is the better one: at
        the very budget the audit can hardly be passed.
    novel : str, optional
        Why the group lies outside what the model has seen (`nissl.trust.novelty`).
    off_in : mapping of str to str, optional
        Named groups that fail the budget (`bias.failing`).

    Returns
    -------
    Acceptance
    """
    kept = selection.budget if budget is None else budget

    def verdict(on: bool, reason: str, needed: int = 0) -> Acceptance:
        return Acceptance(on, kept, selection.threshold, reason, needed, dict(off_in or {}))

    if not selection.n_accepted:
        return verdict(False, selection.statement())
    if novel:
        return verdict(False, f"Automatic acceptance is off: {novel}")
    if residual is None:
        return verdict(False, "Automatic acceptance is off until the audit sample is answered.")
    answer = residual.allows(kept)
    if answer.state is BudgetState.MET:
        return verdict(True, residual.statement())
    return verdict(False, f"Automatic acceptance is off. {answer.sentence}", answer.needed)
