"""Interval tables of NWB files (trials, epochs, any other) as trial tables, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nissl.errors import BadMetadataError, MissingDependencyError
from nissl.io.files import corrupt
from nissl.io.trial_tables import Columns, TrialTable, from_frame


def read_nwb_trials(
    path: str | Path, table: str = "trials", *, label: str | None = None
) -> TrialTable:
    """Read an interval table of an NWB file: trials, epochs, or any other by its name.

    References to time series are left out of the extra columns.

    Parameters
    ----------
    path : str or Path
    table : str
        Name of the table.
    label : str, optional
        Column of the classes; without it all rows are "trial".

    Raises
    ------
    MissingDependencyError
        pynwb is not installed.
    BadMetadataError
        The file has no such table.
    """
    import pandas as pd

    pynwb = _pynwb()
    with (
        corrupt(Path(path), "an NWB file"),
        pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io,
    ):
        intervals = io.read().intervals or {}
        if table not in intervals:
            raise BadMetadataError(
                f"one of the interval tables {sorted(intervals)}", repr(table), "Name one of them."
            )
        found = intervals[table]
        frame = pd.DataFrame(
            {
                name: [_plain(v) for v in found[name][:]]
                for name in found.colnames
                if name not in ("timeseries", "tags_index")
            }
        )
    return from_frame(frame, Columns("start_time", "stop_time", label=label))


def add_nwb_trials(nwbfile: Any, trials: TrialTable, *, name: str = "trials") -> None:
    """Add the rows as an interval table to a pynwb NWBFile in memory, with their labels.

    Parameters
    ----------
    nwbfile : pynwb.NWBFile
    trials : TrialTable
    name : str
        Name of the table; "trials" and "epochs" get NWB's own places.
    """
    table = _pynwb().epoch.TimeIntervals(
        name=name, description="intervals imported or made by nissl"
    )
    stop = np.where(trials.lasting, trials.stop_s, trials.start_s)
    table.add_column("label", "class of the row")
    for column in trials.extra.columns:
        table.add_column(str(column), "as in the imported table")
    for row in range(len(trials)):
        more = {str(k): v for k, v in trials.extra.iloc[row].items()}
        table.add_interval(
            start_time=float(trials.start_s[row]),
            stop_time=float(stop[row]),
            label=trials.labels[row],
            **more,
        )
    places = {"trials": "trials", "epochs": "epochs"}
    if name in places:
        setattr(nwbfile, places[name], table)
    else:
        nwbfile.add_time_intervals(table)


def _pynwb() -> Any:
    try:
        import pynwb
        import pynwb.epoch
    except ImportError as error:
        raise MissingDependencyError(
            "pynwb, for NWB files", "none installed", "Install with: pip install 'nissl[ephys]'"
        ) from error
    return pynwb


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return json.dumps(value.tolist())
    return value.item() if isinstance(value, np.generic) else value
