"""Who predicts whom among a project's sources: computed in rows that are kept, and written."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.align.errormap.attribution import Reason, reasons_of_windows
from nissl.align.errormap.grouping import Explained, Groups, embedded, explained, groups, testable
from nissl.align.errormap.maps import ErrorMap, error_map
from nissl.align.errormap.reading import came
from nissl.align.errormap.responses import Responses
from nissl.align.errormap.windowed import Windowed, halved, shared, windowed
from nissl.errors import BadArgumentError, NisslError
from nissl.labels.atomic import make_folder
from nissl.labels.digest import digest_json
from nissl.labels.replay import Rule
from nissl.project.annotating import Resources
from nissl.project.relating.linked import same_units
from nissl.project.relating.populations import populations
from nissl.project.source import Source
from nissl.project.writing import write_facts, write_table
from nissl.run.results import Arrays, write_arrays
from nissl.store import Store

FORMAT = 1
"""Of the files that the review app reads."""
CELLS, POPULATIONS = "cells.npz", "populations.npz"
KNOWN = ("species", "subject", "session", "region", "state", "modality")


@dataclass(frozen=True, eq=False)
class Compared:
    """Who predicts whom among sources.

    Parameters
    ----------
    map : ErrorMap
    groups : Groups
    explained : tuple of Explained
        Whether each field that was asked for explains the map.
    table : pyarrow.Table
        A row for each ordered pair.
    reasons : tuple of Reason
        Why the pair that is read worst is lost.
    worst : tuple of str
        That pair: read, predicted.
    left_out : mapping of str to int
        Units called noise, by source.
    files : tuple of Path
    """

    map: ErrorMap
    groups: Groups
    explained: tuple[Explained, ...]
    table: pa.Table
    reasons: tuple[Reason, ...]
    worst: tuple[str, str]
    left_out: Mapping[str, int]
    files: tuple[Path, ...]


def error_map_of(
    store: Store,
    sources: Sequence[Source],
    windows: Sequence[str | Path],
    *,
    rule: str = "linear",
    halves: str = "turns",
    group: Sequence[str] = (),
    about: str | Path | None = None,
    everything: bool = False,
    bin_s: float = 0.05,
    duration_s: float | None = None,
    permutations: int = 99,
    seed: int = 0,
    out: str | Path | None = None,
    resolve: Rule | None = None,
    resources: Resources | None = None,
) -> Compared:
    """Predict each source's population from each other's; see `nissl.project.Project.errormap`."""
    from nissl.report.population_plots import error_map_plot

    for name in group:
        if name not in KNOWN:
            raise BadArgumentError(f"a field among {list(KNOWN)}", repr(name), "Choose one.")
    found = populations(
        store,
        sources,
        windows,
        bin_s=bin_s,
        duration_s=duration_s,
        resolve=resolve,
        everything=everything,
    )
    resolutions = [1 / p.clock.segments[0].rate_hz for p in found.populations]
    laid = windowed(found.fragments, resolutions_s=resolutions)
    common = shared(laid)
    parts = [halved(one, common, halves) for one in laid]
    same = same_units(store, found.populations, resolve=resolve)
    known = [asdict(p.about) for p in parts]
    if about is not None:
        stated = _stated(Path(about), [p.name for p in parts])
        known = [own | stated.get(p.name, {}) for own, p in zip(known, parts, strict=True)]
    subjects = tuple(k["subject"] for k in known)
    kinds = [(by, tuple(k[by] for k in known)) for by in group]
    for one in kinds:  # before anything is computed
        testable(tuple(p.name for p in parts), *one, subjects)
    job = {
        "stage": "errormap",
        "format": FORMAT,
        "fingerprints": [s.fingerprint for s in sources],
        "label_sets": [list(own) for own in found.labels],
        "windows": [str(w) for w in windows],
        "rule": rule,
        "halves": halves,
        "group": list(group),
        "about": known,
        "bin_s": bin_s,
        "duration_s": duration_s,
        "permutations": permutations,
        "seed": seed,
    }
    name = digest_json(job)
    rng = np.random.default_rng(seed)
    cells: Arrays = {}

    def keep(i: int, row: Arrays) -> None:
        for key in ("axes", "unit_skill", "units", "traces"):
            cells[f"{key}_{i}"] = row[key]

    context = (resources or Resources()).context(store.workdir(name), seed)
    store.start_run(name, job)
    try:
        result = error_map(
            parts,
            rng,
            rule=rule,
            n_null=permutations,
            context=context,
            each=keep,
        )
        why_map = tuple(explained(result, *one, subjects, rng) for one in kinds)
        parted = groups(result, rng)
        i, j = worst_pair(result)
        why = tuple(
            reasons_of_windows(laid[i], laid[j], common, rng, halves=halves, same=same.get((i, j)))
        )
        table = table_of(result, parted)
        folder = Path(out) if out is not None else store.path / "reports" / "errormap"
        make_folder(folder)
        told = {
            **job,
            "windows": [Path(w).name for w in windows],
            "sources": [p.name for p in parts],
            "units": [p.n_units for p in parts],
            "left_out": dict(found.left_out),
            "conditions": [found.conditions[k] for k in common.tolist()],
            "steps": int(laid[0].values.shape[1]),
            "order": result.order().tolist(),
            "embedding": embedded(result.distance()).tolist(),
            "groups": {
                "n": parted.n,
                "of": parted.group.tolist(),
                "silhouette": _told(parted.silhouette),
                "p": _told(parted.p),
                "says": parted.says,
            },
            "explained": [{k: _told(v) for k, v in asdict(one).items()} for one in why_map],
            "worst": {"read": parts[i].name, "predicted": parts[j].name},
            "reasons": [asdict(r) for r in why],
            "same": [
                {"read": a, "predicted": b, "places": [s.tolist() for s in places]}
                for (a, b), places in sorted(same.items())
            ],
        }
        files = _written(folder, table, told, cells, parts, laid)
        error_map_plot(result, folder / "errormap.png", parted.group.tolist())
        store.finish_run(name, outputs=[], log={"folder": folder.name, "fragments": len(parts)})
    except (NisslError, KeyboardInterrupt) as error:
        store.fail_run(name, str(error) or "interrupted")
        raise
    worst = (parts[i].name, parts[j].name)
    every = (*files, folder / "errormap.png")
    return Compared(result, parted, why_map, table, why, worst, found.left_out, every)


def worst_pair(found: ErrorMap) -> tuple[int, int]:
    """The pair of two fragments that is read worst: row and column."""
    off = ~np.eye(len(found.names), dtype=bool)
    lost = np.where(off, np.nan_to_num(found.relative, nan=np.inf), np.inf)
    i, j = np.unravel_index(int(np.argmin(lost)), lost.shape)
    return int(i), int(j)


def table_of(found: ErrorMap, parted: Groups) -> pa.Table:
    """Rows of an error map, the diagonal (a source's own halves) among them."""
    rows = []
    for i, read in enumerate(found.names):
        for j, predicted in enumerate(found.names):
            values = {
                k: float(getattr(found, k)[i, j])
                for k in ("skill", "low", "high", "null", "p", "q", "relative", "asymmetry")
            }
            both = {"group_read": int(parted.group[i]), "group_predicted": int(parted.group[j])}
            rows.append({"read": read, "predicted": predicted, **values, **both})
    return pa.Table.from_pylist(rows)


def _stated(path: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """What a table says of sources: its column "source", and any field of `KNOWN`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    except OSError as error:
        raise BadArgumentError(
            "a table of sources", f"{path.name}: {error.strerror}", "Name a .csv or .tsv."
        ) from error
    columns = set(rows[0]) if rows else set()
    if "source" not in columns or not columns - {"source"} <= set(KNOWN):
        raise BadArgumentError(
            f"a table with the column 'source' and columns among {list(KNOWN)}",
            f"{sorted(str(c) for c in columns)}",
            "Write a row for each source: source,region",
        )
    strange = sorted({row["source"] for row in rows} - set(names))
    if strange:
        raise BadArgumentError(
            f"sources among {list(names)}", ", ".join(strange[:5]), "Correct the table."
        )
    filled = {k for k in columns - {"source"}}
    return {row["source"]: {k: row[k] for k in filled if row[k]} for row in rows}


def _written(
    folder: Path,
    table: pa.Table,
    told: Mapping[str, Any],
    cells: Arrays,
    parts: Sequence[Responses],
    laid: Sequence[Windowed],
) -> tuple[Path, ...]:
    """All that the app's page needs: nothing is computed again from the recordings."""
    held: Arrays = {}
    for k, (part, one) in enumerate(zip(parts, laid, strict=True)):
        cells[f"came_axes_{k}"] = came(part).astype(np.float32)
        cells[f"came_{k}"] = part.second.astype(np.float32)
        held[f"values_{k}"] = one.values.astype(np.float32)
        held[f"condition_{k}"] = one.condition
        held[f"state_{k}"] = one.state
        held[f"units_{k}"] = one.units
        held[f"resolution_{k}"] = np.array(one.resolution_s)
    write_arrays(folder / CELLS, cells)
    write_arrays(folder / POPULATIONS, held)
    tables = write_table(table, folder, "errormap")
    return (*tables, folder / CELLS, folder / POPULATIONS, write_facts(told, folder))


def _told(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


__all__ = ["Compared", "error_map_of", "table_of", "worst_pair"]
