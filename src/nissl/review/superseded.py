"""Decisions on proposals that a newer model has replaced, said about the newer ones.

A page that was open, or a browser that was offline, while a model was put into use sends
decisions on the classes it showed. What was decided holds: to accept a class that is no longer
proposed is to choose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nissl.errors import BadEditError
from nissl.labels import Edit, EditKind, LabelSet


def translated(edits: Sequence[Edit], old: LabelSet, new: LabelSet) -> list[Edit]:
    """Edits on older classes of some items, on the newer classes of the same items.

    Uuids stay, so that sending an edit again does nothing twice. Edits on other sets are
    returned as they are.

    Parameters
    ----------
    edits : sequence of Edit
    old, new : LabelSet
        CLASSES whose targets are items of one set.

    Raises
    ------
    BadEditError
        An undo: what it takes back was carried over under another name, so the page must look
        again. Or an item that has no class in the newer set.
    """
    there = dict(zip(new.column("target").tolist(), new.column("item").tolist(), strict=True))
    columns = (old.column(name).tolist() for name in ("item", "target", "label"))
    before = {item: (target, code) for item, target, code in zip(*columns, strict=True)}
    said = dict(zip(new.column("item").tolist(), new.column("label").tolist(), strict=True))
    out: list[Edit] = []
    for edit in edits:
        if edit.base != old.digest:
            out.append(edit)
            continue
        missing = [i for i in edit.items if i not in before or before[i][0] not in there]
        if edit.kind is EditKind.UNDO or missing:
            raise BadEditError(
                "a decision on the classes that are proposed now",
                f"{edit.kind.value} on those of an earlier model",
                "Reload the page, then repeat it.",
            )
        items = tuple(there[before[i][0]] for i in edit.items)
        moved = replace(edit, base=new.digest, items=items)
        if edit.kind is EditKind.ACCEPT:
            names = {old.vocabulary.names[before[i][1]] for i in edit.items}
            now = {new.vocabulary.names[said[item]] for item in items}
            if names != now or len(names) > 1:
                moved = _as_choice(moved, names)
        out.append(moved)
    return out


def _as_choice(edit: Edit, names: set[str]) -> Edit:
    if len(names) > 1:
        raise BadEditError(
            "a decision on the classes that are proposed now",
            "an acceptance of several classes of an earlier model",
            "Reload the page, then repeat it.",
        )
    return replace(edit, kind=EditKind.RELABEL, payload={**edit.payload, "label": names.pop()})
