"""How long a reader waits in the browser: first paint, and key press to next item painted.

    python benchmarks/review_latency.py --out build/benchmarks/review_latency [--quick]

`nissl review` serves simulated projects to a real Chromium. Keys are pressed at a reader's pace
(`--pause`); the page itself measures from the key's own time stamp to the frame after the paint
(`web/src/core/latency.ts`). Aims: first item within 2 s, 95 % of the next items within 100 ms.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import nissl
from _browser import chromium
from _common import COLOURS, anchor_s, arguments, machine, number, table, write_result
from _review import Study, make_study, serving
from nissl.project import open_project
from nissl.project.reviewing import open_room
from nissl.testing.kinds import kinds_project

AIM_MS = 100.0
FIRST_AIM_MS = 2000.0
READER = "Ana"
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
_KEYS = ("Space", "1", "2", "Space", "3", "u", "Space", "1", "Control+z", "Space")
_SHOWN = {
    "units": ".unit-facts tr",
    "spans": ".spans-traces",
    "classes": ".detail",
}
_PAINTED = """(selector) => document.querySelector('.verdict h1') &&
  document.querySelector(selector) && performance.now()"""
_NAMED = f"try {{ localStorage.setItem('nissl-reader', '{READER}') }} catch {{ }}"
_ANSWERED = """n => window.__nissl.latencies.length > n || document.querySelector('.empty h1')"""
_PATIENCE_MS = 120_000


@dataclass(frozen=True)
class Case:
    """One project to read in.

    Parameters
    ----------
    name : str
    view : str
        Of the desk that is read.
    make : callable
        Makes the project in a folder.
    """

    name: str
    view: str
    make: Callable[[Path], Path]


def cases(*, quick: bool) -> list[Case]:
    """Return the projects: their sizes are the aims', or small ones."""
    part = 50 if quick else 1

    def units(n: int, each: int, n_spans: int = 10) -> Callable[[Path], Path]:
        sizes = {"n_units": n, "spikes_per_unit": each, "n_spans": n_spans}
        return lambda folder: make_study(folder, **sizes).path

    def classes(folder: Path) -> Path:
        kinds_project(folder, np.random.default_rng(0), n_items=10_000 // part).close()
        return folder / "study"

    return [
        Case(f"{1000 // part:,} units", "units", units(1000 // part, 100)),
        Case(f"{100_000 // part:,} events of 50 units", "units", units(50, 2000 // part)),
        Case(f"{10_000 // part:,} spans", "spans", units(3, 30, 10_000 // part)),
        Case(f"{10_000 // part:,} classes", "classes", classes),
    ]


def desk_of(path: Path, view: str) -> str:
    """Key of the first desk of a view."""
    with open_project(path, create=False) as project:
        return next(desk.key for desk in open_room(project.store).desks if desk.view == view)


def read(case: Case, path: Path, engine: Any, *, presses: int, pause_ms: float) -> dict[str, Any]:
    """Open the page, press keys, and return what the page measured."""
    desk = desk_of(path, case.view)
    with serving(Study(path, "sqlite", "", "", "")) as server:
        browser = engine.launch(executable_path=chromium(), args=list(_FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(_PATIENCE_MS)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(_NAMED)
        address = f"{server.url}#/desk/{desk}"
        result: dict[str, Any] = {"load": os.getloadavg()[0], "anchor_s": anchor_s()}
        result["first_item_ms"] = [_opened(page, case, address) for _ in range(3)]
        paints = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
        result["first_paint_ms"] = page.evaluate(paints)
        page.wait_for_timeout(10 * pause_ms)  # a reader looks at the first item
        for n in range(presses):
            before = page.evaluate("window.__nissl.latencies.length")
            hidden = page.is_disabled(".verdict .buttons button >> nth=0")  # a blind question
            key = _KEYS[n % len(_KEYS)]
            page.keyboard.press("1" if hidden and key == "Space" else key)
            page.wait_for_function(_ANSWERED, arg=before)
            if page.locator(".empty h1").count():  # the queue is at its end
                break
            page.wait_for_timeout(pause_ms)
        result["latencies"] = page.evaluate("window.__nissl.latencies")
        result["acknowledged_ms"] = page.evaluate(_REQUESTS)
        result["heap_mb"] = page.evaluate("performance.memory.usedJSHeapSize / 1e6")
        result["browser_mb"] = _resident_mb()
        result["faults"] = faults
        browser.close()
        server.stop()
    return result | summary(result)


_REQUESTS = """performance.getEntriesByType('resource')
  .filter(e => e.name.includes('/api/decisions')).map(e => e.duration)"""


def _opened(page: Any, case: Case, address: str) -> float:
    page.goto("about:blank")
    page.goto(address)
    shown = page.wait_for_function(_PAINTED, arg=_SHOWN[case.view], polling="raf")
    return float(shown.json_value())


def _resident_mb() -> float:
    """Memory of the browser's processes; shared pages count in each."""
    children = psutil.Process().children(recursive=True)
    total = 0
    for child in children:
        try:
            if "chrom" in child.name():
                total += child.memory_info().rss
        except psutil.Error:
            continue
    return total / 1e6


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """Quantiles of what was measured, milliseconds."""
    waits = np.asarray([one["ms"] for one in result["latencies"]], float)
    if not waits.size:
        return {"n": 0}
    p50, p95 = np.percentile(waits, [50, 95])
    return {"n": int(waits.size), "p50": float(p50), "p95": float(p95), "max": float(waits.max())}


def rows(runs: dict[str, Any]) -> list[list[Any]]:
    """One row of the table per project."""
    found = []
    for name, run in runs.items():
        acknowledged = run["acknowledged_ms"] or [float("nan")]
        found.append(
            [
                name,
                run["n"],
                *(number(run[key], 0) for key in ("p50", "p95", "max")),
                number(float(np.median(run["first_item_ms"])), 0),
                number(float(np.percentile(acknowledged, 95)), 0),
                number(run["heap_mb"], 0),
                number(run["browser_mb"], 0),
                number(run["load"], 1),
            ]
        )
    return found


COLUMNS = (
    "project",
    "keys",
    "p50, ms",
    "p95, ms",
    "longest, ms",
    "first item, ms",
    "saved p95, ms",
    "heap, MB",
    "browser, MB",
    "load",
)


def plot(runs: dict[str, Any], path: Path) -> None:
    """Write the share of keys that are answered within a time, per project."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, run), colour in zip(runs.items(), COLOURS, strict=False):
        waits = np.sort([one["ms"] for one in run["latencies"]])
        axes.step(waits, np.arange(1, waits.size + 1) / waits.size, color=colour, label=name)
    axes.axvline(AIM_MS, color="0.5", linestyle="--", linewidth=1)
    axes.axhline(0.95, color="0.5", linestyle=":", linewidth=1)
    axes.set(
        xlabel="key press to next item painted (ms)", ylabel="share of key presses", xscale="log"
    )
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def told(runs: dict[str, Any]) -> str:
    """Return the Markdown page: what was measured, and whether the aims are met."""
    late = [name for name, run in runs.items() if run["p95"] > AIM_MS]
    slow = [name for name, run in runs.items() if np.median(run["first_item_ms"]) > FIRST_AIM_MS]
    aims = "met by all" if not late else "missed by " + ", ".join(late)
    first = "met by all" if not slow else "missed by " + ", ".join(slow)
    lines = (__doc__ or "").split("\n\n")
    return (
        f"# Waiting in the browser\n\n{lines[2].strip()}\n\n"
        f"95 % of the next items within {AIM_MS:.0f} ms: {aims}. "
        f"First item within {FIRST_AIM_MS / 1000:.0f} s (median of three openings): {first}. "
        "`load` is the machine's load average when a project was opened: above the number of its "
        "cores other work slowed what was measured.\n\n"
        f"{table(COLUMNS, rows(runs))}\n"
        f"nissl {nissl.__version__}, {machine()['cpu']}, {machine()['cores']} cores; headless "
        "Chromium without a graphics card.\n"
    )


def main(given: Sequence[str] | None = None) -> int:
    """Measure all projects; exit code 1 where the page failed."""
    parser = arguments("review_latency", (__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--presses", type=int, help="keys pressed per project")
    parser.add_argument("--pause", type=float, default=300.0, help="ms between keys")
    parser.add_argument("--only", default="", help="projects whose name contains this")
    args = parser.parse_args(given)
    from playwright.sync_api import sync_playwright

    args.out.mkdir(parents=True, exist_ok=True)
    presses = args.presses or (6 if args.quick else 200)
    pause_ms = min(args.pause, 50.0) if args.quick else args.pause
    runs: dict[str, Any] = {}
    with sync_playwright() as started:
        for case in cases(quick=args.quick):
            if args.only not in case.name:
                continue
            folder = Path(tempfile.mkdtemp())
            try:
                path = case.make(folder)
                runs[case.name] = read(
                    case, path, started.chromium, presses=presses, pause_ms=pause_ms
                )
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            facts = {"nissl": nissl.__version__, "machine": machine(), "runs": runs}
            write_result(args.out / "results.json", facts)
    plot(runs, args.out / "review_latency.png")
    (args.out / "table.md").write_text(table(COLUMNS, rows(runs)), encoding="utf-8")
    if args.page:
        args.page.write_text(told(runs), encoding="utf-8")
    print((args.out / "table.md").read_text(encoding="utf-8"))
    faults = [fault for run in runs.values() for fault in run["faults"]]
    if faults:
        print(json.dumps(faults, indent=1), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
