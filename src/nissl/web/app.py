"""The application: routes over a `Room`; who may call them is decided in `security`."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from nissl.errors import (
    BadArgumentError,
    BadEditError,
    DiskFullError,
    InputError,
    MissingInputError,
    NisslError,
    SourceNotFoundError,
    StoreError,
)
from nissl.review.room import Room
from nissl.web import routes

STATIC = Path(__file__).parent / "static"

_STATUS: tuple[tuple[type[NisslError], int], ...] = (
    (DiskFullError, 507),
    (SourceNotFoundError, 404),
    (BadEditError, 409),
    (MissingInputError, 410),
    (BadArgumentError, 422),
    (InputError, 422),
    (StoreError, 503),
)


def create_app(room: Room) -> FastAPI:
    """Application of one project; every file in `routes` brings a `router`.

    Parameters
    ----------
    room : Room
    """
    app = FastAPI(title="nissl review", docs_url=None, redoc_url=None)
    app.state.room = room
    app.add_exception_handler(NisslError, _told)
    for module in pkgutil.iter_modules(routes.__path__, f"{routes.__name__}."):
        app.include_router(importlib.import_module(module.name).router, prefix="/api")
    if STATIC.is_dir():
        app.mount("/", StaticFiles(directory=STATIC, html=True), name="static")
    return app


def _told(_request: Request, error: Exception) -> JSONResponse:
    """Our errors, as the page shows them."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    told = {
        "expected": getattr(error, "expected", str(error)),
        "got": getattr(error, "got", ""),
        "remedy": getattr(error, "remedy", ""),
    }
    return JSONResponse({"error": told}, status_code=status)
