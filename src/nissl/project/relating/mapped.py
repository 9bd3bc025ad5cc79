"""Error maps that a study keeps below its reports, read from their files alone."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from nissl.align.errormap.attribution import reasons_of_windows
from nissl.align.errormap.windowed import Windowed
from nissl.align.fragments import About, Ints
from nissl.errors import CorruptProjectError, MissingInputError
from nissl.store import Store

CELLS, POPULATIONS = "cells.npz", "populations.npz"
FIELDS = ("skill", "relative", "asymmetry", "low", "high", "null", "p", "q")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def maps(store: Store) -> list[dict[str, Any]]:
    """Error maps of a study, newest first: name, number of sources, when they were written."""
    found = []
    for facts in (store.path / "reports").glob("*/facts.json"):
        folder = facts.parent
        if _NAME.fullmatch(folder.name) and (folder / CELLS).is_file() and not folder.is_symlink():
            n = len(_facts(folder)["sources"])
            found.append({"name": folder.name, "sources": n, "time_s": facts.stat().st_mtime})
    return sorted(found, key=lambda one: -one["time_s"])


def folder_of(store: Store, name: str) -> Path:
    """Folder of a kept map.

    Raises
    ------
    MissingInputError
        Where the study has no map of that name; so no name leads out of the study.
    """
    reports = (store.path / "reports").resolve()
    folder = (reports / name).resolve() if _NAME.fullmatch(name) else reports
    if folder.parent != reports or not (folder / CELLS).is_file():
        raise MissingInputError(
            "an error map below reports/ of this study",
            repr(name)[:80],
            f"Make one: nissl errormap {store.path.name}",
        )
    return folder


def whole(store: Store, name: str) -> dict[str, Any]:
    """Facts of a map, and its matrices, rows read and columns predicted, in the order of facts."""
    folder = folder_of(store, name)
    facts = _facts(folder)
    n = len(facts["sources"])
    table = parquet.read_table(folder / "errormap.parquet")
    if table.num_rows != n * n:
        raise _damaged(folder, f"{table.num_rows} rows for {n} sources")
    told = ("sources", "about", "units", "left_out", "conditions", "steps", "order")
    more = ("embedding", "groups", "explained", "rule", "halves", "bin_s", "permutations")
    values = {field: _plain(table.column(field).to_numpy().reshape(n, n)) for field in FIELDS}
    return {"name": name} | {k: facts[k] for k in told + more} | {"values": values}


def cell(store: Store, name: str, read: int, predicted: int) -> dict[str, Any]:
    """What was predicted of a population and what came, on its first axes and of a few units."""
    folder = folder_of(store, name)
    facts = _facts(folder)
    _inside(facts, read, predicted)
    keys = (f"axes_{read}", f"units_{read}", f"traces_{read}", f"unit_skill_{read}")
    axes, units, traces, skill = (_member(folder / CELLS, key)[predicted] for key in keys)
    came_axes, came = (
        _member(folder / CELLS, f"{key}_{predicted}") for key in ("came_axes", "came")
    )
    names = _member(folder / POPULATIONS, f"units_{predicted}")
    known = [k for k, unit in enumerate(units.tolist()) if unit >= 0]
    return {
        "axes": [
            {"predicted": _plain(axes[:, k]), "came": _plain(came_axes[:, k])}
            for k in range(axes.shape[1])
        ],
        "units": [
            {
                "unit": int(names[units[k]]),
                "skill": _plain(skill[units[k]]),
                "predicted": _plain(traces[:, k]),
                "came": _plain(came[:, units[k]]),
            }
            for k in known
        ],
        "unit_skill": _plain(np.sort(skill[np.isfinite(skill)])[::-1]),
    }


def cell_reasons(store: Store, name: str, read: int, predicted: int) -> list[dict[str, Any]]:
    """Why a pair is lost, the largest part first; computed from what the map keeps."""
    folder = folder_of(store, name)
    facts = _facts(folder)
    _inside(facts, read, predicted)
    laid = [_windowed(folder, facts, k) for k in (read, predicted)]
    common = _common(folder, len(facts["sources"]))
    rng = np.random.default_rng(facts["seed"])
    known = [s for s in facts["same"] if (s["read"], s["predicted"]) == (read, predicted)]
    same = tuple(np.array(p, np.int64) for p in known[0]["places"]) if known else None
    found = reasons_of_windows(
        laid[0],
        laid[1],
        common,
        rng,
        halves=facts["halves"],
        same=None if same is None else (same[0], same[1]),
    )
    return [{k: _plain(v) for k, v in vars(one).items()} for one in found]


def _common(folder: Path, n: int) -> Ints:
    """Conditions that every fragment has twice."""
    sets = []
    for k in range(n):
        values, counts = np.unique(
            _member(folder / POPULATIONS, f"condition_{k}"), return_counts=True
        )
        sets.append(set(values[(values >= 0) & (counts >= 2)].tolist()))
    return np.array(sorted(set.intersection(*sets)), np.int64)


def _windowed(folder: Path, facts: dict[str, Any], k: int) -> Windowed:
    names = ("values", "condition", "state", "units", "resolution")
    held = {name: _member(folder / POPULATIONS, f"{name}_{k}") for name in names}
    return Windowed(
        facts["sources"][k],
        held["values"].astype(np.float64),
        held["condition"],
        held["state"],
        held["units"],
        facts["bin_s"],
        float(held["resolution"]),
        About(**facts["about"][k]),
    )


def _inside(facts: dict[str, Any], *places: int) -> None:
    n = len(facts["sources"])
    if not all(0 <= k < n for k in places):
        raise MissingInputError(f"a cell of {n} x {n}", f"{places}", "Reload the page.")


def _facts(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        found["sources"], found["order"]
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(folder, f"facts.json: {error}") from error
    return found


def _member(path: Path, key: str) -> Any:
    """One array of a file; the others are not read."""
    try:
        with np.load(path, allow_pickle=False) as held:
            return held[key]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(path.parent, f"{path.name}: {error}") from error


def _damaged(folder: Path, got: str) -> CorruptProjectError:
    return CorruptProjectError(
        f"the error map {folder.name!r} whole", got, "Write it again: nissl errormap"
    )


def _plain(value: Any) -> Any:
    """Numbers as JSON has them, None where there is none."""
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 5) if np.isfinite(value) else None
    return value


__all__ = ["cell", "cell_reasons", "folder_of", "maps", "whole"]
