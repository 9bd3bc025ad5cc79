"""`nissl align`: relating two sources of a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import say, show, tell
from nissl.errors import BadArgumentError

if TYPE_CHECKING:
    from nissl.project.relating.comparing import Overlap

Windows = Annotated[
    list[str] | None,
    typer.Option(
        "--windows",
        help="Trials, laps or rests: a set of spans, or a table onset,duration,stimulus each.",
    ),
]
BinSeconds = Annotated[float, typer.Option("--bin", help="Seconds per bin.")]
Duration = Annotated[
    float | None, typer.Option(help="Seconds that windows last whose end is not told.")
]


def align(
    project: ProjectPath,
    sources: Annotated[
        list[str],
        typer.Argument(help="The first day's source, the second's; of overlap also more."),
    ],
    by: Annotated[
        str,
        typer.Option(
            help="cells: the same cells of one field; waveform: the same units of one probe; "
            "overlap: windows that both have, other units."
        ),
    ] = "cells",
    everything: Annotated[
        bool, typer.Option("--all", help="Also regions that are called no cells.")
    ] = False,
    activity: Annotated[
        bool, typer.Option("--activity", help="Take how the cells fired as evidence too.")
    ] = False,
    windows: Windows = None,
    method: Annotated[
        str, typer.Option(help="Of overlap: transport (needs no labels), procrustes, cca, ...")
    ] = "transport",
    space: Annotated[
        str, typer.Option(help="Of overlap: own latents by pca, fa, or gpfa (learns timescales).")
    ] = "pca",
    behaviour: Annotated[
        list[str] | None,
        typer.Option(help="Of overlap: a channel, or a table time,value each; decoders compared."),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Of overlap: write the maps as ONNX models too.")
    ] = False,
    hide: Annotated[
        bool, typer.Option("--hide-labels", help="Of overlap: do not use conditions of windows.")
    ] = False,
    bin_s: BinSeconds = 0.05,
    axes: Annotated[int, typer.Option(help="Of overlap: axes of the common space.")] = 10,
    duration: Duration = None,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Of overlap: folder; below reports/ by default.")
    ] = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Relate sources: the same cells on two days, or populations in one space."""
    from nissl.project import open_project

    if by == "overlap":
        with open_project(project, create=False) as study:
            both = study.overlap(
                sources[0],
                sources[1:],
                needed(windows),
                method=method,
                space=space,
                behaviour=tuple(behaviour or ()),
                onnx=onnx,
                labels=not hide,
                bin_s=bin_s,
                n_axes=axes,
                duration_s=duration,
                seed=seed,
                out=out,
                resolve=rule_of(readers),
            )
        _show_overlap(both, as_json=as_json)
        return
    from nissl.project.relating.aligning import Alignment

    a, b = _two(sources)
    with open_project(project, create=False) as study:
        found = study.align(a, b, by=by, everything=everything, activity=activity, out=out)
    for finding in found.findings:
        say(finding.sentence)
    if not isinstance(found, Alignment):
        for path in found.files:
            say(f"wrote {path}")
        show("Aligned", [{"a": a, "b": b} | found.summary()], as_json=as_json)
        return
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


def _two(sources: list[str]) -> tuple[str, str]:
    if len(sources) != 2:
        raise BadArgumentError(
            "two sources", f"{len(sources)}", "Name two; more than two go with --by overlap."
        )
    return sources[0], sources[1]


def needed(windows: list[str] | None) -> list[str]:
    """Windows, which these commands cannot do without."""
    if not windows:
        raise BadArgumentError(
            "windows that the sources share",
            "none",
            "Name a set of spans, or tables: --windows trials, or --windows A.csv --windows B.csv",
        )
    return windows


def _show_overlap(found: Overlap, *, as_json: bool) -> None:
    tell(found)
    for name in found.sources:
        say(f"source {name}")
    rows = [
        {
            "source": name,
            "likeness": how,
            "value": round(value.value, 3),
            "chance": round(value.null_mean, 3),
            "p": round(value.p, 4),
        }
        for name, likeness in zip(found.sources[1:], found.likenesses, strict=True)
        for how, value in likeness.items()
    ]
    for name, links in zip(found.sources[1:], found.links, strict=True):
        confidence = links.column("confidence")
        known = bool((confidence == confidence).all())
        same = int((links.column("label") == 0).sum())
        told = f"{same} of {links.n_rows}" if known else "unknown, too few conditions"
        say(f"axes of {name} that are the reference's: {told} (links {links.digest[:12]})")
    sure = found.aligned.facts.get("probability")
    if sure and sure[0] == sure[0]:
        say(f"right turn with probability {sure[0]:.2f}")
    show("Geometry of conditions beside the reference's", rows, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("align", short_help="The same cells on two days, or populations in one space.")(
        align
    )
