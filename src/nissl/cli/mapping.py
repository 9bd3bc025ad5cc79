"""`nissl errormap`: who predicts whom among the sources of a project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.aligning import BinSeconds, Duration, Windows, needed
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import say, show

if TYPE_CHECKING:
    from nissl.project.relating.mapping import Compared


def errormap(
    project: ProjectPath,
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources; all that have spikes by default.")
    ] = None,
    windows: Windows = None,
    rule: Annotated[
        str, typer.Option(help="linear, or rotation: the same geometry is asked for too.")
    ] = "linear",
    halves: Annotated[
        str, typer.Option(help="turns, or time: early windows predict late ones, drift counts.")
    ] = "turns",
    group: Annotated[
        list[str] | None,
        typer.Option(help="Does it explain the map? region, subject, state, ...; by animal."),
    ] = None,
    about: Annotated[
        Path | None,
        typer.Option(help="Table source,region,... of what files do not tell of sources."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also units that are called noise.")
    ] = False,
    bin_s: BinSeconds = 0.05,
    duration: Duration = None,
    permutations: Annotated[int, typer.Option(help="Of conditions, for the null.")] = 99,
    seed: Annotated[int, typer.Option(help="Of the permutations.")] = 0,
    memory: Annotated[str, typer.Option(help="Budget for the run, e.g. 4GB.")] = "4GB",
    workers: Annotated[int, typer.Option(help="Processes; 0 means one per core.")] = 0,
    cluster: Annotated[
        str | None, typer.Option(help="tcp://host:8786 or slurm: run on Dask.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; reports/errormap by default.")] = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Predict each population from each other one where nothing was fitted; say why it fails.

    Rows that are finished are kept: after Ctrl-C the same command goes on with the others.
    """
    from nissl.project import Resources, open_project
    from nissl.run.context import parse_memory
    from nissl.run.progress import RichProgress

    budget = parse_memory(memory)
    with RichProgress() as progress, open_project(project, create=False) as study:
        found = study.errormap(
            needed(windows),
            sources or None,
            rule=rule,
            halves=halves,
            group=tuple(group or ()),
            about=about,
            everything=everything,
            bin_s=bin_s,
            duration_s=duration,
            permutations=permutations,
            seed=seed,
            out=out,
            resolve=rule_of(readers),
            resources=Resources(workers or os.cpu_count() or 1, budget, cluster, progress),
        )
    _tell(found)
    rows = [
        {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
        for row in found.table.to_pylist()
        if row["read"] != row["predicted"]
    ]
    show("Error map", rows, as_json=as_json)


def _tell(found: Compared) -> None:
    for name, n in found.left_out.items():
        if n:
            say(f"{n} units of {name} are called noise and left out; --all takes them.")
    say(found.groups.says)
    for one in found.explained:
        say(one.says)
    say(f"The worst pair: {found.worst[1]} predicted from {found.worst[0]}.")
    for reason in found.reasons:
        if not reason.tested:
            say(f"  {reason.name}: {reason.says}")
            continue
        say(
            f"  {reason.name}: {reason.loss:.2f} [{reason.low:.2f}, {reason.high:.2f}] lost. "
            f"{reason.says}"
        )
    for path in found.files:
        say(f"wrote {path}")


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("errormap", short_help="Who predicts whom among populations, and why not.")(
        errormap
    )
