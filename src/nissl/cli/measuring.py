"""`nissl traces`: the light of cells and tracked neurons, as sources."""

from __future__ import annotations

from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath, reader_options, voxel
from nissl.cli.annotating import parameters_of
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import say, show

SourceName = Annotated[str, typer.Argument(help="Name of the source.")]


def traces(
    project: ProjectPath,
    source: SourceName,
    task: Annotated[
        str | None, typer.Option(help="cells or tracks, where the movie has labels of both.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Of tracks: two-channel, ratio, or first (the first channel alone)."),
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="Of tracks: streams, marker before indicator: red,green.")
    ] = None,
    radius: Annotated[
        float | None, typer.Option(help="Of tracks: radius of a neuron, micrometres.")
    ] = None,
    spacing: Annotated[
        str | None, typer.Option(help="Of tracks: size of a voxel, Z,Y,X um, where not stated.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Parameter, NAME=JSON (of cells: baseline_s).")
    ] = None,
    memory: Annotated[str, typer.Option(help="Budget for the run, e.g. 4GB.")] = "4GB",
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Extract the traces of cells or tracked neurons, as people left them, ready for `rates`."""
    from nissl.project import Resources, open_project
    from nissl.run.context import parse_memory
    from nissl.run.progress import RichProgress

    given = parameters_of(set_ or []) | reader_options(
        model=model,
        channels=channels.split(",") if channels is not None else None,
        radius_um=radius,
        spacing_um=voxel(spacing),
    )
    budget = parse_memory(memory)
    with RichProgress() as progress, open_project(project, create=False) as study:
        found = study.traces(
            source,
            task=task,
            parameters=given,
            resolve=rule_of(readers),
            resources=Resources(memory_bytes=budget, progress=progress),
        )
        rows = [
            {
                "source": name,
                "traces": len(facts["channels"]["ids"]),
                "samples": facts["n_samples"],
                "rate_hz": facts["rate_hz"],
                "from_before": found.resumed,
            }
            for name in found.sources
            for facts in study.source(name).row.streams.values()
        ]
    for finding in found.findings:
        say(finding.sentence)
    show("Traces", rows, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("traces", short_help="Light of cells or tracked neurons, ready for rates.")(traces)
