"""The benchmark of waiting in the browser, in small."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STATIC = Path(__file__).parents[2] / "src/nissl/web/static"


def run(out, require, *more):
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from _browser import chromium
    finally:
        sys.path.remove(str(BENCHMARKS))
    if chromium() is None:
        require("browser", "no Chromium; run: apt-get install -y chromium")
    if not (STATIC / "index.html").exists():
        require("browser", "the front end is not built; run: python hatch_build.py")
    command = [sys.executable, str(BENCHMARKS / "review_latency.py"), "--quick", "--out", str(out)]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "results.json").read_text())["runs"]


def measured(run):
    """How soon is for the benchmark, on a machine of its own; here only that it measures."""
    assert run["n"] == 6
    assert 0 < run["p50"] <= run["p95"] <= run["max"]
    assert len(run["first_item_ms"]) == 3
    assert min(run["first_item_ms"]) > 0
    assert run["acknowledged_ms"]  # one per request, which carries all that waited
    assert run["faults"] == []


def test_keys_are_timed_at_spans(tmp_path, require):
    runs = run(tmp_path, require, "--only", "spans", "--page", str(tmp_path / "page.md"))
    (name,) = runs
    measured(runs[name])
    assert name in (tmp_path / "page.md").read_text()
    assert (tmp_path / "review_latency.png").stat().st_size > 1000


@pytest.mark.slow
def test_keys_are_timed_at_every_kind(tmp_path, require):
    runs = run(tmp_path, require)
    assert len(runs) == 4
    for each in runs.values():
        measured(each)
