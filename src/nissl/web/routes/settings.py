"""What a reader chose for the app: keys, theme, whether to review blind."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body

from nissl.errors import BadArgumentError
from nissl.review.names import reader_name
from nissl.web.depends import InRoom, Reader
from nissl.web.wire import MOST_DEEP, deeper

router = APIRouter()

MOST_CHARACTERS = 100_000


@router.get("/settings")
def settings(room: InRoom, reader: Reader) -> dict[str, Any]:
    """Settings of a reader; {} where nothing was set."""
    return {"settings": room.store.setting(_name(reader)) or {}}


@router.put("/settings")
def set_settings(
    room: InRoom, reader: Annotated[str, Body()], settings: Annotated[dict[str, Any], Body()]
) -> dict[str, Any]:
    """Keep a reader's settings in place of the earlier ones."""
    if deeper(settings, MOST_DEEP) or len(json.dumps(settings)) > MOST_CHARACTERS:
        raise BadArgumentError(
            f"settings of at most {MOST_CHARACTERS} characters, nested at most {MOST_DEEP} deep",
            "larger ones",
            "Remove some.",
        )
    name = _name(reader_name(reader))
    if settings != room.store.setting(name):
        room.store.set_setting(name, settings)
    return {"settings": settings}


def _name(reader: str) -> str:
    return f"reader:{reader}"
