"""How well people agree on the cells of a movie: what a method may be set against.

Fields that several people outlined without seeing each other's outlines. Files of the folder
hold, for each reader, the shape of the field and the pixels of each cell one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.matching import IOU, f_score, matched, overlap

MACHINES = ("Allen",)
"""Readers that are programs."""
SAME = 0.95
"""Intersection over union of two outlines of which one was copied from the other."""


@dataclass(frozen=True)
class Agreement:
    """Two readers of one field.

    Parameters
    ----------
    field : str
    a, b : str
        Readers.
    n_a, n_b : int
        Cells that each outlined.
    f1 : float
        At an intersection over union of one half.
    kind : {"people", "machine", "edited"}
        Whether both are people who outlined by themselves, one is a program, or one was made
        by editing the other: then most matched outlines are the same to the pixel, and the
        agreement says little.
    """

    field: str
    a: str
    b: str
    n_a: int
    n_b: int
    f1: float
    kind: str


def readings(path: Path) -> dict[str, Footprints]:
    """Cells of one field by reader."""
    out = {}
    with np.load(path, allow_pickle=False) as held:
        for name in sorted({key.rsplit("_", 1)[0] for key in held.files}):
            height, width = held[f"{name}_shape"].tolist()
            cuts = np.cumsum(held[f"{name}_len"])[:-1]
            parts = [np.unique(p) for p in np.split(held[f"{name}_idx"], cuts)]
            out[name] = Footprints.build((1, height, width), [p for p in parts if p.size])
    return out


def human_agreement(folder: Path, *, least: float = IOU) -> list[Agreement]:
    """Agreement of every two readers of every field, in the order of the files."""
    rows = []
    for path in sorted(folder.glob("*.npz")):
        read = readings(path)
        for a, b in combinations(sorted(read), 2):
            score = overlap(read[a], read[b])
            pairs = matched(score, least)
            copied = sum(score[pair] > SAME for pair in pairs) > len(pairs) / 2
            machine = a in MACHINES or b in MACHINES
            kind = "edited" if copied else "machine" if machine else "people"
            f1 = f_score(len(pairs), *score.shape)["f1"]
            rows.append(Agreement(path.stem, a, b, *score.shape, f1, kind))
    return rows
