"""`nissl show`, `tasks` and `verify`: what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nissl.cli.adding import (
    AsJson,
    Channels,
    Dtype,
    Format,
    Gain,
    Planes,
    Probe,
    Rate,
    Spacing,
    reader_options,
    voxel,
)
from nissl.cli.output import say, show, show_json


def show_path(
    path: Annotated[Path, typer.Argument(help="A project folder or a recording.")],
    source: Annotated[str | None, typer.Option(help="Findings of one source.")] = None,
    probe: Probe = None,
    rate: Rate = None,
    channels: Channels = None,
    planes: Planes = None,
    spacing: Spacing = None,
    dtype: Dtype = None,
    gain_uv: Gain = None,
    format: Format = None,
    as_json: AsJson = False,
) -> None:
    """Show the sources and labels of a project, or the streams of a recording."""
    from nissl.project import open_project

    if not (path / "project.toml").exists():
        options = reader_options(
            probe=probe,
            rate_hz=rate,
            n_channels=channels,
            n_planes=planes,
            spacing_um=voxel(spacing),
            dtype=dtype,
            gain_uv=gain_uv,
            format=format,
        )
        _recording(path, options, as_json=as_json)
        return
    with open_project(path, create=False) as study:
        if source is not None:
            findings = _findings(study, source)
            if not as_json:
                said = ("item", "severity", "sentence")
                findings = [{k: row[k] for k in said} for row in findings]
            show(f"Findings on {source}", findings, as_json=as_json)
            return
        rows = []
        for each in study.sources():
            sets = study.store.label_sets(source=each.fingerprint)
            rows += [_label_row(study, each, row) for row in sets] or [_source_row(each)]
        show(str(path), rows, as_json=as_json)


def _recording(path: Path, options: dict[str, Any], *, as_json: bool) -> None:
    """Streams of a recording; for people also how the names of its channels were understood.

    Movies are in a table of their own for people, and among the streams in JSON.
    """
    from nissl.annotators.eeg_checks import FORMATS
    from nissl.data.electrodes import electrodes
    from nissl.data.read import read

    recording = read(path, **options)
    rows = [
        {
            "stream": name,
            "channels": signal.n_channels,
            "rate_hz": signal.rate_hz,
            "seconds": signal.duration_s,
            "dtype": str(signal.dtype),
            "geometry": signal.channels.has_geometry,
            "subject": recording.subject.id,
        }
        for name, signal in recording.items()
    ]
    named = {n: electrodes(s.channels.ids, s.channels.types) for n, s in recording.items()}
    if as_json and recording.format in FORMATS:
        rows = [r | {"electrodes": [vars(e) for e in named[str(r["stream"])]]} for r in rows]
    if as_json:
        movies = [_movie_facts(recording, movie) for movie in recording.movies.values()]
        show_json([*rows, *movies])
        return
    movies = [_movie_row(recording, movie) for movie in recording.movies.values()]
    if rows or not movies:
        show(str(path), rows, as_json=False)
    if movies:
        show(f"movies of {path}", movies, as_json=False)
    for note in recording.notes:
        say(note)
    if recording.format not in FORMATS:
        return
    for name, found in named.items():
        meanings = [
            {
                "channel": e.given,
                "electrode": e.name,
                "type": e.type if e.known else "misc (unknown)",
                "reference": e.reference,
            }
            for e in found
        ]
        show(f"\nchannels of {name}", meanings, as_json=False)


def _movie_facts(recording: Any, movie: Any) -> dict[str, Any]:
    return {
        "stream": movie.name,
        "frames": movie.n_frames,
        "rate_hz": movie.rate_hz,
        "seconds": movie.duration_s,
        "shape": movie.shape,
        "spacing_um": movie.spacing_um,
        "dtype": str(movie.dtype),
        "gaps": len(movie.clock.segments) - 1,
        "metadata": dict(movie.metadata),
        "subject": recording.subject.id,
    }


def _movie_row(recording: Any, movie: Any) -> dict[str, Any]:
    planes, height, width = movie.shape
    spacing = movie.spacing_um
    return {
        "stream": movie.name,
        "frames": movie.n_frames,
        "rate_hz": movie.rate_hz,
        "seconds": movie.duration_s,
        "planes": planes,
        "pixels": f"{height} x {width}",
        "pixel_um": None if spacing is None else f"{spacing[1]:.3g} x {spacing[2]:.3g}",
        "step_um": None if spacing is None or planes == 1 else spacing[0],
        "dtype": str(movie.dtype),
        "gaps": len(movie.clock.segments) - 1,
        "subject": recording.subject.id,
    }


def _source_row(source: Any) -> dict[str, Any]:
    return {
        "source": source.name,
        "raw": source.has_raw,
        "task": None,
        "kind": None,
        "author": None,
        "items": None,
        "rows": None,
        "head": None,
        "digest": None,
    }


def _label_row(study: Any, source: Any, row: Any) -> dict[str, Any]:
    return _source_row(source) | {
        "task": row.task,
        "kind": row.kind,
        "author": row.author.name,
        "items": row.n_items,
        "rows": row.n_rows,
        "head": study.store.head(source.fingerprint, row.task) == row.digest,
        "digest": row.digest[:12],
    }


def _findings(study: Any, source: str) -> list[dict[str, Any]]:
    found = study.source(source)
    rows = [{"task": None, **finding.to_json()} for finding in found.findings]
    for labels in study.store.label_sets(source=found.fingerprint):
        for finding in study.store.findings(labels.digest):
            rows.append({"task": labels.task, **finding})
    return rows


def tasks(
    name: Annotated[str | None, typer.Argument(help="A method: show its parameters.")] = None,
    as_json: AsJson = False,
) -> None:
    """List tasks and methods: what is installed, and what each needs."""
    from nissl.tasks import ANNOTATORS, TASKS

    if name is not None and "/" in name:
        method = ANNOTATORS.get(name)
        rows = [{"parameter": k, "default": v} for k, v in method.defaults().items()]
        show(f"{name} {method.version}", rows, as_json=as_json)
        return
    rows = []
    for task_name in [name] if name else TASKS.names():
        task = TASKS.get(task_name)
        default_found = False
        for method_name in task.methods:
            method = ANNOTATORS.get(method_name)
            missing = dict(method.missing())
            rows.append(
                {
                    "method": method_name,
                    "installed": not missing,
                    "default": not missing and not default_found,
                    "gives": task.gives.value,
                    "needs": ", ".join(task.needs) or "a recording",
                    "install_with": next(iter(missing.values()), None),
                }
            )
            default_found = default_found or not missing
    show("Tasks and methods", rows, as_json=as_json)


def verify(
    project: Annotated[Path, typer.Argument(help="Project folder.")],
    full: Annotated[bool, typer.Option("--full", help="Hash the raw files whole.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that raw files and label files are what the journal says they are."""
    from nissl.project import open_project
    from nissl.project.verifying import verify as check

    with open_project(project, create=False) as study:
        rows = check(study.store, full=full)
    show("Verified", rows, as_json=as_json)
    if any(row["state"] == "differs" for row in rows):
        say("nissl: some files are not what the journal says; restore them from a copy.")
        raise typer.Exit(5)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("show", short_help="Show what a project or a recording holds.")(show_path)
    app.command("tasks")(tasks)
    app.command("verify", short_help="Check that files are what the journal says.")(verify)
