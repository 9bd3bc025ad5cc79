"""Connections to Dask: a cluster on this machine, on SLURM, or one that is already running."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from nissl.errors import BadArgumentError, MissingDependencyError, WorkerDiedError

_PATIENCE_S = 60


@contextlib.contextmanager
def dask_client(cluster: str, workers: int, memory_bytes: int) -> Iterator[Any]:
    """Client of a cluster; what was started here is closed afterwards.

    Parameters
    ----------
    cluster : str
        "local" (processes on this machine), "slurm", or a scheduler's address such as
        ``tcp://host:8786``.
    workers : int
        Processes to start, for "local" and "slurm".
    memory_bytes : int
        What one worker of "slurm" asks for.

    Raises
    ------
    BadArgumentError
        Another value, or nobody answers at the address.
    MissingDependencyError
        dask.distributed, or dask_jobqueue for "slurm", is not installed.
    WorkerDiedError
        The cluster has no worker within a minute.
    """
    distributed = _need("distributed", "pip install 'nissl[dask]'")
    with contextlib.ExitStack() as stack:
        if cluster == "local":
            target = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=0,  # the plan keeps the budget; nannies that kill would not
                    dashboard_address="127.0.0.1:0",
                )
            )
        elif cluster == "slurm":
            target = stack.enter_context(_slurm(workers, memory_bytes))
        elif "://" in cluster:
            target = cluster
        else:
            raise BadArgumentError(
                "a cluster that is 'local', 'slurm' or an address such as tcp://host:8786",
                repr(cluster),
                "Start a scheduler with `dask scheduler` and give the address it prints.",
            )
        client = stack.enter_context(_connect(distributed, target))
        try:
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except TimeoutError as error:
            raise WorkerDiedError(
                f"a worker at {cluster} within {_PATIENCE_S} s",
                "none",
                "Start workers with `dask worker ADDRESS`, or look into the queue.",
            ) from error
        yield client


def _connect(distributed: Any, target: Any) -> Any:
    try:
        return distributed.Client(target, timeout="5s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadArgumentError(
            f"a Dask scheduler that answers at {target}",
            f"{type(error).__name__}",
            "Start one with `dask scheduler`, and check the address and the firewall.",
        ) from error


def _slurm(workers: int, memory_bytes: int) -> Any:
    jobqueue = _need("dask_jobqueue", "pip install dask-jobqueue")
    cluster = jobqueue.SLURMCluster(cores=1, processes=1, memory=f"{memory_bytes}B")
    cluster.scale(workers)
    return cluster


def _need(name: str, command: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"the package {name}", "no such package", f"Install with: {command}"
        ) from error
