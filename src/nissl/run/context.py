"""Context: what a job may use, and where it may write."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nissl.errors import BadArgumentError
from nissl.run.progress import Progress, Silent

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{k}I": 1024 ** (i + 1) for i, k in enumerate("KMGT")}


def parse_memory(text: str) -> int:
    """Bytes of a size such as "4GB", "512 MiB" or "1e9"; `BadArgumentError` otherwise."""
    match = re.fullmatch(
        r"\s*([0-9.]+(?:e[0-9]+)?)\s*([KMGT]?I?)B?\s*",
        text.upper().replace("E+", "E").replace("E", "e"),
    )
    try:
        size = int(float(match.group(1)) * _UNITS[match.group(2)]) if match else 0
    except (ValueError, KeyError, OverflowError):
        size = 0
    if size <= 0:
        raise BadArgumentError(
            "a size above zero such as 4GB or 512MiB", repr(text), "Write --memory 4GB."
        )
    return size


@dataclass(frozen=True)
class Context:
    """Resources of a job. None of them may change its result.

    Parameters
    ----------
    workdir : Path
        Scratch folder of this job alone; kept while the job is unfinished, so that it resumes.
    seed : int
        The only source of randomness; part of the job's hash.
    workers : int
        Processes on this machine.
    memory_bytes : int
        Budget for all processes of the job together.
    progress : Progress
    cluster : str, optional
        Address of a Dask scheduler (``tcp://host:8786``), "slurm", or "local" for a Dask
        cluster on this machine; None runs on this machine without Dask.
    """

    workdir: Path
    seed: int = 0
    workers: int = 1
    memory_bytes: int = 4 * 10**9
    progress: Progress = field(default_factory=Silent)
    cluster: str | None = None

    def rng(self) -> np.random.Generator:
        """Return a fresh generator from the seed."""
        return np.random.default_rng(self.seed)
