"""The same plan on a real Dask cluster gives the same results, also when a worker is killed."""

import importlib.util
import os
import signal

import chunk_functions as functions
import numpy as np
import psutil
import pytest

from nissl.clock import Clock
from nissl.errors import BadArgumentError, MissingDependencyError, WorkerDiedError
from nissl.run.chunks import plan_chunks
from nissl.run.context import Context
from nissl.run.execute import run_chunks
from nissl.run.progress import Recorder

distributed = pytest.importorskip("distributed", reason="pip install 'nissl[dask]'")
CHUNKS = plan_chunks(Clock.regular(10.0, 95), 10)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0
    ) as made:
        yield made


def execute(function, tmp_path, cluster, **options):
    address = cluster if isinstance(cluster, str) else cluster.scheduler_address
    context = Context(tmp_path / "work", cluster=address, **options)
    return run_chunks(function, CHUNKS, str(tmp_path), context, key="k", memory_per_chunk=10**6)


def calls(tmp_path):
    return {int(path.stem): path.stat().st_size for path in tmp_path.glob("*.calls")}


def test_results_come_in_order_and_stay(tmp_path, cluster):
    progress = Recorder()
    results = list(execute(functions.double, tmp_path, cluster, progress=progress))
    assert [int(r["index"]) for r in results] == list(range(len(CHUNKS)))
    assert psutil.Process().pid not in {int(r["pid"]) for r in results}
    assert progress.done == {"chunks": len(CHUNKS)}
    again = list(execute(functions.double, tmp_path, cluster))
    assert [r["file"].tolist() for r in again] == [r["file"].tolist() for r in results]
    assert calls(tmp_path) == dict.fromkeys(range(len(CHUNKS)), 1)


def test_an_error_names_the_chunk(tmp_path, cluster):
    with pytest.raises(ZeroDivisionError, match="three") as caught:
        list(execute(functions.fail, tmp_path, cluster))
    assert any("chunk 3 (samples 30 to 40)" in note for note in caught.value.__notes__)


def test_a_worker_that_is_killed_from_outside(tmp_path, cluster):
    results = execute(functions.slow_double, tmp_path, cluster)
    first = next(results)
    os.kill(int(first["pid"]), signal.SIGKILL)
    rest = list(results)
    assert [int(r["index"]) for r in rest] == list(range(1, len(CHUNKS)))
    assert sum(int(r["file"].sum()) for r in [first, *rest]) == 2 * sum(range(95))


def test_a_chunk_that_kills_its_worker_once(tmp_path, cluster):
    results = list(execute(functions.die_once, tmp_path, cluster))
    assert [int(r["index"]) for r in results] == list(range(len(CHUNKS)))
    assert calls(tmp_path)[2] == 2


def test_a_chunk_that_always_kills_its_worker_is_named(tmp_path, cluster):
    with pytest.raises(WorkerDiedError, match=r"chunk 2 \(samples 20 to 30\)"):
        list(execute(functions.die_always, tmp_path, cluster))


def test_a_cluster_of_its_own(tmp_path):
    results = list(execute(functions.double, tmp_path, "local", workers=2))
    assert len({int(r["pid"]) for r in results} - {psutil.Process().pid}) >= 1
    left = [p for p in psutil.Process().children(recursive=True) if int(results[0]["pid"]) == p.pid]
    assert not left
    assert np.array_equal(results[1]["file"], np.arange(10, 20) * 2)


def test_nobody_answers(tmp_path):
    with pytest.raises(BadArgumentError, match="Dask scheduler that answers"):
        list(execute(functions.double, tmp_path, "tcp://127.0.0.1:9"))


def test_an_unknown_cluster(tmp_path):
    with pytest.raises(BadArgumentError, match="'slurm' or an address"):
        list(execute(functions.double, tmp_path, "cloud"))


@pytest.mark.skipif(
    importlib.util.find_spec("dask_jobqueue") is not None, reason="dask_jobqueue is installed"
)
def test_slurm_names_the_package_it_needs(tmp_path):
    with pytest.raises(MissingDependencyError, match="pip install dask-jobqueue"):
        list(execute(functions.double, tmp_path, "slurm"))
