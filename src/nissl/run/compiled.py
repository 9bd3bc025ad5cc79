"""Functions compiled by numba; import this where numba is there or must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from nissl.errors import MissingDependencyError

F = TypeVar("F", bound=Callable[..., object])

try:
    import numba
except ImportError:
    raise MissingDependencyError(
        "numba", "no such package", "Install it: pip install 'nissl[imaging]'"
    ) from None


def compiled(function: F) -> F:
    """Return the function as machine code, kept on disk, strict about the order of sums."""
    return cast(F, numba.njit(function, cache=True, nogil=True))


__all__ = ["compiled"]
