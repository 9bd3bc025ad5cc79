"""`nissl evidence`: the checklist of a claim."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import say, show
from nissl.errors import BadArgumentError


def evidence(
    project: ProjectPath,
    claim: Annotated[str, typer.Argument(help="Name of a claim of the study, or its file.")],
    new: Annotated[
        bool, typer.Option("--new", help="Make a claim of this name instead of testing one.")
    ] = False,
    says: Annotated[str | None, typer.Option(help="Of a new claim: what it claims.")] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Of a new claim: a source, two or more times.")
    ] = None,
    windows: Annotated[
        list[str] | None,
        typer.Option(
            help="Of a new claim: windows of all sources, or of each, named by condition."
        ),
    ] = None,
    bin_s: Annotated[float, typer.Option("--bin", help="Of a new claim: seconds per bin.")] = 0.05,
    rule: Annotated[
        str, typer.Option(help="Of a new claim: linear, or rotation (the same geometry).")
    ] = "linear",
    axes: Annotated[
        int | None, typer.Option(help="Of a new claim: how many shared axes carry it.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(help="Seconds that windows last whose end is not told.")
    ] = None,
    permutations: Annotated[int, typer.Option(help="Of conditions, for every test.")] = 199,
    seed: Annotated[int, typer.Option(help="Of the permutations.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder; below reports/ by default.")] = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Test a claim item by item on data that nothing was fitted on, and write the checklist."""
    from nissl.project import open_project
    from nissl.run.progress import RichProgress

    if new:
        if says is None or not source or not windows:
            raise BadArgumentError(
                "what a new claim says, its sources and their windows",
                f"says: {says is not None}, sources: {source or []}, windows: {windows or []}",
                "Give --says '...' --source A --source B --windows trials",
            )
        with open_project(project, create=False) as study:
            path = study.claim(claim, says, source, windows, bin_s=bin_s, rule=rule, axes=axes)
        say(f"wrote {path}; interventions, drives and metadata can be added to it by hand")
        return
    with RichProgress() as progress, open_project(project, create=False) as study:
        found = study.evidence(
            claim,
            duration_s=duration,
            permutations=permutations,
            seed=seed,
            out=out,
            resolve=rule_of(readers),
            progress=progress,
        )
    for path in found.files:
        say(f"wrote {path}")
    names = ("name", "verdict", "value", "p", "q", "n", "unit", "says", "needs")
    rows = [{k: row[k] for k in names} for row in found.checklist.table().to_pylist()]
    if not as_json:
        rows = [{k: v for k, v in row.items() if k not in ("says", "needs")} for row in rows]
        for item in found.checklist.items:
            say(f"{item.name}: {item.says}")
            if item.needs:
                say(f"  What would help: {item.needs}")
    show("Evidence", rows, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("evidence", short_help="What speaks for a claim, item by item.")(evidence)
