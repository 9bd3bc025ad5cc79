"""PyTorch, where it is installed: the device, and randomness from a generator of NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from nissl.errors import BadArgumentError, MissingDependencyError

INSTALL = "pip install 'nissl[train]'"


def missing(*packages: str) -> Mapping[str, str]:
    """Those of the packages that are not installed, with the command that installs each."""
    return {name: INSTALL for name in packages if find_spec(name) is None}


def required(package: str) -> Any:
    """Import a package; `MissingDependencyError` where it is not installed."""
    if missing(package):
        raise MissingDependencyError(package, "no such package", f"Install it: {INSTALL}")
    return import_module(package)


def pytorch() -> Any:
    """PyTorch; `MissingDependencyError` where it is not installed."""
    return required("torch")


def device(name: str = "auto") -> Any:
    """Device to compute on: "cpu", "cuda", or "auto" for a GPU where there is one."""
    torch = pytorch()
    there = torch.cuda.is_available()
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not there):
        raise BadArgumentError(
            '"auto", "cpu"' + (' or "cuda"' if there else ", for no GPU is there"),
            repr(name),
            "Choose one of them.",
        )
    return torch.device("cuda" if there and name != "cpu" else "cpu")


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[None]:
    """PyTorch's randomness from a generator; its own state is put back afterwards."""
    torch = pytorch()
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**31 - 1)))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one core, for small networks: waiting threads cost them more than they give.

    On a machine that does something else as well they cost many times more. And the order of
    sums, with it the bytes of the result, no longer depends on the number of cores.
    """
    torch = pytorch()
    before = torch.get_num_threads()
    if before == 1:  # perhaps for a while only: putting 1 back would make it last
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


__all__ = ["INSTALL", "device", "missing", "one_thread", "pytorch", "required", "seeded"]
