"""Named groups that the labels of a project fall into: by animal, place, device and size.

A budget that holds over all labels may fail in one region or for small spikes. So automatic
acceptance is off in a group whose own audited labels are wrong more often than the budget allows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.review.desk import Desk
from nissl.store import SourceRow
from nissl.trust.bands import UNKNOWN, split
from nissl.trust.bias import FEWEST

NAMED = ("species", "lab", "region", "probe", "rig")
"""Facts of subjects and sessions by which labels are told apart."""
SIZE = "amplitude"
SIZE_EDGES_UV = (50.0, 100.0)
"""Bands of the size of a unit's spike, uV."""

Groups = dict[str, list[str]]
"""For each attribute the group of each item."""


def facts_of(source: SourceRow) -> dict[str, str]:
    """Group of a source by each of `NAMED`; "unknown" where nothing is known."""
    facts = {**source.session, **{k: v for k, v in source.subject.items() if k != "id"}}
    return {name: str(facts.get(name) or UNKNOWN) for name in NAMED}


def groups_of(desk: Desk, items: npt.ArrayLike) -> Groups:
    """Groups of some items of a desk.

    Parameters
    ----------
    desk : Desk
    items : array-like of int, shape (n,)

    Returns
    -------
    dict of str to list of str, length n
        One entry for every attribute, "unknown" where nothing is known.
    """
    wanted = np.asarray(items, np.int64)
    found = {name: [group] * wanted.size for name, group in facts_of(desk.source).items()}
    return found | {SIZE: _sizes(desk, wanted)}


def off_in(wrong: npt.NDArray[np.bool_], groups: Groups, budget: float) -> dict[str, str]:
    """Groups in which automatic acceptance is off, and why.

    Parameters
    ----------
    wrong : ndarray, shape (n,), bool
        Of audited labels.
    groups : dict
        Of the same labels. An attribute that tells none of them apart is left out: of all labels
        the audit's own bound speaks.
    budget : float

    Returns
    -------
    dict of str to str
        As `nissl.trust.acceptance.judge` takes it. A group with fewer than 20 audited labels is
        unscored: the bound over all labels is what speaks for it.
    """
    found = {}
    for attribute, values in groups.items():
        if len(set(values)) < 2:
            continue
        for name, mask in split(values, wrong.size).items():
            n, share = int(mask.sum()), float(wrong[mask].mean())
            if n >= FEWEST and share > budget:
                found[f"{attribute}: {name}"] = (
                    f"{share:.1%} wrong among {n} audited, the budget is {budget:.1%}"
                )
    return found


def _sizes(desk: Desk, items: npt.NDArray[np.int64]) -> list[str]:
    table = desk.items
    column = "amplitude_median_uv"
    if table is None or column not in table.table.column_names:
        return [UNKNOWN] * items.size
    known = dict(zip(table.items.tolist(), table.table.column(column).to_pylist(), strict=True))
    size = np.array([abs(known.get(i) or np.nan) for i in items.tolist()], np.float64)
    names = np.full(items.size, UNKNOWN, dtype=object)
    for name, mask in split(size.tolist(), items.size, edges=SIZE_EDGES_UV).items():
        names[mask] = name if name == UNKNOWN else f"{name} uV"
    return [str(name) for name in names]
