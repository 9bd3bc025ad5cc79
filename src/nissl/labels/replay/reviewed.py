"""What replaying edits gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import numpy.typing as npt

from nissl.labels.edits import Edit
from nissl.labels.labelset import LabelSet
from nissl.labels.tables import ItemTable

STATES = ("untouched", "accepted", "changed", "added", "unsure", "removed")
"""What may have become of an item."""


@dataclass(frozen=True)
class Question:
    """Something that a person said and that cannot stand as it is; someone has to look.

    Parameters
    ----------
    reason : str
        Why, in plain words.
    items : tuple of int
        The items it is about, as the edit named them.
    edit : Edit, optional
        The edit that was not applied; None where the question has another cause.
    """

    reason: str
    items: tuple[int, ...] = ()
    edit: Edit | None = None


@dataclass(frozen=True)
class Remark:
    """A note or a flag.

    Parameters
    ----------
    item : int or None
        Item of the reviewed set, None when about the set as a whole. The remark follows its
        item through merges and splits; after a removal it keeps the removed item's id.
    text, reviewer : str
    edit : UUID
    """

    item: int | None
    text: str
    reviewer: str
    edit: UUID


@dataclass(frozen=True)
class Link:
    """A person's claim that an item of the reviewed set is an item of another set.

    Parameters
    ----------
    item : int
    digest : str
        Digest of the other set.
    to : int
        Its item.
    reviewer : str
    edit : UUID
    """

    item: int
    digest: str
    to: int
    reviewer: str
    edit: UUID


@dataclass(frozen=True, eq=False)
class Reviewed:
    """A base set as people left it.

    Parameters
    ----------
    base : LabelSet
        What the edits were made on; unchanged.
    labels : LabelSet
        The reviewed set, made from the base by persons; the base itself where there are no
        edits. Confidence and probabilities are still the base's, except that rows of an
        item that came to have several carry no probabilities.
    state : mapping of int to str
        One of `STATES` for every item of `labels` and for every removed item of the base.
    reviewer : mapping of int to tuple of str
        Who decided on the item; absent where it is untouched.
    old_to_new : mapping of int to tuple of int, or None
        Where the rows of each item of the base are now: itself, the item it was merged
        into, the several it was split into; None where it was removed.
    questions : tuple of Question
    notes, flags : tuple of Remark
    links : tuple of Link
    items : ItemTable, optional
        The facts of those items of the given table whose rows are the same as before; the
        others have to be described anew.
    points : ndarray, shape (n_rows,), int8, optional
        Of POINTS: what was said of each row of `labels`, as index into `STATES`; None where
        nothing was. A row that was decided may be of an item that is untouched as a whole.
    """

    base: LabelSet
    labels: LabelSet
    state: Mapping[int, str]
    reviewer: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    old_to_new: Mapping[int, tuple[int, ...] | None] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    notes: tuple[Remark, ...] = ()
    flags: tuple[Remark, ...] = ()
    links: tuple[Link, ...] = ()
    items: ItemTable | None = None
    points: npt.NDArray[np.int8] | None = None

    @property
    def decided(self) -> tuple[int, ...]:
        """Items that are no longer untouched, removed ones included, increasing."""
        return tuple(sorted(i for i, state in self.state.items() if state != "untouched"))

    def __repr__(self) -> str:
        counts = {s: sum(v == s for v in self.state.values()) for s in STATES}
        told = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
        return f"Reviewed({told or 'no items'}; {len(self.questions)} questions)"


def decided_rows(reviewed: Reviewed) -> npt.NDArray[np.bool_]:
    """Which points a person placed, moved or found right, in frames they may be learnt from.

    Parameters
    ----------
    reviewed : Reviewed
        Of POINTS.

    Returns
    -------
    ndarray, shape (n_rows,), bool
        Over the rows of `reviewed.labels`. A point that a person hid counts: that the neuron
        is not to be seen there was decided (its `visible` is false).
    """
    if reviewed.points is None:
        return np.zeros(reviewed.labels.n_rows, bool)
    return np.isin(reviewed.points, [STATES.index(s) for s in ("accepted", "changed", "added")])
