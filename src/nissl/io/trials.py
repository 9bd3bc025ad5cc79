"""Trial tables as label sets and back, on any clock that a clock map leads to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.io.trial_nwb import read_nwb_trials
from nissl.io.trial_tables import (
    Columns,
    TrialTable,
    read_bids_events,
    read_csv,
)
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.labels.remap import cut_spans, join_pieces, refuse_lost
from nissl.sync import ClockMap
from nissl.sync.intervals import event_samples, span_seconds

IMPORTED = Author("person", "imported")


def read_table(
    path: str | Path,
    *,
    clock: Clock,
    source: str = "",
    stream: str = "",
    task: str = "trials",
    author: str = "imported",
    columns: Columns | None = None,
) -> LabelSet:
    """Read a table of trials, events or behaviour as labels on the clock of a stream.

    SPANS when every row lasts, EVENTS when none does.

    Parameters
    ----------
    path : str or Path
        ``.tsv`` (BIDS events), ``.nwb`` (its trials) or ``.csv``.
    clock : Clock
        Clock whose seconds (or samples) the table gives.
    source, stream : str
        The recording that has this clock.
    task : str
    author : str
        The person whose claim the labels are.
    columns : Columns, optional
        For CSV whose column names do not tell (see `nissl.io.trial_tables.read_csv`).
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".nwb":
        trials = read_nwb_trials(path)
    elif suffix == ".tsv" and columns is None:
        trials = read_bids_events(path)
    else:
        trials = read_csv(path, columns, clock=clock, separator="\t" if suffix == ".tsv" else ",")
    provenance = Provenance(task, source, Author("person", author), stream)
    lasting = trials.lasting
    if lasting.all():
        return to_spans(trials, clock, provenance)
    if not lasting.any():
        return to_events(trials, clock, provenance)
    raise BadLabelsError(
        "a table whose rows all last, or none of them",
        f"{int(lasting.sum())} rows with a duration and {int((~lasting).sum())} without",
        "Read it with nissl.io.trial_tables and choose: to_events takes the starts of all rows.",
    )


def to_spans(
    trials: TrialTable,
    clock: Clock,
    provenance: Provenance,
    *,
    clock_map: ClockMap | None = None,
    outside: str = "error",
) -> LabelSet:
    """Rows of a table as SPANS; an item is a row, in pieces where a gap cuts it.

    Parameters
    ----------
    trials : TrialTable
    clock : Clock
        Clock of the stream whose samples the spans count.
    provenance : Provenance
    clock_map : ClockMap, optional
        From the table's seconds to those of `clock`; the same seconds without it.
    outside : {"error", "drop"}
        What to do with rows at times the stream did not record; dropped rows are listed in
        the provenance, counted from 0.

    Raises
    ------
    BadLabelsError
        Rows without a duration or shorter than one sample, or not recorded.
    """
    if not trials.lasting.all():
        rows = np.flatnonzero(~trials.lasting) + 1
        raise BadLabelsError(
            "rows that all last", f"rows {rows[:10].tolist()} without", "Use to_events for them."
        )
    start_s, stop_s = _mapped(trials.start_s, clock_map), _mapped(trials.stop_s, clock_map)
    which, start, stop, recorded = cut_spans(clock, start_s, stop_s)
    lost = np.flatnonzero(~recorded).tolist()
    refuse_lost(lost, outside, "rows from 0")
    vocabulary = _vocabulary(trials)
    codes = np.asarray([vocabulary.code(n) for n in trials.labels], dtype=np.int32)
    columns = {"item": which.astype(np.int64), "label": codes[which], "start": start, "stop": stop}
    about = _noted(provenance, clock_map, lost)
    return LabelSet.build(Kind.SPANS, columns, vocabulary, about)


def to_events(
    trials: TrialTable,
    clock: Clock,
    provenance: Provenance,
    *,
    clock_map: ClockMap | None = None,
    outside: str = "error",
) -> LabelSet:
    """Starts of the rows as EVENTS; parameters as for `to_spans`."""
    samples, recorded = event_samples(clock, _mapped(trials.start_s, clock_map))
    lost = np.flatnonzero(~recorded).tolist()
    refuse_lost(lost, outside, "rows from 0")
    vocabulary = _vocabulary(trials)
    codes = np.asarray([vocabulary.code(n) for n in trials.labels], dtype=np.int32)
    rows = np.flatnonzero(recorded)
    columns = {"item": rows, "label": codes[rows], "sample": samples[rows]}
    about = _noted(provenance, clock_map, lost)
    return LabelSet.build(Kind.EVENTS, columns, vocabulary, about)


def trial_items(trials: TrialTable, labels: LabelSet) -> ItemTable:
    """Other columns of a table as facts about the items of the labels made from it."""
    frame = trials.extra.iloc[labels.items].reset_index(drop=True)
    names = [c for c in frame.columns if c != "item"]
    arrays = [pa.array(labels.items)]
    for name in names:
        try:
            arrays.append(pa.array(frame[name], from_pandas=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # a column of several types
            arrays.append(pa.array(frame[name].astype(str)))
    return ItemTable(labels.digest, pa.table(arrays, names=["item", *map(str, names)]))


def from_labels(
    labels: LabelSet,
    clock: Clock,
    *,
    clock_map: ClockMap | None = None,
    items: ItemTable | None = None,
) -> TrialTable:
    """EVENTS or SPANS as a table in seconds: the inverse of `to_events` and `to_spans`.

    Parameters
    ----------
    labels : LabelSet
    clock : Clock
        Clock whose samples the labels count.
    clock_map : ClockMap, optional
        From the seconds of `clock` to those the table shall have.
    items : ItemTable, optional
        Facts about the items, which become the other columns.
    """
    import pandas as pd

    if labels.kind is Kind.SPANS:
        rows, start, stop = join_pieces(labels)
        start_s, stop_s = span_seconds(clock, start, stop)
    elif labels.kind is Kind.EVENTS:
        rows = np.arange(labels.n_rows)
        start_s = clock.to_seconds(labels.column("sample"))
        stop_s = np.full(start_s.size, np.nan)
    else:
        raise BadArgumentError("events or spans", labels.kind.value, "Others have no times.")
    order = np.lexsort((labels.column("item")[rows], start_s))
    rows = rows[order]
    names = tuple(labels.vocabulary.names[c] for c in labels.column("label")[rows])
    extra = pd.DataFrame(index=range(rows.size))
    if items is not None:
        at = [items.row_of(int(i)) for i in labels.column("item")[rows]]
        extra = items.table.drop_columns(["item"]).take(pa.array(at, pa.int64())).to_pandas()
    return TrialTable(
        _mapped(start_s[order], clock_map), _mapped(stop_s[order], clock_map), names, extra
    )


def _mapped(times_s: np.ndarray, clock_map: ClockMap | None) -> np.ndarray:
    return times_s if clock_map is None else clock_map(times_s)


def _vocabulary(trials: TrialTable) -> Vocabulary:
    return Vocabulary(tuple(sorted(set(trials.labels))) or ("trial",))


def _noted(provenance: Provenance, clock_map: ClockMap | None, lost: list[int]) -> Provenance:
    parameters = dict(provenance.parameters)
    if clock_map is not None:
        residuals = clock_map.residuals().to_json()
        parameters["clock_map"] = {"from": clock_map.a, "to": clock_map.b, "residuals": residuals}
    if lost:
        parameters["dropped_rows"] = lost
    return replace(provenance, parameters=parameters)
