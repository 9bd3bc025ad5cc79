"""What a reader can undo and redo, from the journal alone, so that it outlives every restart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from nissl.labels import Edit, EditKind
from nissl.labels.replay.journal import undo_target


@dataclass(frozen=True)
class Step:
    """Edits that are taken back, or done again, together.

    Parameters
    ----------
    target : UUID
        What an undo must name as its target to take the step back (or do it again).
    bases : tuple of str
        Digests of the sets it was made on; an undo is needed on each.
    edits : tuple of Edit
        Those of the step itself, in order.
    """

    target: UUID
    bases: tuple[str, ...]
    edits: tuple[Edit, ...]

    @property
    def text(self) -> str:
        """The step in a few words."""
        first = next((e for e in self.edits if not e.by_method), self.edits[0])
        n = len({(e.base, item) for e in self.edits for item in e.items})
        what = f"{first.kind.value} {first.payload.get('label', '')}".strip()
        return f"{what} ({n} items)" if n > 1 else what


def stacks(edits: Iterable[Edit]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Undo and redo stacks of one reader, the next step last.

    A new decision empties the redo stack, as everywhere; the journal still has what was on it.

    Parameters
    ----------
    edits : iterable of Edit
        All of one reader, on all sets, in the order of the journal.

    Returns
    -------
    undo, redo : tuple of Step
    """
    undo: list[tuple[Step, set[UUID | None]]] = []  # the step, and what an undo may call it
    redo: list[tuple[Step, UUID]] = []  # the step, and the undo to take back
    for edit in edits:
        name = edit.group or edit.uuid
        if edit.kind is not EditKind.UNDO:
            redo.clear()
            if undo and undo[-1][0].target == name:
                step = _with(undo[-1][0], edit)
            else:
                step = Step(name, (edit.base,), (edit,))
                undo.append((step, set()))
            undo[-1] = (step, {name, *(e.uuid for e in step.edits)})
            continue
        target = undo_target(edit)
        if redo and redo[-1][1] == name:
            continue  # the same step on its second set
        if any(was == target for _, was in redo):
            while redo and redo[-1][1] != target:
                redo.pop()
            step = redo.pop()[0]
            undo.append((step, {step.target, name, edit.uuid, *(e.uuid for e in step.edits)}))
            continue
        place = next((k for k in reversed(range(len(undo))) if target in undo[k][1]), None)
        if place is not None:
            redo.append((undo.pop(place)[0], name))
    steps = tuple(step for step, _ in undo)
    return steps, tuple(Step(was, step.bases, step.edits) for step, was in redo)


def _with(step: Step, edit: Edit) -> Step:
    bases = step.bases if edit.base in step.bases else (*step.bases, edit.base)
    return Step(step.target, bases, (*step.edits, edit))
