"""`nissl tag` and `nissl purkinje`: ground truth of cell types from experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.output import say, show
from nissl.errors import BadArgumentError

SourceName = Annotated[str, typer.Argument(help="Name of the source whose units are meant.")]
_LIGHT = ("unit", "verdict", "latency_ms", "jitter_ms", "reliability", "salt_p", "q", "waveform_r")
_DRUG = ("unit", "verdict", "before_hz", "after_hz", "washout_hz", "p", "q")
_PAIR = ("complex_unit", "simple_unit", "verdict", "complex_hz", "simple_hz", "ratio", "p", "q")


def tag(
    project: ProjectPath,
    source: SourceName,
    pulses: Annotated[
        str | None, typer.Option(help="Line or events of the light, or a CSV onset[,duration], s.")
    ] = None,
    as_: Annotated[
        str | None, typer.Option("--as", help="Class that the experiment marks, e.g. PV.")
    ] = None,
    within_ms: Annotated[
        float, typer.Option(help="Window after a pulse, and the latest latency, ms.")
    ] = 10.0,
    max_jitter_ms: Annotated[float, typer.Option(help="Largest jitter of an answer, ms.")] = 3.0,
    before: Annotated[
        str | None, typer.Option(help="Drug instead of light: spans before it, or a CSV.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="Spans under the drug.")] = None,
    washout: Annotated[str | None, typer.Option(help="Spans after it.")] = None,
    direction: Annotated[str, typer.Option(help="What the drug makes the class do.")] = "less",
    table: Annotated[
        Path | None, typer.Option(help="Known units instead: a CSV unit,class[,evidence].")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Person behind the table.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for a figure per tagged unit.")] = None,
    seed: Annotated[int, typer.Option(help="The only source of randomness.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Label units whose class an experiment shows: by light, by a drug, or by a table.

    Units without an answer stay open: they are no examples of another class.
    """
    from nissl.project import open_project

    way = _way(pulses, before, after, table)
    with open_project(project, create=False) as study:
        if way == "table":
            found = study.tag_by_table(source, table or Path(), by=by or "")
            columns: tuple[str, ...] = ("unit", "verdict")
        elif way == "drug":
            found = study.tag_by_drug(
                source,
                before=before,
                after=after,
                washout=washout,
                name=as_ or "",
                change=_change(direction),
                seed=seed,
            )
            columns = _DRUG
        else:
            found = study.tag(
                source,
                pulses=pulses,
                name=as_ or "",
                criteria=_criteria(within_ms, max_jitter_ms),
                plots=plots,
                seed=seed,
            )
            columns = _LIGHT
    _tell("Tagged", found, columns, as_json=as_json)


def purkinje(
    project: ProjectPath,
    source: SourceName,
    everything: Annotated[
        bool, typer.Option("--all", help="Show the pairs that are not linked too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Link the complex-spike and simple-spike units of Purkinje cells by the pause between them.

    The two stay two units; nothing is merged.
    """
    from nissl.project import open_project

    with open_project(project, create=False) as study:
        found = study.link_purkinje(source)
    keep = None if everything else {"linked", "doubtful"}
    _tell("Purkinje cells", found, (*_PAIR, "pause_ms"), as_json=as_json, keep=keep)


def _way(pulses: str | None, before: str | None, after: str | None, table: Path | None) -> str:
    given = {
        "light": pulses is not None,
        "drug": before is not None or after is not None,
        "table": table is not None,
    }
    chosen = [name for name, there in given.items() if there]
    if len(chosen) != 1 or (given["drug"] and (before is None or after is None)):
        raise BadArgumentError(
            "one of --pulses NAME, --before NAME with --after NAME, and --table FILE",
            " and ".join(chosen) or "none of them",
            "Say how the units are known.",
        )
    return chosen[0]


def _criteria(within_ms: float, max_jitter_ms: float) -> Any:
    from nissl.annotators.celltypes.optotagging import Criteria

    return Criteria(
        within_ms=within_ms,
        look_ms=max(Criteria.look_ms, 3 * within_ms),
        max_jitter_ms=max_jitter_ms,
    )


def _change(direction: str) -> Any:
    from nissl.annotators.celltypes.pharmacology import Change

    return Change(direction=direction)


def _tell(
    title: str,
    found: Any,
    columns: tuple[str, ...],
    *,
    as_json: bool,
    keep: set[str] | None = None,
) -> None:
    rows = [dict(row) for row in found.tested if keep is None or row["verdict"] in keep]
    if not as_json:
        rows = [{k: row[k] for k in columns} | {"why": row["sentence"]} for row in rows]
    show(title, rows, as_json=as_json)
    for finding in found.findings:
        if finding.item is None or finding.severity == "warning":
            say(finding.sentence)
    say(f"{found.labels.n_rows} labels kept as {found.labels.digest[:12]}")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("tag", short_help="Label units whose class light, a drug or a table shows.")(tag)
    app.command("purkinje", short_help="Link complex and simple spikes of one cell.")(purkinje)
