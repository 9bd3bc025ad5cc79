"""`nissl explain`: why the sorter gave spikes to their units."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.output import say, show_json, tell


def explain(
    project: ProjectPath,
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    unit: Annotated[
        list[int] | None, typer.Option(help="Unit of the labels; repeat for several, all without.")
    ] = None,
    at: Annotated[
        float | None, typer.Option(help="Also the spike of each unit nearest to this second.")
    ] = None,
    spikes: Annotated[int, typer.Option(help="Spikes of a unit that are looked at.")] = 200,
    out: Annotated[
        Path | None, typer.Option(help="Folder of pictures and facts; reports of the project.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; 0 means one per core.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Explain units and spikes of a sorting by spikes/nissl.

    What is left of the samples, which unit came second, and the channels that decided. The sorter
    is fitted again first, which takes as long as it did when it looked for units.
    """
    from nissl.project import Resources, open_project
    from nissl.run.progress import RichProgress

    with RichProgress() as progress, open_project(project, create=False) as study:
        found = study.explain(
            source,
            unit or (),
            at_s=at,
            most=spikes,
            out=out,
            resources=Resources(workers or os.cpu_count() or 1, progress=progress),
        )
    if as_json:
        show_json(list(found.units))
    else:
        for sentence in found.sentences:
            typer.echo(sentence)
    tell(found)
    from nissl.report.explanations import SURE

    say(SURE)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("explain", short_help="Why the sorter gave spikes to their units.")(explain)
