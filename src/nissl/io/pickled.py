"""Pickled NumPy files as other programs (Suite2p, Cellpose) open them, and numbers out of them.

They are read by `nissl.data.plain_pickle`, which unpickles nothing. Pickling our own plain data
harms nobody; `save` leaves it to NumPy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nissl.data.plain_pickle import boxed
from nissl.errors import CorruptSourceError


def save(path: Path, value: Any) -> None:
    """Write plain data as the pickled .npy file that other programs open.

    Parameters
    ----------
    path : Path
    value : dict, or list of dict
        Kept as an array without axes, or as an array of objects.
    """
    array = boxed(value)
    if isinstance(value, list):
        array = np.empty(len(value), object)
        array[:] = value
    np.save(path, array, allow_pickle=True)


def number(value: Any, name: str, path: Path) -> float:
    """A finite number of a file; `CorruptSourceError` where it is something else."""
    if isinstance(value, int | float | np.number) and np.isfinite(value):
        return float(value)
    raise CorruptSourceError(
        f"a number as {name!r} in {path.name}", f"{value!r:.80}", f"Restore {path}."
    )


__all__ = ["number", "save"]
