"""The application: routes over a `Room`; who may call them is decided in `security`."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nissl.errors import NisslError
from nissl.review.room import Room
from nissl.web import routes
from nissl.web.faults import body, told, unexpected
from nissl.web.feed import Feed
from nissl.web.files import FrontEnd
from nissl.web.jobs import Jobs
from nissl.web.wire import Json

STATIC = Path(__file__).parent / "static"


def create_app(room: Room, *, static: Path = STATIC) -> FastAPI:
    """Application of one project; every file in `routes` brings a `router`.

    Parameters
    ----------
    room : Room
    static : Path
        Folder of the front end's built files.
    """
    app = FastAPI(
        title="nissl review",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan,
        default_response_class=Json,
    )
    app.state.room = room
    app.state.jobs = Jobs()
    app.state.closing = threading.Event()
    app.state.feed = Feed(room, app.state.closing)
    app.add_exception_handler(NisslError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    for module in pkgutil.iter_modules(routes.__path__, f"{routes.__name__}."):
        app.include_router(importlib.import_module(module.name).router, prefix="/api")
    app.mount("/", FrontEnd(static), name="static")
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    watching = asyncio.create_task(app.state.feed.watch())
    yield
    app.state.closing.set()
    watching.cancel()


def _told(_request: Request, error: Exception) -> Response:
    if not isinstance(error, NisslError):
        return _unexpected(_request, error)
    status, content = told(error)
    return Json(content, status_code=status)


def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        return _unexpected(_request, error)
    first = error.errors()[0] if error.errors() else {}
    where = ".".join(str(part) for part in first.get("loc", ()))
    got = f"{where}: {first.get('msg', 'something else')}"
    return Json(
        body("a request as the page makes it", got[:300], "Reload the page."), status_code=422
    )


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return _unexpected(request, error)
    if not request.url.path.startswith("/api"):
        return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)
    got = f"{error.detail} ({request.method} {request.url.path})"[:300]
    content = body("a request as the page makes it", got, "Reload the page.")
    return Json(content, error.status_code, error.headers)


def _unexpected(_request: Request, error: Exception) -> Response:
    return Json(unexpected(error), status_code=500)
