"""`nissl align`: relating two sources of a project."""

from __future__ import annotations

from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.output import say, show


def align(
    project: ProjectPath,
    a: Annotated[str, typer.Argument(help="The first day's source.")],
    b: Annotated[str, typer.Argument(help="The second day's source.")],
    by: Annotated[str, typer.Option(help="What relates them: cells.")] = "cells",
    everything: Annotated[
        bool, typer.Option("--all", help="Also regions that are called no cells.")
    ] = False,
    activity: Annotated[
        bool, typer.Option("--activity", help="Take how the cells fired as evidence too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the same cells on two days; the links are kept and can be reviewed."""
    from nissl.project import open_project

    with open_project(project, create=False) as study:
        found = study.align(a, b, by=by, everything=everything, activity=activity)
    for finding in found.findings:
        say(finding.sentence)
    same = len(found.matches.chosen)
    row = {
        "a": a,
        "b": b,
        "same": same,
        "doubtful": found.labels.n_rows - same,
        "expected_wrong": round(float((1 - found.matches.same[found.matches.chosen]).sum()), 2),
        "correlation": round(found.registration.correlation, 3),
        "moved_px": round(found.registration.shift_px, 2),
        "digest": found.labels.digest[:12],
    }
    show("Aligned", [row], as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("align", short_help="Find the same cells on two days.")(align)
