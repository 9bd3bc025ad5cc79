"""The budget is kept, measured as resident memory of all processes together."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from nissl.errors import BadArgumentError, MemoryBudgetError
from nissl.run.context import Context
from nissl.run.memory import INTERPRETER_BYTES, fit_chunks, measure_peak, tree_rss, workers_within

BUDGET = {1: 250 * 10**6, 2: 560 * 10**6}  # by number of workers
N_CHANNELS = 384

SCRIPT = """
import sys
from pathlib import Path

import chunk_functions
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.run.chunks import plan_chunks
from nissl.run.context import Context
from nissl.run.execute import run_chunks
from nissl.run.memory import fit_chunks

folder, what, workers, budget, n_channels, n_samples = sys.argv[1:]
n_channels, n_samples = int(n_channels), int(n_samples)
context = Context(Path(folder), workers=int(workers), memory_bytes=int(budget))
signal = Signal("ap", chunk_functions.FileReader(f"{folder}/raw.bin", n_channels),
                ChannelTable.plain(n_channels), Clock.regular(30000.0, n_samples))
if what == "sum":
    fit = fit_chunks(n_channels * 2, context, preferred_samples=10**9, minimum_samples=1000)
    plan = plan_chunks(signal.clock, fit.chunk_samples)
    results = run_chunks(chunk_functions.total, plan, signal, context, key="sum",
                         memory_per_chunk=fit.memory_per_chunk)
    total = sum(result["sum"] for result in results)
    print(fit.workers, fit.chunk_samples, int(total.sum()))
else:
    from nissl.run.statistics import signal_statistics
    statistics = signal_statistics(signal, context)
    print(workers, statistics.n_samples, int(statistics.n_zero.sum()))
"""


def run_in_child(tmp_path, what: str, workers: int, budget: int):
    """Run a stage over a file of ten budgets; returns what it said and its peak."""
    n_samples = 10 * budget // (2 * N_CHANNELS)
    with (tmp_path / "raw.bin").open("wb") as file:
        file.truncate(n_samples * 2 * N_CHANNELS)  # sparse: takes no room
        for place in (0, n_samples // 2, n_samples - 1):
            file.seek(place * 2 * N_CHANNELS)
            file.write(np.full(N_CHANNELS, 7, "<i2").tobytes())
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = [tmp_path, what, workers, budget, N_CHANNELS, n_samples]
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    with measure_peak(process.pid, interval_s=0.02) as peak:
        out, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    return n_samples, [int(word) for word in out.split()], peak


@pytest.mark.parametrize("workers", [1, 2])
def test_the_budget_is_kept_on_a_file_ten_times_larger(tmp_path, workers):
    _, (used, chunk_samples, total), peak = run_in_child(tmp_path, "sum", workers, BUDGET[workers])
    assert total == 3 * 7 * N_CHANNELS
    assert used == workers
    assert peak.n_processes >= used
    # chunks are as large as the budget allows, so the peak must come near it, not above
    assert chunk_samples * N_CHANNELS * 2 < peak.bytes <= BUDGET[workers]
    assert peak.bytes <= peak.bound_bytes <= BUDGET[workers]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_statistics_keep_the_budget_on_a_file_ten_times_larger(tmp_path, workers):
    n_samples, said, peak = run_in_child(tmp_path, "statistics", workers, BUDGET[workers])
    assert said == [workers, n_samples, (n_samples - 3) * N_CHANNELS]
    assert peak.bound_bytes <= BUDGET[workers]


def test_a_peak_of_a_child_is_seen():
    code = "import time; x = bytearray(80 * 10**6); time.sleep(0.4); del x; time.sleep(0.2)"
    with measure_peak(interval_s=0.02) as peak:
        before = peak.bytes
        subprocess.run([sys.executable, "-c", code], check=True)
    assert peak.n_processes >= 2
    assert before + 80 * 10**6 < peak.bytes < before + 200 * 10**6
    assert tree_rss() < peak.bytes


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")
def test_a_short_peak_is_in_the_bound():
    with measure_peak(interval_s=30) as peak:
        block = np.ones(10**7)
        time.sleep(0.01)
        del block
    assert peak.bound_bytes > peak.bytes + 4 * 10**7


def test_more_workers_before_larger_chunks(tmp_path):
    own = min(psutil.Process().memory_info().rss, INTERPRETER_BYTES)
    context = Context(tmp_path, workers=4, memory_bytes=own + 4 * 220 * 10**6)
    fit = fit_chunks(1000, context, preferred_samples=10**6, minimum_samples=1000)
    assert fit.workers == 4
    assert fit.chunk_samples % 1000 == 0
    assert fit.chunk_samples * 1000 == pytest.approx(38 * 10**6, rel=0.2)
    assert fit.memory_per_chunk == fit.chunk_samples * 1000
    large = fit_chunks(1000, context, preferred_samples=10**6, minimum_samples=300_000)
    assert large.workers == 1
    assert large.chunk_samples == 600_000


def test_preferred_chunks_where_there_is_room(tmp_path):
    context = Context(tmp_path, workers=2, memory_bytes=10**11)
    fit = fit_chunks(10, context, preferred_samples=12_345, minimum_samples=1000)
    assert (fit.chunk_samples, fit.workers) == (12_000, 2)


def test_no_room_for_the_smallest_chunk(tmp_path):
    context = Context(tmp_path, memory_bytes=200 * 10**6)
    with pytest.raises(MemoryBudgetError, match="got 200 MB") as caught:
        fit_chunks(1000, context, preferred_samples=10**6, minimum_samples=10**6)
    needed = int(caught.value.remedy.split()[-1].removesuffix("MB.")) * 10**6
    enough = Context(tmp_path, memory_bytes=needed + 2 * 10**7)
    fit = fit_chunks(1000, enough, preferred_samples=10**6, minimum_samples=10**6)
    assert fit.chunk_samples == 10**6


def test_what_is_sent_to_workers_counts(tmp_path):
    context = Context(tmp_path, workers=3, memory_bytes=2 * 10**9)
    assert workers_within(context, 10**8, n_chunks=10) == 3
    assert workers_within(context, 10**8, n_chunks=2) == 2
    assert workers_within(context, 10**8, n_chunks=10, sent=10**9) == 1


def test_impossible_sizes(tmp_path):
    with pytest.raises(BadArgumentError, match="minimum_samples"):
        fit_chunks(1, Context(tmp_path), preferred_samples=10, minimum_samples=20)
