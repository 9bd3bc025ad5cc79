"""`nissl traces` and `responses`: the light of neurons, and what stimuli do to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath, reader_options, voxel
from nissl.cli.annotating import parameters_of
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import say, show

_MOST_ROWS = 40
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


def responses(
    project: ProjectPath,
    source: SourceName,
    stimuli: Annotated[
        str,
        typer.Option(help="Table onset,duration,stimulus (.csv, .tsv), or the name of spans."),
    ],
    before: Annotated[
        float, typer.Option(help="Seconds before a stimulus that it is compared with.")
    ] = 3.0,
    after: Annotated[
        float, typer.Option(help="Seconds after its end that an answer to the end lasts.")
    ] = 3.0,
    duration: Annotated[
        float | None, typer.Option(help="Seconds that stimuli last whose end is not told.")
    ] = None,
    outside: Annotated[
        str, typer.Option(help="Stimuli at times not recorded: error, or drop them.")
    ] = "error",
    q: Annotated[float, typer.Option(help="False discovery rate over neurons.")] = 0.05,
    permutations: Annotated[
        int | None, typer.Option(help="Of the tests; by default as many as the neurons need.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the permutations.")] = 0,
    stream: Annotated[str | None, typer.Option(help="Stream of the source.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables and pictures; below reports/ by default.")
    ] = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Test how neurons answer to stimuli: on, off, adaptation, one stimulus against another."""
    from nissl.project import open_project

    with open_project(project, create=False) as study:
        found = study.responses(
            source,
            stimuli,
            before_s=before,
            after_s=after,
            duration_s=duration,
            outside=outside,
            q=q,
            permutations=permutations,
            seed=seed,
            stream=stream,
            out=out or study.path / "reports" / f"{study.source(source).name}.responses",
            resolve=rule_of(readers),
        )
        page = study.report(source, "responses")
    for finding in found.findings:
        say(finding.sentence)
    for path in (*found.files, page):
        say(f"wrote {path}")
    rows = found.table.to_pylist()
    if not as_json:
        rows = [row for row in rows if row["q"] is not None and row["q"] <= q]
        rows.sort(key=lambda row: (row["q"], -abs(row["effect"])))
        rows = [{k: v for k, v in row.items() if k != "unit"} for row in rows[:_MOST_ROWS]]
    show(f"Answers told at a false discovery rate of {q:g}", rows, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("traces", short_help="Light of cells or tracked neurons, ready for rates.")(traces)
    app.command("responses", short_help="Test how neurons answer to stimuli.")(responses)
