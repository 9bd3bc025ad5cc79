"""CellExplorer's published ground-truth cells as a library.

Petersen et al. 2021, Neuron 109:3594-3608 (BSD-3): opto-tagged units and juxtacellular trains,
here as session files ``<session>.npz`` of per-cell arrays (spike times in units of 10 us,
filtered waveform with its time axis, filtered waveforms on all channels) and a table
``cells_all_columns.csv``. "Juxta" says how a train was recorded, not of which type the cell is:
such cells have no label.

The stored spike times hold spikes that the laser drove, which tell of the laser and so of the
label; the stored correlograms leave stimulation out. These are what is read.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.library import Library
from nissl.annotators.celltypes.stored import Correlograms, featurise_stored
from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.celltypes.vocabulary import canonical
from nissl.errors import CorruptSourceError, SourceNotFoundError

CARD = {
    "name": "CellExplorer ground truth",
    "licence": "BSD-3-Clause",
    "sources": [
        {
            "name": "CellExplorer ground-truth data",
            "citation": "Petersen et al. 2021, Neuron 109:3594-3608",
            "licence": "BSD-3-Clause",
        }
    ],
}
COLUMNS = (
    "session",
    "unit",
    "label",
    "animal",
    "animal_species",
    "species",
    "session_investigator",
    "brainRegion",
    "firingRate",
    "cv2",
)
NO_TYPE = ("Juxta", "VGAT", "PV|VGAT", "PVVGAT")
"""Labels that name no single cell type."""


def read_cellexplorer(folder: str | Path) -> Library:
    """Cells of all sessions of a folder.

    Parameters
    ----------
    folder : str or Path
        Holds `cells_all_columns.csv` and `sessions/`.

    Raises
    ------
    SourceNotFoundError
        No table or no sessions.
    CorruptSourceError
        A table without the columns that are needed, or a cell that its session's file lacks.
    """
    root = Path(folder)
    table = root / "cells_all_columns.csv"
    if not table.is_file():
        raise SourceNotFoundError(
            "cells_all_columns.csv and sessions/",
            f"no such table in {root.name}",
            "Name the folder.",
        )
    rows = _rows(table)
    units, trains, kept = [], [], []
    for session in sorted({row["session"] for row in rows}):
        with _opened(root / "sessions" / f"{session}.npz") as arrays:
            for row in rows:
                if row["session"] == session:
                    units.append(_unit(arrays, row))
                    trains.append(_correlograms(arrays, row))
                    kept.append(row)
    features = featurise_stored(
        units,
        trains,
        subject=[row["animal"] for row in kept],
        session=[row["session"] for row in kept],
    )
    label = tuple("" if r["label"] in NO_TYPE else canonical(r["label"]) for r in kept)
    return Library(
        features,
        label,
        tuple("optotagging" if name else "" for name in label),
        {
            "lab": tuple(r["session_investigator"] for r in kept),
            "species": tuple((r["animal_species"] or r["species"]).lower() for r in kept),
            "region": tuple(r["brainRegion"] for r in kept),
            "unit": tuple(r["unit"] for r in kept),
        },
        CARD,
    )


def _rows(table: Path) -> list[dict[str, str]]:
    with open(table, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if lacking:
            raise CorruptSourceError(
                f"the columns {', '.join(COLUMNS)} in {table.name}",
                f"none of {', '.join(lacking)}",
                "Restore the table.",
            )
        return [row for row in reader if row["label"].strip()]


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise SourceNotFoundError(f"the session file {path.name}", "no such file", "Restore it.")
    return np.load(path, allow_pickle=False)


def _unit(arrays: Mapping[str, npt.NDArray[Any]], row: Mapping[str, str]) -> Unit:
    key = f"u{int(float(row['unit']))}"
    if not {f"{key}_wave_filt", f"{key}_wave_time_ms"} <= set(arrays):
        raise CorruptSourceError(
            f"the cell {key} in {row['session']}.npz", "no such cell", "Restore the file."
        )
    at = arrays[f"{key}_wave_time_ms"].astype(np.float64)
    return Unit(
        waveform=arrays[f"{key}_wave_filt"].astype(np.float64)[:, None],
        rate_hz=1000 / float(np.median(np.diff(at))),
    )


def _correlograms(arrays: Mapping[str, npt.NDArray[Any]], row: Mapping[str, str]) -> Correlograms:
    key = f"u{int(float(row['unit']))}"
    given = {"firing_rate_hz": row["firingRate"], "cv2": row["cv2"]}
    return Correlograms(
        narrow_hz=arrays.get(f"{key}_acg_narrow"),
        wide_hz=arrays.get(f"{key}_acg_wide"),
        log_hz=arrays.get(f"{key}_acg_log10_rate"),
        log_isi=arrays.get(f"{key}_isi_log10_occurrence"),
        scalars={name: float(text) for name, text in given.items() if text.strip()},
    )
