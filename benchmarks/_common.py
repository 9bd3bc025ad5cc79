"""What every benchmark shares: arguments, cells that resume, machine facts, tables and plots.

A benchmark is a set of *cells*. Each is computed in a process of its own, so that its peak
memory and its cold time are its own, and is kept as one JSON file named by everything that
defines it: an interrupted benchmark goes on where it stopped, and only what changed is computed
again. Nothing that is written names a path, a host or a user.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442")
"""Okabe and Ito's palette: told apart with any colour vision, and in grey by marker."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_POLL_S = 0.1


def arguments(task: str, description: str) -> argparse.ArgumentParser:
    """Arguments that all benchmarks take."""
    parser = argparse.ArgumentParser(description=description)
    data = Path(os.environ.get("NISSL_DATA", "../shared/data"))
    parser.add_argument("--train", type=Path, default=data, help="data folder to tune on")
    parser.add_argument("--test", type=Path, default=data, help="data folder to report on")
    out = Path("build") / "benchmarks" / task
    parser.add_argument("--out", type=Path, default=out, help="folder that receives the results")
    parser.add_argument("--page", type=Path, help="also write the Markdown page to this file")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds for one cell")
    parser.add_argument("--fresh", action="store_true", help="compute cells again that are kept")
    return parser


def one_folder(train: Path, test: Path) -> bool:
    """Whether both name the same folder, so that the benchmark must split it."""
    return train.resolve() == test.resolve()


def machine() -> dict[str, Any]:
    """Facts about this machine that timings depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def anchor_s() -> float:
    """Seconds of a fixed single-threaded computation: how busy the machine is just now."""
    values = np.random.default_rng(0).standard_normal(1 << 19)
    began = time.perf_counter()
    for _ in range(4):
        values = np.sort(np.abs(np.fft.ifft(np.fft.fft(values))))[::-1]
    return time.perf_counter() - began


@dataclass(frozen=True)
class Cell:
    """One unit of work of a benchmark.

    Parameters
    ----------
    name : str
        For people, such as "static/tridesclous2".
    key : mapping
        JSON values: everything that defines the result.
    command : tuple of str
        Program and arguments; it is given one more argument, the file to write its result to.
    """

    name: str
    key: Mapping[str, Any]
    command: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Hex digest of the key."""
        text = json.dumps(self.key, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def file(self, folder: Path) -> Path:
        """Where its result is kept."""
        return folder / f"{self.name.replace('/', '-')}-{self.digest}.json"


def kept_result(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """What is kept of a cell, None where it must be computed: never run, or failed."""
    try:
        known: dict[str, Any] = json.loads(cell.file(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if known.get("error") in (None, "timeout") else None


def run_cell(
    cell: Cell, folder: Path, *, timeout_s: float = 3600.0, fresh: bool = False
) -> dict[str, Any]:
    """Result of a cell, computed now or kept from before.

    Parameters
    ----------
    cell : Cell
    folder : Path
        Folder of kept cells.
    timeout_s : float
        Then the cell's whole process tree is killed.
    fresh : bool
        Compute it in any case.

    Returns
    -------
    dict
        "result" as the command wrote it, or "error" (then it is computed again next time) or
        "error": "timeout" (then it is not); "process_s", "peak_memory_bytes" (largest sum of
        resident memory over its process tree, sampled ten times a second), "anchor_s" (mean of
        the anchor before and after).
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = None if fresh else kept_result(cell, folder)
    if known is not None:
        return known
    before = anchor_s()
    outcome = _run(cell, timeout_s)
    outcome |= {"name": cell.name, "key": dict(cell.key)}
    outcome["anchor_s"] = round((before + anchor_s()) / 2, 4)
    keep_outcome(cell, folder, outcome)
    return outcome


def keep_outcome(cell: Cell, folder: Path, outcome: Mapping[str, Any]) -> None:
    """Write what came of a cell, whole or not at all; NaN and infinities become null."""
    part = cell.file(folder).with_suffix(".part")
    part.write_text(json.dumps(finite(outcome), indent=1, sort_keys=True), encoding="utf-8")
    part.replace(cell.file(folder))


def _run(cell: Cell, timeout_s: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        answer, noise = Path(scratch) / "result.json", Path(scratch) / "log.txt"
        began = time.perf_counter()
        with open(noise, "wb") as log:
            process = subprocess.Popen(
                [*cell.command, str(answer)], stdout=log, stderr=subprocess.STDOUT
            )
            peak, timed_out = _watch(process, began + timeout_s)
        outcome: dict[str, Any] = {
            "process_s": round(time.perf_counter() - began, 3),
            "peak_memory_bytes": peak,
        }
        if timed_out:
            return outcome | {"error": "timeout"}
        if process.returncode != 0 or not answer.is_file():
            lines = noise.read_text(errors="replace").strip().splitlines()
            last = lines[-1] if lines else f"exit code {process.returncode}"
            print("\n".join(lines[-30:]), file=sys.stderr)
            return outcome | {"error": without_paths(last)}
        return outcome | {"result": json.loads(answer.read_text(encoding="utf-8"))}


def without_paths(text: str) -> str:
    """Return an error's last line without the paths of this machine, at most 300 characters."""
    return re.sub(r"(?:/[\w.+@-]+){2,}", "…", text)[-300:]


def _watch(process: subprocess.Popen[bytes], deadline: float) -> tuple[int, bool]:
    """Peak memory of a process tree until it ends, and whether it was killed at the deadline."""
    peak = 0
    tree = psutil.Process(process.pid)
    done = threading.Event()
    while process.poll() is None:
        peak = max(peak, _resident(tree))
        if time.perf_counter() > deadline:
            _kill(tree)
            process.wait()
            return peak, True
        done.wait(_POLL_S)
    return peak, False


def _resident(tree: psutil.Process) -> int:
    total = 0
    try:
        members = [tree, *tree.children(recursive=True)]
    except psutil.Error:
        return 0
    for member in members:
        try:
            total += int(member.memory_info().rss)
        except psutil.Error:
            continue
    return total


def _kill(tree: psutil.Process) -> None:
    try:
        members = [*tree.children(recursive=True), tree]
    except psutil.Error:
        return
    for member in members:
        try:
            member.kill()
        except psutil.Error:
            continue


def names(text: str) -> tuple[str, ...]:
    """Split a comma-separated option."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def write_result(path: Path, value: Mapping[str, Any]) -> None:
    """Write what a cell found; NaN and infinities become null."""
    path.write_text(json.dumps(finite(value), indent=1, sort_keys=True), encoding="utf-8")


def finite(value: Any) -> Any:
    """Return a plain copy with NaN and infinities as None and NumPy scalars as Python's own."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Markdown table; the first column stands left, the others right; None is a dash."""
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "|".join([":---", *["---:"] * (len(columns) - 1)]) + "|",
    ]
    lines += ["| " + " | ".join("–" if v is None else str(v) for v in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def number(value: float | None, digits: int = 3) -> str | None:
    """Fixed number of decimals, None where there is no value."""
    return None if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def percent(value: float | None) -> str | None:
    """A fraction in percent, with its sign."""
    return None if value is None or not math.isfinite(value) else f"{100 * value:+.1f} %"
