"""`nissl report`, `export` and `snapshot`: what leaves a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.output import say, show

if TYPE_CHECKING:
    from nissl.labels.replay import Rule


Readers = Annotated[
    str | None,
    typer.Option(
        help="How several readers' decisions are combined: majority, adjudicated, or one's name."
    ),
]


def rule_of(readers: str | None) -> Rule | None:
    """How several readers are combined, by the word of the command line."""
    from nissl.labels.replay import adjudicated, by_reviewer, majority

    if readers is None:
        return None
    return {"majority": majority, "adjudicated": adjudicated}.get(readers) or by_reviewer(readers)


def report(
    project: ProjectPath,
    source: Annotated[str | None, typer.Option(help="One source; all by default.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Task to report on; spikes, or the only one.")
    ] = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained HTML file per annotated source."""
    from nissl.project import open_project

    rows = []
    with open_project(project, create=False) as study:
        task = task or study.main_task
        chosen = [study.source(source)] if source else study.annotated(task)
        for each in chosen:
            written = study.report(each, task, resolve=rule_of(readers))
            rows.append({"source": each.name, "report": str(written)})
    show("Reports", rows, as_json=as_json)


def export(
    project: ProjectPath,
    out: Annotated[Path, typer.Argument(help="Folder that receives the export.")],
    to: Annotated[
        str, typer.Option("--to", help="nwb, bids, edf-annotations, csv, ... (see the manual).")
    ],
    source: Annotated[str | None, typer.Option(help="One source; all by default.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Task to export; spikes, or the only one.")
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Export unreviewed drafts.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Export the labels that count, and verify them by reading them back."""
    from nissl.io import EXPORTERS
    from nissl.project import open_project
    from nissl.project.exporting import export as write

    suffix = EXPORTERS.get(to).suffix
    rows = []
    with open_project(project, create=False) as study:
        task = task or study.main_task
        chosen = [study.source(source)] if source else study.annotated(task)
        for each in chosen:
            dossier = study.dossier(each, task, draft=draft, resolve=rule_of(readers))
            # a format without a suffix keeps a dataset, which takes in all recordings
            target = out / f"{each.name}.{task}{suffix}" if suffix else out
            written = write(study.store, dossier, to, target, overwrite=overwrite)
            rows.append(
                {
                    "source": each.name,
                    "written": str(written),
                    "verified": True,
                    "reviewed": f"{dossier.reviewed:.0%}",
                    "draft": dossier.draft,
                }
            )
    show("Exported", rows, as_json=as_json)


def snapshot(
    project: ProjectPath,
    destination: Annotated[Path, typer.Argument(help="New folder for the copy.")],
) -> None:
    """Make a consistent copy of a project, also while others write to it."""
    from nissl.project import open_project

    with open_project(project, create=False) as study:
        study.store.snapshot(destination)
    say(f"snapshot: {destination}")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("report")(report)
    app.command("export", short_help="Export the labels that count, verified by reading back.")(
        export
    )
    app.command("snapshot", short_help="Make a consistent copy of a project.")(snapshot)
