"""`nissl translate`: one source predicted from another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.aligning import BinSeconds, Duration, Windows, needed
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import show, tell
from nissl.errors import BadArgumentError

if TYPE_CHECKING:
    from nissl.project.relating.carrying import CarriedOver


def translate(
    project: ProjectPath,
    a: Annotated[str, typer.Argument(help="What is read.")],
    b: Annotated[str, typer.Argument(help="What is predicted.")],
    windows: Windows = None,
    unpaired: Annotated[
        bool,
        typer.Option(
            "--unpaired",
            help="Not of the same time: carry the rule of how one goes on over to the other, "
            "and back.",
        ),
    ] = False,
    method: Annotated[
        str | None,
        typer.Option(
            help="ridge, or a network over lags: tcn, transformer (PyTorch). Unpaired: an aligner, "
            "transport by default."
        ),
    ] = None,
    bin_s: BinSeconds = 0.05,
    lags: Annotated[
        str, typer.Option(help="Bins by which the first is later, a comma list.")
    ] = "-2,-1,0,1,2",
    read_stream: Annotated[
        str | None, typer.Option(help="Read this stream of slow signals (LFP, EEG, MEG).")
    ] = None,
    predict_stream: Annotated[str | None, typer.Option(help="Predict this stream.")] = None,
    read_band: Annotated[
        str | None, typer.Option(help="Read the envelope of a band of slow signals: 8-12 (Hz).")
    ] = None,
    predict_band: Annotated[str | None, typer.Option(help="Predict such an envelope.")] = None,
    same_clock: Annotated[
        bool, typer.Option("--same-clock", help="One clock recorded both.")
    ] = False,
    axes: Annotated[int, typer.Option(help="Unpaired: axes of the common space.")] = 10,
    steps: Annotated[int, typer.Option(help="Unpaired: bins ahead.")] = 5,
    adapt_on: Annotated[
        int, typer.Option("--adapt-on", help="Unpaired: windows that correct the rule.")
    ] = 5,
    duration: Duration = None,
    permutations: Annotated[int, typer.Option(help="Of each null.")] = 49,
    seed: Annotated[int, typer.Option(help="Of folds and nulls.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder; below reports/ by default.")] = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Predict one source from another, tested on windows left out, beside what chance gives."""
    from nissl.project import open_project

    shared: dict[str, Any] = {
        "bin_s": bin_s,
        "duration_s": duration,
        "permutations": permutations,
        "seed": seed,
        "out": out,
        "resolve": rule_of(readers),
    }
    if method is not None:
        shared["method"] = method
    own = {"n_axes": axes, "n_steps": steps, "adapt_on": adapt_on}
    with open_project(project, create=False) as study:
        if unpaired:
            _show_carried(study.carry(a, b, needed(windows), **shared, **own), as_json=as_json)
            return
        found = study.translate(
            a,
            b,
            needed(windows),
            lags=_whole_numbers(lags),
            streams=(read_stream, predict_stream),
            bands=(read_band, predict_band),
            same_clock=same_clock,
            **shared,
        )
    tell(found)
    told = found.translation
    columns = (told.skill, told.shuffled.mean(axis=0), told.scrambled.mean(axis=0), told.precision)
    rows = [
        {"unit": int(unit), "skill": round(float(s), 3), "shuffled": round(float(h), 3),
         "scrambled": round(float(c), 3), "precision": round(float(p), 3)}
        for unit, s, h, c, p in zip(found.units, *columns, strict=True)
    ]  # fmt: skip
    show(f"{b} from {a}: skill {told.overall:.2f}, p {told.p:.3f}", rows, as_json=as_json)


def _show_carried(found: CarriedOver, *, as_json: bool) -> None:
    tell(found)
    rows = [
        {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
        for row in found.table.to_pylist()
    ]
    show("Rules carried over", rows, as_json=as_json)


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise BadArgumentError(
            "whole numbers with commas between them", repr(text), "Write --lags=-1,0,1"
        ) from None


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("translate", short_help="One source predicted from another, beside chance.")(
        translate
    )
