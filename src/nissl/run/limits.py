"""One BLAS thread everywhere.

Threaded BLAS splits its sums by the number of threads, so that the last bits of a result
would depend on the machine and on the number of workers. Parallel work is done by processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def child_environment() -> dict[str, str]:
    """Environment variables that give a child process one thread per numerical library."""
    return dict.fromkeys(THREAD_VARIABLES, "1")


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS and OpenMP of this process to one thread; restores them afterwards."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def hold_blas_to_one_thread() -> None:
    """Hold BLAS and OpenMP to one thread for good; for worker processes.

    Repeated before every chunk, since a library that a stage imports later starts afresh.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
