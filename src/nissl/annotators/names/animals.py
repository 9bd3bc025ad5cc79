"""Animals whose neurons were named by people: what an atlas is made of.

Two kinds of files are read. ``.npz``: ``names`` (n_names,), and either ``xyz`` (n_animals,
n_names, 3) with ``colours`` (n_animals, n_names, n_colours) and ``animals`` (n_animals,) where
there are any, or ``features`` (n_names, 6, n_animals) of x, y, z, red, green, blue, as published
atlases of worms have it. ``.csv``: columns ``name, x, y, z``, and ``animal``, ``red``, ``green``,
``blue`` where there are any. What was not seen is NaN, or has no row. Units are free, for maps
between animals are affine; within one animal axes must be right-handed, or all mirrored alike.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.vocabulary import UNKNOWN
from nissl.errors import BadArgumentError, CorruptSourceError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FEWEST = 8
"""Named neurons that an animal needs, so that a map of it can be fitted."""
_RGB = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Animals:
    """Places and colours of named neurons in some animals.

    Parameters
    ----------
    names : tuple of str
        Each once.
    xyz : ndarray, shape (n_animals, n_names, 3), float64
        NaN where a neuron was not seen, or not named.
    colours : ndarray, shape (n_animals, n_names, n_colours), float64
        As measured; n_colours is 0 where nothing is known of colour.
    animals : tuple of str
    """

    names: tuple[str, ...]
    xyz: Floats
    colours: Floats
    animals: tuple[str, ...]

    def __post_init__(self) -> None:
        n, m = len(self.animals), len(self.names)
        if self.xyz.shape != (n, m, 3) or self.colours.shape[:2] != (n, m):
            raise BadArgumentError(
                f"places of {m} names in {n} animals",
                f"shapes {self.xyz.shape} and {self.colours.shape}",
                "Give arrays of (n_animals, n_names, 3) and (n_animals, n_names, n_colours).",
            )
        if len(set(self.names)) != m or UNKNOWN in self.names or "" in self.names:
            raise BadArgumentError(
                "names that are each there once, none of them empty or 'unknown'",
                f"{sorted({name for name in self.names if self.names.count(name) > 1})}",
                "Mend the names of the atlas.",
            )
        few = [self.animals[k] for k in np.flatnonzero(self.seen.sum(axis=1) < FEWEST)]
        if n == 0 or few:
            raise BadArgumentError(
                f"animals with {FEWEST} named neurons or more",
                f"fewer in {few or 'none'}",
                "Leave those animals out of the atlas.",
            )

    @property
    def seen(self) -> Bools:
        """Which neurons have a place, shape (n_animals, n_names)."""
        return np.asarray(np.isfinite(self.xyz).all(axis=2))

    @property
    def n_animals(self) -> int:
        """Number of animals."""
        return len(self.animals)

    def without(self, animal: int) -> Animals:
        """All but one of them, by index."""
        return self.take(np.delete(np.arange(self.n_animals), animal))

    def take(self, rows: npt.NDArray[Any]) -> Animals:
        """Some of them, by index."""
        kept = tuple(self.animals[int(k)] for k in rows)
        return Animals(self.names, self.xyz[rows], self.colours[rows], kept)

    def digest(self) -> str:
        """SHA-256 of names and numbers."""
        hasher = hashlib.sha256("\0".join((*self.names, "", *self.animals)).encode())
        hasher.update(self.xyz.astype("<f8").tobytes())
        hasher.update(self.colours.astype("<f8").tobytes())
        return hasher.hexdigest()


def read_animals(path: Path | str) -> Animals:
    """Animals of a file; see the module's text for what it holds.

    Raises
    ------
    BadArgumentError
        No such file, or names and numbers that make no atlas.
    CorruptSourceError
        It cannot be read as such a file.
    """
    file = Path(path)
    if not file.is_file():
        raise BadArgumentError(
            "a file of animals with named neurons (.npz or .csv)",
            repr(str(path)),
            "Give its path with --set atlas=FILE.",
        )
    try:
        return _of_npz(file) if file.suffix == ".npz" else _of_csv(file)
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, BadArgumentError):
            raise
        raise CorruptSourceError(
            "names with x, y and z (.npz: names, xyz; .csv: columns name, x, y, z)",
            f"{type(error).__name__}: {error}"[:200],
            "Mend the atlas; the manual shows both layouts.",
        ) from None


def write_animals(path: Path, animals: Animals) -> None:
    """Write them as ``.npz``."""
    np.savez_compressed(
        path,
        names=np.array(animals.names),
        xyz=animals.xyz,
        colours=animals.colours,
        animals=np.array(animals.animals),
    )


def _of_npz(file: Path) -> Animals:
    with np.load(file, allow_pickle=False) as held:
        names = tuple(str(name) for name in held["names"])
        if "features" in held:
            table = np.asarray(held["features"], np.float64).transpose(2, 0, 1)
            xyz, colours = table[:, :, :3].copy(), table[:, :, 3:].copy()
        else:
            xyz = np.asarray(held["xyz"], np.float64)
            none = np.zeros((*xyz.shape[:2], 0))
            colours = np.asarray(held["colours"], np.float64) if "colours" in held else none
        given = held["animals"] if "animals" in held else np.arange(len(xyz)) + 1
        animals = tuple(str(name) for name in given)
    return Animals(names, xyz, colours, animals)


def _of_csv(file: Path) -> Animals:
    with open(file, encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    if not rows:
        raise ValueError("no rows")
    names = tuple(dict.fromkeys(row["name"].strip() for row in rows if row["name"].strip()))
    animals = tuple(dict.fromkeys((row.get("animal") or "1").strip() for row in rows))
    coloured = set(_RGB) <= set(rows[0])
    xyz = np.full((len(animals), len(names), 3), np.nan)
    colours = np.full((len(animals), len(names), 3 if coloured else 0), np.nan)
    for row in rows:
        if not row["name"].strip():
            continue
        place = (
            animals.index((row.get("animal") or "1").strip()),
            names.index(row["name"].strip()),
        )
        if np.isfinite(xyz[place]).any():
            raise BadArgumentError(
                "each name once in an animal",
                f"{row['name']!r} twice in animal {row.get('animal') or '1'!r}",
                "Remove one of the two rows.",
            )
        xyz[place] = [float(row[axis]) for axis in "xyz"]
        if coloured:
            colours[place] = [float(row[name] or "nan") for name in _RGB]
    return Animals(names, xyz, colours, animals)


def normal_colours(colours: npt.NDArray[Any]) -> Floats:
    """Colours of one animal on a common scale: root of counts, centred and scaled by channel.

    The square root makes shot noise the same at any brightness (Anscombe 1948, Biometrika 35);
    scaling by channel takes laser power and gain away, which differ between days.

    Parameters
    ----------
    colours : ndarray, shape (n_neurons, n_colours)

    Returns
    -------
    ndarray, same shape, float64
        NaN where there was none.
    """
    root = np.sqrt(np.maximum(np.asarray(colours, np.float64), 0.0))
    if not root.size or not np.isfinite(root).any():
        return root
    centred = root - np.nanmean(root, axis=0)
    spread = np.sqrt(np.nanmean(centred**2, axis=0))
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))
