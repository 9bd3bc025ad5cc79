"""The front end's files, as the package build made them."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

_YEAR = "private, max-age=31536000, immutable"
_ASK = "no-cache"

NOT_BUILT = """The pages of the review app were not built with this copy of nissl.

Expected {folder} with index.html in it, as the package build makes it.
Install nissl again: pip install --force-reinstall --no-deps nissl
From a checkout: pip install -e .
"""


class FrontEnd:
    """ASGI application that serves the built files, or says that they are missing.

    Files of `assets` carry a hash of their content in their names and are kept by the browser;
    everything else is asked for each time, so that an update shows at once.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = StaticFiles(directory=folder, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a file."""
        if not (self._folder / "index.html").is_file():
            text = NOT_BUILT.format(folder=self._folder.name)
            await PlainTextResponse(text, status_code=404)(scope, receive, send)
            return
        path = self._files.get_path(scope)
        response: Response = await self._files.get_response(path, scope)
        hashed = path.replace("\\", "/").startswith("assets/")
        response.headers["cache-control"] = _YEAR if hashed else _ASK
        await response(scope, receive, send)
