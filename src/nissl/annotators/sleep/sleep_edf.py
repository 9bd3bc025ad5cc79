"""Scored nights as numbers per epoch: one ``.npz`` per night, named as in Sleep-EDF.

``SC4ssN*.npz`` holds `X` (epochs, numbers), `y` (0 W, 1 N1, 2 N2, 3 N3, 4 R) and `names`, where
``ss`` is the subject and ``N`` the night. Tapes of a whole day are cut to 30 minutes around
sleep, as is usual with this collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.context import context
from nissl.errors import CorruptSourceError, SourceNotFoundError
from nissl.labels import FeatureTable
from nissl.tasks import Examples

EPOCH_S = 30.0
AROUND_MIN = 30.0
_ROLES = {"Fpz-Cz": "front", "Pz-Oz": "back"}


@dataclass(frozen=True, eq=False)
class Night:
    """Numbers and stages of one night.

    Parameters
    ----------
    name, subject : str
    values : ndarray, shape (n_epochs, n), float64
    names : tuple of str
    stage : ndarray, shape (n_epochs,), int64
        Codes of `HUMAN`.
    """

    name: str
    subject: str
    values: npt.NDArray[np.float64]
    names: tuple[str, ...]
    stage: npt.NDArray[np.int64]


def read_nights(folder: Path) -> list[Night]:
    """Every night of a folder.

    Raises
    ------
    SourceNotFoundError, CorruptSourceError
    """
    paths = sorted(folder.glob("SC4*.npz"))
    if not paths:
        raise SourceNotFoundError(
            f"nights named SC4*.npz in {folder}", "none", "Give the folder that holds them."
        )
    return [_read(path) for path in paths]


def _read(path: Path) -> Night:
    try:
        with np.load(path, allow_pickle=False) as held:
            values = np.asarray(held["X"], np.float64)
            stage = np.asarray(held["y"], np.int64)
            told = [str(name) for name in held["names"]]
    except (KeyError, ValueError, OSError) as error:
        raise CorruptSourceError(
            f"X, y and names in {path.name}", str(error), "Fetch the night again."
        ) from error
    names = []
    for name in told:
        derivation, _, quantity = name.partition(":")
        names.append(f"{_ROLES.get(derivation, derivation)}:{quantity}")
    asleep = np.flatnonzero(stage > 0)
    edge = int(AROUND_MIN * 60 / EPOCH_S)
    first = max(0, int(asleep[0]) - edge) if asleep.size else 0
    last = min(len(stage), int(asleep[-1]) + edge + 1) if asleep.size else len(stage)
    return Night(path.stem, path.stem[3:5], values[first:last], tuple(names), stage[first:last])


def examples_of(nights: Sequence[Night]) -> Examples:
    """Nights as examples to learn from."""
    tables = [context(night.values, night.names, EPOCH_S) for night in nights]
    n = [len(night.stage) for night in nights]
    names = tables[0][1]
    table = FeatureTable(
        items=np.arange(sum(n), dtype=np.int64),
        names=names,
        values=np.concatenate([wide for wide, _ in tables]),
        units=("",) * len(names),
        subject=tuple(s for night, k in zip(nights, n, strict=True) for s in [night.subject] * k),
        session=tuple(s for night, k in zip(nights, n, strict=True) for s in [night.name] * k),
    )
    return Examples(table, np.concatenate([night.stage for night in nights]), np.ones(sum(n)))


__all__ = ["AROUND_MIN", "EPOCH_S", "Night", "examples_of", "read_nights"]
