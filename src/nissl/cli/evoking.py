"""`nissl evoked`: components of event-related potentials with their measurement error."""

from __future__ import annotations

from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.output import show


def evoked(
    project: ProjectPath,
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    window: Annotated[
        list[str],
        typer.Option(help="NAME:CHANNEL:FROM_S:TO_S, with :- behind it where it goes down."),
    ],
    trials: Annotated[str, typer.Option(help="Name of the imported trials.")] = "trials",
    stream: Annotated[str | None, typer.Option(help="Stream of the recording.")] = None,
    most_uv: Annotated[float, typer.Option(help="Trials with a larger swing are left out.")] = 150,
    seed: Annotated[int, typer.Option(help="Of the bootstrap over trials.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Amplitude and latency of evoked components, class by class, each with its standard error."""
    from nissl.project import open_project
    from nissl.project.evoked import parse_window

    windows = [parse_window(text) for text in window]
    with open_project(project, create=False) as study:
        found = study.evoked(
            source, windows, trials=trials, stream=stream, seed=seed, most_uv=most_uv
        )
    rows = [
        {"class": name, "component": one.window.name, "channel": one.window.channel}
        | {k: v for k, v in vars(one).items() if k != "window"}
        for name, one in found
    ]
    show("Evoked components", rows, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("evoked")(evoked)
