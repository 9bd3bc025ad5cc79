"""`nissl arrows`: which series drives which."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.exporting import Readers, rule_of
from nissl.cli.output import say, show
from nissl.errors import BadArgumentError

_MOST_ROWS = 40


def arrows(
    project: ProjectPath,
    sources: Annotated[
        list[str], typer.Argument(help="Sources on one clock, or one table (.csv, .tsv) of series.")
    ],
    method: Annotated[
        str | None,
        typer.Option(help="gaussian, ksg, rdcm, dcm of series; trains, pointprocess of spikes."),
    ] = None,
    modality: Annotated[
        str | None,
        typer.Option(help="fields, bold or spikes: what may feign a direction."),
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="Channels, columns or units, a comma list; all by default.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Stream of the sources.")] = None,
    bin_s: Annotated[
        float | None, typer.Option("--bin", help="Means of so many seconds instead of samples.")
    ] = None,
    interval: Annotated[float | None, typer.Option(help="Seconds between rows of a table.")] = None,
    inputs: Annotated[
        Path | None, typer.Option(help="Table of known inputs, a row per scan: of rdcm and dcm.")
    ] = None,
    order: Annotated[int | None, typer.Option(help="Samples of each past.")] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Each pair by itself, others not given.")
    ] = False,
    frequencies: Annotated[
        bool, typer.Option("--frequencies", help="Granger causality by frequency too.")
    ] = False,
    spectral: Annotated[
        str | None,
        typer.Option(help="Measures of mne-connectivity, a comma list: coh,wpli."),
    ] = None,
    band: Annotated[str | None, typer.Option(help="Of those measures, FROM,TO in Hz.")] = None,
    surrogates: Annotated[int | None, typer.Option(help="Of tests by surrogates.")] = None,
    alpha: Annotated[float, typer.Option(help="False discovery rate of arrows.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of the surrogates.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder; below reports/ by default.")] = None,
    readers: Readers = None,
    as_json: AsJson = False,
) -> None:
    """Test which series drives which: an arrow, no evidence, or a direction that none can tell."""
    from nissl.project import open_project
    from nissl.run.progress import RichProgress

    with RichProgress() as progress, open_project(project, create=False) as study:
        found = study.arrows(
            sources,
            method=method,
            modality=modality,
            channels=None if channels is None else [c.strip() for c in channels.split(",")],
            stream=stream,
            bin_s=bin_s,
            interval_s=interval,
            inputs=inputs,
            order=order,
            conditional=not pairs,
            frequencies=frequencies,
            spectral=[] if spectral is None else [s.strip() for s in spectral.split(",")],
            band_hz=_band(band),
            surrogates=surrogates,
            alpha=alpha,
            seed=seed,
            out=out,
            resolve=rule_of(readers),
            progress=progress,
        )
    for path in found.files:
        say(f"wrote {path}")
    names = ("source", "target", "estimate", "p", "q", "verdict", "why")
    rows = [{k: row[k] for k in names} for row in found.table.to_pylist()]
    if not as_json:
        rows.sort(key=lambda r: (r["verdict"] == "no evidence", r["verdict"], r["q"]))
        rows = rows[:_MOST_ROWS]
    show(f"Arrows ({found.arrows.method}, {found.arrows.unit})", rows, as_json=as_json)


def _band(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise BadArgumentError("two frequencies in Hz", repr(text), "Write --band 8,12") from None
    return low, high


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("arrows", short_help="Which series drives which, each pair with a verdict.")(arrows)
