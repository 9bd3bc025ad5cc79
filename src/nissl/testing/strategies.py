"""Hypothesis strategies for every noun of the package, for property-based tests.

Small by default: a counterexample should be readable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.labels import (
    Author,
    Edit,
    EditKind,
    FeatureTable,
    ItemTable,
    Kind,
    LabelSet,
    Provenance,
    Vocabulary,
)

_NAMES = st.text("abcdefghijklmnopqrstuvwxyzµ_- ", min_size=1, max_size=8)
_DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def clocks(draw: st.DrawFn, max_segments: int = 3) -> Clock:
    """Clocks of one to `max_segments` segments with gaps of at least a millisecond."""
    rate = draw(st.sampled_from([25.0, 100.0, 1000.0, 30000.0]))
    lengths = draw(st.lists(st.integers(1, 1000), min_size=1, max_size=max_segments))
    starts, t = [], draw(st.floats(-10, 1000))
    for length in lengths:
        starts.append(t)
        t += length / rate + draw(st.floats(1e-3, 10))
    return Clock.from_segments(rate, lengths, starts)


def vocabularies(max_size: int = 4) -> st.SearchStrategy[Vocabulary]:
    """Vocabularies of one to `max_size` classes."""
    names = st.lists(_NAMES, min_size=1, max_size=max_size, unique=True)
    return st.builds(Vocabulary, names.map(tuple))


def provenances() -> st.SearchStrategy[Provenance]:
    """Provenances by persons and models."""
    return st.builds(
        Provenance,
        task=_NAMES,
        source=_DIGESTS | st.just(""),
        author=st.builds(Author, st.sampled_from(["person", "model"]), _NAMES),
        stream=st.sampled_from(["", "ap"]),
        parameters=st.dictionaries(_NAMES, _JSON, max_size=3),
        seed=st.none() | st.integers(0, 2**32),
        made_from=st.lists(_DIGESTS, max_size=2).map(tuple),
        targets=st.lists(_DIGESTS, max_size=2).map(tuple),
        packages=st.dictionaries(_NAMES, st.just("1.0"), max_size=2),
    )


def _optional(draw: st.DrawFn, values: st.SearchStrategy[Any], n: int) -> list[Any] | None:
    if draw(st.booleans()):
        return None
    return draw(st.lists(st.none() | values, min_size=n, max_size=n))


def _ints(draw: st.DrawFn, n: int, high: int) -> list[int]:
    return draw(st.lists(st.integers(0, high), min_size=n, max_size=n))


def _floats(draw: st.DrawFn, n: int) -> list[float]:
    values = st.floats(-1e6, 1e6, width=32)
    return draw(st.lists(values, min_size=n, max_size=n))


def _events(draw: st.DrawFn, n: int) -> dict[str, Any]:
    placed = draw(st.booleans())
    return {
        "sample": _ints(draw, n, 200),
        "amplitude": _optional(draw, st.floats(-500, 500, width=32), n),
        "channel": _optional(draw, st.integers(0, 31), n),
        **({"x_um": _floats(draw, n), "y_um": [float("nan")] * n} if placed else {}),
    }


def _spans(draw: st.DrawFn, n: int) -> dict[str, Any]:
    start, length = _ints(draw, n, 200), _ints(draw, n, 30)
    stop = [a + b + 1 for a, b in zip(start, length, strict=True)]
    return {
        "start": start,
        "stop": stop,
        "channel": _optional(draw, st.integers(0, 3), n),
    }


def _points(draw: st.DrawFn, n: int) -> dict[str, Any]:
    visible = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    x = [v if seen else float("nan") for v, seen in zip(_floats(draw, n), visible, strict=True)]
    return {
        "frame": _ints(draw, n, 20),
        "keypoint": _optional(draw, st.integers(0, 3), n),
        "x": x,
        "y": _floats(draw, n),
        "z": _optional(draw, st.floats(-10, 10, width=32), n),
        "visible": visible,
    }


def _regions(draw: st.DrawFn, n: int) -> dict[str, Any]:
    pixel_sets = st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True)
    pixels = draw(st.lists(pixel_sets, min_size=n, max_size=n))
    weights = [[1.0] * len(p) if draw(st.booleans()) else None for p in pixels]
    return {"frame": _optional(draw, st.integers(0, 5), n), "pixels": pixels, "weights": weights}


def _classes(draw: st.DrawFn, n: int) -> dict[str, Any]:
    return {"target": draw(st.lists(st.integers(0, 99), min_size=n, max_size=n, unique=True))}


def _links(draw: st.DrawFn, n: int) -> dict[str, Any]:
    return {"a": _ints(draw, n, 20), "b": _ints(draw, n, 20)}


_COLUMNS: dict[Kind, Callable[[st.DrawFn, int], dict[str, Any]]] = {
    Kind.EVENTS: _events,
    Kind.SPANS: _spans,
    Kind.POINTS: _points,
    Kind.REGIONS: _regions,
    Kind.CLASSES: _classes,
    Kind.LINKS: _links,
}


@st.composite
def label_sets(
    draw: st.DrawFn, kinds: Sequence[Kind] = tuple(Kind), *, max_rows: int = 12
) -> LabelSet:
    """Valid label sets; EVENTS and POINTS have several rows per item, the rest one."""
    kind = draw(st.sampled_from(list(kinds)))
    n = draw(st.integers(0, max_rows))
    vocabulary = draw(vocabularies())
    columns = _COLUMNS[kind](draw, n)
    ids = draw(st.lists(st.integers(0, 1000), min_size=n, max_size=n, unique=True))
    confidences = st.just(float("nan")) | st.floats(0, 1, width=32)
    columns |= {
        "id": ids,
        "item": _ints(draw, n, 4) if kind in (Kind.EVENTS, Kind.POINTS) else ids,
        "label": _ints(draw, n, len(vocabulary) - 1),
        "confidence": draw(st.lists(confidences, min_size=n, max_size=n)),
    }
    if kind not in (Kind.EVENTS, Kind.POINTS) and draw(st.booleans()):
        weights = np.asarray(
            draw(
                st.lists(
                    st.lists(
                        st.floats(0.125, 1), min_size=len(vocabulary), max_size=len(vocabulary)
                    ),
                    min_size=n,
                    max_size=n,
                )
            )
        ).reshape(n, len(vocabulary))
        columns["probabilities"] = weights / weights.sum(axis=1, keepdims=True)
    return LabelSet.build(kind, columns, vocabulary, draw(provenances()))


@st.composite
def item_tables(draw: st.DrawFn, labels: LabelSet | None = None) -> ItemTable:
    """Item tables with a number, a text and arrays of several types and shapes."""
    if labels is None:
        items = sorted(draw(st.sets(st.integers(0, 50), max_size=5)))
        of = draw(_DIGESTS)
    else:
        items, of = labels.items.tolist(), labels.digest
    n = len(items)
    numbers = st.lists(st.floats(allow_infinity=False), min_size=n, max_size=n)
    texts = st.lists(st.none() | _NAMES, min_size=n, max_size=n)
    table = pa.table(
        {
            "item": pa.array(items, pa.int64()),
            "snr": pa.array(draw(numbers), pa.float64()),
            "note": pa.array(draw(texts), pa.string()),
        }
    )
    arrays = {}
    for name in draw(st.sets(st.sampled_from(["template", "acg", "mask"]))):
        shape = (n, *draw(st.lists(st.integers(0, 3), max_size=2)))
        dtype = draw(st.sampled_from(["<f4", "<f8", "<i2", "|u1", "|b1", "<i8"]))
        low, high = (0, 1) if dtype in ("|b1", "|u1") else (-3, 3)
        values = draw(
            st.lists(
                st.integers(low, high), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))
            )
        )
        arrays[name] = np.asarray(values, dtype).reshape(shape)
    return ItemTable(of, table, {"snr": ""}, arrays, draw(st.dictionaries(_NAMES, _JSON)))


@st.composite
def feature_tables(draw: st.DrawFn) -> FeatureTable:
    """Feature tables with missing values."""
    n, k = draw(st.integers(0, 4)), draw(st.integers(0, 3))
    values = [[draw(st.floats(allow_infinity=False)) for _ in range(k)] for _ in range(n)]
    return FeatureTable(
        items=np.arange(n, dtype=np.int64),
        names=tuple(f"feature_{i}" for i in range(k)),
        values=np.asarray(values, dtype=np.float64).reshape(n, k),
        units=("uV",) * k,
        subject=tuple(draw(st.sampled_from(["a", "b"])) for _ in range(n)),
        session=("1",) * n,
    )


_ANY_ITEM = (
    EditKind.ACCEPT,
    EditKind.REJECT,
    EditKind.REMOVE,
    EditKind.UNSURE,
    EditKind.RELABEL,
    EditKind.ADJUDICATE,
    EditKind.NOTE,
    EditKind.FLAG,
)


def _payload(draw: st.DrawFn, kind: EditKind, labels: LabelSet) -> dict[str, Any]:
    if kind in (EditKind.RELABEL, EditKind.ADJUDICATE):
        return {"label": draw(st.sampled_from(labels.vocabulary.names))}
    if kind in (EditKind.NOTE, EditKind.FLAG):
        return {"text": draw(_NAMES)}
    return {}


def _pointwise(draw: st.DrawFn, labels: LabelSet) -> tuple[EditKind, tuple[int, ...], Any]:
    """Edits of single points of tracks."""
    item = draw(st.sampled_from(labels.items.tolist()))
    rows = labels.rows_of(item)
    kind = draw(st.sampled_from((EditKind.MOVE, EditKind.SWAP, EditKind.ACCEPT, EditKind.UNSURE)))
    row = draw(st.sampled_from(rows.tolist()))
    frame = int(labels.column("frame")[row])
    if kind is EditKind.MOVE:
        place = {"x": draw(st.floats(-9, 9, width=32)), "visible": draw(st.booleans())}
        return kind, (item,), {"row": int(labels.column("id")[row]), **place}
    others = draw(st.permutations(labels.items.tolist()))
    if kind is EditKind.SWAP:
        other = next((i for i in others if i != item), item)
        return kind, (item, other), {"from": frame}
    if draw(st.booleans()):
        return kind, (item,), {"rows": [int(labels.column("id")[row])]}
    return kind, tuple(others), {"frames": [frame]}


def _structural(draw: st.DrawFn, labels: LabelSet) -> tuple[EditKind, tuple[int, ...], Any]:
    items = labels.items.tolist()
    if labels.kind in (Kind.EVENTS, Kind.POINTS) and draw(st.booleans()):
        item = draw(st.sampled_from(items))
        ids = labels.column("id")[labels.rows_of(item)].tolist()
        if len(ids) > 1:
            cut = draw(st.integers(1, len(ids) - 1))
            return EditKind.SPLIT, (item,), {"rows": [ids[:cut], ids[cut:]]}
    if labels.kind in (Kind.EVENTS, Kind.POINTS) and len(items) > 1:
        chosen = draw(st.permutations(items))[: draw(st.integers(2, len(items)))]
        return EditKind.MERGE, tuple(chosen), {}
    return EditKind.ACCEPT, (draw(st.sampled_from(items)),), {}


@st.composite
def journals(
    draw: st.DrawFn,
    labels: LabelSet,
    *,
    reviewers: Sequence[str] = ("ana",),
    max_edits: int = 8,
) -> list[Edit]:
    """Edits on items of a set, in journal order; some no longer apply when their turn comes.

    Merges, splits and undos are among them.
    """
    edits: list[Edit] = []
    for _ in range(draw(st.integers(0, max_edits)) if labels.n_rows else 0):
        who = draw(st.sampled_from(list(reviewers)))
        mine = [e for e in edits if e.reviewer == who]
        choice = draw(st.integers(0, 3))
        items: tuple[int, ...]
        if choice == 0:
            pointwise = labels.kind is Kind.POINTS and draw(st.booleans())
            kind, items, payload = (_pointwise if pointwise else _structural)(draw, labels)
        elif choice == 1 and mine:
            kind, items = EditKind.UNDO, ()
            payload = {"target": str(draw(st.sampled_from(mine)).uuid)}
        else:
            kind = draw(st.sampled_from(_ANY_ITEM))
            known = labels.items.tolist()
            items = tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=2)))
            payload = _payload(draw, kind, labels)
        uuid = UUID(int=len(edits) + 1)
        edits.append(Edit(uuid, kind, labels.digest, items, who, float(len(edits)), payload))
    return edits
