"""`nissl demo cells`: from a movie to cells, traces and spike rates, against a known truth."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from nissl.cli.adding import AsJson
from nissl.cli.output import say, show

if TYPE_CHECKING:
    from nissl.annotators.cells.simulate import Simulation
    from nissl.labels import LabelSet
    from nissl.project import Project


def cells(
    out: Annotated[Path, typer.Option(help="Project folder that receives the demo.")] = Path(
        "imaging"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    seconds: Annotated[float, typer.Option(help="Length of the movie.")] = 60.0,
    side: Annotated[int, typer.Option(help="Pixels along each side.")] = 160,
    as_json: AsJson = False,
) -> None:
    """Simulate a two-photon movie, find its cells and their rates, report, and score them."""
    from nissl.annotators.cells.simulate import Scene, simulated
    from nissl.project import Resources, open_project
    from nissl.run.progress import RichProgress

    began = time.monotonic()
    rate_hz = 15.0
    scene = Scene(
        seed=seed, height=side, width=side, rate_hz=rate_hz, n_frames=round(seconds * rate_hz)
    )
    with RichProgress() as progress, open_project(out) as study:
        made = simulated(scene)
        path = _written(made, out / "recordings" / f"simulated-{seed}.tif")
        source = study.add(path, rate_hz=rate_hz, subject="simulated", session="demo")
        resources = Resources(workers=os.cpu_count() or 1, progress=progress)
        draft = study.annotate(
            source,
            "cells",
            head=True,
            resources=resources,
            parameters={"diameter_px": 11.0 / scene.um_per_px},
        )
        traces = next(name for name in draft.derived if name.endswith(".fluorescence"))
        rates = study.annotate(traces, "rates", head=True, resources=resources)
        report = study.report(source, "cells")
        told = study.export(
            source, "suite2p", out / "exports" / source.name, task="cells", overwrite=True
        )
        rows = _score(study, made, draft.labels, traces, rates.derived[0])
    show("Against the truth", rows, as_json=as_json)
    say(
        f"{draft.labels.items.size} regions in {time.monotonic() - began:.0f} s\n"
        f"report: {report}\nSuite2p: {told} (verified)\nnext: nissl review {out}"
    )


def _written(made: Simulation, path: Path) -> Path:
    """Write the movie as microscopes do."""
    import tifffile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path, bigtiff=False) as file:
        for start, stop in made.movie.blocks(100):
            for frame in made.movie.frames(start, stop):
                file.write(frame, contiguous=True)
    return path


def _score(
    study: Project, made: Simulation, labels: LabelSet, traces: str, rates: str
) -> list[dict[str, Any]]:
    """Detection, and how traces and rates of cells that were found go with the true ones."""
    from nissl.annotators.cells.score import score
    from nissl.labels.compare import compare

    truth = made.truth.cells.to_labels(labels.provenance)
    found = score(labels, truth)
    pairs = compare(truth, labels).matching
    active = [k for k in pairs if not made.truth.silent[k]]
    said = study.source(traces).recording.signal
    inferred = study.source(rates).recording.signal
    spikes = _smoothed(made.truth.spikes.astype(np.float64), 0.2 * said.rate_hz)
    rows = [{"what": f"cells: {name}", "value": float(value)} for name, value in found.items()]
    for what, signal, true in (
        ("trace of active cells: median r", said, made.truth.trace),
        ("rate of active cells: median r", inferred, spikes),
    ):
        names = [str(pairs[k]) for k in active]
        own = signal.read(channels=names) if names else np.zeros((len(true), 0))
        each = [_r(own[:, i], true[:, k]) for i, k in enumerate(active)]
        rows.append({"what": what, "value": float(np.nanmedian(each)) if each else float("nan")})
    return rows


def _smoothed(values: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, sigma, axis=0))


def _r(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    known = np.isfinite(a)
    if known.sum() < 3 or not a[known].std() or not b[known].std():
        return float("nan")
    return float(np.corrcoef(a[known], b[known])[0, 1])
