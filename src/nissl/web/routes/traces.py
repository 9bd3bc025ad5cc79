"""Traces of a desk's recording: ranges per pixel and spectrograms, as binary arrays."""

from __future__ import annotations

import threading
from functools import cache
from importlib import import_module
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from nissl.data import Signal
from nissl.data.filtering import Filters
from nissl.data.montage import RECORDED, montage, montage_names
from nissl.errors import BadArgumentError
from nissl.review.pyramids import Pyramids, Tiles
from nissl.review.room import Room
from nissl.review.spectra import PATIENT_S, spectrogram
from nissl.review.traces import BUDGET_S, MOST_WIDTH, Page, traces
from nissl.web.depends import InRoom
from nissl.web.wire import array_response

router = APIRouter()

FOLDER = ("work", "pyramids")
_MOST_LABEL_CHARACTERS = 8192
_LOCK = threading.Lock()

Sample = Annotated[int, Query(ge=0, lt=2**53)]
Hertz = Annotated[float | None, Query(gt=0, lt=1e9)]
Width = Annotated[int, Query(ge=1, le=MOST_WIDTH)]
Channels = Annotated[str, Query(max_length=20_000)]
MontageName = Annotated[str, Query(max_length=200)]


def _pyramids(request: Request) -> Pyramids:
    state, room = request.app.state, request.app.state.room
    with _LOCK:
        if not hasattr(state, "pyramids"):
            state.pyramids = Pyramids(room.store.path.joinpath(*FOLDER))
        found: Pyramids = state.pyramids
        return found


InPyramids = Annotated[Pyramids, Depends(_pyramids)]
"""Pyramids of the project under review; made when first asked for."""


@router.get("/desks/{key}/traces/channels")
def channels(room: InRoom, pyramids: InPyramids, key: str) -> dict[str, Any]:
    """What the recording of a desk can be shown as."""
    signal = room.desk(key).signal
    _warm()
    shown = {name: montage(name, signal.channels) for name in montage_names(signal.channels)}
    return {
        "stream": signal.name,
        "kind": signal.channels.kind,
        "rate_hz": signal.rate_hz,
        "n_samples": signal.n_samples,
        "segments": signal.clock.to_json(),
        "channels": list(signal.channels.ids),
        "montages": {name: list(m.labels) for name, m in shown.items()},
        "tiles": _progress(pyramids, _tiles(room, pyramids, key, signal)),
    }


@router.get("/desks/{key}/traces")
def page(
    room: InRoom,
    pyramids: InPyramids,
    key: str,
    start: Sample,
    stop: Sample,
    width: Width = 1200,
    channels: Channels = "",
    high: Hertz = None,
    low: Hertz = None,
    notch: Hertz = None,
    montage: MontageName = RECORDED,
) -> Response:
    """Minimum and maximum per pixel, float32 (n_traces, n_bins, 2) in uV."""
    signal = room.desk(key).signal
    wanted = Page(start, stop, width, _indices(channels), montage, Filters(high, low, notch))
    tiles = _tiles(room, pyramids, key, signal)
    found = traces(signal, wanted, tiles)
    if not found.exact:
        pyramids.want(tiles, (start + stop) // 2)
    labels = found.labels if sum(map(len, found.labels)) < _MOST_LABEL_CHARACTERS else ()
    meta = {
        "first": found.first,
        "bin_samples": found.bin_samples,
        "exact": found.exact,
        "notes": list(found.notes),
        "labels": list(labels),
        "tiles": _progress(pyramids, tiles),
    }
    return array_response(found.values, meta)


@router.get("/desks/{key}/spectrogram")
def strip(
    room: InRoom,
    key: str,
    start: Sample,
    stop: Sample,
    width: Width = 600,
    channel: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    montage: MontageName = RECORDED,
    top: Hertz = None,
    patient: bool = False,
) -> Response:
    """Power of one trace, uint8 (n_frequencies, n_columns); 0 is unknown."""
    signal = room.desk(key).signal
    page = Page(start, stop, width, (channel,), montage)
    found = spectrogram(signal, page, top_hz=top, budget_s=PATIENT_S if patient else BUDGET_S)
    meta = {
        name: getattr(found, name)
        for name in ("label", "first", "column_samples", "top_hz", "low_db", "high_db", "exact")
    }
    return array_response(found.values, meta)


def _tiles(room: Room, pyramids: Pyramids, key: str, signal: Signal) -> Tiles:
    return pyramids.of(room.desk(key).source.fingerprint, signal)


def _progress(pyramids: Pyramids, tiles: Tiles) -> dict[str, Any]:
    return {"made": tiles.n_made, "all": tiles.n_tiles, "fault": pyramids.fault(tiles)}


def _indices(text: str) -> tuple[int, ...] | None:
    """Traces named as "3,1,7" or "0:384:4"; None, all of them, where nothing is named."""
    if not text:
        return None
    try:
        if ":" in text:
            first, last, *step = (int(part) for part in text.split(":"))
            if not 0 <= first <= last < 2**20 or len(step) > 1 or min(step, default=1) < 1:
                raise ValueError(text)
            return tuple(range(first, last, *step))
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise BadArgumentError(
            "traces as '3,1,7' or '0:384:4'", repr(text)[:100], "Name traces by their index."
        ) from None


@cache
def _warm() -> None:
    """Import what filters need while the first page is looked at; it takes a second."""
    threading.Thread(target=import_module, args=("scipy.signal",), daemon=True).start()
