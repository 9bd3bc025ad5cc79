"""`nissl add`, `import`, `subject`, `relocate`, `sync`: what a project holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nissl.cli.output import say, show
from nissl.errors import BadArgumentError

ProjectPath = Annotated[Path, typer.Argument(help="Project folder; created when absent.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
Probe = Annotated[Path | None, typer.Option(help="probeinterface JSON of the probe.")]
Rate = Annotated[
    float | None, typer.Option("--rate", help="Samples or frames per second, where not stated.")
]
Channels = Annotated[
    int | None, typer.Option("--channels", help="Channel count, raw files and stacks.")
]
Planes = Annotated[int | None, typer.Option("--planes", help="Planes that take turns in a stack.")]
Spacing = Annotated[
    str | None,
    typer.Option("--spacing", help="Size of a voxel, Z,Y,X in micrometres, where not stated."),
]
Dtype = Annotated[str | None, typer.Option(help="Sample type, raw files (int16, float32).")]
Gain = Annotated[float | None, typer.Option("--gain-uv", help="uV per step, raw files.")]
Format = Annotated[
    str | None, typer.Option("--format", help="Reader to open it with (edf, mne, raw, ...).")
]
SubjectId = Annotated[str | None, typer.Option("--subject", help="Pseudonym of the subject.")]
SessionId = Annotated[str | None, typer.Option("--session", help="Name of the session.")]
Keep = Annotated[
    bool, typer.Option("--keep-identifiers", help="Keep personal identifiers; is recorded.")
]


def voxel(text: str | None) -> list[float] | None:
    """Size of a voxel along z, y and x from "Z,Y,X"."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadArgumentError(
            "three sizes along z, y and x in micrometres",
            repr(text),
            "Write --spacing 1.5,0.33,0.33.",
        ) from None


def reader_options(**given: Any) -> dict[str, Any]:
    """Keep the options that were given."""
    return {k: v for k, v in given.items() if v is not None and v is not False}


def add(
    project: ProjectPath,
    paths: Annotated[list[Path], typer.Argument(help="Recordings, or phy/NWB/ALF folders.")],
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
    reviewer: Annotated[
        str | None, typer.Option(help="Person behind imported human labels.")
    ] = None,
    keep_identifiers: Keep = False,
    as_json: AsJson = False,
) -> None:
    """Add recordings, or work done elsewhere (phy, Kilosort, NWB, ALF); nothing is modified."""
    from nissl.project import open_project
    from nissl.project.adding import add as keep_source
    from nissl.project.adding import prepare

    options = reader_options(
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
        reviewer=reviewer,
        keep_identifiers=keep_identifiers,
    )
    rows = []
    read = [prepare(path, **options) for path in paths]  # a bad path leaves nothing behind
    with open_project(project) as study:
        for each in read:
            source = keep_source(study.store, each)
            sets = study.store.label_sets(source=source.fingerprint)
            rows.append(
                {
                    "name": source.name,
                    "format": source.row.format,
                    "subject": source.row.subject.get("id"),
                    "session": source.row.session.get("id"),
                    "streams": ", ".join(source.row.streams) or "–",
                    "label_sets": len(sets),
                    "fingerprint": source.fingerprint[:12],
                }
            )
            for finding in (*source.findings, *each.claims.findings):
                say(f"{source.name}: {finding.sentence}")
            for labels in sets:
                for found in study.store.findings(labels.digest):
                    if found["check"] == "missing":
                        say(f"{source.name}: {found['sentence']}")
    show("Added", rows, as_json=as_json)


def import_table(
    project: ProjectPath,
    source: Annotated[str, typer.Argument(help="Name of the source the labels belong to.")],
    path: Annotated[
        Path,
        typer.Argument(help="Annotations, a hypnogram, a table of trials, regions, or tracks."),
    ],
    name: Annotated[
        str | None, typer.Option(help="Task of the labels ('sleep', 'trials').")
    ] = None,
    author: Annotated[str | None, typer.Option(help="Who made the labels.")] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Format, where the file does not tell it.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Stream that the labels count.")] = None,
    outside: Annotated[
        str, typer.Option(help="Annotations beyond the recording: error, or cut them off.")
    ] = "error",
    together: Annotated[
        bool, typer.Option("--together", help="Both begin together, whatever starts they state.")
    ] = False,
    start: Annotated[
        str | None, typer.Option(help="When the recording began (ISO), for times of day.")
    ] = None,
    epoch: Annotated[float | None, typer.Option(help="Seconds of a hypnogram's epoch.")] = None,
    coding: Annotated[
        str | None, typer.Option(help="A hypnogram's numbers: yasa, rk or dreams.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option(help="Line with the pulses of the camera whose frames it counts.")
    ] = None,
    n_frames: Annotated[int | None, typer.Option(help="Frames in the camera's file.")] = None,
    frame_numbers: Annotated[
        Path | None, typer.Option(help="Text file: the camera's number of each frame, a line each.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import annotations, hypnograms, trials, behaviour labels, regions or tracks to a source."""
    from nissl.io import IMPORTERS
    from nissl.project import open_project
    from nissl.project.adding import Frames
    from nissl.project.importing import annotation_format
    from nissl.project.points import point_format
    from nissl.project.regions import FORMATS, region_format

    numbers = _numbers(frame_numbers) if frame_numbers is not None else None
    clocked = Frames(frames, n_frames, numbers) if frames is not None else None
    options = reader_options(name=name, author=author, stream=stream)
    reading = reader_options(start=start, epoch_s=epoch, coding=coding)
    with open_project(project, create=False) as study:
        if format_ in FORMATS or (format_ is None and region_format(path) is not None):
            about = reader_options(author=author, stream=stream, format=format_)
            sets = study.add_regions(source, path, **about)
        elif (format_ is None or format_ in IMPORTERS) and point_format(path, format_) is not None:
            about = reader_options(author=author, stream=stream, format=format_)
            sets = study.add_points(source, path, **about)
        elif format_ or reading or (clocked is None and annotation_format(path) is not None):
            reading |= reader_options(format=format_, outside=outside, together=together)
            sets = study.add_annotations(source, path, **options, **reading)
        else:
            sets = (study.add_labels(source, path, **options, **reader_options(frames=clocked)),)
        for labels in sets:
            for finding in study.store.findings(labels.digest):
                say(f"{source}: {finding['sentence']}")
    rows = [
        {
            "task": labels.provenance.task,
            "kind": labels.kind.value,
            "rows": labels.n_rows,
            "author": labels.provenance.author.name,
            "digest": labels.digest[:12],
        }
        for labels in sets
    ]
    show("Imported", rows, as_json=as_json)


def _numbers(path: Path) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in path.read_text().split())
    except (OSError, ValueError) as error:
        raise BadArgumentError(
            f"whole numbers in {path}, one per frame", str(error), "Write them one per line."
        ) from None


def relocate(
    project: ProjectPath,
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    path: Annotated[Path, typer.Argument(help="Where its data are now.")],
) -> None:
    """Tell the project where a moved recording is now; its content must be the same."""
    from nissl.project import open_project
    from nissl.project.adding import relocate as move

    with open_project(project, create=False) as study:
        move(study.store, study.source(source), path)
    say(f"{source} is now read from {path}")


def subject(
    project: ProjectPath,
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    subject: SubjectId = None,
    session: SessionId = None,
    species: Annotated[str | None, typer.Option(help="Species, as NWB and BIDS call it.")] = None,
    region: Annotated[str | None, typer.Option(help="Brain region of the units.")] = None,
) -> None:
    """Set the subject and session of a source; evaluations split by subject."""
    from nissl.project import open_project

    with open_project(project, create=False) as study:
        row = study.source(source).row
        changes = {}
        told = reader_options(id=subject, species=species, region=region)
        if told:
            changes["subject"] = {**row.subject, **told}
        if session is not None:
            changes["session"] = {**row.session, "id": session}
        study.store.update_source(row.fingerprint, **changes)
    given = {"subject": subject, "session": session, "species": species, "region": region}
    words = [f"{k} {v}" for k, v in given.items() if v is not None]
    say(f"{source}: {', '.join(words) or 'unchanged'}")


def sync(
    project: ProjectPath,
    a: Annotated[str, typer.Argument(help="Source whose clock is mapped.")],
    b: Annotated[str, typer.Argument(help="Source whose clock it is mapped onto.")],
    line_a: Annotated[str | None, typer.Option(help="Line of the pulses in A.")] = None,
    line_b: Annotated[str | None, typer.Option(help="Line of the pulses in B.")] = None,
    offset: Annotated[
        float | None,
        typer.Option(help="Rough time of A's second 0 on B's clock, s; regular pulses need it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Match the pulses two devices share, map their clocks, and report the residuals."""
    from nissl.project import open_project

    options = reader_options(line_a=line_a, line_b=line_b, offset_s=offset)
    with open_project(project, create=False) as study:
        result = study.sync(a, b, **options)
    show("Clock map", [result.to_json()], as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("add", short_help="Add recordings, or work done elsewhere (phy, NWB, ALF).")(add)
    app.command("import", short_help="Import trials, events or behaviour to a source.")(
        import_table
    )
    app.command("subject", short_help="Set the subject and session of a source.")(subject)
    app.command("relocate", short_help="Tell where a moved recording is now.")(relocate)
    app.command("sync", short_help="Map the clocks of two devices by shared pulses.")(sync)
