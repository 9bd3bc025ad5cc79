"""`nissl review`: the web app, on this machine or over one port forwarded by ssh."""

from __future__ import annotations

from typing import Annotated

import typer

from nissl.cli.adding import ProjectPath
from nissl.cli.output import say


def review(
    project: ProjectPath,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1; a free one by default.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether a browser is opened.")
    ] = True,
) -> None:
    """Review labels in the browser; decisions are kept as they are made. Ctrl-C ends it."""
    from nissl.web.serve import serve

    serve(project, port=port, browser=browser, say=say)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("review")(review)
