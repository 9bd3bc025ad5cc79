"""Where an audit stands: what people answered, what that shows, whether labels are accepted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.labels import Edit, EditKind
from nissl.review.audit import Audit, placed
from nissl.review.desk import Desk
from nissl.review.groups import NAMED, SIZE, Groups, groups_of, off_in
from nissl.review.progress import answers
from nissl.review.room import Room
from nissl.trust.acceptance import Acceptance, judge
from nissl.trust.audit import Residual, residual


@dataclass(frozen=True, eq=False)
class Standing:
    """An audit sample, and where it stands.

    Parameters
    ----------
    audit : Audit
    left : Residual
        Error among the labels that would be accepted.
    verdict : Acceptance
        Whether they are.
    """

    audit: Audit
    left: Residual
    verdict: Acceptance


def standing(room: Room, task: str) -> Standing | None:
    """Where the audit of a task stands; None before a sample is drawn.

    It is worked out anew when somebody has answered to the sample, or undone something.
    """
    position, audit = placed(room, task)
    if audit is None:
        return None
    version = (position, audit.claims)
    watch = room.remembered(f"watch:{task}", version, lambda: Watch(room, audit))
    return room.remembered(
        f"standing:{task}", (*version, watch.count(room)), lambda: _stand(room, audit)
    )


def _stand(room: Room, audit: Audit) -> Standing:
    wrong = wrong_answers(room, audit)
    left = residual(wrong, audit.sample)
    known = np.isfinite(wrong)
    groups = _groups(room, [ref for ref, given in zip(audit.refs, known, strict=True) if given])
    off = off_in(wrong[known] > 0, groups, audit.budget)
    return Standing(audit, left, judge(audit.selection, left, budget=audit.budget, off_in=off))


def _groups(room: Room, refs: Sequence[tuple[str, int]]) -> Groups:
    """Groups of items of several desks, in their order."""
    told = {}
    for key in dict.fromkeys(key for key, _ in refs):
        own = groups_of(room.desk(key), [item for at, item in refs if at == key])
        told[key] = {name: iter(values) for name, values in own.items()}
    return {name: [next(told[key][name]) for key, _ in refs] for name in (*NAMED, SIZE)}


class Watch:
    """Counts the edits that may change what an audit sample says, as the journal grows.

    Parameters
    ----------
    room : Room
    audit : Audit
    """

    def __init__(self, room: Room, audit: Audit) -> None:
        self._wanted: dict[str, set[int]] = {}
        for key in dict.fromkeys(key for key, _ in audit.refs):
            items = {item for at, item in audit.refs if at == key}
            self._wanted |= _rows_about(room.desk(key), items)
        self._seen = dict.fromkeys(self._wanted, 0)
        self._n = 0
        self._lock = threading.Lock()

    def count(self, room: Room) -> int:
        """Edits about the sample so far, and undos, which name no item."""
        with self._lock:
            for base, wanted in self._wanted.items():
                edits = room.edits(base=base)
                self._n += sum(_is_about(edit, wanted) for edit in edits[self._seen[base] :])
                self._seen[base] = len(edits)
            return self._n


def _is_about(edit: Edit, wanted: set[int]) -> bool:
    return edit.kind is EditKind.UNDO or not wanted.isdisjoint(edit.items)


def wrong_answers(room: Room, audit: Audit) -> npt.NDArray[np.float64]:
    """1 where people contradict the proposal, 0 where they confirm it, NaN where none answered.

    "Unsure" counts as wrong. Of several readers the first who answered counts.
    """
    given: dict[tuple[str, int], str | None] = {}
    for key in dict.fromkeys(key for key, _ in audit.refs):
        desk = room.desk(key)
        wanted = {item for at, item in audit.refs if at == key}
        for item, by in answers(desk, _about(room, desk, wanted)).items():
            given[key, item] = next(iter(by.values()))
    return np.array(
        [
            float(given[ref] != label) if ref in given else np.nan
            for ref, label in zip(audit.refs, audit.labels, strict=True)
        ],
        dtype=np.float64,
    )


def _about(room: Room, desk: Desk, items: set[int]) -> dict[str, list[Edit]]:
    """Edits at a desk that are about some of its items, and undos, which name no item."""
    return {
        base: [edit for edit in room.edits(base=base) if _is_about(edit, wanted)]
        for base, wanted in _rows_about(desk, items).items()
    }


def _rows_about(desk: Desk, items: set[int]) -> dict[str, set[int]]:
    """For each base of a desk the items of that set which are about items of the desk."""
    found = {desk.key: items}
    if desk.classes is not None:
        rows = np.isin(desk.classes.column("target"), list(items))
        found[desk.classes.digest] = set(desk.classes.column("item")[rows].tolist())
    return found


def residual_error(room: Room, task: str) -> Residual | None:
    """Share of wrong labels among those accepted automatically; None before a sample is drawn."""
    found = standing(room, task)
    return None if found is None else found.left


def acceptance(room: Room, task: str) -> Acceptance | None:
    """Whether labels of a task are accepted without review now, and why."""
    found = standing(room, task)
    return None if found is None else found.verdict
