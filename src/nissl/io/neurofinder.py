"""Regions of Neurofinder: a JSON list of the coordinates of each, by people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.cells.footprints import Footprints
from nissl.errors import CorruptSourceError
from nissl.io.files import load_json
from nissl.io.regions import Found, RegionFile
from nissl.labels import Author

_HEAD = 4096
_UNSTATED = (
    "The size of the field is not stated and was taken to end at the last region; an info.json "
    "beside the file would tell it."
)


def is_neurofinder(path: Path) -> bool:
    """Whether a file is a JSON list of objects with coordinates."""
    if path.suffix != ".json" or not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD).decode("utf-8", "replace").lstrip()
    except OSError:
        return False
    return head.startswith("[") and '"coordinates"' in head


def find_neurofinder(path: Path, reviewer: str | None) -> Found:
    """Regions of a file; size and rate of the field from the info.json near it."""
    entries = load_json(path)
    given = [e.get("coordinates") if isinstance(e, dict) else None for e in entries]
    places = [_places(each, index, path) for index, each in enumerate(given)]
    if not places:
        raise CorruptSourceError("regions with coordinates", "none", f"Restore {path}.")
    info = _info(path)
    largest = np.max([p.max(axis=0) for p in places], axis=0) + 1
    size = np.asarray(info.get("dimensions") or largest, np.int64)[:2]
    notes = () if info.get("dimensions") else (_UNSTATED,)
    if size.shape != (2,) or np.any(largest > size):
        raise CorruptSourceError(
            f"coordinates within {size.tolist()} pixels",
            f"up to {largest.tolist()}",
            f"Mend {path}.",
        )
    height, width = (int(n) for n in size)
    flat = [np.unique(p[:, 0] * width + p[:, 1]) for p in places]
    rate = info.get("rate-hz")
    return Found(
        Footprints.build((1, height, width), flat),
        Author("person", reviewer or "neurofinder annotators"),
        rate_hz=float(rate) if isinstance(rate, int | float) else float("nan"),
        notes=notes,
    )


def _places(given: Any, index: int, path: Path) -> Any:
    """Rows and columns of a region, shape (n, 2), int64."""
    try:
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        array = np.zeros(0)
    whole = array.ndim == 2 and array.shape[1] == 2 and len(array) > 0
    if not whole or np.any(array < 0) or np.any(array != np.rint(array)) or np.any(array > 1e6):
        raise CorruptSourceError(
            "pairs of whole numbers from 0 on as coordinates of each region",
            f"something else for region {index}",
            f"Mend {path}.",
        )
    return array.astype(np.int64)


def _info(path: Path) -> dict[str, Any]:
    for folder in (path.parent, path.parent.parent):
        if (folder / "info.json").is_file():
            try:
                value = json.loads((folder / "info.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            return value if isinstance(value, dict) else {}
    return {}


NEUROFINDER = RegionFile("neurofinder", is_neurofinder, find_neurofinder)
