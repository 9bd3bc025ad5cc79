"""Memory: a budget that is kept by planning, and peaks that are measured.

The budget counts resident memory (RSS) of this process and of all its children, interpreters
and libraries included. Pages that processes share are counted once for each, so what is
measured is an upper bound. Of this process's own memory before the run at most
`INTERPRETER_BYTES` count: what else the caller has loaded is the caller's.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nissl.errors import BadArgumentError, MemoryBudgetError
from nissl.run.context import Context

INTERPRETER_BYTES = 300 * 10**6
GROWTH_BYTES = 70 * 10**6  # libraries that this process loads during the run
SLACK_BYTES = 20 * 10**6  # by which this process may grow between planning and running
WORKER_BYTES = 160 * 10**6  # a worker with numpy, scipy and pyarrow loaded, before any samples


@dataclass(frozen=True)
class Fit:
    """Sizes that keep to a budget.

    Parameters
    ----------
    chunk_samples : int
    workers : int
    memory_per_chunk : int
        Bytes; what to tell `run_chunks`.
    """

    chunk_samples: int
    workers: int
    memory_per_chunk: int


def fit_chunks(
    bytes_per_sample: float,
    context: Context,
    *,
    preferred_samples: int,
    minimum_samples: int = 1,
    fixed_bytes: int = 0,
) -> Fit:
    """Largest chunks and most workers within the budget.

    Workers are given up only when not even the smallest chunk fits beside the others. Since
    the answer depends on the machine, use it only where a result does not depend on the cut.

    Parameters
    ----------
    bytes_per_sample : float
        Peak bytes that one sample of all channels needs: channels times bytes of a value times
        the number of copies alive at once.
    context : Context
    preferred_samples : int
        Chunk to use where there is room.
    minimum_samples : int
        Smallest chunk that makes sense; chunks are multiples of it.
    fixed_bytes : int
        Bytes that a chunk needs whatever its length.

    Raises
    ------
    MemoryBudgetError
        The smallest chunk does not fit in one process.
    """
    if minimum_samples < 1 or preferred_samples < minimum_samples or bytes_per_sample <= 0:
        raise BadArgumentError(
            "1 <= minimum_samples <= preferred_samples and bytes_per_sample > 0",
            f"{minimum_samples}, {preferred_samples}, {bytes_per_sample}",
            "Check the sizes of the stage.",
        )
    for workers in range(max(context.workers, 1), 0, -1):
        slack = SLACK_BYTES if workers > 1 else 0
        room = (_room(context, workers) - slack) / workers - fixed_bytes
        units = int(min(preferred_samples, room / bytes_per_sample)) // minimum_samples
        if units >= 1:
            samples = units * minimum_samples
            return Fit(samples, workers, int(samples * bytes_per_sample) + fixed_bytes)
    raise _too_small(context, int(minimum_samples * bytes_per_sample) + fixed_bytes)


def workers_within(context: Context, memory_per_chunk: int, *, n_chunks: int, sent: int = 0) -> int:
    """Number of processes that the budget allows, at least 1.

    Parameters
    ----------
    context : Context
    memory_per_chunk : int
        Peak bytes of one chunk.
    n_chunks : int
        Chunks still to do; there are never more workers.
    sent : int
        Bytes of the pickled value that every worker receives; it is held twice.

    Raises
    ------
    MemoryBudgetError
        Not even one chunk fits.
    """
    for workers in range(max(min(context.workers, n_chunks), 1), 0, -1):
        copies = 2 * sent if workers > 1 else 0
        if _room(context, workers) >= workers * (memory_per_chunk + copies):
            return workers
    raise _too_small(context, memory_per_chunk)


def _room(context: Context, workers: int) -> int:
    """Bytes for chunks, when that many processes run; one runs in this process."""
    own = min(int(psutil.Process().memory_info().rss), INTERPRETER_BYTES)
    own += GROWTH_BYTES
    return context.memory_bytes - own - (workers * WORKER_BYTES if workers > 1 else 0)


def _too_small(context: Context, needed: int) -> MemoryBudgetError:
    total = needed + context.memory_bytes - _room(context, 1)
    return MemoryBudgetError(
        f"a memory budget of at least {_megabytes(total)} (one chunk needs {_megabytes(needed)})",
        _megabytes(context.memory_bytes),
        f"Give more: --memory {-(-total // 10**6)}MB.",
    )


def _megabytes(n_bytes: int) -> str:
    return f"{-(-n_bytes // 10**6)} MB"


@dataclass
class Peak:
    """Highest memory of a process and its children while it was measured.

    Parameters
    ----------
    bytes : int
        Largest sum of resident memory at one moment.
    bound_bytes : int
        Largest sum of each living process's own high-water mark: never less than the truth
        (Linux; elsewhere the same as `bytes`).
    n_processes : int
        Most processes alive at once.
    """

    bytes: int = 0
    bound_bytes: int = 0
    n_processes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def sample(self, process: psutil.Process) -> None:
        """Look once."""
        sizes = [_sizes(member) for member in [process, *_children(process)]]
        alive = [size for size in sizes if size[0] > 0]
        with self._lock:
            self.bytes = max(self.bytes, sum(rss for rss, _ in alive))
            self.bound_bytes = max(self.bound_bytes, sum(high for _, high in alive))
            self.n_processes = max(self.n_processes, len(alive))


@contextlib.contextmanager
def measure_peak(pid: int | None = None, *, interval_s: float = 0.05) -> Iterator[Peak]:
    """Measure the peak memory of a process and all its children.

    Parameters
    ----------
    pid : int, optional
        This process by default.
    interval_s : float
        Time between looks. Peaks of a shorter duration are seen in `Peak.bound_bytes`.

    Yields
    ------
    Peak
        Filled while the context lasts.
    """
    process = psutil.Process(pid)
    _reset_high_water_mark(process.pid)
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(interval_s):
            peak.sample(process)

    peak.sample(process)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()
        peak.sample(process)


def tree_rss(pid: int | None = None) -> int:
    """Resident bytes of a process and its children at this moment."""
    now = Peak()
    now.sample(psutil.Process(pid))
    return now.bytes


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _sizes(process: psutil.Process) -> tuple[int, int]:
    """Resident bytes and their high-water mark; zeros when the process has gone."""
    try:
        rss = int(process.memory_info().rss)
    except psutil.Error:
        return 0, 0
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return rss, rss
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return rss, max(rss, int(lines[0].split()[1]) * 1024) if lines else rss


def _reset_high_water_mark(pid: int) -> None:
    """Forget earlier peaks of this process (Linux); where it cannot be, they count."""
    if pid == os.getpid():
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
