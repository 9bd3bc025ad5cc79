"""Error maps of the study: who predicts whom, what was predicted and what came, and why not."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from nissl.project.relating import mapped
from nissl.web.depends import InRoom

router = APIRouter()

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
"""A folder below reports/; so no path leaves the project."""
Place = Annotated[int, Query(ge=0, lt=10_000)]
"""A source of the map."""


@router.get("/errormaps")
def maps(room: InRoom) -> dict[str, Any]:
    """Maps that are kept, newest first."""
    return {"maps": mapped.maps(room.store)}


@router.get("/errormaps/{name}")
def whole(room: InRoom, name: Name) -> dict[str, Any]:
    """Matrices, order, embedding and groups of a map."""
    return mapped.whole(room.store, name)


@router.get("/errormaps/{name}/cell")
def cell(room: InRoom, name: Name, read: Place, predicted: Place) -> dict[str, Any]:
    """Prediction beside what came."""
    return mapped.cell(room.store, name, read, predicted)


@router.get("/errormaps/{name}/reasons")
def reasons(room: InRoom, name: Name, read: Place, predicted: Place) -> dict[str, Any]:
    """Parts of the loss of a cell; computes for a second or two, once."""
    folder = mapped.folder_of(room.store, name)
    version = ((folder / "facts.json").stat().st_mtime_ns, read, predicted)
    return {
        "reasons": room.remembered(
            f"errormap:{name}:{read}:{predicted}",
            version,
            lambda: mapped.cell_reasons(room.store, name, read, predicted),
        )
    }
