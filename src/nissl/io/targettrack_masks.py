"""Masks in files of targettrack: ``<t>/mask`` of volume t, (x, y, z), a number for each neuron.

Where the file's attribute ``ground_truth`` names volumes, those are a person's; other masks are a
set of their own, of targettrack's. ``net/<run>/<t>/predmask`` is what a network claims.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.annotators.masks.masks import Masks
from nissl.io.masks import FoundMasks, renumbered
from nissl.labels import Author

MASK, PREDICTED, TRUE = "mask", "predmask", "ground_truth"


def mask_frames(group: Any, name: str = MASK) -> list[int]:
    """Volumes of an open file, or of a run, that have a mask."""
    # by path, for other programs' files have data sets of such names
    return sorted(int(key) for key in group if key.isdecimal() and f"{key}/{name}" in group)


def read_masks(file: Any, person: Author, stream: str) -> list[FoundMasks]:
    """Masks of an open file: people's, targettrack's, then those of each network."""
    frames = mask_frames(file)
    true = {int(t) for t in np.ravel(file.attrs.get(TRUE, []))} & set(frames)
    theirs = [t for t in frames if t in true] if true else frames
    found = []
    machine = Author("model", "targettrack")
    for author, part in ((person, theirs), (machine, [t for t in frames if t not in theirs])):
        if part:
            found.append(_read(file, MASK, part, author, stream))
    for key, group in file["net"].items() if "net" in file else ():
        part = mask_frames(group, PREDICTED)
        if part:
            author = Author("model", f"targettrack/{key}")
            found.append(_read(group, PREDICTED, part, author, stream))
    return [each for each in found if each.masks.frame.size]


def write_masks(file: Any, masks: Masks, n_frames: int, by_person: bool) -> None:
    """Write masks of an open file, with the attributes that targettrack asks for."""
    known = renumbered(masks)
    items = known.items
    top = int(items[-1])
    present = np.zeros((n_frames, top + 1), bool)
    present[known.frame, known.item] = True
    for t in known.frames.tolist():
        volume = np.append(0, items)[known.volume(t)].astype(np.int16)
        file.create_dataset(f"{t}/{MASK}", data=volume.T, compression="gzip")
    file["neuron_presence"] = present
    file.attrs["N_neurons"], file.attrs["pointdat"] = top, False
    if by_person:
        file.attrs[TRUE] = known.frames


def _read(group: Any, name: str, frames: list[int], author: Author, stream: str) -> FoundMasks:
    volumes = ((t, group[f"{t}/{name}"][()].T) for t in frames)
    return FoundMasks(Masks.of_volumes(volumes), author, stream)


__all__ = ["mask_frames", "read_masks", "write_masks"]
