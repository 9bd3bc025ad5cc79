"""Functions that tests send to worker processes; `shared` tells them where to leave marks."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


def mark(folder: str, name: str) -> int:
    """Count a call through a file, since calls may come from any process."""
    with Path(folder, f"{name}.calls").open("ab") as file:
        file.write(b".")
    return Path(folder, f"{name}.calls").stat().st_size


def double(shared, chunk):
    mark(shared, str(chunk.index))
    values = np.arange(chunk.start, chunk.stop) * 2
    return {"file": values, "index": np.asarray(chunk.index), "pid": np.asarray(os.getpid())}


def slow_double(shared, chunk):
    time.sleep(0.15)
    return double(shared, chunk)


def gated_double(shared, chunk):
    """Chunks from the sixth on wait for a file, so that a test can interrupt them in peace."""
    deadline = time.monotonic() + 60
    while chunk.index >= 5 and not Path(shared, "go").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody opened the gate")
        time.sleep(0.02)
    return double(shared, chunk)


def die_once(shared, chunk):
    if mark(shared, str(chunk.index)) == 1 and chunk.index == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"index": np.asarray(chunk.index)}


def die_always(shared, chunk):
    mark(shared, str(chunk.index))
    if chunk.index == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"index": np.asarray(chunk.index)}


def fail(shared, chunk):
    if chunk.index == 3:
        raise ZeroDivisionError("three")
    return {"index": np.asarray(chunk.index)}


class Unpicklable(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = b


def fail_oddly(shared, chunk):
    raise Unpicklable("odd", lambda: None)


def objects(shared, chunk):
    return {"objects": np.asarray([{}], dtype=object)}


def threads(shared, chunk):
    import scipy.linalg
    from threadpoolctl import threadpool_info

    scipy.linalg.norm(np.eye(3))
    return {"threads": np.asarray([pool["num_threads"] for pool in threadpool_info()])}


def bandpass(shared, chunk):
    """Zero-phase filter on the chunk with its halo."""
    from scipy.signal import butter, sosfiltfilt

    signal_, low_hz, high_hz = shared
    sos = butter(3, (low_hz, high_hz), "bandpass", fs=signal_.rate_hz, output="sos")
    data = signal_.read(chunk.read_start, chunk.read_stop).astype(np.float64)
    return {"filtered": sosfiltfilt(sos, data, axis=0)[chunk.core].astype(np.float32)}


def covariance(shared, chunk):
    """Uses BLAS, whose sums depend on its threads."""
    data = shared.read(chunk.start, chunk.stop).astype(np.float64)
    return {"covariance": data.T @ data}


def total(shared, chunk):
    data = shared.read_raw(chunk.read_start, chunk.read_stop)
    return {"sum": data.sum(axis=0, dtype=np.int64)}


@dataclass(frozen=True)
class FileReader:
    """int16 samples of a raw file, read with plain reads (mapped pages would count as ours)."""

    path: str
    n_channels: int

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.int16)

    def read(self, start, stop, channels):
        shape = stop - start, self.n_channels
        with open(self.path, "rb", buffering=0) as file:
            file.seek(start * self.n_channels * 2)
            data = np.empty(shape, np.int16)
            file.readinto(data)
        return data if len(channels) == self.n_channels else data[:, channels]
