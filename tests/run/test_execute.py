"""Chunks are computed once, in order, whatever happens to the workers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import chunk_functions as functions
import numpy as np
import psutil
import pytest

from nissl.clock import Clock
from nissl.errors import (
    BadArgumentError,
    InterruptedRunError,
    MemoryBudgetError,
    MethodFailedError,
    WorkerDiedError,
)
from nissl.run.chunks import plan_chunks
from nissl.run.context import Context
from nissl.run.execute import RETRIES, run_chunks
from nissl.run.progress import Recorder

CHUNKS = plan_chunks(Clock.regular(10.0, 95), 10)


def calls(folder: Path) -> dict[int, int]:
    return {int(path.stem): path.stat().st_size for path in folder.glob("*.calls")}


def execute(
    function, tmp_path, *, chunks=CHUNKS, shared=None, memory=10**6, threads=False, **options
):
    context = Context(tmp_path / "work", **options)
    shared = str(tmp_path) if shared is None else shared
    return run_chunks(
        function, chunks, shared, context, key="k", memory_per_chunk=memory, threads=threads
    )


def living_children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [p for p in found if "resource_tracker" not in " ".join(p.cmdline())]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_are_computed_once(tmp_path, workers):
    progress = Recorder()
    for repeat in range(2):
        results = list(execute(functions.double, tmp_path, workers=workers, progress=progress))
        assert [int(r["index"]) for r in results] == list(range(len(CHUNKS)))
        for chunk, result in zip(CHUNKS, results, strict=True):
            assert result["file"].tolist() == [2 * i for i in range(chunk.start, chunk.stop)]
        assert progress.done == {"chunks": len(CHUNKS)}
        assert progress.finished == ["chunks"] * (repeat + 1)
    assert calls(tmp_path) == dict.fromkeys(range(len(CHUNKS)), 1)
    assert not living_children()
    here = {int(r["pid"]) for r in results} == {psutil.Process().pid}
    assert here == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_only_damaged_and_missing_chunks_are_computed_again(tmp_path, workers):
    first = list(execute(functions.double, tmp_path, workers=workers))
    folder = tmp_path / "work" / "k"
    (folder / "00000001.npz").write_bytes((folder / "00000001.npz").read_bytes()[:-40])
    (folder / "00000004.npz").unlink()
    (folder / "00000007.999999999.part").write_bytes(b"half, by a process that is gone")
    again = list(execute(functions.double, tmp_path, workers=workers))
    assert {i for i, n in calls(tmp_path).items() if n == 2} == {1, 4}
    assert not list(folder.glob("*.part"))
    for a, b in zip(first, again, strict=True):
        assert a["file"].tobytes() == b["file"].tobytes()


def test_progress_counts_seconds_and_what_was_done_before(tmp_path):
    progress = Recorder()
    context = Context(tmp_path / "work", progress=progress)
    for _ in range(2):
        list(
            run_chunks(
                functions.double,
                CHUNKS,
                str(tmp_path),
                context,
                key="k",
                memory_per_chunk=1,
                stage="filter",
                rate_hz=10.0,
            )
        )
        assert progress.totals == {"filter": 9.5}
        assert progress.done["filter"] == pytest.approx(9.5)
        assert progress.units == {"filter": "s of recording"}


def test_a_consumer_that_stops_leaves_no_process(tmp_path):
    results = execute(functions.double, tmp_path, workers=2)
    next(results)
    assert living_children()
    results.close()
    assert not living_children()


def test_threads_compute_each_chunk_once_and_here(tmp_path):
    for _ in range(2):
        results = list(execute(functions.double, tmp_path, workers=2, threads=True))
        assert [int(r["index"]) for r in results] == list(range(len(CHUNKS)))
        assert {int(r["pid"]) for r in results} == {psutil.Process().pid}
    assert calls(tmp_path) == dict.fromkeys(range(len(CHUNKS)), 1)
    (tmp_path / "work" / "k" / "00000004.npz").unlink()
    list(execute(functions.double, tmp_path, workers=2, threads=True))
    assert {i for i, n in calls(tmp_path).items() if n == 2} == {4}


def test_threads_that_nobody_waits_for_finish_what_runs_and_no_more(tmp_path):
    before = threading.active_count()
    results = execute(functions.slow_double, tmp_path, workers=2, threads=True)
    next(results)
    results.close()
    assert threading.active_count() == before
    assert len(calls(tmp_path)) < len(CHUNKS)


def test_threads_name_the_chunk_of_an_error_and_hold_blas(tmp_path):
    with pytest.raises(ZeroDivisionError, match="three") as caught:
        list(execute(functions.fail, tmp_path, workers=2, threads=True))
    assert any("chunk 3 (samples 30 to 40)" in note for note in caught.value.__notes__)
    held = execute(functions.threads, tmp_path, workers=2, threads=True, chunks=CHUNKS[:3])
    assert {n for result in held for n in result["threads"].tolist()} == {1}


def test_a_killed_worker_is_retried(tmp_path):
    results = list(execute(functions.die_once, tmp_path, workers=2))
    assert [int(r["index"]) for r in results] == list(range(len(CHUNKS)))
    assert calls(tmp_path)[2] == 2


def test_a_chunk_that_always_kills_its_worker_is_named(tmp_path):
    with pytest.raises(WorkerDiedError, match=r"chunk 2 \(samples 20 to 30\)") as caught:
        list(execute(functions.die_always, tmp_path, workers=2))
    assert "finished chunks are kept" in str(caught.value)
    assert calls(tmp_path)[2] == RETRIES + 1
    assert not living_children()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_names_the_chunk(tmp_path, workers):
    with pytest.raises(ZeroDivisionError, match="three") as caught:
        list(execute(functions.fail, tmp_path, workers=workers))
    assert any("chunk 3 (samples 30 to 40)" in note for note in caught.value.__notes__)
    if workers > 1:
        assert any("chunk_functions.py" in note for note in caught.value.__notes__)
    assert not living_children()


def test_an_error_that_does_not_travel_is_told_all_the_same(tmp_path):
    with pytest.raises(MethodFailedError, match="Unpicklable: odd"):
        list(execute(functions.fail_oddly, tmp_path, workers=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_objects_are_refused(tmp_path, workers):
    with pytest.raises(MethodFailedError, match="of object"):
        list(execute(functions.objects, tmp_path, workers=workers))


def test_what_cannot_be_sent_is_refused(tmp_path):
    with pytest.raises(BadArgumentError, match="sent to another process"):
        list(execute(lambda shared, chunk: {}, tmp_path, workers=2))


def test_a_budget_that_is_too_small(tmp_path):
    with pytest.raises(MemoryBudgetError, match="at least"):
        list(execute(functions.double, tmp_path, memory=10**9, memory_bytes=10**9))
    assert calls(tmp_path) == {}


def test_fewer_workers_where_the_budget_does_not_hold_them(tmp_path):
    results = list(
        execute(functions.double, tmp_path, workers=2, memory=3 * 10**8, memory_bytes=7 * 10**8)
    )
    assert {int(r["pid"]) for r in results} == {psutil.Process().pid}


@pytest.mark.parametrize("workers", [1, 2])
def test_blas_has_one_thread(tmp_path, workers):
    for result in execute(functions.threads, tmp_path, workers=workers, chunks=CHUNKS[:3]):
        assert result["threads"].size
        assert set(result["threads"].tolist()) == {1}


SCRIPT = """
import sys
from pathlib import Path

import chunk_functions
from nissl.clock import Clock
from nissl.errors import InterruptedRunError
from nissl.run.chunks import plan_chunks
from nissl.run.context import Context
from nissl.run.execute import run_chunks

# without a guard for __main__, as people write scripts
folder, workers = Path(sys.argv[1]), int(sys.argv[2])
chunks = plan_chunks(Clock.regular(10.0, 120), 10)
context = Context(folder / "work", workers=workers)
results = run_chunks(chunk_functions.gated_double, chunks, str(folder), context,
                     key="k", memory_per_chunk=10**6)
try:
    print(sum(int(r["file"].sum()) for r in results))
except InterruptedRunError as error:
    sys.stderr.write(str(error))
    sys.exit(error.exit_code)
"""


def start_script(tmp_path: Path, workers: int) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # a group of its own, as a terminal would make
    )


def wait_for_chunks(tmp_path: Path, n: int) -> list[Path]:
    folder, deadline = tmp_path / "work" / "k", time.monotonic() + 60
    while time.monotonic() < deadline:
        found = sorted(folder.glob("*.npz")) if folder.exists() else []
        if len(found) >= n:
            return found
        time.sleep(0.02)
    raise AssertionError(f"fewer than {n} chunks after 60 s")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", ["interrupt the group", "interrupt", "kill"])
def test_an_interrupted_run_resumes_without_computing_anything_twice(tmp_path, workers, how):
    process = start_script(tmp_path, workers)
    wait_for_chunks(tmp_path, 5)
    children = psutil.Process(process.pid).children(recursive=True)
    if how == "interrupt the group":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT if how == "interrupt" else signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    if how != "kill":
        assert process.returncode == InterruptedRunError.exit_code
        assert said.splitlines() == [
            "Expected stage 'chunks' to finish, got an interrupt.",
            "Run the same command again; it goes on at the first unfinished chunk.",
        ]
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    finished = {int(path.stem) for path in (tmp_path / "work" / "k").glob("*.npz")}
    assert finished == set(range(5))
    before = Counter(calls(tmp_path))

    (tmp_path / "go").touch()
    again = start_script(tmp_path, workers)
    out, said = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert int(out) == 2 * sum(range(120))
    after = Counter(calls(tmp_path))
    for index in range(12):
        assert after[index] - before[index] == (0 if index in finished else 1)


def test_the_pool_survives_a_large_result(tmp_path):
    chunks = plan_chunks(Clock.regular(10.0, 4 * 10**6), 10**6)
    total = sum(int(r["file"].sum()) for r in execute(functions.double, tmp_path, chunks=chunks))
    assert total == 2 * sum(range(4 * 10**6))
    assert np.all(list(calls(tmp_path).values()))
