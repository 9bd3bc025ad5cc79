"""Speed and memory of the whole way from a movie to spikes; part of `cells.py`, or alone.

    python benchmarks/_cells_speed.py [--quick] [--out DIR]

Movies of 512 x 512 pixels are simulated; motion is taken out, cells are found, traces extracted
and deconvolved, with one worker. At 2,000 frames the movie is a TIFF file that Suite2p reads too,
in a process of its own, right after ours, where NISSL_SUITE2P_PYTHON names its interpreter. Longer
movies are simulated while they are read; the seconds spent on that are told apart. Also: how many
frames a second are placed online.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _common import Cell, arguments, finite, machine, run_cell, table

SIDE = 512
FRAMES = (2_000, 5_000, 10_000)
SUITE2P = "NISSL_SUITE2P_PYTHON"
VERSION = 1
SCENE: Mapping[str, Any] = {"seed": 21, "bend_px": 0.3, "cells_per_mm2": 600.0}
AIMS = {"times_suite2p": 3.0, "peak_gb": 3.0, "online_hz": 30.0}

SPENT = {"simulating": 0.0, "simulating_cpu": 0.0}


@dataclass(frozen=True)
class Timed:
    """A reader whose seconds are counted: what making the movie costs is not ours."""

    reader: Any

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(self.reader.dtype)

    def read(self, start: int, stop: int, rows: tuple[int, int]) -> npt.NDArray[Any]:
        """Pixels, as the reader gives them."""
        began, worked = time.perf_counter(), time.process_time()
        frames = self.reader.read(start, stop, rows)
        SPENT["simulating"] += time.perf_counter() - began
        SPENT["simulating_cpu"] += time.process_time() - worked
        return frames  # type: ignore[no-any-return]


def simulated_movie(n: int) -> Any:
    """Recording of a movie that is simulated while it is read."""
    from nissl.annotators.cells.simulate import Scene, simulated
    from nissl.data import Recording

    movie = simulated(Scene(height=SIDE, width=SIDE, n_frames=n, **SCENE)).movie
    movie = replace(movie, reader=Timed(movie.reader))
    return Recording(None, "simulated", {}, movies={"movie": movie}, fingerprint=f"speed-{n}")


def write_tiff(n: int, path: Path) -> None:
    """The same movie as a file of 16-bit pixels."""
    import tifffile

    movie = simulated_movie(n).movies["movie"]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for start, stop in movie.blocks(200):
            for frame in movie.frames(start, stop):
                file.write(np.minimum(frame, 32767).astype(np.int16), contiguous=True)


def ours(source: str, n: int) -> dict[str, Any]:
    """The whole way, timed by stage."""
    from nissl.annotators.rates.deconvolution import deconvolve
    from nissl.run.context import Context
    from nissl.tasks import Inputs, resolve

    warm_up()
    SPENT.update(dict.fromkeys(SPENT, 0.0))
    began, worked = time.perf_counter(), time.process_time()
    if source == "simulated":
        recording = simulated_movie(n)
    else:
        from nissl.data.read import read

        recording = read(Path(source), rate_hz=30.0)
    name = next(iter(recording.movies))
    _, method = resolve("cells/nissl")
    with tempfile.TemporaryDirectory() as folder:
        result = method.annotate(
            Inputs(recording, name),
            method.defaults(),
            Context(Path(folder), memory_bytes=3 * 10**9),
        )
    found = time.perf_counter()
    traces = {signal.name: signal for signal in result.sources}["fluorescence"]
    values = traces.read()
    for column in values.T:
        deconvolve(column, traces.rate_hz)
    done = time.perf_counter()
    return {
        "wall_s": done - began - SPENT["simulating"],
        "cpu_s": time.process_time() - worked - SPENT["simulating_cpu"],
        "simulating_s": SPENT["simulating"],
        "deconvolving_s": done - found,
        "stages_s": result.log.get("stages_s", {}),
        "n_cells": int(values.shape[1]),
    }


def warm_up() -> None:
    """Load what is compiled, which happens once on a machine, not once a movie."""
    from nissl.annotators.cells.simulate import simulate
    from nissl.run.context import Context
    from nissl.tasks import Inputs, resolve

    recording, _ = simulate(0, height=192, width=192, n_frames=300)
    _, method = resolve("cells/nissl")
    with tempfile.TemporaryDirectory() as folder:
        method.annotate(Inputs(recording, "movie"), method.defaults(), Context(Path(folder)))


def online(n: int = 600) -> dict[str, Any]:
    """Frames a second that are placed as they come, and how long the slowest took."""
    from nissl.annotators.cells.online import OnlineMotion

    movie = simulated_movie(n).movies["movie"]
    frames = movie.frames()
    follower = OnlineMotion()
    seconds = []
    for frame in frames:
        began = time.perf_counter()
        follower.push(frame)
        seconds.append(time.perf_counter() - began)
    after = np.asarray(seconds[follower.n_first + 5 :])
    return {
        "median_ms": float(np.median(after) * 1e3),
        "p99_ms": float(np.percentile(after, 99) * 1e3),
        "frames_per_s": float(1 / after.mean()),
    }


def suite2p_cell(path: Path, n: int) -> Cell | None:
    """Suite2p's run on the file, where it is installed."""
    python = os.environ.get(SUITE2P)
    if not python:
        return None
    work = ("suite2p", python, str(path))
    key = {"version": VERSION, "what": "suite2p", "n": n, "scene": dict(SCENE)}
    return Cell(f"suite2p-{n}", key, (sys.executable, __file__, *work))


def run(out: Path, *, quick: bool, timeout_s: float, fresh: bool = False) -> dict[str, Any]:
    """Compute everything, one after the other; what was computed before is kept."""
    lengths = (300, 600) if quick else FRAMES
    found: dict[str, Any] = {"machine": machine(), "quick": quick, "side": SIDE, "ours": {}}
    cells = out / "cells"

    def one(cell: Cell) -> dict[str, Any]:
        outcome = run_cell(cell, cells, timeout_s=timeout_s, fresh=fresh)
        print(f"{cell.name}: {outcome.get('result') or outcome.get('error')}", flush=True)
        return outcome

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in" / "movie.tif"
        path.parent.mkdir()
        write_tiff(lengths[0], path)
        for n in lengths:
            source = str(path) if n == lengths[0] else "simulated"
            kind = "file" if n == lengths[0] else "simulated"
            key = {"version": VERSION, "what": "ours", "n": n, "kind": kind, "scene": dict(SCENE)}
            command = (sys.executable, __file__, "ours", source, str(n))
            found["ours"][str(n)] = one(Cell(f"ours-{n}", key, command))
            peer = suite2p_cell(path, n) if n == lengths[0] else None
            if peer is not None:
                found["suite2p"] = one(peer)
    key = {"version": VERSION, "what": "online", "scene": dict(SCENE)}
    found["online"] = one(Cell("online", key, (sys.executable, __file__, "online")))
    return found


def markdown(found: Mapping[str, Any]) -> str:
    """Section of the page."""
    ours_by_n = dict(sorted(found["ours"].items(), key=lambda pair: int(pair[0])))
    rows = [("nissl", n, *_figures(outcome)) for n, outcome in ours_by_n.items()]
    peer = found.get("suite2p", {})
    if peer:
        n = peer.get("key", {}).get("n", next(iter(ours_by_n)))
        rows.append(("Suite2p", str(n), *_figures(peer)))
    columns = (
        "method",
        "frames",
        "seconds",
        "of the processor",
        "its ms per frame",
        "peak, GB",
        "cells",
    )
    lines = [
        "The whole way with one worker: motion, pictures, shapes, activity, traces, "
        "deconvolution. At the shortest length both read the same file, one after the other; "
        "longer movies are simulated while they are read, and the time of that is taken off.",
        "",
        table(columns, rows),
        "",
    ]
    first = ours_by_n[next(iter(ours_by_n))]
    if "result" in peer and "result" in first:
        wall, cpu = (peer["result"][k] / first["result"][k] for k in ("wall_s", "cpu_s"))
        lines += [
            f"Suite2p takes {wall:.1f} times as long by the clock and {cpu:.1f} times as much of "
            f"the processor (aim {AIMS['times_suite2p']:.0f}); other work ran beside both. Peak "
            f"memory is to stay below {AIMS['peak_gb']:.0f} GB.",
            "",
        ]
    live = found["online"].get("result")
    if live:
        lines.append(
            f"Online, motion alone: {live['frames_per_s']:.0f} frames of {found['side']} x "
            f"{found['side']} a second on one core; median {live['median_ms']:.1f} ms, 99 of 100 "
            f"within {live['p99_ms']:.1f} ms (aim {AIMS['online_hz']:.0f} Hz)."
        )
    return "\n".join(lines) + "\n"


def _figures(outcome: Mapping[str, Any]) -> tuple[Any, ...]:
    if "result" not in outcome:
        return (outcome.get("error"), None, None, None, None)
    result, n = outcome["result"], int(outcome["key"]["n"])
    return (
        f"{result['wall_s']:.0f}",
        f"{result['cpu_s']:.0f}",
        f"{1e3 * result['cpu_s'] / n:.1f}",
        f"{outcome['peak_memory_bytes'] / 1e9:.2f}",
        result.get("n_cells"),
    )


def _suite2p(python: str, path: str) -> dict[str, Any]:
    """Run Suite2p and read what it wrote."""
    import resource
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.npz"
        script = Path(__file__).with_name("_cells_suite2p.py")
        subprocess.run([python, str(script), path, "30.0", str(out)], check=True, cwd=folder)
        with np.load(out) as file:
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return {
                "wall_s": float(file["seconds"]),
                "cpu_s": used.ru_utime + used.ru_stime,
                "n_cells": len(file["length"]),
            }


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a cell, or run all."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in ("ours", "suite2p", "online"):
        work = {
            "ours": lambda: ours(given[1], int(given[2])),
            "suite2p": lambda: _suite2p(given[1], given[2]),
            "online": online,
        }[given[0]]
        Path(given[-1]).write_text(json.dumps(work()), encoding="utf-8")
        return 0
    parser = arguments("cells_speed", (__doc__ or "").split("\n")[0])
    args = parser.parse_args(given)
    found = finite(run(args.out, quick=args.quick, timeout_s=args.timeout, fresh=args.fresh))
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, sort_keys=True, allow_nan=False)
    (args.out / "results.json").write_text(text, encoding="utf-8")
    print(markdown(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
