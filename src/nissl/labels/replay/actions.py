"""What each kind of edit does to the working copy.

Every action checks all it needs before it changes anything: a `BadEditError` leaves the
draft as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nissl.errors import BadEditError, BadLabelsError
from nissl.labels.edits import Edit, EditKind
from nissl.labels.kinds import Kind
from nissl.labels.replay import pointwise
from nissl.labels.replay.draft import Draft, Facts, Rows
from nissl.labels.replay.journal import TRACKS
from nissl.labels.replay.reviewed import Link, Remark
from nissl.labels.rows import ORDER

_PLACES: dict[Kind, tuple[str, ...]] = {
    Kind.EVENTS: ("sample", "channel"),
    Kind.SPANS: ("start", "stop", "channel"),
    Kind.POINTS: ("x", "y", "z", "visible"),
}


def apply(draft: Draft, edit: Edit) -> None:
    """Play one edit; `BadEditError` when it cannot be."""
    _ACTIONS[edit.kind](draft, edit)


def _fault(expected: str, got: object, remedy: str = "Decide again.") -> BadEditError:
    return BadEditError(expected, f"{got!r:.200}", remedy)


def _items(draft: Draft, edit: Edit, least: int = 1) -> list[int]:
    """The distinct items of an edit, each with rows."""
    items = list(dict.fromkeys(edit.items))
    if len(items) < least:
        raise _fault(f"at least {least} items for {edit.kind.value!r}", edit.items)
    for item in items:
        draft.rows_of(item)
    return items


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) > 3e38


def one_row(draft: Draft, edit: Edit) -> tuple[int, int]:
    """The item and the row of an edit: the only one, or the payload's `row`; `BadEditError`."""
    items = _items(draft, edit)
    rows = draft.rows_of(items[0])
    if _is_int(edit.payload.get("row")):
        rows = rows[_ids(draft, rows) == edit.payload["row"]]
    if len(items) != 1 or rows.size != 1:
        raise _fault(f"one row to {edit.kind.value}; name it by 'row'", edit.payload)
    return items[0], int(rows[0])


def _ids(draft: Draft, rows: Rows) -> np.ndarray[Any, Any]:
    return draft.values("id", rows)


def _accept(draft: Draft, edit: Edit) -> None:
    if edit.of_rows:
        _say(draft, named_rows(draft, edit), pointwise.ACCEPTED)
        return
    for item in _items(draft, edit):
        draft.fact(item, edit).decision = "accepted"
        _say(draft, draft.rows_of(item), pointwise.ACCEPTED)


def _unsure(draft: Draft, edit: Edit) -> None:
    if edit.of_rows:
        _say(draft, named_rows(draft, edit), pointwise.UNSURE)
        return
    for item in _items(draft, edit):
        draft.fact(item, edit).decision = "unsure"
        draft.claims.doubt(draft.rows_of(item))


def _say(draft: Draft, rows: Rows, code: int) -> None:
    draft.claims.say(rows, draft.item[rows], code)


def named_rows(draft: Draft, edit: Edit) -> Rows:
    """The points of an edit's tracks that it names, by frame or by row id; or `BadEditError`."""
    if draft.labels.kind is not Kind.POINTS:
        raise _fault("whole items, as these are no points of tracks", edit.payload)
    items = _items(draft, edit)
    frames, ids = edit.payload.get("frames"), edit.payload.get("rows")
    named = frames if ids is None else ids
    if (
        (frames is not None and ids is not None)
        or not isinstance(named, Sequence)
        or not named
        or not all(_is_int(value) for value in named)
    ):
        raise _fault("either {'frames': [...]} or {'rows': [row ids]}", edit.payload)
    if ids is None:
        rows = draft.rows_at(named, items)
        if not rows.size:
            raise _fault("frames in which one of the items has a point", edit.payload)
        return rows
    own: Rows = np.concatenate([draft.rows_of(item) for item in items])
    return own[np.flatnonzero(_part(_ids(draft, own), named))]


def _remove(draft: Draft, edit: Edit) -> None:
    for item in _items(draft, edit):
        draft.alive[draft.rows_of(item)] = False
        draft.rows[item] = np.empty(0, np.intp)
        draft.gone[item] = f"was removed by {edit.reviewer}"
        draft.fact(item, edit).decision = "removed"


def _relabel(draft: Draft, edit: Edit) -> None:
    try:
        code = draft.labels.vocabulary.code(str(edit.payload.get("label")))
    except BadLabelsError as error:
        raise BadEditError(error.expected, error.got, error.remedy) from None
    for item in _items(draft, edit):
        rows = draft.rows_of(item)
        facts = draft.fact(item, edit)
        facts.changed |= bool(np.any(draft.label[rows] != code))
        facts.decision = "accepted"
        draft.label[rows] = code


def _move(draft: Draft, edit: Edit) -> None:
    if edit.by_method:
        _carry(draft, edit)
        return
    kind = draft.labels.kind
    item, row = one_row(draft, edit)
    changes = {k: v for k, v in edit.payload.items() if k != "row"}
    allowed = _PLACES.get(kind, ())
    if not changes or not set(changes) <= set(allowed):
        raise _fault(f"places {allowed} of {kind.value}", edit.payload)
    for name, value in changes.items():
        _check_place(name, value, edit)
    rows = np.asarray([row], np.intp)
    if kind is Kind.SPANS:
        start, stop = (changes.get(k, int(draft.values(k, rows)[0])) for k in ("start", "stop"))
        if stop <= start:
            raise _fault("a span with stop > start", [start, stop])
    if kind is Kind.EVENTS and changes.get("sample", 0) < 0:
        raise _fault("a sample of 0 or above", changes["sample"])
    if kind is Kind.POINTS and changes.get("visible", bool(draft.values("visible", rows)[0])):
        for name in ("x", "y"):
            if not math.isfinite(changes.get(name, draft.values(name, rows)[0])):
                raise _fault(f"a visible point with {name}", edit.payload)
    draft.move(row, changes)
    _changed(draft, edit, item)
    _say(draft, rows, pointwise.CHANGED)


def _carry(draft: Draft, edit: Edit) -> None:
    """Put points where a method says; those that a person decided stay, and nothing is decided."""
    rows = carried_rows(draft, edit)
    places = [edit.payload.get(name) for name in ("x", "y", "z")]
    for values in places:
        fits = isinstance(values, Sequence) and len(values) == rows.size
        if not fits or not all(_is_number(v) and math.isfinite(v) for v in values):  # type: ignore[union-attr]
            raise _fault("one x, y and z for each of its rows", edit.payload)
    draft.fact(edit.items[0], edit)
    open_ = draft.said(rows) == pointwise.UNTOUCHED
    xyz = np.asarray(places, np.float64).T[open_].tolist()
    for row, place in zip(rows[open_].tolist(), xyz, strict=True):
        # whoever knew how sure the old place was knows nothing of this one
        draft.move(row, {**dict(zip("xyz", place, strict=True)), "confidence": math.nan})


def carried_rows(draft: Draft, edit: Edit) -> Rows:
    """The points that a method's edit moves, in its order; or `BadEditError`."""
    if draft.labels.kind is not Kind.POINTS or len(edit.items) != 1:
        raise _fault("points of one track", edit.items)
    own = draft.rows_of(edit.items[0])
    named, ids = edit.payload.get("rows"), _ids(draft, own)
    found = own[np.flatnonzero(_part(ids, named))]
    order = {row: at for at, row in enumerate(named)}  # type: ignore[arg-type]
    place = [order[row] for row in _ids(draft, found).tolist()]
    return found[np.argsort(place, kind="stable")]


def _check_place(name: str, value: object, edit: Edit) -> None:
    if name == "visible":
        fits = isinstance(value, bool)
    elif name in ("x", "y", "z"):
        fits = _is_number(value)
    else:
        fits = _is_int(value) and (name != "channel" or -(2**31) <= value < 2**31)  # type: ignore[operator]
    if not fits:
        raise _fault(f"a number that fits {name!r}", edit.payload)


def _reshape(draft: Draft, edit: Edit) -> None:
    if draft.labels.kind is not Kind.REGIONS:
        raise _fault("regions to reshape", draft.labels.kind.value)
    item, row = one_row(draft, edit)
    pixels, weights = edit.payload.get("pixels"), edit.payload.get("weights")
    if (
        not isinstance(pixels, Sequence)
        or not pixels
        or not all(_is_int(p) and p >= 0 for p in pixels)
        or len(set(pixels)) != len(pixels)
    ):
        raise _fault("pixels that are unique, not negative and not none", edit.payload)
    if weights is not None and (
        not isinstance(weights, Sequence)
        or len(weights) != len(pixels)
        or not all(_is_number(w) for w in weights)
    ):
        raise _fault("one weight per pixel, or none", edit.payload)
    draft.move(row, {"pixels": list(pixels), "weights": None if weights is None else list(weights)})
    _changed(draft, edit, item)


def _changed(draft: Draft, edit: Edit, item: int) -> None:
    facts = draft.fact(item, edit)
    facts.changed, facts.decision = True, "accepted"


def _add(draft: Draft, edit: Edit) -> None:
    reserved = draft.reserved[edit.uuid]
    rows = np.asarray([draft.position[row] for row in reserved.rows], np.intp)
    if draft.labels.kind in TRACKS and edit.items:
        if len(edit.items) != 1:
            raise _fault("one item to add rows to, or none for a new one", edit.items)
        item = edit.items[0]
        before = draft.rows_of(item)
        if not any("label" in row for row in edit.payload["rows"]):
            draft.label[rows] = draft.label[before[0]]
        draft.set_rows(item, np.concatenate([before, rows]))
        _changed(draft, edit, item)
    elif draft.labels.kind in TRACKS:
        draft.set_rows(reserved.items[0], rows)
        draft.facts[reserved.items[0]] = Facts(added=True, reviewer=edit.reviewer)
    else:
        for item, row in zip(reserved.items, rows, strict=True):
            draft.set_rows(item, np.asarray([row], np.intp))
            draft.facts[item] = Facts(added=True, reviewer=edit.reviewer)
    draft.alive[rows] = True
    _say(draft, rows, pointwise.ADDED)


def _structure(draft: Draft, edit: Edit) -> None:
    if draft.labels.kind not in (Kind.EVENTS, Kind.SPANS, Kind.POINTS, Kind.REGIONS):
        raise _fault(f"items with rows of their own to {edit.kind.value}", draft.labels.kind.value)


def _merge(draft: Draft, edit: Edit) -> None:
    _structure(draft, edit)
    items = sorted(_items(draft, edit, 2))
    target = items[0]
    rows = [draft.rows_of(item) for item in items]
    for item, absorbed in zip(items[1:], rows[1:], strict=True):
        draft.label[absorbed] = draft.label[rows[0][0]]
        draft.claims.follow(absorbed, item, target)
        draft.rows[item] = np.empty(0, np.intp)
        draft.gone[item] = f"was merged into {target} by {edit.reviewer}"
        draft.carry_remarks(item, (target,))
    together = np.sort(np.concatenate(rows))
    if draft.labels.kind is Kind.REGIONS:
        together = _fused(draft, together)
    draft.set_rows(target, together)
    _changed(draft, edit, target)


def _fused(draft: Draft, rows: Rows) -> Rows:
    """The rows of one region: those of a frame become one, of all their pixels.

    A pixel of several rows keeps the largest of its weights; where some rows have weights, the
    pixels of the others weigh 1.
    """
    frames = draft.values("frame", rows)
    kept = []
    for frame in np.unique(frames):
        first, *others = rows[frames == frame].tolist()
        kept.append(first)
        if not others:
            continue
        same = np.asarray([first, *others], np.intp)
        table = draft.columns_at(same)
        heavy: dict[int, float] = {}
        weighted = table.column("weights").null_count < same.size
        for pixels, weights in zip(
            table.column("pixels").to_pylist(), table.column("weights").to_pylist(), strict=True
        ):
            for pixel, weight in zip(pixels, weights or [1.0] * len(pixels), strict=True):
                heavy[pixel] = max(weight, heavy.get(pixel, weight))
        pixels = sorted(heavy)
        weights = [heavy[pixel] for pixel in pixels] if weighted else None
        draft.move(first, {"pixels": pixels, "weights": weights})
        draft.alive[others] = False
        draft.fused |= dict.fromkeys(others, first)
    return np.sort(np.asarray(kept, np.intp))


def _split(draft: Draft, edit: Edit) -> None:
    _structure(draft, edit)
    items = _items(draft, edit)
    parts = edit.payload.get("rows")
    if len(items) != 1 or not isinstance(parts, Sequence) or not parts:
        raise _fault("one item and {'rows': [[row id, ...], ...]}", edit.payload)
    rows = draft.rows_of(items[0])
    ids = _ids(draft, rows)
    chosen = [_part(ids, part) for part in parts]
    counts = np.sum(chosen, axis=0)
    if counts.max() > 1 or (len(chosen) == 1 and counts.all()):
        raise _fault("parts that share no row and leave no item as it was", edit.payload)
    for item, mask in zip(draft.reserved[edit.uuid].items, chosen, strict=True):
        draft.set_rows(item, rows[mask])
        draft.claims.follow(rows[mask], items[0], item)
        _changed(draft, edit, item)
    rest = rows[counts == 0]
    images = (*draft.reserved[edit.uuid].items, *([items[0]] if rest.size else []))
    draft.carry_remarks(items[0], images)
    draft.set_rows(items[0], rest)
    if rest.size:
        _changed(draft, edit, items[0])
    else:
        draft.gone[items[0]] = f"was split by {edit.reviewer}"


def _part(ids: np.ndarray[Any, Any], part: object) -> np.ndarray[Any, Any]:
    if not isinstance(part, Sequence) or not part or not all(_is_int(i) for i in part):
        raise _fault("a list of row ids per part", part)
    mask = np.isin(ids, np.asarray(part, dtype=np.int64))
    if mask.sum() != len(set(part)):
        raise _fault("rows of the item that is split", part)
    return mask


def _swap(draft: Draft, edit: Edit) -> None:
    _structure(draft, edit)
    items = _items(draft, edit, 2)
    since = edit.payload.get("from")
    if len(items) != 2 or not _is_int(since):
        raise _fault("two items and {'from': sample or frame}", edit.payload)
    place = ORDER[draft.labels.kind]
    rows = [draft.rows_of(item) for item in items]
    after = [draft.values(place, r) >= since for r in rows]
    if not any(a.any() for a in after):
        raise _fault(f"rows at or after {since} to swap", edit.payload)
    new = [np.sort(np.concatenate([rows[k][~after[k]], rows[1 - k][after[1 - k]]])) for k in (0, 1)]
    for item, mine in zip(items, new, strict=True):
        draft.set_rows(item, mine)
        _changed(draft, edit, item)
        if not mine.size:
            draft.gone[item] = f"gave all its rows away in a swap by {edit.reviewer}"
    if draft.labels.kind is Kind.POINTS:  # who is who was decided in this very frame
        _say(draft, draft.rows_at([edit.payload["from"]], items), pointwise.CHANGED)


def _link(draft: Draft, edit: Edit) -> None:
    to = edit.payload.get("to")
    if not isinstance(to, Sequence) or len(to) != 2 or not _is_int(to[1]):
        raise _fault("a payload {'to': [digest, item]}", edit.payload)
    for item in _items(draft, edit):
        draft.links.append(Link(item, str(to[0]), to[1], edit.reviewer, edit.uuid))


def _remarks(draft: Draft, edit: Edit) -> list[Remark]:
    text = edit.payload.get("text")
    if not isinstance(text, str):
        raise _fault("a payload {'text': str}", edit.payload)
    items = _items(draft, edit) if edit.items else [None]
    return [Remark(item, text, edit.reviewer, edit.uuid) for item in items]


def _note(draft: Draft, edit: Edit) -> None:
    draft.notes.extend(_remarks(draft, edit))


def _flag(draft: Draft, edit: Edit) -> None:
    draft.flags.extend(_remarks(draft, edit))


_ACTIONS: Mapping[EditKind, Callable[[Draft, Edit], None]] = {
    EditKind.ACCEPT: _accept,
    EditKind.REJECT: _remove,
    EditKind.RELABEL: _relabel,
    EditKind.MOVE: _move,
    EditKind.RESHAPE: _reshape,
    EditKind.ADD: _add,
    EditKind.REMOVE: _remove,
    EditKind.MERGE: _merge,
    EditKind.SPLIT: _split,
    EditKind.SWAP: _swap,
    EditKind.LINK: _link,
    EditKind.UNSURE: _unsure,
    EditKind.NOTE: _note,
    EditKind.FLAG: _flag,
    EditKind.ADJUDICATE: _relabel,
}
