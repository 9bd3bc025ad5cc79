"""Where chunks are computed: this process or its threads, a pool of processes, or a Dask cluster.

All of them speak ``concurrent.futures``; `nissl.run.execute` schedules and knows none of them.
On this machine a worker writes its result itself, so that results never pile up in memory; a
Dask worker may not see this disk, so it returns the result and the caller writes it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import lru_cache
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any, Protocol

from nissl.errors import BadArgumentError, MethodFailedError
from nissl.run.chunks import Chunk
from nissl.run.cluster import dask_client
from nissl.run.limits import child_environment, hold_blas_to_one_thread, single_threaded_blas
from nissl.run.results import Arrays, write_arrays

Function = Callable[[Any, Chunk], Arrays]


class Executor(Protocol):
    """Computes chunks.

    Implementers: the future's result is None where the result has been written to `path`.
    """

    capacity: int

    def submit(self, chunk: Chunk, path: Path) -> Future[Arrays | None]:
        """Start a chunk; the file at `path` is its result."""

    def restart(self) -> None:
        """Make the executor usable again after a worker died."""

    def close(self) -> None:
        """Stop at once; what runs is abandoned, no process is left behind."""


class InProcess:
    """Work in this process, one chunk at a time."""

    capacity = 1

    def __init__(self, function: Function, shared: Any) -> None:
        self._function, self._shared = function, shared

    def submit(self, chunk: Chunk, path: Path) -> Future[Arrays | None]:
        """Compute the chunk now."""
        future: Future[Arrays | None] = Future()
        try:
            with single_threaded_blas():
                write_arrays(path, self._function(self._shared, chunk))
            future.set_result(None)
        except Exception as error:
            future.set_exception(error)
        return future

    def restart(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class Threads:
    """Threads of this process: for functions that seldom hold the interpreter's lock.

    Nothing is started anew and nothing is sent, which takes a process seconds. A function that
    brings the process down brings the caller down; finished chunks are kept all the same.
    """

    def __init__(self, function: Function, shared: Any, workers: int) -> None:
        self._function, self._shared = function, shared
        self.capacity = workers + 1
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(single_threaded_blas())
        self._executor = self._stack.enter_context(ThreadPoolExecutor(workers))

    def submit(self, chunk: Chunk, path: Path) -> Future[Arrays | None]:
        """Hand the chunk to a thread."""
        return self._executor.submit(self._work_and_write, chunk, path)

    def _work_and_write(self, chunk: Chunk, path: Path) -> None:
        write_arrays(path, self._function(self._shared, chunk))

    def restart(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Give up what waits; what runs is waited for."""
        self._executor.shutdown(cancel_futures=True)
        self._stack.close()


class Pool:
    """Processes on this machine.

    They are spawned, not forked: the same on Linux, macOS and Windows, and safe beside the
    threads of BLAS, plotting and notebooks. One more chunk than workers is under way, so that
    no worker waits for the next.
    """

    def __init__(self, payload: bytes, workers: int) -> None:
        self._payload, self._workers = payload, workers
        self.capacity = workers + 1
        self._executor: ProcessPoolExecutor | None = None

    def submit(self, chunk: Chunk, path: Path) -> Future[Arrays | None]:
        """Hand the chunk to a worker, starting one if there is none to spare."""
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(self._payload,),
            )
        with spawning(self._payload):
            return self._executor.submit(_work_and_write, chunk, path)

    def restart(self) -> None:
        """Discard the broken pool; the next chunk starts a new one."""
        self.close()

    def close(self) -> None:
        """Kill the workers."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        workers = list((getattr(executor, "_processes", None) or {}).values())
        executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join(timeout=10)


class DaskCluster:
    """Workers of a Dask cluster: local, on SLURM, or at an address.

    Results return over the network; at most twice as many chunks as threads are under way.
    """

    def __init__(self, payload: bytes, cluster: str, *, workers: int, memory: int) -> None:
        self._payload = payload
        self._stack = contextlib.ExitStack()
        with spawning(payload):
            client = self._stack.enter_context(dask_client(cluster, workers, memory))
        threads = sum(client.nthreads().values())
        self.capacity = min(2 * max(threads, 1), workers + 1 if cluster == "local" else 1 << 20)
        self._executor = client.get_executor(pure=False)

    def submit(self, chunk: Chunk, path: Path) -> Future[Arrays | None]:
        """Hand the chunk to the scheduler; `path` is written by the caller."""
        future: Future[Arrays | None] = self._executor.submit(_work, self._payload, chunk)
        return future

    def restart(self) -> None:
        """Nothing to do: the cluster's nannies start new workers."""

    def close(self) -> None:
        """Cancel what is under way; close the cluster if it was made here."""
        self._executor.shutdown(wait=False)
        self._stack.close()


def pack(function: Function, shared: Any) -> bytes:
    """Function and shared value as they travel to workers, pickled once.

    Raises
    ------
    BadArgumentError
        They do not pickle (a lambda, a nested function, an open file).
    """
    try:
        return pickle.dumps((function, shared), protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise BadArgumentError(
            "a function of a module and a shared value that can be sent to another process",
            f"{function!r} ({error})",
            "Move the function to the top level of a module; open files inside it.",
        ) from error


@contextlib.contextmanager
def spawning(payload: bytes) -> Iterator[None]:
    """Let processes that start now be good children.

    They get one BLAS thread, never see Ctrl-C (the parent alone answers it), and do not run
    the user's script again, which would fail without an ``if __name__ == "__main__"`` guard;
    unless what is sent to them is defined in that script.
    """
    threads = child_environment()
    before = {name: os.environ.get(name) for name in threads}
    main = sys.modules["__main__"]
    block = getattr(signal, "pthread_sigmask", None)
    mask = block(signal.SIG_BLOCK, {signal.SIGINT}) if block else None
    os.environ.update(threads)
    if b"__main__" not in payload:
        sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if block:
            block(signal.SIG_SETMASK, mask)


_worker_payload = b""  # of this worker process; set once when it starts


def _start_worker(payload: bytes) -> None:
    global _worker_payload
    _worker_payload = payload
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """A killed parent cannot stop its workers, and they would wait for it for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


@lru_cache(maxsize=1)
def _unpack(payload: bytes) -> tuple[Function, Any]:
    function, shared = pickle.loads(payload)
    return function, shared


def _work(payload: bytes, chunk: Chunk) -> Arrays:
    function, shared = _unpack(payload)
    hold_blas_to_one_thread()
    try:
        return function(shared, chunk)
    except Exception as error:
        raise _portable(error) from None


def _work_and_write(chunk: Chunk, path: Path) -> None:
    write_arrays(path, _work(_worker_payload, chunk))


def _portable(error: Exception) -> Exception:
    """The error with its traceback as a note; as a MethodFailedError if it does not pickle."""
    trace = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = None
    if type(copy) is not type(error):
        error = MethodFailedError(
            "a stage that finishes", f"{type(error).__name__}: {error}", "See the traceback."
        )
    error.add_note(f"In a worker process:\n{trace}")
    return error
