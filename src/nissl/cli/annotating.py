"""`nissl annotate` and `nissl head`: proposing labels, and saying which count."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nissl.cli.adding import (
    AsJson,
    Channels,
    Dtype,
    Format,
    Gain,
    Planes,
    Probe,
    ProjectPath,
    Rate,
    SessionId,
    Spacing,
    SubjectId,
    reader_options,
    voxel,
)
from nissl.cli.output import say, show
from nissl.errors import BadArgumentError, MissingInputError

if TYPE_CHECKING:
    from nissl.project import Project, Source


def annotate(
    path: Annotated[Path, typer.Argument(help="Project folder, or a recording with --out.")],
    task: Annotated[str, typer.Option(help="Task or method: spikes, spikes/tridesclous2.")],
    source: Annotated[str | None, typer.Option(help="One source; all by default.")] = None,
    stream: Annotated[str | None, typer.Option(help="Stream of the recording.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="One shot: add the recording to this project and report.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Parameter of the method, NAME=JSON.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The only source of randomness.")] = 0,
    head: Annotated[bool, typer.Option("--head", help="Let the result count at once.")] = False,
    memory: Annotated[str, typer.Option(help="Budget for the run, e.g. 4GB.")] = "4GB",
    workers: Annotated[int, typer.Option(help="Processes; 0 means one per core.")] = 0,
    cluster: Annotated[
        str | None, typer.Option(help="tcp://host:8786 or slurm: run on Dask.")
    ] = None,
    probe: Probe = None,
    rate: Rate = None,
    channels: Channels = None,
    planes: Planes = None,
    spacing: Spacing = None,
    dtype: Dtype = None,
    gain_uv: Gain = None,
    format: Format = None,
    subject: SubjectId = None,
    session: SessionId = None,
    as_json: AsJson = False,
) -> None:
    """Propose labels for every source of a project, or for one recording in one shot."""
    from nissl.project import Resources, open_project
    from nissl.project.adding import add, prepare
    from nissl.run.context import parse_memory
    from nissl.run.progress import RichProgress
    from nissl.tasks import resolve

    parameters, budget = parameters_of(set_ or []), parse_memory(memory)
    kinds = resolve(task)[0].streams  # before anything is written
    one = None
    if out is not None:
        given = reader_options(
            probe=probe,
            rate_hz=rate,
            n_channels=channels,
            n_planes=planes,
            spacing_um=voxel(spacing),
            dtype=dtype,
            gain_uv=gain_uv,
            format=format,
            subject=subject,
            session=session,
        )
        one = prepare(path, **given)
    rows = []
    with RichProgress() as progress, open_project(out or path, create=out is not None) as study:
        resources = Resources(workers or os.cpu_count() or 1, budget, cluster, progress)
        chosen = (
            [add(study.store, one)] if one is not None else _chosen(study, source, stream, kinds)
        )
        for each in chosen:
            draft = study.annotate(
                each,
                task,
                stream=stream,
                seed=seed,
                head=head,
                resources=resources,
                parameters=parameters,
            )
            for sentence in draft.carried:
                say(sentence)
            rows.append(_row(each.name, draft))
            if out is not None:
                say(f"report: {study.report(each, draft.labels.provenance.task)}")
    show("Annotated", rows, as_json=as_json)


def _chosen(
    study: Project, name: str | None, stream: str | None, kinds: Sequence[str]
) -> list[Source]:
    """The source asked for, or all with the stream; by default with streams the task is for.

    Where no source says that it has such a stream, those of plain arrays do, which do not say.
    """
    from nissl.data.channels import SPIKING

    if name:
        return [study.source(name)]
    sources = study.sources()
    if stream is not None:
        chosen = [each for each in sources if stream in each.row.streams]
    else:
        chosen = [each for each in sources if each.has_kind(kinds)]
        chosen = chosen or [each for each in sources if each.has_kind(SPIKING)]
    for each in sources:
        if each not in chosen:
            say(f"{each.name}: nothing to annotate in its streams {sorted(each.row.streams)}")
    if not chosen:
        raise MissingInputError(
            "a project with recordings to annotate",
            f"{len(sources)} sources in {study.path}, none of them with neural samples",
            f"Add one: nissl add {study.path} RECORDING",
        )
    return chosen


def _row(name: str, draft: Any) -> dict[str, Any]:
    labels = draft.labels
    return {
        "source": name,
        "method": labels.provenance.author.name,
        "rows": labels.n_rows,
        "items": int(labels.items.size),
        "warnings": sum(f.severity != "note" for f in draft.findings),
        "seconds": draft.log.get("wall_s"),
        "from_before": draft.resumed,
        "digest": labels.digest[:12],
    }


def parameters_of(pairs: list[str]) -> dict[str, Any]:
    """Parameters of a method from NAME=JSON; what is no JSON is a string."""
    parameters = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise BadArgumentError("NAME=VALUE", repr(pair), "Write --set detect_threshold=5.5")
        try:
            parameters[name] = json.loads(value)
        except json.JSONDecodeError:
            parameters[name] = value
    return parameters


def head(
    project: ProjectPath,
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    task: Annotated[str, typer.Argument(help="Task whose labels count from now on.")],
    digest: Annotated[str, typer.Argument(help="Label set; the newest by default.")] = "",
    by: Annotated[str | None, typer.Option(help="Who decides; your login by default.")] = None,
) -> None:
    """Declare which labels count: what `export` writes."""
    from nissl.project import open_project

    with open_project(project, create=False) as study:
        chosen = study.set_head(source, task, by=by or getpass.getuser(), digest=digest)
    say(f"head of {task} on {source}: {chosen[:12]}")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("annotate", short_help="Propose labels: of a project, or of one file in one shot.")(
        annotate
    )
    app.command("head")(head)
