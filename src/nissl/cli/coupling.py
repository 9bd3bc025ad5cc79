"""`nissl couple`: what to refine, which windows to use or record next, and when to stop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.aligning import BinSeconds, Duration, Windows, needed
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import say, show

if TYPE_CHECKING:
    from nissl.align.coupling.state import Round


def couple(
    project: ProjectPath,
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources; all that have spikes by default.")
    ] = None,
    windows: Windows = None,
    first: Annotated[int, typer.Option(help="Windows of each condition to begin with.")] = 2,
    step: Annotated[int, typer.Option(help="Windows used at a time.")] = 4,
    budget: Annotated[int | None, typer.Option(help="Windows used at most.")] = None,
    enough: Annotated[
        float, typer.Option(help="Part of what all windows are expected to reach, then stop.")
    ] = 0.95,
    bin_s: BinSeconds = 0.05,
    axes: Annotated[int, typer.Option(help="Of the common space, to begin with.")] = 8,
    smooth_s: Annotated[
        float, typer.Option("--smooth", help="Seconds of smoothing, to begin with.")
    ] = 0.06,
    duration: Duration = None,
    seed: Annotated[int, typer.Option(help="Of the cut in parts and of the nulls.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder; reports/coupling by default.")] = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Align, translate, map, then choose what to refine or use next; until it no longer pays."""
    from nissl.project import open_project
    from nissl.run.progress import RichProgress

    with RichProgress() as progress, open_project(project, create=False) as study:
        found = study.couple(
            needed(windows),
            sources or None,
            first=first,
            step=step,
            budget=budget,
            enough=enough,
            bin_s=bin_s,
            axes=axes,
            smooth_s=smooth_s,
            duration_s=duration,
            seed=seed,
            out=out,
            resolve=rule_of(readers),
            progress=progress,
            told=_Teller(),
        )
    for sentence in found.apart:
        say(sentence)
    for wish in found.wishes[:1]:
        say(
            f"Record next: {wish.source}, condition {wish.condition}; one more window is expected "
            f"to bring {wish.gain:.4f}."
        )
    for path in found.files:
        say(f"wrote {path}")
    rows = [
        {k: round(v, 3) if isinstance(v, float) else v for k, v in one.to_json().items()}
        for one in found.verdict
    ]
    show("Sealed part", rows, as_json=as_json)


class _Teller:
    """Says a line of each round: what was done, its gain, and the gain of all so far."""

    def __init__(self) -> None:
        self._sum = 0.0

    def __call__(self, one: Round) -> None:
        gain = 0.0 if math.isnan(one.gain) else one.gain
        self._sum += gain
        told = f" gain {gain:+.3f}, in all {self._sum:+.3f};" if one.number else ""
        say(f"round {one.number}: {one.says}{told} skill {one.skill:.3f}")


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("couple", short_help="Which windows to use or record next, and when to stop.")(
        couple
    )
