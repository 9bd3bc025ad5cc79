"""Series of a study on one clock: channels, traces, units, or columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from nissl.align.binning import averaged, bins_of, width_of
from nissl.align.fragments import Floats
from nissl.annotators.rates.traces import HIGH, LOW
from nissl.errors import BadArgumentError, SourceNotFoundError
from nissl.labels.replay import Rule
from nissl.project.annotating import current
from nissl.project.relating.populations import MOST_VALUES, population
from nissl.project.relating.populations import SPIKES as SPIKE_TASK
from nissl.project.source import Source
from nissl.store import Store

TABLES = (".csv", ".tsv")


@dataclass(frozen=True, eq=False)
class Series:
    """Series on one clock, or spike trains.

    Parameters
    ----------
    names : tuple of str
    origin : tuple of dict
        What each source's part was made from.
    interval_s : float
        Between samples; of spike trains the whole duration.
    values : ndarray, shape (n_series, n_samples), optional
    times_s : tuple of ndarray, optional
        Of spike trains.
    """

    names: tuple[str, ...]
    origin: tuple[dict[str, Any], ...]
    interval_s: float
    values: Floats | None = None
    times_s: tuple[Floats, ...] = ()


def series_of(
    store: Store,
    sources: Sequence[Source | Path],
    *,
    trains: bool | None = None,
    stream: str | None = None,
    channels: Sequence[str] | None = None,
    bin_s: float | None = None,
    interval_s: float | None = None,
    resolve: Rule | None = None,
) -> Series:
    """Series of sources, or of one table.

    Parameters
    ----------
    store : Store
    sources : sequence of Source or Path
        Sources that share a clock, or one table with a column for each series.
    trains : bool, optional
        Whether spike trains are wanted; None: where the first source has spikes.
    stream : str, optional
        Of signals.
    channels : sequence of str, optional
        Names of channels, columns or units; all by default.
    bin_s : float, optional
        Means of so many seconds.
    interval_s : float, optional
        Between rows of a table.
    resolve : callable, optional
    """
    if isinstance(sources[0], Path):
        made = table_of(sources, interval_s)
    else:
        chosen = cast(Sequence[Source], sources)
        if trains is None:
            trains = current(store, chosen[0], SPIKE_TASK) is not None
        parts = [
            _trains(store, s, resolve) if trains else _signal(s, stream, bin_s) for s in chosen
        ]
        made = _joined(parts, [s.name for s in chosen])
    return made if channels is None else _chosen(made, channels)


def table_of(paths: Sequence[Any], interval_s: float | None) -> Series:
    """Columns of a table of numbers, a row for each time."""
    path = Path(paths[0])
    if len(paths) > 1:
        raise BadArgumentError("one table, or sources", f"{len(paths)}", "Join the tables first.")
    if not path.is_file():
        raise SourceNotFoundError("a table of series", f"no file {path}", "Check the path.")
    if interval_s is None or not interval_s > 0:
        raise BadArgumentError(
            "the seconds between rows of a table", f"{interval_s}", "State them: --interval 2"
        )
    import pandas as pd

    held = pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    numbers = held.select_dtypes("number")
    if numbers.shape[1] < 2 or bool(numbers.isna().to_numpy().any()):
        raise BadArgumentError(
            "two or more columns of numbers without gaps, one for each series",
            f"{numbers.shape[1]} columns of {held.shape[1]}",
            "Give a header, a column for each region and a row for each scan.",
        )
    names = tuple(str(c) for c in numbers.columns)
    values = numbers.to_numpy(np.float64).T
    return Series(names, ({"table": path.name, "rows": len(held)},), interval_s, values)


def _signal(source: Source, stream: str | None, bin_s: float | None) -> Series:
    streams = source.row.streams
    name = stream or (next(iter(streams)) if len(streams) == 1 else source.stream(stream))
    signal = source.recording[name]
    own = [k for k, c in enumerate(signal.channels.ids) if not c.endswith((LOW, HIGH))]
    longest = max(signal.clock.segments, key=lambda s: s.stop - s.start)
    if (longest.stop - longest.start) * len(own) > MOST_VALUES:
        raise BadArgumentError(
            f"at most {MOST_VALUES:,} samples of all channels", source.name, "Name fewer channels."
        )
    values = signal.read(longest.start, longest.stop, own).astype(np.float64)
    interval_s = 1 / longest.rate_hz
    if bin_s is not None:
        width = width_of(signal.clock, bin_s)
        ends = np.array([0], np.int64), np.array([len(values)], np.int64)
        left, _ = bins_of(*ends, width)
        values, interval_s = averaged(values, left, width), width * interval_s
    origin = {
        "source": source.name,
        "fingerprint": source.fingerprint,
        "stream": name,
        "samples": [int(longest.start), int(longest.stop)],
        "segments_left_out": len(signal.clock.segments) - 1,
        "labels": [],
    }
    names = tuple(str(signal.channels.ids[k]) for k in own)
    return Series(names, (origin,), interval_s, values.T)


def _trains(store: Store, source: Source, resolve: Rule | None) -> Series:
    found = population(store, source, resolve=resolve)
    if found.events is None:
        raise BadArgumentError(
            f"spikes of {source.name!r}",
            "a signal",
            "Choose a method of series: --method gaussian",
        )
    sample, unit = found.events
    begins_s = found.clock.segments[0].t0_s
    seconds = np.asarray(found.clock.to_seconds(sample), np.float64) - begins_s
    last = found.clock.segments[-1]
    lasts_s = last.t0_s - begins_s + (last.stop - last.start) / last.rate_hz
    times = tuple(np.sort(seconds[unit == u]) for u in found.units)
    origin = {
        "source": source.name,
        "fingerprint": source.fingerprint,
        "stream": found.stream,
        "labels": [found.labels],
    }
    names = tuple(str(u) for u in found.units.tolist())
    return Series(names, (origin,), lasts_s, times_s=times)


def _joined(parts: Sequence[Series], sources: Sequence[str]) -> Series:
    first = parts[0]
    if len(parts) == 1:
        return first
    lengths = {0 if p.values is None else p.values.shape[1] for p in parts}
    same = max(p.interval_s for p in parts) - min(p.interval_s for p in parts)
    if len(lengths) > 1 or same > 1e-6 * first.interval_s:
        raise BadArgumentError(
            "sources with samples at the same times",
            f"{len(lengths)} lengths, intervals of {[p.interval_s for p in parts]} s",
            "Take parts of one recording, or bring them to one clock first (nissl sync).",
        )
    names = tuple(f"{s} {n}" for s, p in zip(sources, parts, strict=True) for n in p.names)
    origin = tuple(o for p in parts for o in p.origin)
    values = None if first.values is None else np.concatenate([np.asarray(p.values) for p in parts])
    times = tuple(t for p in parts for t in p.times_s)
    return Series(names, origin, first.interval_s, values, times)


def _chosen(made: Series, channels: Sequence[str]) -> Series:
    strange = [c for c in channels if c not in made.names]
    if strange:
        raise BadArgumentError(
            f"names among {list(made.names)[:20]}", f"{strange}", "Correct --channels."
        )
    at = [made.names.index(c) for c in channels]
    values = None if made.values is None else made.values[at]
    times = tuple(made.times_s[k] for k in at) if made.times_s else ()
    return Series(tuple(channels), made.origin, made.interval_s, values, times)


__all__ = ["TABLES", "Series", "series_of", "table_of"]
