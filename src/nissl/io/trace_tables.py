"""Traces beside exported tables: a column per item, a row per frame, seconds first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.data.signal import ArrayReader
from nissl.errors import CorruptSourceError
from nissl.io.files import corrupt
from nissl.io.names import plain_name
from nissl.io.verifying import same_values

TIME = "time_s"


def write_traces(signals: Mapping[str, Signal], folder: Path, kind: str) -> dict[str, Any]:
    """Write each signal as ``traces_<name>.<kind>``.

    Parameters
    ----------
    signals : mapping of str to Signal
    folder : Path
    kind : {"csv", "parquet"}

    Returns
    -------
    dict
        JSON values with which `read_traces` finds them.
    """
    facts = {}
    for name, signal in signals.items():
        columns = {TIME: signal.clock.to_seconds(np.arange(signal.n_samples))}
        samples = samples_of(signal)
        columns |= {i: samples[:, k] for k, i in enumerate(signal.channels.ids)}
        table = pa.table({c: pa.array(v) for c, v in columns.items()})
        path = folder / f"traces_{plain_name(name)}.{kind}"
        if kind == "parquet":
            pq.write_table(table, path, compression="zstd")
        else:
            from pyarrow.csv import write_csv

            write_csv(table, path)
        facts[name] = {
            "file": path.name,
            "clock": signal.clock.to_json(),
            "channels": signal.channels.to_json(),
            "metadata": {k: v for k, v in signal.metadata.items() if k == "unit"},
        }
    return facts


def read_traces(folder: Path, facts: Mapping[str, Any]) -> dict[str, Signal]:
    """Signals that `write_traces` wrote; `CorruptSourceError` for files that were changed."""
    out = {}
    for name, each in facts.items():
        path = folder / Path(str(each["file"])).name
        with corrupt(path, "a table of traces"):
            channels = ChannelTable.from_json(each["channels"])
            clock = Clock.from_json(each["clock"])
            if path.suffix == ".parquet":
                table = pq.read_table(path)
            else:
                from pyarrow.csv import ConvertOptions, read_csv

                types = {TIME: pa.float64()} | {i: pa.float32() for i in channels.ids}
                table = read_csv(path, convert_options=ConvertOptions(column_types=types))
            if table.column_names != [TIME, *channels.ids] or table.num_rows != clock.n_samples:
                raise CorruptSourceError(
                    f"{clock.n_samples} rows of {len(channels.ids)} items in {path.name}",
                    f"{table.num_rows} rows of {table.num_columns - 1}",
                    "Export the labels again.",
                )
            columns = [table.column(i).to_numpy().astype(np.float32) for i in channels.ids]
            samples = np.stack(columns, axis=1) if columns else np.zeros((clock.n_samples, 0))
        signal = ArrayReader(samples.astype(np.float32))
        out[name] = Signal(name, signal, channels, clock, dict(each["metadata"]))
    return out


def samples_of(signal: Signal) -> Any:
    """All samples of a signal, shape (n_samples, n_channels), float32."""
    parts = [signal.read(s.start, s.stop) for s in signal.clock.segments]
    return np.concatenate(parts).astype(np.float32)


def trace_differences(wanted: Mapping[str, Signal], got: Mapping[str, Signal]) -> list[str]:
    """Names of signals that are missing or differ, a sentence each."""
    return [
        f"traces: {name}"
        for name, signal in wanted.items()
        if name not in got
        or signal.channels.ids != got[name].channels.ids
        or not same_values(samples_of(signal), samples_of(got[name]))
    ]
