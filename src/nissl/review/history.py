"""Who changed what and when; the difference of two states; taking a range back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from nissl.errors import BadArgumentError
from nissl.labels import Edit, EditKind
from nissl.labels.replay import Live
from nissl.labels.replay.journal import active, by_reviewer
from nissl.review.desk import Desk
from nissl.review.reading import Reading
from nissl.review.room import Room


@dataclass(frozen=True)
class Record:
    """One line of the history.

    Parameters
    ----------
    position : int
        In the journal.
    edit : Edit
    stands : bool
        Whether it is not undone.
    items : tuple of int
        The desk's items it is about (units, where the edit is about their classes).
    """

    position: int
    edit: Edit
    stands: bool
    items: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; long payloads are told by their size."""
        payload = {k: v for k, v in self.edit.payload.items() if k != "rows"}
        rows = self.edit.payload.get("rows")
        if rows is not None:
            payload["n_rows"] = len(rows)
        plain = self.edit.to_json()
        return plain | {
            "payload": payload,
            "position": self.position,
            "stands": self.stands,
            "about": list(self.items),
        }


@dataclass(frozen=True)
class Change:
    """How an item differs between two states; None where it is not there."""

    item: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def history(
    room: Room,
    desk: Desk,
    *,
    reader: str | None = None,
    limit: int = 500,
    before: int | None = None,
) -> list[Record]:
    """Edits at a desk, newest first.

    Parameters
    ----------
    room : Room
    desk : Desk
    reader : str, optional
        Only this reader's.
    limit : int
    before : int, optional
        Only those at earlier positions of the journal, to go on from there.
    """
    target = desk.targets
    found: list[Record] = []
    for base in desk.bases:
        every = room.edits(base=base)
        stands = {e.uuid for own in by_reviewer(every).values() for e in active(own)[0]}
        for edit in every:
            position = room.position_of(edit.uuid)
            if reader not in (None, edit.reviewer) or (before is not None and position >= before):
                continue
            items = edit.items if base == desk.key else _units(edit, target)
            found.append(Record(position, edit, edit.uuid in stands, tuple(items)))
    return sorted(found, key=lambda record: -record.position)[:limit]


def difference(room: Room, desk: Desk, reader: str, since: int, until: int) -> list[Change]:
    """How a reader's items differ between two positions of the journal; 0 is the beginning."""
    states = [_state(room, desk, reader, position) for position in (since, until)]
    return _changes(states[0], states[1])


def revert(
    room: Room, desk: Desk, reader: str, edits: Sequence[UUID], *, now_s: float
) -> list[Edit]:
    """Undos that take a reader's edits back together; to be recorded by `Room.decide`.

    Parameters
    ----------
    room : Room
    desk : Desk
    reader : str
    edits : sequence of UUID
        Standing edits of this reader at this desk. Those grouped with them go too.
    now_s : float
        Unix time, seconds.

    Raises
    ------
    BadArgumentError
        An edit of somebody else, or one that does not stand.
    """
    group, undos = uuid4(), []
    wanted = set(edits)
    for base in desk.bases:
        standing = active([e for e in room.edits(base=base) if e.reviewer == reader])[0]
        chosen = [e for e in standing if e.uuid in wanted or (e.group and e.group in wanted)]
        wanted -= {e.uuid for e in chosen} | {e.group for e in chosen}
        targets = dict.fromkeys(e.group or e.uuid for e in reversed(chosen))
        undos += [
            Edit(uuid4(), EditKind.UNDO, base, (), reader, now_s, {"target": str(t)}, group=group)
            for t in targets
        ]
    if wanted or not undos:
        raise BadArgumentError(
            f"standing decisions of {reader!r} at this desk",
            f"{len(wanted)} others of {len(edits)}",
            "Only their own reader can take decisions back; ask for an adjudication instead.",
        )
    return undos


def preview(room: Room, desk: Desk, reader: str, undos: Sequence[Edit]) -> list[Change]:
    """What a reader's items would change by edits that are not on record yet."""
    now = _state(room, desk, reader, room.position)
    return _changes(now, _state(room, desk, reader, room.position, undos))


def _changes(before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]]) -> list[Change]:
    pairs = [(item, before.get(item), after.get(item)) for item in sorted({*before, *after})]
    return [Change(*pair) for pair in pairs if pair[1] != pair[2]]


def _state(
    room: Room, desk: Desk, reader: str, position: int, more: Sequence[Edit] = ()
) -> dict[int, dict[str, Any]]:
    """Class, state and number of rows of every item at a position, and after more edits."""
    reading = Reading(desk, reader)
    reading.extend(
        {
            base: [
                *(e for e in room.edits(base=base) if room.position_of(e.uuid) <= position),
                *(e for e in more if e.base == base),
            ]
            for base in desk.bases
        }
    )
    states = reading.states()
    live: Live = reading.base
    return {
        item: {
            "state": states[item],
            "label": reading.label(item),
            "n_rows": int(live.rows(item).size),
        }
        for item in reading.items.tolist()
    }


def _units(edit: Edit, target: dict[int, int]) -> list[int]:
    rows = edit.payload.get("rows") or ()
    added = [int(r["target"]) for r in rows if isinstance(r, dict) and "target" in r]
    return [target[item] for item in edit.items if item in target] + added
