"""Who decided on what: kept edit by edit, it is what one counts from nothing."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from nissl.labels import Edit, EditKind, Kind
from nissl.review.progress import Tally, decided, standing

BASE = "a" * 64
KINDS = [EditKind.ACCEPT, EditKind.RELABEL, EditKind.UNSURE, EditKind.NOTE, EditKind.MOVE]


class Table:
    """As much of a desk as the count needs."""

    bases, key, classes_row, classes, kind = (BASE,), BASE, None, None, Kind.SPANS
    targets: dict[int, int] = {}  # noqa: RUF012


@st.composite
def journals(draw):
    made = []
    for n in range(draw(st.integers(0, 25))):
        reader = draw(st.sampled_from(["Ana", "Ben"]))
        own = [e for e in made if e.reviewer == reader]
        common = {"base": BASE, "reviewer": reader, "when_s": float(n)}
        if own and draw(st.booleans()):
            target = draw(st.sampled_from(own)).uuid
            payload = {"target": str(target)}
            made.append(
                Edit(uuid.UUID(int=n + 1), EditKind.UNDO, items=(), payload=payload, **common)
            )
        else:
            items = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)))
            kind = draw(st.sampled_from(KINDS))
            made.append(Edit(uuid.UUID(int=n + 1), kind, items=items, **common))
    return made


def counted(edits):
    """From nothing: every item of every standing decision, by reader."""
    found = {}
    for name, own in standing(edits).items():
        for edit in own:
            for item in edit.items if edit.kind is not EditKind.NOTE else ():
                found.setdefault(item, set()).add(name)
    return found


@given(journals(), st.lists(st.integers(0, 25), max_size=6))
def test_kept_as_the_journal_grows_it_is_what_one_counts(edits, cuts):
    kept, same = Tally(Table()), Table()
    for cut in sorted(cuts):
        part = edits[:cut]
        assert kept.extend({BASE: part})
        assert kept.decided() == counted(part)
        assert decided(same, {BASE: part}) == counted(part)
    for cut in cuts:  # in any order: a shorter journal is counted anew
        assert decided(same, {BASE: edits[:cut]}) == counted(edits[:cut])


def test_another_journal_is_not_a_longer_one():
    one, two = (Edit(uuid.UUID(int=n), EditKind.ACCEPT, BASE, (n,), "Ana", 0.0) for n in (1, 2))
    tally = Tally(Table())
    assert tally.extend({BASE: [one]})
    assert not tally.extend({BASE: [two, one]})
    assert not tally.extend({})
    assert tally.decided() == {1: {"Ana"}}
