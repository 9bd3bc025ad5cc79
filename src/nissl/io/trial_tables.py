"""Tables of trials, events and behaviour: CSV and BIDS `events.tsv`, read and written.

Times stand in seconds of one stated clock; a row without a duration (or with one of zero) is
an event. Rows may overlap. Nothing is repaired: times that are no numbers, negative durations
and starts out of order are errors that list the rows, counted from 1 without the header.

The labels of such a table are somebody's claim, so their author is a person: the name given,
or "imported".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import (
    BadArgumentError,
    BadLabelsError,
    BadMetadataError,
)
from nissl.io.files import corrupt
from nissl.labels.atomic import atomic_write
from nissl.sync.clockmap import Times
from nissl.sync.intervals import span_seconds

if TYPE_CHECKING:
    import pandas as pd

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "samples": None}
NO_LABEL = "trial"


@dataclass(frozen=True)
class Columns:
    """Which columns of a table say what, and in which unit.

    Parameters
    ----------
    start : str
    stop, duration : str, optional
        One of them, or neither for events.
    label : str, optional
        Class of each row; without it all rows are "trial".
    unit : {"s", "ms", "us", "samples"}
        Of start, stop and duration. "samples" are samples or frames of the table's clock.
    last_included : bool
        Whether `stop` is the last sample of the row and not the one after it (only for
        "samples").
    """

    start: str
    stop: str | None = None
    duration: str | None = None
    label: str | None = None
    unit: str = "s"
    last_included: bool = False

    def __post_init__(self) -> None:
        if self.unit not in UNITS or (self.stop is not None and self.duration is not None):
            raise BadArgumentError(
                f"a unit among {sorted(UNITS)}, and a stop or a duration column, not both",
                f"unit {self.unit!r}, stop {self.stop!r}, duration {self.duration!r}",
                "Name the columns as they stand in the table.",
            )
        if self.last_included and self.unit != "samples":
            raise BadArgumentError(
                "last_included only with the unit 'samples'", self.unit, "Times have no last one."
            )


KNOWN = (
    Columns("start_s", "stop_s", label="label"),
    Columns("start_time", "stop_time", label="label"),
    Columns("onset", duration="duration", label="trial_type"),
    Columns("start_frame", "stop_frame", label="label", unit="samples"),
    Columns("start_sample", "stop_sample", label="label", unit="samples"),
    Columns("time_s", label="label"),
)


@dataclass(frozen=True, eq=False)
class TrialTable:
    """Rows of a table in seconds of one clock.

    Parameters
    ----------
    start_s : ndarray, shape (n,), float64, seconds
        Never decreasing.
    stop_s : ndarray, shape (n,), float64, seconds
        NaN where the row is an event.
    labels : tuple of str
        Class of each row.
    extra : pandas.DataFrame, n rows
        The other columns, as read.
    """

    start_s: Times
    stop_s: Times
    labels: tuple[str, ...]
    extra: pd.DataFrame

    def __post_init__(self) -> None:
        start, stop = (np.array(t, dtype=np.float64) for t in (self.start_s, self.stop_s))
        n = start.size
        if (
            start.shape != (n,)
            or stop.shape != (n,)
            or not len(self.labels) == len(self.extra) == n
        ):
            raise BadLabelsError(
                f"{n} starts, stops, labels and rows of other columns",
                f"{start.shape}, {stop.shape}, {len(self.labels)} and {len(self.extra)}",
                "Give one of each per row.",
            )
        _check_times(start, stop)
        stop = np.where(stop == start, np.nan, stop)
        for name, values in (("start_s", start), ("stop_s", stop)):
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return int(self.start_s.size)

    @property
    def lasting(self) -> npt.NDArray[np.bool_]:
        """Whether each row has a duration, shape (n,)."""
        return np.isfinite(self.stop_s)

    def __repr__(self) -> str:
        n = int(self.lasting.sum())
        return (
            f"TrialTable({n} spans and {len(self) - n} events, classes {sorted(set(self.labels))}, "
            f"other columns {list(self.extra.columns)})"
        )


def read_csv(
    path: str | Path,
    columns: Columns | None = None,
    *,
    clock: Clock | None = None,
    separator: str = ",",
) -> TrialTable:
    """Read a table of text.

    Parameters
    ----------
    path : str or Path
    columns : Columns, optional
        Without it the table must have one of these pairs of columns (see `KNOWN`), whose
        names tell the unit: start_s and stop_s, start_time and stop_time (s), onset and
        duration (s), start_frame and stop_frame, start_sample and stop_sample, or time_s.
    clock : Clock, optional
        Needed for samples and frames.
    separator : str

    Raises
    ------
    SourceNotFoundError, CorruptSourceError, BadMetadataError, BadLabelsError
        No file; no table; columns that are missing; rows that cannot be right.
    """
    import pandas as pd

    with corrupt(Path(path), f"a table with the separator {separator!r}"):
        frame = pd.read_csv(path, sep=separator, engine="pyarrow")
    return from_frame(frame, columns, clock=clock)


def read_bids_events(path: str | Path, *, label: str = "trial_type") -> TrialTable:
    """Read a BIDS `events.tsv`: onset and duration in seconds, "n/a" where not known.

    Parameters
    ----------
    path : str or Path
    label : str
        Column of the classes; where it is absent all rows are "trial".
    """
    import pandas as pd

    with corrupt(Path(path), "a BIDS events table"):
        frame = pd.read_csv(path, sep="\t", na_values=["n/a"], engine="pyarrow")
    named = label if label in frame.columns else None
    return from_frame(frame, Columns("onset", duration="duration", label=named))


def from_frame(
    frame: pd.DataFrame, columns: Columns | None = None, *, clock: Clock | None = None
) -> TrialTable:
    """Make a trial table from a data frame; see `read_csv`."""
    import pandas as pd

    chosen = _known(frame) if columns is None else columns
    named = [getattr(chosen, n) for n in ("start", "stop", "duration", "label")]
    lacking = [n for n in named if n is not None and n not in frame.columns]
    if lacking:
        raise BadMetadataError(
            f"the columns {[n for n in named if n is not None]}",
            f"{list(frame.columns)}, without {lacking}",
            "Name the columns with Columns(start=..., stop=..., label=..., unit=...).",
        )
    start = _numbers(frame[chosen.start], required=True)
    if chosen.stop is not None:
        stop = _numbers(frame[chosen.stop], required=False) + chosen.last_included
    elif chosen.duration is not None:
        stop = start + _numbers(frame[chosen.duration], required=False)
    else:
        stop = np.full(start.size, np.nan)
    start, stop = _to_seconds(start, stop, chosen.unit, clock)
    labels = (
        (NO_LABEL,) * len(frame)
        if chosen.label is None
        else tuple(str(v) if pd.notna(v) else "n/a" for v in frame[chosen.label])
    )
    extra = frame.drop(columns=[n for n in named if n is not None]).reset_index(drop=True)
    return TrialTable(start, stop, labels, extra)


def write_csv(trials: TrialTable, path: str | Path) -> None:
    """Write start_s, stop_s, label and the other columns; `read_csv` gives the same table."""
    import pandas as pd

    frame = pd.DataFrame(
        {"start_s": trials.start_s, "stop_s": trials.stop_s, "label": list(trials.labels)}
    )
    _write(pd.concat([frame, trials.extra], axis=1), path, separator=",", missing="")


def write_bids_events(trials: TrialTable, path: str | Path) -> None:
    """Write a BIDS `events.tsv`; durations of events are 0, unknown values "n/a"."""
    import pandas as pd

    duration = np.where(trials.lasting, trials.stop_s - trials.start_s, 0.0)
    frame = pd.DataFrame(
        {"onset": trials.start_s, "duration": duration, "trial_type": list(trials.labels)}
    )
    _write(pd.concat([frame, trials.extra], axis=1), path, separator="\t", missing="n/a")


def _known(frame: pd.DataFrame) -> Columns:
    for columns in KNOWN:
        other = columns.stop or columns.duration
        if columns.start in frame.columns and (other is None or other in frame.columns):
            named = next((n for n in (columns.label, "label") if n in frame.columns), None)
            return replace(columns, label=named)
    raise BadMetadataError(
        f"columns such as {[(c.start, c.stop or c.duration) for c in KNOWN]}",
        f"{list(frame.columns)}",
        "Name the columns with Columns(start=..., stop=..., label=..., unit=...).",
    )


def _numbers(column: pd.Series, *, required: bool) -> Times:
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values) if required else ~np.isfinite(values) & column.notna().to_numpy()
    if np.any(bad):
        raise BadLabelsError(
            f"numbers in column {column.name!r}",
            f"{_rows(bad)}: {column[bad].iloc[0]!r}",
            "Mend or remove these rows in a copy of the table.",
        )
    return values


def _to_seconds(start: Times, stop: Times, unit: str, clock: Clock | None) -> tuple[Times, Times]:
    scale = UNITS[unit]
    if scale is not None:
        return start * scale, stop * scale
    if clock is None:
        raise BadArgumentError(
            "the clock whose samples or frames the table counts",
            "none",
            "Give clock=, or time stamps in seconds.",
        )
    _check_times(start, stop)
    ends = np.where(np.isfinite(stop), stop, start)
    odd = (
        (np.rint(start) != start) | (np.rint(ends) != ends) | (np.abs(ends) + np.abs(start) > 2**52)
    )
    if np.any(odd):
        raise BadLabelsError(
            "whole samples or frames", f"others in {_rows(odd)}", "Check the table's unit."
        )
    lasting = np.isfinite(stop) & (stop > start)
    begin, end = span_seconds(clock, start, np.where(lasting, stop, start + 1).astype(np.int64))
    return begin, np.where(lasting, end, np.nan)


def _check_times(start: Times, stop: Times) -> None:
    faults = []
    for what, bad in (
        ("start times that are not finite", ~np.isfinite(start)),
        ("stop times that are infinite", np.isinf(stop)),
        ("negative durations", stop < start),
        ("starts before the start of the row above", np.append(False, np.diff(start) < 0)),
    ):
        if np.any(bad):
            faults.append(f"{what}: {_rows(bad)}")
    if faults:
        raise BadLabelsError(
            "rows with finite times, in order of their starts, that end after they start",
            "; ".join(faults),
            "Mend these rows in a copy of the table; nissl repairs nothing in silence.",
        )


def _rows(bad: npt.NDArray[np.bool_]) -> str:
    rows = np.flatnonzero(bad) + 1
    more = f" and {rows.size - 10} more" if rows.size > 10 else ""
    return f"rows {rows[:10].tolist()}{more}"


def _write(frame: pd.DataFrame, path: str | Path, *, separator: str, missing: str) -> None:
    repeated: Sequence[str] = frame.columns[frame.columns.duplicated()].tolist()
    if repeated:
        raise BadArgumentError(
            "other columns with names of their own", f"{repeated} twice", "Rename them."
        )
    text = StringIO()
    frame.to_csv(text, sep=separator, na_rep=missing, index=False, lineterminator="\n")
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
