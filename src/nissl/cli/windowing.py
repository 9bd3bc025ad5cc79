"""`nissl windows`: what recordings share, how much is needed, how long it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.aligning import BinSeconds, Duration
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import say, show, tell

windows = typer.Typer(
    help="Windows by which recordings can be compared.", no_args_is_help=True, rich_markup_mode=None
)
Trials = Annotated[
    list[str] | None,
    typer.Option(
        "--trials", help="A set of spans, or a table onset,duration,stimulus; one, or one each."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder; below reports/ by default.")]


@windows.command("find")
def find(
    project: ProjectPath,
    sources: Annotated[
        list[str] | None, typer.Argument(help="Two or more sources; all with spikes by default.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="rest (default), stimulus, movement, 'both modalities'."),
    ] = None,
    trials: Trials = None,
    rest: Annotated[
        str | None, typer.Option(help="Spans that somebody marked as rest: nothing is looked for.")
    ] = None,
    movement: Annotated[
        str | None, typer.Option(help="Another source with a signal of movement.")
    ] = None,
    least: Annotated[float, typer.Option(help="Seconds of the shortest window.")] = 10.0,
    bin_s: BinSeconds = 0.05,
    duration: Duration = None,
    same_clock: Annotated[
        bool, typer.Option("--same-clock", help="All sources count the same seconds.")
    ] = False,
    out: Out = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Find and describe windows that recordings share; keep them as spans, to be reviewed."""
    from nissl.project import open_project

    with open_project(project, create=False) as study:
        found = study.windows(
            sources or None,
            kinds=tuple(kind or ("rest",)),
            trials=tuple(trials or ()),
            rest=rest,
            movement=movement,
            least_s=least,
            bin_s=bin_s,
            duration_s=duration,
            same_clock=same_clock,
            out=out,
            resolve=rule_of(readers),
        )
    for overlap in found.overlaps:
        for name, counts in overlap.counts.items():
            say(f"{overlap.kind}: {name}: {', '.join(map(str, counts))} windows")
        name, missing = overlap.weakest
        if missing:
            say(
                f"{overlap.kind}: {100 * overlap.completeness:.0f} % of the metadata is known; "
                f"least of {name}, of which {', '.join(missing)} is missing."
            )
    tell(found)
    show("Windows", found.table.to_pylist(), as_json=as_json)


@windows.command("need")
def need(
    project: ProjectPath,
    a: Annotated[str, typer.Argument(help="One source.")],
    b: Annotated[str, typer.Argument(help="The other.")],
    trials: Trials = None,
    measure: Annotated[
        str,
        typer.Option(help="skill, turn (the right one without labels), or likeness over chance."),
    ] = "skill",
    goal: Annotated[float | None, typer.Option(help="Skill that is wanted; 0.5.")] = None,
    power: Annotated[float, typer.Option(help="Probability of reaching it.")] = 0.8,
    bin_s: BinSeconds = 0.05,
    duration: Duration = None,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    out: Out = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """How many windows, and minutes, two recordings need to be comparable: a power estimate."""
    from nissl.errors import BadArgumentError
    from nissl.project import open_project

    if not trials:
        raise BadArgumentError(
            "trials that both sources have", "none", "Name them: --trials A.csv --trials B.csv"
        )
    with open_project(project, create=False) as study:
        found = study.needed(
            a,
            b,
            trials,
            measure=measure,
            goal=goal,
            power=power,
            bin_s=bin_s,
            duration_s=duration,
            seed=seed,
            out=out,
            resolve=rule_of(readers),
        )
    tell(found)
    told = found.need
    row = {
        "measure": told.measure,
        "goal": told.goal,
        "power": told.power,
        "windows": told.windows,
        "low": told.low,
        "high": told.high,
        "minutes": told.seconds / 60,
        "have": told.have,
    }
    show(f"{a} and {b}", [row], as_json=as_json)


@windows.command("held")
def held(
    project: ProjectPath,
    source: Annotated[str, typer.Argument(help="Hours of the same units.")],
    minutes: Annotated[float, typer.Option(help="Of a piece.")] = 10.0,
    bin_s: BinSeconds = 0.1,
    axes: Annotated[int, typer.Option(help="Of the space.")] = 6,
    smooth: Annotated[float, typer.Option(help="Seconds, standard deviation.")] = 0.1,
    permutations: Annotated[int, typer.Option(help="Of each null.")] = 99,
    seed: Annotated[int, typer.Option(help="Of the nulls.")] = 0,
    out: Out = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """How long geometry and dynamics hold over hours; pieces are kept as spans."""
    from nissl.project import open_project

    with open_project(project, create=False) as study:
        found = study.held(
            source,
            minutes=minutes,
            bin_s=bin_s,
            n_axes=axes,
            smooth_s=smooth,
            permutations=permutations,
            seed=seed,
            out=out,
            resolve=rule_of(readers),
        )
    tell(found)
    rows = [{k: round(v, 3) for k, v in row.items()} for row in found.table.to_pylist()]
    show(f"{source} against its first piece", rows, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(windows, name="windows")
