"""run_chunks: apply a function to every chunk, in parallel, resumable, within the budget.

A finished chunk is on disk and is never computed again. After Ctrl-C, a crash or a killed
worker the same call goes on at the first unfinished chunk.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from typing import Any

from nissl.errors import CorruptProjectError, InterruptedRunError, WorkerDiedError
from nissl.run.chunks import Chunk
from nissl.run.context import Context
from nissl.run.executors import DaskCluster, Executor, Function, InProcess, Pool, Threads, pack
from nissl.run.memory import workers_within
from nissl.run.results import Arrays, ChunkFiles, write_arrays

RETRIES = 3


def run_chunks(
    function: Function,
    chunks: Sequence[Chunk],
    shared: Any,
    context: Context,
    *,
    key: str,
    memory_per_chunk: int,
    stage: str = "chunks",
    rate_hz: float | None = None,
    threads: bool = False,
) -> Iterator[Arrays]:
    """Apply ``function(shared, chunk)`` to every chunk.

    Parameters
    ----------
    function : callable
        Of a module, so that it can be sent to other processes; returns a dict of arrays and
        depends on nothing but its arguments.
    chunks : sequence of Chunk
        See `plan_chunks`.
    shared : object
        What all chunks need (a Signal, parameters); pickled once for each worker.
    context : Context
        Workers, memory budget, cluster, scratch folder, progress.
    key : str
        Folder of the results under ``context.workdir``; must change with everything that
        `shared` and `function` compute from (see `stage_key`).
    memory_per_chunk : int
        Bytes that one chunk needs at its peak.
    stage : str
        Name for progress and errors.
    rate_hz : float, optional
        Of the signal; progress is then in seconds of recording instead of chunks.
    threads : bool
        Whether workers on this machine are threads rather than processes: for functions that spend
        their time outside the interpreter's lock (filters, BLAS, compiled code).

    Yields
    ------
    dict of str to ndarray
        One per chunk, in chunk order; only one is held in memory here.

    Raises
    ------
    MemoryBudgetError
        The budget does not hold one chunk.
    WorkerDiedError
        A chunk's worker was killed (out of memory, usually) more often than it is retried.
    InterruptedRunError
        Ctrl-C.
    Exception
        What the function raised, with a note that names the chunk.
    """
    files = ChunkFiles(context.workdir, key, plan=chunks, function=function)
    run = _Run(stage, chunks, files, context, rate_hz)
    with resumable(stage), contextlib.ExitStack() as stack:
        run.begin()
        stack.callback(context.progress.finish, stage)
        for chunk in chunks:
            if run.executor is not None:
                run.step(timeout_s=0)  # keeps workers busy while the caller uses results
            arrays = None if chunk.index in run.waiting else files.load(chunk)
            if arrays is None:
                if run.executor is None:
                    run.executor = _executor(
                        function, shared, context, memory_per_chunk, len(run.todo) + 1, threads
                    )
                    stack.callback(run.executor.close)
                run.complete(chunk)
                arrays = files.load(chunk)
                if arrays is None:
                    raise _unreadable(files, chunk)
            yield arrays


class _Run:
    """The chunks that wait, that are under way, and that lost their worker."""

    def __init__(
        self,
        stage: str,
        chunks: Sequence[Chunk],
        files: ChunkFiles,
        context: Context,
        rate_hz: float | None,
    ) -> None:
        self.stage, self.files, self.progress = stage, files, context.progress
        self.chunks, self.rate_hz = chunks, rate_hz
        self.executor: Executor | None = None
        self.todo = deque(chunk for chunk in chunks if not files.has(chunk))
        self.waiting = {chunk.index for chunk in self.todo}  # until booked, wherever they are
        self.active: dict[Future[Arrays | None], Chunk] = {}
        self.suspects: deque[Chunk] = deque()
        self.deaths: Counter[int] = Counter()

    def begin(self) -> None:
        """Announce the stage, with what an earlier run has already done."""
        done = sum(self._amount(c) for c in self.chunks if c.index not in self.waiting)
        unit = "chunks" if self.rate_hz is None else "s of recording"
        self.progress.start(self.stage, sum(map(self._amount, self.chunks)), unit)
        if done:
            self.progress.advance(self.stage, done)

    def _amount(self, chunk: Chunk) -> float:
        return 1.0 if self.rate_hz is None else chunk.n_samples / self.rate_hz

    def complete(self, wanted: Chunk) -> None:
        """Work until the wanted chunk is on disk, and start those after it meanwhile."""
        if wanted.index not in self.waiting:  # its file was damaged
            self.todo.appendleft(wanted)
            self.waiting.add(wanted.index)
        while wanted.index in self.waiting:
            self.step(timeout_s=0.5)  # not for ever: Windows sees Ctrl-C only between waits

    def step(self, *, timeout_s: float) -> None:
        """Start what there is room for, and book what has finished."""
        try:
            self._fill()
        except BrokenExecutor:
            self._worker_died(list(self.active.values()))
        ready = wait(self.active, timeout=timeout_s, return_when=FIRST_COMPLETED).done
        lost = [chunk for future in ready if (chunk := self._take(future)) is not None]
        if lost:
            self._worker_died(lost + list(self.active.values()))

    def _fill(self) -> None:
        """Start chunks up to the executor's capacity; those that lost a worker, one by one."""
        if self.executor is None:
            return
        queue = self.suspects or self.todo
        capacity = 1 if self.suspects else self.executor.capacity
        while queue and len(self.active) < capacity:
            if queue is self.todo and any(c.index in self.deaths for c in self.active.values()):
                return
            future = self.executor.submit(queue[0], self.files.path(queue[0]))
            self.active[future] = queue.popleft()

    def _take(self, future: Future[Arrays | None]) -> Chunk | None:
        """Book a finished future; returns its chunk if the worker died under it."""
        chunk = self.active.pop(future)
        try:
            arrays = future.result()
        except (BrokenExecutor, CancelledError):
            return chunk
        except Exception as error:
            if type(error).__name__ == "KilledWorker":  # dask.distributed, after its own retries
                if chunk.index in self.deaths:  # it ran alone: no other chunk is to blame
                    raise self._died(chunk) from error
                return chunk
            error.add_note(f"In {chunk} of stage {self.stage!r}.")
            raise
        if arrays is not None:
            write_arrays(self.files.path(chunk), arrays)
        self._book(chunk)
        return None

    def _book(self, chunk: Chunk) -> None:
        self.deaths.pop(chunk.index, None)
        if chunk.index in self.waiting:
            self.waiting.remove(chunk.index)
            self.progress.advance(self.stage, self._amount(chunk))

    def _worker_died(self, chunks: list[Chunk]) -> None:
        """Retry what was under way, one chunk at a time, so that the guilty one is found."""
        self.active.clear()
        if self.executor is not None:
            self.executor.restart()
        alone = len(chunks) == 1 and chunks[0].index in self.deaths
        for chunk in sorted(chunks, key=lambda c: c.index, reverse=True):
            self.deaths[chunk.index] += 1 if alone else 0
            if self.deaths[chunk.index] >= RETRIES:
                raise self._died(chunk)
            if self.files.has(chunk):  # finished just before its pool was closed
                self._book(chunk)
            else:
                self.suspects.appendleft(chunk)

    def _died(self, chunk: Chunk) -> WorkerDiedError:
        return WorkerDiedError(
            f"a worker that finishes {chunk} of stage {self.stage!r}",
            f"{RETRIES} workers that were killed on it, probably for lack of memory",
            "Give a smaller --memory or --workers; finished chunks are kept.",
        )


def _executor(
    function: Function,
    shared: Any,
    context: Context,
    memory_per_chunk: int,
    n: int,
    threads: bool,
) -> Executor:
    if context.cluster is not None:
        payload = pack(function, shared)
        local = context.cluster == "local"
        workers = (
            workers_within(context, memory_per_chunk, n_chunks=n, sent=len(payload))
            if local
            else context.workers
        )
        return DaskCluster(
            payload, context.cluster, workers=workers, memory=max(memory_per_chunk * 3, 10**9)
        )
    if min(context.workers, n) <= 1:
        workers_within(context, memory_per_chunk, n_chunks=1)
        return InProcess(function, shared)
    if threads:
        workers = workers_within(context, memory_per_chunk, n_chunks=n)
        return Threads(function, shared, workers) if workers > 1 else InProcess(function, shared)
    payload = pack(function, shared)
    workers = workers_within(context, memory_per_chunk, n_chunks=n, sent=len(payload))
    return Pool(payload, workers) if workers > 1 else InProcess(function, shared)


def _unreadable(files: ChunkFiles, chunk: Chunk) -> CorruptProjectError:
    return CorruptProjectError(
        f"the result of {chunk}, just written to {files.path(chunk)}",
        "something that does not read back",
        "Check the disk (`nissl doctor`) and run the same command again.",
    )


GOES_ON = "Run the same command again; it goes on at the first unfinished chunk."
STARTS_AGAIN = "The same command starts this stage again; stages that had finished are kept."


@contextlib.contextmanager
def resumable(stage: str, remedy: str = GOES_ON) -> Iterator[None]:
    """Turn Ctrl-C into `InterruptedRunError`; for the code around `run_chunks` as well."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            f"stage {stage!r} to finish",
            "an interrupt",
            remedy,
        ) from error
