"""`nissl verify-sorting`: how well a sorter does on this very recording."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nissl.cli.adding import AsJson, Channels, Dtype, Format, Gain, Probe, Rate, reader_options
from nissl.cli.annotating import parameters_of
from nissl.cli.output import say, show, show_json
from nissl.errors import BadArgumentError

if TYPE_CHECKING:
    from nissl.project.sortings import Verified


def verify_sorting(
    recording: Annotated[str, typer.Argument(help="A recording, or with --project a source.")],
    method: Annotated[str, typer.Option(help="Sorter: spikes, spikes/tridesclous2.")] = "spikes",
    project: Annotated[
        Path | None, typer.Option(help="Study whose source it is; it keeps the verdict.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Stream of the recording.")] = None,
    snr: Annotated[str, typer.Option(help="Sizes of added units, over the noise.")] = "4,6,8,12,20",
    rounds: Annotated[int, typer.Option(help="Times that units are added and sorted.")] = 4,
    per_round: Annotated[
        int, typer.Option("--units-per-round", help="Added units; 0: what the probe holds.")
    ] = 0,
    units: Annotated[
        str, typer.Option(help="Their waveforms: own (moved), library, or both.")
    ] = "both",
    library: Annotated[
        Path | None, typer.Option(help="Library of units (.npz, .nwb, CellExplorer folder).")
    ] = None,
    also: Annotated[str | None, typer.Option(help="Another sorter to compare with.")] = None,
    halves: Annotated[
        bool, typer.Option("--halves/--no-halves", help="Sort both halves of the time too.")
    ] = True,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Parameter of the method, NAME=JSON.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The only source of randomness.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; what is finished is kept there.")
    ] = None,
    memory: Annotated[str, typer.Option(help="Budget for the run, e.g. 4GB.")] = "4GB",
    workers: Annotated[int, typer.Option(help="Processes; 0 means one per core.")] = 0,
    probe: Probe = None,
    rate: Rate = None,
    channels: Channels = None,
    dtype: Dtype = None,
    gain_uv: Gain = None,
    format: Format = None,
    as_json: AsJson = False,
) -> None:
    """Add known units to a recording, sort it again, and report what a sorter finds.

    Also: whether its confidence is calibrated here, and how it agrees with itself over halves of
    the time and with another sorter. The recording is not changed.
    """
    from nissl.annotators.spikes.verifying.placing import Design
    from nissl.project import Resources, open_project
    from nissl.project.sortings import Options, verify_sorting, verify_source
    from nissl.run.context import parse_memory
    from nissl.run.progress import RichProgress

    options = Options(
        Design(sizes(snr), rounds, per_round or None),
        units,
        library,
        halves,
        also,
        parameters_of(set_ or []),
        seed,
    )
    budget, given = (
        parse_memory(memory),
        reader_options(
            probe=probe,
            rate_hz=rate,
            n_channels=channels,
            dtype=dtype,
            gain_uv=gain_uv,
            format=format,
        ),
    )
    with RichProgress() as progress:
        resources = Resources(workers or os.cpu_count() or 1, budget, None, progress)
        if project is not None:
            with open_project(project, create=False) as study:
                done = verify_source(
                    study.store,
                    study.source(recording),
                    method,
                    stream=stream,
                    out=out,
                    options=options,
                    resources=resources,
                )
        else:
            from nissl.data.read import read

            opened = read(recording, **given)
            chosen = stream or chosen_stream(opened)
            folder = out or Path(f"{Path(recording).name}.verified")
            done = verify_sorting(opened, chosen, method, folder, options, resources)
    _tell(done, as_json=as_json)


def sizes(text: str) -> tuple[float, ...]:
    """Signal-to-noise ratios of "4,6,8"."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BadArgumentError("numbers with commas", repr(text), "Write --snr 4,8,12.") from None


def chosen_stream(recording: Any) -> str:
    """The only stream of spikes, else the only stream."""
    from nissl.data.channels import SPIKING

    streams = recording.streams
    some = [n for n, s in streams.items() if s.channels.kind in SPIKING] or list(streams)
    if len(some) != 1:
        raise BadArgumentError(
            "one stream with spikes", f"{sorted(streams)}", "Choose one with --stream NAME."
        )
    return str(some[0])


def _tell(done: Verified, *, as_json: bool) -> None:
    found = done.found
    for note in found.notes:
        say(note)
    for path in done.files:
        say(f"wrote {path}")
    if as_json:
        show_json(found.to_json())
        return
    rows = [
        {
            "snr": b.name,
            "units": b.n,
            "recall": b.recall.estimate,
            "recall_low": b.recall.low,
            "recall_high": b.recall.high,
            "precision": b.precision.estimate,
            "fates": ", ".join(f"{n} {fate}" for fate, n in b.fates.items()),
        }
        for b in (*found.by_snr, found.overall)
    ]
    show("Added units", rows, as_json=False)
    for each in (found.halves, found.sorters):
        if each is not None:
            say(
                f"{each.a} and {each.b}: {each.share.estimate:.2f} of {each.n_a} units have a "
                f"partner among {each.n_b}, mean agreement {each.mean.estimate:.2f}"
            )
    say(found.verdict.sentence)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("verify-sorting", short_help="How well a sorter does on this very recording.")(
        verify_sorting
    )
