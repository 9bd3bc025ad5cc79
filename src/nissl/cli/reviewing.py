"""`nissl review` and `doubts`: labels looked at by people, or again by a model."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.output import say, show


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


def doubts(
    project: ProjectPath,
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    task: Annotated[str, typer.Option(help="Task of the labels.")] = "sleep",
    author: Annotated[str | None, typer.Option(help="Whose labels; the newest by default.")] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask about them in review; makes the labels the head.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who asks; your login by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """List spans of a person (a hypnogram, marked events) that look wrong to a model."""
    from nissl.io.mark_format import from_zero
    from nissl.project import open_project
    from nissl.project.importing import ask_about, suspicious_spans

    with open_project(project, create=False) as study:
        found = study.source(source)
        given, suspects = suspicious_spans(study.store, found, task, author=author)
        clock = from_zero(found.clock(given.provenance.stream))
        starts_s = clock.to_seconds(given.column("start"))
        rows = [
            {
                "item": each.item,
                "start_s": round(float(starts_s[given.rows_of(each.item)[0]]), 3),
                "given": each.given,
                "suggested": each.suggested,
                "probability_wrong": round(each.probability, 3),
            }
            for each in suspects
        ]
        if ask:
            asked = ask_about(study.store, found, (given, suspects), by=by or getpass.getuser())
            say(f"{asked} new questions; they come first in: nissl review {project}")
    name = given.provenance.author.name
    say(f"{len(rows)} of {given.items.size} spans by {name} look wrong to the model")
    show("Doubts", rows, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("review")(review)
    app.command("doubts", short_help="List people's spans that look wrong to a model.")(doubts)
