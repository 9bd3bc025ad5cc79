"""Items of any desk: rows, facts, pictures, neighbours and the why of a proposal."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from nissl.errors import MissingInputError
from nissl.review.item_facts import array_of, neighbours, probabilities_of, rows_of
from nissl.web.depends import InRoom, Reader
from nissl.web.wire import array_response, table_response

router = APIRouter()

Item = Annotated[int, Path(ge=-(2**53), le=2**53)]
Items = Annotated[str, Query(max_length=20_000, pattern=r"^-?\d{1,16}(,-?\d{1,16})*$")]


@router.get("/desks/{key}/rows")
def rows(room: InRoom, key: str, reader: Reader, items: Items, blind: bool = False) -> Response:
    """Rows of items as they stand for the reader, as an Arrow stream."""
    with room.reading(key, reader) as reading:
        return table_response(rows_of(reading, _numbers(items), blind=blind))


@router.get("/desks/{key}/probabilities")
def probabilities(
    room: InRoom, key: str, reader: Reader, items: Items, blind: bool = False
) -> Response:
    """Probability of every class of the vocabulary (n_items, n_classes); NaN where none is told."""
    with room.reading(key, reader) as reading:
        return array_response(probabilities_of(reading, _numbers(items), blind=blind))


@router.get("/desks/{key}/facts")
def facts(room: InRoom, key: str) -> dict[str, Any]:
    """What is known of a desk's items besides the table: units, arrays, context."""
    table = room.desk(key).items
    if table is None:
        return {"units": {}, "arrays": {}, "context": {}}
    shapes = {name: list(array.shape[1:]) for name, array in table.arrays.items()}
    return {"units": dict(table.units), "arrays": shapes, "context": dict(table.context)}


@router.get("/desks/{key}/arrays/{name}")
def arrays(
    room: InRoom, key: str, name: Annotated[str, Path(max_length=80)], items: Items
) -> Response:
    """Rows of an array of the item table, as bytes."""
    return array_response(array_of(room.desk(key), name, _numbers(items)))


@router.get("/desks/{key}/items/{item}/neighbours")
def near(room: InRoom, key: str, item: Item, reader: Reader, blind: bool = False) -> dict[str, Any]:
    """Items of the same desk whose facts are most alike."""
    with room.reading(key, reader) as reading:
        found = neighbours(reading, item, blind=blind)
    return {"neighbours": [vars(each).copy() for each in found]}


@router.get("/desks/{key}/items/{item}/why")
def why(room: InRoom, key: str, item: Item, reader: Reader, blind: bool = False) -> dict[str, Any]:
    """Why the model in use proposes what it does; hidden from a blind reader until decided."""
    desk = room.desk(key)
    with room.reading(key, reader) as reading:
        hidden = blind and reading.state(item) == "untouched"
    if hidden:
        raise MissingInputError(
            "an item that you have decided on",
            "one not yet decided, in blind mode",
            "Decide first.",
        )
    from nissl.review.why import why_at  # brings the learners

    return why_at(desk, item).to_json()


def _numbers(items: str) -> list[int]:
    return [int(word) for word in items.split(",")]
