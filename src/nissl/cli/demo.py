"""`nissl demo`: the main job end to end on recordings with known truth, made on the spot."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nissl.cli.adding import AsJson
from nissl.cli.demo_cells import cells
from nissl.cli.demo_session import session
from nissl.cli.output import say, show
from nissl.errors import BadArgumentError

if TYPE_CHECKING:
    from nissl.data import Recording
    from nissl.labels import LabelSet
    from nissl.project import Project, Source
    from nissl.run.progress import Progress

demos = typer.Typer(no_args_is_help=True, help="See it work on a recording with known truth.")

Out = Annotated[Path, typer.Option(help="Project folder that receives the demo.")]


@demos.command("spikes")
def spikes(
    out: Out = Path("study"),
    method: Annotated[str, typer.Option(help="Task or method.")] = "spikes/nissl",
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    seconds: Annotated[float, typer.Option(help="Length of the recording.")] = 30.0,
    channels: Annotated[int, typer.Option(help="Contacts of the probe.")] = 12,
    units: Annotated[int, typer.Option(help="True units.")] = 6,
    as_json: AsJson = False,
) -> None:
    """Simulate, sort, judge, report, export, read back, and score against the truth."""
    from nissl.annotators.spikes.simulate import simulate
    from nissl.project import Resources, open_project
    from nissl.run.progress import RichProgress

    began = time.monotonic()
    with RichProgress() as progress, open_project(out) as study:
        say(f"simulating {units} units on {channels} channels for {seconds:g} s")
        recording, truth = simulate(
            seed, n_channels=channels, duration_s=seconds, n_units=units, rate_hz=30_000.0
        )
        source = _add(study, recording, out / "recordings" / f"simulated-{seed}.bin")
        resources = Resources(workers=os.cpu_count() or 1, progress=progress)
        draft = study.annotate(source, method, head=True, resources=resources)
        stages = _stages(study, source, progress)
    rows = _score(truth, stages["read_back"])
    show("Accuracy against the truth, from the exported file", rows, as_json=as_json)
    warnings = sum(f.severity != "note" for f in draft.findings)
    say(
        f"{draft.labels.items.size} units by {draft.labels.provenance.author.name}, "
        f"{warnings} warnings in {time.monotonic() - began:.0f} s\n"
        f"report: {stages['report']}\nNWB:    {stages['nwb']} (verified)"
    )


def _add(study: Project, recording: Recording, path: Path) -> Source:
    """Write a simulated recording as acquisition systems do, and add it."""
    signal = recording.signal
    path.parent.mkdir(parents=True, exist_ok=True)
    probe = path.with_suffix(".probe.json")
    if signal.channels.probe is None:
        raise BadArgumentError("a simulation with a probe", "none", "Report this as a bug.")
    probe.write_text(json.dumps(signal.channels.probe))
    signal.read_raw().tofile(path)
    return study.add(
        path,
        rate_hz=signal.rate_hz,
        n_channels=signal.n_channels,
        dtype=str(signal.dtype),
        gain_uv=float(signal.channels.gain_uv[0]),
        probe=probe,
        subject="simulated",
        session="demo",
    )


def _stages(study: Project, source: Source, progress: Progress) -> dict[str, Any]:
    """Report, export and read back, each with its progress."""
    from nissl.io import IMPORTERS

    progress.start("report and export", 3, "files")
    report = study.report(source, "spikes")
    progress.advance("report and export", 1)
    target = study.path / "exports" / f"{source.name}.nwb"
    target.parent.mkdir(exist_ok=True)
    nwb = study.export(source, "nwb", target, overwrite=True)
    progress.advance("report and export", 1)
    read_back = IMPORTERS.get("nwb").read(nwb).labels[0]
    progress.advance("report and export", 1)
    progress.finish("report and export")
    return {"report": report, "nwb": nwb, "read_back": read_back}


def _score(truth: LabelSet, labels: LabelSet) -> list[dict[str, Any]]:
    from nissl.labels.compare import compare

    return list(compare(truth, labels).items.to_pylist())


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    demos.command("session")(session)
    demos.command("cells")(cells)
    app.add_typer(demos, name="demo")
