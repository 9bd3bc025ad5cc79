"""Behaviour of sources (position, velocity, ...) on the bins of their fragments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nissl.align.fragments import Floats, Fragment, runs
from nissl.align.places.remapping import maps_of
from nissl.align.places.tuning import along_tracks, places, tuned
from nissl.errors import BadArgumentError, BadLabelsError, SourceNotFoundError
from nissl.io.files import read_table
from nissl.project.relating.populations import MOST_VALUES, Binned, Population
from nissl.tasks import Finding

TIMES = ("time", "time_s", "t")
_PLACES = 20
_STILL = 0.02
"""Speed below which an animal is nowhere, in lengths of the track per second."""
_FEW_UNITS = 10


def with_behaviour(
    fragments: Sequence[Fragment],
    populations: Sequence[Population],
    bins: Sequence[Binned],
    given: Sequence[str | Path],
) -> tuple[tuple[Fragment, ...], str]:
    """Fragments with a behaviour of one name, and its name.

    Parameters
    ----------
    fragments, populations, bins : sequences, one per source
    given : sequence of str or Path
        One for all, or one each: a channel of the source's recording, or a table (.csv) with a
        column `time` in seconds and a column for each value.

    Raises
    ------
    BadArgumentError
        Another number than of sources; no such channel; nothing measured in the windows.
    """
    if len(given) not in (1, len(fragments)):
        raise BadArgumentError(
            f"a behaviour for all, or for each of {len(fragments)} sources",
            f"{len(given)}",
            "Name a channel that all have, or one table each.",
        )
    each = list(given) * (len(fragments) if len(given) == 1 else 1)
    names = [Path(g).stem if _is_table(g) else str(g) for g in each]
    name = names[0] if len(set(names)) == 1 else "behaviour"
    out = []
    for fragment, one, binned, what in zip(fragments, populations, bins, each, strict=True):
        times, values = _table(Path(what)) if _is_table(what) else _channel(one, str(what))
        start, stop = (one.clock.to_seconds(binned.left + extra) for extra in (0, binned.width))
        y = averaged_between(times, values, start, stop)
        if not np.isfinite(y).all(axis=1).any():
            raise BadArgumentError(
                f"{name!r} measured in windows of {fragment.name!r}",
                f"times from {times.min():g} s to {times.max():g} s, none of which lie in any",
                "Are both on one clock? Map it first: nissl sync",
            )
        out.append(replace(fragment, behaviour={**fragment.behaviour, name: y}))
    return tuple(out), name


def averaged_between(times: Floats, values: Floats, start: Floats, stop: Floats) -> Floats:
    """Mean of samples in each bin, between samples the straight line; NaN beyond the ends.

    Parameters
    ----------
    times : ndarray, shape (n,), s
        Increasing.
    values : ndarray, shape (n, k)
    start, stop : ndarray, shape (n_bins,), s

    Returns
    -------
    ndarray, shape (n_bins, k)
    """
    first, last = np.searchsorted(times, start), np.searchsorted(times, stop)
    known = np.isfinite(values)
    total = np.concatenate(
        [np.zeros((1, values.shape[1])), np.cumsum(np.where(known, values, 0.0), axis=0)]
    )
    count = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(known, axis=0)])
    n = count[last] - count[first]
    middle = (start + stop) / 2
    outside = (middle < times[0]) | (middle > times[-1])
    line = np.stack([np.interp(middle, times, v) for v in values.T], axis=1)
    line[outside] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(n > 0, (total[last] - total[first]) / n, line), float)


def remapped_windows(fragment: Fragment, name: str, rng: np.random.Generator) -> list[Finding]:
    """Windows of a track in which the units follow another map of it.

    Only of a behaviour of one column that moves, and of enough units; none otherwise.
    """
    y = fragment.behaviour[name]
    number, start, stop = runs(fragment)
    if y.shape[1] != 1 or len(number) < 2 or fragment.n_units < _FEW_UNITS:
        return []
    known = np.isfinite(y[:, 0])
    low, high = float(y[known, 0].min()), float(y[known, 0].max())
    if high <= low:
        return []
    position, velocity = np.where(known, y[:, 0], low), np.zeros(len(y))
    for a, b in zip(start, stop, strict=True):
        if b - a > 1:
            velocity[a:b] = np.gradient(position[a:b]) / fragment.bin_s
    velocity[~known] = 0.0
    place = places(position, velocity, _PLACES, low=low, high=high, still=_STILL * (high - low))
    if not (place >= 0).any():
        return []
    found = maps_of([tuned(fragment, place, along_tracks(_PLACES, 2))], rng)
    other = found.window[found.remapped]
    if not len(other):
        return []
    return [
        Finding(
            "remapping",
            "warning",
            f"In {len(other)} of {len(number)} windows of {fragment.name} the units follow "
            f"another map of {name} than in most: {', '.join(str(w) for w in other[:20])}"
            f"{', ...' if len(other) > 20 else ''}. Do not average over them.",
            value=float(len(other)),
        )
    ]


def _is_table(given: str | Path) -> bool:
    return Path(given).suffix.lower() == ".csv"


def _table(path: Path) -> tuple[Floats, Floats]:
    if not path.is_file():
        raise SourceNotFoundError("a table of behaviour", f"no file {path}", "Check the path.")
    columns = read_table(path)
    key = next((name for name in TIMES if name in columns), None)
    if key is None or len(columns) < 2:
        raise BadLabelsError(
            f"a column among {TIMES} in seconds, and values beside it",
            f"columns {list(columns)}",
            "Name the column of times 'time'.",
        )
    try:
        times = np.asarray(columns[key], float)
        values = np.stack([np.asarray(v, float) for k, v in columns.items() if k != key], axis=1)
    except ValueError as error:
        raise BadLabelsError("numbers in every column", str(error), "Mend the table.") from error
    if len(times) < 2 or (np.diff(times) <= 0).any():
        raise BadLabelsError("times that increase", "others", "Sort the rows by time.")
    return times, values


def _channel(one: Population, name: str) -> tuple[Floats, Floats]:
    """Times and values of a channel, whichever stream of the source has it."""
    known: list[str] = []
    for signal in one.source.recording.streams.values():
        known += signal.channels.ids
        if name not in signal.channels.ids:
            continue
        if signal.n_samples > MOST_VALUES:
            raise BadArgumentError(
                f"at most {MOST_VALUES:,} samples of behaviour",
                f"{signal.n_samples:,} of {name!r}",
                "Give a table of it at a lower rate.",
            )
        column = signal.channels.ids.index(name)
        parts = [signal.read(s.start, s.stop, [column]) for s in signal.clock.segments]
        samples = np.concatenate([np.arange(s.start, s.stop) for s in signal.clock.segments])
        return signal.clock.to_seconds(samples), np.concatenate(parts).astype(float)
    raise BadArgumentError(
        f"a channel of {one.source.name!r} among {known[:20]}",
        repr(name),
        "Name one of them, or give a table: --behaviour position.csv",
    )
