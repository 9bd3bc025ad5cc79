"""Who has decided on what: from edits alone, except where single points of tracks are decided.

A track is decided when somebody decided on it as a whole, or on every one of its points; what was
done to one of them says nothing of the others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from nissl.labels import Edit, EditKind, Kind
from nissl.labels.replay import journal
from nissl.labels.replay.pointwise import UNTOUCHED, of_a_point
from nissl.review.desk import Desk
from nissl.review.reading import Reading
from nissl.review.room import Room

CLASS_DECISIONS = frozenset(
    {
        EditKind.ACCEPT,
        EditKind.REJECT,
        EditKind.REMOVE,
        EditKind.RELABEL,
        EditKind.UNSURE,
        EditKind.ADJUDICATE,
        EditKind.ADD,
    }
)
PLACE_DECISIONS = CLASS_DECISIONS | {EditKind.MOVE, EditKind.RESHAPE, EditKind.LINK}
_GONE = frozenset({EditKind.REJECT, EditKind.REMOVE})


def everybody(room: Room, desk: Desk) -> dict[int, set[str]]:
    """Readers who decided on each item of a desk, points of tracks and all.

    Parameters
    ----------
    room : Room
    desk : Desk

    Returns
    -------
    dict of int to set of str
        Items that nobody decided on are not there.
    """
    edits = {base: room.edits(base=base) for base in desk.bases}
    if not any(edits.values()):
        return {}
    found = decided(desk, edits)
    if desk.kind is Kind.POINTS:
        for name in dict.fromkeys(edit.reviewer for edit in edits[desk.key]):
            with room.reading(desk.key, name) as reading:
                for item in complete(reading):
                    found.setdefault(item, set()).add(name)
    return found


def complete(reading: Reading) -> tuple[int, ...]:
    """Tracks of which the reader decided on every point; call it while the reading is locked."""
    version = len(reading.base.edits)
    known = _COMPLETE.get(reading)
    if known is None or known[0] != version:
        known = _COMPLETE[reading] = (version, _complete(reading))
    return known[1]


def _complete(reading: Reading) -> tuple[int, ...]:
    draft = reading.base.draft
    said = np.flatnonzero((draft.claims.said != UNTOUCHED) & draft.alive[: draft.claims.said.size])
    said = said[draft.said(said) != UNTOUCHED]
    if not said.size:
        return ()
    items, told = np.unique(draft.item[said], return_counts=True)
    own = draft.item[draft.alive]
    points = np.bincount(np.searchsorted(items, own[np.isin(own, items)]), minlength=items.size)
    return tuple(items[told == points].tolist())


_COMPLETE: WeakKeyDictionary[Reading, tuple[int, tuple[int, ...]]] = WeakKeyDictionary()


def standing(edits: Iterable[Edit]) -> dict[str, list[Edit]]:
    """Edits that are not undone, by reader, in the order of the journal."""
    return {name: journal.active(own)[0] for name, own in journal.by_reviewer(edits).items()}


def decided(desk: Desk, edits: dict[str, list[Edit]]) -> dict[int, set[str]]:
    """Readers who decided on each item of a desk; items nobody decided on are not there.

    Of a unit its class is what is decided; a unit that was removed or merged into another is
    decided too. Items that a reader's splits or additions made are found in the `Reading`, tracks
    decided point by point by `everybody`.

    Parameters
    ----------
    desk : Desk
    edits : dict of str to list of Edit
        All edits on each base of the desk.
    """
    with _LOCK:
        tally = _TALLIES.get(desk)
        if tally is None or not tally.extend(edits):
            tally = _TALLIES[desk] = Tally(desk)
            tally.extend(edits)
        return tally.decided()


class Tally:
    """Who decided on what at a desk, kept as the journal grows.

    A decision costs the same however long the journal is; an undo goes through its reader's own
    decisions on one set once.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        # not the desk itself, which is what this is remembered under
        self._bases, self._kind = desk.bases, desk.kind
        self._has_classes = desk.classes_row is not None
        self._target = desk.targets
        self._seen: dict[str, list[Edit]] = {base: [] for base in desk.bases}
        self._own: dict[tuple[str, str], list[Edit]] = {}
        self._items: dict[tuple[str, str], set[int]] = {}

    def extend(self, edits: Mapping[str, Sequence[Edit]]) -> bool:
        """Take in all edits on each base; False, and nothing done, where they do not go on."""
        for base in self._bases:
            seen, now = self._seen[base], edits.get(base, ())
            if len(now) < len(seen) or (seen and now[len(seen) - 1] is not seen[-1]):
                return False
        undone: set[tuple[str, str]] = set()
        for base in self._bases:
            for edit in edits.get(base, ())[len(self._seen[base]) :]:
                key = (base, edit.reviewer)
                self._seen[base].append(edit)
                self._own.setdefault(key, []).append(edit)
                if edit.kind is EditKind.UNDO:
                    undone.add(key)
                else:
                    self._items.setdefault(key, set()).update(self._of(edit))
        for key in undone:
            standing_now = journal.active(self._own[key])[0]
            self._items[key] = {item for edit in standing_now for item in self._of(edit)}
        return True

    def decided(self) -> dict[int, set[str]]:
        """Readers who decided on each item."""
        found: dict[int, set[str]] = {}
        for (_, name), items in self._items.items():
            for item in items:
                found.setdefault(item, set()).add(name)
        return found

    def _of(self, edit: Edit) -> Iterable[int]:
        if edit.base == self._bases[0]:
            return _by_base(edit, self._kind, has_classes=self._has_classes)
        return _by_class(edit, self._target)


_TALLIES: WeakKeyDictionary[Desk, Tally] = WeakKeyDictionary()
_LOCK = threading.Lock()


def answers(desk: Desk, edits: dict[str, list[Edit]]) -> dict[int, dict[str, str | None]]:
    """The class that each reader gave an item, as it stands; None where unsure or rejected.

    Parameters
    ----------
    desk : Desk
    edits : dict of str to list of Edit
        All edits on each base of the desk.
    """
    base = desk.classes if desk.classes is not None else desk.labels
    claimed = dict(zip(base.column("item").tolist(), base.column("label").tolist(), strict=True))
    target = desk.targets
    found: dict[int, dict[str, str | None]] = {}
    for name, own in standing(edits.get(base.digest, ())).items():
        for edit in own:
            if of_a_point(edit, base.kind):
                continue
            for item, label in _labels_of(edit, claimed, base.vocabulary.names):
                found.setdefault(target.get(item, item), {})[name] = label
    if desk.classes is not None:
        for name, own in standing(edits.get(desk.key, ())).items():
            for edit in own:
                for item in edit.items if edit.kind in _GONE else ():
                    found.setdefault(item, {})[name] = None
    return found


def structured(desk: Desk, edits: dict[str, list[Edit]], reader: str) -> bool:
    """Whether a reader's standing edits made new items at a desk."""
    makes = (EditKind.SPLIT, EditKind.ADD)
    return any(edit.kind in makes for edit in edits.get(desk.key, ()) if edit.reviewer == reader)


def _by_base(edit: Edit, kind: Kind, *, has_classes: bool) -> tuple[int, ...]:
    if of_a_point(edit, kind):
        return ()
    if edit.kind is EditKind.MERGE:
        gone = tuple(sorted(set(edit.items)))[1:]
        return gone if has_classes else edit.items
    if edit.kind in _GONE:
        return edit.items
    if not has_classes and edit.kind in PLACE_DECISIONS:
        return edit.items
    return ()


def _by_class(edit: Edit, target: dict[int, int]) -> list[int]:
    if edit.kind is EditKind.ADD:
        rows = edit.payload.get("rows") or ()
        return [int(row["target"]) for row in rows if isinstance(row, dict) and "target" in row]
    if edit.kind in CLASS_DECISIONS:
        return [target[item] for item in edit.items if item in target]
    return []


def _labels_of(
    edit: Edit, claimed: dict[int, int], names: tuple[str, ...]
) -> list[tuple[int, str | None]]:
    if edit.kind in (EditKind.RELABEL, EditKind.ADJUDICATE):
        return [(item, str(edit.payload.get("label"))) for item in edit.items]
    if edit.kind in (EditKind.ACCEPT, EditKind.MOVE, EditKind.RESHAPE):
        return [(item, names[claimed[item]]) for item in edit.items if item in claimed]
    if edit.kind is EditKind.UNSURE or edit.kind in _GONE:
        return [(item, None) for item in edit.items]
    if edit.kind is EditKind.ADD:
        rows = [row for row in edit.payload.get("rows") or () if isinstance(row, dict)]
        return [(int(r["target"]), str(r.get("label"))) for r in rows if "target" in r]
    return []
