"""Routes of the units view: spikes, correlograms, templates, likeness, previews of edits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from nissl.annotators.spikes.correlograms import correlogram
from nissl.annotators.spikes.grouping import Grouping
from nissl.annotators.spikes.live import preview_merge, preview_split
from nissl.annotators.spikes.projecting import AXES, Cut, cut, fit_projection, scatter
from nissl.annotators.spikes.similarity import neighbours
from nissl.errors import BadArgumentError, BadEditError
from nissl.review.room import Room
from nissl.review.unit_desks import UnitDesk, unit_desk
from nissl.review.unit_facts import cards, channels_around, firing_rate, raw_around
from nissl.web.depends import InRoom, Reader
from nissl.web.wire import array_response, table_response

router = APIRouter(prefix="/desks/{key}/units")

MOST_UNITS = 16  # compared at once

Item = Annotated[int, Path(ge=-(2**53), lt=2**53)]
Items = Annotated[str, Query(max_length=1000, pattern=r"^-?\d{1,18}(,-?\d{1,18})*$")]
MaybeItems = Annotated[str, Query(max_length=1000, pattern=r"^(-?\d{1,18}(,-?\d{1,18})*)?$")]


class CutModel(BaseModel):
    """A lasso on two axes, or a threshold on one."""

    model_config = ConfigDict(extra="forbid")

    x: str = Field(max_length=20)
    y: str = Field("", max_length=20)
    corners: list[tuple[float, float]] = Field(default_factory=list, max_length=10_000)
    threshold: float | None = None
    above: bool = True

    def cut(self) -> Cut:
        """Return it as the methods take it."""
        if not self.corners and self.threshold is None:
            raise BadArgumentError("corners or a threshold", "neither", "Draw a lasso.")
        threshold = float("nan") if self.threshold is None else self.threshold
        return Cut(self.x, self.y, tuple(self.corners), threshold, self.above)


class PreviewModel(BaseModel):
    """A merge of `items`, or a split of the only one of them by a cut or by row ids."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["merge", "split"]
    items: list[Annotated[int, Field(ge=-(2**53), lt=2**53)]] = Field(max_length=200)
    rows: list[Annotated[int, Field(ge=-(2**53), lt=2**53)]] | None = None
    cut: CutModel | None = None
    beside: list[Annotated[int, Field(ge=-(2**53), lt=2**53)]] = Field(
        default_factory=list, max_length=MOST_UNITS
    )


def _units(room: Room, key: str, reader: str) -> tuple[UnitDesk, Grouping]:
    """Live side of a desk, and how the reader's decisions group its spikes now."""
    found = unit_desk(room.desk(key))
    with room.reading(key, reader) as reading:
        return found, found.grouping(reading)


def _list(items: str) -> list[int]:
    found = list(dict.fromkeys(int(i) for i in items.split(",") if i))
    if len(found) > MOST_UNITS:
        raise BadArgumentError(f"at most {MOST_UNITS} units", f"{len(found)}", "Ask for fewer.")
    return found


@router.get("/merges")
def merges(room: InRoom, key: str, reader: Reader) -> dict[str, Any]:
    """Pairs of units that are likely one neuron, and are still there as they were proposed."""
    desk, grouping = _units(room, key, reader)
    there = [
        one.to_json()
        for one in desk.likely_merges()
        if one.a not in grouping.gone and one.b not in grouping.gone
    ]
    return {"merges": there}


@router.post("/merges/ask")
def ask(room: InRoom, key: str, reader: Reader) -> dict[str, Any]:
    """Put likely merges and splits into the queue; what is there already stays as it is."""
    desk, _ = _units(room, key, reader)
    return {"asked": desk.ask()}


@router.get("/templates")
def templates(room: InRoom, key: str, reader: Reader, items: Items) -> Response:
    """Templates (n_units, n_samples, n_channels), uV, on the channels around the first."""
    desk, grouping = _units(room, key, reader)
    chosen = _list(items)
    table = desk.units.some(grouping, chosen)
    rows = [table.row_of(i) for i in chosen]
    template = table.arrays.get("template")
    channels = [] if template is None else channels_around(table, rows[0])
    shown = np.empty((len(rows), 0, 0), np.float32)
    if template is not None:
        shown = template[rows][:, :, channels]
    context = table.context
    place = context.get("position_um") or []
    names = context.get("channel_ids") or []
    facts = {
        "items": chosen,
        "channels": channels,
        "names": [names[c] if c < len(names) else str(c) for c in channels],
        "place_um": [place[c][:2] if c < len(place) else None for c in channels],
        "n_before": context.get("n_before"),
        "rate_hz": desk.units.sorting.rate_hz,
        "unit": table.units.get("template", "uV"),
    }
    return array_response(shown.astype(np.float32), facts)


@router.get("/correlograms")
def correlograms(
    room: InRoom,
    key: str,
    reader: Reader,
    items: Items,
    window_ms: Annotated[int, Query(ge=5, le=500)] = 50,
    bin_ms: Annotated[float, Query(ge=0.1, le=10)] = 1.0,
) -> Response:
    """Rates (n_units, n_units, n_bins), Hz: row a, column b is b around the spikes of a."""
    desk, grouping = _units(room, key, reader)
    chosen = _list(items)
    rate_hz = desk.units.sorting.rate_hz
    trains = [grouping.train(i) for i in chosen]
    size = {"half_ms": window_ms, "bin_ms": bin_ms}
    n_bins = 2 * round(window_ms / bin_ms) + 1
    out = np.zeros((len(chosen), len(chosen), n_bins), np.float32)
    for a, first in enumerate(trains):
        out[a, a] = correlogram(first, None, rate_hz, **size)  # type: ignore[arg-type]
        for b in range(a + 1, len(trains)):
            out[a, b] = correlogram(first, trains[b], rate_hz, **size)  # type: ignore[arg-type]
            out[b, a] = out[a, b][::-1] * (first.size / max(trains[b].size, 1))
    return array_response(out, {"items": chosen, "window_ms": window_ms, "bin_ms": bin_ms})


@router.get("/{item}")
def card(room: InRoom, key: str, reader: Reader, item: Item) -> dict[str, Any]:
    """Metrics of a unit as it stands for the reader, and what is doubtful about them."""
    desk, grouping = _units(room, key, reader)
    (found,) = cards(desk.units.some(grouping, [item]))
    states = {"waveforms": desk.waveforms, "recording": desk.recording}
    return found | {"n_spikes": int(grouping.rows(item).size)} | states


@router.get("/{item}/similar")
def similar(
    room: InRoom,
    key: str,
    reader: Reader,
    item: Item,
    n: Annotated[int, Query(ge=1, le=50)] = 10,
) -> dict[str, Any]:
    """Units near this one, the most alike first."""
    desk, grouping = _units(room, key, reader)
    grouping.rows(item)
    found = neighbours(
        desk.units.templates(grouping),
        int(np.searchsorted(grouping.items, item)),
        grouping.train,
        desk.units.sorting.rate_hz,
        n=n,
    )
    return {"similar": [one.to_json() for one in found]}


@router.get("/{item}/spikes")
def spikes(
    room: InRoom,
    key: str,
    reader: Reader,
    item: Item,
    beside: MaybeItems = "",
    most: Annotated[int, Query(ge=100, le=1_000_000)] = 50_000,
) -> Response:
    """Spikes of a unit, and of those compared with it, on all axes of the scatter.

    Columns `item`, `row` (id) and `AXES`. Of a unit with more than `most` spikes some are left
    out, evenly; those whose waveforms are kept are always there.
    """
    desk, grouping = _units(room, key, reader)
    chosen = [item, *(i for i in _list(beside) if i != item)]
    sorting = desk.units.sorting
    groups = {i: grouping.rows(i) for i in chosen}
    projection = fit_projection(sorting, list(groups.values()))
    columns = scatter(sorting, groups, projection, most=most)
    columns["row"] = grouping.ids[columns["row"]]
    table = pa.table(columns)
    told = {b"waveforms": desk.waveforms.encode(), b"axes": ",".join(AXES).encode()}
    return table_response(table.replace_schema_metadata(told))


@router.get("/{item}/rate")
def rate(room: InRoom, key: str, reader: Reader, item: Item) -> Response:
    """Firing rate over time, Hz."""
    desk, grouping = _units(room, key, reader)
    values, bin_s = firing_rate(desk.units, grouping, item)
    return array_response(values, {"bin_s": bin_s})


@router.get("/{item}/snippet")
def snippet(
    room: InRoom,
    key: str,
    reader: Reader,
    item: Item,
    spike: Annotated[int, Query(ge=0, lt=2**53)] = 0,
    window_ms: Annotated[float, Query(ge=2, le=500)] = 30,
) -> Response:
    """Filtered samples (n_channels, n_samples), uV, around one spike, and the spikes in them.

    Empty while there is no recording; `recording` says why.
    """
    desk, grouping = _units(room, key, reader)
    traces, facts = raw_around(desk.units, grouping, item, spike=spike, window_ms=window_ms)
    told = {"rate_hz": desk.units.sorting.rate_hz, "recording": desk.recording}
    return array_response(traces, facts | told)


@router.post("/preview")
def preview(
    room: InRoom, key: str, reader: Reader, wanted: Annotated[PreviewModel, Body()]
) -> dict[str, Any]:
    """Facts before and after an edit; of a split also the ids of the new unit's rows."""
    desk, grouping = _units(room, key, reader)
    if wanted.kind == "merge":
        made = preview_merge(desk.units, grouping, wanted.items)
        return {"before": cards(made.before), "after": cards(made.after), "rows": None}
    if len(wanted.items) != 1:
        raise BadEditError("one unit to split", f"{wanted.items}", "Choose one.")
    item = wanted.items[0]
    part = _part(desk, grouping, item, wanted)
    made = preview_split(desk.units, grouping, item, part)
    ids = grouping.ids[part].tolist()
    return {"before": cards(made.before), "after": cards(made.after), "rows": ids}


def _part(
    desk: UnitDesk, grouping: Grouping, item: int, wanted: PreviewModel
) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Rows of the new unit, as told or as cut."""
    rows = grouping.rows(item)
    if wanted.rows is not None:
        return rows[np.isin(grouping.ids[rows], wanted.rows)]
    if wanted.cut is None:
        raise BadEditError("rows, or a cut", "neither", "Draw a lasso, or give a threshold.")
    sorting = desk.units.sorting
    beside = [grouping.rows(i) for i in wanted.beside if i != item]
    return cut(sorting, rows, fit_projection(sorting, [rows, *beside]), wanted.cut.cut())
